"""A scenario: what happens, who does so, and what a client makes of it.

And the rows of the table that are much alike. What is left out: the table.

>>> error(409, errors.ConflictError, "two at once").shows
b'HTTP/1.1 409 '
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rawllm import errors
from rawllm.testing import faults, turns
from rawllm.testing.dialects import DIALECTS, Dialect, Json
from rawllm.testing.faults import Instead
from rawllm.testing.scripts import End, Step
from rawllm.testing.turns import Say

#: What a call comes to in the client: an exception, or a whole answer.
Outcome = type[errors.APIError] | None

#: The dialect of every scenario that does not say another.
OPENAI: Dialect = DIALECTS["openai"]


class Scenario(NamedTuple):
    """One row: what happens, who does so, what a client makes of it, and how it is played."""

    about: str
    #: The servers that do so.
    who: str = ""
    #: What to look for in the bytes of a streamed answer.
    shows: bytes = b""
    #: The outcome of a streamed chat, and of a whole one.
    streamed: Outcome = None
    whole: Outcome = None
    say: Say = turns.plain
    dialect: Dialect = OPENAI
    #: What is done to the chunks of a stream, before they become bytes.
    chunks: Callable[[list[Json]], Sequence[Json | bytes]] = list
    #: What is done to the bytes of a body: a step an event, or one for all.
    steps: Callable[[list[Step], str], list[Step]] = faults.none
    #: Whether it streams where that is asked for.
    streams: bool = True
    #: What is done to the connection after the answer.
    after: tuple[End, ...] = ()
    #: What is played in place of an answer, if anything.
    instead: Instead = faults.nothing


def error(
    status: int, outcome: type[errors.APIError], about: str, who: str = "", **fields: str
) -> Scenario:
    """An error before anything else is sent."""
    return Scenario(
        f"{status}: {about}",
        who,
        b"HTTP/1.1 %d " % status,
        outcome,
        outcome,
        instead=faults.status(status, **fields),
    )


def error_in_stream(
    about: str, who: str, shows: bytes, error: Json | bytes, dialect: Dialect
) -> Scenario:
    """Half of the answer, then an error. A whole answer is a 500."""
    return Scenario(
        about,
        who,
        shows,
        errors.StreamAPIError,
        errors.InternalServerError,
        dialect=dialect,
        chunks=faults.half_then(error),
        instead=faults.unless_streamed(faults.status(500)),
    )


def cut(end: End, about: str, who: str, whole: Outcome) -> Scenario:
    """Half of the body, then the end of the connection."""
    return Scenario(
        about,
        who,
        b'"role":"assistant"',
        errors.IncompleteStreamError,
        whole,
        steps=faults.cut(end),
    )


def forms() -> dict[str, Scenario]:
    """What each server has of its own: its text, its thoughts, its calls, by name."""
    rows = {}
    for server, dialect in DIALECTS.items():
        for name, about, say, shows in (
            ("plain", "text", turns.plain, b'"content":'),
            (
                "think",
                "thoughts before the text",
                turns.think,
                b'"%s":' % dialect.reasoning.encode() if dialect.reasoning else b'"think"',
            ),
            ("tools", "a call of every tool", turns.tools, b'"tool_calls":'),
        ):
            rows[f"{name}-{server}"] = Scenario(
                f"{about}, in the form of {server}", server, shows, say=say, dialect=dialect
            )
    return rows
