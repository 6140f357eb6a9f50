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

_MOST = 1 << 13  # bytes of a size with its extensions, or of all trailers

#: A chunk's size. What else may stand in its line says nothing to this protocol.
_SIZE = re.compile(rb"(?=[^\n]{1,%d}\n)([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n" % (_MOST - 1))
_LINE_END = b"\r\n"
_END = re.compile(rb"\r?\n")  # of a chunk
_TRAILER = re.compile(rb"[^\n]*\n")


class ChunkError(ValueError):
    """What came is no chunk."""


class Chunks:
    """One body under way."""

    def __init__(self) -> None:
        #: Whether the last chunk and the trailers have come.
        self.over: bool = False
        #: Why what came next is no chunk, if it is none: then nothing more is told apart.
        self.fault: ChunkError | None = None
        #: What came after the end, which is no part of the body.
        self.rest: bytes = b""
        #: Bytes of this chunk that are to come.
        self.left: int = 0
        self._awaits = _SIZE  # the line that comes next
        self._line = b""  # as much of it as has come
        self._trailers = 0  # bytes of trailers

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body that `data` brings."""
        data, self._line = self._line + data, b""
        body = []
        at = 0
        while at < len(data) and not (self.over or self.fault):
            if self.left:
                piece = data[at : at + self.left]
                body.append(piece)
                at += len(piece)
                self.left -= len(piece)
                if not self.left and data.startswith(_LINE_END, at):  # as nearly always
                    at += 2
                    self._awaits = _SIZE
            elif (line := self._awaits.match(data, at)) is None:
                self._line = data[at:]
                self.fault = self._wrong(self._line)
                at = len(data)
            else:
                at = line.end()
                if self._awaits is _SIZE:
                    self.left = int(line[1], 16)
                    self._awaits = _END if self.left else _TRAILER
                elif self._awaits is _END:
                    self._awaits = _SIZE
                else:
                    self._trailers += len(line[0])
                    self.over = line[0] in (b"\r\n", b"\n")
        if self._trailers + len(self._line) > _MOST and not self.fault:
            self.fault = ChunkError("a line of a chunked body without an end")
        if self.over:
            self.rest += data[at:]
        return b"".join(body)

    def _wrong(self, line: bytes) -> ChunkError | None:
        """What is wrong with the `line` that is awaited, as far as it has come."""
        if self._awaits is _END and line != b"\r":
            return ChunkError("a chunk that is longer than its size")
        if b"\n" in line:
            return ChunkError("a chunk without a size")
        return None
