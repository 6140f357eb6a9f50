"""`rawllm demo`: the protocol at work, byte for byte, with no server to install.

The reference server runs in this process, a client asks it what `lessons.py`
says, and all that goes over the socket is shown as `exchanges.py` has it.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from rawllm.answers import ChatCompletionChunk
from rawllm.cli import exchanges, lessons, screen, terminal
from rawllm.cli.exchanges import Made
from rawllm.cli.screen import Row
from rawllm.client import Client

if TYPE_CHECKING:
    from rawllm.testing import Exchange, Request
    from rawllm.testing.scripts import Script

_KEY = "sk-demo"

_ABOUT = (
    "This is what a client and a server of OpenAI's protocol say to each other, byte for byte. "
    "Both run in this program, and nothing leaves this machine."
)

#: What stands in the gutter: the mark, its role, and what it means.
_LEGEND = (
    ("> ", "dim", "goes to the server"),
    ("< ", "dim", "comes back: when, and its chunk's size (hex)"),
    ("| ", "dim", "goes on with the line above, which is too long"),
    ("=>", "client", "is what the client made of it, given to show()"),
)

_NEXT = (
    ("rawllm serve", "this server, for your own programs"),
    ('rawllm ask "Hello"', "asks a model on this machine"),
    ("rawllm --help", "what else there is"),
)


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001  # it has none
    """Show it; the exit code."""
    from rawllm.testing import Server, Site  # here and not above: `rawllm --help` needs no server

    tape = Tape(Site(keys={_KEY}, strict=True).answer)
    width = screen.width(sys.stdout)
    colours = screen.has_colours(sys.stdout, os.environ)
    with Server(tape.answer, seen=tape.exchanges.append) as server:
        show(server.url, tape, terminal.write, width=width, colours=colours)
    return 0


class Tape:
    """What a server was asked and when, and its exchanges, as far as they are over."""

    def __init__(self, answer: "Callable[[Request], Script]") -> None:
        self._answer = answer
        #: When each request was in.
        self.times: list[float] = []
        self.exchanges: list[Exchange] = []

    def answer(self, request: "Request") -> "Script":
        """What the server plays."""
        self.times.append(time.monotonic())
        return self._answer(request)

    def gap(self, number: int) -> float:
        """The seconds between an exchange and the next."""
        return self.times[number + 1] - self.times[number] - self.exchanges[number].sent[-1][0]


def show(
    base_url: str, tape: Tape, write: Callable[[str], None], *, width: int, colours: bool
) -> None:
    """Run the lessons with a client of `base_url`, and write what `tape` has of them."""

    def say(rows: Iterable[Row]) -> None:
        write("".join(screen.painted(row, colours=colours) + "\n" for row in rows))

    say(_welcome(base_url, width))
    with Client(base_url, _KEY) as client:
        for number, (title, lesson) in enumerate(lessons.LESSONS.items(), 1):
            say(_opening(f"{number}. {title}", lessons.text(lesson), width))
            for exchange, made in _run(lesson, client, tape):
                say(_rows(exchange, made, width))
    say(_goodbye(width))


# --- running ----------------------------------------------------------------


def _run(
    lesson: lessons.Lesson, client: Client, tape: Tape
) -> "Iterator[tuple[Exchange, list[Made]]]":
    """Each exchange of a lesson, and what the client made of it."""
    start = len(tape.times)
    shown: list[tuple[int, Made]] = []
    lesson(client, lambda value: shown.append((len(tape.times) - 1, _made(value))))
    for number, exchange in enumerate(tape.exchanges[start:], start):
        made = [one for place, one in shown if place == number]
        # The program has not heard of an answer after which the client asked again.
        yield exchange, made or [Made(f"asked again {tape.gap(number):.2f} s later")]


def _made(value: object) -> Made:
    """How a value is told, and what it is in the bytes."""
    if isinstance(value, BaseException):
        return Made(f"{type(value).__name__}: {value}")
    if isinstance(value, ChatCompletionChunk):
        return _piece(value)
    return Made(json.dumps(value), _on_the_wire(value))


def _piece(chunk: ChatCompletionChunk) -> Made:
    """What is new in a chunk."""
    if chunk.usage:
        return Made(f"{chunk.usage.total_tokens} tokens", _on_the_wire(chunk.usage), of_event=True)
    (choice,) = chunk.choices
    name, said = next(
        (name, said)
        for name, said in (
            ("finish_reason ", choice.finish_reason),
            ("", choice.delta.content),
            ("role ", choice.delta.role),
        )
        if said
    )
    return Made(name + json.dumps(said), _on_the_wire(said), of_event=True)


def _on_the_wire(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


# --- text -------------------------------------------------------------------


def _welcome(base_url: str, width: int) -> Iterator[Row]:
    yield from _filled(_ABOUT, width)
    yield []
    made = (f'    base_url="{base_url}",', f'    api_key="{_KEY}",')
    yield from _code(["client = rawllm.Client(", *made, ")"])
    yield []
    for mark, role, meaning in _LEGEND:
        yield [(f"{'':{exchanges.MARK}}{mark}", role), (f" {meaning}", "")]


def _opening(title: str, text: lessons.Text, width: int) -> Iterator[Row]:
    yield from _titled(title, width)
    yield from _filled(text.about, width)
    yield []
    yield from _code(text.code.splitlines())


def _rows(exchange: "Exchange", made: list[Made], width: int) -> Iterator[Row]:
    yield []
    yield from exchanges.request(exchange.request.raw, width)
    yield []
    yield from exchanges.answer(exchange.sent, made, width)


def _goodbye(width: int) -> Iterator[Row]:
    yield from _titled("What next", width)
    for command, meaning in _NEXT:
        yield [(f"    {command:<20}", "code"), (meaning, "")]


def _titled(title: str, width: int) -> Iterator[Row]:
    yield from ([], [(f"-- {title} ".ljust(width, "-"), "title")], [])


def _code(lines: Iterable[str]) -> Iterator[Row]:
    return ([(f"    {line}", "code")] for line in lines)


def _filled(text: str, width: int) -> Iterator[Row]:
    return ([(line, "")] for line in exchanges.wrapped(text, width))
