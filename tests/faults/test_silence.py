"""Recorded answers after which nothing more comes: the wait for the rest ends, with what came."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Note
from tests.faults.cut_server import Way
from tests.faults.cutting import KINDS, Job, run, run_all

CHAPTER = "silence"


@pytest.mark.parametrize("kind", KINDS)
def test_silence_over_sockets_is_told(kind: str, note: Note, thorough: bool) -> None:
    # Each of them waits, so that the suite makes few.
    sample = Job(kind, Way.SILENCE, sample=1, part=0, parts=11)
    outcomes = run_all(kind, Way.SILENCE) if thorough else run(sample)
    for (server, outcome), count in sorted(outcomes.items()):
        note(f"{kind} of {server}, {Way.SILENCE.value}", outcome, count)
