"""Servers, and what stands between, that mean harm or know no better.

Each row is asked for in the ways a caller has; it ends in an answer or in one
of the documented exceptions, in a text that can be read, within its time.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import rawllm
from tests.faults.conftest import Note
from tests.faults.promises import KEY, STREAMED, WHOLE, Call, hold_to_promises, streamed, words_for
from tests.servers import (
    CHAT,
    EVENTS,
    LAST_CHUNK,
    PATIENCE,
    STREAM_HEAD,
    End,
    Script,
    Step,
    answer,
    chunk,
    event,
    head,
    piece,
    serve,
)

CHAPTER = "hostile"

MIB = 1 << 20
LIMIT = MIB  # max_response_bytes, where the row is not about it
SLACK = 2.0  # seconds past a limit that a busy machine may take
DEADLINE = 0.15


class Endless(tuple[Step, ...]):
    """A script whose last step is played again and again, until the client leaves."""

    pause = 0.0  # seconds between

    def __iter__(self) -> Iterator[Step]:
        yield from self[:-1]
        while True:
            yield self[-1]
            if self.pause:
                threading.Event().wait(self.pause)


class Trickle(Endless):
    """The same, a little at a time."""

    pause = 0.01


# --- a row ------------------------------------------------------------------


def outcome(script: Script, call: Call, limits: dict[str, float] | None = None) -> str:
    """What comes of the call, in a user's words; held to what is promised of all errors."""
    allowed = max((limits or {"deadline": PATIENCE}).values())
    with serve(script) as server:
        options: dict[str, Any] = {"max_retries": 0, "max_response_bytes": LIMIT}
        with rawllm.Client(server.url, KEY, **options) as client:
            start = time.monotonic()
            try:
                call(client, **(limits or {}))
            except rawllm.APIError as error:
                assert time.monotonic() - start < allowed + SLACK
                hold_to_promises(error, server.url)
                told = words_for(error)
            else:
                told = "an answer"
        if isinstance(script, Trickle) or (isinstance(script, Endless) and not limits):
            # A flood that a limit ends may have filled a window that nobody opens again.
            assert server.left.wait(PATIENCE)
    return told


def try_in_turn(
    note: Note, fault: str, script: Script, calls: dict[str, Call], number: int, thorough: bool
) -> None:
    """All the calls, or in the suite one of them, another one from row to row."""
    chosen = list(calls.values()) if thorough else [list(calls.values())[number % len(calls)]]
    for call in chosen:
        note(fault, outcome(script, call))


def rows(table: dict[str, Any]) -> pytest.MarkDecorator:
    """The table's keys, values and numbers."""
    values = [pytest.param(*row, number, id=row[0]) for number, row in enumerate(table.items())]
    return pytest.mark.parametrize(("fault", "script", "number"), values)


# --- HTTP -------------------------------------------------------------------

BODY = json.dumps(CHAT | {"data": []}).encode()  # an answer to whatever was asked
FLOOD = b"x" * 65536
JSON: dict[str, Any] = {"content_type": "application/json"}
CHUNKED = head(**JSON, transfer_encoding="chunked")
ZIPPED = head(**JSON, transfer_encoding="chunked", content_encoding="gzip")
SPACES = gzip.compress(b" " * (64 * MIB))
START = b"HTTP/1.1 200 OK\r\n"


def coded(coding: str, body: bytes, status: int = 200) -> bytes:
    return answer(body, status, content_encoding=coding)


def sized(length: object, body: bytes = BODY) -> Script:
    return [head(**JSON, content_length=str(length)) + body, End.FIN]


