"""The other side of the wire: a server of the protocol, for tests and for looking.

It needs no model and no network, answers the same question always the same,
and fails in the ways of a table of scenarios, each chosen by the name of the
model. It imports nothing of the client that it is there to check.

>>> import http.client
>>> from contextlib import closing
>>> with serve() as url, closing(http.client.HTTPConnection(url.split("/")[2])) as connection:
...     connection.request("GET", "/v1/models/plain")
...     connection.getresponse().read()[:13]
b'{"id":"plain"'
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from rawllm.testing.endpoints import Site
from rawllm.testing.replay import Replay
from rawllm.testing.rows import Scenario
from rawllm.testing.scenarios import SCENARIOS
from rawllm.testing.scripts import Request
from rawllm.testing.server import Exchange, Server

__all__ = ["SCENARIOS", "Exchange", "Replay", "Request", "Scenario", "Server", "Site", "serve"]


@contextmanager
def serve(
    scenario: str = "plain",
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    keys: Collection[str] = (),
    strict: bool = False,
    seen: Callable[[Exchange], None] = lambda exchange: None,
) -> Iterator[str]:
    """The `base_url` of a server that runs as long as the `with` block.

    A model's name that is no scenario behaves as `scenario` says; `strict`
    makes it a 404. With `keys` one of them must be sent. `seen` is called, in
    a thread of the server, with each exchange just before its last bytes are
    sent. Raises as `Site` does.
    """
    site = Site(scenario, keys=keys, strict=strict)
    with Server(site.answer, host=host, port=port, seen=seen) as server:
        yield server.url
