"""A server that sends an answer up to a byte, and then closes, resets or falls silent.

One for very many exchanges, each of which costs it little.
"""

from __future__ import annotations

import enum
import fcntl
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import rawllm
from tests.servers import PATIENCE, reset_when_closed


class Way(enum.Enum):
    """How it ends."""

    FIN = "closed (FIN)"
    RST = "reset (RST)"
    SILENCE = "then silence"


class Slot:
    """A client, what the server is to send to it next, and the connection on which it has."""

    def __init__(self, url: str) -> None:
        self.client = rawllm.Client(url, "sk-made-up", max_retries=0, timeout=PATIENCE)
        self._script = b"", Way.FIN
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        #: When the last byte was there for the client to read, as `time.monotonic()` has it.
        self.sent: float | None = None

    def play(self, data: bytes, then: Way) -> None:
        self._script, self.sent = (data, then), None

    @property
    def is_long(self) -> bool:
        """Whether it does not fit the buffers of a connection."""
        return len(self._script[0]) > 1 << 15

    def answer(self, connection: socket.socket) -> None:
        """The server's part."""
        data, then = self._script
        if then is not Way.FIN:
            # Known first, for the client may have read all of it before this thread goes on.
            self.reset(connection)
        try:
            connection.sendall(data)
            if then is Way.SILENCE:
                self.sent = arrived(connection)
        except (OSError, ValueError):  # the client has left, or this end has been reset
            connection.close()
        if then is Way.FIN:
            connection.close()
        elif then is Way.RST:
            self.reset()

    def reset(self, held: socket.socket | None = None) -> None:
        """End the connection that is held, from the server's side, and hold this one."""
        with self._lock:
            connection, self._connection = self._connection, held
        if connection is not None:
            reset_when_closed(connection)
            connection.close()


def arrived(connection: socket.socket) -> float | None:
    """When all that was sent is where the client reads it: now, or soon if there was much of it."""
    start = time.monotonic()
    while (now := time.monotonic()) < start + PATIENCE:
        if sys.platform != "linux" or not any(fcntl.ioctl(connection, _UNSENT, bytes(4))):
            return now
        time.sleep(0.001)
    return None


_UNSENT = 0x894B  # SIOCOUTQNSD: how many bytes have not gone out, be they acknowledged or not


class Server:
    """One thread for all slots; the path's first part says whose the request is."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._slots: list[Slot] = []
        self._lock = threading.Lock()
        self._url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def slot(self) -> Slot:
        with self._lock:
            slot = Slot(f"{self._url}/{len(self._slots)}/v1")
            self._slots.append(slot)
        return slot

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            number = int(_request(connection).split(b"/", 2)[1])
        except OSError:  # the client has left
            connection.close()
            return
        slot = self._slots[number]
        if slot.is_long:
            # Sending waits for the client, for which no other client is to wait.
            threading.Thread(target=slot.answer, args=(connection,), daemon=True).start()
        else:
            slot.answer(connection)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)
        for slot in self._slots:
            slot.reset()
            slot.client.close()


def _request(connection: socket.socket) -> bytes:
    request = b""
    missing = 1
    while missing > 0:
        data = connection.recv(1 << 16)
        if not data:
            raise ConnectionError
        request += data
        end = request.find(b"\r\n\r\n") + 4
        found = _LENGTH.search(request, 0, end)
        missing = end + (int(found[1]) if found else 0) - len(request) if end > 3 else 1
    return request


_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()
