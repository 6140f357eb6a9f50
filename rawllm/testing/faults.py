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
from rawllm.testing.parameters import RefusedError, number
from rawllm.testing.scripts import End, Framing, Json, Pause, Request, Script, Step, stream, whole
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


def finishing(reason: str) -> Say:
    """What was said, ended for this reason."""
    return lambda ask: turns.plain(ask)._replace(finish=reason)


def broken_calls(ask: Ask) -> Turn:
    """A call of every tool, with arguments that lack their last brace."""
    turn = turns.tools(ask)
    calls = [call._replace(arguments=call.arguments[:-1]) for call in turn.calls]
    return turn._replace(calls=tuple(calls))


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


def packed(steps: list[Step], argument: str) -> list[Step]:
    """Up to three of them in each write."""
    data = _data(steps)
    return [b"".join(data[start : start + 3]) for start in range(0, len(data), 3)]


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
        self._asked: dict[tuple[str, bytes], itertools.count[int]] = {}
        self._since: dict[str, float] = {}

    def times(self, model: str, body: bytes) -> int:
        """How often this model was asked the same before; asking is counted."""
        asked = model, hashlib.sha256(body).digest()
        return next(self._asked.setdefault(asked, itertools.count()))

    def seconds(self, model: str) -> float:
        """How long ago this model was asked for the first time."""
        now = self._clock()
        return now - self._since.setdefault(model, now)


class Moment(NamedTuple):
    """What there is to go by: the request, and what has been before it."""

    request: Request
    #: Its name, "" for all whose names are no scenarios: they are one server's model.
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
    """An error. The argument is the shape of its envelope; of a rate limit also its seconds.

    `fields` are those of the envelope that the table has otherwise.
    """
    found = WORDS[code]._replace(**fields)
    passes = found.code == "rate_limit_exceeded"  # nobody knows when a quota is filled again

    def instead(moment: Moment) -> Script:
        timed = passes and moment.argument.isdecimal()
        shape = "openai" if timed else moment.argument or "openai"
        seconds = number(moment.argument if timed else "", 1)
        headers = {"Retry-After": str(seconds)} if passes else {}
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
    kind = "application/problem+json" if shape == "problem" else "application/json"  # RFC 9457
    fields = {"Content-Type": kind, **headers}
    return whole(code, fields, json.dumps(value, separators=(",", ":")).encode())


def request_id(request: Request) -> dict[str, str]:
    """The header with the caller's id of a request, or one made from it."""
    made = hashlib.sha256(request.target.encode(errors="replace") + request.body).hexdigest()[:8]
    named = request.headers.get("x-request-id", "")
    return {"X-Request-Id": named if _ID.fullmatch(named) else f"req_{made}"}


def framed(request: Request, usual: Framing = "chunked") -> Framing:
    """How the answer in a stream ends."""
    # HTTP/1.0, which nginx speaks to those behind it, has no chunks: RFC 9112 section 6.1.
    return "closing" if request.version == "HTTP/1.0" else usual


_ID = re.compile("[!-~]{1,200}")


def body(kind: str, data: bytes, code: int = 200) -> Instead:
    """Bytes that are no answer of the protocol."""
    return lambda moment: whole(code, {"Content-Type": kind}, data)


def ending(end: End) -> Instead:
    """Not a byte, and this end."""
    return lambda moment: [end]


def empty(moment: Moment) -> Script:
    """200, and a body of no bytes: of a stream, where one was asked for."""
    if not moment.streamed:
        return whole(200, {"Content-Type": "application/json"}, b"")
    return stream({"Content-Type": "text/event-stream; charset=utf-8"}, [], framed(moment.request))


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
    if moment.memory.times(moment.model, moment.request.body) % (most + 1) == most:
        return None
    return error(503, WORDS[503], headers=request_id(moment.request))
