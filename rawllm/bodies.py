"""The bytes of a body as they come, read past urllib3 where nothing is to be decoded.

What `requests` offers holds back a body that ends with its connection;
urllib3's `read1` does not, but costs a stream as much as parsing it. Private
to urllib3 is where it keeps http.client's response; where there is none, as in
mocks, its own `read1` does the same. What is left out: what a failure means.
"""

import http.client
from typing import Any, Protocol

from rawllm.chunks import Chunks

_READ = 65536  # bytes asked for at once; what is there is returned at once


class Body(Protocol):
    """A body under way."""

    def read1(self) -> bytes:
        """The next bytes, as soon as there are any; `b""` at the end.

        Raises what urllib3 and http.client do. At the end the connection is
        given back, for another call.
        """
        ...


def body_of(raw: Any) -> Body:
    """The body of urllib3's response `raw`."""
    plain = getattr(raw, "_original_response", None)
    if not isinstance(plain, http.client.HTTPResponse) or "Content-Encoding" in raw.headers:
        return _Decoded(raw)
    return _Chunked(raw, plain) if plain.chunked else _Plain(raw, plain)


class _Decoded:
    """A body that is compressed, or a mock's."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def read1(self) -> bytes:
        data: bytes = self._raw.read1(_READ, decode_content=True)
        return data


class _Plain:
    """A body with a length, or one that ends with its connection."""

    def __init__(self, raw: Any, plain: http.client.HTTPResponse) -> None:
        self._raw = raw
        self._plain = plain

    def read1(self) -> bytes:
        plain = self._plain
        data = plain.read1(_READ)
        if plain.length:
            if not data:
                raise http.client.IncompleteRead(b"", plain.length)
        elif not data or plain.length == 0:
            plain.close()  # which `read1` leaves undone, up to Python 3.12
            self._raw.release_conn()
        return data


class _Chunked:
    """A chunked body."""

    def __init__(self, raw: Any, plain: http.client.HTTPResponse) -> None:
        self._raw = raw
        self._plain = plain
        self._chunks = Chunks()

    def read1(self) -> bytes:
        chunks = self._chunks
        while not chunks.over:
            data = self._plain.fp.read1(_READ)
            if not data:
                raise http.client.IncompleteRead(b"")
            if body := chunks.feed(data):
                self._give_back()
                return body
        self._give_back()
        return b""

    def _give_back(self) -> None:
        if self._chunks.over and not self._plain.isclosed():
            self._plain.close()
            if self._chunks.rest:
                self._raw.close()  # nothing that comes next on it can be trusted
            self._raw.release_conn()
