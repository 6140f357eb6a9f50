r"""An exchange as rows of text: every byte of it, and what the client made of them.

A row has a gutter and a part of a line of the wire:

       ms size   when it came, since the request was in; how long its chunk is
               > goes to the server
               < comes back
               | goes on with the line above, which is too long
               x is no byte: the connection ended here
              => is what the client made of it

Where the client's values stand in the bytes they are painted like what it
made of them. Pure. What is left out: painting (`screen.py`), and running.

>>> from rawllm.cli.screen import painted
>>> for row in request(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", width=60):
...     print(painted(row, colours=False).strip())
> GET /v1/models HTTP/1.1
> Host: localhost
>
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rawllm.cli.screen import Row

#: The columns before the mark, and before a line's text.
MARK = 11
GUTTER = MARK + 2

_BESIDE = 28  # columns for what stands beside an event

#: What has been sent: (seconds since the request was in, bytes), as a server's `Exchange` has it.
Sent = Sequence[tuple[float, bytes]]


class Made(NamedTuple):
    """One thing that the client made of an answer."""

    text: str
    #: What it was in the bytes, "" for nothing that could be pointed at.
    wire: str = ""
    #: Whether one event became this, of each the first the first; else the whole answer did.
    of_event: bool = False


class _Line(NamedTuple):
    """A line of the wire, without its end."""

    mark: str
    text: str
    ms: str = ""
    size: str = ""


def request(raw: bytes, width: int) -> Iterator[Row]:
    """The rows of a request."""
    head, _, body = raw.partition(b"\r\n\r\n")
    for text in [*head.split(b"\r\n"), b"", *_split(body)]:
        yield from _rows(_Line(">", _ascii(text)), width)


def answer(sent: Sent, made: Sequence[Made], width: int) -> Iterator[Row]:
    """The rows of what was sent for a request, and of what the client made of it."""
    of_events = (one for one in made if one.of_event)
    of_all = [one for one in made if not one.of_event]
    event: Made | None = None
    yield [(f"{'ms':>5} size", "dim")]
    for line in _lines(sent):
        if line.text.startswith("data: {"):
            event = next(of_events, None)
        if line.text or event is None:
            yield from _rows(line, width, [event] if event else of_all)
        else:  # the blank line that ends the event: now it is one
            yield from _beside(line, event, width)
            event = None
    if is_cut(b"".join(data for _, data in sent)):
        yield [(" " * MARK, ""), ("x the connection was closed here", "lost")]
    for one in of_all:
        yield from ([(" " * MARK, ""), (told, "client")] for told in _told(one.text, width - MARK))


def is_cut(raw: bytes) -> bool:
    """Whether an answer ends before the end that its own head announces."""
    head, end, body = raw.partition(b"\r\n\r\n")
    if _is_chunked(head):
        return not (b"\r\n" + body).endswith(b"\r\n0\r\n\r\n")
    length = re.search(rb"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
    return not end or (length is not None and len(body) < int(length[1]))


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of whole words, its own lines kept apart."""
    import textwrap  # here and not above: `rawllm --help` needs none

    lines = text.splitlines()
    return [row for line in lines for row in textwrap.wrap(line, width, break_on_hyphens=False)]


# --- the wire ---------------------------------------------------------------


def _lines(sent: Sent) -> Iterator[_Line]:
    """The lines of an answer. Each step of a chunked body is one chunk, as the server plays it."""
    chunked = False
    for place, (seconds, data) in enumerate(sent):
        size, texts = "", _split(data)
        if not place:
            head, _, body = data.partition(b"\r\n\r\n")
            chunked = _is_chunked(head)
            texts = [*head.split(b"\r\n"), b"", *_split(body)]
        elif chunked:
            first, _, body = data.partition(b"\r\n")
            size, texts = _ascii(first), _split(body[:-2]) or [b""]
        ms = f"{seconds * 1000:.0f}"
        for text in texts:
            yield _Line("<", _ascii(text), ms, size)
            ms = size = ""


def _is_chunked(head: bytes) -> bool:
    return b"\r\ntransfer-encoding: chunked" in head.lower()


def _split(body: bytes) -> list[bytes]:
    return body.removesuffix(b"\n").split(b"\n") if body else []


def _ascii(data: bytes) -> str:
    return re.sub(rb"[^ -~]", lambda found: b"\\x%02x" % ord(found[0]), data).decode()


# --- rows -------------------------------------------------------------------


def _rows(line: _Line, width: int, made: Sequence[Made] = ()) -> Iterator[Row]:
    """A line, cut into rows; the places that the client made something of are painted."""
    ours = {
        place
        for value in filter(None, (one.wire for one in made))
        for match in re.finditer(re.escape(value), line.text)
        for place in range(*match.span())
    }
    gutter, start = _gutter(line), 0
    for piece in _pieces(line.text, width - GUTTER):
        end = start + len(piece)
        runs = groupby(range(start, end), key=ours.__contains__)
        painted = [
            ("".join(line.text[place] for place in places), "client" if is_ours else "")
            for is_ours, places in runs
        ]
        yield [(gutter if piece else gutter.rstrip(), "dim"), *painted]
        gutter, start = _gutter(_Line("|", "")), end


def _pieces(text: str, width: int) -> Iterator[str]:
    """`text` in pieces of at most `width`, cut behind one of JSON's commas where one is near."""
    while len(text) > width:
        commas = [match.end() for match in re.finditer(r",(?! )", text[: width + 1])]
        end = max((comma for comma in commas if width // 3 < comma <= width), default=width)
        yield text[:end]
        text = text[end:]
    yield text


def _beside(line: _Line, made: Made, width: int) -> Iterator[Row]:
    """An empty line, and beside it what became of the event that it ends."""
    gutter = _gutter(line)
    for told in _told(made.text, _BESIDE):
        yield [(f"{gutter:<{width - _BESIDE}}", "dim"), (told, "client")]
        gutter = ""


def _gutter(line: _Line) -> str:
    return f"{line.ms:>5} {line.size:>4} {line.mark} "


def _told(text: str, width: int) -> list[str]:
    marks = ["=> ", *["   "] * len(text)]
    return [mark + row for mark, row in zip(marks, wrapped(text, width - 3), strict=False)]
