r"""A request, read from bytes: those of a connection, or of a recording.

Strict, as the RFC allows: what is read here differently than by another
server would hide a mistake. What is left out: sockets, and what is answered.

Specification: RFC 9112, HTTP/1.1

>>> import io
>>> read(io.BytesIO(b"GET /v1/models HTTP/1.1\r\nHost: here\r\n\r\n")).target
'/v1/models'
"""

import re
from collections.abc import Callable
from typing import BinaryIO

from rawllm.testing.scripts import Request

MOST_HEAD: int = 1 << 16
MOST_BODY: int = 100 << 20  # llama-server's own limit

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE = re.compile(rf"({_NAME.pattern}) (\S+) (HTTP/1\.[01])")


class UnreadableError(Exception):
    """A request that cannot be read. `status` is what the client is to be told."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def read(source: BinaryIO, proceed: Callable[[], object] = lambda: None) -> Request | None:
    """The next request, `None` where the bytes end before it.

    `proceed` is called where the client waits for a word to send its body.
    Raises `EOFError` where the bytes end in the middle of a request, and
    `UnreadableError` for one that is none or too large.
    """
    part = _Part(source)
    try:
        line = part.line() or part.line()  # an empty line before it is forgiven: RFC 9112, 2.2
    except EOFError:
        if not part.raw.strip():
            return None
        raise
    found = _LINE.fullmatch(line)
    if not found:
        raise UnreadableError(400, f"not a request line of HTTP/1.1: {line[:100]!r}")
    headers: dict[str, str] = {}
    while line := part.line():
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise UnreadableError(400, f"not a header: {line[:100]!r}")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if headers.get("expect", "").lower() == "100-continue":
        proceed()
    part.begin(MOST_BODY, 413, "body")
    body = _body(headers, part)
    return Request(found[1], found[2], headers, body, bytes(part.raw), found[3])


def _body(headers: dict[str, str], part: "_Part") -> bytes:
    coding = headers.get("transfer-encoding")
    if coding is None:
        return part.exactly(_size(headers.get("content-length", "0"), 10))
    if coding.lower() != "chunked":
        raise UnreadableError(501, f"a Transfer-Encoding that is not known here: {coding[:100]!r}")
    body = bytearray()
    while size := _size(part.line().partition(";")[0].strip(), 16):
        body += part.exactly(size)
        if part.exactly(2) != b"\r\n":
            raise UnreadableError(400, "a chunk that is longer than it says")
    while part.line():
        pass  # trailers
    return bytes(body)


def _size(digits: str, base: int) -> int:
    if not re.fullmatch(r"[0-9]+" if base == 10 else r"[0-9A-Fa-f]+", digits):
        raise UnreadableError(400, f"not a length: {digits[:100]!r}")
    return int(digits[:1000], base)  # Python reads no longer ones, and they are too large anyway


class _Part:
    """The bytes of one request, of which each part may have so many."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.raw = bytearray()
        self.begin(MOST_HEAD, 431, "head")

    def begin(self, most: int, status: int, name: str) -> None:
        """What comes next is another part."""
        self._left = most
        self._too_large = (status, f"a {name} of more than {most} bytes")

    def line(self) -> str:
        """The next line without its end."""
        data = self._source.readline(self._left)
        self.raw += data
        self._left -= len(data)
        if not data.endswith(b"\n"):
            raise EOFError if self._left else UnreadableError(*self._too_large)
        return data.removesuffix(b"\n").removesuffix(b"\r").decode("latin-1")

    def exactly(self, size: int) -> bytes:
        if size > self._left:
            raise UnreadableError(*self._too_large)
        data = self._source.read(size)
        self.raw += data
        self._left -= size
        if len(data) < size:
            raise EOFError
        return data
