"""The page of reliability: its tables are read, written, and held to."""

from __future__ import annotations

import pytest

from tests.faults.ledger import Ledger, Row, read, written

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
