"""Servers that mean harm or know no better: what JSON they send, and what events.

`test_hostile.py` has what goes wrong before a body is read.
"""

from __future__ import annotations

import gzip
import time

import pytest

import rawllm
from tests.faults.conftest import Note
from tests.faults.hostile import (
    INCOMPLETE,
    INVALID,
    MIB,
    PARTIAL,
    SSE,
    STATUS,
    STREAM,
    Endless,
    Row,
    rows,
    try_in_turn,
)
from tests.faults.promises import ANSWER, STREAMED, WHOLE, streamed
from tests.servers import (
    CHAT,
    EVENTS,
    LAST_CHUNK,
    STREAM_HEAD,
    End,
    Script,
    answer,
    chunk,
    event,
    head,
    piece,
    serve,
)

CHAPTER = "hostile"

FAILED = "`StreamAPIError`"
FAILED_PARTIAL = "`StreamAPIError` with the partial answer"

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


#: The JSON, what is to come of it whole and as an event, and the text it brings.
ODD_JSON: dict[str, tuple[str, str, str, str]] = {
    "JSON 200,000 deep": (nested(200_000), INVALID, STREAM, ""),
    "JSON 200,000 deep in a field": (said(more=f',"x":{nested(200_000)}'), INVALID, STREAM, ""),
    "JSON 200,000 deep as content": (said(nested(200_000)), INVALID, STREAM, ""),
    "JSON 200,000 deep as arguments": (calling(nested(200_000)), INVALID, STREAM, ""),
    "JSON 200,000 deep as an error": (f'{{"error":{nested(200_000)}}}', INVALID, STREAM, ""),
    "a choice 200,000 deep that failed": (said(nested(200_000), '"error"'), INVALID, STREAM, ""),
    "JSON 400 deep as content": (said(nested(400)), ANSWER, ANSWER, ""),
    "an integer of 100,000 digits": (said(more=f',"x":{"9" * 100_000}'), INVALID, STREAM, ""),
    "a number of 100,000 decimals": (said(more=f',"x":0.{"1" * 100_000}'), ANSWER, ANSWER, "Hi"),
    "an exponent of 100,000 digits": (said(more=f',"x":1e{"9" * 100_000}'), ANSWER, ANSWER, "Hi"),
    "NaN and Infinity": (said("NaN", more=',"x":-Infinity'), ANSWER, ANSWER, ""),
    "a surrogate": (said('"\\ud800"'), ANSWER, ANSWER, "\ud800"),
    "a surrogate as a name": (said(more=',"\\udfff":1'), ANSWER, ANSWER, "Hi"),
    "NUL in a text": (said('"a\\u0000b"'), ANSWER, ANSWER, "a\0b"),
    "a name twice": (said(more=',"id":1,"id":2'), ANSWER, ANSWER, "Hi"),
    "names of Python's": (
        said(more=',"__class__":"x","items":1,"_request_id":{}'),
        ANSWER,
        ANSWER,
        "Hi",
    ),
    "index 10**30": (indexed("1" + "0" * 30), ANSWER, ANSWER, "Hi"),
    "index -1": (indexed("-1"), ANSWER, ANSWER, "Hi"),
    "index a text": (indexed('"a"'), ANSWER, ANSWER, "Hi"),
    # NaN is not itself: `text` does not find the choice that it began with.
    "index NaN": (indexed("NaN"), ANSWER, ANSWER, "…"),
    "index a list": (indexed("[[]]"), ANSWER, ANSWER, "Hi"),
    "a tool call's index 10**30": (calling('"{}"', "1" + "0" * 30), ANSWER, ANSWER, ""),
    "a tool call's index a text": (calling('"{}"', '"a"'), ANSWER, ANSWER, ""),
    "arguments null": (calling("null"), ANSWER, ANSWER, ""),
    "choices null": ('{"choices":null}', INVALID, INCOMPLETE, ""),
    "choices a text": ('{"choices":"Hi"}', INVALID, INCOMPLETE, ""),
    "choices an object": ('{"choices":{"a":1}}', INVALID, INCOMPLETE, ""),
    "choices of nulls": (of_choices(*["null"] * 1000), INVALID, INCOMPLETE, ""),
    "20,000 choices": (
        of_choices(*[f'{{"index":{n}}}' for n in range(20_000)]),
        ANSWER,
        STREAM,
        "",
    ),
    "100,000 empty choices": (of_choices(*["{}"] * 100_000), ANSWER, STREAM, ""),
    "a message that is a text": (
        of_choices('{"finish_reason":"stop","message":"Hi","delta":"Hi"}'),
        ANSWER,
        ANSWER,
        "",
    ),
    "a finish_reason that is an object": (said(finish='{"a":1}'), ANSWER, PARTIAL, "Hi"),
    "usage, id and model of other types": (
        said(more=',"usage":"x","id":[],"model":{},"created":{}'),
        ANSWER,
        ANSWER,
        "Hi",
    ),
    "an error of lists in objects in lists": (
        '{"error":{"message":[{"msg":5},["a"]],"code":[]}}',
        STATUS,
        FAILED,
        "",
    ),
    "an error that is a number": ('{"error":5}', STATUS, FAILED, ""),
    "an error of 100,000 characters of code": (
        '{"error":{"code":"%s"}}' % ("c" * 100_000),
        STATUS,
        FAILED,
        "",
    ),
}


