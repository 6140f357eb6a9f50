"""When a failed call is tried again, and how long to wait: a table and arithmetic.

No clock is read here and nothing sleeps. The statuses, headers and delays are
the openai SDK's (`_base_client.py`); what differs is named at each row.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

NEVER, AT_ONCE, BACKOFF, IF_ASKED, LOADING = "never", "at once", "back off", "if asked", "loading"
ANY = None

#: A longer `Retry-After` (in seconds) is not waited for: the caller should know.
MAX_RETRY_AFTER = 120.0

#: So many dead connections of a pool are replaced at once; then it is a failing server.
MOST_AT_ONCE = 5


class Failure(NamedTuple):
    """What went wrong, as far as the table asks."""

    event: str
    #: Whether the connection had carried an earlier request.
    reused: bool = False
    #: Whether anything of the answer had arrived.
    begun: bool = False


#: (event, connection reused?, answer begun?) -> what to do. The first row that fits holds.
RULES: tuple[tuple[str, bool | None, bool | None, str], ...] = (
    # Whatever arrived may have been acted on, and what follows may differ.
    ("dropped", ANY, True, NEVER),
    ("timeout", ANY, True, NEVER),
    # No connection was made: the server may be restarting.
    ("refused", ANY, ANY, BACKOFF),
    ("unreachable", ANY, ANY, BACKOFF),
    ("connect timeout", ANY, ANY, BACKOFF),
    ("handshake", ANY, ANY, BACKOFF),
    ("proxy left", ANY, ANY, BACKOFF),
    # The server closed an idle connection while the request was on its way
    # (uvicorn and llama-server after 5 s): it never saw the request.
    ("dropped", True, False, AT_ONCE),
    ("dropped", False, False, BACKOFF),
    # A model that thinks for ten minutes does so again, and is paid for again.
    ("timeout", ANY, False, IF_ASKED),
    # A person must do something about these.
    ("dns", ANY, ANY, NEVER),
    ("tls", ANY, ANY, NEVER),
    ("proxy", ANY, ANY, NEVER),
    ("deadline", ANY, ANY, NEVER),
    ("plain", ANY, ANY, NEVER),
    ("protocol", ANY, ANY, NEVER),
    # An error answered.
    ("quota", ANY, ANY, NEVER),
    ("bad request", ANY, ANY, NEVER),
    ("loading", ANY, ANY, LOADING),
    ("busy", ANY, ANY, BACKOFF),
    ("status", ANY, ANY, NEVER),
)


class Patience:
    """How often one call has been tried again, and how long it goes on."""

    def __init__(
        self, max_retries: int, loading_timeout: float, retry_timeouts: bool = False
    ) -> None:
        self._max_retries = max_retries
        self._loading_timeout = loading_timeout
        self._retry_timeouts = retry_timeouts
        self._done: dict[str, int] = dict.fromkeys((AT_ONCE, BACKOFF, LOADING), 0)

    @property
    def taken(self) -> int:
        """The number of retries so far, of every kind."""
        return sum(self._done.values())

    def pause(
        self,
        failure: Failure,
        headers: Mapping[str, str],
        now: datetime,
        elapsed: float,
        random: float = 0.0,
    ) -> float | None:
        """Seconds to wait before the next try, `None` to give up.

        `headers` are those of an error answer, `elapsed` the seconds since the
        call began.
        """
        action = rule(failure)
        if action == IF_ASKED and self._retry_timeouts:
            action = BACKOFF
        if action == AT_ONCE and self._done[AT_ONCE] >= MOST_AT_ONCE:
            action = BACKOFF
        pause: float | None = None
        if action == AT_ONCE:
            pause = 0.0
        elif action == BACKOFF and self._done[BACKOFF] < self._max_retries:
            pause = delay(self._done[BACKOFF], headers, now, random)
        elif action == LOADING:
            # Looked at every 2 s at the most, since it may be ready at any time.
            pause = delay(min(self._done[LOADING], 2), headers, now, random)
            if pause is not None and elapsed + pause > self._loading_timeout:
                pause = None
        if pause is not None:
            self._done[action] += 1
        return pause


def rule(failure: Failure) -> str:
    """What the table says of `failure`."""
    for event, reused, begun, action in RULES:
        fits = reused in (ANY, failure.reused) and begun in (ANY, failure.begun)
        if event == failure.event and fits:
            return action
    raise KeyError(failure.event)


def event(
    status: int, headers: Mapping[str, str], *, quota: bool = False, loading: bool = False
) -> str:
    """The table's name for an error answer."""
    if quota:
        return "quota"
    if status in (500, 501) and headers.get("Server") == "llama.cpp":
        # quirk(llama-server): malformed JSON and failing templates are 500, an
        # endpoint that is not enabled 501 (server.cpp: ex_wrapper).
        return "bad request"
    if loading:
        return "loading"
    asked = headers.get("x-should-retry")
    if asked in ("true", "false"):
        return "busy" if asked == "true" else "status"
    return "busy" if status in (408, 409, 429) or status >= 500 else "status"


def delay(
    retry: int, headers: Mapping[str, str], now: datetime, random: float = 0.0
) -> float | None:
    """Seconds to wait before retry number `retry` (the first is 0); `None`: do not.

    The server's `retry-after-ms` or `retry-after` decides if it is above 0 and
    at most 120 s. Else it is 0.5 s, doubled each time up to 8 s, less up to a
    quarter by `random` (0 to 1), so that many clients do not come back at once.

    >>> delay(1, {}, datetime.now())
    1.0
    >>> delay(1, {"retry-after-ms": "200"}, datetime.now())
    0.2
    >>> delay(1, {"retry-after": "3600"}, datetime.now()) is None
    True
    """
    asked = retry_after(headers, now)
    if asked:
        return asked if asked <= MAX_RETRY_AFTER else None
    return 0.5 * 2.0 ** min(retry, 4) * (1 - 0.25 * random)


#: Headers with a time to wait, and their unit in seconds.
_RETRY_AFTER = (
    ("retry-after-ms", 0.001),
    ("retry-after", 1.0),
    ("llm_provider-retry-after", 1.0),  # quirk(litellm): passes on what its upstream said
)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds a server asks to wait, 0 for what is past, `None` where it does not ask.

    RFC 9110 section 10.2.3: a number of seconds or a date; OpenAI also sends
    milliseconds. `now` must know its time zone if a date is to be read.
    """
    for name, unit in _RETRY_AFTER:
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    # Here and not above: it takes as long as a quarter of `import rawllm`.
    from email.utils import parsedate_to_datetime

    try:
        seconds = (parsedate_to_datetime(headers["retry-after"]) - now).total_seconds()
    except (KeyError, TypeError, ValueError, OverflowError):  # no date, or without a time zone
        return None
    return max(seconds, 0.0)
