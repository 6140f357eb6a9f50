"""The network fails under a call: what is tried again is what the table in `retries.py` says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import requests

import rawllm
from rawllm import failures
from rawllm.retries import (
    ANY,
    AT_ONCE,
    BACKOFF,
    IF_ASKED,
    LOADING,
    RULES,
    Failure,
    rule,
)
from rawllm.transport import Transport
from tests.faults.conftest import Note
from tests.faults.proxy import ACCEPTED, ASKED, Fault, How, Proxy, proxied
from tests.live.server import binary, eventually, free_port
from tests.servers import (
    AUTHORITY,
    CHAT,
    EVENTS,
    LAST_CHUNK,
    PATIENCE,
    STREAM_HEAD,
    End,
    Script,
    answer,
    chunk,
    event,
    head,
    serve,
    stream,
)

CHAPTER = "network"

TEXT = "Hello there!"
#: What a good server answers, to a call whose answer is streamed or whole.
GOOD = {True: stream(*EVENTS), False: answer(CHAT)}
whole_and_streamed = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])

SILENT: dict[str, Any] = {"timeout": (5.0, 0.2)}
BRIEF: dict[str, Any] = {"timeout": 0.2}
NOTHING: Mapping[str, Any] = MappingProxyType({})


# --- a client that does not wait, and where it calls ------------------------


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
def untrusted(good: bytes) -> Iterator[Scene]:
    with serve(good, tls=True) as server, proxied(server.port) as proxy:
        yield Scene(proxy.url.replace("http:", "https:"), harmed=lambda: proxy.accepted)


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


# --- each event of the table ------------------------------------------------


class Case(NamedTuple):
    """One fault, what the table is asked of it, and what a call ends in that does not get by."""

    failure: Failure
    stage: Stage
    raises: type[rawllm.APIError]
    call: Mapping[str, Any] = NOTHING


def answered(says: bytes) -> Stage:
    return through(Fault(How.FIN, says=says))


def error(status: int, message: str = "no", **headers: str) -> Stage:
    body = {"error": {"message": message}}
    return answered(answer(body, status, connection="close", **headers))


#: (how the table's words call it, how it is done)
ENDS = (("closed", How.FIN), ("reset", How.RST))
CONNECTION, TIMEOUT = rawllm.APIConnectionError, rawllm.APITimeoutError
TRUSTED: dict[str, Any] = {"verify": AUTHORITY}
DROPPED, IDLE = Failure("dropped"), Failure("dropped", reused=True)
QUOTA = answer({"error": {"message": "no", "code": "insufficient_quota"}}, 429, connection="close")
PLAIN = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

#: What went wrong: all that stands before a semicolon is told on the page.
CASES: dict[str, Case] = {
    "no connection, refused": Case(Failure("refused"), through(start="closed"), CONNECTION),
    "no connection, no route": Case(Failure("unreachable"), no_route, CONNECTION),
    "no connection, no answer": Case(
        Failure("connect timeout"), through(start="full", **BRIEF), TIMEOUT
    ),
    "no such host": Case(Failure("dns"), nowhere, CONNECTION),
    **{
        f"{word} in the TLS handshake; {at}": Case(
            Failure("handshake"), through(Fault(how, at), tls=True, **TRUSTED), CONNECTION
        )
        for word, how in ENDS
        for at in (ACCEPTED, ASKED, 0)
        # Python's ssl does not close a socket that was reset before it took it over.
        if (how, at) != (How.RST, ACCEPTED)
    },
    **{
        f"silence in the TLS handshake; {at}": Case(
            Failure("handshake"),
            through(Fault(How.SILENCE, at), tls=True, **BRIEF, **TRUSTED),
            TIMEOUT,
        )
        for at in (ACCEPTED, 0)
    },
    "an untrusted certificate": Case(Failure("tls"), untrusted, CONNECTION),
    "no TLS": Case(Failure("plain"), through(Fault(How.FIN, says=PLAIN), tls=True), CONNECTION),
    "no HTTP": Case(Failure("protocol"), answered(b"what is this\r\n\r\n"), CONNECTION),
    "the proxy refuses connections": Case(Failure("proxy"), no_such_proxy, CONNECTION),
    "the proxy refuses the request": Case(Failure("proxy"), refusing_proxy, CONNECTION),
    **{
        f"{word} {when}": Case(DROPPED, through(Fault(how, at)), CONNECTION)
        for word, how in ENDS
        for when, at in (
            ("before the request", ACCEPTED),
            ("as the request comes", ASKED),
            ("after the request", 0),
        )
    },
    **{
        f"an idle connection, {word} {when}; {'TLS' if tls else ''}": Case(
            IDLE, through(Fault(how, at), tls=tls, **TRUSTED if tls else {}), CONNECTION
        )
        for word, how in ENDS
        for when, at in (("as the request comes", ASKED), ("after the request", 0))
        for tls in (False, True)
    },
    **{
        f"{'an idle connection, ' if reused else ''}{word} in the status line; {at}": Case(
            Failure("dropped", reused, begun=True), through(Fault(how, at)), CONNECTION
        )
        for word, how in ENDS
        for at in (1, 9)
        for reused in (False, True)
    },
    "reset in the headers": Case(
        Failure("dropped", begun=True), through(Fault(How.RST, 20)), CONNECTION
    ),
    "silence in the headers": Case(
        Failure("timeout", begun=True), through(Fault(How.SILENCE, 20), **SILENT), TIMEOUT
    ),
    "silence before the first byte; lost": Case(
        Failure("timeout"), through(Fault(How.SILENCE), **SILENT), TIMEOUT
    ),
    "silence before the first byte; seen": Case(
        Failure("timeout"), through(Fault(How.SILENCE, 0), **SILENT), TIMEOUT
    ),
    "silence on an idle connection (a NAT forgot it)": Case(
        Failure("timeout", reused=True), through(Fault(How.SILENCE), **SILENT), TIMEOUT
    ),
    "silence until the deadline": Case(
        Failure("deadline"), through(Fault(How.SILENCE)), TIMEOUT, {"deadline": 0.2}
    ),
    "an empty account": Case(Failure("quota"), answered(QUOTA), rawllm.RateLimitError),
    "llama-server: a bad request as a 500": Case(
        Failure("bad request"), error(500, server="llama.cpp"), rawllm.InternalServerError
    ),
    "503 while the model loads": Case(
        Failure("loading"), error(503, "Loading model"), rawllm.ModelLoadingError
    ),
    **{
        f"status {status}": Case(Failure("busy"), error(status), raises)
        for status, raises in (
            (408, rawllm.APIStatusError),
            (409, rawllm.ConflictError),
            (429, rawllm.RateLimitError),
            (500, rawllm.InternalServerError),
            (502, rawllm.InternalServerError),
            (503, rawllm.InternalServerError),
            (504, rawllm.InternalServerError),
        )
    },
    **{
        f"status {status}": Case(Failure("status"), error(status), raises)
        for status, raises in (
            (400, rawllm.BadRequestError),
            (401, rawllm.AuthenticationError),
            (403, rawllm.PermissionDeniedError),
            (404, rawllm.NotFoundError),
            (422, rawllm.UnprocessableEntityError),
        )
    },
    "status 503, and told not to come back": Case(
        Failure("status"), error(503, x_should_retry="false"), rawllm.InternalServerError
    ),
    "status 400, and told to come back": Case(
        Failure("busy"), error(400, x_should_retry="true"), rawllm.BadRequestError
    ),
}
#: Those that are tried again where the caller asks for it.
IF_ASKED_FOR = {name: case for name, case in CASES.items() if rule(case.failure) == IF_ASKED}

#: What the text may say as well: a reset can be seen before the connection is used, a line
#: that was cut is one that cannot be read, and after an idle connection there is a new one.
ALSO = {"dropped": ("unreachable", "protocol", "handshake")}

each = pytest.mark.parametrize("name", CASES)


def ways(name: str, *, odd: bool, thorough: bool) -> list[bool]:
    """Whether a streamed answer is asked for or a whole one, each time."""
    return [False, True] * 10 if thorough else [[*CASES].index(name) % 2 == odd]


def words(event: str) -> tuple[str, ...]:
    return tuple(failures._EVENTS.get(known, "") for known in (event, *ALSO.get(event, ())))


def told(name: str) -> str:
    return name.partition(";")[0]


def tries(failure: Failure, max_retries: int, *, retry_timeouts: bool = False) -> int:
    """How often the table has a call sent whose every try fails so."""
    action = rule(failure)
    if action == AT_ONCE:  # on a new connection, the next time
        return 1 + tries(failure._replace(reused=False), max_retries)
    if action == LOADING:
        return 3  # within LOADING_TIMEOUT, however many retries there are
    again = action == BACKOFF or (action == IF_ASKED and retry_timeouts)
    return 1 + max_retries if again else 1


LOADING_TIMEOUT = 1.2  # seconds: two pauses fit, of about 0.5 and 1


def times(count: int) -> str:
    return "not tried again" if count == 1 else f"after {count - 1} retries"


@contextmanager
def failing(
    case: Case, streamed: bool, *, mends: bool, **options: Any
) -> Iterator[tuple[Callable[[], str], list[float], Scene]]:
    """A call which the fault is to meet, the pauses it makes, and the scene.

    With `mends` all is well after the first pause. A connection that is to be
    an idle one has carried a call before.
    """
    pauses: list[float] = []
    with case.stage(GOOD[streamed]) as scene:

        def paused(seconds: float) -> None:
            pauses.append(seconds)
            if mends:
                scene.mend()

        with calling(scene, paused, **options) as client:
            if case.failure.reused:
                assert ask(client, streamed=streamed) == TEXT
            scene.begin()
            yield lambda: ask(client, streamed=streamed, **case.call), pauses, scene


@each
def test_a_fault_that_stays_is_met_as_often_as_the_table_says(
    name: str, note: Note, thorough: bool
) -> None:
    case = CASES[name]
    expected = tries(case.failure, max_retries=2)
    for streamed in ways(name, odd=False, thorough=thorough):
        waits = {"loading_timeout": LOADING_TIMEOUT}
        with failing(case, streamed, mends=False, **waits) as (call, pauses, scene):
            with pytest.raises(case.raises) as caught:
                call()
            harmed = scene.harmed and scene.harmed()
        assert type(caught.value) is case.raises
        assert any(word in caught.value.message for word in words(case.failure.event))
        assert len(pauses) + 1 == expected
        assert harmed in (None, expected)
        backed_off = pauses[rule(case.failure) == AT_ONCE :]
        assert all(0.375 * 2**i <= pause <= 0.5 * 2**i for i, pause in enumerate(backed_off))
        again = "not tried again" if expected == 1 else f"after {expected - 1} retries"
        note(told(name), f"`{case.raises.__name__}`, {again}")


@each
def test_a_fault_that_goes_away_is_got_by_where_the_table_says(
    name: str, note: Note, thorough: bool
) -> None:
    case = CASES[name]
    never = tries(case.failure, max_retries=1) == 1
    at_once = rule(case.failure) == AT_ONCE
    for streamed in ways(name, odd=True, thorough=thorough):
        with failing(case, streamed, mends=True, max_retries=1) as (call, pauses, _):
            if never:
                with pytest.raises(case.raises):
                    call()
            else:
                assert call() == TEXT
                how = "a retry at once" if at_once else "one retry"
                note(f"{told(name)}, once", f"an answer after {how}")
        assert len(pauses) == (not never)
        assert (pauses == [0.0]) == at_once


@pytest.mark.parametrize("name", IF_ASKED_FOR)
def test_silence_is_got_by_where_the_caller_asks_for_it(
    name: str, note: Note, thorough: bool
) -> None:
    case = IF_ASKED_FOR[name]
    for streamed in ways(name, odd=True, thorough=thorough):
        with failing(case, streamed, mends=True, retry_timeouts=True) as (call, pauses, _):
            assert call() == TEXT
        assert len(pauses) == 1
        note(f"{told(name)}, once, `retry_timeouts=True`", "an answer after one retry")


def test_every_row_of_the_table_has_been_met() -> None:
    def row(failure: Failure) -> tuple[Any, ...]:
        return next(
            row
            for row in RULES
            if row[0] == failure.event
            and row[1] in (ANY, failure.reused)
            and row[2] in (ANY, failure.begun)
        )

    assert {row(case.failure) for case in CASES.values()} == set(RULES)


# --- connections that were good once ----------------------------------------


@pytest.mark.parametrize("how", [How.FIN, How.RST])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_an_idle_connection_known_to_be_dead_is_not_used(how: How, tls: bool, note: Note) -> None:
    pauses: list[float] = []
    options = TRUSTED if tls else {}
    with serve(GOOD[False], tls=tls) as server, proxied(server.port) as proxy:
        url = proxy.url.replace("http:", "https:") if tls else proxy.url
        with calling(Scene(url, options=options), pauses.append) as client:
            assert ask(client, streamed=False) == TEXT
            proxy.drop(how)
            assert ask(client, streamed=False) == TEXT
        assert [request.connection for request in server.requests] == [0, 1]
    assert pauses == []
    note(f"an idle connection, {how.value} long before", "an answer, without a retry")


MANY = 8


def warm(client: rawllm.Client, proxy: Proxy, connections: int) -> None:
    """Have so many idle connections."""
    proxy.fault = Fault(How.LATE, 0)
    with ThreadPoolExecutor(connections) as pool:
        said = pool.map(lambda _: ask(client, streamed=False), range(connections))
        assert list(said) == [TEXT] * connections
    assert proxy.accepted == connections


def test_no_call_meets_one_dead_connection_after_the_other(note: Note) -> None:
    pauses: list[float] = []
    with serve(GOOD[False]) as server, proxied(server.port) as proxy:
        with calling(Scene(proxy.url), pauses.append, max_retries=0) as client:
            warm(client, proxy, MANY)
            proxy.fault, proxy.spares_new = Fault(How.RST), True
            assert ask(client, streamed=False) == TEXT
            assert pauses == [0.0]
            with ThreadPoolExecutor(MANY) as pool:
                said = pool.map(lambda _: ask(client, streamed=False), range(MANY))
                assert list(said) == [TEXT] * MANY
    assert pauses == [0.0] * proxy.harmed
    note(f"{MANY} idle connections, reset as the request comes", "an answer after a retry at once")


@whole_and_streamed
def test_a_name_has_several_addresses_of_which_one_answers(streamed: bool, note: Note) -> None:
    pauses: list[float] = []
    with serve(GOOD[streamed]) as server, names({"server.test": ["127.0.0.2", "127.0.0.1"]}):
        with calling(Scene(f"http://server.test:{server.port}/v1"), pauses.append) as client:
            assert ask(client, streamed=streamed) == TEXT
    assert pauses == []
    note("no connection to the first of two addresses, refused", "an answer, without a retry")


def test_an_address_that_does_not_answer_leaves_time_for_the_next(note: Note) -> None:
    pauses: list[float] = []
    known = {"server.test": ["127.0.0.2", "127.0.0.1"]}
    with serve(GOOD[False]) as server, names(known):
        with proxied(0, start="full", place=("127.0.0.2", server.port)):
            scene = Scene(f"http://server.test:{server.port}/v1")
            with calling(scene, pauses.append, timeout=(0.4, PATIENCE)) as client:
                begin = time.monotonic()
                assert ask(client, streamed=False) == TEXT
    assert time.monotonic() - begin < 0.4
    assert pauses == []
    note("no connection to the first of two addresses, no answer", "an answer, without a retry")


# --- answers that stop in the middle ----------------------------------------

HELLO = len(STREAM_HEAD + chunk(event(EVENTS[0])) + chunk(event(EVENTS[1])))
HALF = {True: HELLO, False: len(GOOD[False]) - 40}


@pytest.mark.parametrize("how", [How.FIN, How.RST, How.SILENCE])
@whole_and_streamed
def test_an_answer_that_stops_in_the_middle_is_not_asked_for_again(
    how: How, streamed: bool, note: Note
) -> None:
    pauses: list[float] = []
    raises: type[rawllm.APIError] = TIMEOUT if how is How.SILENCE else CONNECTION
    raises = rawllm.IncompleteStreamError if streamed else raises
    stage = through(Fault(how, HALF[streamed]), retry_timeouts=True, **SILENT)
    with stage(GOOD[streamed]) as scene, calling(scene, pauses.append) as client:
        scene.begin()
        with pytest.raises(raises) as caught:
            ask(client, streamed=streamed)
        assert scene.harmed is not None
        assert scene.harmed() == 1
    assert type(caught.value) is raises
    assert pauses == []
    what = "a stream" if streamed else "a whole answer"
    kept = ""
    if isinstance(caught.value, rawllm.IncompleteStreamError):
        assert caught.value.partial.choices[0].message.content == "Hello"
        kept = " with the partial answer"
    note(f"{what}, {how.value} in the middle", f"`{raises.__name__}`{kept}, not tried again")


# --- limits of time ---------------------------------------------------------

LIMIT = 0.3  # seconds
LATE = 0.1  # seconds after it, at the most


class Stuck(NamedTuple):
    """Where a call is stuck, and what it ends in when the limit has passed."""

    stage: Stage
    #: `None`: an answer.
    raises: type[rawllm.APIError] | None = TIMEOUT
    #: What else it may end in, if it is not waiting just then.
    otherwise: type[rawllm.APIError] | None = None
    streamed: bool = False
    call: Mapping[str, Any] = MappingProxyType({"deadline": LIMIT})
    within: float = LIMIT
    #: Whether it may end before.
    early: bool = False
    asked: str = "x"
    #: The partial answer.
    partial: str = ""


def played(*scripts: Script, tls: bool = False, **options: Any) -> Stage:
    """A server that plays these scripts."""
    options |= TRUSTED if tls else {}

    @contextmanager
    def stage(_: bytes) -> Iterator[Scene]:
        with serve(*scripts, tls=tls) as server:
            yield Scene(server.url, options=options)

    return stage


def faulty(how: How, after: int = ASKED, says: bytes = b"", **options: Any) -> Stage:
    """As `through`, from the beginning."""

    @contextmanager
    def stage(good: bytes) -> Iterator[Scene]:
        with through(Fault(how, after, says), **options)(good) as scene:
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
def slow_to_connect(good: bytes) -> Iterator[Scene]:
    """The system tries to connect again after a second."""
    with serve(good) as server, proxied(server.port, start="full") as proxy:
        later = threading.Timer(0.1, proxy.open)
        later.start()
        yield Scene(proxy.url)
        later.join()


@contextmanager
def trickling_proxy(_: bytes) -> Iterator[Scene]:
    fault = Fault(How.TRICKLE, says=b"HTTP/1.1 200 OK\r\nX-Words: " + b"word " * 100)
    with serve(b"") as server, proxied(server.port, fault) as proxy:
        yield Scene("https://server.test/v1", options={"proxies": {"https": proxy.url}})


INCOMPLETE = rawllm.IncompleteStreamError
TIMED = {"timeout": LIMIT}
AT_FIRST, BETWEEN = {"first_token_timeout": LIMIT}, {"idle_timeout": LIMIT}
TLS_ON: dict[str, Any] = {"tls": True, **TRUSTED}
LONG = "x" * 4_000_000  # more than the system takes from who is not read
LATER = answer({"error": {"message": "busy"}}, 503, retry_after_ms="10")
BROKEN = head(500, content_length="1000", content_type="application/json") + b'{"error"'
BEGUN: Script = [STREAM_HEAD, chunk(event(EVENTS[0])), chunk(event(EVENTS[1]))]
DONE = STREAM_HEAD + b"".join(chunk(event(e)) for e in EVENTS)
PINGS = chunk(b": ping\n\n") * 50
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n" * 20
CIRCLE = head(307, location="/v1/chat/completions", content_length="0")


def of(answer: bytes, stage: Stage) -> Stage:
    """The same, where the server answers so."""
    return lambda _: stage(answer)


def pinging(after: int) -> Stage:
    """Comments, a byte at a time, in place of the rest."""
    return of(GOOD[True][:after] + PINGS + LAST_CHUNK, faulty(How.TRICKLE, after))


ROLE = len(STREAM_HEAD + chunk(event(EVENTS[0])))

STUCK: dict[str, Stuck] = {
    # A deadline, wherever a call is.
    "`deadline=`, no connection": Stuck(through(start="full")),
    "`deadline=`, silence in the TLS handshake": Stuck(faulty(How.SILENCE, ACCEPTED, **TLS_ON)),
    "`deadline=`, a TLS handshake byte by byte": Stuck(faulty(How.TRICKLE, 0, **TLS_ON)),
    "`deadline=`, a proxy that accepts byte by byte": Stuck(trickling_proxy),
    "`deadline=`, the request is not read": Stuck(faulty(How.DEAF, ACCEPTED), asked=LONG),
    "`deadline=`, no first byte": Stuck(faulty(How.SILENCE, 0)),
    "`deadline=`, headers byte by byte": Stuck(faulty(How.TRICKLE, 0)),
    "`deadline=`, 100 Continue for ever": Stuck(faulty(How.TRICKLE, says=CONTINUE)),
    "`deadline=`, a whole answer stops": Stuck(faulty(How.SILENCE, HALF[False])),
    "`deadline=`, a whole answer byte by byte": Stuck(faulty(How.TRICKLE, HALF[False])),
    "`deadline=`, a stream stops": Stuck(
        faulty(How.SILENCE, HELLO), INCOMPLETE, streamed=True, partial="Hello"
    ),
    "`deadline=`, a stream byte by byte": Stuck(
        faulty(How.TRICKLE, HELLO), INCOMPLETE, streamed=True, partial="Hello"
    ),
    "`deadline=`, a stream over TLS stops": Stuck(
        played([*BEGUN, End.HOLD], tls=True), INCOMPLETE, streamed=True, partial="Hello"
    ),
    "`deadline=`, a stream that stops after two retries": Stuck(
        played([LATER], [LATER], [*BEGUN, End.HOLD]), INCOMPLETE, streamed=True, partial="Hello"
    ),
    "`deadline=`, silence after two retries": Stuck(played([LATER], [LATER], [End.HOLD])),
    "`deadline=`, retries without end": Stuck(
        played([LATER], max_retries=1000), TIMEOUT, rawllm.InternalServerError, early=True
    ),
    "`deadline=`, timeouts that are tried again": Stuck(
        faulty(How.SILENCE, 0, retry_timeouts=True),
        call={"deadline": LIMIT, "timeout": 0.1},
        early=True,
    ),
    "`deadline=`, slow redirects in a circle": Stuck(of(CIRCLE, faulty(How.LATE, 0))),
    "`deadline=`, an error's body stops": Stuck(
        played([BROKEN, End.HOLD]), rawllm.InternalServerError
    ),
    "`deadline=`, an error's body byte by byte": Stuck(
        of(BROKEN + b":" * 900, faulty(How.TRICKLE, len(BROKEN))), rawllm.InternalServerError
    ),
    "`deadline=`, no first byte, a session of the caller's": Stuck(
        by_session(faulty(How.SILENCE, 0))
    ),
    "`deadline=`, a whole answer byte by byte, a session of the caller's": Stuck(
        by_session(faulty(How.TRICKLE, HALF[False]))
    ),
    # A silence that lasts.
    "`timeout=`, no connection": Stuck(through(start="full", max_retries=0), call=TIMED),
    "`timeout=`, silence in the TLS handshake": Stuck(
        faulty(How.SILENCE, ACCEPTED, max_retries=0, **TLS_ON), call=TIMED
    ),
    "`timeout=`, the request is not read": Stuck(
        faulty(How.DEAF, ACCEPTED), call=TIMED, asked=LONG
    ),
    "`timeout=`, no first byte": Stuck(faulty(How.SILENCE, 0), call=TIMED),
    "`timeout=`, a whole answer stops": Stuck(faulty(How.SILENCE, HALF[False]), call=TIMED),
    "`timeout=`, a stream stops": Stuck(
        faulty(How.SILENCE, HELLO), INCOMPLETE, streamed=True, call=TIMED, partial="Hello"
    ),
    # A stream that lives, but says nothing.
    "`first_token_timeout=`, no first byte": Stuck(
        faulty(How.SILENCE, 0), streamed=True, call=AT_FIRST
    ),
    "`first_token_timeout=`, only comments, byte by byte": Stuck(
        pinging(ROLE), INCOMPLETE, streamed=True, call=AT_FIRST
    ),
    "`idle_timeout=`, a stream stops": Stuck(
        faulty(How.SILENCE, HELLO), INCOMPLETE, streamed=True, call=BETWEEN, partial="Hello"
    ),
    "`idle_timeout=`, only comments, byte by byte": Stuck(
        pinging(HELLO), INCOMPLETE, streamed=True, call=BETWEEN, partial="Hello"
    ),
    # What is slow, and well.
    "slow to connect": Stuck(slow_to_connect, None, call={"timeout": 5.0}, within=5.0, early=True),
    "slow to the first byte": Stuck(faulty(How.LATE, 0), None, call=TIMED, early=True),
    "nothing more after `[DONE]`": Stuck(
        played([DONE, End.HOLD]), None, streamed=True, call={}, within=0.05
    ),
    "comments after `[DONE]`, byte by byte": Stuck(
        pinging(len(DONE)), None, streamed=True, call={}, within=0.05
    ),
}


class Ended(NamedTuple):
    #: Seconds after the limit.
    late: float
    outcome: str | BaseException


def ended(stuck: Stuck) -> Ended:
    """How a call ended."""
    with stuck.stage(GOOD[stuck.streamed]) as scene:
        with rawllm.Client(scene.url, **scene.options) as client:
            outcome: str | BaseException
            begin = time.monotonic()
            try:
                outcome = ask(client, streamed=stuck.streamed, messages=stuck.asked, **stuck.call)
            except rawllm.APIError as error:
                outcome = error
            return Ended(time.monotonic() - begin - stuck.within, outcome)


@pytest.fixture(scope="module")
def endings(thorough: bool) -> dict[str, list[Ended]]:
    """How all of them ended, some at a time, for they but wait."""
    with ThreadPoolExecutor(8) as pool:
        running = {
            name: [pool.submit(ended, stuck) for _ in range(20 if thorough else 1)]
            for name, stuck in STUCK.items()
        }
        return {name: [one.result() for one in them] for name, them in running.items()}


@pytest.mark.parametrize("name", STUCK)
def test_a_call_ends_when_its_limit_has_passed(
    name: str, endings: dict[str, list[Ended]], note: Note
) -> None:
    stuck = STUCK[name]
    allowed = [kind for kind in (stuck.raises, stuck.otherwise) if kind]
    for one in endings[name]:
        # What else runs on the machine makes a call late, or all that it is sent, if not always.
        for _ in range(2):
            stalled = isinstance(one.outcome, TIMEOUT) and TIMEOUT not in allowed
            one = ended(stuck) if one.late >= LATE or stalled else one
        late, outcome = one
        assert late < LATE
        assert stuck.early or late > -0.01
        if stuck.raises is None:
            assert outcome == TEXT
            note(name, "an answer")
            continue
        assert type(outcome) in allowed, outcome
        kept = ""
        if isinstance(outcome, INCOMPLETE):
            choices = outcome.partial.choices
            assert (choices[0].message.content or "" if choices else "") == stuck.partial
            kept = " with the partial answer"
        when = "at the latest 100 ms after it" if stuck.early else "within 100 ms of it"
        kinds = " or ".join(f"`{kind.__name__}`" for kind in allowed)
        note(name, f"{kinds}{kept}, {when}")


def test_many_calls_end_at_their_deadlines(note: Note) -> None:
    with through(Fault(How.SILENCE, 0))(GOOD[False]) as scene, rawllm.Client(scene.url) as client:
        scene.begin()

        def late(_: int) -> float:
            begin = time.monotonic()
            with pytest.raises(TIMEOUT):
                ask(client, streamed=False, deadline=LIMIT)
            return time.monotonic() - begin - LIMIT

        with ThreadPoolExecutor(32) as pool:
            assert any(max(pool.map(late, range(32))) < LATE for _ in range(3))
    note("`deadline=`, 32 calls at a time", "`APITimeoutError`, within 100 ms of it")


# --- a server that is killed ------------------------------------------------


class Process:
    """A server in a process of its own, on one port, however often it is started."""

    def __init__(self, command: list[str], port: int) -> None:
        self._command = command
        self.url = f"http://127.0.0.1:{port}/v1"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """It answers when this returns."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with rawllm.Client(self.url, loading_timeout=PATIENCE) as client:
            assert eventually(lambda: answers(client), 6 * PATIENCE)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def answers(client: rawllm.Client) -> bool:
    try:
        return bool(client.with_options(max_retries=0).models.list())
    except rawllm.APIConnectionError:
        return False


