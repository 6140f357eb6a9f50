"""What a recorded stream has said by a byte of it, read the naive way.

All these servers allow it: an event is a `data:` line and an empty one.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from tests.recordings import Recording

#: By the choice's index, what it has of each kind of words, as far as it has any.
Words = dict[int, dict[str, str]]


class Mark(NamedTuple):
    """What had come with the last event that was complete."""

    words: Words
    chunks: int = 0
    failed: bool = False
    done: bool = False

    @property
    def finished(self) -> bool:
        return any("finish_reason" in fields for fields in self.words.values())

    @property
    def came(self) -> str:
        texts = [f.get("content", "") + f.get("text", "") for f in self.words.values()]
        return f"{sum(map(len, texts))} characters of text had come"

    def plus(self, event: dict[str, Any]) -> Mark:
        if "error" in event:
            return self._replace(failed=True)
        words = {index: dict(fields) for index, fields in self.words.items()}
        for choice in event.get("choices") or []:
            fields = words.setdefault(choice["index"], {})
            for name, text in pieces(choice, choice.get("delta") or {}):
                once = name.endswith((" name", "finish_reason"))
                fields[name] = text if once else fields.get(name, "") + text
        return self._replace(words=words, chunks=self.chunks + 1)


def pieces(choice: dict[str, Any], said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The words of a choice, or of a piece of one, and which they are."""
    functions = {"function": said.get("function_call")}
    for place, call in enumerate(said.get("tool_calls") or []):
        functions[f"call {call.get('index', place)}"] = call.get("function")
    found = [(name, choice.get(name)) for name in ("text", "finish_reason")]
    found += [(name, text) for name, text in said.items() if name != "role"]
    for which, function in functions.items():
        found += [(f"{which} {name}", text) for name, text in (function or {}).items()]
    return ((name, text) for name, text in found if isinstance(text, str) and text)


def kept(completion: Any) -> Words:
    """The same of an answer."""
    return {
        choice["index"]: begun(dict(pieces(choice, choice.get("message") or {})))
        for choice in completion["choices"]
    }


def begun(fields: dict[str, str]) -> dict[str, str]:
    """All but the arguments `{}`, which an answer also has where none came."""
    return {name: text for name, text in fields.items() if (name[-9:], text) != _NONE}


_NONE = ("arguments", "{}")


class Told(NamedTuple):
    """A recorded stream: where in `raw` its events end, and what had come with each."""

    ends: list[int]
    marks: list[Mark]

    def at(self, cut: int) -> Mark:
        return self.marks[bisect_right(self.ends, cut)]


@cache
def told(recording: Recording) -> Told:
    ends, marks = [], [Mark({})]
    offsets = [at + place for at, data in recording.pieces for place in range(len(data))]
    end = 0
    for block in recording.body.split(b"\n\n")[:-1]:
        end += len(block) + 2
        ends.append(offsets[end - 1] + 1)
        data = block.partition(b"data: ")[2].decode()
        last = marks[-1]
        if data.startswith("{"):
            last = last.plus(json.loads(data))
        marks.append(last._replace(done=last.done or data == "[DONE]"))
    return Told(
        ends,
        [
            mark._replace(words={index: begun(fields) for index, fields in mark.words.items()})
            for mark in marks
        ],
    )
