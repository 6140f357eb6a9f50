"""The command line as a process of its own: through pipes, and in a terminal."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.servers import PATIENCE

ROOT = Path(__file__).parents[2]
#: A warning would be on stderr, where the tests look.
RAWLLM = ("-W", "error", "-m", "rawllm")

#: Makes the terminal that it is started in the one whose Ctrl-C it gets, and becomes python.
_IN_ITS_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def environment(**more: str) -> dict[str, str]:
    """The environment without what would change a command, and with `more`."""
    mine = {"OPENAI_", "RAWLLM_", "PYTHON", "LC_", "LANG", "COLUMNS", "NO_COLOR"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(tuple(mine)) and not name.lower().endswith("_proxy")
    }
    return kept | {"LC_ALL": "C.UTF-8"} | more


def command(*argv: str) -> list[str]:
    return [sys.executable, *RAWLLM, *argv]


@contextmanager
def started(
    *argv: str, env: dict[str, str] | None = None, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """The command `argv`, gone at the end. Its streams are pipes, but where `options` differ."""
    streams: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    options = streams | {"cwd": ROOT, "env": env or environment()} | options
    process: subprocess.Popen[bytes] = subprocess.Popen(command(*argv), **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def read(stream: IO[bytes], size: int) -> bytes:
    """The next `size` bytes, as they come."""
    data = b""
    while len(data) < size and (more := os.read(stream.fileno(), size - len(data))):
        data += more
    return data


class Terminal:
    """A python program in a pseudo-terminal, and the person who sits before it."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._master, terminal = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _IN_ITS_TERMINAL, *arguments],
            cwd=ROOT,
            env=environment(),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> None:
        """Read what is printed until it holds `text`."""
        while text not in self.seen:
            assert self._read(), f"it ended without {text!r}: {self.seen!r}"

    def end(self) -> int:
        """Read the rest; the exit code."""
        while self._read():
            pass
        return self._process.wait(PATIENCE)

    def interrupt(self) -> int:
        """Press Ctrl-C, read the rest; the exit code.

        It is pressed again where nothing happens: one that comes between two
        steps of Python, right before a wait, does not end that wait.
        """
        for _ in range(int(PATIENCE)):
            self.type("\x03")
            while self._says_more(1):
                if not self._read():
                    return self._process.wait(PATIENCE)
        raise AssertionError(f"Ctrl-C did not end it: {self.seen!r}")

    def _says_more(self, seconds: float) -> bool:
        return bool(select.select([self._master], [], [], seconds)[0])

    def _read(self) -> bool:
        assert self._says_more(PATIENCE), f"nothing more came after {self.seen!r}"
        try:
            data = os.read(self._master, 4096)
        except OSError:  # how Linux says that nobody is there any more
            return False
        self.seen += data.decode().replace("\r\n", "\n")
        return bool(data)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)


@contextmanager
def terminal(*argv: str) -> Iterator[Terminal]:
    """`rawllm argv` in a terminal."""
    with program(*RAWLLM, *argv) as screen:
        yield screen


@contextmanager
def program(*arguments: str) -> Iterator[Terminal]:
    """`python arguments` in a terminal."""
    screen = Terminal(arguments)
    try:
        yield screen
    finally:
        screen.close()
