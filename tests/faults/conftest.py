"""The ledger that all tests of faults write into."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.faults import ledger
from tests.faults.ledger import Ledger, Row

#: Note an outcome of a fault, once or so many times.
Note = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="every byte, every minute")
    parser.addoption("--write-page", type=Path, help="write the tables of this page")


def pytest_configure(config: pytest.Config) -> None:
    page = config.getoption("--write-page", default=None)
    if page is not None:
        if not config.getoption("--thorough"):
            raise pytest.UsageError("--write-page needs --thorough: the page tells of all")
        config.pluginmanager.register(Writer(page, config.rootpath), "writer")


class Writer:
    """Writes the page: of each chapter of which all has been run, where nothing has failed."""

    def __init__(self, page: Path, root: Path) -> None:
        self.ledger = Ledger(None)
        self._page = page
        self._root = root
        #: By file: its tests, be they chosen or not, that have not passed, and its chapter.
        self._left: dict[str, set[str]] = {}
        self._chapters: dict[str, str] = {}

    def note(self, row: Row, count: int, nodeid: str) -> None:
        self._chapters[nodeid.partition("::")[0]] = row.chapter
        self.ledger.note(row, count)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        for node in report.result or ():
            if isinstance(node, pytest.Item):
                self._left.setdefault(collector.nodeid, set()).add(node.nodeid)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._left[report.nodeid.partition("::")[0]].discard(report.nodeid)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        say = terminalreporter.write_line
        if exitstatus != pytest.ExitCode.OK:
            say(f"{self._page} stays as it was: not all went well")
            return
        partly = {
            chapter
            for file, chapter in self._chapters.items()
            if self._left[file] or any(other not in self._left for other in self._others(file))
        }
        for chapter in sorted(partly):
            say(f"the chapter {chapter!r} stays as it was: not all of its tests have run")
        counts = {row: n for row, n in self.ledger.counts.items() if row.chapter not in partly}
        self._page.write_text(ledger.written(self._page.read_text(), counts))

    def _others(self, file: str) -> Iterator[str]:
        """The files beside `file` that are of its chapter, be they chosen or not."""
        chapter = f'CHAPTER = "{self._chapters[file]}"\n'
        for path in (self._root / file).parent.glob("test_*.py"):
            if chapter in path.read_text():
                yield path.relative_to(self._root).as_posix()


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether all is to be tried, for as long as it takes, rather than a sample."""
    return bool(request.config.getoption("--thorough", default=False))


@pytest.fixture(scope="session")
def known() -> Ledger:
    """What the page says, to which this run is held."""
    return Ledger(ledger.read(ledger.PAGE.read_text()))


@pytest.fixture
def note(request: pytest.FixtureRequest, known: Ledger) -> Note:
    """`note(fault, outcome, count=1)`, in the chapter that the test's module names."""
    writer = request.config.pluginmanager.get_plugin("writer")

    def note(fault: str, outcome: str, count: int = 1) -> None:
        row = Row(request.module.CHAPTER, fault, outcome)
        if writer is None:
            known.note(row, count)
        else:
            writer.note(row, count, request.node.nodeid)

    return note
