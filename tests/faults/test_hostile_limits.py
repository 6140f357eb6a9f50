"""Servers that mean harm or know no better: what they send slowly, or without end.

A limit ends it: of the time, or of the bytes, and so of the memory.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults.conftest import Note
from tests.faults.hostile import (
    BODY,
    CHUNKED,
    FLOOD,
    INVALID,
    JSON,
    MIB,
    PARTIAL,
    SERVER,
    SSE,
    START,
    STREAM,
    ZIPPED,
    Endless,
    Row,
    Trickle,
    check,
    coded,
    played,
    rows,
    try_in_turn,
)
from tests.faults.promises import STREAMED, WHOLE, Told
from tests.servers import STREAM_HEAD, End, Script, answer, chunk, event, head, piece, serve

CHAPTER = "hostile"

LATE = "`APITimeoutError` at its deadline"
CUT = "`IncompleteStreamError` at its deadline"

# --- slowly, and without end ------------------------------------------------

HELLO = STREAM_HEAD + chunk(event(piece("Hello")))
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\n\r\n"

SLOW: dict[str, Row] = {
    "silence": Row([End.HOLD], LATE),
    "100 Continue now and then": Row(Trickle((b"HTTP/1.1 100 Continue\r\n\r\n",)), LATE),
    "103 Early Hints now and then": Row(Trickle((EARLY_HINTS,)), LATE),
    "a status line one byte at a time": Row(Trickle((b"HTTP/1.1 200 ", b"O")), LATE),
    "a header one byte at a time": Row(Trickle((START + b"X: ", b"y")), LATE),
    "a header line at a time": Row(Trickle((START, b"X: y\r\n")), LATE),
    "a body one byte at a time": Row(
        Trickle((head(**JSON, content_length="9999"), b" ")), LATE, CUT
    ),
    "a body without length one byte at a time": Row(Trickle((head(**JSON), b" ")), LATE, CUT),
    "a chunk one byte at a time": Row(Trickle((CHUNKED + b"fff\r\n", b" ")), LATE, CUT),
    "a chunk size one byte at a time": Row(Trickle((CHUNKED, b"0")), LATE, CUT),
    "a chunk extension one byte at a time": Row(Trickle((CHUNKED + b"5;", b"x")), LATE, CUT),
    "chunks of one byte": Row(Trickle((CHUNKED, chunk(b" "))), LATE, CUT),
    "trailers a line at a time": Row(Trickle((CHUNKED + b"0\r\n", b"X: y\r\n")), LATE, CUT),
    "trailers without end after gzip": Row(
        Endless((ZIPPED + chunk(gzip.compress(BODY)) + b"0\r\n", b"X: y\r\n" * 100)), LATE
    ),
    "a 500 one byte at a time": Row(Trickle((head(500), b"x")), SERVER),
    "a redirect's body one byte at a time": Row(Trickle((head(307, location="/v1"), b"x")), LATE),
    "an event one byte at a time": Row(Trickle((SSE + b"data: ", b"x")), "", CUT),
    "empty lines without end": Row(Endless((SSE, b"\n" * 1000)), "", CUT),
    "comments without end": Row(Endless((SSE, b": ping\n\n" * 1000)), "", CUT),
    "events that say nothing, without end": Row(Endless((SSE, b"data: null\n\n" * 99)), "", CUT),
}

DEADLINE = 0.15
AFTER_THE_HEAD = 1.0  # a busy machine may take a while until the head has come


def slowly(row: Row, name: str) -> Told:
    in_time = AFTER_THE_HEAD if row.expected(name) in (CUT, SERVER) else DEADLINE
    return played(row.script, (WHOLE | STREAMED)[name], {"deadline": in_time})


@pytest.fixture(scope="module")
def trickled(thorough: bool) -> dict[tuple[str, str], Future[Told]]:
    """What has come of those rows that only wait, which do so at the same time."""
    with ThreadPoolExecutor(6) as pool:
        return {
            (fault, name): pool.submit(slowly, row, name)
            for number, (fault, row) in enumerate(SLOW.items())
            for name in names_for(row, number, thorough)
            if isinstance(row.script, Trickle)
        }


def names_for(row: Row, number: int, thorough: bool) -> list[str]:
    """All the calls, or in the suite at most one of them, of another kind from row to row."""
    kinds = [list(WHOLE), list(STREAMED)] if row.whole else [list(STREAMED)]
    if thorough:
        return [name for names in kinds for name in names]
    flood = not isinstance(row.script, Trickle)  # which keeps a processor busy for a second
    return [] if flood and not row.whole and number % 2 else [kinds[number % len(kinds)][0]]


@rows(SLOW)
def test_what_goes_on_for_ever_ends_at_a_deadline(
    fault: str,
    row: Row,
    number: int,
    note: Note,
    thorough: bool,
    trickled: dict[tuple[str, str], Future[Told]],
) -> None:
    for name in names_for(row, number, thorough):
        future = trickled.get((fault, name))
        told = future.result() if future else slowly(row, name)
        check(row, name, told)
        note(row.fault(fault, name) if row.whole else fault, told.words)


IDLE: dict[str, Script] = {
    "silence in a stream": [HELLO, End.HOLD],
    "an event one byte at a time, after the first": Trickle((HELLO, chunk(b"x"))),
    "a chunk size one byte at a time, in a stream": Trickle((HELLO, b"0")),
    "comments now and then": Trickle((HELLO, chunk(b": ping\n\n"))),
    "comments without end, after the first event": Endless((HELLO, chunk(b": ping\n\n" * 99))),
    "empty lines without end, after the first event": Endless((HELLO, chunk(b"\n" * 999))),
}


@rows(IDLE)
def test_what_brings_nothing_ends_at_an_idle_timeout(
    fault: str, row: Script, number: int, note: Note, thorough: bool
) -> None:
    names = list(STREAMED)
    for name in names if thorough else [names[number % len(names)]]:
        told = played(row, STREAMED[name], {"idle_timeout": DEADLINE})
        check(Row(row, PARTIAL, text="Hello"), name, told)
        assert "no chunk came within idle_timeout" in told.said
        note(fault, f"{told.words} within `idle_timeout`")


# --- memory -----------------------------------------------------------------

SPACES = gzip.compress(b" " * (64 * MIB))
LONG_PARTIAL = "`StreamError` with the partial answer"

#: What has no end, and how many times the limit it may take.
GREEDY: dict[str, tuple[Row, int]] = {
    "endless body": (Row(Endless((head(**JSON), FLOOD)), INVALID), 3),
    "endless body in chunks": (Row(Endless((CHUNKED, chunk(FLOOD))), INVALID), 3),
    "endless JSON text": (Row(Endless((head(**JSON) + b'{"choices": "', FLOOD)), INVALID), 3),
    "gzip bomb": (Row([coded("gzip", SPACES)], INVALID), 3),
    "endless body instead of a stream": (Row(Endless((SSE + b"{", FLOOD)), "", INVALID), 3),
    "endless line": (Row(Endless((SSE + b"data: ", FLOOD)), "", STREAM), 3),
    "endless event": (Row(Endless((SSE, b"data: xy\n" * 1000)), "", STREAM), 10),
    "endless event of empty lines": (Row(Endless((SSE, b"data:\n" * 1000)), "", STREAM), 10),
    "endless error event": (
        Row(Endless((SSE + b"event: error\ndata: ", FLOOD)), "", STREAM),
        3,
    ),
    "endless text": (
        Row(
            Endless((STREAM_HEAD, chunk(event(piece("x" * 9999))))),
            "",
            LONG_PARTIAL,
            text="x" * 900_000 + "…",
        ),
        6,
    ),
    "endless arguments": (
        Row(
            Endless(
                (
                    SSE,
                    event(piece(tool_calls=[{"index": 0, "function": {"arguments": "x" * 9999}}])),
                )
            ),
            "",
            LONG_PARTIAL,
            text="",
        ),
        6,
    ),
    "gzip bomb of events": (
        Row(
            [
                head(content_type="text/event-stream", content_encoding="gzip")
                + gzip.compress(b"data: " + b"x" * (64 * MIB)),
                End.FIN,
            ],
            "",
            STREAM,
        ),
        3,
    ),
}


@rows(GREEDY)
def test_what_has_no_end_ends_at_max_response_bytes(
    fault: str, row: tuple[Row, int], number: int, note: Note, thorough: bool
) -> None:
    greedy, _times = row
    if greedy.whole:
        try_in_turn(note, fault, greedy, WHOLE, number, thorough)
    else:
        try_in_turn(note, fault, greedy._replace(whole=greedy.streamed), STREAMED, number, thorough)


MOST = 8 * MIB  # max_response_bytes, where memory is measured


def accepted(unit: bytes) -> bytes:
    """An answer of just as many bytes as are accepted, most of them such items of a list."""
    start, end = b'{"choices":[{"message":{"content":"Hi"}}],"more":[', b"]}"
    items = (MOST - len(start) - len(end) + 1) // (len(unit) + 1)
    return answer(start + b",".join([unit] * items) + end)


def text_of(letters: str) -> bytes:
    start, end = b'{"choices":[{"message":{"content":"', b'"}}]}'
    middle = (letters + "x" * (MOST - len(start) - len(end) - len(letters.encode()))).encode()
    return answer(start + middle + end)


def calls(in_one_event: int) -> Script:
    """A stream of as many bytes as are accepted, of calls that say next to nothing."""
    one = b'{"function":{"name":"f","arguments":"{}"}}'
    listed = b",".join([one] * in_one_event)
    said = b'data: {"choices":[{"delta":{"tool_calls":[%s]}}]}\n\n' % listed
    return [SSE, said * (MOST // len(said)), event(piece(finish="stop")) + event("[DONE]"), End.FIN]


#: What is accepted, whole or as a stream, and how many times its bytes it may take.
ROOMY: dict[str, tuple[Script | bytes, str, int]] = {
    "an answer of text": (text_of(""), "whole", 5),
    "an answer of text with an emoji": (text_of("\N{GRINNING FACE}"), "whole", 12),
    "an answer of `{}` after `{}`": (accepted(b"{}"), "whole", 48),
    'an answer of `{"":{}}` after `{"":{}}`': (accepted(b'{"":{}}'), "whole", 54),
    "a stream of calls": (calls(1), "streamed", 25),
    "a stream of one event of calls": (calls(MOST // 45), "streamed", 60),
}


def peak(script: Script | bytes, kind: str) -> int:
    """The bytes by which a process grows that makes such a call."""
    with serve(script) as server:
        command = [sys.executable, "-m", "tests.faults.peak", str(MOST), kind, server.url]
        grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return grown - 4 * MIB  # by which it grows at its first call, whatever comes


linux = pytest.mark.skipif(
    sys.platform != "linux", reason="memory is counted in KiB on Linux alone"
)


@linux
@rows(GREEDY)
def test_memory_is_bounded(
    fault: str, row: tuple[Row, int], number: int, note: Note, thorough: bool
) -> None:
    if not thorough and number % 6 != 5:
        pytest.skip("a process each: with --thorough")
    greedy, times = row
    assert peak(greedy.script, "whole" if greedy.whole else "streamed") < times * MOST
    note(f"{fault}: memory", f"under {times} times `max_response_bytes` at its peak")


@linux
@rows(ROOMY)
def test_memory_of_what_is_accepted(
    fault: str, row: tuple[Script | bytes, str, int], number: int, note: Note, thorough: bool
) -> None:
    if not thorough and number != 1:
        pytest.skip("a process each: with --thorough")
    script, kind, times = row
    grown = peak(script, f"accepted {kind}")
    print(f"{fault}: {(grown + 4 * MIB) / MOST:.1f} times")
    assert grown < times * MOST
    note(f"{fault}: memory", f"under {times} times its bytes at its peak")
