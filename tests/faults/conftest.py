"""The ledger that all tests of faults write into."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults import ledger
from tests.faults.ledger import Ledger, Row

#: Note an outcome of a fault, once or so many times.
Note = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="every byte, every minute")
    parser.addoption("--write-page", action="store_true", help="write docs/reliability.md")


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether all is to be tried, for as long as it takes, rather than a sample."""
    return bool(request.config.getoption("--thorough", default=False))


@pytest.fixture(scope="session")
def the_ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    writing = request.config.getoption("--write-page", default=False)
    book = Ledger(None if writing else ledger.read(ledger.PAGE.read_text()))
    yield book
    if writing:
        page = ledger.PAGE.read_text()
        ledger.PAGE.write_text(ledger.written(page, book.counts))


@pytest.fixture
def note(request: pytest.FixtureRequest, the_ledger: Ledger) -> Note:
    """`note(fault, outcome, count=1)`, in the chapter that the test's module names."""

    def note(fault: str, outcome: str, count: int = 1) -> None:
        the_ledger.note(Row(request.module.CHAPTER, fault, outcome), count)

    return note
