"""A real ``llama-server`` as a process: where it is found, how it starts, that it is gone."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
import requests

READY_WITHIN = 60.0  # seconds; a tiny model takes a tenth of one
STOPPED_WITHIN = 10.0
PAUSE = 0.02  # between two looks at what will be so soon


def unavailable(reason: str, required_by: str = "RAWLLM_REQUIRE_LIVE") -> NoReturn:
    """Skip what cannot run here; fail it where the environment says that all must run."""
    if os.environ.get(required_by) == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def binary() -> str:
    """The path of the llama-server to run."""
    named = os.environ.get("RAWLLM_LLAMA_SERVER")
    if named and not os.access(named, os.X_OK):
        unavailable(f"RAWLLM_LLAMA_SERVER={named} cannot be executed")
    found = named or shutil.which("llama-server")
    if not found:
        unavailable("no llama-server: set RAWLLM_LLAMA_SERVER to its path, or put it on PATH")
    return found


def eventually(so: Callable[[], bool], within: float) -> bool:
    """Whether it is so before the deadline, which is in seconds from now."""
    deadline = time.monotonic() + within
    while not so():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


def free_port() -> int:
    """A port of the loopback interface on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def url_of(port: int) -> str:
    """What a client is given as base_url for a server on this port."""
    return f"http://127.0.0.1:{port}/v1"


@dataclass
class LlamaServer:
    """One running server. What it prints goes to a file: a pipe nobody reads would fill up."""

    process: subprocess.Popen[bytes]
    base_url: str
    log: Path

    @property
    def root(self) -> str:
        """The address of what is not under /v1."""
        return self.base_url.removesuffix("/v1")

    def is_ready(self) -> bool:
        """Whether the model is loaded; a server which has died instead fails the test."""
        if self.process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            pytest.fail(f"llama-server ended with {self.process.returncode}:\n{tail}")
        try:
            return requests.get(f"{self.root}/health", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """SIGKILL for the process and its children (a router's); it is gone on return."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end, so that a router ends its children first; then make it end."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOPPED_WITHIN)
        self.kill()


@contextmanager
def running(program: str, arguments: list[str], port: int, log: Path) -> Iterator[LlamaServer]:
    """A server that is ready to answer, and is gone afterwards."""
    command = [program, "--host", "127.0.0.1", "--port", str(port), *arguments]
    # Its settings may come from the environment as well: those of the developer are not ours.
    environment = {name: value for name, value in os.environ.items() if "LLAMA" not in name}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = LlamaServer(process, url_of(port), log)
    try:
        if not eventually(server.is_ready, READY_WITHIN):
            pytest.fail(f"llama-server was not ready in {READY_WITHIN} s: {log}")
        yield server
    finally:
        server.stop()
