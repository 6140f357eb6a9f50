"""How the pieces of one field add up, a rule a field.

A choice of a chunk holds pieces of a choice, its delta pieces of a message.
`CHOICE` and `MESSAGE` name the rule of each field; one that they do not name
is kept by `_Last`, so that nothing a server sends is dropped.

Source: the `chat.completion.chunk` object of OpenAI's API reference, and the
servers named at each quirk.
"""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any, ClassVar

from rawllm.objects import Object

_json = json.JSONEncoder(ensure_ascii=False).encode


class Fields:
    """Named values, each kept by its rule. Null says nothing and is not kept."""

    def __init__(self, rules: dict[str, Callable[[], Any]]) -> None:
        self._rules = rules
        self.kept: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """Take one more piece of the field `name`."""
        if value is None:
            return
        if name not in self.kept:
            self.kept[name] = self._rules.get(name, _Last)()
        self.kept[name].add(value)

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

    def add(self, value: Any) -> None:
        if isinstance(value, list) and isinstance(self._value, list):
            self._value += value
        else:
            self._value = _copied(value)  # the caller holds the chunk that this list came in

    @property
    def value(self) -> Any:
        return _copied(self._value)


class _Said:
    """Said once, however often repeated: role, id, type and name are never joined.

    The empty text says nothing, as null does.
    """

    def __init__(self) -> None:
        self.value: Any = None

    def add(self, value: Any) -> None:
        self.value = value or self.value


class _Text:
    """Text in pieces; or a list of content parts, where a server sends such."""

    def __init__(self) -> None:
        self._text = StringIO()
        self._parts: list[Any] = []

    def add(self, value: Any) -> None:
        if isinstance(value, str):
            self._text.write(value)
        else:
            self._parts += self._last_part()
            self._text = StringIO()
            self._parts += value if isinstance(value, list) else [value]

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
        self._text = StringIO()

    def add(self, value: Any) -> None:
        if not isinstance(value, str):
            # quirk(sglang): arguments may be an object. Every server wants text back.
            self._text = StringIO()
            value = _json(value)
        self._text.write(value)

    @property
    def text(self) -> str:
        return self._text.getvalue()

    @property
    def value(self) -> str:
        # quirk(llama-server): parses the arguments that are sent back, and
        # answers 500 to the empty text of a call without any.
        return self.text or "{}"

    def are_whole(self) -> bool:
        try:
            json.loads(self.text)
        except (ValueError, RecursionError):
            return False
        return True


class _Nested:
    """An object, each of its fields by its own rule."""

    rules: ClassVar[dict[str, Callable[[], Any]]] = {}

    def __init__(self) -> None:
        self.fields = Fields(self.rules)

    def add(self, value: Any) -> None:
        for name, item in value.items() if isinstance(value, Object) else ():
            self.fields.add(name, item)

    @property
    def value(self) -> Object:
        return Object(self.fields.values())


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
            fields["function"].setdefault("arguments", "{}")
        return Object(fields)

    def is_over(self, piece: Object) -> bool:
        """Whether `piece`, though it has this call's index or none, starts another one."""
        mine = self.fields.kept.get("function", _Function()).fields
        arguments = mine.kept.get("arguments", _Arguments())
        function = piece.get("function")
        theirs = function if isinstance(function, Object) else Object()
        known, said = _text(self.fields.get("id")), _text(mine.get("name"))
        call_id, name = _text(piece.get("id")), _text(theirs.get("name"))
        if known and call_id:
            # quirk(gemini): several calls share index 0, told apart by their ids.
            # quirk(llama-server): an id or a name may grow until arguments come.
            longer = call_id.startswith(known) or (said and said != name and name.startswith(said))
            return bool(arguments.text) or not longer
        # quirk(ollama): older ones send whole calls, all of them without id and index.
        return bool(name) and (
            not name.startswith(said) or (arguments.are_whole() and bool(theirs.get("arguments")))
        )


class _Calls:
    """The tool calls of a message, told apart by index and id."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._latest: dict[int | None, _Call] = {}
        self._by_id: dict[tuple[int | None, str], _Call] = {}

    def add(self, value: Any) -> None:
        for piece in value if isinstance(value, list) else ():
            if isinstance(piece, Object):
                self._add_piece(piece)

    def _add_piece(self, piece: Object) -> None:
        # quirk(gemini, ollama): no index. The id tells then, else it is the latest call.
        index = piece["index"] if isinstance(piece.get("index"), int) else None
        call_id = _text(piece.get("id"))
        call = self._by_id.get((index, call_id))
        if call is None:
            call = self._latest.get(index)
            if call is None or call.is_over(piece):
                arrival = len(self._calls)
                call = _Call((arrival if index is None else index, arrival))
                self._calls.append(call)
        for key in (index, None):
            self._latest[key] = call
            if call_id:
                # quirk(tgi): every call has the id "0", so that the index goes first.
                self._by_id[key, call_id] = call
        call.add(piece)

    @property
    def value(self) -> list[Object] | None:
        return [call.value for call in sorted(self._calls, key=lambda call: call.place)] or None


CHOICE: dict[str, Callable[[], Any]] = {
    "text": _Text,
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
