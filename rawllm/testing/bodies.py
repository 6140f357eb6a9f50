r"""The bodies of answers: JSON, or a stream of events, played as a scenario has it.

What is left out: what stands in them, which is made in `completions.py` and
`endpoints.py`.

>>> request = Request("GET", "/health", {"x-request-id": "1"}, b"")
>>> whole(request, {"status": "ok"})[0].partition(b"\r\n\r\n")[2]
b'{"status":"ok"}'
"""

import json
from collections.abc import Sequence

from rawllm import sse
from rawllm.testing import scripts
from rawllm.testing.dialects import Dialect
from rawllm.testing.faults import framed, request_id
from rawllm.testing.rows import Scenario
from rawllm.testing.scripts import Json, Request, Script, Step


def whole(
    request: Request, value: Json, scenario: Scenario | None = None, argument: str = ""
) -> Script:
    """An answer that is one JSON value."""
    data, headers = _dumped(value), {"Content-Type": "application/json"} | request_id(request)
    if scenario is None:
        return scripts.whole(200, headers, data)
    steps = scenario.steps([data], argument)
    return [*scripts.whole(200, headers, data, steps), *scenario.after]


def stream(request: Request, chunks: list[Json], scenario: Scenario, argument: str) -> Script:
    """An answer in events, a chunk each."""
    dialect = scenario.dialect
    headers = {"Content-Type": dialect.content_type, "Cache-Control": "no-cache"}
    steps = scenario.steps(_events(scenario.chunks(chunks), dialect), argument)
    framing = framed(request, dialect.framing)
    return [*scripts.stream(headers | request_id(request), steps, framing), *scenario.after]


def _events(chunks: Sequence[Json | bytes], dialect: Dialect) -> list[Step]:
    """A step an event. A chunk before the first one has the same head."""
    first = next((chunk for chunk in chunks if isinstance(chunk, dict)), {})
    before = [first | item if isinstance(item, dict) else item for item in dialect.before]
    done = [b"data: [DONE]\n\n"] if dialect.done else []
    return [_event(item, dialect) for item in (*before, *chunks, *done)]


def _event(item: Json | bytes, dialect: Dialect) -> bytes:
    data = item if isinstance(item, bytes) else sse.encode(sse.Event(_dumped(item).decode()))
    if data.startswith(b"data: "):
        data = data.replace(b"data: ", dialect.field.encode(), 1)
    return data.replace(b"\n", dialect.line_end.encode())


def _dumped(value: Json) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can only escape
        return json.dumps(value, separators=(",", ":")).encode()
