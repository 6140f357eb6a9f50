"""What an exception of the network was, whichever of four libraries raised it, however wrapped.

It is named as in the table of `retries.py`. What is left out: what a person is
told of it, which is in `failures.py`.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator

import urllib3

#: What urllib3 and http.client raise where a connection fails. What is no chunk
#: and no head is a ValueError.
TROUBLE = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


class ProxyLeftError(urllib3.exceptions.ProxyError):
    """The proxy closed the connection instead of answering CONNECT."""


#: What TLS says to an answer that is no TLS.
_NOT_TLS = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
}

#: The kinds of exception and the event in `retries.RULES` each is; the first that fits holds.
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (ProxyLeftError, "proxy left"),
    (urllib3.exceptions.ProxyError, "proxy"),
    (urllib3.exceptions.ProxySchemeUnknown, "proxy"),
    (socket.gaierror, "dns"),
    (UnicodeError, "dns"),  # a label too long for a name
    (urllib3.exceptions.LocationParseError, "proxy"),  # ours have been taken apart before
    (ConnectionRefusedError, "refused"),
    (urllib3.exceptions.NewConnectionError, "unreachable"),
    (urllib3.exceptions.ConnectTimeoutError, "connect timeout"),
    (urllib3.exceptions.ReadTimeoutError, "timeout"),
    (TimeoutError, "timeout"),
    (ssl.SSLEOFError, "dropped"),
    (ConnectionError, "dropped"),
    (http.client.IncompleteRead, "dropped"),
    (ssl.SSLError, "tls"),
)


def event(trouble: BaseException, handled: BaseException | None = None) -> str:
    """Which event of `retries.RULES` an exception is, by the innermost ones it wraps.

    `handled` is what the caller was handling before, of which this one is no part.
    """
    chain = list(_chain(trouble, handled))
    if any(
        getattr(link, "reason", None) in _NOT_TLS for link in chain if type(link) is ssl.SSLError
    ):
        return "plain"
    for kind, name in _KINDS:
        if any(isinstance(link, kind) for link in chain):
            return name
    # requests raises a bare OSError for one thing alone: no such file of certificates.
    return "tls" if type(trouble) is OSError else "protocol"


def innermost(trouble: BaseException, handled: BaseException | None = None) -> BaseException:
    """The exception that began it. The texts of those around it repeat the whole URL."""
    chain = list(_chain(trouble, handled))
    for link in chain:
        # Frames hold what they raised, and their callers: what these drop would stay open.
        link.__traceback__ = None
    return chain[-1]


def _chain(trouble: BaseException | None, handled: BaseException | None) -> Iterator[BaseException]:
    """`trouble` and what it wraps, which each library keeps in another place."""
    for _ in range(10):
        if trouble is None or trouble is handled:
            return
        yield trouble
        wrapped = [getattr(trouble, "reason", None), *trouble.args]
        inner = [link for link in wrapped if isinstance(link, BaseException)]
        trouble = inner[0] if inner else trouble.__cause__ or trouble.__context__
