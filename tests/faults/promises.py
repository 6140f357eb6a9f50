"""The ways to ask a server, what comes of it, and what is promised of every error.

Whatever the server does: a call ends in time, in an answer whose text is known
or in an error that a person can read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

import rawllm
from tests.servers import PATIENCE

KEY = "sk-secret-of-mine"
SLACK = 2.0  # seconds past a limit that a busy machine may take


def words_of(value: Any, part: str = "message") -> str:
    """The text of the first choice, if there is one."""
    match value:
        case {"choices": [first, *_]}:
            match first:
                case {"message": {"content": str(words)}} if part == "message":
                    return words
                case {"delta": {"content": str(words)}} if part == "delta":
                    return words
    return ""


def streamed(client: rawllm.Client, **limits: float) -> Any:
    return client.chat.completions.create(model="m", messages="x", stream=True, **limits)


def raw(client: rawllm.Client, **limits: float) -> str:
    asked = client.chat.completions.with_raw_response
    return words_of(asked.create(model="m", messages="x", **limits).parse())


def iterated(client: rawllm.Client, **limits: float) -> str:
    return "".join(words_of(chunk, "delta") for chunk in streamed(client, **limits))


#: Calls the client and returns the text that came.
Call = Callable[..., str]

WHOLE: dict[str, Call] = {
    "chat": lambda client, **limits: client.chat("m", "x", **limits),
    "raw": raw,
    "request": lambda client, **limits: words_of(client.request("GET", "/models", **limits)),
    "models": lambda client, **limits: "".join(m.id for m in client.models.list(**limits)),
}
STREAMED: dict[str, Call] = {
    "iterated": iterated,
    "text": lambda client, **limits: "".join(streamed(client, **limits).text),
    "completion": lambda client, **limits: words_of(streamed(client, **limits).completion),
}


class Told(NamedTuple):
    """What came of a call: in a user's words, and the text that it brought, or had brought."""

    words: str
    text: str
    said: str = ""  # what an error says


ANSWER = "an answer"


def outcome(client: rawllm.Client, url: str, call: Call, limits: dict[str, Any]) -> Told:
    """What comes of the call, held to what is promised; one that does not end in time fails."""
    done: Future[Told] = Future()

    def run() -> None:
        try:
            done.set_result(_told(client, url, call, limits))
        except BaseException as error:  # noqa: BLE001  # it is the waiting thread's
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(max(limits.values(), default=PATIENCE) + SLACK)


def _told(client: rawllm.Client, url: str, call: Call, limits: dict[str, Any]) -> Told:
    try:
        return Told(ANSWER, call(client, **limits))
    except rawllm.APIError as error:
        hold_to_promises(error, url)
        partial = error.partial if isinstance(error, rawllm.StreamError) else None
        return Told(words_for(error), words_of(partial), str(error))


def hold_to_promises(error: rawllm.APIError, url: str) -> None:
    """An error's text names what was asked, says what to do, is short, and can be printed."""
    assert len(str(error).encode()) < 2048
    assert len(repr(error).encode()) < 4096  # where each quote and line break takes two
    assert KEY not in str(error) + repr(error)
    assert all(c.isprintable() or c == "\n" for c in str(error))
    assert url in str(error).partition("\n")[0]
    if not isinstance(error, (rawllm.APIStatusError, rawllm.StreamAPIError)):
        assert "Hint: " in str(error) or "max_response_bytes=" in str(error)


def words_for(error: rawllm.APIError) -> str:
    kind = f"`{type(error).__name__}`"
    if isinstance(error, rawllm.StreamError) and error.partial["choices"]:
        return f"{kind} with the partial answer"
    if "deadline passed" in str(error):
        return f"{kind} at its deadline"
    return kind
