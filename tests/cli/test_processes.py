"""The command as people run it: in pipes, in a terminal, interrupted, and without delay."""

from __future__ import annotations

import json
import pkgutil
import re
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rawllm.cli import main
from rawllm.cli.options import COMMANDS
from tests.cli.processes import ROOT, command, environment, program, read, started, terminal
from tests.cli.servers import LISTED, Sets
from tests.servers import (
    CHAT,
    EVENTS,
    LAST_CHUNK,
    PATIENCE,
    STREAM_HEAD,
    End,
    Script,
    answer,
    chunk,
    event,
    piece,
    serve,
    stream,
)

HELLO = stream(*EVENTS)


def begun(text: str, *then: bytes | threading.Event | End) -> Script:
    """A stream that has said `text`, and what comes then."""
    return [STREAM_HEAD, chunk(event(piece(text))), *then]


def rest(text: str) -> bytes:
    """The end of a stream."""
    return chunk(event(piece(text, finish="stop"))) + chunk(event("[DONE]")) + LAST_CHUNK


def ask(url: str, *argv: str) -> list[str]:
    return ["ask", "Why?", "-m", "m", "--base-url", url, *argv]


# --- pipes ------------------------------------------------------------------


def test_text_comes_through_a_pipe_piece_by_piece() -> None:
    has_read = threading.Event()
    with serve(begun("Hello", has_read, rest(" there!"))) as server:
        with started(*ask(server.url)) as process:
            assert process.stdout is not None
            assert read(process.stdout, 5) == b"Hello"
            has_read.set()
            out, err = process.communicate(timeout=PATIENCE)
            assert (process.returncode, out, err) == (0, b" there!\n", b"")


def test_a_question_comes_through_a_pipe() -> None:
    with serve(HELLO) as server:
        with started(*ask(server.url), stdin=subprocess.PIPE) as process:
            out, err = process.communicate("a löng text\n".encode(), timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, b"Hello there!\n", b"")
        assert server.requests[0].json["messages"][0]["content"] == "a löng text\n\nWhy?"


def test_a_reader_that_has_enough_ends_it_quietly() -> None:
    """As `| head -1`: the rest is neither asked for nor complained about."""
    has_left = threading.Event()
    with serve(begun("one\n", has_left, chunk(event(piece("two\n"))), End.HOLD)) as server:
        with started(*ask(server.url)) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert read(process.stdout, 4) == b"one\n"
            process.stdout.close()
            has_left.set()
            assert process.wait(PATIENCE) == 141
            assert process.stderr.read() == b""
        assert server.left.wait(PATIENCE)


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["ask", "--help"]], ids=" ".join)
def test_help_that_nobody_reads_ends_quietly(argv: list[str]) -> None:
    with started(*argv, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(PATIENCE) == 141
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_once() -> None:
    with serve(HELLO) as server, Path("/dev/full").open("wb") as full:
        with started(*ask(server.url), stdout=full) as process:
            _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert err.startswith(b"rawllm: [Errno ")
    assert err.count(b"\n") == 1


ODD = "né 😀 \ud83d"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
@pytest.mark.parametrize("argv", [(), ("--json",), ("--curl", "-s", "né 😀")], ids=str)
def test_no_text_is_too_much_for_stdout(encoding: str, argv: tuple[str, ...]) -> None:
    said = {"index": 0, "finish_reason": "stop", "message": {"content": ODD}}
    whole = answer(CHAT | {"choices": [said], "model": ODD})
    with serve(whole) as server:
        env = environment(PYTHONIOENCODING=encoding)
        with started(*ask(server.url, "--no-stream", *argv), env=env) as process:
            out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, b"")
    text = out.decode(encoding)
    if "--json" in argv:
        assert json.loads(text)["choices"] == [said]
    elif "--curl" not in argv:
        assert text.endswith(" \\ud83d\n")


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_plain_locale_is_no_trouble(locale: str) -> None:
    env = environment(LC_ALL=locale, PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    with serve(stream(piece("né 😀", finish="stop"), "[DONE]")) as server:
        with started(*ask(server.url), env=env) as process:
            out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, b"")
    assert out == b"n\\xe9 \\U0001f600\n"


# --- a terminal -------------------------------------------------------------


def test_in_a_terminal_nothing_is_waited_for_but_the_answer() -> None:
    with serve(HELLO) as server, terminal(*ask(server.url)) as screen:
        assert screen.end() == 0
        assert screen.seen == "Hello there!\n"
        assert server.requests[0].json["messages"][0]["content"] == "Why?"


def test_in_a_terminal_a_question_is_needed() -> None:
    with terminal("ask", "-m", "m", "--base-url", "localhost") as screen:
        assert screen.end() == 2
        assert screen.seen.startswith("rawllm: no question")


def test_in_a_terminal_text_comes_piece_by_piece() -> None:
    has_read = threading.Event()
    with serve(begun("Hello", has_read, rest(" there!"))) as server:
        with terminal(*ask(server.url)) as screen:
            screen.wait_for("Hello")
            assert screen.seen == "Hello"
            has_read.set()
            assert screen.end() == 0
            assert screen.seen == "Hello there!\n"


