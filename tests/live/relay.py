"""A TCP relay that counts connections: how many a client opens, seen from outside."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import cast
from urllib.parse import urlsplit

from .server import url_of


class Relay(ThreadingTCPServer):
    """Passes every connection on to `target`, and keeps count."""

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = target
        self.connections: list[socket.socket] = []

    @property
    def base_url(self) -> str:
        """What a client is given to be counted."""
        return url_of(self.server_address[1])


class _Connection(BaseRequestHandler):
    request: socket.socket

    def handle(self) -> None:
        relay = cast("Relay", self.server)
        relay.connections.append(self.request)
        with socket.create_connection(relay.target) as upstream:
            answers = threading.Thread(target=_pump, args=(upstream, self.request))
            answers.start()
            _pump(self.request, upstream)
            answers.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    # Either side may break the connection off: then there is nothing left to pass on.
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def counting(base_url: str) -> Iterator[Relay]:
    """A relay to the server at `base_url`."""
    address = urlsplit(base_url)
    assert address.hostname is not None
    assert address.port is not None
    with Relay((address.hostname, address.port)) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield relay
        finally:
            relay.shutdown()
            thread.join()
            for connection in relay.connections:  # those which the client left open
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
