"""Connections that say what requests does not: their socket, and what became of it.

urllib3 pools and reuses them. A limit can shut the socket down while the
headers are still awaited, a dead pooled connection is told from a server that
fails, and a failure is named as in the table of `retries.py`, whichever of
three libraries raised it in whichever wrapping.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import urllib3
import urllib3.connection

from rawllm.deadlines import Watch

#: What urllib3 and http.client raise where a connection fails. A chunk size
#: that is no number is a ValueError (http.client).
TROUBLE = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


class Wire(threading.local):
    """What the connection that serves this thread has to say of the exchange under way."""

    watch: Watch | None = None
    sock: socket.socket | None = None
    #: Whether there is a connection, TLS included.
    connected: bool = False
    #: Whether it had carried an earlier request.
    reused: bool = False
    #: Whether the answer's status line had come.
    begun: bool = False

    def start(self, watch: Watch | None) -> None:
        """Begin an exchange that `watch` limits, or end one with `None`."""
        self.watch, self.sock = watch, None
        self.connected = self.reused = self.begun = False


wire: Wire = Wire()


class _Answer(http.client.HTTPResponse):
    """Notes when an answer breaks off after its status line."""

    def begin(self) -> None:
        try:
            super().begin()
        finally:
            wire.begun = isinstance(self.status, int)


class _HTTPConnection(urllib3.connection.HTTPConnection):
    """Counts its requests and notes its socket."""

    response_class = _Answer
    requests_made = 0

    def connect(self) -> None:
        super().connect()
        self._note()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.requests_made += 1
        wire.reused = self.requests_made > 1
        if self.sock is not None:
            self.sock.settimeout(self.timeout)  # a drained stream left its own
            self._note()
        super().request(*args, **kwargs)

    def close(self) -> None:
        self.requests_made = 0
        super().close()

    def _note(self) -> None:
        wire.connected = True
        # TLS within TLS, through a proxy, has no socket of its own to shut.
        if wire.watch is not None and isinstance(self.sock, socket.socket):
            wire.sock = self.sock
            wire.watch.attach(self.sock)


class _HTTPSConnection(_HTTPConnection, urllib3.connection.HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection  # pyright: ignore[reportAssignmentType]  # urllib3's protocol is narrower


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection  # pyright: ignore[reportAssignmentType]


#: For a pool manager's `pool_classes_by_scheme`.
POOLS: dict[str, type[urllib3.HTTPConnectionPool]] = {"http": _HTTPPool, "https": _HTTPSPool}

#: The kinds of exception and the event in `retries.RULES` each is; the first that fits holds.
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (urllib3.exceptions.ProxyError, "proxy"),
    (socket.gaierror, "dns"),
    (ssl.SSLCertVerificationError, "tls"),
    (ConnectionRefusedError, "refused"),
    (urllib3.exceptions.NewConnectionError, "unreachable"),
    (urllib3.exceptions.ConnectTimeoutError, "connect timeout"),
    (urllib3.exceptions.ReadTimeoutError, "timeout"),
    (TimeoutError, "timeout"),
    (ssl.SSLEOFError, "dropped"),
    (ConnectionError, "dropped"),
    (http.client.IncompleteRead, "dropped"),
    (ssl.SSLError, "plain"),
)


def event(trouble: BaseException) -> str:
    """Which event of `retries.RULES` an exception is, by the innermost ones it wraps."""
    chain = list(_chain(trouble))
    for kind, name in _KINDS:
        if any(isinstance(link, kind) for link in chain):
            return name
    # requests raises a bare OSError for one thing alone: no such file of certificates.
    return "tls" if type(trouble) is OSError else "protocol"


def _chain(trouble: BaseException | None) -> Iterator[BaseException]:
    """`trouble` and what it wraps, which each library keeps in another place."""
    for _ in range(10):
        if trouble is None:
            return
        yield trouble
        wrapped = [getattr(trouble, "reason", None), *trouble.args]
        inner = [link for link in wrapped if isinstance(link, BaseException)]
        trouble = inner[0] if inner else trouble.__cause__ or trouble.__context__


def cause(trouble: BaseException | None) -> str:
    """The words of the innermost exception. The outer ones would repeat the whole URL."""
    links = list(_chain(trouble))
    return str(links[-1]) or type(links[-1]).__name__ if links else ""
