"""The ways to ask a server, and what is promised of every error, whatever the server does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rawllm

KEY = "sk-secret-of-mine"


def streamed(client: rawllm.Client, **limits: float) -> Any:
    return client.chat.completions.create(model="m", messages="x", stream=True, **limits)


def text(client: rawllm.Client, **limits: float) -> str:
    return "".join(streamed(client, **limits).text)


Call = Callable[..., Any]

WHOLE: dict[str, Call] = {
    "chat": lambda client, **limits: client.chat("m", "x", **limits),
    "raw": lambda client, **limits: client.chat.completions.with_raw_response.create(
        model="m", messages="x", **limits
    ).parse(),
    "request": lambda client, **limits: client.request("GET", "/models", **limits),
    "models": lambda client, **limits: list(client.models.list(**limits)),
}
STREAMED: dict[str, Call] = {
    "iterated": lambda client, **limits: list(streamed(client, **limits)),
    "text": text,
    "completion": lambda client, **limits: streamed(client, **limits).completion,
}


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
