"""Connections that say what requests does not: their socket, and what became of it.

urllib3 pools and reuses them. A limit can shut the socket down while the
connection is made or the headers are awaited, and a dead pooled connection is
told from a server that fails. What is left out: what a failure was
(`troubles.py`).
"""

import contextlib
import http.client
import queue
import re
import socket
import threading
import time
from typing import Any

import urllib3
import urllib3.connection
import urllib3.util.connection

from rawllm.deadlines import Watch
from rawllm.troubles import ProxyLeftError

_LENGTH = re.compile("[0-9]{1,18}")
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
    """Notes whether an answer has begun, and takes none whose head breaks off, or is not the last.

    http.client skips 100 alone; RFC 9110 section 15.2 has others, such as 103.
    """

    def begin(self) -> None:
        fp = self.fp
        wire.begun = bool(fp.peek(1))
        self.fp = _Head(fp)  # type: ignore[assignment]  # all of a file that is asked for
        try:
            super().begin()
            while http.client.SWITCHING_PROTOCOLS < self.status < http.client.OK:
                self.headers = None  # type: ignore[assignment]  # as before the head was read
                super().begin()
            self._measure(self.headers.get_all("Content-Length"))
            self.will_close = self.will_close or self._has_a_rest()
        finally:
            self.fp = fp if self.fp else None  # type: ignore[assignment]  # closed by then

    def _has_a_rest(self) -> bool:
        """Whether more may come that is no answer to the next call (RFC 9110 15.2.2 and 15.3.5).

        After 101 it is no HTTP; a 204 ends with its head, but this one announces a body.
        """
        announced = self.chunked or self.headers.get("Content-Length", "0") != "0"
        empty = self.status == http.client.NO_CONTENT
        return self.status == http.client.SWITCHING_PROTOCOLS or (empty and announced)

    def _measure(self, given: list[str] | None) -> None:
        """Take no length that is none, or two. Source: RFC 9112 section 6.3.

        http.client reads `1_0` as 10, and waits for the end of the connection
        where it cannot read a length at all.
        """
        if not given:
            return
        lengths = {length.strip() for line in given for length in line.split(",")}
        if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            raise http.client.HTTPException(f"Content-Length: {', '.join(given)[:40]}")
        if self.chunked:  # which counts; but the two are how one answer is passed for another
            self.will_close = True
        elif self.length is None:
            self.length = int(lengths.pop())


class _Head:
    """The lines of a head. http.client takes the end of a connection for the end of them."""

    def __init__(self, fp: Any) -> None:
        self._readline = fp.readline
        self._begun = False
        self.close = fp.close

    def readline(self, most: int) -> bytes:
        line: bytes = self._readline(most)
        # Of nothing at all, and of what is no HTTP, http.client says so.
        self._begun = self._begun or (bool(line) and b"HTTP/".startswith(line[:5]))
        if self._begun and not line.endswith(b"\n") and len(line) < most:
            raise http.client.RemoteDisconnected("the connection closed within the headers")
        return line


class _HTTPConnection(urllib3.connection.HTTPConnection):
    """Counts its requests, and is under the watch of the call that it serves."""

    response_class = _Answer
    requests_made = 0
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

    def close(self) -> None:
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


class _HTTPSConnection(_HTTPConnection, urllib3.connection.HTTPSConnection):
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
        if self.watch is not None and self.watch.ended:
            # http.client takes the end of a proxy's answer for the end of its headers.
            raise TimeoutError("the proxy did not answer in time")


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection  # pyright: ignore[reportAssignmentType]  # urllib3's protocol is narrower

    def _put_conn(self, conn: Any) -> None:
        # Private to urllib3, and the one place where a connection returns to
        # the pool. Without it a limit could shut the socket under the next
        # call; then `Reply` would only notice at its next read.
        if conn is not None:
            conn.release()
        super()._put_conn(conn)

    def close(self) -> None:
        """Close the idle connections. urllib3's own fails the calls that are about to take one."""
        idle: Any = self.pool
        for _ in range(idle.maxsize):
            with contextlib.suppress(queue.Empty):
                if (conn := idle.get(block=False)) is not None:
                    conn.close()


class _HTTPSPool(_HTTPPool, urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection  # pyright: ignore[reportAssignmentType]


#: For a pool manager's `pool_classes_by_scheme`.
POOLS: dict[str, type[urllib3.HTTPConnectionPool]] = {"http": _HTTPPool, "https": _HTTPSPool}


def socket_of(raw: Any) -> socket.socket | None:
    """The socket that urllib3's response is read from, `None` where it has none (in mocks).

    Private to urllib3: its connection lets go of the socket of a body that
    ends with it, and `shutdown()`, which is public, shuts but one direction.
    """
    sock = getattr(getattr(raw, "_sock_shutdown", None), "__self__", None)
    return sock if isinstance(sock, socket.socket) else None
