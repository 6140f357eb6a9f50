"""The bytes of a body as they come, read past urllib3 where nothing is to be decoded.

What `requests` offers holds back a body that ends with its connection;
urllib3's `read1` does not, but costs a stream as much as parsing it. Private
to urllib3 is where it keeps http.client's response; where there is none, as in
mocks, or something stands before it, as a cache does, urllib3's `read1` does
the same. What is left out: what a failure means.
"""

import http.client
import io
from typing import Any, Protocol

from rawllm.chunks import Chunks

_READ = 65536  # bytes asked for at once; what is there is returned at once


class Body(Protocol):
    """A body under way."""

    def read1(self) -> bytes:
        """The next bytes, as soon as there are any; `b""` at the end.

        Raises what urllib3 and http.client do, `ConnectionError` for one that is
        cut, and `ValueError` for what is no chunk. At the end the connection
        is given back, for another call.
        """
        ...


def body_of(raw: Any) -> Body:
    """The body of urllib3's response `raw`."""
    plain = getattr(raw, "_fp", None)
    if (
        not isinstance(plain, http.client.HTTPResponse)
        or not isinstance(plain.fp, io.BufferedReader)
        or "Content-Encoding" in raw.headers
    ):
        return _Decoded(raw)
    # Where there is no body (HEAD, 204) the length is 0, whatever the headers say.
    chunked = plain.chunked and plain.length is None
    return _Plain(raw, plain, Chunks() if chunked else _Length(plain.length))


class _Decoded:
    """A body that is compressed, or a mock's."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def read1(self) -> bytes:
        data: bytes = self._raw.read1(_READ, decode_content=True)
        return data


class _Plain:
    """A body that is sent as it is, but for its framing."""

    def __init__(
        self, raw: Any, plain: http.client.HTTPResponse, framing: "Chunks | _Length"
    ) -> None:
        self._raw = raw
        self._plain = plain
        self._framing = framing

    def read1(self) -> bytes:
        framing = self._framing
        body = b""
        while not (body or framing.over):
            if framing.fault:
                raise framing.fault
            fp: Any = self._plain.fp  # None once the response has been closed
            data = fp.read1(_READ) if fp is not None else b""
            if not data and framing.left:
                raise ConnectionError(f"{framing.left} more bytes were announced")
            if not data and framing.left is not None:
                raise ConnectionError("the last chunk did not come")
            body = framing.feed(data)
        if framing.over:
            self._give_back()
        return body

    def _give_back(self) -> None:
        self._plain.close()
        if self._framing.rest:
            self._raw.close()  # nothing that comes next on it can be trusted
        self._raw.release_conn()


class _Length:
    """What `Chunks` is, of a body with a length; `None`: it ends with its connection."""

    def __init__(self, left: int | None) -> None:
        self.left = left
        self.fault = None
        self.over = left == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        if self.left is None:
            self.over = not data
            return data
        body, self.rest = data[: self.left], data[self.left :]
        self.left -= len(body)
        self.over = not self.left
        return body
