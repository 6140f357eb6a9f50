"""How often each fault had which outcome, and the page that says so.

The page is prose around tables; a table stands between `<!-- table: NAME -->`
and `<!-- end -->`, and only these lines are ever rewritten.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

_TABLE = re.compile(r"(<!-- table: ([a-z]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_ROW = re.compile(r"\| (.+?) \| (.+?) \| ([\d,]+) \|")
_TOP = "| fault | outcome | count |\n| --- | --- | ---: |\n"


class Row(NamedTuple):
    """In which chapter, what was done to the client, and what came of it."""

    chapter: str
    fault: str
    outcome: str


Counts = dict[Row, int]


def read(page: str) -> Counts:
    """What the tables of `page` say.

    >>> list(read("<!-- table: cuts -->\\n| FIN | nothing lost | 1,000 |\\n<!-- end -->").items())
    [(Row(chapter='cuts', fault='FIN', outcome='nothing lost'), 1000)]
    """
    return {
        Row(chapter, fault, outcome): int(count.replace(",", ""))
        for _, chapter, table, _ in _TABLE.findall(page)
        for fault, outcome, count in _ROW.findall(table)
    }


def written(page: str, counts: Counts) -> str:
    """`page` with the tables of those chapters that `counts` has anything of."""
    chapters = {row.chapter for row in counts}

    def table(found: re.Match[str]) -> str:
        start, chapter, _, end = found.groups()
        if chapter not in chapters:
            return found[0]
        lines = [
            f"| {row.fault} | {row.outcome} | {count:,} |\n"
            for row, count in counts.items()
            if row.chapter == chapter
        ]
        return f"{start}{_TOP}{''.join(lines)}{end}"

    return _TABLE.sub(table, page)


class Ledger:
    """What the tests of this run have seen."""

    def __init__(self, known: Counts | None) -> None:
        self._known = known
        self.counts: Counter[Row] = Counter()

    def note(self, row: Row, count: int = 1) -> None:
        """Count it. That it is on the page is checked, where the page is not being written."""
        assert self._known is None or row in self._known, (
            f"docs/reliability.md does not have {row}: `python -m tests.faults` writes it"
        )
        self.counts[row] += count


def options(chosen: list[str]) -> list[str]:
    """What pytest is to be told: all of it and the page, and the folder where no place is chosen.

    >>> options(["-k", "x"])[-3:] == [str(Path(__file__).parent), "-k", "x"]
    True
    """
    folder = Path(__file__).parent
    places = [Path(word.partition("::")[0]).resolve() for word in chosen]
    chose = any(place.exists() and place.is_relative_to(folder) for place in places)
    where = [] if chose else [str(folder)]
    return ["--thorough", f"--write-page={PAGE}", "-q", *where, *chosen]
