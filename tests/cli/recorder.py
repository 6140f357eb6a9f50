"""A TCP relay that writes down what passes it, and knows nothing of HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit


class Recorder(NamedTuple):
    """All bytes of all connections, both ways, in the order in which they passed."""

    base_url: str
    asked: bytearray
    answered: bytearray


@contextmanager
def recording(base_url: str) -> Iterator[Recorder]:
    """A relay to the server at `base_url`."""
    target = urlsplit(base_url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        url = urlunsplit(target._replace(netloc=f"127.0.0.1:{port}"))
        recorder = Recorder(url, bytearray(), bytearray())
        thread = threading.Thread(
            target=_relay, args=(listener, (target.hostname, target.port), recorder)
        )
        thread.start()
        try:
            yield recorder
        finally:
            with suppress(OSError):  # macOS says that a listener has nobody to tell
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()


def _relay(
    listener: socket.socket, target: tuple[str | None, int | None], recorder: Recorder
) -> None:
    pumps: list[threading.Thread] = []
    with suppress(OSError):  # the listener was closed
        while True:
            client = listener.accept()[0]
            server = socket.create_connection(target)
            ways = ((client, server, recorder.asked), (server, client, recorder.answered))
            pair = [threading.Thread(target=_pump, args=way) for way in ways]
            pumps += [*pair, threading.Thread(target=_close, args=(pair, client, server))]
            for thread in pumps[-3:]:
                thread.start()
    for thread in pumps:
        thread.join()


def _pump(source: socket.socket, sink: socket.socket, heard: bytearray) -> None:
    with suppress(OSError):  # either side may break the connection off
        while data := source.recv(65536):
            heard += data
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _close(pumps: list[threading.Thread], *sockets: socket.socket) -> None:
    for thread in pumps:
        thread.join()
    for one in sockets:
        one.close()
