"""The standard streams: what was piped in, text to stdout, notes to stderr.

The only file of the command line that reads or writes them. Text that stdout
cannot encode comes out escaped, and a stream that nobody reads ends the
command quietly. What is left out: colour.
"""

import io
import json
import os
import sys
from typing import Any, TextIO

from rawllm.cli.exits import ReaderGone


def prepare() -> None:
    """Make stdout and stderr take any text: ASCII ones exist, and answers hold lone surrogates."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def piped() -> str:
    """The text on stdin up to its end, "" where it is a terminal or was closed."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    # Who runs a command from Python may have put text there.
    buffer = getattr(sys.stdin, "buffer", None)
    return buffer.read().decode("utf-8-sig", "replace") if buffer else sys.stdin.read()


def write(text: str) -> None:
    """Write `text` to stdout, at once.

    Raises `ReaderGone` if its reader has gone, and `OSError` if it is full.
    """
    try:
        _put(sys.stdout, text)
    except BrokenPipeError:
        raise ReaderGone from None


def note(text: str) -> None:
    """Write a line about the command to stderr; if nobody reads that, nothing happens."""
    try:
        _put(sys.stderr, f"rawllm: {text}\n")
    except OSError:
        return


def document(value: Any, *, indent: int | None = 2) -> str:
    """`value` as JSON that stdout can hold, with escapes where it cannot."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def _put(stream: TextIO | None, text: str) -> None:
    if stream is None:  # it was closed before the command began
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        # What it still holds would fail once more at the interpreter's end.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
        raise