def test_ctrl_c_ends_a_stream_quietly() -> None:
    with serve(begun("Hello", End.HOLD)) as server:
        with terminal(*ask(server.url)) as screen:
            screen.wait_for("Hello")
            assert screen.interrupt() == 130
            assert screen.seen.replace("^C", "") == "Hello\n"
        assert server.left.wait(PATIENCE)


@pytest.mark.parametrize("argv", [(), ("--no-stream",), ("--json",)], ids=str)
def test_ctrl_c_ends_the_wait_for_an_answer_quietly(argv: tuple[str, ...]) -> None:
    asked = threading.Event()
    with serve([Sets(asked), End.HOLD]) as server:
        with terminal(*ask(server.url, *argv)) as screen:
            assert asked.wait(PATIENCE)
            assert screen.interrupt() == 130
            assert screen.seen.replace("^C", "") == ""


READING = """
import io, os, sys
from rawllm.cli import main

class Endless(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, buffer):
        print("reads", flush=True)
        return os.readv(os.pipe()[0], [buffer])

sys.stdin = io.TextIOWrapper(io.BufferedReader(Endless()))
sys.exit(main(["ask"]))
"""


def test_ctrl_c_ends_the_wait_for_stdin_quietly() -> None:
    with program("-c", READING) as screen:
        screen.wait_for("reads")
        assert screen.interrupt() == 130
        assert screen.seen.replace("^C", "") == "reads\n"


LOOKING = "import sys; from rawllm.cli import main; sys.exit(main(['models'], ports=[{}]))"


def test_ctrl_c_ends_the_search_for_a_server_quietly() -> None:
    asked = threading.Event()
    with serve([Sets(asked), End.HOLD]) as server:
        for _ in range(5):  # the search itself lasts a second: this machine may be slower
            with program("-W", "error", "-c", LOOKING.format(server.port)) as screen:
                assert asked.wait(PATIENCE)
                code = screen.interrupt()
            asked.clear()
            if code != 3:
                break
        assert code == 130
        assert screen.seen.replace("^C", "") == ""


def test_a_search_that_finds_nothing_says_how_to_start_a_server() -> None:
    with serve(answer(b"<html>")) as server:
        with program("-c", LOOKING.format(server.port)) as screen:
            assert screen.end() == 3
            assert screen.seen.startswith("rawllm: no server was found on this machine")


def test_a_server_that_was_found_is_asked() -> None:
    with serve(LISTED) as server:
        with program("-W", "error", "-c", LOOKING.format(server.port)) as screen:
            assert screen.end() == 0
            assert screen.seen.splitlines()[1:] == ["tiny"]


# --- without delay ----------------------------------------------------------

ONLY_TEXT = [["--version"], ["--help"], [], *([name, "--help"] for name in COMMANDS)]
PYPROJECT = ROOT / "pyproject.toml"
MOST_SECONDS = 0.05  # of CPU


@pytest.mark.parametrize("argv", ONLY_TEXT, ids=" ".join)
def test_what_only_prints_text_loads_no_requests(argv: list[str]) -> None:
    python, *arguments = command(*argv)
    ended = subprocess.run(
        [python, "-X", "importtime", *arguments], cwd=ROOT, env=environment(), capture_output=True
    )
    loaded = {line.rpartition(b"|")[2].strip() for line in ended.stderr.splitlines()}
    assert b"rawllm.cli.options" in loaded
    assert not loaded & {b"requests", b"urllib3", b"ssl", b"socket", b"http.client", b"http.server"}


SCRIPT = "import sys; from rawllm.cli import main; sys.exit(main())"


@pytest.mark.parametrize("argv", ONLY_TEXT, ids=" ".join)
def test_what_only_prints_text_takes_no_time(argv: list[str], tmp_path: Path) -> None:
    env = environment(PYTHONPYCACHEPREFIX=str(tmp_path))  # also where the package is read-only
    best, start = 1.0, 1.0
    for _ in range(10):
        best = min(best, cpu_seconds(["-c", SCRIPT, *argv], env))
        if best < MOST_SECONDS:
            return
        # Python itself takes 10 ms, or shows how busy this machine is.
        start = min(start, cpu_seconds(["-c", ""], env))
    assert best < MOST_SECONDS * max(1.0, start / 0.01)


def cpu_seconds(arguments: list[str], env: dict[str, str]) -> float:
    """What one run of Python takes of the processor, whoever else uses it too."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_script_is_what_the_module_runs() -> None:
    scripts = re.search(r"^\[project.scripts\]\n((?:.+\n)*)", PYPROJECT.read_text(), re.MULTILINE)
    assert scripts is not None
    name, target = scripts[1].strip().split(" = ")
    assert name == "rawllm"
    assert pkgutil.resolve_name(target.strip('"')) is main
