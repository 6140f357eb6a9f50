"""How the pieces of one field add up, a rule a field.

A choice of a chunk holds pieces of a choice, its delta pieces of a message.
`CHOICE` and `MESSAGE` name the rule of each field; one that they do not name
is kept by `_Last`, so that nothing a server sends is dropped.

Source: the `chat.completion.chunk` object of OpenAI's API reference, and the
servers named at each quirk.
"""

import json
import re
from collections.abc import Callable
from io import StringIO
from typing import Any, ClassVar

from rawllm.objects import Object

_json = json.JSONEncoder(ensure_ascii=False).encode
_MARK = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)  # what tells where a JSON value ends
_DEEPER = {"{": 1, "[": 1, "}": -1, "]": -1}


class Fields:
    """Named values, each kept by its rule. Null says nothing and is not kept."""

    def __init__(self, rules: dict[str, Callable[[], Any]]) -> None:
        self._rules = rules
        self.kept: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> int | None:
        """Take one more piece of the field `name`.

        How many bytes of text that adds, `None` if it adds anything else.
        """
        if value is None:
            return 0
        kept = self.kept.get(name)
        if kept is None:
            kept = self.kept[name] = self._rules.get(name, _Last)()
            if name not in self._rules:
                kept.add(value)
                return None
        size: int | None = kept.add(value)
        return size

    def get(self, name: str) -> Any:
        """What the field adds up to so far, `None` where nothing came."""
        return self.kept[name].value if name in self.kept else None

    def values(self) -> dict[str, Any]:
        """What all fields add up to so far."""
        values = {name: kept.value for name, kept in self.kept.items()}
        return {name: value for name, value in values.items() if value is not None}


class _Last:
    """The last value wins, but lists grow. (A number is a count, never a piece.)"""

    _value: Any = None

    def add(self, value: Any) -> int | None:
        if isinstance(value, list) and isinstance(self._value, list):
            self._value += value
        else:
            self._value = _copied(value)  # the caller holds the chunk that this list came in
        return None if isinstance(value, list) and value else 0

    @property
    def value(self) -> Any:
        return _copied(self._value)


class _Said:
    """Said once, however often repeated, and never joined. The empty text says nothing."""

    value: Any = None

    def add(self, value: Any) -> int:
        self.value = value or self.value
        return 0


class _Finish(_Said):
    """Why a choice has finished. What is no finish does not undo one."""

    def add(self, value: Any) -> int:
        undoes = is_finish(self.value) and not is_finish(value)
        return super().add(None if undoes else value)


def is_finish(reason: Any) -> bool:
    """Whether a `finish_reason` says that a choice has come to its end."""
    # quirk(vllm): "abort" says that nothing will follow, not that all is there.
    return isinstance(reason, str) and reason not in ("", "abort")


class _Text:
    """Text in pieces; or a list of content parts, where a server sends such."""

    def __init__(self) -> None:
        self._text = StringIO()
        self._parts: list[Any] = []

    def add(self, value: Any) -> int | None:
        if isinstance(value, str):
            self._text.write(value)
            return len(value.encode(errors="replace"))
        if value == []:  # no parts: the text stays a text
            return 0
        self._parts += self._last_part()
        self._text = StringIO()
        self._parts += value if isinstance(value, list) else [value]
        return None if value else 0

    def _last_part(self) -> list[Any]:
        """The text that came after the parts, as a part."""
        text = self._text.getvalue()
        return [Object({"type": "text", "text": text})] if text else []

    @property
    def value(self) -> Any:
        return self._parts + self._last_part() if self._parts else self._text.getvalue()


