"""A relay between a client and a server on this machine, which can be told what goes wrong.

It looks at bytes alone, so that TLS passes through it as well. What is left
out: names that do not resolve, which no relay is asked for.
"""

from __future__ import annotations

import enum
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from tests.servers import PATIENCE

ACCEPTED, ASKED = -2, -1  # before any byte of an answer: nothing was read, or the request was

_STEP = 1 << 16
_TRICKLE = 0.02  # seconds between two bytes


class How(enum.Enum):
    FIN = "closed"
    RST = "reset"
    SILENCE = "silent"
    TRICKLE = "a byte each 20 ms"
    LATE = "late, and well from then on"
    DEAF = "silent, and what the client sends is not read"


class Fault(NamedTuple):
    """What becomes of an exchange, once so many bytes of the answer have passed.

    With `ACCEPTED` and `ASKED` the server never sees the request; with 0 it
    has answered, and the client does not see that.
    """

    how: How
    after: int = ASKED
    #: What is said before in the server's place.
    says: bytes = b""
    #: By so many seconds is late what comes late.
    late: float = 0.1


class Proxy:
    """A place to connect to, at first as `start` says: "open", "closed" or "full".

    "closed" refuses connections, "full" lets them wait for ever. What goes
    wrong on those that it takes is `fault`, until that is set to `None`. With
    `tunnels` it is to be asked by CONNECT first, and a fault is met there.
    """

    def __init__(
        self,
        target: int,
        fault: Fault | None = None,
        *,
        start: str = "open",
        tunnels: bool = False,
        place: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.fault = fault
        #: Whether connections that are made from now on are well.
        self.spares_new = False
        #: How often a connection or a request came to harm.
        self.harmed = 0
        #: How many connections were taken.
        self.accepted = 0
        self._target = target
        self._tunnels = tunnels
        #: The server's side of each relay, whose end is the client's too.
        self._relays: dict[socket.socket, socket.socket | None] = {}
        self._threads: list[threading.Thread] = []
        self._fillers: list[socket.socket] = []
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # So that a client which is not listened to cannot send much.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self._listener.bind(place)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{place[0]}:{self.port}/v1"
        if start == "open":
            self.open()
        elif start == "full":
            self._fill()

    def open(self) -> None:
        """From now on take connections; those that others had waited for in vain are gone."""
        for filler in self._fillers:
            filler.close()
        self._listener.listen(128)
        self._start(self._accept)

    def mend(self) -> None:
        """All is well from now on."""
        self.fault = None
        if not self._threads:
            self.open()

    def drop(self, how: How) -> None:
        """Close or reset every connection, which has been done when this returns."""
        with self._lock:
            for client, server in self._relays.items():
                if how is How.RST:
                    _linger(client)
                if server is not None:
                    server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(PATIENCE)

    def close(self) -> None:
        self._closing.set()
        with suppress(OSError):  # it had never listened
            self._listener.shutdown(socket.SHUT_RDWR)
        for filler in self._fillers:
            filler.close()
        with self._lock:
            for client in self._relays:
                with suppress(OSError):  # it has gone already
                    client.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(PATIENCE)
        self._listener.close()

    # --- connections --------------------------------------------------------

    def _fill(self) -> None:
        """Have more connections wait than the system lets wait."""
        self._listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            self._fillers.append(filler)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closing.is_set():
                    client.close()
                    return
                self._relays[client] = None
                self.accepted += 1
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        spared = self.spares_new
        fault = None if spared else self.fault
        with client:
            with suppress(OSError):
                if self._tunnels:
                    _read_head(client)
                if fault is not None and (fault.after == ACCEPTED or self._tunnels):
                    self._harm(client, fault)
                else:
                    with socket.create_connection(("127.0.0.1", self._target)) as server:
                        with self._lock:
                            self._relays[client] = server
                        if self._tunnels:
                            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                        self._relay(client, server, spared)
            with self._lock:
                del self._relays[client]

    def _relay(self, client: socket.socket, server: socket.socket, spared: bool) -> None:
        """Pass bytes on, exchange by exchange: what a client sends after an answer is the next."""
        fault, asking, passed = None, False, 0
        while True:
            readable, _, _ = select.select([client, server], [], [], PATIENCE)
            if client in readable:
                data = client.recv(_STEP)
                if not data:
                    return
                if not asking:
                    fault, asking, passed = None if spared else self.fault, True, 0
                if fault is not None and fault.after == ASKED:
                    self._harm(client, fault)
                    return
                server.sendall(data)
            elif server in readable:
                data, asking = server.recv(_STEP), False
                passes = 0
                if fault is not None and passed + len(data) >= fault.after:
                    passes = max(fault.after - passed, 0)
                    client.sendall(data[:passes])
                    if fault.how is not How.LATE:
                        self._harm(client, fault, data[passes:])
                        return
                    self._closing.wait(fault.late)
                    fault = None
                client.sendall(data[passes:])
                passed += len(data)
            if not readable or not data:
                return

    def _harm(self, client: socket.socket, fault: Fault, rest: bytes = b"") -> None:
        with self._lock:
            self.harmed += 1
        how = fault.how
        if how is How.TRICKLE:
            for byte in fault.says + rest:
                client.sendall(bytes([byte]))
                if self._closing.wait(_TRICKLE):
                    return
        elif fault.says:
            client.sendall(fault.says)
        if how is How.RST:
            _linger(client)
            return
        if how is How.DEAF:
            self._closing.wait(PATIENCE)
            return
        if how is How.FIN:
            client.shutdown(socket.SHUT_WR)
        # Closed with bytes unread, it would be reset.
        while client.recv(_STEP):
            pass


def _read_head(sock: socket.socket) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = sock.recv(1)
        if not data:
            raise ConnectionError
        head += data


def _linger(sock: socket.socket) -> None:
    """Have it reset rather than closed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def proxied(target: int, fault: Fault | None = None, **options: Any) -> Iterator[Proxy]:
    """A proxy to the server at the port `target`, as long as the `with` block."""
    proxy = Proxy(target, fault, **options)
    try:
        yield proxy
    finally:
        proxy.close()
