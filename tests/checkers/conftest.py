"""Programs of others that judge the reference server: two checkers, and the official SDK.

``RAWLLM_COMPATCANARY``      the path of compatcanary (otherwise looked up on PATH, and in
                             node_modules)
``RAWLLM_REQUIRE_CHECKERS``  1: what is missing fails the tests instead of skipping them
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NoReturn

import pytest

from rawllm import testing
from tests.live.server import unavailable

Sdk = Callable[..., Any]

#: Where the scenario "redirect-elsewhere" points.
ELSEWHERE = "http://other.invalid"


def missing(reason: str) -> NoReturn:
    unavailable(reason, required_by="RAWLLM_REQUIRE_CHECKERS")


@pytest.fixture(scope="session")
def llm_comply() -> list[str]:
    """The command that runs it, as the interpreter of the suite has it."""
    if find_spec("llm_comply") is None:
        missing("no llm-comply: pip install llm-comply")
    return [sys.executable, "-m", "llm_comply.cli"]


@pytest.fixture(scope="session")
def compatcanary() -> list[str]:
    if shutil.which("node") is None:
        missing("no node, which compatcanary needs")
    named = os.environ.get("RAWLLM_COMPATCANARY")
    found = shutil.which(named) if named else _compatcanary()
    if found is None:
        told = f"RAWLLM_COMPATCANARY={named} cannot be executed" if named else "no compatcanary"
        missing(f"{told}: npm install compatcanary, or set RAWLLM_COMPATCANARY to its path")
    return [found]


def _compatcanary() -> str | None:
    return shutil.which("compatcanary") or shutil.which("node_modules/.bin/compatcanary")


@pytest.fixture(scope="session")
def openai() -> Any:
    """The module. What it is made of has no types here, so that mypy needs none of it."""
    if find_spec("openai") is None:
        missing("no openai: pip install openai")
    return importlib.import_module("openai")


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with testing.serve() as url:
        yield url


class Stranger:
    """What a client sends its requests for ELSEWHERE with: it keeps them, and nobody answers."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def handle_request(self, request: Any) -> Any:
        request.read()
        self.requests.append(request)
        raise importlib.import_module("httpx2").ConnectError("refused")

    def close(self) -> None:
        pass


@pytest.fixture
def stranger() -> Stranger:
    return Stranger()


@pytest.fixture
def sdk(openai: Any, stranger: Stranger) -> Iterator[Sdk]:
    """The official client of a server. It tries once, and asks no proxy of the developer's."""
    clients = []

    def made(url: str, **options: Any) -> Any:
        connections = openai.DefaultHttpxClient(
            trust_env=False,
            verify=False,  # loading the authorities takes longer than a test, and there is no TLS
            mounts={ELSEWHERE: stranger},
        )
        defaults = {"api_key": "secret", "max_retries": 0, "timeout": 10}
        client = openai.OpenAI(base_url=url, http_client=connections, **(defaults | options))
        clients.append(client)
        return client

    yield made
    for client in clients:
        client.close()
