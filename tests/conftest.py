"""A client and a mock of its server, where one request and its JSON are the subject.

And why tests were skipped that need what not every machine has.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest
import responses

import rawllm
from tests.servers import BASE


def pytest_configure() -> None:
    """Let Ctrl-C mean something: what a script runs in the background ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def an_environment_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test, nor a program that it starts, sees a developer's key, proxy or taste."""
    for name in list(os.environ):
        if name.startswith("OPENAI_") or name.lower().endswith("_proxy") or name == "NO_COLOR":
            monkeypatch.delenv(name)


@pytest.fixture
def client() -> Iterator[rawllm.Client]:
    with rawllm.Client(BASE, "sk-1", max_retries=0) as client:
        yield client


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


#: Folders whose tests need programs of others.
DEMANDING = ("tests/live/", "tests/checkers/")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once, for each folder and reason, why tests were skipped."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        (report.nodeid.rpartition("/")[0], report.longrepr[2])
        for report in skipped
        if report.nodeid.startswith(DEMANDING)
    )
    for (folder, reason), count in sorted(reasons.items()):
        terminalreporter.write_line(f"{folder}, {count} tests: {reason}")
