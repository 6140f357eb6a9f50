"""What each part that reads bytes promises of any bytes: a function fails where it is broken."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rawllm import envelopes, errors, ndjson, sse
from rawllm.answers import ChatCompletion, ChatCompletionChunk, Completion
from rawllm.chunks import Chunks
from rawllm.fold import Fold, unfold
from rawllm.objects import Object, parse
from tests.faults.cut_words import Tally
from tests.fuzz import naive, packed

_TABLE = re.compile(r"^\| `(\w+)` \| (.*?) \|", re.MULTILINE)
_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"

#: The classes that a caller may meet, as the page about them says.
DOCUMENTED: frozenset[type[BaseException]] = frozenset(
    getattr(errors, name)
    for name, when in _TABLE.findall(_PAGE.read_text())
    if when != "never itself"
)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """`data` at once; in pieces; and byte by byte where it is short."""
    yield [data]
    size = 1 + zlib.crc32(data) % 16
    yield [b"", *(data[at : at + size] for at in range(0, len(data), size))]
    if len(data) <= 128:
        yield [data[at : at + 1] for at in range(len(data))]


def as_json(value: Any) -> str:
    """`value` as text that is equal where the values are, NaN included."""
    return json.dumps(value)


# --- formats ----------------------------------------------------------------


def event_stream(data: bytes, kind: type[sse.Decoder] = sse.Decoder) -> None:
    """The events are WHATWG's wherever the bytes are cut, come back, and keep to the limit."""
    expected = naive.events(data)
    seen: set[object] = set()
    for pieces in cuts(data):
        decoder = kind()
        assert [event for piece in pieces for event in decoder.feed(piece)] == expected
        seen.add((decoder.ignored, decoder.retry))
        limited = kind(24)
        found: list[sse.Event] = []
        fault = False
        try:
            for piece in pieces:
                found += limited.feed(piece)
        except sse.EventTooLongError as error:
            found += error.events
            fault = True
        assert found == expected[: len(found)]
        assert fault or len(found) == len(expected)
        seen.add((fault, len(found)))
    assert len(seen) == 2, "cuts make a difference"
    for event in expected:
        if "\r" not in event.data and not re.search("[\r\n\0]", event.event):
            last = sse.Event(event.data, event.event, event.id)
            assert sse.Decoder().feed(sse.encode(last)) == [last]


def json_lines(data: bytes) -> None:
    """The lines are the same wherever the bytes are cut, come back, and keep to the limit."""
    expected = naive.lines(data)
    too_long = max(map(len, data.split(b"\n"))) > 24
    for pieces in cuts(data):
        decoder = ndjson.Decoder()
        found = [line for piece in pieces for line in decoder.feed(piece)]
        assert found + decoder.end() == expected
        limited = ndjson.Decoder(24)
        try:
            for piece in pieces:
                limited.feed(piece)
        except ndjson.LineTooLongError:
            assert too_long
        else:
            assert not too_long
    for line in expected:
        assert ndjson.Decoder().feed(ndjson.encode(line)) == [line]


def chunked_body(data: bytes) -> None:
    """The body is the same wherever the bytes are cut, and http.client's where it has one."""
    expected = naive.chunked(data)
    for pieces in cuts(data):
        chunks = Chunks()
        body = b"".join(map(chunks.feed, pieces))
        assert naive.Body(body, chunks.over, chunks.rest, bool(chunks.fault)) == expected
    if not naive.chunked(data, bare=False).over:
        return  # of line ends of LF alone http.client makes something else
    answer = naive.begun(b"HTTP/1.1 200 OK\r\n" + CHUNKED + data)
    fp = answer.fp
    body = answer.read()
    assert (body, fp.read()) == (expected.body, expected.rest)


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


# --- errors -----------------------------------------------------------------


def error_body(data: bytes) -> None:
    """Any text and any JSON is an error with words, of a class that is documented."""
    kind, text = data[:1], data[1:].decode(errors="replace")
    if kind == b"p":
        values = packed.unpack(data[1:])
        text = json.dumps(values[0] if values else None)
    found = envelopes.parse(text)
    assert type(found.message) is str
    for name in (found.code, found.param, found.type):
        assert name is None or type(name) is str
    status = envelopes.status_of(found)
    assert status is None or 400 <= status <= 599
    for code in (200, 400, 404, 429, 500, 503):
        assert envelopes.error_class(code, found) in DOCUMENTED
    counts = envelopes.context_length(found)
    assert counts is None or all(count is None or type(count) is int for count in counts)
    assert envelopes.is_quota(found) in (True, False)
    assert envelopes.is_loading(found) in (True, False)
    if found.message:
        for shape in envelopes.SHAPES:
            body = json.dumps(envelopes.serialize(found, 404, shape))
            assert envelopes.parse(body).message == found.message, shape


# --- the fold ---------------------------------------------------------------


def fold(data: bytes, fold: type[Fold] = Fold) -> None:
    """No chunks do harm, none of their words is lost; looking changes nothing; text only grows.

    The whole folds to itself.
    """
    chat = data[:1] != b"c"
    kind, piece = (ChatCompletion, ChatCompletionChunk) if chat else (Completion, Completion)
    folded, looked_at, said = fold(kind), fold(kind), Tally()
    texts: dict[int, str] = {}
    for value in packed.unpack(data[1:]):
        chunk = piece.declare(parse(json.dumps(value)))
        if not isinstance(chunk, Object):
            continue
        before = as_json(chunk)
        size = folded.size
        try:
            folded.add(chunk, len(before))
        except RecursionError:
            return  # documented: arguments that are nested too deep
        looked_at.add(chunk, len(before))
        assert as_json(chunk) == before, "the chunk is the caller's"
        said.add(chunk)
        assert folded.size >= size
        known = texts
        texts = _texts(looked_at.completion)
        for index in known.keys() & texts.keys():
            assert texts[index].startswith(known[index])
    whole = folded.completion
    said.check(whole)
    assert as_json(whole) == as_json(looked_at.completion)
    assert as_json(whole) == as_json(folded.completion)
    assert type(whole) is kind
    assert all(type(choice["index"]) in (int, bool) for choice in whole["choices"])
    for done in (True, False):
        verdict = folded.verdict(done=done, framed=True, expected=1)
        assert verdict == "cut" or folded.finished
    if chat and not any("delta" in choice for choice in whole["choices"]):
        _again(whole)  # no server says a whole answer in pieces that are no objects as well


def _texts(whole: Any) -> dict[int, str]:
    """The text of each choice whose content is text and not parts."""
    chat = type(whole) is ChatCompletion
    said = {c["index"]: c.message["content"] if chat else c["text"] for c in whole["choices"]}
    return {index: text for index, text in said.items() if isinstance(text, str)}


def _again(whole: Any) -> None:
    chunk = unfold(parse(json.dumps(whole)))
    once = Fold(ChatCompletion)
    once.add(ChatCompletionChunk.declare(chunk))
    assert as_json(once.completion) == as_json(whole)
