"""A client whose connections play bytes: all of it is real, down to the socket's `recv`.

No server, no thread and no waiting, so that a thousand answers a second can be
read. What is replaced is urllib3's `create_connection`.
"""

from __future__ import annotations

import contextlib
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
    """A connected socket, as far as its reader can tell."""

    def play(self, pieces: list[bytes], end: int) -> None:
        self._pieces = pieces[::-1]
        self._end = end

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        del flags
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
        return len(piece)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Nobody reads it."""


class Wire:
    """What the next connections play, and those that there have been."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.end = Ends.FIN
        self.sockets: list[Played] = []

    def connect(self, *address: Any, **options: Any) -> Played:
        del address, options
        sock = Played()
        sock.play([piece for piece in self.pieces if piece], self.end)
        self.sockets.append(sock)
        return sock

    @contextlib.contextmanager
    def plugged(self) -> Iterator[Wire]:
        """It is in the place of the network."""
        with mock.patch.object(urllib3.util.connection, "create_connection", self.connect):
            yield self

    def open(self) -> int:
        """How many sockets are open; the others are forgotten."""
        self.sockets = [sock for sock in self.sockets if sock.fileno() != -1]
        return len(self.sockets)


def playing() -> contextlib.AbstractContextManager[Wire]:
    """A new wire in the place of the network."""
    return Wire().plugged()


def client(**options: Any) -> rawllm.Client:
    """A client that does not wait for anything."""
    return rawllm.Client(
        "http://127.0.0.1:9/v1", KEY, max_retries=0, loading_timeout=0.0, timeout=None, **options
    )
