"""Recorded answers that stop at a byte, over real sockets, and what the client made of each."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import rawllm
from tests.faults.cut_server import Server, Slot, Way, serving
from tests.faults.cut_words import kept, told
from tests.recordings import RECORDINGS, STREAMS, Recording, caller
from tests.servers import PATIENCE

# --- one exchange -----------------------------------------------------------


@cache
def start_of(recording: Recording) -> int:
    return recording.body_start


class Cut(NamedTuple):
    """An answer that ends at a byte."""

    recording: Recording
    at: int
    way: Way

    def __str__(self) -> str:
        return f"{self.recording.name}, {self.at} bytes, {self.way.value}"

    @property
    def headless(self) -> bool:
        return self.at < start_of(self.recording)

    @property
    def failure(self) -> type[rawllm.APIConnectionError]:
        """What the client makes of it where it knows that something is missing."""
        silent = self.way is Way.SILENCE
        return rawllm.APITimeoutError if silent else rawllm.APIConnectionError


class Came(NamedTuple):
    """What a call came to: something, an error, or first the one and then the other."""

    value: Any
    error: rawllm.APIError | None = None


def _drain(stream: Any) -> None:
    for _ in stream:
        pass


def _join(stream: Any) -> None:
    "".join(stream.text)


def _complete(stream: Any) -> None:
    assert stream.completion


#: The ways to read a stream, which take turns.
_READINGS = (_drain, _join, _complete)


def read_stream(slot: Slot, cut: Cut, patience: float) -> Came:
    recording, at, way = cut
    # A reset destroys what has not been read: it waits until all chunks have been.
    slot.play(recording.raw[:at], Way.SILENCE if way is Way.RST and not cut.headless else way)
    # Before the first chunk it is the socket's own timeout that ends a silence.
    limits = {"timeout": 2 * patience, "idle_timeout": patience} if way is Way.SILENCE else {}
    stream = None
    try:
        stream = caller(recording)(slot.client, **limits)
        if way is Way.RST:
            mark = told(recording).at(at)
            for _ in range(mark.chunks + mark.failed):
                next(stream)
            slot.reset()
        _READINGS[at % len(_READINGS)](stream)
    except rawllm.APIError as error:
        return Came(stream, error)
    finally:
        slot.reset()
    return Came(stream)


def judge_stream(cut: Cut, came: Came) -> str:
    """The outcome in a few words, once it has been found right."""
    stream, error = came
    story = told(cut.recording)
    mark = story.at(cut.at)
    if cut.headless:
        assert type(error) is cut.failure, repr(error)
        return f"`{cut.failure.__name__}`: the head was not complete"
    if error is None:
        assert stream.finished
        assert mark.finished
        assert not mark.failed
        assert mark.words == story.marks[-1].words == kept(stream.completion)
        return "an answer: all its words had come, and a `finish_reason`"
    assert isinstance(error, rawllm.StreamError), repr(error)
    assert kept(error.partial) == mark.words
    if mark.failed:
        assert type(error) is rawllm.StreamAPIError
        return "`StreamAPIError`, the server's own, with the partial answer"
    assert type(error) is rawllm.IncompleteStreamError
    assert not (mark.finished and mark.done) or cut.way is Way.RST
    assert (mark.came if mark.words else "nothing had come") in error.message, error.message
    if cut.way is Way.SILENCE and not mark.done:
        limit = "within idle_timeout" if mark.chunks else "longer than the timeout"
        assert limit in error.message, error.message
    return "`IncompleteStreamError` with the partial answer and how long it is"


def read_whole(slot: Slot, cut: Cut, patience: float) -> Came:
    recording, at, way = cut
    slot.play(recording.raw[:at], way)
    limits = {"timeout": patience} if way is Way.SILENCE else {}
    try:
        return Came(caller(recording)(slot.client, **limits))
    except rawllm.APIError as error:
        return Came(None, error)
    finally:
        slot.reset()


def judge_whole(cut: Cut, came: Came) -> str:
    """The outcome in a few words, once it has been found right."""
    recording = cut.recording
    unframed = not (recording.chunked or "content-length" in recording.headers)
    if cut.headless or not unframed or cut.way is not Way.FIN:
        assert type(came.error) is cut.failure, repr(came)
        return f"`{cut.failure.__name__}`"
    assert type(came.error) is rawllm.APIResponseValidationError, repr(came)
    return "`APIResponseValidationError`: nothing but the JSON says where it ends"


# --- many -------------------------------------------------------------------


class Kind(NamedTuple):
    """What is cut, how it is read, and what is right then."""

    recordings: list[Recording]
    read: Callable[[Slot, Cut, float], Came]
    judge: Callable[[Cut, Came], str]


def is_whole_json(recording: Recording) -> bool:
    kind = recording.headers.get("content-type", "")
    return recording.status == 200 and "json" in kind


KINDS = {
    "streams": Kind(STREAMS, read_stream, judge_stream),
    "whole answers": Kind(
        [recording for recording in RECORDINGS if is_whole_json(recording)], read_whole, judge_whole
    ),
}


class Job(NamedTuple):
    """The cuts of one kind in one way, or each so-manyth of them."""

    kind: str
    way: Way
    #: How many bytes of each recording, and events, are tried; `None`: all.
    sample: int | None = None
    part: int = 0
    parts: int = 1

    @property
    def cuts(self) -> list[Cut]:
        cuts = [
            Cut(recording, at, self.way)
            for recording in KINDS[self.kind].recordings
            for at in places(recording, self.sample)
        ]
        return cuts[self.part :: self.parts]


#: Where somebody waits after each cut of what is no stream, each so-manyth is made.
EACH = {("whole answers", Way.SILENCE): 16}


def number_of_cuts(kind: str, way: Way) -> int:
    """How many are made of this kind and in this way, where no time is spared."""
    cuts = sum(len(places(recording, None)) for recording in KINDS[kind].recordings)
    return -(-cuts // EACH.get((kind, way), 1))


def places(recording: Recording, sample: int | None) -> list[int]:
    """Where it is cut."""
    size, start = len(recording.raw), start_of(recording)
    if sample is None:
        return [*range(size)]
    ends = told(recording).ends if recording.is_stream else []
    near = [*ends[:: len(ends) // sample + 1], *ends[-2:]]
    chosen = {*range(0, start, start // 2), *range(start, size, (size - start) // sample + 1)}
    return sorted(chosen | {end + step for end in near for step in (-1, 0, 1)} & {*range(size)})


#: By the name of the server.
Outcomes = Counter[tuple[str, str]]


def run(job: Job) -> Outcomes:
    """How often each outcome came. Fails at the first that is not right."""
    kind, waiting = KINDS[job.kind], iter(job.cuts)
    with serving() as server:

        def work(slot: Slot) -> Outcomes:
            return Counter(
                (cut.recording.name.partition("/")[0], one(server, slot, kind, cut, _PATIENCE))
                for cut in waiting
            )

        if job.way is not Way.SILENCE:
            with quick_turns():
                return work(server.slot())
        with ThreadPoolExecutor(_WAITING) as pool:
            return sum(pool.map(work, [server.slot() for _ in range(_WAITING)]), Counter())


def run_all(kind: str, way: Way) -> Outcomes:
    """All cuts, on all processors."""
    processors = os.cpu_count() or 1
    # Where half of the time is spent waiting, more of them wait side by side.
    processes = 2 * processors if way is Way.SILENCE else processors
    parts = 4 * processes
    each = EACH.get((kind, way), 1)
    jobs = [Job(kind, way, None, part * each, parts * each) for part in range(parts)]
    # Not forked, for pytest may have threads.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(run, jobs), Counter())


@contextmanager
def quick_turns() -> Iterator[None]:
    """Client and server are two threads, and one waits for the other all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


#: Seconds of silence, and how many wait for them at a time.
_PATIENCE, _WAITING = 0.2, 30


def one(server: Server, slot: Slot, kind: Kind, cut: Cut, patience: float) -> str:
    """What came of one cut, which is right."""
    begun = time.monotonic()
    came = kind.read(slot, cut, patience)
    if cut.way is Way.SILENCE and (slot.sent is None or slot.sent - begun > patience):
        # The server was too slow on a busy machine: it was silent before its time.
        assert patience < PATIENCE, f"{cut}: the server does not come to it"
        return one(server, server.slot(), kind, cut, 2 * patience)
    try:
        return kind.judge(cut, came)
    except AssertionError as wrong:
        raise AssertionError(f"{cut}: {came.error!r}: {wrong}") from wrong
