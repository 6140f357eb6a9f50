"""The targets: what is fuzzed, by which name, from which seeds, and with which words.

None of them needs more than the bytes, so that what was found once is a test.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.fuzz import exchanges, naive, packed, parts
from tests.fuzz.played import KEY
from tests.recordings import RECORDINGS, Recording


class Target(NamedTuple):
    """`check` fails where a promise is broken."""

    check: Callable[[bytes], None]
    recorded: Callable[[], Iterator[bytes]]
    words: tuple[bytes, ...]
    #: Bytes of an input: the more, the fewer inputs a second.
    most: int

    def seeds(self) -> list[bytes]:
        """What fuzzing begins with: recorded bytes, as many as an input may have."""
        return list(dict.fromkeys(seed[: self.most] for seed in self.recorded()))


def _bodies() -> Iterator[bytes]:
    return (recording.body for recording in RECORDINGS)


def _streams() -> Iterator[bytes]:
    return (body for body in _bodies() if body.startswith((b"data:", b":", b"event:")))


def _lines() -> Iterator[bytes]:
    """Streams as Ollama would send them."""
    for stream in _streams():
        yield b"".join(event.data.encode() + b"\n" for event in naive.events(stream))


def _coded() -> Iterator[bytes]:
    return (r.raw[r.body_start :] for r in RECORDINGS if r.chunked)


def _errors() -> Iterator[bytes]:
    for recording in RECORDINGS:
        if recording.status >= 400:
            yield b"t" + recording.body
            if (value := _json(recording.body.decode(errors="replace"))) is not ...:
                yield b"p" + packed.pack(value)


def _folds() -> Iterator[bytes]:
    for recording in RECORDINGS:
        first = b"c" if recording.path == "/v1/completions" else b"-"
        if values := _chunks(recording):
            yield first + b"".join(map(packed.pack, values))


def _events() -> Iterator[bytes]:
    for at, seed in enumerate(_folds()):
        yield bytes([at & 15, at % len(exchanges.HEADS)]) + seed[1:]


def _responses() -> Iterator[bytes]:
    for odd in ODD:
        for call in (0, 1, 7):
            yield bytes([call, 160]) + odd
    for at, recording in enumerate(RECORDINGS):
        calls = _CALLS.get(recording.path, (7, 14))
        for call in {calls[at % len(calls)], calls[0]}:
            yield bytes([call, at % 256]) + recording.raw


_OK = b"HTTP/1.1 200 OK\r\n"
_EVENT = b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'

#: What no recorded server said.
ODD = (
    b"HTTP/1.1 307 Moved\r\nLocation: /v1/there\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + _OK + b"\r\n" + _EVENT,
    b"HTTP/1.1 429 Too Many\r\nRetry-After: 1e9\r\n\r\n" + b'{"error":{"code":"1"}}',
    b"HTTP/1.1 401 No\r\n\r\nIncorrect API key provided: " + KEY.encode(),
    b"HTTP/1.1 500 " + KEY.encode() + b"\r\nx-request-id: " + KEY.encode() + b"\r\n\r\n<p>&#65;",
    _OK + b"\r\n" + b'data: {"error":{"message":"' + KEY.encode() + b'"}}\n\n',
    _OK + b"Content-Type: text/event-stream\r\n\r\nerror: {}\r\r" + _EVENT + b"data: [DONE]\n\n",
    _OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(_EVENT, mtime=0),
    _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + _EVENT,
    _OK + b"Content-Length: -5\r\nContent-Length: 7\r\n\r\n" + _EVENT,
    b"HTTP/0.9 200\r\n\r\n" + _EVENT,
    _OK + b"Content-Type: text/event-stream\r\n\r\n" + _EVENT + b"data: {\n\n",
    _OK + b"Content-Type: text/event-stream\r\n\r\n" + _EVENT + b"data: []\n\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
)

#: The numbers of the calls that a path answers, those of `exchanges.CALLS`.
_CALLS = {
    "/v1/chat/completions": (0, 1, 8, 9, 10, 11, 12, 13),
    "/v1/completions": (2, 3),
    "/v1/embeddings": (4,),
    "/v1/models": (5, 6),
}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return ...


def _chunks(recording: Recording) -> list[Any]:
    """The values in a recorded stream, or the one that a body is."""
    body = recording.body.decode(errors="replace")
    texts = [event.data for event in naive.events(recording.body)] or [body]
    return [value for value in map(_json, texts) if value is not ...]


_JSON = (b'"', b"{", b"}", b"[", b"]", b":", b",", b"null", b"\\u0000", b"1e9", b"NaN")
_SSE = (b"data:", b"data: ", b"event: ", b"id: ", b"retry: ", b"error: ", b":", b"[DONE]")
_ENDS = (b"\r", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"\0", b"\xe2\x80\xa8")
_CHUNKED = (b"0\r\n\r\n", b"1\r\n", b"10\r\n", b";", b"\r\n0\r\n\r\n")
_NAMES = tuple(b'"%s":' % name.encode() for name in packed.NAMES)
_TOO_LONG = (
    *(b"maximum context length is ", b" tokens", b"exceeds the available context size"),
    *(
        b"<html>",
        b"<title>",
        b"</title>",
        b"&amp;",
        b"&#",
        b"loading",
        b"exceed_context_size_error",
    ),
)
_HEADS = (
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 ",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"503",
        b"307",
        b"429",
    ),
    *(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n"),
    *(
        b"Content-Type: text/event-stream\r\n",
        b"Location: /",
        b"Location: http://",
        b"Retry-After: ",
    ),
    *(b"Connection: close\r\n", b"x-should-retry: true", b"Server: llama.cpp", b"charset=utf-16"),
)

TARGETS: dict[str, Target] = {
    "event stream": Target(parts.event_stream, _streams, _SSE + _ENDS, 512),
    "NDJSON": Target(parts.json_lines, _lines, _JSON + _ENDS, 512),
    "chunked body": Target(parts.chunked_body, _coded, _CHUNKED + _ENDS, 512),
    "error body": Target(parts.error_body, _errors, _JSON + _NAMES + _TOO_LONG, 1024),
    "fold": Target(parts.fold, _folds, (), 1024),
    "stream of chunks": Target(exchanges.events, _events, (), 1024),
    "response": Target(
        exchanges.response,
        _responses,
        _HEADS + _JSON + _NAMES + _SSE + _ENDS + _CHUNKED + (KEY.encode(),),
        2048,
    ),
}
