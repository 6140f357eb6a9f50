"""The parser and the end of a run: `rawllm.cli` itself, and `python -m rawllm`."""

from __future__ import annotations

import importlib
import io
import os
import runpy
import sys

import pytest

import rawllm
from rawllm import cli
from rawllm.cli import exits
from rawllm.cli.options import COMMANDS, Command
from tests.cli.conftest import Run
from tests.servers import EVENTS, serve, stream

HELLO = stream(*EVENTS)


def test_the_version(run: Run) -> None:
    assert run("--version") == (0, f"rawllm {rawllm.__version__}\n", "")


def test_the_help_names_every_command_and_every_exit_code(run: Run) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for name, command in COMMANDS.items():
        assert f"\n    {name} " in out
        assert command.help in " ".join(out.split())
    for number, meaning in exits.MEANINGS.items():
        assert f"  {number:<3} {meaning}\n" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command(run: Run, command: str) -> None:
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: rawllm {command} {COMMANDS[command].usage}".rstrip() + "\n")


def test_an_options_value_is_named_once(run: Run) -> None:
    """As argparse itself has it since Python 3.13."""
    assert "  -m, --model MODEL  " in run("ask", "--help").out


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_line_about_a_command_fits_its_place(command: Command) -> None:
    assert command.help[0].islower()
    assert not command.help.endswith(".")
    assert len(command.help) <= 64  # what argparse leaves of 80 columns


def test_without_a_command_the_help_is_an_error(run: Run) -> None:
    assert run() == (2, "", run("--help").out)


@pytest.mark.parametrize(
    ("argv", "words", "who"),
    [
        pytest.param(["sing"], "'sing'", "rawllm", id="no-such-command"),
        pytest.param(["ask", "--mod", "m"], "--mod", "rawllm ask", id="no-abbreviations"),
        pytest.param(["--no-such"], "--no-such", "rawllm", id="of-no-command"),
        pytest.param(["ask", "Why?", "--no", "x"], "--no x", "rawllm ask", id="and-words"),
        pytest.param(["ask", "-m"], "-m/--model", "rawllm ask", id="value-is-missing"),
        pytest.param(["ask", "--timeout", "x"], "'x'", "rawllm ask", id="not-a-number"),
        pytest.param(["models", "m"], "m", "rawllm models", id="too-many"),
    ],
)
def test_what_the_parser_does_not_understand(
    run: Run, argv: list[str], words: str, who: str
) -> None:
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("rawllm: ")
    assert words in err
    assert err.endswith(f"; `{who} --help` says how\n")
    assert err.count("\n") == 1


def test_a_question_without_quotes_is_told_to_have_some(run: Run) -> None:
    assert run("ask", "Why", "is", "the", "sky", "blue") == (
        2,
        "",
        "rawllm: unrecognized arguments: is the sky blue; put the question in quotes\n",
    )


def test_an_error_is_its_text_and_not_a_traceback(run: Run) -> None:
    code, out, err = run("models", "--base-url", "http:/nowhere")
    assert (code, out) == (2, "")
    assert err == (
        "rawllm: --base-url or OPENAI_BASE_URL must look like http://localhost:11434/v1, "
        "not 'http:/nowhere'\n"
    )


def test_a_reader_that_has_gone_ends_the_run_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor
        monkeypatch.setattr(sys, "stdout", stream)
        assert cli.main(["--version"]) == 141
    assert capsys.readouterr().err == ""


def test_python_m_rawllm_ends_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "rawllm.__main__", raising=False)
    monkeypatch.setattr(sys, "argv", ["rawllm", "ask", "Why?", "-m", "m"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with serve(HELLO) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("rawllm", run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert capsys.readouterr() == ("Hello there!\n", "")


def test_importing_it_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.import_module("rawllm.__main__").main is cli.main
    assert capsys.readouterr() == ("", "")