WORDS = "word " * 40


class Load:
    """Calls without end, from some threads, half of them streamed; what each came to."""

    THREADS = 8

    def __init__(self, client: rawllm.Client, streamed: str, whole: str) -> None:
        self._client = client
        self._models = {True: streamed, False: whole}
        self._over = threading.Event()
        self.outcomes: list[str] = []
        #: The retries of each call that was answered.
        self.retried: list[int] = []

    def __enter__(self) -> Load:
        self._pool = ThreadPoolExecutor(self.THREADS)
        self._running = [self._pool.submit(self._go_on, n % 2 == 0) for n in range(self.THREADS)]
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for one in self._running:
            one.result()

    def more(self, count: int) -> bool:
        """Whether so many more answers have come, before patience ends."""
        enough = len(self.retried) + count
        return eventually(lambda: len(self.retried) >= enough, 6 * PATIENCE)

    def _go_on(self, streamed: bool) -> None:
        create = self._client.chat.completions.with_raw_response.create
        while not self._over.is_set():
            try:
                raw = create(model=self._models[streamed], messages=WORDS, stream=streamed)
                answered = raw.parse()
                completion = answered.completion if streamed else answered
                assert completion.choices[0].finish_reason
            except rawllm.APIError as error:
                kept = " with the partial answer" if isinstance(error, rawllm.StreamError) else ""
                self.outcomes.append(f"`{type(error).__name__}`{kept}")
            else:
                self.outcomes.append("an answer")
                self.retried.append(raw.retries_taken)


