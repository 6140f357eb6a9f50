"""A TCP relay that counts connections: how many a client opens, seen from outside."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import cast
from urllib.parse import urlsplit

from .server import url_of


class Relay(ThreadingTCPServer):
    """Passes on every connection to `target`."""

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = target
        self.opened = 0


class _Connection(BaseRequestHandler):
    request: socket.socket

    def handle(self) -> None:
        relay = cast("Relay", self.server)
        relay.opened += 1
        with socket.create_connection(relay.target) as upstream:
            answers = threading.Thread(target=_pump, args=(upstream, self.request))
            answers.start()
            _pump(self.request, upstream)
            answers.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    # A side may reset the connection: then there is nothing left to pass on.
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@dataclass
class Counter:
    """What to connect to, and how often somebody did."""

    relay: Relay

    @property
    def base_url(self) -> str:
        return url_of(self.relay.server_address[1])

    @property
    def connections(self) -> int:
        return self.relay.opened


@contextmanager
def counting(base_url: str) -> Iterator[Counter]:
    """A relay to the server at `base_url`. The client must be closed before this ends."""
    address = urlsplit(base_url)
    assert address.hostname is not None
    assert address.port is not None
    with Relay((address.hostname, address.port)) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Counter(relay)
        relay.shutdown()
        thread.join()
