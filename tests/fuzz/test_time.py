"""Time is linear in the bytes, also of bytes that are made to be slow."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from rawllm import envelopes, ndjson, sse
from rawllm.answers import ChatCompletion, ChatCompletionChunk
from rawllm.chunks import Chunks
from rawllm.fold import Fold
from rawllm.objects import Object, parse
from tests.fuzz import played
from tests.servers import head

SMALL, TIMES = 1 << 13, 8


def by_bytes(feed: Callable[[bytes], Any], data: bytes) -> None:
    for at in range(len(data)):
        feed(data[at : at + 1])


def repeated(text: bytes, size: int) -> bytes:
    return (text * (size // len(text) + 1))[:size]


def folded(deltas: list[Any]) -> None:
    fold = Fold(ChatCompletion)
    for delta in deltas:
        chunk = ChatCompletionChunk({"choices": [Object({"index": 0, "delta": parse(delta)})]})
        fold.add(chunk)
    assert fold.completion


def calls(number: int, arguments: str) -> str:
    function = {"name": "f", "arguments": arguments}
    return json.dumps({"tool_calls": [{"index": number, "id": str(number), "function": function}]})


def streamed(body: bytes, piece: int) -> None:
    with played.playing() as wire, played.client() as client:
        wire.pieces = [head(content_type="text/event-stream")]
        wire.pieces += [body[at : at + piece] for at in range(0, len(body), piece)]
        with pytest.raises(Exception, match=r"ended before|answered 200"):
            list(client.chat("m", "x", stream=True))


#: name: what is done with so many bytes
FAMILIES: dict[str, Callable[[int], object]] = {
    "sse: CR": lambda n: sse.Decoder().feed(b"\r" * n),
    "sse: CR LF byte by byte": lambda n: by_bytes(sse.Decoder().feed, b"\r\n" * (n // 2)),
    "sse: a line without an end": lambda n: by_bytes(sse.Decoder().feed, b"x" * n),
    "sse: ids": lambda n: sse.Decoder().feed(repeated(b"id: 1\n", n)),
    "sse: fields that are ignored": lambda n: sse.Decoder().feed(repeated(b"x:" + b"y" * 98, n)),
    "sse: an event of many lines": lambda n: sse.Decoder().feed(repeated(b"data\n", n)),
    "sse: colons": lambda n: sse.Decoder().feed(b":" * n),
    "ndjson: byte by byte": lambda n: by_bytes(ndjson.Decoder().feed, b"x" * n),
    "ndjson: blanks": lambda n: ndjson.Decoder().feed(repeated(b" \r", n) + b"\n"),
    "ndjson: blank lines": lambda n: ndjson.Decoder().feed(b"\n" * n),
    "chunks: of one byte": lambda n: Chunks().feed(repeated(b"1\r\nx\r\n", n)),
    "chunks: byte by byte": lambda n: by_bytes(Chunks().feed, repeated(b"1\r\nx\r\n", n)),
    "chunks: extensions": lambda n: Chunks().feed(repeated(b"1;" + b"x" * 500 + b"\nx\n", n)),
    "envelopes: <": lambda n: envelopes.parse("<" * n),
    "envelopes: titles": lambda n: envelopes.parse("<title>" * (n // 7)),
    "envelopes: blanks in a title": lambda n: envelopes.parse("<title>" + " " * n),
    "envelopes: ampersands": lambda n: envelopes.parse("<p>" + "&" * n),
    "envelopes: digits": lambda n: envelopes.parse("<p>&#" + "1" * n),
    "envelopes: brackets": lambda n: envelopes.parse("[" * n),
    "envelopes: counts": lambda n: envelopes.status_of(
        envelopes.parse("maximum context length is 1 tokens " * (n // 35))
    ),
    "fold: pieces of a text": lambda n: folded(['{"content":"x"}'] * (n // 8)),
    "fold: parts": lambda n: folded(['{"content":[{"a":1}]}', '{"content":"x"}'] * (n // 16)),
    "fold: lists": lambda n: folded(['{"x":[1]}'] * (n // 8)),
    "fold: pieces of arguments": lambda n: folded([calls(0, "{"), *[calls(0, "[")] * (n // 8)]),
    "fold: calls": lambda n: folded([calls(at, "{}") for at in range(n // 16)]),
    "stream: empty lines, byte by byte": lambda n: streamed(b"\n" * (n // 4), 1),
    "stream: a line, byte by byte": lambda n: streamed(b":" * (n // 4), 1),
    "stream: comments": lambda n: streamed(repeated(b": x\n\n", n), 100),
    "stream: chunks of nothing": lambda n: streamed(repeated(b"data: {}\n\n", n), 100),
}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_time_is_linear(family: Callable[[int], object]) -> None:
    def seconds(size: int) -> float:
        def once() -> float:
            start = time.process_time()
            family(size)
            return time.process_time() - start

        return min(once() for _ in range(3))

    # Eight times the bytes: eight times the time, where the square would be 64. Two
    # milliseconds are what one look at the clock may be wrong by.
    assert seconds(TIMES * SMALL) < 3 * TIMES * seconds(SMALL) + 0.002
