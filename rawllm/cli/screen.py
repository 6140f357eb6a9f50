r"""The screen: how wide it is, whether it has colours, and rows of text painted for it.

A row is a list of runs, each a text and its role. What is left out: writing,
which `terminal.py` does.

>>> painted([("=> ", "client"), ("done", "")], colours=True)
'\x1b[32m=> \x1b[0mdone'
>>> painted([("=> ", "client"), ("done", "")], colours=False)
'=> done'
"""

import os
from collections.abc import Mapping
from typing import TextIO

#: A text, and its role: a key of `COLOURS`.
Run = tuple[str, str]
Row = list[Run]

#: What a terminal is told before a text of this role (ECMA-48, Select Graphic Rendition).
COLOURS = {"": "", "title": "1", "dim": "2", "lost": "31", "client": "32", "code": "36"}

_PIPED = 80
_LEAST, _MOST = 60, 120  # more is hard to read


def width(stream: TextIO | None) -> int:
    """The columns there are to write in; 80 where `stream` is no terminal."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream else 0
    except (OSError, ValueError):  # ValueError: it is closed
        columns = 0
    # A terminal that nobody has told its size says 0.
    return min(max(columns or _PIPED, _LEAST), _MOST)


def has_colours(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether `stream` is a terminal that may be sent colours (https://no-color.org)."""
    wanted = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return wanted and stream is not None and stream.isatty()


def painted(row: Row, *, colours: bool) -> str:
    """The row as text."""
    return "".join(_run(text, COLOURS[role] if colours else "") for text, role in row)


def _run(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and text else text
