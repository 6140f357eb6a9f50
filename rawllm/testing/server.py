"""Sockets: reads requests, plays scripts. A thread a connection.

What is left out: what is answered, which the function that a `Server` is made
with says, and how a request is read, which is in `reading.py`.
"""

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rawllm.testing.reading import UnreadableError, read
from rawllm.testing.scripts import End, Pause, Request, Script, Step, bodiless, head

if TYPE_CHECKING:
    from typing_extensions import Self

_LOOK = 0.02  # seconds; closing a socket does not end an accept() on every system
_LINGER = 5.0  # seconds for a client that is refused to stop sending


class Exchange(NamedTuple):
    """A request, and what was sent for it: (seconds since it was in, bytes)."""

    request: Request
    sent: list[tuple[float, bytes]]
    #: Which connection of the server it came on, counted from 0.
    connection: int

    @property
    def raw(self) -> bytes:
        """All bytes that were sent."""
        return b"".join(data for _, data in self.sent)


class Server:
    """A server on this machine. It serves from when it is made until `close()`.

    `answer` says what is played for each request, in a thread of its
    connection. What it raises is a 500 for the client and a traceback on
    stderr. Port 0 is any free one; `OSError` is raised where a port is taken.

    `seen` is told of each exchange, once, in the same thread: just before the
    last bytes are sent, or when the client has left before. Who has read the
    whole answer, or has come back from `close()`, finds what `seen` has done.
    """

    def __init__(
        self,
        answer: Callable[[Request], Script],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seen: Callable[[Exchange], None] = lambda exchange: None,
    ) -> None:
        self.answer: Callable[[Request], Script] = answer
        self.seen: Callable[[Exchange], None] = seen
        #: Set when the server is to close, which ends every pause.
        self.closing: threading.Event = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=128)
        self._listener.settimeout(_LOOK)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self._connections: dict[_Connection, threading.Thread] = {}
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What a client is given as `base_url`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"

    def close(self) -> None:
        """Close every connection, also one that is being answered."""
        self.closing.set()
        self._thread.join()
        self._listener.close()
        for connection in self._connections:
            connection.shut()
        for thread in self._connections.values():
            thread.join()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _accept(self) -> None:
        numbers = itertools.count()
        while not self.closing.is_set():
            try:
                accepted, _ = self._listener.accept()
            except TimeoutError:  # nobody came
                continue
            except OSError:  # too many files are open, or the client has gone already
                self.closing.wait(_LOOK)
                continue
            self._begin(_Connection(self, accepted, next(numbers)))

    def _begin(self, connection: "_Connection") -> None:
        thread = threading.Thread(target=connection.serve, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there are too many
            connection.drop()
            return
        running = {one: its for one, its in self._connections.items() if its.is_alive()}
        self._connections = running | {connection: thread}


class _Connection:
    """One client's. A client that has gone is no error; its connection just ends."""

    def __init__(self, server: Server, connection: socket.socket, number: int) -> None:
        connection.settimeout(None)  # whatever the application has set for new sockets
        self._server = server
        self._socket = connection
        self._reader = connection.makefile("rb")
        self._number = number

    def shut(self) -> None:
        """Wake the thread that waits for this client, whatever for."""
        with contextlib.suppress(OSError):  # it has gone by itself
            self._socket.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Close it, unserved."""
        self._reader.close()
        self._socket.close()

    def serve(self) -> None:
        with self._socket, self._reader:
            self._set(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (request := self._read()) is not None:
                exchange = Exchange(request, [], self._number)
                if not self._play(self._script(request), exchange):
                    return
                if request.closes:
                    self._finish()
                    return

    def _read(self) -> Request | None:
        try:
            return read(self._reader, lambda: self._send(b"HTTP/1.1 100 Continue\r\n\r\n"))
        except UnreadableError as unreadable:
            self._refuse(unreadable.status, str(unreadable))
            self._finish(_LINGER)
        except (OSError, EOFError):
            pass
        return None

    def _script(self, request: Request) -> Script:
        try:
            script = self._server.answer(request)
        except Exception as bug:
            self._refuse(500, f"the server's own mistake: {bug!r}")
            self._finish()
            raise
        return bodiless(script) if request.method == "HEAD" else script

    def _play(self, script: Script, exchange: Exchange) -> bool:
        """Whether the connection may serve another request."""
        start = time.monotonic()
        last = max((n for n, step in enumerate(script) if isinstance(step, bytes)), default=0)
        with contextlib.ExitStack() as told:
            told.callback(self._server.seen, exchange)
            for place, step in enumerate(script):
                if isinstance(step, bytes):
                    exchange.sent.append((time.monotonic() - start, step))
                if place >= last:
                    told.close()
                if not self._step(step, exchange.request):
                    return False
        return True

    def _step(self, step: Step, request: Request) -> bool:
        if isinstance(step, bytes):
            return self._send(step)
        if isinstance(step, Pause):
            return not self._server.closing.wait(step.seconds)
        if step is End.SILENCE:
            self._listen()
        elif step is End.RST:
            self._set(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            if step is End.NEXT and not request.closes:
                self._read()
            self._finish()
        return False

    # --- the socket ---------------------------------------------------------

    def _set(self, level: int, option: int, value: int | bytes) -> None:
        with contextlib.suppress(OSError):  # it has gone already: macOS says so here
            self._socket.setsockopt(level, option, value)

    def _send(self, data: bytes) -> bool:
        """Whether the client is still there."""
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def _listen(self) -> None:
        """Until the client, or this server, goes."""
        with contextlib.suppress(OSError):
            while self._socket.recv(1 << 16):
                pass

    def _finish(self, patience: float = 0.0) -> None:
        """Close cleanly: with bytes of the client's unread it would be a reset."""
        self._socket.settimeout(patience)
        with contextlib.suppress(OSError):  # it has gone already
            self._socket.shutdown(socket.SHUT_WR)
        self._listen()

    def _refuse(self, status: int, words: str) -> None:
        fields = {
            "Connection": "close",
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(words.encode())),
        }
        self._send(head(status, fields) + words.encode())
