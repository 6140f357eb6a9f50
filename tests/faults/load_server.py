"""A server that fails one call in twenty, and says in each answer whose it is.

Each call carries a mark of its own, which its answer repeats, word for word.
The mark also says, by chance, whether the call is to fail, and how: `fate` is
known to both sides, so that each outcome is judged by the fault it had.

The process prints its port, ends with its standard input, and then prints what
it has seen. What is left out: the calls, which are in `load.py`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import select
import socket
import struct
import sys
import threading
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

from tests.servers import LAST_CHUNK, STREAM_HEAD, End, answer, chunk, event, head, piece

ONE_IN = 20  # calls one fails
PATIENCE = 20.0  # seconds in which a client that has had enough must have left
WORDS = 20  # that an answer consists of

#: How a call is answered, the first letter of its mark: with an object, with any
#: JSON, with a stream that is read to its end, or with one that is left before.
OBJECT, ANY, STREAM, LEFT = "oasl"

#: What the server counts that must not be.
SHARED, UNREAD = "requests of two processes on one connection", "not left in time"

_MARK = re.compile(rb"[oasl]\.[0-9a-z]{4}\.\d{8}")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def mark(shape: str, who: str, number: int) -> str:
    """What a call is known by; all are of the same length."""
    return f"{shape}.{who:0>4}.{number:08}"


def process(mark: str) -> str:
    """Whose call it is: a forked child's, or one of the parent's threads'."""
    who = mark.split(".")[1]
    return "the parent" if "t" in who else who


def said(mark: str) -> str:
    """The text of every answer to that call."""
    return "".join(_words(mark))


def vector(mark: str) -> list[float]:
    """The call's embedding, in numbers that a float32 holds."""
    return [float(byte) for byte in hashlib.blake2b(mark.encode(), digest_size=8).digest()]


def _words(mark: str) -> list[str]:
    return [f"{mark}:{i:02} " for i in range(WORDS)]


# --- what goes wrong --------------------------------------------------------

Step = bytes | End
_AGAIN = "an answer, after a retry"


class Fault(NamedTuple):
    """What the server does, what the caller sees of it, and which calls it happens to."""

    name: str
    outcome: str
    shapes: str = OBJECT + ANY + STREAM + LEFT
    #: Sent in place of the answer; `None`: it is made of the answer itself.
    steps: tuple[Step, ...] | None = None
    #: Whether the call's next try is answered.
    once: bool = False
    #: The options with which such a call is made: without one it would wait for long.
    limits: tuple[dict[str, Any], ...] = ({},)


def _error(status: int, **headers: str) -> tuple[Step, ...]:
    return (answer({"error": {"message": "made to fail"}}, status, **headers),)


_SOON = {"retry_after_ms": "20"}
_HTML = answer(b"<html>Bad Gateway</html>", 502, content_type="text/html", **_SOON)
_WHOLE = OBJECT + ANY
_SHORT = ({"deadline": 0.5}, {"timeout": (5.0, 0.5)})
#: In place of an answer, each time or only the first: what it is, and the exception.
_INSTEAD: dict[str, tuple[tuple[Step, ...], str]] = {
    "500": (_error(500, **_SOON), "InternalServerError"),
    "502 in HTML": ((_HTML,), "InternalServerError"),
    "503 with Retry-After": (_error(503, retry_after="0.02"), "InternalServerError"),
    "429": (_error(429, **_SOON), "RateLimitError"),
    "FIN before the answer": ((End.FIN,), "APIConnectionError"),
    "RST before the answer": ((End.RST,), "APIConnectionError"),
}
FAULTS = (
    *(Fault(f"{n}, once", _AGAIN, steps=s, once=True) for n, (s, _) in _INSTEAD.items()),
    *(Fault(f"{n}, each time", f"`{e}`", steps=s) for n, (s, e) in _INSTEAD.items()),
    Fault("silence", "`APITimeoutError`", steps=(End.HOLD,), limits=_SHORT),
    Fault("the connection closed after the answer", "an answer", OBJECT + ANY + STREAM),
    Fault("an empty body", "`APIResponseValidationError`", OBJECT + STREAM, (answer(b""),)),
    Fault("JSON cut short", "`APIResponseValidationError`", _WHOLE, (answer(b'{"data": [{'),)),
    Fault("a Content-Length too small", "`APIResponseValidationError`", _WHOLE),
    Fault("a Content-Length too large, then FIN", "`APIConnectionError`", _WHOLE),
    Fault("half an answer, then RST", "`APIConnectionError`", _WHOLE),
    Fault("half an answer, then silence", "`APITimeoutError`", _WHOLE, limits=_SHORT),
    Fault("half a stream, then FIN", "`IncompleteStreamError`", STREAM),
    Fault("half a stream, then RST", "`IncompleteStreamError`", STREAM),
    Fault(
        "half a stream, then silence",
        "`IncompleteStreamError`",
        STREAM,
        limits=({"idle_timeout": 0.5},),
    ),
    Fault("half a stream, then an error", "`StreamAPIError`", STREAM),
    Fault("half a stream, then an event that is not JSON", "`StreamError`", STREAM),
)
_FITTING = {
    s: [fault for fault in FAULTS if s in fault.shapes] for s in (OBJECT, ANY, STREAM, LEFT)
}


