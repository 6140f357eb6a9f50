"""More of what servers do: lists of models and errors, and saying that they were asked."""

from __future__ import annotations

import threading

from tests.servers import answer


def models(*names: str) -> bytes:
    """A list of models."""
    data = [{"id": name, "object": "model", "created": 1, "owned_by": "o"} for name in names]
    return answer({"object": "list", "data": data})


def error(status: int, words: str, **headers: str) -> bytes:
    """An error in OpenAI's shape."""
    body = {"error": {"message": words, "type": None, "param": None, "code": None}}
    return answer(body, status, **headers)


LISTED = models("tiny")


class Sets(threading.Event):
    """A step of a script at which `event` is set, for whoever waits until the server is there."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def wait(self, timeout: float | None = None) -> bool:
        del timeout
        self._event.set()
        return True
