"""The standard streams: what was piped in, text to stdout, notes to stderr.

The only file of the command line that reads or writes them. Text that stdout
cannot encode comes out escaped, as do a server's control characters, which a
terminal would obey; a reader who leaves ends the command quietly. What is left
out: colour.
"""

import io
import json
import os
import re
import sys
from typing import Any, TextIO

from rawllm.cli.exits import ReaderGone

#: All but the tab and the line break.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def prepare() -> None:
    """Make stdout and stderr take any text: ASCII ones exist, and answers hold lone surrogates."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def piped() -> str:
    """The text on stdin up to its end, "" where it is a terminal or was closed.

    What is not UTF-8 is told on stderr.
    """
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    # Who runs a command from Python may have put text there.
    buffer = getattr(sys.stdin, "buffer", None)
    if buffer is None:
        return sys.stdin.read()
    data: bytes = buffer.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        note(f"stdin is not UTF-8 (byte {error.start}): what cannot be read is sent as \ufffd")
        return data.decode("utf-8-sig", "replace")


def write(text: str) -> None:
    """Write `text` to stdout, at once.

    Raises `ReaderGone` if its reader has gone, and `OSError` if it is full, or
    was closed before the command began.
    """
    if text and sys.stdout is None:
        raise OSError("stdout is closed: `>/dev/null` is for what is not to be read")
    try:
        _put(sys.stdout, text)
    except BrokenPipeError:
        raise ReaderGone from None


def show(text: str) -> None:
    """Write what a server said to stdout, as `write` does; to a terminal without its controls."""
    to_person = sys.stdout is not None and sys.stdout.isatty()
    write(_harmless(text) if to_person else text)


def note(text: str) -> None:
    """Write a line about the command to stderr; if nobody reads that, nothing happens."""
    try:
        _put(sys.stderr, f"rawllm: {_harmless(text)}\n")
    except OSError:
        return


def document(value: Any, *, indent: int | None = 2) -> str:
    """`value` as JSON that stdout can hold."""
    return fitting(json.dumps(value, indent=indent, ensure_ascii=False))


def fitting(text: str) -> str:
    """JSON that stdout can hold: `text`, or what is not ASCII in it as JSON's escapes."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        # It can stand in strings alone, where escapes say the same.
        return re.sub(r"[^\x00-\x7f]+", lambda found: json.dumps(found[0])[1:-1], text)
    return text


def _harmless(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


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