def fate(mark: str) -> Fault | None:
    """What is to happen to the call of this mark, `None` for nothing."""
    chance = int.from_bytes(hashlib.blake2b(mark.encode(), digest_size=8).digest(), "big")
    fitting = _FITTING[mark[0]]
    return None if chance % ONE_IN else fitting[chance // ONE_IN % len(fitting)]


# --- answers ----------------------------------------------------------------


def steps(request: bytes, mark: str, fault: Fault | None) -> list[Step]:
    """All that is sent, and how the connection ends."""
    if fault is not None and fault.steps is not None:
        return list(fault.steps)
    name = fault.name if fault else ""
    if mark[0] in _WHOLE:
        body = json.dumps(_object(request, mark)).encode()
        return _whole(body, name, chunked=mark[-1] in "02468")
    return _stream(request, mark, name)


def _object(request: bytes, mark: str) -> Any:
    path = request.split(b" ", 2)[1]
    if b"/embeddings" in path:
        numbers: Any = vector(mark)
        if b'"base64"' in request:
            numbers = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
        return {"object": "list", "data": [{"index": 0, "embedding": numbers}]}
    if b"/chat" in path:
        message = {"role": "assistant", "content": said(mark)}
        return {"id": mark, "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    model = {"id": mark, "object": "model"}
    return {"object": "list", "data": [model]} if b"/models?" in path else model


def _whole(body: bytes, fault: str, *, chunked: bool) -> list[Step]:
    size = len(body)
    half, rest = body[: size // 2], body[size // 2 :]
    sized = partial(head, content_type="application/json")
    match fault:
        case "a Content-Length too small":
            return [sized(content_length=str(size - 3)) + body]
        case "a Content-Length too large, then FIN":
            return [sized(content_length=str(size + 3)) + body, End.FIN]
        case "half an answer, then RST":
            return [sized(content_length=str(size)) + half, End.RST]
        case "half an answer, then silence":
            return [sized(content_length=str(size)) + half, End.HOLD]
        case "the connection closed after the answer":
            return [answer(body), End.FIN]
    if chunked:
        return [sized(transfer_encoding="chunked"), chunk(half), chunk(rest), LAST_CHUNK]
    return [answer(body)]


def _stream(request: bytes, mark: str, fault: str) -> list[Step]:
    legacy, closing = b" /v1/completions" in request, b'"closing"' in request
    events = [event(_said(word, legacy)) for word in _words(mark)]
    half = events[: WORDS // 2]
    ends: dict[str, tuple[list[bytes], End]] = {
        "half a stream, then FIN": (half, End.FIN),
        "half a stream, then RST": (half, End.RST),
        "half a stream, then silence": (half, End.HOLD),
        "half a stream, then an error": ([*half, event({"error": {"message": "made"}})], End.FIN),
        "half a stream, then an event that is not JSON": ([*half, event("{no")], End.FIN),
    }
    sent, end = ends.get(fault, ([*events, event(piece(finish="stop")), event("[DONE]")], None))
    if mark[0] == LEFT:
        sent, end = half, End.HOLD
    if closing:
        begin, framed = head(content_type="text/event-stream", connection="close"), sent
    else:
        begin, framed = STREAM_HEAD, [chunk(data) for data in sent]
    pieces: list[Step] = [begin, b"".join(framed[:3]), b"".join(framed[3:])]
    if end is None and not closing:
        pieces.append(LAST_CHUNK)
    if end is None and (closing or fault):  # "the connection closed after the answer"
        end = End.FIN
    return pieces if end is None else [*pieces, end]


def _said(word: str, legacy: bool) -> Any:
    return {"choices": [{"index": 0, "text": word}]} if legacy else piece(word)


# --- the server -------------------------------------------------------------


class _Server:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        self._count("connections")
        processes = set()
        with connection, contextlib.suppress(OSError):  # a client may leave at any time
            while request := _request(connection):
                found = _MARK.search(request)
                assert found, request
                self._count("requests")
                processes.add(process(mark := found[0].decode()))
                if len(processes) > 1:
                    self._count(SHARED)
                if not self._play(connection, self._steps(request, mark)):
                    return

    def _steps(self, request: bytes, mark: str) -> list[Step]:
        fault = fate(mark)
        if fault is not None and fault.once:
            with self._lock:
                again = mark in self._failed
                self._failed ^= {mark}
            fault = None if again else fault
        if fault is not None:
            self._count("faults")
        return steps(request, mark, fault)

    def _play(self, connection: socket.socket, steps: list[Step]) -> bool:
        for step in steps:
            if isinstance(step, bytes):
                connection.sendall(step)
                continue
            if step is End.HOLD:
                readable, _, _ = select.select([connection], [], [], PATIENCE)
                self._count("left" if readable else UNREAD)
            elif step is End.RST:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        return True

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1


def _request(connection: socket.socket) -> bytes:
    """A whole request: closing a socket with bytes unread would destroy the answer."""
    received, size = b"", sys.maxsize
    while len(received) < size:
        data = connection.recv(65536)
        if not data:
            return b""
        received += data
        if (end := received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(received, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
    return received


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = _Server()
    threading.Thread(target=server.accept, args=(listener,), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()
    print(json.dumps(server.counts), flush=True)


if __name__ == "__main__":
    main()
