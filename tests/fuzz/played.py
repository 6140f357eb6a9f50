"""A client whose connections play bytes: all of it is real, down to the socket's `recv`.

No server, no thread and no waiting, so that a thousand answers a second can be
read. What is replaced is urllib3's `create_connection`.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any
from unittest import mock

import urllib3.util.connection

import rawllm

KEY = "sk-fuzz-0123456789"


class Ends:
    """How a connection ends."""

    FIN, RST, SILENCE = range(3)


class Played(socket.socket):
    """A connected socket, as far as its reader can tell.

    `poll` says the truth of it: there is something to read while there is, or when it is over.
    """

    def __init__(self, wire: Wire) -> None:
        ours, other = socket.socketpair()
        super().__init__(fileno=ours.detach())
        self._other = other.detach()
        self._wire = wire
        self._pieces: list[bytes] = []
        self._answered = True
        #: What has been read of the answer to the latest request.
        self.taken = b""
        #: How many requests have come.
        self.asked = 0

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Nobody reads it; but what comes after an answer, or first, is a request."""
        del data, flags
        if self._answered:
            self._answered = False
            self._pieces[:0] = [piece for piece in self._wire.pieces[::-1] if piece]
            self._end = self._wire.end
            self.taken = b""
            self.asked += 1
            os.write(self._other, b"x")

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        del flags
        self._answered = True
        if not self._pieces:
            if self._end == Ends.RST:
                raise ConnectionResetError(104, "Connection reset by peer")
            if self._end == Ends.SILENCE:
                raise TimeoutError("timed out")
            return 0
        size = min(nbytes or len(buffer), len(buffer))
        piece = self._pieces.pop()
        if len(piece) > size:
            self._pieces.append(piece[size:])
            piece = piece[:size]
        buffer[: len(piece)] = piece
        self.taken += piece
        if not self._pieces and self._end == Ends.SILENCE:
            super().recv(1 << 10)
        return len(piece)

    def hang_up(self) -> None:
        """Let the next who asks whether it is alive learn that it is not."""
        os.write(self._other, b"x")

    def _real_close(self, *how: Any) -> None:
        """It is closed, and the last file of it."""
        super()._real_close(*how)  # type: ignore[misc]  # not in typeshed
        os.close(self._other)


class Wire:
    """What each request is answered with, and the connections that there have been."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.end = Ends.FIN
        self.sockets: list[Played] = []

    def connect(self, *address: Any, **options: Any) -> Played:
        del address, options
        sock = Played(self)
        self.sockets.append(sock)
        return sock

    @contextlib.contextmanager
    def plugged(self) -> Iterator[Wire]:
        """It is in the place of the network."""
        with mock.patch.object(urllib3.util.connection, "create_connection", self.connect):
            yield self

    def open(self) -> list[Played]:
        """The sockets that are open; the others are forgotten."""
        self.sockets = [sock for sock in self.sockets if sock.fileno() != -1]
        return self.sockets[:]


def playing() -> contextlib.AbstractContextManager[Wire]:
    """A new wire in the place of the network."""
    return Wire().plugged()


def client(**options: Any) -> rawllm.Client:
    """A client that does not wait for anything."""
    return rawllm.Client(
        "http://127.0.0.1:9/v1", KEY, max_retries=0, loading_timeout=0.0, timeout=None, **options
    )
