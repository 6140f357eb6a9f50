"""The command line in this process: what it printed, and how it ended."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import pytest

from rawllm.cli import main


class Ended(NamedTuple):
    """A command that is over."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def an_environment_that_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("OPENAI_", "RAWLLM_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "no netrc"))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Make these bytes what is piped into the command."""

    def pipe(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "ascii"))

    pipe(b"")
    return pipe


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], stdin: Callable[[bytes], None]) -> Run:
    """Run a command: `run("ask", "Why?", piped=b"text", ports=[8000])`."""

    def run(*argv: str, piped: bytes = b"", ports: Collection[int] = ()) -> Ended:
        stdin(piped)
        capsys.readouterr()
        code = main(argv, ports=ports)
        return Ended(code, *capsys.readouterr())

    return run
