"""Recorded exchanges, served again: byte for byte, and in the time they took.

A recording is files of one name, in a directory or below it:

| file | what it holds |
|---|---|
| `NAME.request` | the HTTP request as it was sent |
| `NAME.response` | every byte that came back, status line and framing included |
| `NAME.timing` | not always there: `{"end": "chunked-end", "recv": [[seconds, bytes], ...]}` |

`recv` has a pair for each read: when it was, since the request was sent, and
how much came. What is left out: recording, and answers that nobody gave.

    with Server(Replay("recordings").answer) as server:
        client = rawllm.Client(server.url)
"""

import http.client
import io
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from rawllm.envelopes import Envelope
from rawllm.testing import faults
from rawllm.testing.reading import UnreadableError, read
from rawllm.testing.scripts import End, Pause, Request, Script, Step

#: What `end` in a timing may say, and how the connection then ends. `None`: as
#: the answer itself says, which is also so for an answer without a timing.
ENDS: dict[str, End | None] = {
    "chunked-end": None,
    "closed": End.FIN,
    "reset": End.RST,
    "silence": End.SILENCE,
}

#: The parameters that are the question; all others are about how it is answered.
QUESTION: tuple[str, ...] = ("model", "messages", "prompt", "input", "stream")


class Recording(NamedTuple):
    """One exchange. The `name` is a path from the directory, without a suffix."""

    name: str
    request: Request
    #: The request's parameters. A body that is no JSON object is one, named "".
    given: dict[str, Any]
    #: What plays the answer.
    script: Script


class Replay:
    """Answers a request as it was answered when it was recorded.

    A recording fits a request with the same method, path and query that asks
    the same `QUESTION`, or has the same body where there is none in it. Of those
    that fit, the ones with the fewest other parameters that differ are served;
    of these the ones with the same key, if there are any; and of several one
    after the other, in the order of their names. No other header matters. A
    request that no recording fits gets a 404.

    Raises `ValueError` for a directory without recordings, and for a broken one.
    """

    def __init__(self, directory: str | Path) -> None:
        self.recordings: list[Recording] = _load(Path(directory))
        self._served: Counter[tuple[str, ...]] = Counter()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Script:
        """What is played for a request: it is for a `Server`, and for many threads."""
        found = _nearest(request, self.recordings)
        if not found:
            return faults.error(404, Envelope(_unknown(request, self.recordings)))
        names = tuple(recording.name for recording in found)
        with self._lock:
            turn = self._served[names]
            self._served[names] += 1
        return found[turn % len(found)].script


# --- which recording --------------------------------------------------------


def _given(request: Request) -> dict[str, Any]:
    """The parameters. `stream` is one of them always, for to leave it out means the same."""
    try:
        value = request.json
    except (ValueError, RecursionError):
        value = request.body
    found = value if isinstance(value, dict) else {"": value}
    return {**found, "stream": found.get("stream") or False}


def _nearest(request: Request, recordings: Sequence[Recording]) -> list[Recording]:
    given = _given(request)
    place, question = (request.method, request.target), _question(given)
    fit = [
        (_distance(given, one.given), one)
        for one in recordings
        if (one.request.method, one.request.target) == place and _question(one.given) == question
    ]
    least = min((distance for distance, _ in fit), default=0)
    nearest = [one for distance, one in fit if distance == least]
    key = request.headers.get("authorization")
    return [one for one in nearest if one.request.headers.get("authorization") == key] or nearest


def _question(given: Mapping[str, Any]) -> Mapping[str, Any]:
    found = {name: given[name] for name in QUESTION if name in given}
    return found if found.keys() & {"messages", "prompt", "input"} else given


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """How many parameters only one has, or both with different values."""
    same = [name for name in one.keys() & other.keys() if one[name] == other[name]]
    return len(one.keys() | other.keys()) - len(same)


def _unknown(request: Request, recordings: Sequence[Recording]) -> str:
    """What was asked, and which recordings there are: what a person needs to see why."""
    asked = json.dumps(_question(_given(request)), ensure_ascii=False, default=repr)
    body = f" with {asked:.400}" if request.body else ""
    of_path = [one.name for one in recordings if one.request.target == request.target]
    others = sorted({f"{one.request.method} {one.request.target}" for one in recordings})
    known = (
        f"Of this path there are: {_some(of_path)}."
        if of_path
        else f"There is none of this path, but of: {_some(others)}."
    )
    return f"No recording of {request.method} {request.target}{body}. {known}"


def _some(names: list[str], most: int = 5) -> str:
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join(names[:most] + more)


# --- reading recordings -----------------------------------------------------


def _load(directory: Path) -> list[Recording]:
    suffixes = {".request", ".response", ".timing"}
    files = (path for path in directory.rglob("*") if path.suffix in suffixes)
    names = {path.relative_to(directory).as_posix().removesuffix(path.suffix) for path in files}
    if not names:
        raise ValueError(f"no recordings in {directory}: it has no file NAME.request")
    return [_recording(directory, name) for name in sorted(names)]


def _recording(directory: Path, name: str) -> Recording:
    try:
        request = _request((directory / f"{name}.request").read_bytes())
        answer = (directory / f"{name}.response").read_bytes()
        timing = directory / f"{name}.timing"
        told = json.loads(timing.read_bytes()) if timing.exists() else None
        steps, end = ([answer], None) if told is None else _timed(answer, told)
        end = end or _end(answer, request.method)
    except (OSError, ValueError) as broken:
        raise ValueError(f"the recording {name} in {directory} is broken: {broken}") from broken
    return Recording(name, request, _given(request), [*steps, *([end] if end else [])])


def _request(data: bytes) -> Request:
    source = io.BytesIO(data)
    try:
        request = read(source)
    except EOFError:
        request = None
    except UnreadableError as unreadable:
        raise ValueError(f"its request is {unreadable}") from unreadable
    if request is None or source.read(1):
        raise ValueError("its request is not one whole request")
    return request


def _timed(answer: bytes, timing: Any) -> tuple[list[Step], End | None]:
    """The answer in the pieces in which it came, and how the connection ended."""
    steps: list[Step] = []
    now, at = 0.0, 0
    try:
        end = ENDS[timing["end"]]
        for seconds, size in timing["recv"]:
            steps += [Pause(seconds - now)] if seconds > now else []
            steps += [answer[at : at + size]]
            now, at = max(now, seconds), at + size
    except (KeyError, TypeError, ValueError) as broken:
        raise ValueError(f"its timing cannot be read: {broken!r}") from broken
    if at != len(answer):
        raise ValueError(f"its timing has {at} bytes, its answer {len(answer)}")
    return steps, end


def _end(answer: bytes, method: str) -> End | None:
    """A FIN where the server closed: it says so, it has to, or not all of the answer is there."""
    if not b"HTTP/".startswith(answer[:5]):
        raise ValueError(f"its response is not of HTTP: {answer[:50]!r}")
    if _BLANK not in answer:
        return End.FIN
    connection: Any = SimpleNamespace(makefile=lambda mode: io.BytesIO(answer))
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        response.read()
    except http.client.IncompleteRead:
        return End.FIN
    except http.client.HTTPException as broken:
        raise ValueError(f"its response is not of HTTP: {broken!r}") from broken
    cut = response.chunked and not answer.endswith(_BLANK)  # behind the last chunk
    return End.FIN if cut or response.will_close else None


_BLANK = b"\r\n\r\n"
