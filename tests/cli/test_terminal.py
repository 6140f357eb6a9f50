"""Text goes to stdout whatever it can hold, and whoever has left."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rawllm.cli import terminal
from rawllm.cli.exits import ReaderGone

SURROGATE = "half \ud83d of a pair"


@contextmanager
def a_pipe_without_a_reader() -> Iterator[io.TextIOWrapper]:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor
        yield stream


def stream_of(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding)


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        pytest.param("utf-8", "né 😀", "né 😀".encode(), id="utf-8"),
        pytest.param("ascii", "né", b"n\\xe9", id="ascii"),
        pytest.param("latin-1", "né 😀", b"n\xe9 \\U0001f600", id="latin-1"),
        pytest.param("utf-8", SURROGATE, b"half \\ud83d of a pair", id="surrogate"),
    ],
)
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_text_that_a_stream_cannot_encode_is_escaped(
    name: str, encoding: str, text: str, written: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = stream_of(encoding)
    monkeypatch.setattr(sys, name, stream)
    terminal.prepare()
    (terminal.write if name == "stdout" else terminal.note)(text)
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    assert written in buffer.getvalue()


def test_streams_that_have_no_encoding_are_left_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    terminal.prepare()
    terminal.write(SURROGATE)
    assert out.getvalue() == SURROGATE
    assert terminal.document(["é"]) == '[\n  "é"\n]'


def test_text_is_not_held_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        terminal.write("a piece")
        assert path.read_text(encoding="utf-8") == "a piece"


def test_a_note_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.note("it failed\nHint: start it")
    assert capsys.readouterr() == ("", "rawllm: it failed\nHint: start it\n")


# --- what was piped in ------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param("né 😀\n".encode(), "né 😀\n", id="utf-8"),
        pytest.param(b"\xef\xbb\xbftext", "text", id="byte-order-mark"),
        pytest.param(b"n\xe9\xff", "n\ufffd\ufffd", id="not-utf-8"),
    ],
)
def test_what_is_piped_in_is_utf_8(data: bytes, text: str, stdin: Callable[[bytes], None]) -> None:
    stdin(data)
    assert terminal.piped() == text


def test_text_that_a_program_put_there_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("né"))
    assert terminal.piped() == "né"


def test_a_terminal_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    parent, child = os.openpty()
    with open(parent, "wb", buffering=0), open(child, encoding="utf-8") as stream:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", stream)
        assert terminal.piped() == ""


def test_what_is_not_utf_8_is_told(
    stdin: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(b"n\xe9")
    terminal.piped()
    note = "rawllm: stdin is not UTF-8 (byte 1): what cannot be read is sent as \ufffd\n"
    assert capsys.readouterr() == ("", note)


def test_stdin_and_stderr_that_are_closed_are_as_if_nobody_were_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    terminal.prepare()
    terminal.note("text")
    terminal.write("")
    assert terminal.piped() == ""


def test_a_stdout_that_is_closed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for would be lost, as where the disk is full."""
    monkeypatch.setattr(sys, "stdout", None)
    for put in (terminal.write, terminal.show):
        with pytest.raises(OSError, match="stdout is closed"):
            put("text")


# --- control characters -----------------------------------------------------

CONTROL = "a\x1b[31m\r\x07\x7f\x9b b\tc\nd é 😀"
HARMLESS = "a\\x1b[31m\\x0d\\x07\\x7f\\x9b b\tc\nd é 😀"


def test_a_note_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.note(CONTROL)
    assert capsys.readouterr().err == f"rawllm: {HARMLESS}\n"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_is_shown_in_a_terminal_does_not_command_it(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stdout", out)
    terminal.show(CONTROL)
    assert out.getvalue() == (HARMLESS if is_terminal else CONTROL)


# --- readers that leave -----------------------------------------------------


def test_a_reader_of_stdout_that_has_gone_is_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_pipe_without_a_reader() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(ReaderGone):
            terminal.write("text")
        terminal.write("what is still to be said")  # goes nowhere, and fails no more


def test_a_reader_of_stderr_that_has_gone_is_nobodys_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with a_pipe_without_a_reader() as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        terminal.note("text")
        terminal.note("text")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", encoding="utf-8") as stream:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            terminal.write("text")
        terminal.write("text")


# --- documents --------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("value", [{"text": "né 😀"}, {"text": SURROGATE}], ids=["text", "half"])
def test_a_document_is_json_on_every_stdout(
    value: dict[str, str], encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stream_of(encoding))
    terminal.prepare()
    terminal.write(terminal.document(value))
    buffer = sys.stdout.buffer
    assert isinstance(buffer, io.BytesIO)
    assert json.loads(buffer.getvalue().decode(encoding)) == value


def test_json_that_stdout_cannot_hold_keeps_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream_of("ascii"))
    text = '{"né 😀": [1.10, 1e400]}'
    assert terminal.fitting(text) == r'{"n\u00e9 \ud83d\ude00": [1.10, 1e400]}'


def test_a_document_is_not_escaped_without_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream_of("utf-8"))
    assert terminal.document({"text": "né"}, indent=None) == '{"text": "né"}'
