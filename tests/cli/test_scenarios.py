"""Each exit code against its scenario, through pipes and in a terminal."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from rawllm import testing
from tests.cli.conftest import Ended, Run
from tests.cli.processes import ROOT, command, environment, terminal

QUESTION = "Hello there, how are you?"

#: model -> exit code, what stdout begins with, a word of stderr. The retried ones answer at last.
ROWS = {
    "plain": (0, QUESTION, ""),
    "closing": (0, QUESTION, ""),
    "stream-ignored": (0, QUESTION, ""),
    "no-done": (0, QUESTION, ""),
    "unicode": (0, f"{QUESTION} café 東京", ""),
    "packed": (0, QUESTION, ""),
    "keep-alive-dies": (0, QUESTION, ""),
    "refusal": (0, "I cannot help with that.", ""),
    "filtered": (0, "Hello", "content filter"),
    "loading:1": (0, QUESTION, ""),
    "retry": (0, QUESTION, ""),
    "redirect": (0, QUESTION, ""),
    "error-400": (1, "", "400"),
    "error-404": (1, "", "404"),
    "error-409:vllm": (1, "", "409"),
    "error-422": (1, "", "422"),
    "error-context": (1, "", "context"),
    "error-500": (1, "", "500"),
    "200-error": (1, "", "Unexpected endpoint"),
    "redirect-elsewhere": (1, "", "other.invalid"),
    "stream-error": (1, "Hello", "broke down"),
    "error-401": (4, "", "401"),
    "error-403": (4, "", "403"),
    "error-429:0": (5, "", "429"),
    "insufficient_quota": (5, "", "quota"),
    "slow:60000": (6, "", "--timeout"),
    "silence": (6, "", "--timeout"),
    "hang-up": (3, "", "closed the connection"),
    "cut-fin": (7, "Hello", "ended before the answer did"),
    "cut-rst": (7, "Hello", "ended before the answer did"),
    "cut-silence": (7, "Hello", "ended before the answer did"),
    "done-without-finish": (7, "Hello", "no finish_reason"),
    "end-without-finish": (7, "Hello", "no finish_reason"),
    "not-json": (7, "Hello", "not JSON"),
    "html": (7, "", "HTML"),
    "empty": (7, "", "empty"),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with testing.serve() as url:
        yield url


#: Of each exit code some, so that also a process is seen to end with it.
PIPED = {
    *("plain", "unicode", "filtered", "error-400", "stream-error", "hang-up", "error-401"),
    *("error-429:0", "silence", "cut-rst", "html"),
}


def piped(*argv: str) -> Ended:
    """The command as a process of its own."""
    run = subprocess.run(
        command(*argv),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=ROOT,
        env=environment(),
        timeout=60,
    )
    return Ended(run.returncode, run.stdout.decode(), run.stderr.decode())


@pytest.mark.parametrize(
    ("model", "code", "out", "said"), [(name, *row) for name, row in ROWS.items()], ids=ROWS
)
def test_the_exit_code_says_what_happened(
    run: Run, url: str, model: str, code: int, out: str, said: str
) -> None:
    patience = "0.5" if code in (6, 7) else "30"
    argv = ["ask", "--base-url", url, "-m", model, "--timeout", patience, QUESTION]
    ended, stdout, stderr = piped(*argv) if model in PIPED else run(*argv)
    assert ended == code, stderr
    assert stdout.startswith(out)
    assert not stdout or stdout.endswith("\n")
    assert said in stderr
    assert bool(stderr) == bool(said)
    assert "Traceback" not in stderr


def test_every_exit_code_is_that_of_a_process_too() -> None:
    assert ROWS.keys() >= PIPED
    assert {ROWS[model][0] for model in PIPED} == {code for code, _, _ in ROWS.values()}


def test_there_is_no_connection() -> None:
    with testing.serve() as gone:
        pass
    code, _, stderr = piped("ask", "--base-url", gone, "-m", "plain", QUESTION)
    assert code == 3
    assert "refused" in stderr


@pytest.mark.parametrize(
    ("model", "code"), [("plain", 0), ("error-400", 1), ("error-401", 4), ("cut-fin", 7)]
)
def test_the_exit_code_is_the_same_in_a_terminal(url: str, model: str, code: int) -> None:
    with terminal("ask", "--base-url", url, "-m", model, QUESTION) as screen:
        assert screen.end() == code
        assert screen.seen.strip()
