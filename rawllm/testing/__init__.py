"""The other side of the wire: a server of the protocol, for tests and for looking.

It needs no model and no network, answers the same question always the same,
and can fail in every way that real servers do: a scenario each, chosen by the
name of the model. It imports nothing of the client that it is there to check.

>>> import urllib.request
>>> with serve() as url:
...     print(urllib.request.urlopen(f"{url}/models/plain").read()[:13])
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
    sent.
    """
    site = Site(scenario, keys=keys, strict=strict)
    with Server(site.answer, host=host, port=port, seen=seen) as server:
        yield server.url
