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
Framing(chunked=False, length=5, last=False)
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_LATIN = "latin-1"  # what is not ASCII is of no charset: RFC 9110 section 5.5
_BLANKS = " \t"
_SWITCHING, _NO_CONTENT, _NOT_MODIFIED = 101, 204, 304

#: Sections 2.3 and 4. Servers send more blanks than one, and no reason, or odd ones.
_STATUS = re.compile(rb"HTTP/1\.([0-9])[ \t]+([1-9][0-9]{2})(?:[ \t]+(.*))?", re.DOTALL)
_NAME = re.compile("[!-9;-~]+")  # of what is seen, but a colon
_LENGTH = re.compile("[0-9]{1,18}")


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
    last: bool


def parsed(lines: Sequence[bytes]) -> Head:
    """The head of these `lines`, without their ends and the empty one.

    Raises `HeadError` for what is none.
    """
    status = _STATUS.fullmatch(lines[0])
    if status is None:
        raise HeadError(f"no status line: {lines[0][:40].decode(_LATIN)!r}")
    fields: list[tuple[str, str]] = []
    for line in lines[1:]:
        text = line.decode(_LATIN)
        name, colon, value = text.partition(":")
        if "\r" in text or "\0" in text:  # section 2.2: whoever puts them there means harm
            raise HeadError(f"a header with a control character: {text[:40]!r}")
        if colon and _NAME.fullmatch(name):
            fields.append((name, value.strip(_BLANKS)))
        elif fields and text[0] in _BLANKS:  # section 5.2: it goes on with the last one
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {text.strip(_BLANKS)}".strip(_BLANKS))
        else:
            raise HeadError(f"no header: {text[:40]!r}")
    version, code, reason = status.groups(b"")
    return Head(10 + (version != b"0"), int(code), reason.decode(_LATIN).strip(_BLANKS), fields)


def framing(head: Head, method: str | None) -> Framing:
    """Where the body ends of an answer to `method`.

    Raises `HeadError` where nobody can tell.
    """
    said: dict[str, list[str]] = {}
    for name, value in head.fields:
        said.setdefault(name.lower(), []).append(value)
    chunked = _is_chunked(said.get("transfer-encoding", []))
    length = _length(said.get("content-length", []))
    wishes = _listed(said.get("connection", []))
    last = "close" in wishes if head.version > 10 else "keep-alive" not in wishes
    if head.status == _SWITCHING:
        return Framing(chunked=False, length=0, last=True)
    if head.status == _NO_CONTENT:  # one that announces a body may send it
        return Framing(chunked=False, length=0, last=last or chunked or bool(length))
    if head.status == _NOT_MODIFIED or method == "HEAD":  # whose length is another answer's
        return Framing(chunked=False, length=0, last=last)
    if chunked:  # a length beside it does not count, and is how one answer passes for another
        return Framing(chunked=True, length=None, last=last or length is not None)
    return Framing(chunked=False, length=length, last=last or length is None)


def _is_chunked(given: list[str]) -> bool:
    """Section 6.1. Nothing else is asked for, and nothing else can be read."""
    codings = _listed(given) - {"identity", ""}
    if codings - {"chunked"}:
        raise HeadError(f"Transfer-Encoding: {', '.join(given)[:40]}")
    return bool(codings)


def _length(given: list[str]) -> int | None:
    """Section 6.3. Two that differ are none; http.client reads `1_0` as 10."""
    lengths = {length.strip() for line in given for length in line.split(",")}
    if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
        raise HeadError(f"Content-Length: {', '.join(given)[:40]}")
    return int(lengths.pop()) if lengths else None


def _listed(lines: list[str]) -> set[str]:
    return {item.strip().lower() for line in lines for item in line.split(",")}
