"""How wide the screen is, whether it has colours, and what a row looks like on it."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

from rawllm.cli import screen
from rawllm.cli.screen import COLOURS, has_colours, painted


@contextmanager
def a_terminal(columns: int = 0) -> Iterator[TextIO]:
    master, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        with open(terminal, "w", encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor
            yield stream
    finally:
        os.close(master)


# --- width ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "width"),
    [
        pytest.param(80, 80, id="its-own"),
        pytest.param(100, 100, id="wide"),
        pytest.param(200, 120, id="wider-than-one-reads"),
        pytest.param(40, 60, id="too-narrow"),
        pytest.param(0, 80, id="it-does-not-know"),
    ],
)
def test_the_width_of_a_terminal(columns: int, width: int) -> None:
    with a_terminal(columns) as stream:
        assert screen.width(stream) == width


def test_what_is_no_terminal_has_80_columns() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor
        assert screen.width(stream) == 80
    assert screen.width(stream) == 80  # closed
    assert screen.width(io.StringIO()) == 80
    assert screen.width(None) == 80


# --- colours ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        pytest.param({"TERM": "xterm"}, True, id="a-terminal"),
        pytest.param({}, True, id="of-no-name"),
        pytest.param({"NO_COLOR": ""}, True, id="no-color-is-empty"),
        pytest.param({"NO_COLOR": "1"}, False, id="no-color"),
        pytest.param({"TERM": "dumb"}, False, id="dumb"),
    ],
)
def test_a_terminal_has_colours_unless_the_environment_says_no(
    environ: dict[str, str], wanted: bool
) -> None:
    with a_terminal() as stream:
        assert has_colours(stream, environ) is wanted


@pytest.mark.parametrize("stream", [io.StringIO(), None], ids=["a-pipe", "closed"])
def test_what_is_no_terminal_has_no_colours(stream: TextIO | None) -> None:
    assert has_colours(stream, {"TERM": "xterm"}) is False


# --- rows -------------------------------------------------------------------


@pytest.mark.parametrize("role", COLOURS)
def test_a_row_has_the_colour_of_each_role(role: str) -> None:
    row = [("before ", ""), ("text", role), ("", role)]
    begin, end = (f"\x1b[{COLOURS[role]}m", "\x1b[0m") if role else ("", "")
    assert painted(row, colours=True) == f"before {begin}text{end}"
    assert painted(row, colours=False) == "before text"
