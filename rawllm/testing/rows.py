"""A scenario: what happens, who does so, and what a client makes of it.

And the rows of the table that are much alike. What is left out: the table.

>>> error(409, errors.ConflictError, "two at once").shows
b'HTTP/1.1 409 '
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from rawllm import errors
from rawllm.envelopes import SHAPES
from rawllm.testing import faults, turns
from rawllm.testing.dialects import DIALECTS, Dialect
from rawllm.testing.faults import Instead
from rawllm.testing.parameters import NUMBER
from rawllm.testing.scripts import End, Json, Step
from rawllm.testing.turns import Say
from rawllm.testing.usages import USAGES

#: What a call comes to in the client: an exception, or a whole answer.
Outcome = type[errors.APIError] | None

#: What may stand behind the colon: "" for nothing, else "number", "shape", or both.
Argument = Literal["", "number", "shape", "number or shape"]

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
    #: What must not be in the bytes of a streamed answer.
    lacks: bytes = b""
    takes: Argument = ""

    def refused(self, argument: str) -> str:
        """What the argument must be, which it is not; "" where it is fine."""
        fine = {"number": NUMBER.fullmatch(argument), "shape": argument in SHAPES}
        kinds = {"number": "a number of at most 5 digits", "shape": f"one of {', '.join(SHAPES)}"}
        if not argument or any(fine[kind] for kind in fine if kind in self.takes):
            return ""
        return " or ".join(kinds[kind] for kind in kinds if kind in self.takes) or "left out"


def error(
    status: int,
    outcome: type[errors.APIError],
    about: str,
    who: str = "",
    takes: Argument = "shape",
    **fields: str,
) -> Scenario:
    """An error before anything else is sent."""
    return Scenario(
        f"{status}: {about}",
        who,
        b"HTTP/1.1 %d " % status,
        outcome,
        outcome,
        instead=faults.status(status, **fields),
        takes=takes,
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
        takes="shape",
    )


def cuts() -> dict[str, Scenario]:
    """Half of the body, then each end of the connection, by name."""
    rows: tuple[tuple[End, str, str, Outcome], ...] = (
        (End.FIN, "the connection closes", "any that is killed", errors.APIConnectionError),
        (End.RST, "the connection is reset", "proxies, a crash", errors.APIConnectionError),
        (End.SILENCE, "nothing for ever", "llama-server on SIGTERM", errors.APITimeoutError),
    )
    return {
        f"cut-{end.name.lower()}": Scenario(
            f"half of the body, then {about}",
            who,
            b'"role":"assistant"',
            errors.IncompleteStreamError,
            whole,
            steps=faults.cut(end),
            lacks=b"[DONE]",
        )
        for end, about, who, whole in rows
    }


def usages() -> dict[str, Scenario]:
    """The ways in which the usage comes, by name."""
    return {
        f"usage-{name}": Scenario(
            f"the usage: {usage.about}",
            usage.who,
            usage.shows,
            dialect=OPENAI._replace(usage=usage.put),
            lacks=b"" if name == "null" else b'"usage":null',
        )
        for name, usage in USAGES.items()
    }


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
