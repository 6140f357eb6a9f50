r"""The chunks of a body whose length nobody knows: bytes in, the body's bytes out.

What is left out: reading, and bodies with a length.

http.client does the same a chunk at a time, which costs a stream of small ones
as much as parsing it, and takes the end of a connection inside a size of zeros
for the end of the body.

Specification: RFC 9112 section 7.1

>>> chunks = Chunks()
>>> chunks.feed(b"5\r\nHello\r\n7\r\n the"), chunks.feed(b"re!\r\n0\r\n\r\n"), chunks.over
(b'Hello the', b're!', True)
"""

import re

#: A chunk's size. What else may stand in its line says nothing to this protocol.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
_MOST = 1 << 13  # bytes of a size with its extensions, or of all trailers


class Chunks:
    """One body under way.

    Raises `ValueError` for what is no chunk, and then is of no more use.
    """

    def __init__(self) -> None:
        #: Whether the last chunk and the trailers have come.
        self.over: bool = False
        #: What came after them, which is no part of the body.
        self.rest: bytes = b""
        self._left = 0  # bytes of this chunk that are to come
        self._open = False  # whether its line end is to come too
        self._last = False  # whether it was the last one
        self._line = b""  # a line without its end yet
        self._trailers = 0  # bytes of trailers

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body that `data` brings."""
        data, self._line = self._line + data, b""
        body = []
        at = 0
        while at < len(data) and not self.over:
            if self._left:
                piece = data[at : at + self._left]
                body.append(piece)
                at += len(piece)
                self._left -= len(piece)
            elif self._open and data.startswith(b"\r\n", at):
                self._open = False
                at += 2
            elif not (self._open or self._last) and (size := _SIZE.match(data, at)):
                self._left = int(size[1], 16)
                self._open, self._last = self._left > 0, not self._left
                at = size.end()
            else:
                at = self._take_line(data, at)
        self.rest += data[at:] if self.over else b""
        return b"".join(body)

    def _take_line(self, data: bytes, at: int) -> int:
        """A line that is no size: of the trailers, not whole yet, or wrong. Where it ends."""
        end = data.find(b"\n", at) + 1
        line = data[at : end or len(data)]
        if self._trailers + len(line) > _MOST:
            raise ValueError("a line of a chunked body without an end")
        if not end:
            self._line = line
            return len(data)
        bare = line.rstrip(b"\r\n")
        if self._open and bare:
            raise ValueError(f"a chunk that is longer than its size: {bare[:40]!r}")
        if not (self._open or self._last):
            raise ValueError(f"a chunk whose size is no number: {bare[:40]!r}")
        if self._last:
            self._trailers += len(line)
            self.over = not bare
        self._open = False
        return end
