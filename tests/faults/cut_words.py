"""What a stream has said, read the naive way.

Recorded ones up to any byte: all these servers allow it, an event is a `data:` line
and an empty one. And chunks of any values, as far as they say it in words.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from tests.recordings import Recording

#: By the choice's index, what it has of each kind of words, as far as it has any.
Words = dict[int, dict[str, str]]


THOUGHTS = ("reasoning_content", "reasoning", "thinking")


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
        thoughts = [max(f.get(name, "") for name in THOUGHTS) for f in self.words.values()]
        calls = {
            (i, n.rpartition(" ")[0])
            for i, f in self.words.items()
            for n in f
            if n.startswith(("call ", "function "))
        }
        begun = f"{len(calls)} tool call{'s' * (len(calls) > 1)} had begun"
        if any(texts) or not (any(thoughts) or calls):
            came = f"{sum(map(len, texts))} characters of text had come"
            return f"{came}, and {begun}" if calls else came
        if any(thoughts):
            came = f"no text but {sum(map(len, thoughts))} characters of reasoning had come"
            return f"{came}, and {begun}" if calls else came
        return begun

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
    calls = said.get("tool_calls")
    for place, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, dict):
            functions[f"call {call.get('index', place)}"] = call.get("function")
    found = [(name, choice.get(name)) for name in ("text", "finish_reason")]
    found += [(name, text) for name, text in said.items() if name != "role"]
    for which, function in functions.items():
        if isinstance(function, dict):
            found += [(f"{which} {name}", text) for name, text in function.items()]
    return ((name, text) for name, text in found if isinstance(text, str) and text)


def kept(completion: Any) -> Words:
    """The same of an answer."""
    return {
        choice["index"]: dict(pieces(choice, choice.get("message") or {}))
        for choice in completion["choices"]
    }


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
    return Told(ends, marks)


# --- chunks of any values ---------------------------------------------------

#: What comes in pieces of text.
TEXTS = ("content", "refusal", "reasoning_content", "reasoning", "thinking", "text")


class Tally:
    """What chunks of any values have said. What is not said in text is not looked at."""

    def __init__(self) -> None:
        #: By the choice's index: its texts, its reason to finish, all arguments of its calls.
        self._choices: dict[int, dict[str, str]] = {}
        #: Which of these a choice also had in another form.
        self._odd: set[tuple[int, str]] = set()
        #: Whether a choice has ended with an error.
        self.failed = False

    def add(self, chunk: dict[str, Any]) -> None:
        listed = chunk.get("choices")
        for place, choice in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(choice, dict):
                number = choice.get("index")
                self._add(number if isinstance(number, int) else place, choice)

    def _add(self, index: int, choice: dict[str, Any]) -> None:
        kept = self._choices.setdefault(index, {})
        said = said_by(choice)
        for name, value in texts(choice, said).items():
            if isinstance(value, str):
                kept[name] = kept.get(name, "") + value
            elif value not in (None, []):
                self._odd.add((index, name))
        if is_reason(choice.get("finish_reason")):
            kept["finish_reason"] = choice["finish_reason"]
            self.failed = self.failed or choice["finish_reason"] == "error"
        for value in arguments(said):
            if isinstance(value, str):
                kept["arguments"] = kept.get("arguments", "") + value
            else:
                self._odd.add((index, "arguments"))

    @property
    def reasons(self) -> list[str | None]:
        """Of each choice why it has finished, `None` where it has not."""
        return [kept.get("finish_reason") for kept in self._choices.values()]

    def check(self, whole: Any) -> None:
        """Fail unless `whole` says just this, and `{}` of calls that are over without a word."""
        assert [choice["index"] for choice in whole["choices"]] == sorted(self._choices)
        for choice in whole["choices"]:
            index, kept, said = choice["index"], self._choices[choice["index"]], said_by(choice)
            for name, value in texts(choice, said).items():
                if (index, name) not in self._odd:
                    assert joined(value or "") == joined(kept.get(name, "")), name
            reason = choice["finish_reason"]
            assert (reason if is_reason(reason) else None) == kept.get("finish_reason")
            if (index, "arguments") not in self._odd:
                cut = kept.get("finish_reason") in (None, "length", "content_filter")
                none = "" if cut else "{}"
                same_arguments(list(arguments(said)), kept.get("arguments", ""), none)

    def check_start(self, whole: Any) -> None:
        """Fail unless `whole` begins with these texts: one more chunk may have come."""
        found = {choice["index"]: texts(choice, said_by(choice)) for choice in whole["choices"]}
        assert self._choices.keys() <= found.keys()
        for index, kept in self._choices.items():
            for name in TEXTS:
                value = found[index][name] or ""
                if isinstance(value, str):
                    assert value.startswith(kept.get(name, "")), name


def said_by(choice: dict[str, Any]) -> dict[str, Any]:
    found = (choice.get(name) for name in ("delta", "message"))
    return next((said for said in found if isinstance(said, dict)), {})


def texts(choice: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    return {name: (choice if name == "text" else said).get(name) for name in TEXTS}


def is_reason(reason: Any) -> bool:
    return isinstance(reason, str) and reason not in ("", "abort")


def arguments(said: dict[str, Any]) -> Iterator[Any]:
    """Those of all calls, as far as there are any."""
    calls = said.get("tool_calls")
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and function.get("arguments") is not None:
            yield function["arguments"]


def same_arguments(found: list[str], told: str, none: str) -> None:
    """To which call a piece belongs is not told here, but none is lost, and none invented."""
    if len(found) == 1:
        assert joined(found[0]) == joined(told or none)
        return
    lost, more = Counter(told), Counter("".join(found))
    assert not lost - more
    assert not more - lost - Counter(none * len(found))


def joined(text: str) -> str:
    """As it is once it was JSON: of two halves of a character that came one by one, one."""
    joined: str = json.loads(json.dumps(text))
    return joined
