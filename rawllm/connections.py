"""Connections that say what requests does not: their socket, and what became of it.

urllib3 pools and reuses them. A limit can shut the socket down while the
connection is made or the headers are awaited, and a dead pooled connection is
told from a server that fails. What is left out: what a failure was
(`troubles.py`).
"""

import http.client
import socket
import threading
import time
from typing import Any

import urllib3
import urllib3.connection
import urllib3.util.connection

from rawllm import heads
from rawllm.deadlines import Watch
from rawllm.troubles import ProxyLeftError

_MOST_OF_A_LINE, _MOST_FIELDS = 1 << 16, 100  # of a head, in bytes and in number
_MOST_INTERIM = 10_000  # before one answer; some servers send one a second while they work
_SMALL = 1 << 16  # bytes that are copied rather than sent by themselves


class Wire(threading.local):
    """What the connection that serves this thread is to know, and has to say of the exchange."""

    watch: Watch | None = None
    #: What is asked for, where it holds secrets that urllib3 would log.
    target: str = ""
    #: The longest silence between two bytes, in seconds.
    read_timeout: float | None = None
    #: Whether there is a connection, TLS included.
    connected: bool = False
    #: Whether it had carried an earlier request.
    reused: bool = False
    #: Whether anything of the answer had come.
    begun: bool = False

    def start(self, watch: Watch | None, read_timeout: float | None = None) -> None:
        """Begin an exchange that `watch` limits, or end one with `None`."""
        self.watch, self.read_timeout = watch, read_timeout
        self.target = ""
        self.connected = self.reused = self.begun = False


wire: Wire = Wire()


class _Answer(http.client.HTTPResponse):
    """Notes whether an answer has begun, and reads its head as `heads.py` says.

    http.client takes the end of a connection for the end of a head, and skips 100
    alone of what comes before an answer.
    """

    fp: Any = None  # Ctrl-C may come before http.client sets it, and closing looks at it

    def begin(self) -> None:
        for _ in range(1 + _MOST_INTERIM):
            head = heads.parsed(self._lines())
            if not head.is_interim:
                break
        else:
            raise heads.HeadError(f"more than {_MOST_INTERIM} interim answers (1xx)")
        self.version, self.status, self.reason, fields = head
        self.code = self.status
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            self.headers.set_raw(name, value)
        method = getattr(self, "_method", None)  # private to http.client
        self.chunked, self.length, self.will_close = heads.framing(head, method)
        self.chunk_left = None  # the first is still to come

    def _lines(self) -> list[bytes]:
        """The lines of the next head."""
        start = self._start()
        lines: list[bytes] = []
        while len(lines) <= 1 + _MOST_FIELDS:
            line: bytes = start + self.fp.readline(_MOST_OF_A_LINE + 1)
            start = b""
            if len(line) > _MOST_OF_A_LINE:
                raise heads.HeadError(f"a header of more than {_MOST_OF_A_LINE} bytes")
            if not line.endswith(b"\n"):
                where = "within the headers" if line or lines else "without an answer"
                raise http.client.RemoteDisconnected(f"the connection closed {where}")
            text = line.removesuffix(b"\n").removesuffix(b"\r")
            if not text:
                return lines
            lines.append(text)
        raise heads.HeadError(f"more than {_MOST_FIELDS} headers")

    def _start(self) -> bytes:
        """The first bytes of a head, as far as they came too few at a time to be told.

        They are judged as they come: a server that speaks something else may wait for us.
        """
        start = b""
        while True:
            seen = self.fp.peek(1)
            wire.begun = wire.begun or bool(seen)
            heads.check_start(start + seen)
            if not seen or len(start + seen) >= len(heads.START):
                return start
            start += self.fp.read(len(seen))