def killed_again_and_again(server: Process, streamed: str, whole: str, kills: int) -> Counter[str]:
    """What all calls came to, while the server was killed so often, and started again."""
    try:
        server.start()
        with rawllm.Client(server.url) as client, Load(client, streamed, whole) as load:
            for _ in range(kills):
                assert load.more(2 * Load.THREADS)
                server.kill()
                server.start()
            assert load.more(4 * Load.THREADS)
            assert any(load.retried)
            late = len(load.outcomes)
            assert load.more(Load.THREADS)
            # The server is well, and so are the calls that began since.
            assert {*load.outcomes[late + Load.THREADS :]} <= {"an answer"}
    finally:
        server.kill()
    return Counter(load.outcomes)


#: How a call may end whose server is killed.
DOCUMENTED = {
    "an answer",
    "`APIConnectionError`",
    "`IncompleteStreamError` with the partial answer",
}


def test_a_server_is_killed_and_started_again_under_load(note: Note, thorough: bool) -> None:
    port = free_port()
    command = [sys.executable, "-m", "rawllm", "serve", "--port", str(port)]
    kills = 20 if thorough else 1
    outcomes = killed_again_and_again(Process(command, port), "slow:5", "bytes", kills)
    assert outcomes.keys() <= DOCUMENTED
    for outcome, count in outcomes.items():
        note("a server, killed and started again under load", outcome, count)


def test_llama_server_is_killed_and_started_again_under_load(note: Note, thorough: bool) -> None:
    models = os.environ.get("RAWLLM_TINY_MODELS")
    if not (thorough and models):
        pytest.skip("needs --thorough, RAWLLM_LLAMA_SERVER and RAWLLM_TINY_MODELS")
    port = free_port()
    command = [binary(), "--host", "127.0.0.1", "--port", str(port), "--jinja"]
    model = ["-m", f"{models}/tiny.gguf", "--alias", "tiny"]
    outcomes = killed_again_and_again(Process([*command, *model], port), "tiny", "tiny", 20)
    assert outcomes.keys() <= DOCUMENTED
    for outcome, count in outcomes.items():
        note("a llama-server, killed and started again under load", outcome, count)
