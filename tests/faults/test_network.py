"""The network fails under a call: what is tried again is what the table in `retries.py` says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import rawllm
from rawllm import failures
from rawllm.retries import ANY, AT_ONCE, BACKOFF, IF_ASKED, LOADING, RULES, Failure, rule
from tests.faults.conftest import Note
from tests.faults.network_cases import CASES, Case
from tests.faults.proxy import Fault, How
from tests.faults.scenes import (
    CONNECTION,
    GOOD,
    HALF,
    INCOMPLETE,
    TEXT,
    TIMEOUT,
    Scene,
    ask,
    calling,
    through,
)
from tests.live.server import eventually
from tests.servers import PATIENCE

CHAPTER = "network"

whole_and_streamed = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])

#: Those that are tried again where the caller asks for it.
IF_ASKED_FOR = {name: case for name, case in CASES.items() if rule(case.failure) == IF_ASKED}

#: What the text may say as well: a reset can be seen before the connection is used, a line
#: that was cut is one that cannot be read, and after an idle connection there is a new one.
ALSO = {"dropped": ("unreachable", "protocol", "handshake")}

each = pytest.mark.parametrize("name", CASES)


def ways(name: str, *, odd: bool, thorough: bool) -> list[bool]:
    """Whether a streamed answer is asked for or a whole one, each time."""
    return [False, True] * 10 if thorough else [[*CASES].index(name) % 2 == odd]


def words(case: Case) -> list[str]:
    """What the text may say of it."""
    event = case.failure.event
    return (
        [case.says] if case.says else [failures._EVENTS[e] for e in (event, *ALSO.get(event, ()))]
    )


def told(name: str) -> str:
    return name.partition(";")[0]


def tries(failure: Failure, max_retries: int, *, retry_timeouts: bool = False) -> int:
    """How often the table has a call sent whose every try fails so."""
    action = rule(failure)
    if action == AT_ONCE:  # on a new connection, the next time
        return 1 + tries(failure._replace(reused=False), max_retries)
    if action == LOADING:
        return 3  # within LOADING_TIMEOUT, however many retries there are
    again = action == BACKOFF or (action == IF_ASKED and retry_timeouts)
    return 1 + max_retries if again else 1


LOADING_TIMEOUT = 1.2  # seconds: two pauses fit, of about 0.5 and 1


def times(count: int) -> str:
    return "not tried again" if count == 1 else f"after {count - 1} retries"


@contextmanager
def failing(
    case: Case, streamed: bool, *, mends: bool, limit: float = 0.5, **options: Any
) -> Iterator[tuple[Callable[[], str], list[float], Scene]]:
    """A call which the fault is to meet, the pauses it makes, and the scene.

    With `mends` all is well after the first pause. A connection that is to be
    an idle one has carried a call before. `limit` is in seconds, of a silence that
    ends where something is to be well.
    """
    pauses: list[float] = []
    with case.stage(GOOD[streamed]) as scene:
        if "timeout" in scene.options and (mends or case.failure.reused):
            options["timeout"] = limit

        def paused(seconds: float) -> None:
            pauses.append(seconds)
            if mends:
                scene.mend()

        with calling(scene, paused, **options) as client:
            if case.failure.reused:
                assert ask(client, streamed=streamed) == TEXT
            scene.begin()
            yield lambda: ask(client, streamed=streamed, **case.call), pauses, scene


def got_by(case: Case, streamed: bool, **options: Any) -> list[float]:
    """The pauses of a call that is answered; a busy machine may need more time to do so."""
    for limit in (0.5, 2.0, PATIENCE):
        with failing(case, streamed, mends=True, limit=limit, **options) as (call, pauses, _):
            with suppress(TIMEOUT):
                assert call() == TEXT
                return pauses
    pytest.fail("no answer came")


def met(scene: Scene, count: int) -> bool:
    """Whether the other side has seen so many tries fail, for which it may be late."""
    harmed = scene.harmed
    return harmed is None or eventually(lambda: harmed() == count, PATIENCE)


@each
def test_a_fault_that_stays_is_met_as_often_as_the_table_says(
    name: str, note: Note, thorough: bool
) -> None:
    case = CASES[name]
    expected = tries(case.failure, max_retries=2)
    for streamed in ways(name, odd=False, thorough=thorough):
        waits = {"loading_timeout": LOADING_TIMEOUT}
        with failing(case, streamed, mends=False, **waits) as (call, pauses, scene):
            with pytest.raises(case.raises) as caught:
                call()
            assert met(scene, expected)
        assert type(caught.value) is case.raises
        assert any(word in caught.value.message for word in words(case))
        assert len(pauses) + 1 == expected
        backed_off = pauses[rule(case.failure) == AT_ONCE :]
        assert all(0.375 * 2**i <= pause <= 0.5 * 2**i for i, pause in enumerate(backed_off))
        note(told(name), f"`{case.raises.__name__}`, {times(expected)}")


@each
def test_a_fault_that_goes_away_is_got_by_where_the_table_says(
    name: str, note: Note, thorough: bool
) -> None:
    case = CASES[name]
    never = tries(case.failure, max_retries=1) == 1
    at_once = rule(case.failure) == AT_ONCE
    for streamed in ways(name, odd=True, thorough=thorough):
        if never:
            with failing(case, streamed, mends=True, limit=0.2, max_retries=1) as failed:
                call, pauses, _ = failed
                with pytest.raises(case.raises):
                    call()
            assert pauses == []
        else:
            pauses = got_by(case, streamed, max_retries=1)
            assert len(pauses) == 1
            assert (pauses == [0.0]) == at_once
            how = "a retry at once" if at_once else "one retry"
            note(f"{told(name)}, once", f"an answer after {how}")


@pytest.mark.parametrize("name", IF_ASKED_FOR)
def test_silence_is_got_by_where_the_caller_asks_for_it(
    name: str, note: Note, thorough: bool
) -> None:
    case = IF_ASKED_FOR[name]
    for streamed in ways(name, odd=True, thorough=thorough):
        assert len(got_by(case, streamed, retry_timeouts=True)) == 1
        note(f"{told(name)}, once, `retry_timeouts=True`", "an answer after one retry")


def test_every_row_of_the_table_has_been_met() -> None:
    def row(failure: Failure) -> tuple[Any, ...]:
        return next(
            row
            for row in RULES
            if row[0] == failure.event
            and row[1] in (ANY, failure.reused)
            and row[2] in (ANY, failure.begun)
        )

    assert {row(case.failure) for case in CASES.values()} == set(RULES)


# --- answers that stop in the middle ----------------------------------------


@pytest.mark.parametrize("how", [How.FIN, How.RST, How.SILENCE])
@whole_and_streamed
def test_an_answer_that_stops_in_the_middle_is_not_asked_for_again(
    how: How, streamed: bool, note: Note
) -> None:
    pauses: list[float] = []
    raises: type[rawllm.APIError] = TIMEOUT if how is How.SILENCE else CONNECTION
    raises = INCOMPLETE if streamed else raises
    stage = through(Fault(how, HALF[streamed]), retry_timeouts=True, timeout=0.5)
    with stage(GOOD[streamed]) as scene, calling(scene, pauses.append) as client:
        scene.begin()
        with pytest.raises(raises) as caught:
            ask(client, streamed=streamed)
        assert scene.harmed is not None
        assert scene.harmed() == 1
    assert type(caught.value) is raises
    assert pauses == []
    what = "a stream" if streamed else "a whole answer"
    kept = ""
    if isinstance(caught.value, INCOMPLETE):
        assert caught.value.partial.choices[0].message.content == "Hello"
        kept = " with the partial answer"
    note(f"{what}, {how.value} in the middle", f"`{raises.__name__}`{kept}, not tried again")