def as_events(data: bytes) -> Script:
    return [STREAM_HEAD + chunk(b"data: " + data + b"\n\ndata: [DONE]\n\n") + LAST_CHUNK]


@pytest.mark.parametrize("number", range(len(ODD_JSON)), ids=list(ODD_JSON))
def test_json(number: int, note: Note, thorough: bool) -> None:
    fault, (text, whole, in_stream, words) = list(ODD_JSON.items())[number]
    data = text.encode()
    calls = {name: WHOLE[name] for name in ("raw", "chat")}
    row = Row([answer(data)], whole, text=words)
    try_in_turn(note, fault, row, calls, number, thorough)
    row = Row(as_events(data), in_stream, text=words)
    try_in_turn(note, f"{fault}, in a stream", row, STREAMED, number, thorough)


def failing(data: bytes, *before: object) -> Script:
    """A stream that ends with an event of the name `error`, and a good end after it."""
    events = [*map(event, before), b"event: error\ndata: " + data + b"\n\n"]
    events += map(event, (piece(finish="stop"), "[DONE]"))
    return [STREAM_HEAD + b"".join(map(chunk, events)) + LAST_CHUNK]


ODD_EVENTS: dict[str, Row] = {
    "an event that is no JSON": Row(as_events(b"{oops"), STREAM),
    "an event that is no object": Row(as_events(b"[1]"), STREAM),
    "an event of control characters": Row(as_events(b"\x1b[2J\0"), STREAM),
    "an event named error, of JSON": Row(failing(b'{"message":"boom"}'), FAILED),
    "an event named error, of a chunk": Row(failing(said().encode()), FAILED),
    "an event named error, of plain text": Row(failing(b"boom"), FAILED),
    "an event named error, of JSON, after the first": Row(
        failing(b'{"message":"boom"}', piece("Hello")), FAILED_PARTIAL, text="Hello"
    ),
    "an event named error, of plain text, after the first": Row(
        failing(b"boom", piece("Hello")), FAILED_PARTIAL, text="Hello"
    ),
    "invalid UTF-8 in an event": Row(
        as_events(said('"@"').encode().replace(b"@", b"\xff\xc3\x28")),
        ANSWER,
        text="\ufffd\ufffd(",
    ),
    "UTF-16 as events": Row(as_events(said().encode("utf-16")), STREAM),
    "Latin-1 as events": Row(as_events(said('"é"').encode("latin-1")), ANSWER, text="\ufffd"),
    "an event within [DONE]": Row(as_events(b"[DONE] " + said().encode()), INCOMPLETE),
    "gzip as an event stream": Row(
        [
            head(content_type="text/event-stream", content_encoding="gzip")
            + gzip.compress(b"".join(map(event, EVENTS))),
            End.FIN,
        ],
        ANSWER,
    ),
    "gzip as an event stream, cut short": Row(
        [
            head(content_type="text/event-stream", content_encoding="gzip")
            + gzip.compress(b"".join(map(event, EVENTS[:3])))[:-12],
            End.FIN,
        ],
        PARTIAL,
        text="Hello…",
    ),
    "a byte order mark before events": Row(
        [SSE + b"\xef\xbb\xbf" + b"".join(map(event, EVENTS)), End.FIN], ANSWER
    ),
    "events after [DONE], without end": Row(
        Endless((STREAM_HEAD, b"".join(chunk(event(e)) for e in EVENTS))), ANSWER
    ),
}


@rows(ODD_EVENTS)
def test_events(fault: str, row: Row, number: int, note: Note, thorough: bool) -> None:
    try_in_turn(note, fault, row, STREAMED, number, thorough)


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
