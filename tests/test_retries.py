"""When a failed call is tried again, and after how long: the table read row by row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

import pytest
from requests.structures import CaseInsensitiveDict

from rawllm import retries, troubles
from rawllm.retries import (
    ANY,
    AT_ONCE,
    BACKOFF,
    IF_ASKED,
    LOADING,
    MOST_AT_ONCE,
    NEVER,
    RULES,
    Failure,
    Patience,
    delay,
    event,
    retry_after,
    rule,
)

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=timezone.utc)

BOTH = (False, True)

# --- the table --------------------------------------------------------------

#: (event, reused, begun) -> action, in the order of the table
READ: dict[str, tuple[Failure, str]] = {
    "an answer that broke off": (Failure("dropped", begun=True), NEVER),
    "an answer that fell silent": (Failure("timeout", begun=True), NEVER),
    "nothing listens": (Failure("refused"), BACKOFF),
    "no route": (Failure("unreachable"), BACKOFF),
    "slow to connect": (Failure("connect timeout"), BACKOFF),
    "no TLS handshake": (Failure("handshake"), BACKOFF),
    "the proxy left": (Failure("proxy left"), BACKOFF),
    "an idle connection was closed": (Failure("dropped", reused=True), AT_ONCE),
    "a new connection was closed": (Failure("dropped"), BACKOFF),
    "no answer came in time": (Failure("timeout"), IF_ASKED),
    "no such host": (Failure("dns"), NEVER),
    "an untrusted certificate": (Failure("tls"), NEVER),
    "the proxy failed": (Failure("proxy"), NEVER),
    "the deadline passed": (Failure("deadline"), NEVER),
    "no TLS": (Failure("plain"), NEVER),
    "no HTTP": (Failure("protocol"), NEVER),
    "the account is empty": (Failure("quota"), NEVER),
    "the request is wrong": (Failure("bad request"), NEVER),
    "the model loads": (Failure("loading"), LOADING),
    "the server is busy": (Failure("busy"), BACKOFF),
    "another status": (Failure("status"), NEVER),
}


@pytest.mark.parametrize(("failure", "action"), READ.values(), ids=READ)
def test_the_table_says_what_to_do(failure: Failure, action: str) -> None:
    assert rule(failure) == action


def test_every_row_of_the_table_is_read_above() -> None:
    read = [
        next(
            row
            for row in RULES
            if row[0] == failure.event
            and row[1] in (ANY, failure.reused)
            and row[2] in (ANY, failure.begun)
        )
        for failure, _ in READ.values()
    ]
    assert read == list(RULES)


@pytest.mark.parametrize("row", RULES, ids=[f"{e}-{r}-{b}" for e, r, b, _ in RULES])
def test_no_row_is_hidden_by_one_above_it(row: tuple[str, bool | None, bool | None, str]) -> None:
    name, reused, begun, _ = row
    above = RULES[: RULES.index(row)]
    cases = [(r, b) for r in BOTH for b in BOTH if reused in (ANY, r) and begun in (ANY, b)]
    hidden = [
        any(other[0] == name and other[1] in (ANY, r) and other[2] in (ANY, b) for other in above)
        for r, b in cases
    ]
    assert not all(hidden)


@pytest.mark.parametrize("name", sorted({row[0] for row in RULES}))
@pytest.mark.parametrize("reused", BOTH)
@pytest.mark.parametrize("begun", BOTH)
def test_the_table_has_a_row_for_every_case(name: str, reused: bool, begun: bool) -> None:
    assert rule(Failure(name, reused, begun)) in (NEVER, AT_ONCE, BACKOFF, IF_ASKED, LOADING)


def test_an_answer_that_has_begun_is_never_tried_again_on_any_connection() -> None:
    for name in ("dropped", "timeout"):
        assert [rule(Failure(name, reused, begun=True)) for reused in BOTH] == [NEVER, NEVER]


@pytest.mark.parametrize("reused", BOTH)
def test_a_silent_server_is_one_on_any_connection(reused: bool) -> None:
    assert rule(Failure("timeout", reused)) == IF_ASKED


def test_an_event_that_is_not_in_the_table_is_an_error() -> None:
    with pytest.raises(KeyError, match="earthquake"):
        rule(Failure("earthquake"))


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(kind.__new__(kind), id=f"{kind.__module__}.{kind.__name__}")
        for kind, _ in troubles._KINDS
    ]
    + [pytest.param(ValueError("?"), id="anything else")],
)
def test_what_a_connection_can_fail_with_is_in_the_table(trouble: BaseException) -> None:
    assert rule(Failure(troubles.event(trouble)))


# --- what an error answer is ------------------------------------------------

LLAMA = {"Server": "llama.cpp"}

#: name: (status, headers, its name in the table)
ANSWERS: dict[str, tuple[int, Mapping[str, str], str]] = {
    "400": (400, {}, "status"),
    "401": (401, {}, "status"),
    "403": (403, {}, "status"),
    "404": (404, {}, "status"),
    "407": (407, {}, "status"),
    "408": (408, {}, "busy"),
    "409": (409, {}, "busy"),
    "410": (410, {}, "status"),
    "422": (422, {}, "status"),
    "429": (429, {}, "busy"),
    "302": (302, {}, "status"),
    "499": (499, {}, "status"),
    "500": (500, {}, "busy"),
    "501": (501, {}, "busy"),
    "503": (503, {}, "busy"),
    "529": (529, {}, "busy"),
    "llama-server: malformed JSON": (500, LLAMA, "bad request"),
    "llama-server: not enabled": (501, LLAMA, "bad request"),
    "llama-server: no slot": (503, LLAMA, "busy"),
    "llama-server: 502 of a proxy": (502, LLAMA, "busy"),
    "llama-server: 400": (400, LLAMA, "status"),
    "another server": (500, {"Server": "uvicorn"}, "busy"),
    "asked to retry": (400, {"x-should-retry": "true"}, "busy"),
    "asked not to": (500, {"x-should-retry": "false"}, "status"),
    "asked neither": (500, {"x-should-retry": "perhaps"}, "busy"),
    "asked neither, of a 400": (400, {"x-should-retry": ""}, "status"),
    "in any case": (400, CaseInsensitiveDict({"X-Should-Retry": "true"}), "busy"),
    "llama-server asks": (500, {**LLAMA, "x-should-retry": "true"}, "bad request"),
}


@pytest.mark.parametrize(("status", "headers", "name"), ANSWERS.values(), ids=ANSWERS)
def test_an_error_answer_has_its_name(status: int, headers: Mapping[str, str], name: str) -> None:
    assert event(status, headers) == name
    assert rule(Failure(event(status, headers)))


def test_an_empty_account_is_not_asked_again_whatever_the_headers_say() -> None:
    asked = {"x-should-retry": "true"}
    assert event(429, asked, quota=True) == "quota"
    assert event(500, LLAMA, quota=True, loading=True) == "quota"


def test_a_model_that_loads_is_waited_for_whatever_the_headers_say() -> None:
    assert event(503, {"x-should-retry": "false"}, loading=True) == "loading"
    assert event(503, LLAMA, loading=True) == "loading"


# --- what the server asks for -----------------------------------------------


def date(seconds: float, zone: str = "GMT") -> str:
    return (NOW + timedelta(seconds=seconds)).strftime(f"%a, %d %b %Y %H:%M:%S {zone}")


#: name: (headers, the seconds they ask for)
ASKED: dict[str, tuple[Mapping[str, str], float | None]] = {
    "nothing": ({}, None),
    "seconds": ({"retry-after": "20"}, 20.0),
    "half a second": ({"retry-after": "0.5"}, 0.5),
    "blanks around": ({"retry-after": " 3 "}, 3.0),
    "zero": ({"retry-after": "0"}, 0.0),
    "negative": ({"retry-after": "-5"}, 0.0),
    "an hour": ({"retry-after": "3600"}, 3600.0),
    "NaN": ({"retry-after": "nan"}, None),
    "infinity": ({"retry-after": "inf"}, None),
    "minus infinity": ({"retry-after": "-inf"}, None),
    "words": ({"retry-after": "soon"}, None),
    "empty": ({"retry-after": ""}, None),
    "milliseconds": ({"retry-after-ms": "1500"}, 1.5),
    "milliseconds before seconds": ({"retry-after-ms": "200", "retry-after": "7"}, 0.2),
    "negative milliseconds": ({"retry-after-ms": "-1"}, 0.0),
    "milliseconds that are none": ({"retry-after-ms": "x", "retry-after": "7"}, 7.0),
    "NaN milliseconds": ({"retry-after-ms": "nan", "retry-after": "7"}, 7.0),
    "a date": ({"retry-after": date(30)}, 30.0),
    "a date and milliseconds that are none": ({"retry-after-ms": "", "retry-after": date(2)}, 2.0),
    "a date in the past": ({"retry-after": date(-30)}, 0.0),
    "a date of another zone": ({"retry-after": date(3600, "+0100")}, 0.0),
    "a date without a zone": ({"retry-after": date(30, "")}, None),
    "a date that is none": ({"retry-after": "Fri, 32 Nov 2026 12:00:00 GMT"}, None),
    "a day beyond counting": ({"retry-after": f"Fri, {'9' * 20} Nov 2026 12:00:00 GMT"}, None),
    "a zone beyond counting": ({"retry-after": date(30, f"+{'9' * 20}")}, None),
    "in any case": (CaseInsensitiveDict({"Retry-After": "4"}), 4.0),
}


@pytest.mark.parametrize(("headers", "seconds"), ASKED.values(), ids=ASKED)
def test_the_seconds_that_a_server_asks_for(
    headers: Mapping[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, NOW) == seconds


def test_a_date_is_not_read_without_a_zone_of_now() -> None:
    assert retry_after({"retry-after": date(30)}, NOW.replace(tzinfo=None)) is None


# --- how long to wait -------------------------------------------------------


@pytest.mark.parametrize(
    ("retry", "seconds"),
    [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (6, 8.0), (100_000, 8.0)],
)
def test_each_wait_is_twice_as_long_up_to_8_seconds(retry: int, seconds: float) -> None:
    assert delay(retry, {}, NOW) == seconds


@pytest.mark.parametrize(("random", "seconds"), [(0.0, 2.0), (0.5, 1.75), (1.0, 1.5)])
def test_chance_takes_up_to_a_quarter_off(random: float, seconds: float) -> None:
    assert delay(2, {}, NOW, random) == seconds


#: name: (headers, seconds to wait at the third retry)
WAITS: dict[str, tuple[Mapping[str, str], float | None]] = {
    "as asked": ({"retry-after": "7"}, 7.0),
    "as asked in milliseconds": ({"retry-after-ms": "1"}, 0.001),
    "until the date": ({"retry-after": date(30)}, 30.0),
    "two minutes": ({"retry-after": "120"}, 120.0),
    "more than two minutes": ({"retry-after": "120.001"}, None),
    "a date of tomorrow": ({"retry-after": date(86_400)}, None),
    "at once": ({"retry-after": "0"}, 2.0),
    "negative": ({"retry-after": "-1"}, 2.0),
    "past": ({"retry-after": date(-30)}, 2.0),
    "not a number": ({"retry-after": "nan"}, 2.0),
    "for ever": ({"retry-after": "inf"}, 2.0),
}


@pytest.mark.parametrize(("headers", "seconds"), WAITS.values(), ids=WAITS)
def test_the_server_decides_up_to_two_minutes(
    headers: Mapping[str, str], seconds: float | None
) -> None:
    assert delay(2, headers, NOW) == seconds


def test_chance_takes_nothing_off_what_the_server_asks_for() -> None:
    assert delay(0, {"retry-after": "7"}, NOW, random=1.0) == 7.0


# --- patience ---------------------------------------------------------------


def pauses(patience: Patience, failure: Failure, times: int) -> list[float | None]:
    return [patience.pause(failure, {}, NOW, elapsed=0.0) for _ in range(times)]


@pytest.mark.parametrize(
    ("max_retries", "expected"),
    [(0, [None]), (1, [0.5, None]), (2, [0.5, 1.0, None]), (3, [0.5, 1.0, 2.0, None, None])],
)
def test_it_is_tried_again_max_retries_times(
    max_retries: int, expected: list[float | None]
) -> None:
    patience = Patience(max_retries, loading_timeout=60.0)
    assert pauses(patience, Failure("busy"), len(expected)) == expected
    assert patience.taken == max_retries


@pytest.mark.parametrize("failure", [f for f, action in READ.values() if action == NEVER])
def test_what_is_never_tried_again_gives_up(failure: Failure) -> None:
    patience = Patience(max_retries=9, loading_timeout=60.0, retry_timeouts=True)
    assert patience.pause(failure, {"retry-after": "1"}, NOW, 0.0) is None
    assert patience.taken == 0


def test_a_dead_connection_of_the_pool_is_replaced_at_once_and_does_not_count() -> None:
    patience = Patience(max_retries=1, loading_timeout=60.0)
    reused = Failure("dropped", reused=True)
    assert patience.pause(reused, {}, NOW, 0.0) == 0.0
    assert patience.taken == 1
    assert pauses(patience, Failure("busy"), 2) == [0.5, None]
    assert patience.taken == 2


def test_after_five_dead_connections_it_is_a_failing_server() -> None:
    patience = Patience(max_retries=2, loading_timeout=60.0)
    reused = Failure("dropped", reused=True)
    assert MOST_AT_ONCE == 5
    assert pauses(patience, reused, 8) == [0.0] * 5 + [0.5, 1.0, None]
    assert patience.taken == 7


def test_a_timeout_is_tried_again_only_where_asked_for() -> None:
    silent = Failure("timeout")
    assert pauses(Patience(2, 60.0), silent, 1) == [None]
    assert pauses(Patience(2, 60.0, retry_timeouts=True), silent, 3) == [0.5, 1.0, None]


def test_asking_for_it_changes_nothing_for_other_failures() -> None:
    patience = Patience(2, 60.0, retry_timeouts=True)
    assert pauses(patience, Failure("dropped", reused=True), 1) == [0.0]
    assert pauses(patience, Failure("loading"), 1) == [0.5]


def test_a_model_that_loads_is_waited_for_outside_max_retries() -> None:
    patience = Patience(max_retries=0, loading_timeout=60.0)
    assert pauses(patience, Failure("loading"), 5) == [0.5, 1.0, 2.0, 2.0, 2.0]
    assert patience.taken == 5
    assert pauses(patience, Failure("busy"), 1) == [None]


@pytest.mark.parametrize(
    ("elapsed", "pause"),
    [(0.0, 0.5), (9.4, 0.5), (9.5, 0.5), (9.6, None), (10.0, None), (50.0, None)],
)
def test_a_model_that_loads_is_waited_for_until_loading_timeout(
    elapsed: float, pause: float | None
) -> None:
    patience = Patience(max_retries=9, loading_timeout=10.0)
    assert patience.pause(Failure("loading"), {}, NOW, elapsed) == pause
    assert patience.taken == (pause is not None)


def test_a_loading_timeout_of_0_does_not_wait() -> None:
    assert pauses(Patience(9, loading_timeout=0.0), Failure("loading"), 1) == [None]


@pytest.mark.parametrize(
    ("after", "pause"), [("3", 3.0), ("11", None), ("121", None)], ids=["fits", "late", "never"]
)
def test_while_a_model_loads_the_server_decides_too(after: str, pause: float | None) -> None:
    patience = Patience(max_retries=0, loading_timeout=10.0)
    assert patience.pause(Failure("loading"), {"retry-after": after}, NOW, 0.0) == pause


def test_a_server_that_asks_for_more_than_two_minutes_is_given_up() -> None:
    patience = Patience(max_retries=2, loading_timeout=60.0)
    assert patience.pause(Failure("busy"), {"retry-after": "121"}, NOW, 0.0) is None
    assert patience.taken == 0


@pytest.mark.parametrize("name", ["busy", "loading"])
def test_headers_clock_and_chance_reach_the_delay(name: str) -> None:
    patience = Patience(max_retries=9, loading_timeout=60.0)
    failure = Failure(name)
    assert patience.pause(failure, {}, NOW, 0.0, random=1.0) == 0.375
    assert patience.pause(failure, {"retry-after": date(9)}, NOW, 0.0, random=1.0) == 9.0


def test_patience_has_no_chance_in_it_by_itself() -> None:
    assert delay(0, {}, NOW) == retries.delay(0, {}, NOW, 0.0)


def test_what_an_upstream_asked_for_is_waited_for() -> None:
    now = datetime.now(timezone.utc)
    assert retry_after({"llm_provider-retry-after": "7"}, now) == 7.0
    assert retry_after({"llm_provider-retry-after": "7", "retry-after": "5"}, now) == 5.0
