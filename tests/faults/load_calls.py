"""The calls of a mixed load, each of which knows the one answer that is its own.

What is left out: who makes them, which is in `load.py`, and what the server
makes of them, which is in `load_server.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import rawllm
from tests.faults import load_server
from tests.faults.load_server import ANY, LEFT, OBJECT, STREAM, said, vector

AMPLE = 60.0  # seconds: a limit that is there, and never passes

Make = Callable[[rawllm.Client, str, dict[str, Any]], None]


class Call(NamedTuple):
    """What is called, with what mark and options, and what is promised of it."""

    name: str
    make: Make
    mark: str
    options: dict[str, Any]
    fault: str
    promised: str

    @property
    def limit(self) -> float:
        """The seconds in which it is to end, if it has to wait at all."""
        given = self.options.get("timeout", (None, AMPLE))[1]
        return float(min(self.options.get(name, given) for name in ("deadline", "idle_timeout")))


def made(rng: random.Random, who: str, number: int) -> Call:
    """A call of any kind, and with limits of any kind."""
    shape, make = rng.choice(CALLS)
    mark = load_server.mark(shape, who, number)
    fault = load_server.fate(mark)
    limits = fault.limits if fault and fault.limits != ({},) else _LIMITS[shape]
    name = make.__name__.strip("_")
    row = (fault.name, fault.outcome) if fault else (_WELL[shape], "an answer")
    return Call(name, make, mark, rng.choice(limits), *row)


#: The fault of a call that has none.
_WELL = {OBJECT: "nothing", ANY: "nothing", STREAM: "nothing", LEFT: "left before its end"}


def outcome(client: rawllm.Client, call: Call) -> str:
    """What came of it, in the words of `load_server.FAULTS`.

    Raises whatever is not documented, and `AssertionError` for the answer to another call.
    """
    try:
        call.make(client, call.mark, call.options)
    except rawllm.OpenAIError as error:
        if isinstance(error, rawllm.StreamError):
            _begins(_text(error.partial), call.mark)
        seen = f"`{type(error).__name__}`"
        return seen if seen == call.promised else f"{seen}: {error} ({error.__cause__!r})"
    return "an answer, after a retry" if "once" in call.fault else "an answer"


_LIMITS: dict[str, tuple[dict[str, Any], ...]] = {
    shape: ({}, {}, {"deadline": AMPLE}, {"timeout": (5.0, AMPLE)})
    for shape in (OBJECT, ANY, STREAM, LEFT)
}
for _shape in (STREAM, LEFT):
    _LIMITS[_shape] += ({"idle_timeout": AMPLE}, {"first_token_timeout": AMPLE})


def _text(answer: Any) -> str:
    choice = answer.choices[0]
    return str(choice.text if "text" in choice else choice.message.content)


# --- whole answers ----------------------------------------------------------


def _chat(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    assert client.chat("m", mark, **options) == said(mark)


def _create(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    answer = client.chat.completions.create(model="m", messages=mark, **options)
    assert answer.id == mark
    assert _text(answer) == said(mark)


def _raw(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    raw = client.with_raw_response.chat.completions.create(model="m", messages=mark, **options)
    assert _text(raw.parse()) == said(mark)
    assert mark in raw.text


def _floats(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    answer = client.embeddings.create(model="m", input=mark, **options)
    assert answer.data[0].embedding == vector(mark)


def _base64(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    options = options | {"encoding_format": "base64"}
    answer = client.embeddings.create(model="m", input=mark, **options)
    assert list(answer.data[0].embedding) == vector(mark)


def _models(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    listed = client.models.list(extra_query={"mark": mark}, **options)
    assert [model.id for model in listed] == [mark]


def _retrieve(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    assert client.models.retrieve(mark, **options).id == mark


def _request(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    assert client.request("POST", "/any", body={"mark": mark}, **options)["id"] == mark


# --- streams ----------------------------------------------------------------


def _stream(client: rawllm.Client, mark: str, options: dict[str, Any]) -> Any:
    model = "closing" if mark[-1] in "02468" else "chunked"
    return client.chat.completions.create(model=model, messages=mark, stream=True, **options)


def _iterate(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    stream = _stream(client, mark, options)
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == said(mark)
    assert stream.finished


def _pieces(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    assert "".join(_stream(client, mark, options).text) == said(mark)


def _completion(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    assert _text(_stream(client, mark, options).completion) == said(mark)


def _spoken(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    assert "".join(client.chat("chunked", mark, stream=True, **options)) == said(mark)


def _legacy(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    stream = client.completions.create(model="chunked", prompt=mark, stream=True, **options)
    with stream:
        assert "".join(stream.text) == said(mark)


# --- streams that are left before their end ---------------------------------


def _begins(piece: str, mark: str) -> None:
    assert piece
    assert said(mark).startswith(piece)


def _break(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    text = ""
    for chunk in (kept := _stream(client, mark, options)):
        text += chunk.choices[0].delta.content
        if len(text) > 30:
            break
    _begins(text, mark)
    assert not kept.finished


def _close(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    stream = _stream(client, mark, options)
    _begins(next(stream).choices[0].delta.content, mark)
    stream.close()


def _leave(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    with _stream(client, mark, options) as stream:
        _begins(next(stream.text), mark)


def _drop(client: rawllm.Client, mark: str, options: dict[str, Any]) -> None:
    _stream(client, mark, options)


CALLS: tuple[tuple[str, Make], ...] = (
    *((OBJECT, make) for make in (_chat, _create, _raw, _floats, _base64, _models, _retrieve)),
    *((ANY, make) for make in (_request, _request)),
    *((STREAM, make) for make in (_iterate, _pieces, _completion, _spoken, _legacy)),
    *((LEFT, make) for make in (_break, _close, _leave, _drop)),
)
