"""Many threads call a server that fails now and then: nothing is mixed up, and nothing grows."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import load
from tests.faults.conftest import Note

CHAPTER = "load"
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="what a process has open is read from /proc"
)

MOST_KIB = 4 * 1024  # by which the second half's memory may exceed the first's
MOST_BLOCKS = 10_000  # objects of Python's, of which its caches hold now more, now fewer
POOLS = 2  # that outlive a call: the client's, and the caller's session's


def test_sixty_four_threads_and_a_server_that_fails_one_call_in_twenty(
    note: Note, thorough: bool
) -> None:
    seconds = 600 if thorough else 20
    command = [sys.executable, "-W", "error", "-m", load.__name__, "--seconds", str(seconds)]
    seen = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=2 * seconds + 300
    )
    assert seen.returncode == 0, seen.stderr
    told = json.loads(seen.stdout)
    assert not told["failures"], "\n".join([*told["failures"][:5], seen.stderr])
    for fault, outcome, count in told["counts"]:
        note(fault, outcome, count)

    start, closed = told["start"], told["closed"]
    rests = told["rests"]
    assert {rest["threads"] for rest in (start, *rests, closed)} == {1}
    idle = max(rest["descriptors"] for rest in rests) - start["descriptors"]
    assert idle <= POOLS * load.THREADS
    assert closed["descriptors"] == start["descriptors"]
    assert rests[-1]["blocks"] - rests[0]["blocks"] < MOST_BLOCKS
    first, last = halves([rest["kib"] for rest in rests])
    assert last - first < MOST_KIB
    print(seen.stderr, told["slowest"], told["excess"])
    laps = len(rests)
    note(f"{load.THREADS} threads and those that watch their limits", "none left after a lap", laps)
    most = f"at most {POOLS * load.THREADS} after a lap, none after `close()`"
    note("idle connections", most, laps)
    note("resident memory", f"grew by less than {MOST_KIB // 1024} MiB between the halves", laps)
    note("a limit of a call", f"it ended within that + {load.SLACK:g} s", rests[-1]["calls"])


def halves(values: list[int]) -> tuple[float, float]:
    """The median of the first half, without what came first of all, and of the second."""
    middle = len(values) // 2 + 1
    return statistics.median(values[1:middle] or values), statistics.median(values[middle:])
