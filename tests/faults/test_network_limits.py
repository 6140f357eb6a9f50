"""Limits of time end a call wherever it is stuck, and no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

import rawllm
from tests.faults.conftest import Note
from tests.faults.proxy import ACCEPTED, Fault, How, proxied
from tests.faults.scenes import (
    GOOD,
    HALF,
    HELLO,
    INCOMPLETE,
    TEXT,
    TIMEOUT,
    TRUSTED,
    Scene,
    Stage,
    ask,
    by_session,
    faulty,
    played,
    through,
)
from tests.servers import (
    EVENTS,
    LAST_CHUNK,
    STREAM_HEAD,
    End,
    Script,
    answer,
    chunk,
    event,
    head,
    serve,
)

CHAPTER = "network"

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
    "slow after the first token, `first_token_timeout=`": Stuck(
        faulty(How.LATE, HELLO, late=LIMIT + 0.2),
        None,
        streamed=True,
        call=AT_FIRST,
        within=LIMIT + 0.2,
    ),
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
    outcome: str | rawllm.APIError

    @property
    def partial(self) -> str:
        """The text of the answer as far as it had come."""
        if not isinstance(self.outcome, INCOMPLETE):
            return ""
        choices = self.outcome.partial.choices
        return str(choices[0].message.content or "") if choices else ""

    def is_delayed(self, stuck: Stuck) -> bool:
        """Whether it is too late, or what was sent to it was, as on a machine that is busy."""
        stalled = isinstance(self.outcome, TIMEOUT) and stuck.raises is not TIMEOUT
        return self.late >= LATE or stalled or len(self.partial) < len(stuck.partial)


def ended(stuck: Stuck) -> Ended:
    """How a call ended."""
    with stuck.stage(GOOD[stuck.streamed]) as scene:
        with rawllm.Client(scene.url, **scene.options) as client:
            outcome: str | rawllm.APIError
            begin = time.monotonic()
            try:
                outcome = ask(client, streamed=stuck.streamed, messages=stuck.asked, **stuck.call)
            except rawllm.APIError as error:
                outcome = error
            return Ended(time.monotonic() - begin - stuck.within, outcome)


@pytest.fixture(scope="module")
def endings(thorough: bool) -> dict[str, list[Ended]]:
    """How all of them ended, few at a time: they but wait, and begin and end with some work."""
    with ThreadPoolExecutor(4) as pool:
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
        for _ in range(2):  # alone
            one = ended(stuck) if one.is_delayed(stuck) else one
        assert one.late < LATE
        assert stuck.early or one.late > -0.01
        if stuck.raises is None:
            assert one.outcome == TEXT
            note(name, "an answer")
            continue
        assert type(one.outcome) in allowed, one.outcome
        assert one.partial == stuck.partial
        kept = " with the partial answer" if stuck.raises is INCOMPLETE else ""
        when = "at the latest 100 ms after it" if stuck.early else "within 100 ms of it"
        kinds = " or ".join(f"`{kind.__name__}`" for kind in allowed)
        note(name, f"{kinds}{kept}, {when}")


def test_few_calls_are_looked_at_again(
    endings: dict[str, list[Ended]], note: Note, thorough: bool
) -> None:
    delayed = [one.is_delayed(STUCK[name]) for name, them in endings.items() for one in them]
    most = 0.1 if thorough else 0.5  # once alone, on whatever machine
    assert sum(delayed) <= len(delayed) * most
    note("of all these, late at the first try", "as above in one of two more", sum(delayed))


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
