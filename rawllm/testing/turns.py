"""What the model says: the words, the thoughts and the calls of one choice.

There is no model. It repeats what it is told, in the form that was asked for,
and always the same for the same request. What is left out: how it is written
down, which `completions.py` does, and what goes wrong, which `scenarios.py`
says.

>>> plain(Ask({"messages": [{"role": "user", "content": "Good morning!"}], "max_tokens": 1}))
Turn(text='Good', reasoning='', refusal='', calls=(), finish='length', echo='')
"""

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rawllm.testing import tokens
from rawllm.testing.histories import text_of
from rawllm.testing.instances import instance
from rawllm.testing.parameters import RefusedError, number


class Call(NamedTuple):
    """A tool call. `arguments` is JSON text."""

    name: str
    arguments: str


class Turn(NamedTuple):
    """What the model says in one choice, and why it ended."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = ()
    finish: str = "stop"
    #: The prompt, where it is to be repeated before the text.
    echo: str = ""

    @property
    def tokens(self) -> int:
        """How many tokens it has said; an echo is none of them."""
        said = [self.reasoning, self.text, self.refusal]
        return sum(map(tokens.count, said + [part for call in self.calls for part in call]))


class Ask(NamedTuple):
    """What is asked: the parameters that were given, one prompt of theirs, and which choice."""

    given: Mapping[str, Any]
    #: One of a legacy completion; `None` for a chat, whose messages are in `given`.
    prompt: str | None = None
    choice: int = 0
    #: What stands behind the colon in the model's name, "" for nothing.
    argument: str = ""

    @property
    def said(self) -> str:
        """The prompt, or the text of the last message."""
        return text_of(self.given["messages"][-1]) if self.prompt is None else self.prompt

    @property
    def tools(self) -> dict[str, Mapping[str, Any]]:
        """The functions that may be called, by name."""
        offered = [tool["function"] for tool in self.given.get("tools", ())]
        return {function["name"]: function for function in offered}

    @property
    def tool_choice(self) -> Any:
        """One of "none", "auto" and "required", or the object that names a tool."""
        return self.given.get("tool_choice", "auto")

    @property
    def is_answered(self) -> bool:
        """Whether the last message is what a tool answered."""
        return bool(self.given["messages"][-1]["role"] == "tool")


Say = Callable[[Ask], Turn]


def plain(ask: Ask) -> Turn:
    """What was said, as text, as JSON or as calls of tools, as asked for."""
    if calls := _calls(ask):
        # As OpenAI and vLLM have it: a tool that had to be called is no reason to end.
        finish = "stop" if isinstance(ask.tool_choice, dict) else "tool_calls"
        return _cut(ask, Turn(calls=calls, finish=finish))
    return _ended(ask, Turn(_formed(ask)))


def think(ask: Ask) -> Turn:
    """Two sentences of thought before what is said; a legacy completion has no place for them."""
    turn = plain(ask)
    if ask.prompt is not None or ask.given.get("reasoning_effort") == "none":
        return turn
    return _cut(ask, turn._replace(reasoning=f"I am told: {ask.said} I repeat it."))


def tools(ask: Ask) -> Turn:
    """A call of every tool there is, unless their answers are in."""
    free = ask.tool_choice in ("auto", "required")
    if not free or not ask.tools or ask.is_answered:
        return plain(ask)
    return _cut(ask, Turn(calls=_called(ask, list(ask.tools)), finish="tool_calls"))


def refuse(ask: Ask) -> Turn:
    """A refusal; in a legacy completion it is text as any other."""
    words = "I cannot help with that."
    return Turn(refusal=words) if ask.prompt is None else _ended(ask, Turn(words))


def filtered(ask: Ask) -> Turn:
    """Half of what was said, for the rest was filtered."""
    pieces = tokens.split(_formed(ask))
    return _ended(ask, Turn("".join(pieces[: len(pieces) // 2]), finish="content_filter"))


def long(ask: Ask) -> Turn:
    """A thousand words, or as many as the model's name says."""
    words = (f"word{place}" for place in range(1, number(ask.argument, 1000) + 1))
    return _ended(ask, Turn(" ".join(words)))


def unicode(ask: Ask) -> Turn:
    """Characters of one to four bytes, behind what was said."""
    return _ended(ask, Turn(f"{ask.said} café 東京 😀👍🏽"))


# --- text -------------------------------------------------------------------


