"""Where a client calls that is to meet a fault of the network, and how the fault comes and goes.

A stage is given what a good server answers, and is a `with` block of a scene.
What is left out: what a call comes to there, which is in `test_network*.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import requests

import rawllm
from rawllm.transport import Transport
from tests.faults.proxy import ASKED, Fault, How, proxied
from tests.servers import (
    AUTHORITY,
    CHAT,
    EVENTS,
    STREAM_HEAD,
    Script,
    answer,
    chunk,
    event,
    serve,
    stream,
)

TEXT = "Hello there!"
#: What a good server answers, to a call whose answer is streamed or whole.
GOOD = {True: stream(*EVENTS), False: answer(CHAT)}
#: So much of a stream has said "Hello".
HELLO = len(STREAM_HEAD + chunk(event(EVENTS[0])) + chunk(event(EVENTS[1])))
#: So much of what a good server answers is not all of it.
HALF = {True: HELLO, False: len(GOOD[False]) - 40}

CONNECTION, TIMEOUT = rawllm.APIConnectionError, rawllm.APITimeoutError
INCOMPLETE = rawllm.IncompleteStreamError

TRUSTED: dict[str, Any] = {"verify": AUTHORITY}
SILENT: dict[str, Any] = {"timeout": (5.0, 0.2)}
BRIEF: dict[str, Any] = {"timeout": 0.2}
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Scene(NamedTuple):
    """Where the client calls, and how the fault comes and goes."""

    url: str
    begin: Callable[[], None] = lambda: None
    mend: Callable[[], None] = lambda: None
    #: How many tries the other side has seen fail; `None` where there is no other side.
    harmed: Callable[[], int] | None = None
    options: Mapping[str, Any] = NOTHING


Stage = Callable[[bytes], AbstractContextManager[Scene]]


def through(
    fault: Fault | None = None, *, start: str = "open", tls: bool = False, **options: Any
) -> Stage:
    """A good server behind a proxy with this fault."""

    @contextmanager
    def stage(good: bytes) -> Iterator[Scene]:
        with serve(good, tls=tls) as server, proxied(server.port, start=start) as proxy:

            def begin() -> None:
                proxy.fault = fault

            url = proxy.url.replace("http:", "https:") if tls else proxy.url
            harmed = (lambda: proxy.harmed) if fault else None
            yield Scene(url, begin, proxy.mend, harmed, options)

    return stage


@contextmanager
def nowhere(_: bytes) -> Iterator[Scene]:
    """A host that there is not."""
    yield Scene("http://nothing.invalid/v1")


@contextmanager
def no_route(good: bytes) -> Iterator[Scene]:
    """A host whose address no connection can be made to: a broadcast address."""
    addresses = ["127.255.255.255"]
    with serve(good) as server, names({"server.test": addresses}):
        url = f"http://server.test:{server.port}/v1"
        yield Scene(url, mend=lambda: addresses.__setitem__(0, "127.0.0.1"))


@contextmanager
def names(known: dict[str, list[str]]) -> Iterator[None]:
    """A resolver that knows these names as well."""
    resolve = socket.getaddrinfo

    def found(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        addresses = known.get(host, [host])
        return [row for a in addresses for row in resolve(a, port, *args, **kwargs)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", found)
        yield


@contextmanager
def no_such_proxy(_: bytes) -> Iterator[Scene]:
    with proxied(0, start="closed") as closed:
        yield Scene("http://server.test/v1", options={"proxies": {"http": closed.url}})


@contextmanager
def refusing_proxy(_: bytes) -> Iterator[Scene]:
    with serve(answer({}, 502, connection="close")) as proxy:
        options = {"proxies": {"https": proxy.url}}
        yield Scene("https://server.test/v1", harmed=lambda: len(proxy.requests), options=options)


@contextmanager
def leaving_proxy(good: bytes) -> Iterator[Scene]:
    with serve(good, tls=True) as server:
        with proxied(server.port, Fault(How.FIN), tunnels=True) as proxy:
            options = {"proxies": {"https": proxy.url}, **TRUSTED}
            yield Scene(server.url, mend=proxy.mend, harmed=lambda: proxy.harmed, options=options)


@contextmanager
def untrusted(good: bytes) -> Iterator[Scene]:
    with serve(good, tls=True) as server, proxied(server.port) as proxy:
        yield Scene(proxy.url.replace("http:", "https:"), harmed=lambda: proxy.accepted)


def played(*scripts: Script, tls: bool = False, **options: Any) -> Stage:
    """A server that plays these scripts."""
    options |= TRUSTED if tls else {}

    @contextmanager
    def stage(_: bytes) -> Iterator[Scene]:
        with serve(*scripts, tls=tls) as server:
            yield Scene(server.url, options=options)

    return stage


def faulty(
    how: How, after: int = ASKED, says: bytes = b"", late: float = 0.1, **options: Any
) -> Stage:
    """As `through`, from the beginning."""

    @contextmanager
    def stage(good: bytes) -> Iterator[Scene]:
        with through(Fault(how, after, says, late), **options)(good) as scene:
            scene.begin()
            yield scene

    return stage


def by_session(stage: Stage) -> Stage:
    """The same for a session of the caller's."""

    @contextmanager
    def with_session(good: bytes) -> Iterator[Scene]:
        with stage(good) as scene, requests.Session() as session:
            yield scene._replace(options={**scene.options, "session": session})

    return with_session


@contextmanager
def calling(scene: Scene, paused: Callable[[float], None], **options: Any) -> Iterator[Any]:
    """A client which does not wait between two tries."""
    given = {**scene.options, **options}
    wire = {name: given.pop(name) for name in ("proxies", "verify") if name in given}
    with rawllm.Client(scene.url, **given) as client:
        client._transport = Transport(sleep=paused, **wire)
        yield client


def ask(client: rawllm.Client, *, streamed: bool, messages: str = "x", **options: Any) -> str:
    if streamed:
        return "".join(client.chat("m", messages, stream=True, **options))
    said: str = client.chat("m", messages, **options)
    return said
