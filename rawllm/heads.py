"""The head of an answer: its status, its fields, and where the body that follows ends.

Pure. What is left out: reading the lines (`connections.py`), and the body
(`bodies.py`, `chunks.py`).

http.client reads a head as an e-mail's, which takes four times as long, and
takes what it does not understand for the head's end: the fields that follow are
lost, the length of the body among them. Here it is no answer.

Specification: RFC 9112 sections 2 to 6 and 9.3

>>> head = parsed([b"HTTP/1.1 200 OK", b"Content-Type: text/plain", b"Content-Length: 5"])
>>> head.status, head.fields[0]
(200, ('Content-Type', 'text/plain'))
>>> framing(head, "POST")
Framing(chunked=False, length=5, closes=False)
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

START = b"HTTP/"
#: Sections 2.3 and 4. Servers send more blanks than one, and no reason.
_STATUS = re.compile(r"HTTP/1\.([0-9])[ \t]+([1-9][0-9]{2})(?:[ \t]+(.*))?")
_NAME = re.compile("[!-9;-~]+")  # visible ASCII but the colon: servers use more than section 5 has
_LENGTH = re.compile("[0-9]{1,18}")
_BLANKS = " \t"  # no others: what Unicode calls blanks hides words from who does not
_LATIN = "latin-1"  # what is not ASCII is of no charset: RFC 9110 section 5.5
_SWITCHING, _NO_CONTENT, _NOT_MODIFIED = 101, 204, 304


class HeadError(ValueError):
    """A head that cannot be read, or does not say where its body ends."""


class Head(NamedTuple):
    """A status line and the fields, their names spelled as they came."""

    #: 10 or 11, as http.client counts.
    version: int
    status: int
    reason: str
    fields: list[tuple[str, str]]

    @property
    def is_interim(self) -> bool:
        """Whether another head follows: RFC 9110 section 15.2. After 101 no HTTP does."""
        return self.status < 200 and self.status != _SWITCHING


class Framing(NamedTuple):
    """Where a body ends, and what becomes of its connection."""

    chunked: bool
    #: In bytes; `None` where the last chunk ends it, or the connection does.
    length: int | None
    #: Whether the connection can serve no other call.
    closes: bool


def parsed(lines: Sequence[bytes]) -> Head:
    """The head of these `lines`, one or more, without their ends and the empty one.

    Raises `HeadError` for what is none.
    """
    first, *rest = map(_text, lines)
    status = _STATUS.fullmatch(first)
    if status is None:
        raise HeadError(f"no status line: {first!r}")
    fields: list[tuple[str, str]] = []
    for text in rest:
        name, colon, value = text.partition(":")
        if colon and _NAME.fullmatch(name):
            fields.append((name, value.strip(_BLANKS)))
        elif fields and text[0] in _BLANKS:  # section 5.2: it goes on with the last one
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {text.strip(_BLANKS)}".strip(_BLANKS))
        elif name or not colon:  # a header without a name, as PHP sends, says nothing
            raise HeadError(f"a line that is no header: {text!r}")
    version, code, reason = status.groups("")
    return Head(10 + (version != "0"), int(code), reason.strip(_BLANKS), fields)


def framing(head: Head, method: str | None) -> Framing:
    """Where the body ends of an answer to `method`.

    Raises `HeadError` where nobody can tell.
    """
    said: dict[str, list[str]] = {}
    for name, value in head.fields:
        said.setdefault(name.lower(), []).append(value)
    codings = _listed(said, "transfer-encoding")
    lengths = _listed(said, "content-length")
    wishes = [wish.lower() for wish in said.get("connection", [])]
    closes = any("close" in wish for wish in wishes)  # as http.client: to close is never wrong
    if head.version < 11:
        closes = closes or not any("keep-alive" in wish for wish in wishes)
    if head.status in (_SWITCHING, _NOT_MODIFIED):  # asked for by nobody: who knows what follows
        return Framing(chunked=False, length=0, closes=True)
    if head.status == _NO_CONTENT:  # one that announces a body may send it
        announced = bool(codings) or not set(lengths) <= {"0"}
        return Framing(chunked=False, length=0, closes=closes or announced)
    if method == "HEAD":  # whose length is another answer's
        return Framing(chunked=False, length=0, closes=closes)
    # Where others may see another end, one answer is passed for another.
    doubtful = len(codings + lengths) > 1
    if coded := [coding for coding in codings if coding.lower() not in ("", "identity")]:
        # Section 6.1: no other was asked for, and no other can be read.
        if not all(coding.lower() == "chunked" for coding in coded):
            raise HeadError(f"Transfer-Encoding: {', '.join(codings)!r}")
        return Framing(chunked=True, length=None, closes=closes or doubtful or head.version < 11)
    # Section 6.3. Two that differ are none; http.client reads `1_0` as 10.
    if len({*lengths}) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
        raise HeadError(f"Content-Length: {', '.join(lengths)!r}")
    length = int(lengths[0]) if lengths else None
    return Framing(chunked=False, length=length, closes=closes or doubtful or length is None)


def check_start(data: bytes) -> None:
    """Raise `HeadError` for the first bytes of an answer, however few, that are not HTTP's."""
    if data.startswith(b"\x15\x03"):  # an alert: RFC 8446 section 5.1
        raise HeadError("not HTTP/1 but TLS")
    if not START.startswith(data[: len(START)]):
        line, end, _ = data.partition(b"\n")  # half a line might show half a key
        raise HeadError(f"not HTTP/1: {_text(line).strip()!r}" if end else "not HTTP/1")


def _text(line: bytes) -> str:
    """Section 2.2 and RFC 9110 section 5.5: a CR or NUL of its own is read as a blank."""
    return line.decode(_LATIN).replace("\r", " ").replace("\0", " ")


def _listed(said: dict[str, list[str]], name: str) -> list[str]:
    lines = said.get(name, [])
    return [item.strip(_BLANKS) for line in lines for item in line.split(",")]
