"""Recorded answers, cut at every byte: none of them passes for a whole one.

What falls silent there is in test_silence.py.
"""

from __future__ import annotations

from collections import Counter

import pytest

from rawllm import sse
from rawllm.answers import ChatCompletion, Completion
from rawllm.fold import Fold
from rawllm.objects import Object, parse
from rawllm.payloads import choices_asked, prompts_asked
from tests.faults.conftest import Note
from tests.faults.cut_server import Way
from tests.faults.cut_words import kept, told
from tests.faults.cutting import KINDS, Job, run, run_all
from tests.recordings import STREAMS

CHAPTER = "cuts"

#: What the suite tries of each way: other places of each recording.
SAMPLES = {
    Way.FIN: {"sample": 3, "part": 0, "parts": 2},
    Way.RST: {"sample": 3, "part": 1, "parts": 2},
}


@pytest.mark.parametrize("way", SAMPLES, ids=lambda way: way.name)
@pytest.mark.parametrize("kind", KINDS)
def test_cut_over_sockets_nothing_ends_silently(
    kind: str, way: Way, *, note: Note, thorough: bool
) -> None:
    outcomes = run_all(kind, way) if thorough else run(Job(kind, way, **SAMPLES[way]))
    for (server, outcome), count in sorted(outcomes.items()):
        note(f"{kind} of {server}, {way.value}", outcome, count)


def test_at_every_byte_the_fold_knows_what_has_come(note: Note) -> None:
    outcomes: Counter[str] = Counter()
    for recording in STREAMS:
        verdict, failed = "cut", False
        decoder = sse.Decoder()
        fold = Fold(Completion if recording.path == "/v1/completions" else ChatCompletion)
        asked = {
            "expected": choices_asked(recording.asked),
            "prompts": prompts_asked(recording.asked),
        }
        story = told(recording)
        for start, data in recording.pieces:
            for at in range(len(data)):
                for event in decoder.feed(data[at : at + 1]):
                    mark = story.at(start + at + 1)
                    value = None if event.data == "[DONE]" else parse(event.data)
                    if isinstance(value, Object) and not mark.failed:
                        fold.add(value, len(event.data))
                    assert kept(fold.completion) == mark.words
                    failed = mark.failed
                    verdict = fold.verdict(done=mark.done, framed=False, **asked)
                    assert failed or verdict == "cut" or mark.words == story.marks[-1].words
                outcomes["failed" if failed else verdict] += 1
    note("any stream, in memory", "incomplete, the partial answer known", outcomes["cut"])
    note("any stream, in memory", "failed, in the server's own words", outcomes["failed"])
    note("any stream, in memory", "whole: all its words have come", outcomes["whole"])