def _formed(ask: Ask) -> str:
    """What was said, as `response_format` wants it."""
    form = ask.given.get("response_format", {"type": "text"})
    if form["type"] == "json_object":
        return json.dumps({"text": ask.said}, ensure_ascii=False)
    if form["type"] == "json_schema":
        return _filled(ask, form["json_schema"]["schema"], "response_format", "the answer")
    return _varied(ask)


def _varied(ask: Ask) -> str:
    """What was said; another order of its words for another seed or choice."""
    seed = ask.given.get("seed", 0)
    if not (seed or ask.choice) or ask.given.get("temperature") == 0:
        return ask.said
    words = ask.said.split(" ")
    random.Random(f"{seed} {ask.choice}").shuffle(words)  # noqa: S311  # to be repeated, not secret
    return " ".join(words)


def _filled(ask: Ask, schema: Any, param: str, what: str) -> str:
    """JSON text that satisfies `schema`, with the names that occur in what was said."""
    try:
        value = instance(schema, _names(ask.said))
    except ValueError as error:
        raise RefusedError(f"no value is a fit for {what}: {error}", param=param) from None
    return json.dumps(value, ensure_ascii=False)


def _names(text: str) -> list[str]:
    """What begins with a capital in the middle of a sentence, as "New York"; "I" is no name."""
    shape = "".join("A" if letter.isupper() else letter for letter in text)
    return [text[found.start() : found.end()] for found in _NAME.finditer(shape)]


_NAME = re.compile(r"(?<=[\w,] )A\w+(?: A\w+)*")


# --- ends -------------------------------------------------------------------


def _ended(ask: Ask, turn: Turn) -> Turn:
    """`turn` up to the first stop word, or the most tokens."""
    stops = ask.given.get("stop", [])
    places = [turn.text.find(stop) for stop in ([stops] if isinstance(stops, str) else stops)]
    if found := [place for place in places if place >= 0]:
        turn = turn._replace(text=turn.text[: min(found)], finish="stop")
    return _cut(ask, turn)


def _cut(ask: Ask, turn: Turn) -> Turn:
    """`turn` up to the most tokens: its thoughts, then its text, then its calls."""
    most = ask.given.get("max_completion_tokens", ask.given.get("max_tokens"))
    if most is None or turn.tokens <= most:
        return turn
    reasoning, left = _first(turn.reasoning, most)
    text, left = _first(turn.text, left)
    calls: list[Call] = []
    for call in turn.calls:
        left -= tokens.count(call.name)
        if left <= 0:
            break
        arguments, left = _first(call.arguments, left)
        calls.append(Call(call.name, arguments))
    return turn._replace(text=text, reasoning=reasoning, calls=tuple(calls), finish="length")


def _first(text: str, most: int) -> tuple[str, int]:
    """The first tokens of `text`, and how many more than it has there may be."""
    pieces = tokens.split(text)
    return "".join(pieces[:most]), max(0, most - len(pieces))


# --- tools ------------------------------------------------------------------


def _calls(ask: Ask) -> tuple[Call, ...]:
    """The calls of tools that `tool_choice` and what was said ask for."""
    if isinstance(ask.tool_choice, dict):
        return _called(ask, [ask.tool_choice["function"]["name"]])
    if not ask.tools or ask.tool_choice == "none":
        return ()
    said = _words(ask.said)
    meant = [name for name in ask.tools if not said.isdisjoint(_words(name))]
    if ask.tool_choice == "required":
        return _called(ask, meant or list(ask.tools)[:1])
    return () if ask.is_answered else _called(ask, meant)


def _words(text: str) -> set[str]:
    """Those of three letters or more: "weather" in what was said means getWeather."""
    words = {word.lower() for word in _WORD.findall(text)}
    return {word for word in words - _EVERYWHERE if len(word) >= 3}


_WORD = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

#: Words that are of many names and sentences, and mean nothing.
_EVERYWHERE = {"get", "the", "and", "for"}


def _called(ask: Ask, names: list[str]) -> tuple[Call, ...]:
    """Calls of these tools; of the first alone where only one is allowed."""
    parallel = ask.given.get("parallel_tool_calls", True)
    return tuple(_call(ask, ask.tools[name]) for name in (names if parallel else names[:1]))


def _call(ask: Ask, function: Mapping[str, Any]) -> Call:
    name = function["name"]
    schema = {"type": "object"} | (function.get("parameters") or {})
    return Call(name, _filled(ask, schema, "tools", f"the arguments of {name}"))
