"""A server is killed under load, and started again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import rawllm
from tests.faults.conftest import Note
from tests.live.server import binary, eventually, free_port
from tests.servers import PATIENCE

CHAPTER = "network"


class Process:
    """A server in a process of its own, on one port, however often it is started."""

    def __init__(self, command: list[str], port: int) -> None:
        self._command = command
        self.url = f"http://127.0.0.1:{port}/v1"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """It answers when this returns."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with rawllm.Client(self.url, loading_timeout=PATIENCE) as client:
            assert eventually(lambda: answers(client), 6 * PATIENCE)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def answers(client: rawllm.Client) -> bool:
    try:
        return bool(client.with_options(max_retries=0).models.list())
    except (rawllm.APIConnectionError, rawllm.ModelLoadingError):
        return False


WORDS = "word " * 40


class Load:
    """Calls without end, from some threads, half of them streamed; what each came to."""

    THREADS = 8

    def __init__(self, client: rawllm.Client, streamed: str, whole: str) -> None:
        self._client = client
        self._models = {True: streamed, False: whole}
        #: What the server says, as long as it is well.
        self.said, _ = self._ask(streamed=True)
        self._over = threading.Event()
        self.outcomes: list[str] = []
        #: What had come of each stream that was cut.
        self.partials: list[str] = []
        #: The retries of each call that was answered.
        self.retried: list[int] = []

    def __enter__(self) -> Load:
        self._pool = ThreadPoolExecutor(self.THREADS)
        self._running = [self._pool.submit(self._go_on, n % 2 == 0) for n in range(self.THREADS)]
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for one in self._running:
            one.result()

    def more(self, count: int) -> bool:
        """Whether so many more answers have come, before patience ends."""
        enough = len(self.retried) + count
        return eventually(lambda: len(self.retried) >= enough, 6 * PATIENCE)

    def _ask(self, streamed: bool) -> tuple[str, int]:
        """The text of an answer, and after how many retries it came."""
        create = self._client.chat.completions.with_raw_response.create
        raw = create(
            model=self._models[streamed],
            messages=WORDS,
            stream=streamed,
            temperature=0,
        )
        answered = raw.parse()
        completion = answered.completion if streamed else answered
        assert completion.choices[0].finish_reason
        return text(completion), raw.retries_taken

    def _go_on(self, streamed: bool) -> None:
        while not self._over.is_set():
            try:
                answered, retries = self._ask(streamed)
            except rawllm.APIError as error:
                kept = ""
                if isinstance(error, rawllm.StreamError):
                    self.partials.append(text(error.partial))
                    kept = " with the partial answer"
                self.outcomes.append(f"`{type(error).__name__}`{kept}")
            else:
                assert answered == self.said
                self.outcomes.append("an answer")
                self.retried.append(retries)


def text(completion: Any) -> str:
    choices = completion.choices
    return str(choices[0].message.content or "") if choices else ""


def killed_again_and_again(server: Process, streamed: str, whole: str, kills: int) -> Counter[str]:
    """What all calls came to, while the server was killed so often, and started again."""
    try:
        server.start()
        with rawllm.Client(server.url) as client, Load(client, streamed, whole) as load:
            for _ in range(kills):
                assert load.more(2 * Load.THREADS)
                server.kill()
                server.start()
            assert load.more(4 * Load.THREADS)
            assert any(load.retried)
            late = len(load.outcomes)
            assert load.more(Load.THREADS)
            assert all(load.said.startswith(partial) for partial in load.partials)
            assert any(load.partials) or kills == 1
            # The server is well, and so are the calls that began since.
            assert {*load.outcomes[late + Load.THREADS :]} <= {"an answer"}
    finally:
        server.kill()
    return Counter(load.outcomes)


#: How a call may end whose server is killed.
DOCUMENTED = {
    "an answer",
    "`APIConnectionError`",
    "`IncompleteStreamError` with the partial answer",
}


def test_a_server_is_killed_and_started_again_under_load(note: Note, thorough: bool) -> None:
    port = free_port()
    command = [sys.executable, "-m", "rawllm", "serve", "--port", str(port)]
    kills = 20 if thorough else 1
    outcomes = killed_again_and_again(Process(command, port), "slow:5", "bytes", kills)
    assert outcomes.keys() <= DOCUMENTED
    for outcome, count in outcomes.items():
        note("a server, killed and started again under load", outcome, count)


def test_llama_server_is_killed_and_started_again_under_load(note: Note, thorough: bool) -> None:
    models = os.environ.get("RAWLLM_TINY_MODELS")
    if not (thorough and models):
        pytest.skip("needs --thorough, RAWLLM_LLAMA_SERVER and RAWLLM_TINY_MODELS")
    port = free_port()
    command = [binary(), "--host", "127.0.0.1", "--port", str(port), "--jinja"]
    model = ["-m", f"{models}/tiny.gguf", "--alias", "tiny"]
    outcomes = killed_again_and_again(Process([*command, *model], port), "tiny", "tiny", 20)
    assert outcomes.keys() <= DOCUMENTED
    for outcome, count in outcomes.items():
        note("a llama-server, killed and started again under load", outcome, count)
