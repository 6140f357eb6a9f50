r"""One JSON value a line, the form of Ollama's own streams: bytes in, lines out, and back.

No I/O happens here, and what a line says `objects.parse` tells. Time is linear in the bytes.

Specification: https://github.com/ndjson/ndjson-spec

>>> decoder = Decoder()
>>> decoder.feed(b'{"status":"pulling manifest"}\r\n\n{"sta')
['{"status":"pulling manifest"}']
>>> decoder.feed(b'tus":"success"}'), decoder.end()
([], ['{"status":"success"}'])
"""

import math

_BLANKS = b" \t\r"  # what JSON lets stand around a value, but for the LF


class LineTooLongError(ValueError):
    """A line exceeds the decoder's `max_line_bytes`."""


class Decoder:
    """Turn the bytes of one body, cut anywhere, into the texts of its values.

    Raises `LineTooLongError` when a line, complete or not, is of more than `max_line_bytes`.
    """

    def __init__(self, max_line_bytes: int | None = None) -> None:
        self.max_line_bytes = max_line_bytes
        self._most = math.inf if max_line_bytes is None else max_line_bytes
        self._tail = bytearray()  # the line that has no end yet

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, often none. Blank ones are left out."""
        first, *others = data.split(b"\n")
        self._tail += first
        lines = [bytes(self._tail), *others] if others else []
        if others:
            self._tail[:] = lines.pop()
        if any(len(line) > self._most for line in (*lines, self._tail)):
            raise LineTooLongError(f"a line of more than {self.max_line_bytes} bytes")
        return _texts(lines)

    def end(self) -> list[str]:
        """The last line, where it came without its end; nothing may be fed afterwards.

        To be asked for where the body is known to be whole: of one that was
        cut it may be half a value, as `12` is of `123`.
        """
        return _texts([bytes(self._tail)])


def encode(text: str) -> bytes:
    """The line of the JSON `text`, which `Decoder` turns back into it, less blanks around it.

    Raises `ValueError` for a text that is no line: it is blank, or holds an LF.
    """
    line = text.encode()
    if b"\n" in line or not line.strip(_BLANKS):
        raise ValueError(f"a line holds one JSON value and no LF: {text[:200]!r}")
    return line + b"\n"


def _texts(lines: list[bytes]) -> list[str]:
    stripped = (line.strip(_BLANKS) for line in lines)
    return [line.decode(errors="replace") for line in stripped if line]
