"""The page of reliability: its tables are read, written, and held to."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults import cutting
from tests.faults.cut_server import Way
from tests.faults.ledger import PAGE as THE_PAGE
from tests.faults.ledger import Ledger, Row, options, read, written
from tests.fuzz.__main__ import CHAPTER as NOISE
from tests.fuzz.__main__ import LEAST
from tests.recordings import STREAMS

PAGE = """Words.
<!-- table: one -->
| fault | outcome | count |
| --- | --- | ---: |
| silence | an error | 1,200 |
<!-- end -->
More.
<!-- table: two -->
<!-- end -->
"""
SILENCE = Row("one", "silence", "an error")


def test_a_page_is_read() -> None:
    assert read(PAGE) == {SILENCE: 1200}


def test_only_the_tables_of_chapters_that_were_run_are_written() -> None:
    page = written(PAGE, {Row("two", "noise", "an answer"): 3})
    assert read(page) == {SILENCE: 1200, Row("two", "noise", "an answer"): 3}
    assert page.startswith(PAGE.partition("<!-- table: two")[0])


def test_a_row_that_came_no_more_leaves_the_table() -> None:
    assert read(written(PAGE, {Row("one", "noise", "an error"): 1})) == {
        Row("one", "noise", "an error"): 1
    }


def test_an_outcome_that_the_page_does_not_have_fails_the_test_that_saw_it() -> None:
    with pytest.raises(AssertionError, match=r"silence.*an answer"):
        Ledger(read(PAGE)).note(Row("one", "silence", "an answer"))


def test_outcomes_are_counted() -> None:
    ledger = Ledger(read(PAGE))
    ledger.note(SILENCE)
    ledger.note(SILENCE, 10)
    assert ledger.counts == {SILENCE: 11}


# --- what is written, and when ----------------------------------------------

MODULE = """
import pytest

CHAPTER = "one"

@pytest.mark.parametrize("fault", ["silence", "noise"])
def test_a_fault(fault, note):
    note(fault, "an error", 2)

def test_another(note):
    note("a reset", "an error")
"""
WHOLE = {
    Row("one", "silence", "an error"): 2,
    Row("one", "noise", "an error"): 2,
    Row("one", "a reset", "an error"): 1,
}


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.faults.conftest"]
    command += ["-p", "no:cacheprovider", *arguments]
    root = THE_PAGE.parents[1]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("more", "chosen", "counts"),
    [
        pytest.param("", ["{0}"], WHOLE, id="all"),
        pytest.param("", ["{0}::test_another"], {SILENCE: 1200}, id="one test"),
        pytest.param("", ["{0}", "-k", "noise"], {SILENCE: 1200}, id="deselected"),
        pytest.param("    assert False", ["{0}"], {SILENCE: 1200}, id="a failure after its row"),
        pytest.param("    pytest.skip('no')", ["{0}"], {SILENCE: 1200}, id="skipped"),
    ],
)
def test_a_chapter_is_written_where_all_of_it_has_passed(
    tmp_path: Path, more: str, chosen: list[str], counts: dict[Row, int]
) -> None:
    file, page = tmp_path / "test_one.py", tmp_path / "page.md"
    file.write_text(MODULE + more)
    page.write_text(PAGE)
    words = [word.format(file) for word in chosen]
    done = ran("--thorough", f"--write-page={page}", f"--rootdir={tmp_path}", *words)
    assert read(page.read_text()) == counts, done.stdout + done.stderr
    assert ("as it was" in done.stdout) is (counts != WHOLE)


def test_a_chapter_of_two_files_is_written_from_both(tmp_path: Path) -> None:
    one, two, page = tmp_path / "test_one.py", tmp_path / "test_two.py", tmp_path / "page.md"
    one.write_text(MODULE)
    two.write_text('CHAPTER = "one"\n\ndef test_more(note):\n    note("more", "an error")\n')
    page.write_text(PAGE)
    for files, counts in (
        ([one], {SILENCE: 1200}),
        ([one, two], WHOLE | {Row("one", "more", "an error"): 1}),
    ):
        ran("--thorough", f"--write-page={page}", f"--rootdir={tmp_path}", *map(str, files))
        assert read(page.read_text()) == counts


def test_without_all_faults_no_page_is_written(tmp_path: Path) -> None:
    done = ran(f"--write-page={tmp_path}", f"--rootdir={tmp_path}", str(tmp_path))
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--write-page needs --thorough" in done.stderr


@pytest.mark.parametrize(
    ("chosen", "all_of_it"),
    [
        ([], True),
        (["-k", "tests"], True),
        (["-x", "-k", "x"], True),
        ([__file__], False),
        ([f"{__file__}::test_a_page_is_read", "-x"], False),
    ],
)
def test_where_no_place_is_chosen_all_faults_are(chosen: list[str], all_of_it: bool) -> None:
    told = options(chosen)
    assert (str(Path(__file__).parent) in told) is all_of_it
    assert told[len(told) - len(chosen) :] == chosen


# --- the page is of runs of all that there is -------------------------------

COUNTS = read(THE_PAGE.read_text())


@pytest.mark.parametrize("kind", cutting.KINDS)
def test_the_page_counts_every_cut(kind: str) -> None:
    found: Counter[str] = Counter()
    for row, count in COUNTS.items():
        if row.chapter in ("cuts", "silence") and row.fault.startswith(f"{kind} of "):
            found[row.fault.partition(", ")[2]] += count
    assert found == {way.value: cutting.number_of_cuts(kind, way) for way in Way}


def test_the_page_counts_every_byte_of_a_stream() -> None:
    found = sum(count for row, count in COUNTS.items() if row.fault == "any stream, in memory")
    assert found == sum(len(data) for stream in STREAMS for _, data in stream.pieces)


@pytest.mark.parametrize("target", LEAST)
def test_the_page_counts_noise_enough(target: str) -> None:
    found = [n for row, n in COUNTS.items() if (row.chapter, row.fault) == (NOISE, target)]
    assert sum(found) >= LEAST[target]