class _Arguments:
    """JSON text in pieces; an object that comes whole is taken whole, as JSON text."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._text = StringIO()
        self._read = 0  # how far `are_whole` has read the text, and what it found:
        self._depth, self._quoted, self._escaped, self._whole = 0, False, False, False

    def add(self, value: Any) -> None:
        if not isinstance(value, str):
            # quirk(sglang): arguments may be an object. Every server wants text back.
            value = _json(value)
            self._begin()
        self._text.write(value)

    @property
    def value(self) -> str:
        return self._text.getvalue()

    def are_whole(self) -> bool:
        """Whether the text is a whole JSON object. Each character is looked at once."""
        self._text.seek(self._read)
        marks = _MARK.findall(self._text.read(), self._escaped)
        self._read = self._text.tell()
        self._escaped = marks[-1:] == ["\\"]  # the other half of the last one is to come
        for mark in marks:
            self._quoted ^= mark == '"'
            self._depth += 0 if self._quoted else _DEEPER.get(mark, 0)
            self._whole = not self._quoted and self._depth <= 0
        return self._whole


class _Nested:
    """An object, each of its fields by its own rule; the last of what is none, if none comes."""

    rules: ClassVar[dict[str, Callable[[], Any]]] = {}

    def __init__(self) -> None:
        self.fields = Fields(self.rules)
        self._odd = _Last()

    def add(self, value: Any) -> int | None:
        if isinstance(value, Object):
            for name, item in value.items():
                self.fields.add(name, item)
        else:
            self._odd.add(value)
        return None if value else 0

    @property
    def value(self) -> Any:
        fields, odd = self.fields.values(), self._odd.value
        return Object(fields) if fields or odd is None else odd


class _Function(_Nested):
    """The name is said once, the arguments (a custom tool's `input`) come in pieces."""

    rules: ClassVar = {"name": _Said, "arguments": _Arguments, "input": _Text}


class _Audio(_Nested):
    rules: ClassVar = {"id": _Said, "data": _Text, "transcript": _Text}


class _Call(_Nested):
    """One tool call. `place` orders the calls: by index, then by arrival."""

    rules: ClassVar = {"id": _Said, "type": _Said, "function": _Function, "custom": _Function}

    def __init__(self, place: tuple[int, int]) -> None:
        super().__init__()
        self.place = place

    @property
    def value(self) -> Object:
        fields = self.fields.values()
        fields.pop("index", None)  # a whole answer has none: the order says it
        if "function" in fields:
            fields = {"type": "function", **fields}
        return Object(fields)

    def is_over(self, piece: Object, *, again: bool) -> bool:
        """Whether `piece`, though it has this call's index or its id, starts another one.

        `again`: it comes in one list with a piece of this call.
        """
        kept = self.fields.kept
        mine = (kept.get("function") or kept.get("custom") or _Function()).fields
        arguments = mine.kept.get("arguments") or _Arguments()
        called = piece.get("function") or piece.get("custom")
        theirs = called if isinstance(called, Object) else Object()
        known, said = _text(self.fields.get("id")), _text(mine.get("name"))
        call_id, name = _text(piece.get("id")), _text(theirs.get("name"))
        same = bool(known) and call_id == known
        told = [(old, new) for old, new in ((known, call_id), (said, name)) if old and new]
        if any(old != new for old, new in told):
            # quirk(gemini): several calls share index 0, told apart by their ids.
            # quirk(llama-server): an id or a name may grow until arguments come.
            grown = all(new.startswith(old) for old, new in told)
            return (again and not same) or bool(arguments.value) or not grown
        if same or not name:
            return False
        # quirk(ollama): older ones send whole calls, all of them without id and index.
        says_more = theirs.get("arguments") not in (None, "")
        return (again and bool(said)) or (says_more and arguments.are_whole())


class _Calls:
    """The tool calls of a message, told apart by index and id."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._latest: dict[int | None, _Call] = {}
        self._by_id: dict[tuple[int | None, str], _Call] = {}
        self._odd: list[Any] = []

    def add(self, value: Any) -> int | None:
        touched: set[_Call] = set()
        for piece in value if isinstance(value, list) else [value]:
            if isinstance(piece, Object):
                touched.add(self._add_piece(piece, touched))
            elif piece:
                self._odd.append(piece)
        return None if value else 0

    def _add_piece(self, piece: Object, touched: set[_Call]) -> _Call:
        # quirk(gemini, ollama): no index. The id tells then, else it is the latest call.
        index = piece["index"] if isinstance(piece.get("index"), int) else None
        call_id = _text(piece.get("id"))
        call = self._by_id.get((index, call_id)) or self._latest.get(index)
        if call is None or call.is_over(piece, again=call in touched):
            arrival = len(self._calls)
            call = _Call((arrival if index is None else index, arrival))
            self._calls.append(call)
        for key in (index, None):
            self._latest[key] = call
            if call_id:
                # quirk(tgi): every call has the id "0", so that the index goes first.
                self._by_id[key, call_id] = call
        call.add(piece)
        return call

    @property
    def value(self) -> list[Any] | None:
        calls = sorted(self._calls, key=lambda call: call.place)
        return [call.value for call in calls] + self._odd or None


def fill(said: dict[str, Any], none: str) -> None:
    """Give the calls of a message the arguments `none`, where none have come."""
    listed = said.get("tool_calls") or []
    called = [call.get("function") for call in listed if isinstance(call, Object)]
    for function in (*called, said.get("function_call")):
        if isinstance(function, Object) and not function.get("arguments"):
            function["arguments"] = none


CHOICE: dict[str, Callable[[], Any]] = {
    "text": _Text,
    "finish_reason": _Finish,
    "logprobs": _Nested,  # its lists grow
}

MESSAGE: dict[str, Callable[[], Any]] = {
    "role": _Said,
    "content": _Text,
    "refusal": _Text,
    "reasoning_content": _Text,
    "reasoning": _Text,
    "thinking": _Text,
    "tool_calls": _Calls,
    "function_call": _Function,
    "audio": _Audio,
}


def _copied(value: Any) -> Any:
    return value[:] if isinstance(value, list) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
