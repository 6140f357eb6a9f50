"""A server on a real socket that plays scripts: what each request gets, byte for byte.

A script is a list of steps: bytes to send, an `Event` to wait for, or one of
the ways in which a connection ends. The next request on any connection gets
the next script; the last one goes on answering.
"""

from __future__ import annotations

import enum
import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

TLS = Path(__file__).parent / "tls"
#: The file of the authority that has signed the server's certificate: itself.
AUTHORITY = str(TLS / "authority.pem")

#: The base URL of the mocks, which nothing listens on.
BASE = "http://localhost/v1"

PATIENCE = 10.0  # seconds until a wait in a test is a failure


class End(enum.Enum):
    FIN = "the server closes"
    RST = "the server resets"
    HOLD = "the server says nothing more, until the client leaves"


Step = bytes | threading.Event | End
Script = Sequence[Step]


class Seen(NamedTuple):
    """A request as it arrived. `connection` counts from 0."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    def __init__(
        self,
        scripts: Sequence[Script],
        *,
        slow: threading.Event | None = None,
        tls: bool | ssl.SSLContext = False,
    ) -> None:
        self.scripts = list(scripts)
        self._slow = slow
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self.requests: list[Seen] = []
        #: Set when a client left while the server was holding, or still sending.
        self.left = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"
        self._start(self._accept)

    def _start(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if self._closing:
                    connection.close()
                    return
                self._sockets.add(connection)
            self._start(self._serve, connection, number)
            number += 1

    def _serve(self, plain: socket.socket, number: int) -> None:
        connection = plain
        try:
            if self._slow is not None:
                self._slow.wait(PATIENCE)
            if self._tls:
                context = _tls_context() if self._tls is True else self._tls
                connection = context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as reader:
                while (request := _read_request(reader, number)) is not None:
                    with self._lock:
                        self.requests.append(request)
                        script = self.scripts.pop(0) if self.scripts[1:] else self.scripts[0]
                    if not self._play(connection, script):
                        return
        except (OSError, ValueError):
            self.left.set()
        finally:
            with self._lock:
                self._sockets.discard(plain)

    def _play(self, connection: socket.socket, script: Script) -> bool:
        for step in script:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif isinstance(step, threading.Event):
                if not step.wait(PATIENCE):
                    return False
            elif step is End.HOLD:
                readable, _, _ = select.select([connection], [], [], PATIENCE)
                if readable and not connection.recv(1):
                    self.left.set()
                return False
            else:
                if step is End.RST:
                    reset_when_closed(connection)
                return False
        return True

    def close(self) -> None:
        with self._lock:
            self._closing = True
            open_now = list(self._sockets)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join(PATIENCE)


@contextmanager
def serve(
    *scripts: Script | bytes,
    slow: threading.Event | None = None,
    tls: bool | ssl.SSLContext = False,
) -> Iterator[Server]:
    """A server that plays `scripts`; plain bytes are a script of one step.

    It reads nothing before `slow` is set. With `tls` its certificate is that
    of the context, or good for localhost and 127.0.0.1, trusted by `AUTHORITY`.
    """
    played = [[script] if isinstance(script, bytes) else script for script in scripts]
    server = Server(played, slow=slow, tls=tls)
    try:
        yield server
    finally:
        server.close()


def reset_when_closed(connection: socket.socket) -> None:
    """Let its end be a reset, which also destroys what the client has not read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem")
    return context


def _read_request(reader: Any, number: int) -> Seen | None:
    line = reader.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while (field := reader.readline().decode("latin-1").strip()) != "":
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Seen(line[0], line[1], headers, body, number)


# --- answers, as bytes ------------------------------------------------------

REASONS = {200: "OK", 307: "Temporary Redirect", 404: "Not Found", 429: "Too Many Requests"}


def head(status: int = 200, version: str = "1.1", **headers: str) -> bytes:
    """A status line and headers; `content_type` stands for `Content-Type`."""
    lines = [f"HTTP/{version} {status} {REASONS.get(status, 'Whatever')}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(body: Any, status: int = 200, **headers: str) -> bytes:
    """A whole answer with its Content-Length; what is not bytes becomes JSON."""
    kind = {"content_type": "application/json"}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(status, **(kind | headers), content_length=str(len(data))) + data


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAM_HEAD = head(content_type="text/event-stream", transfer_encoding="chunked")
LAST_CHUNK = b"0\r\n\r\n"


def event(data: Any) -> bytes:
    """One event of a stream; what is not a str becomes JSON."""
    text = data if isinstance(data, str) else json.dumps(data)
    return f"data: {text}\n\n".encode()


def stream(*events: Any) -> bytes:
    """A whole chunked event stream, a chunk an event."""
    return b"".join([STREAM_HEAD, *(chunk(event(e)) for e in events), LAST_CHUNK])


def piece(text: str = "", finish: str | None = None, index: int = 0, **delta: Any) -> Any:
    """A chunk of a chat."""
    words = ({"content": text} if text else {}) | delta
    choice = {"index": index, "delta": words, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


#: A chat that says "Hello there!", whole and as the events of a stream.
CHAT = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hello there!"},
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
EVENTS = [piece(role="assistant"), piece("Hello"), piece(" there!"), piece(finish="stop"), "[DONE]"]