#: What goes wrong before a body is read as JSON or as events: the same for all calls.
HTTP: dict[str, Script | bytes] = {
    "endless status line": Endless((b"HTTP/1.1 200 ", FLOOD)),
    "endless header": Endless((START + b"X: ", FLOOD)),
    "endless headers": Endless((START, b"X: y\r\n" * 1000)),
    "endless cookies": Endless((START, b"Set-Cookie: a=b\r\n" * 1000)),
    "60,000 characters of reason phrase": b"HTTP/1.1 500 %s\r\nContent-Length: 0\r\n\r\n"
    % (b"r" * 60_000),
    "control characters in the reason phrase": (
        b"HTTP/1.1 500 a\x1b[2J\rSet-Cookie: x\0\r\nContent-Length: 0\r\n\r\n"
    ),
    "60,000 characters of Content-Type": answer(b"{]", content_type="x" * 60_000),
    "an unknown charset": answer(BODY, content_type="application/json; charset=klingon"),
    "Latin-1 in an error, announced": answer(
        b'{"error": "\xe9\xe9"}', 500, content_type="application/json; charset=iso-8859-1"
    ),
    "HTTP/0.9, no status line": [b"hello\r\n", End.FIN],
    "binary garbage": [bytes(range(256)) * 256, End.FIN],
    "HTTP/1.0": [head(version="1.0", **JSON) + BODY, End.FIN],
    "101 Switching Protocols": head(101),
    "204 No Content": head(204),
    "304 Not Modified": head(304),
    "status 600": head(600, content_length="0"),
    "status 99": head(99),
    "status 1000": head(1000),
    "Content-Length: -5": sized(-5),
    "Content-Length: abc": sized("abc"),
    "Content-Length of 26 digits": sized("9" * 26),
    "Content-Length too long": sized(len(BODY) + 9),
    "Content-Length too short": sized(len(BODY) - 9),
    "two Content-Lengths": START + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n" + BODY,
    "Content-Length and chunks": [
        head(**JSON, content_length="5", transfer_encoding="chunked") + chunk(BODY) + LAST_CHUNK,
        End.FIN,
    ],
    "chunk size ffffffffffffffff": [CHUNKED + b"ffffffffffffffff\r\n" + BODY, End.FIN],
    "chunk size -5": [CHUNKED + b"-5\r\n" + BODY, End.FIN],
    "chunk size 0x5": [CHUNKED + b"0x5\r\n" + BODY, End.FIN],
    "no chunk size": [CHUNKED + b"\r\n" + BODY, End.FIN],
    "endless chunk size": Endless((CHUNKED, b"0" * 65536)),
    "endless chunk extension": Endless((CHUNKED + b"5;", FLOOD)),
    "endless trailers": Endless((CHUNKED + chunk(BODY) + b"0\r\n", b"X: y\r\n" * 1000)),
    "gzip, chunk size ffffffffffffffff": [ZIPPED + b"ffffffffffffffff\r\n" + BODY, End.FIN],
    "gzip, chunk size -5": [ZIPPED + b"-5\r\n" + gzip.compress(BODY), End.FIN],
    "gzip, endless chunk extension": Endless((ZIPPED + b"5;", FLOOD)),
    "gzip": coded("gzip", gzip.compress(BODY)),
    "gzip, cut short": coded("gzip", gzip.compress(BODY)[:-20]),
    "gzip with garbage after it": coded("gzip", gzip.compress(BODY) + b"garbage"),
    "gzip that is none": coded("gzip", BODY),
    "gzip that is broken": coded("gzip", b"\x1f\x8b\x08" + b"z" * 50),
    "gzip ten times over": coded(", ".join(["gzip"] * 10), BODY),
    "deflate": coded("deflate", zlib.compress(BODY)),
    "an unknown content encoding": coded("aes128gcm", bytes(range(128, 256))),
    "an unknown content encoding that is none": coded("aes128gcm", BODY),
    "a login page": answer(
        b"<!DOCTYPE html><title>Sign in</title><form>" * 20, content_type="text/html"
    ),
    "an empty body": answer(b""),
    "NUL bytes": answer(b"\0" * 5000),
    "NUL bytes in an error": answer(b"\0" * 5000, 500),
    "UTF-16": answer(BODY.decode().encode("utf-16")),
    "a byte order mark": answer(b"\xef\xbb\xbf" + BODY),
    "a proxy's 407": answer(b"<html>who are you?</html>", 407, proxy_authenticate="Basic"),
    "an endless 500": Endless((head(500), FLOOD)),
    "a gzip bomb as a 500": coded("gzip", SPACES, 500),
    "JSON 200,000 deep in a 400": answer(b'{"error":' * 200_000 + b"}" * 200_000, 400),
    "a surrogate in a 400": answer(b'{"error": "\\ud800 bad"}', 400),
    "5 MiB of one word in a 400": answer({"error": "model " * (5 * MIB // 6)}, 400),
    "100,000 digits of prompt tokens in a 400": answer(
        {
            "error": {
                "type": "exceed_context_size_error",
                "n_prompt_tokens": "9" * 10**5,
                "n_ctx": 1,
            }
        },
        400,
    ),
}


@pytest.mark.parametrize("calls", [WHOLE, STREAMED], ids=["whole", "streamed"])
@rows(HTTP)
def test_http(
    fault: str,
    script: Script | bytes,
    number: int,
    calls: dict[str, Call],
    note: Note,
    thorough: bool,
) -> None:
    script = [script] if isinstance(script, bytes) else script
    try_in_turn(note, fault, script, calls, number, thorough)


# --- redirects --------------------------------------------------------------

LOCATIONS = {
    "another host": "http://evil.test/v1",
    "another host, without a scheme": "//evil.test/v1",
    "another host, behind an @": "http://127.0.0.1:1@evil.test/",
    "another scheme": "file:///etc/passwd",
    "javascript:": "javascript:alert(1)",
    "what is no address": "http://[::1",
    "a port that is none": "http://127.0.0.1:PORT/",
    "60,000 characters": "x" * 60_000,
    "control characters": "\x1b[2J\x07",
    "nowhere": "",
}


@pytest.mark.parametrize("where", LOCATIONS)
def test_redirects(where: str, note: Note, thorough: bool) -> None:
    for status in (301, 302, 307, 308) if thorough else (302, 307):
        for call in (WHOLE["chat"], STREAMED["iterated"]):
            script = [answer(b"moved " * 500, status, location=LOCATIONS[where])]
            note(f"a redirect to {where}", outcome(script, call))


def test_redirects_without_end(note: Note) -> None:
    again = [answer(b"moved", 307, location="/v1/chat/completions")]
    note("a redirect to the same place, again and again", outcome(again, WHOLE["chat"]))
    long = Endless((head(307, location="/v1/chat/completions"), FLOOD))
    note("a redirect with an endless body", outcome(long, STREAMED["iterated"]))


def test_a_redirect_takes_the_key_nowhere(note: Note) -> None:
    with serve(answer(CHAT)) as other:
        moved = [answer(b"", 307, location=other.url + "/chat/completions")]
        note("a redirect to another port", outcome(moved, WHOLE["chat"]))
        assert other.requests == []


# --- when to try again ------------------------------------------------------

WAITS = {
    "a million seconds": ("1000000", 1),
    "inf": ("inf", 2),
    "nan": ("nan", 2),
    "-5": ("-5", 2),
    "a date of the year 99999": ("Fri, 31 Dec 99999 23:59:59 GMT", 2),
    "60,000 digits": ("9" * 60_000, 2),
}


@pytest.mark.parametrize("asked", WAITS)
def test_retry_after(asked: str, note: Note, thorough: bool) -> None:
    value, tries = WAITS[asked]
    if not thorough and asked not in ("a million seconds", "nan"):
        pytest.skip("each takes half a second: with --thorough")
    with serve(answer(b"busy", 429, retry_after=value), answer(CHAT)) as server:
        with rawllm.Client(server.url, max_retries=1) as client:
            start = time.monotonic()
            try:
                client.chat("m", "x")
                told = "an answer after one retry"
            except rawllm.RateLimitError as error:
                hold_to_promises(error, server.url)
                told = "`RateLimitError` at once"
            assert time.monotonic() - start < 1 + SLACK
        assert len(server.requests) == tries
    note(f"Retry-After: {asked}", told)


# --- slowly, and without end ------------------------------------------------

SSE = head(content_type="text/event-stream")
HELLO = STREAM_HEAD + chunk(event(piece("Hello")))

SLOW: dict[str, tuple[Script, str]] = {
    "silence": ([End.HOLD], "both"),
    "100 Continue without end": (Endless((b"HTTP/1.1 100 Continue\r\n\r\n",)), "both"),
    "100 Continue now and then": (Trickle((b"HTTP/1.1 100 Continue\r\n\r\n",)), "both"),
    "a status line one byte at a time": (Trickle((b"HTTP/1.1 200 ", b"O")), "both"),
    "a header one byte at a time": (Trickle((START + b"X: ", b"y")), "both"),
    "a header line at a time": (Trickle((START, b"X: y\r\n")), "both"),
    "a body one byte at a time": (Trickle((head(**JSON, content_length="9999"), b" ")), "both"),
    "a body without length one byte at a time": (Trickle((head(**JSON), b" ")), "both"),
    "a chunk one byte at a time": (Trickle((CHUNKED + b"fff\r\n", b" ")), "both"),
    "a chunk size one byte at a time": (Trickle((CHUNKED, b"0")), "both"),
    "a chunk extension one byte at a time": (Trickle((CHUNKED + b"5;", b"x")), "both"),
    "chunks of one byte": (Trickle((CHUNKED, chunk(b" "))), "both"),
    "trailers a line at a time": (Trickle((CHUNKED + b"0\r\n", b"X: y\r\n")), "both"),
    "trailers without end after gzip": (
        Endless((ZIPPED + chunk(gzip.compress(BODY)) + b"0\r\n", b"X: y\r\n" * 100)),
        "both",
    ),
    "a 500 one byte at a time": (Trickle((head(500), b"x")), "both"),
    "a redirect's body one byte at a time": (Trickle((head(307, location="/v1"), b"x")), "both"),
    "an event one byte at a time": (Trickle((SSE + b"data: ", b"x")), "streamed"),
    "empty lines without end": (Endless((SSE, b"\n" * 1000)), "streamed"),
    "comments without end": (Endless((SSE, b": ping\n\n" * 1000)), "streamed"),
    "events that say nothing, without end": (Endless((SSE, b"data: null\n\n" * 99)), "streamed"),
}


@rows(SLOW)
def test_what_goes_on_for_ever_ends_at_a_deadline(
    fault: str, script: tuple[Script, str], number: int, note: Note, thorough: bool
) -> None:
    played, who = script
    kinds = [STREAMED] if who == "streamed" else [WHOLE, STREAMED]
    for calls in kinds if thorough else [kinds[number % len(kinds)]]:
        for call in list(calls.values())[: None if thorough else 1]:
            note(fault, outcome(played, call, {"deadline": DEADLINE}))


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
    fault: str, script: Script, number: int, note: Note, thorough: bool
) -> None:
    calls = list(STREAMED.values())
    for call in calls if thorough else [calls[number % len(calls)]]:
        told = outcome(script, call, {"idle_timeout": DEADLINE})
        note(fault, f"{told} within `idle_timeout`")


# --- JSON -------------------------------------------------------------------


def said(content: str = '"Hi"', finish: str = '"stop"', more: str = "") -> str:
    """A chat whose content is that JSON, as a whole answer and as an event."""
    words = f'{{"content":{content}}}'
    choice = f'{{"index":0,"finish_reason":{finish},"message":{words},"delta":{words}}}'
    return f'{{"choices":[{choice}]{more}}}'


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def of_choices(*choices: str) -> str:
    return f'{{"choices":[{",".join(choices)}]}}'


def indexed(index: str) -> str:
    return of_choices(
        f'{{"index":{index},"finish_reason":"stop","message":{{"content":"Hi"}},'
        '"delta":{"content":"Hi"}}'
    )


def calling(arguments: str, index: str = "0") -> str:
    call = f'{{"index":{index},"id":"1","function":{{"name":"f","arguments":{arguments}}}}}'
    words = f'{{"tool_calls":[{call}]}}'
    return of_choices(f'{{"finish_reason":"tool_calls","message":{words},"delta":{words}}}')


ODD_JSON: dict[str, str] = {
    "JSON 200,000 deep": nested(200_000),
    "JSON 200,000 deep in a field": said(more=f',"x":{nested(200_000)}'),
    "JSON 200,000 deep as content": said(nested(200_000)),
    "JSON 200,000 deep as arguments": calling(nested(200_000)),
    "JSON 200,000 deep as an error": f'{{"error":{nested(200_000)}}}',
    "a choice 200,000 deep that failed": said(nested(200_000), '"error"'),
    "JSON 400 deep as content": said(nested(400)),
    "an integer of 100,000 digits": said(more=f',"x":{"9" * 100_000}'),
    "a number of 100,000 decimals": said(more=f',"x":0.{"1" * 100_000}'),
    "an exponent of 100,000 digits": said(more=f',"x":1e{"9" * 100_000}'),
    "NaN and Infinity": said("NaN", more=',"x":-Infinity'),
    "a surrogate": said('"\\ud800"'),
    "a surrogate as a name": said(more=',"\\udfff":1'),
    "NUL in a text": said('"a\\u0000b"'),
    "a name twice": said(more=',"id":1,"id":2'),
    "names of Python's": said(more=',"__class__":"x","items":1,"_request_id":{}'),
    "index 10**30": indexed("1" + "0" * 30),
    "index -1": indexed("-1"),
    "index a text": indexed('"a"'),
    "index NaN": indexed("NaN"),
    "index a list": indexed("[[]]"),
    "a tool call's index 10**30": calling('"{}"', "1" + "0" * 30),
    "a tool call's index a text": calling('"{}"', '"a"'),
    "arguments null": calling("null"),
    "choices null": '{"choices":null}',
    "choices a text": '{"choices":"Hi"}',
    "choices an object": '{"choices":{"a":1}}',
    "choices of nulls": of_choices(*["null"] * 1000),
    "20,000 choices": of_choices(*[f'{{"index":{n}}}' for n in range(20_000)]),
    "100,000 empty choices": of_choices(*["{}"] * 100_000),
    "a message that is a text": of_choices('{"finish_reason":"stop","message":"Hi","delta":"Hi"}'),
    "a finish_reason that is an object": said(finish='{"a":1}'),
    "usage, id and model of other types": said(more=',"usage":"x","id":[],"model":{},"created":{}'),
    "an error of lists in objects in lists": '{"error":{"message":[{"msg":5},["a"]],"code":[]}}',
    "an error that is a number": '{"error":5}',
    "an error of 100,000 characters of code": '{"error":{"code":"%s"}}' % ("c" * 100_000),
}


def as_events(data: bytes) -> Script:
    return [STREAM_HEAD + chunk(b"data: " + data + b"\n\ndata: [DONE]\n\n") + LAST_CHUNK]


@rows(ODD_JSON)
def test_json(fault: str, script: str, number: int, note: Note, thorough: bool) -> None:
    data = script.encode()
    whole = {name: WHOLE[name] for name in ("raw", "chat")}
    try_in_turn(note, fault, [answer(data)], whole, number, thorough)
    try_in_turn(note, f"{fault}, in a stream", as_events(data), STREAMED, number, thorough)


ODD_EVENTS: dict[str, Script | bytes] = {
    "an event that is no JSON": b"{oops",
    "an event that is no object": b"[1]",
    "an event of control characters": b"\x1b[2J\0",
    "invalid UTF-8 in an event": said('"@"').encode().replace(b"@", b"\xff\xc3\x28"),
    "UTF-16 as events": said().encode("utf-16"),
    "Latin-1 as events": said('"é"').encode("latin-1"),
    "an event within [DONE]": b"[DONE] " + said().encode(),
    "gzip as an event stream": [
        head(content_type="text/event-stream", content_encoding="gzip")
        + gzip.compress(b"".join(map(event, EVENTS))),
        End.FIN,
    ],
    "gzip as an event stream, cut short": [
        head(content_type="text/event-stream", content_encoding="gzip")
        + gzip.compress(b"".join(map(event, EVENTS[:3])))[:-12],
        End.FIN,
    ],
    "a byte order mark before events": [
        SSE + b"\xef\xbb\xbf" + b"".join(map(event, EVENTS)),
        End.FIN,
    ],
    "events after [DONE], without end": Endless(
        (STREAM_HEAD, b"".join(chunk(event(e)) for e in EVENTS))
    ),
}


@rows(ODD_EVENTS)
def test_events(
    fault: str, script: Script | bytes, number: int, note: Note, thorough: bool
) -> None:
    played = as_events(script) if isinstance(script, bytes) else script
    try_in_turn(note, fault, played, STREAMED, number, thorough)


# --- memory -----------------------------------------------------------------

#: What has no end: the calls, the script, and how many times the limit it may take.
GREEDY: dict[str, tuple[dict[str, Call], Script, int]] = {
    "endless body": (WHOLE, Endless((head(**JSON), FLOOD)), 3),
    "endless body in chunks": (WHOLE, Endless((CHUNKED, chunk(FLOOD))), 3),
    "endless JSON text": (WHOLE, Endless((head(**JSON) + b'{"choices": "', FLOOD)), 3),
    "gzip bomb": (WHOLE, [coded("gzip", SPACES)], 3),
    "endless body instead of a stream": (STREAMED, Endless((SSE + b"{", FLOOD)), 3),
    "endless line": (STREAMED, Endless((SSE + b"data: ", FLOOD)), 3),
    "endless event": (STREAMED, Endless((SSE, b"data: xy\n" * 1000)), 10),
    "endless event of empty lines": (STREAMED, Endless((SSE, b"data:\n" * 1000)), 10),
    "endless error event": (STREAMED, Endless((SSE + b"event: error\ndata: ", FLOOD)), 3),
    "endless text": (STREAMED, Endless((STREAM_HEAD, chunk(event(piece("x" * 9999))))), 6),
    "endless arguments": (
        STREAMED,
        Endless(
            (SSE, event(piece(tool_calls=[{"index": 0, "function": {"arguments": "x" * 9999}}])))
        ),
        6,
    ),
    "gzip bomb of events": (
        STREAMED,
        [
            head(content_type="text/event-stream", content_encoding="gzip")
            + gzip.compress(b"data: " + b"x" * (64 * MIB)),
            End.FIN,
        ],
        3,
    ),
}


@rows(GREEDY)
def test_what_has_no_end_ends_at_max_response_bytes(
    fault: str,
    script: tuple[dict[str, Call], Script, int],
    number: int,
    note: Note,
    thorough: bool,
) -> None:
    calls, played, _times = script
    try_in_turn(note, fault, played, calls, number, thorough)


def peak(script: Script, limit: int, kind: str) -> int:
    """The bytes by which a process grows that makes such a call."""
    with serve(script) as server:
        command = [sys.executable, "-m", "tests.faults.peak", str(limit), kind, server.url]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in KiB on Linux alone")
@rows(GREEDY)
def test_memory_is_bounded(
    fault: str,
    script: tuple[dict[str, Call], Script, int],
    number: int,
    note: Note,
    thorough: bool,
) -> None:
    if not thorough and number % 6 != 5:
        pytest.skip("a process each: with --thorough")
    calls, played, times = script
    limit = 8 * MIB
    # A process that makes its first call grows by 4 MiB, whatever comes.
    grown = peak(played, limit, "whole" if calls is WHOLE else "streamed") - 4 * MIB
    assert grown < times * limit
    note(f"{fault}: memory", f"under {times} times `max_response_bytes` at its peak")


# --- as long as it takes ----------------------------------------------------


def test_an_event_of_64_mib_is_legitimate(note: Note, thorough: bool) -> None:
    size = 64 * MIB if thorough else 8 * MIB
    long = "x" * size
    events = b"".join([event(piece("Hi")), event(piece(long)), event(piece(finish="stop"))])
    with serve([SSE + events, End.FIN]) as server, rawllm.Client(server.url) as client:
        start = time.monotonic()
        answered = streamed(client).completion.choices[0].message.content
        assert time.monotonic() - start < 60
    assert answered == "Hi" + long
    note("an event of 64 MiB", "an answer")


def test_a_body_of_64_mib_is_legitimate(note: Note, thorough: bool) -> None:
    long = "x" * (64 * MIB if thorough else 8 * MIB)
    whole = CHAT | {"choices": [{"index": 0, "message": {"content": long}}]}
    with serve(answer(whole)) as server, rawllm.Client(server.url) as client:
        assert client.chat("m", "x") == long
    note("a body of 64 MiB", "an answer")


# --- a proxy ----------------------------------------------------------------

WHO = head(407, content_length="0", proxy_authenticate="Basic")
PROXIES: dict[str, tuple[str, Script]] = {
    "a proxy's 407 to a request": ("http", [WHO]),
    "a proxy's 407 to CONNECT": ("https", [WHO, End.FIN]),
    "a proxy that closes at CONNECT": ("https", [End.FIN]),
    "a proxy that answers CONNECT with garbage": ("https", [b"hello\r\n\r\n", End.FIN]),
    "a proxy that says a header at a time": ("https", Trickle((START, b"X: y\r\n"))),
    "a proxy that says nothing": ("https", [End.HOLD]),
    "a proxy that ends CONNECT's answer within its headers": ("https", [START + b"X: ", End.FIN]),
}


@pytest.mark.parametrize("fault", PROXIES)
def test_proxies(fault: str, note: Note) -> None:
    scheme, script = PROXIES[fault]
    with serve(script) as server:
        proxies = {scheme: server.url.removesuffix("/v1")}
        url = f"{scheme}://llm.test/v1"
        with rawllm.Client(url, KEY, proxies=proxies, max_retries=0) as client:
            start = time.monotonic()
            with pytest.raises(rawllm.APIError) as caught:
                client.chat("m", "x", deadline=DEADLINE)
            assert time.monotonic() - start < DEADLINE + SLACK
    hold_to_promises(caught.value, url)
    note(fault, words_for(caught.value))
