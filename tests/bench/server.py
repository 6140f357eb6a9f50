"""A server that costs next to nothing: answers made beforehand, over raw sockets.

The name of the model picks the answer, so that a client needs one base URL and
one connection for everything; path, key and all else that was sent are ignored:

    plain          a whole chat, Content-Length and keep-alive
    burst          a chunked stream, every event an HTTP chunk, as fast as it is read
    long           the same, the burst's chunks over and over
    paced-chunked  the same, an event each GAP; its text is the time it was sent
    paced-closing  the same events in a body that ends with the connection
    embed          embeddings, as floats or as base64, whichever was asked for

With `ollama-` before it, the same in the form of Ollama's own routes: lines of
JSON in place of events, embeddings as floats alone.

The process prints its port and ends with its standard input. A chat costs it
some 20 µs of its own CPU, a chunk of the burst 0.03.
"""

import base64
import contextlib
import json
import random
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable

from .jobs import FULL, GAP, PIECE, QUICK, TEXT, Sizes

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MODEL = re.compile(rb'"model": *"([a-z-]+)"')
_BASE64 = re.compile(rb'"encoding_format": *"base64"')

_STAMP = b"@" * 20  # as long as what takes its place, so that an HTTP chunk's size holds
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_CLOSING = b"Connection: close\r\n\r\n"


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    answers = _answers(QUICK if "--quick" in sys.argv else FULL)
    threading.Thread(target=_accept, args=(listener, answers), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


def _accept(listener: socket.socket, answers: dict[bytes, list[bytes]]) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_converse, args=(connection, answers), daemon=True).start()


def _converse(connection: socket.socket, answers: dict[bytes, list[bytes]]) -> None:
    with connection, contextlib.suppress(ConnectionError):  # a client may leave at any time
        while request := _request(connection):
            named = _MODEL.search(request)
            model = named[1] if named else b"plain"
            if model == b"embed" and _BASE64.search(request):
                model = b"embed base64"
            for part in answers[model]:
                if _STAMP in part:
                    time.sleep(GAP / 1000)
                    # CLOCK_MONOTONIC is the machine's, not the process's: the client reads it too.
                    now = b"%0*d" % (len(_STAMP), time.monotonic_ns())
                    connection.sendall(part.replace(_STAMP, now))
                else:
                    connection.sendall(part)
            if model.endswith(b"closing"):
                return


def _request(connection: socket.socket) -> bytes:
    """A whole request: closing a socket with bytes unread would destroy the answer."""
    received = b""
    size = sys.maxsize
    while len(received) < size:
        data = connection.recv(65536)
        if not data:
            return b""
        received += data
        if (end := received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(received, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
    return received


def _answers(sizes: Sizes) -> dict[bytes, list[bytes]]:
    """By model, what to send, in parts; one with a stamp waits, and tells its time."""
    # Through float32 and back: nineteen digits each, as servers send them.
    rng = random.Random(0)
    packed = struct.pack(f"<{sizes.floats}f", *(rng.gauss(0, 0.02) for _ in range(sizes.floats)))
    floats = struct.unpack(f"<{sizes.floats}f", packed)
    embed, embed_base64 = (
        [{"object": "embedding", "index": i, "embedding": vector} for i in range(sizes.texts)]
        for vector in (floats, base64.b64encode(packed).decode())
    )
    message = {"role": "assistant", "content": TEXT}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 25, "completion_tokens": 78, "total_tokens": 103}
    first = [_event({"role": "assistant", "content": ""})]
    last = [_event({}, "stop"), b"data: [DONE]\n\n"]
    events = _streams(sizes, b"text/event-stream", _said, first, last)
    lines = _streams(sizes, b"application/x-ndjson", _line, [], [_line("", done=True)])
    return {
        b"plain": [_whole(_object("chat.completion", choices=[choice], usage=usage))],
        b"embed": [_whole(_object("list", data=embed, usage=usage))],
        b"embed base64": [_whole(_object("list", data=embed_base64, usage=usage))],
        **events,
        b"ollama-plain": [_whole(_line(TEXT, done=True))],
        b"ollama-embed": [_whole(_json(model="bench", embeddings=[floats] * sizes.texts))],
        **{b"ollama-" + model: parts for model, parts in lines.items()},
    }


def _streams(
    sizes: Sizes, kind: bytes, piece: Callable[[str], bytes], first: list[bytes], last: list[bytes]
) -> dict[bytes, list[bytes]]:
    """The streams of a media type; `piece` says a text, `first` and `last` stand around all."""
    head, end = _HEAD % kind, b"0\r\n\r\n"
    # No two neighbours are equal: litellm gives up on a model that repeats itself.
    texts = (f" {i % 10_000:0{PIECE - 1}}" for i in range(sizes.chunks))
    burst = b"".join(_framed(piece(text)) for text in texts)
    before, after = (b"".join(map(_framed, parts)) for parts in (first, last))
    paced = [*first, *[piece(_STAMP.decode())] * sizes.paced, *last]
    return {
        b"burst": [head + _CHUNKED + before + burst + after + end],
        b"long": [head + _CHUNKED + before, *[burst] * sizes.repeats, after + end],
        b"paced-chunked": [head + _CHUNKED, *map(_framed, paced), end],
        b"paced-closing": [head + _CLOSING, *paced],
    }


def _whole(data: bytes) -> bytes:
    head = _HEAD % b"application/json"
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(data), data)


def _said(text: str) -> bytes:
    return _event({"content": text})


def _event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return b"data: %b\n\n" % _object("chat.completion.chunk", choices=[choice])


def _line(text: str, *, done: bool = False) -> bytes:
    """A chunk of Ollama's own chat; the last one, or a whole answer, has the counts as well."""
    message = {"role": "assistant", "content": text}
    counts = {"done_reason": "stop", "total_duration": 10**9, "eval_count": 78} if done else {}
    said = _json(
        model="bench", created_at="2025-10-09T08:53:20Z", message=message, done=done, **counts
    )
    return said + b"\n"


def _object(kind: str, **content: object) -> bytes:
    named = {"id": "chatcmpl-8d2f6c1ab03e4b6f", "object": kind, "created": 1_760_000_000}
    return _json(**named, model="bench", **content)


def _json(**content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


if __name__ == "__main__":
    main()
