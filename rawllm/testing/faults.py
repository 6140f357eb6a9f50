r"""What goes wrong, in small pieces that `scenarios.py` puts together.

Three kinds: what is done to the chunks of a stream, what to the bytes of a
body, and what is played instead of any answer. What is left out: which model
name stands for which, and who does so in the wild.

>>> cut(End.FIN)([b"data: 1\n\n", b"data: 2\n\n"], "")
[b'data: 1\n\n', <End.FIN: 'it is closed'>]
"""

import hashlib
import itertools
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from rawllm import envelopes
from rawllm.envelopes import Envelope
from rawllm.testing import turns
from rawllm.testing.dialects import Json
from rawllm.testing.parameters import RefusedError, number
from rawllm.testing.scripts import End, Pause, Request, Script, Step, whole
from rawllm.testing.turns import Ask, Say, Turn

BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
LOGIN = b"<!doctype html><html><head><title>Log in</title></head><body>Please log in.</body></html>"

# --- chunks -----------------------------------------------------------------

Chunks = Callable[[list[Json]], Sequence[Json | bytes]]


def half(chunks: list[Json]) -> list[Json]:
    """The first half of them, at least one."""
    return chunks[: max(1, len(chunks) // 2)]


def half_then(last: Json | bytes) -> Chunks:
    """The first half, then one that is given; of an object, beside the fields of all."""

    def alter(chunks: list[Json]) -> list[Json | bytes]:
        end = {**chunks[0], **last} if isinstance(last, dict) and "choices" in last else last
        return [*half(chunks), end]

    return alter


def between(event: bytes) -> Chunks:
    """All of them, each behind `event`."""

    def alter(chunks: list[Json]) -> list[Json | bytes]:
        return [item for chunk in chunks for item in (event, chunk)]

    return alter


def finishing(reason: str, say: Say = turns.plain) -> Say:
    """What `say` says, ended for this reason."""

    def said(ask: Ask) -> Turn:
        return say(ask)._replace(finish=reason)

    return said


# --- bytes ------------------------------------------------------------------

Steps = Callable[[list[Step], str], list[Step]]


def none(steps: list[Step], argument: str) -> list[Step]:
    """Nothing is done."""
    return steps


def slow(steps: list[Step], argument: str) -> list[Step]:
    """A pause before each, of so many milliseconds."""
    pause = Pause(number(argument, 50) / 1000)
    return [item for step in steps for item in (pause, step)]


def cut(end: End) -> Steps:
    """The first half of the bytes, then the end."""

    def alter(steps: list[Step], argument: str) -> list[Step]:
        left = sum(map(len, _data(steps))) // 2
        kept: list[Step] = []
        for data in _data(steps):
            kept += [data[:left]] if left else []
            left -= min(left, len(data))
        return [*kept, end]

    return alter


def bytewise(steps: list[Step], argument: str) -> list[Step]:
    """Each byte a write of its own."""
    return [bytes([byte]) for data in _data(steps) for byte in data]


def inside_characters(steps: list[Step], argument: str) -> list[Step]:
    """A new write begins behind the first byte of every longer character of UTF-8."""
    pieces: list[Step] = []
    for data in _data(steps):
        start = 0
        for place, byte in enumerate(data, 1):
            if byte >= 0b1100_0000:  # it begins a sequence
                pieces.append(data[start:place])
                start = place
        pieces.append(data[start:])
    return pieces


def _data(steps: list[Step]) -> list[bytes]:
    return [step for step in steps if isinstance(step, bytes)]


# --- in place of an answer --------------------------------------------------


class Memory:
    """What a server remembers of the requests before. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[str, itertools.count[int]] = {}
        self._since: dict[str, float] = {}

    def times(self, model: str) -> int:
        """How often this model was asked before; asking is counted."""
        return next(self._asked.setdefault(model, itertools.count()))

    def seconds(self, model: str) -> float:
        """How long ago this model was asked for the first time."""
        now = self._clock()
        return now - self._since.setdefault(model, now)


class Moment(NamedTuple):
    """What there is to go by: the request, and what has been before it."""

    request: Request
    model: str
    argument: str
    streamed: bool
    memory: Memory


#: What is played in place of an answer; `None` where there is to be one.
Instead = Callable[[Moment], Script | None]


def nothing(moment: Moment) -> None:
    """There is to be an answer."""


def unless_streamed(instead: Instead) -> Instead:
    """`instead`, for whole answers alone."""
    return lambda moment: None if moment.streamed else instead(moment)


#: What a status says, and its type and code, where the scenario says no other.
WORDS: dict[int, Envelope] = {
    status: Envelope(message, type=kind, code=code)
    for status, message, kind, code in (
        (400, "This request makes no sense.", "invalid_request_error", None),
        (401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
        (403, "This key may not do that.", "permission_error", None),
        (404, "The model does not exist.", "invalid_request_error", "model_not_found"),
        (408, "The request took too long to arrive.", "timeout_error", None),
        (409, "Another request holds what this one needs.", "conflict_error", None),
        (413, "The request is too large.", "invalid_request_error", None),
        (422, "This parameter cannot be processed.", "invalid_request_error", None),
        (429, "Rate limit reached for requests.", "requests", "rate_limit_exceeded"),
        (500, "The server had an error.", "server_error", None),
        (503, "server busy, please try again.", "server_error", None),
    )
}

#: A model that is being loaded, in llama-server's words.
LOADING = Envelope("Loading model", type="unavailable_error")


def status(code: int, /, **fields: str) -> Instead:
    """An error. The argument is the shape of its envelope, or the seconds of Retry-After.

    `fields` are those of the envelope that the table has otherwise.
    """
    found = WORDS[code]._replace(**fields)

    def instead(moment: Moment) -> Script:
        timed = code == 429 and moment.argument.isdecimal()
        shape = "openai" if timed else moment.argument or "openai"
        seconds = number(moment.argument if timed else "", 1)
        headers = {"Retry-After": str(seconds)} if code == 429 else {}
        return error(code, found, shape, request_id(moment.request) | headers)

    return instead


def error(
    code: int,
    found: Envelope,
    shape: str = "openai",
    headers: Mapping[str, str] = {},
) -> Script:
    """An error answer. Raises `RefusedError` for a shape that no server has."""
    try:
        value = envelopes.serialize(found, code, shape)
    except ValueError as unknown:
        raise RefusedError(str(unknown), param="model") from None
    fields = {"Content-Type": "application/json", **headers}
    return whole(code, fields, json.dumps(value, separators=(",", ":")).encode())


def request_id(request: Request) -> dict[str, str]:
    """The header with the caller's id of a request, or one made from it."""
    made = hashlib.sha256(request.target.encode(errors="replace") + request.body).hexdigest()[:8]
    named = request.headers.get("x-request-id", "")
    return {"X-Request-Id": named if _ID.fullmatch(named) else f"req_{made}"}


_ID = re.compile("[!-~]{1,200}")


def body(kind: str, data: bytes, code: int = 200) -> Instead:
    """Bytes that are no answer of the protocol."""
    return lambda moment: whole(code, {"Content-Type": kind}, data)


def redirect(code: int, location: str) -> Instead:
    """A redirect, to the same target where the location says `{target}`."""

    def instead(moment: Moment) -> Script:
        target = location.format(target=moment.request.target)
        return whole(code, {"Location": target}, b"")

    return instead


def redirect_once(moment: Moment) -> Script | None:
    """A redirect to the same path with a query, which is then answered."""
    if moment.request.query:
        return None
    return redirect(307, "{target}?redirected=1")(moment)


def loading(moment: Moment) -> Script | None:
    """503 until so many seconds after the model was asked first."""
    if moment.memory.seconds(moment.model) >= number(moment.argument, 1):
        return None
    return error(503, LOADING, "llama-server", request_id(moment.request))


def failing_first(moment: Moment) -> Script | None:
    """503 so many times before each answer."""
    most = number(moment.argument, 1)
    if moment.memory.times(moment.model) % (most + 1) == most:
        return None
    return error(503, WORDS[503], headers=request_id(moment.request))
