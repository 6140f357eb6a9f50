"""Rows of hostile servers: what is played, and what is to come of each way to ask."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

import rawllm
from tests.faults.conftest import Note
from tests.faults.promises import ANSWER, KEY, STREAMED, Call, Told, outcome
from tests.servers import CHAT, PATIENCE, Script, Step, answer, head, serve

MIB = 1 << 20
LIMIT = MIB  # max_response_bytes, where the row is not about it

HELLO = "Hello there!"
#: An answer to whatever is asked.
BODY = json.dumps(CHAT | {"data": [{"id": HELLO}]}).encode()
FLOOD = b"x" * 65536
JSON: dict[str, Any] = {"content_type": "application/json"}
CHUNKED = head(**JSON, transfer_encoding="chunked")
ZIPPED = head(**JSON, transfer_encoding="chunked", content_encoding="gzip")
SSE = head(content_type="text/event-stream")
START = b"HTTP/1.1 200 OK\r\n"

BAD_REQUEST = "`BadRequestError`"
CONNECTION = "`APIConnectionError`"
INVALID = "`APIResponseValidationError`"
INCOMPLETE = "`IncompleteStreamError`"
PARTIAL = "`IncompleteStreamError` with the partial answer"
SERVER = "`InternalServerError`"
STATUS = "`APIStatusError`"
STREAM = "`StreamError`"


class Endless(tuple[Step, ...]):
    """A script whose last step is played again and again, until the client leaves."""

    pause = 0.0  # seconds between

    def __iter__(self) -> Iterator[Step]:
        yield from self[:-1]
        while True:
            yield self[-1]
            if self.pause:
                threading.Event().wait(self.pause)


class Trickle(Endless):
    """The same, a little at a time."""

    pause = 0.01


class Row(NamedTuple):
    """What a server plays, and what is to come of it."""

    script: Script | bytes
    whole: str
    #: Where it is not that of a whole answer.
    streamed: str = ""
    #: Of `request()`, where it is not that of a whole answer.
    request: str = ""
    #: What an answer says, or a partial one; where "…" ends it, how it begins.
    text: str = HELLO
    #: What an error says.
    said: str = ""

    def expected(self, name: str) -> str:
        """What is to come of the call of that name."""
        if name in STREAMED:
            return self.streamed or self.whole
        return (self.request if name == "request" else "") or self.whole

    def fault(self, fault: str, name: str) -> str:
        """The name of what is done, by the kind of call where that makes a difference."""
        if name == "request" and self.request:
            return f"{fault}, by `request()`"
        if self.streamed not in ("", self.whole):
            return f"{fault}, in a stream" if name in STREAMED else f"{fault}, whole"
        return fault


def played(script: Script | bytes, call: Call, limits: dict[str, float] | None = None) -> Told:
    """What comes of a call that is answered by `script`."""
    with serve(script) as server:
        options: dict[str, Any] = {"max_retries": 0, "max_response_bytes": LIMIT}
        with rawllm.Client(server.url, KEY, **options) as client:
            told = outcome(client, server.url, call, limits or {})
        # A flood that a limit ends may have filled a window that nobody opens again;
        # and on a busy machine a limit may pass before the request has come.
        endless = isinstance(script, Trickle) or (isinstance(script, Endless) and not limits)
        if endless and server.requests:
            assert server.left.wait(PATIENCE)
    return told


def check(row: Row, name: str, told: Told) -> None:
    """What came is what is to come."""
    assert told.words == row.expected(name), (name, told)
    assert row.said in told.said
    if told.words == ANSWER or "partial" in told.words:
        if row.text.endswith("…"):
            assert told.text.startswith(row.text[:-1])
        else:
            assert told.text == row.text


def try_in_turn(
    note: Note, fault: str, row: Row, calls: dict[str, Call], number: int, thorough: bool
) -> None:
    """All the calls, or in the suite one of them, another one from row to row."""
    names = list(calls)
    for name in names if thorough else [names[number % len(names)]]:
        told = played(row.script, calls[name])
        check(row, name, told)
        note(row.fault(fault, name), told.words)


def rows(table: dict[str, Any]) -> pytest.MarkDecorator:
    """The table's keys, values and numbers."""
    values = [pytest.param(*row, number, id=row[0]) for number, row in enumerate(table.items())]
    return pytest.mark.parametrize(("fault", "row", "number"), values)


def coded(coding: str, body: bytes, status: int = 200) -> bytes:
    return answer(body, status, content_encoding=coding)