class HTTPConnection(urllib3.connection.HTTPConnection):
    """Counts its requests, and is under the watch of the call that it serves."""

    response_class: type[http.client.HTTPResponse] = _Answer
    requests_made: int = 0
    timeout: float | None
    #: The watch of the call that has this connection; none has it in the pool.
    watch: Watch | None = None
    #: The bytes of a request's head, until its body can go with them.
    _head: bytes | None = None

    def _new_conn(self) -> socket.socket:
        # urllib3's own gives each address of a host the whole time to connect,
        # and the socket is to be known before a proxy's or TLS's first answer.
        until = None if self.timeout is None else time.monotonic() + self.timeout
        try:
            family = urllib3.util.connection.allowed_gai_family()
            found = socket.getaddrinfo(self.host, self.port, family, socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise urllib3.exceptions.NameResolutionError(self.host, self, error) from error
        failure: OSError | None = None
        for place, (*_, address) in enumerate(found):
            left = None
            if until is not None:  # an equal part of what is left
                left = max((until - time.monotonic()) / (len(found) - place), 0.001)
            host = str(address[0]) if found[1:] else self.host  # which may name an interface
            try:
                sock = urllib3.util.connection.create_connection(
                    (host, self.port), left, self.source_address, self.socket_options
                )
            except OSError as error:
                failure = error
            else:
                self._attach(sock)
                return sock
        kind = (
            urllib3.exceptions.ConnectTimeoutError
            if isinstance(failure, TimeoutError)
            else urllib3.exceptions.NewConnectionError
        )
        raise kind(self, str(failure)) from failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request, over a connection that is made if there is none."""
        self.requests_made += 1
        wire.reused = self.requests_made > 1
        if self.sock is None:
            self.connect()
        self._attach(self.sock)
        wire.connected = True
        # What urllib3 has set is the time to connect, which sending may exceed.
        self.timeout = wire.read_timeout
        self._head = b""
        super().request(*args, **kwargs)
        self._flush()

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        """Ask for the target itself: urllib3 knows it without its secrets."""
        super().putrequest(method, wire.target or url, *args, **kwargs)

    def send(self, data: Any) -> None:
        """Send `data`; the head of a request goes in one write with a body that is small."""
        if self._head is None or not isinstance(data, bytes) or len(data) > _SMALL:
            self._flush()
            super().send(data)
        else:
            self._head += data

    def _flush(self) -> None:
        held, self._head = self._head, None
        if held:
            super().send(held)

    def getresponse(self) -> Any:
        """The answer's head; without one the server is told that nobody waits."""
        try:
            return super().getresponse()
        except BaseException:
            # A forked process may hold the socket too: closing it would not tell the server.
            if self.watch is not None:
                self.watch.shut()
            raise

    def close(self) -> None:
        """Close the socket; a next request begins anew."""
        self.requests_made, self._head = 0, None
        super().close()

    def release(self) -> None:
        """The call is over: its limits no longer concern this connection."""
        if self.watch is not None:
            self.watch.stop()
        self.watch = None

    def _attach(self, sock: Any) -> None:
        self.watch = wire.watch
        # TLS within a proxy's TLS is read through something that is no socket.
        if self.watch is not None and isinstance(sock, socket.socket):
            self.watch.attach(sock)


class HTTPSConnection(HTTPConnection, urllib3.connection.HTTPSConnection):
    """The same over TLS, whose handshake takes the socket apart: a copy is watched meanwhile."""

    _copy: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self._copy = sock.dup()
        self._attach(self._copy)
        if self.watch is not None and self.watch.ended:
            # ssl leaves a socket open that was reset before the handshake.
            sock.close()
            raise TimeoutError("the time was up before the handshake")
        return sock

    def connect(self) -> None:
        """Make the connection, to the end of its handshake."""
        try:
            super().connect()
        finally:
            if self._copy is not None:
                self._copy.close()

    def _tunnel(self) -> None:
        try:
            super()._tunnel()
        except ConnectionError as error:
            raise ProxyLeftError("it left", error) from error
        except http.client.HTTPException as error:
            raise urllib3.exceptions.ProxyError("it answered strangely", error) from error
        if self.watch is not None and self.watch.ended:
            # http.client takes the end of a proxy's answer for the end of its headers.
            raise TimeoutError("the proxy did not answer in time")


def socket_of(raw: Any) -> socket.socket | None:
    """The socket that urllib3's response is read from, `None` where it has none (in mocks).

    Private to urllib3: its connection lets go of the socket of a body that
    ends with it, and `shutdown()`, which is public, shuts but one direction.
    """
    sock = getattr(getattr(raw, "_sock_shutdown", None), "__self__", None)
    return sock if isinstance(sock, socket.socket) else None
