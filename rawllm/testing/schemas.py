"""JSON Schema: whether it is one, and where a value breaks it.

Of draft 2020-12 the keywords that tools and `response_format` are made of.
One that is not supported is refused if a value could be wrong without it; one
that says nothing about values (`title`, `x-anything`) is skipped, as the
specification has it. What is left out: references to other documents, and the
making of values, which `instances.py` does.

Specification: https://json-schema.org/draft/2020-12

>>> fault(3, read({"type": "integer", "minimum": 5}))
'minimum'
>>> read({"properties": {"age": {"minimum": "5"}}})
Traceback (most recent call last):
ValueError: properties.age.minimum: must be a number, not "5"
"""

import json
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple
from urllib.parse import unquote

from rawllm.testing.formats import FORMATS

#: JSON's types, the plainest first.
TYPES = ("string", "object", "array", "integer", "number", "boolean", "null")


class Part(NamedTuple):
    """A schema, where it stands in the whole (as in `properties.age`), and the whole."""

    schema: Any
    place: str
    root: Any

    def named(self, *keys: str | int) -> str:
        """The name of the place further in, at `keys`."""
        return ".".join(map(str, [self.place, *keys] if self.place else keys)) or "the schema"

    def at(self, *keys: str | int) -> "Part":
        """The schema further in, at `keys`."""
        schema = self.schema
        for key in keys:
            schema = schema[key]
        return Part(schema, self.named(*keys), self.root)

    def each(self, keyword: str) -> "list[Part]":
        """The schemas in the list of a keyword, none where it is not there."""
        return [self.at(keyword, place) for place in range(len(self.schema.get(keyword, ())))]

    def property(self, name: str) -> "Part":
        """What is said of this property of an object."""
        if name in self.schema.get("properties", {}):
            return self.at("properties", name)
        return self._rest("additionalProperties")

    def item(self, index: int) -> "Part":
        """What is said of this item of an array."""
        if index < len(self.schema.get("prefixItems", ())):
            return self.at("prefixItems", index)
        return self._rest("items")

    def _rest(self, keyword: str) -> "Part":
        return Part(self.schema.get(keyword, True), self.named(keyword), self.root)

    def target(self) -> "Part":
        """The schema that its `$ref` means. Raises `ValueError` if there is none."""
        keys = unquote(self.schema["$ref"]).split("/")[1:]
        keys = [key.replace("~1", "/").replace("~0", "~") for key in keys]
        schema = self.root
        try:
            for key in keys:
                schema = schema[int(key)] if isinstance(schema, list) else schema[key]
        except (KeyError, IndexError, TypeError, ValueError):
            words = f"{self.named('$ref')}: there is no {self.schema['$ref']}"
            raise ValueError(words) from None
        return Part(schema, ".".join(keys), self.root)


#: What every value satisfies.
ANYTHING = Part(schema=True, place="", root=True)


# --- reading ----------------------------------------------------------------


def read(schema: Any) -> Part:
    """The whole of `schema`. Raises `ValueError` where it is none, or not supported."""
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the schema: is not JSON: {error}") from None
    whole = Part(schema, "", schema)
    _check(whole, set())
    return whole


def _check(part: Part, seen: set[int]) -> None:
    """Raise `ValueError` for what is wrong with a schema or one inside it."""
    schema = part.schema
    if id(schema) in seen or isinstance(schema, bool):
        return
    seen.add(id(schema))
    if not isinstance(schema, dict):
        raise ValueError(f"{part.named()}: must be an object or a boolean, not {_shown(schema)}")
    for keyword, value in schema.items():
        if keyword in REFUSED:
            raise ValueError(f"{part.named(keyword)}: is not supported here")
        wanted, fine = _SHAPES.get(keyword, ("", _is_anything))
        if not fine(value):
            raise ValueError(f"{part.named(keyword)}: must be {wanted}, not {_shown(value)}")
    for inner in _inside(part):
        _check(inner, seen)


def _inside(part: Part) -> Iterator[Part]:
    for keyword in ("properties", "$defs", "definitions"):
        for name in part.schema.get(keyword, {}):
            yield part.at(keyword, name)
    for keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
        yield from part.each(keyword)
    for keyword in ("items", "additionalProperties"):
        if keyword in part.schema:
            yield part.at(keyword)
    if "$ref" in part.schema:
        yield part.target()


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:100]


def _is_anything(value: Any) -> bool:
    del value
    return True


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_type(value: Any) -> bool:
    return value in TYPES or (_is_texts(value) and value != [] and set(value) <= {*TYPES})


def _is_pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and re.compile(value) is not None
    except (re.error, OverflowError, RecursionError):
        return False


_COUNT = ("a whole number of at least 0", _is_count)
_NUMBER = ("a number", _is_number)
_SCHEMAS = ("a list of at least one schema", lambda value: isinstance(value, list) and value != [])
_NAMED = ("an object of schemas", lambda value: isinstance(value, dict))

#: keyword -> (what its value must be, whether it is)
_SHAPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "type": (f"one of {', '.join(TYPES)}, or a list of them", _is_type),
    "enum": ("a list of at least one value", lambda value: isinstance(value, list) and value != []),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _COUNT),
    **dict.fromkeys(("minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    "multipleOf": ("a number above 0", lambda value: _is_number(value) and value > 0),
    "uniqueItems": ("true or false", lambda value: isinstance(value, bool)),
    "required": ("a list of names", _is_texts),
    "pattern": ("a regular expression that Python can read", _is_pattern),
    "format": ("a name", lambda value: isinstance(value, str)),
    "$ref": (
        "a reference within the schema, as #/$defs/name",
        lambda value: isinstance(value, str) and (value == "#" or value.startswith("#/")),
    ),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _SCHEMAS),
    **dict.fromkeys(("properties", "$defs", "definitions"), _NAMED),
}

#: The keywords without which a value could be wrong.
REFUSED = {
    *("not", "if", "contains", "patternProperties", "propertyNames", "dependencies"),
    *("dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"),
    *("$dynamicRef", "$recursiveRef"),
}


# --- values -----------------------------------------------------------------


def fault(value: Any, part: Part) -> str | None:
    """The place in the schema that `value` breaks, as in `properties.age.minimum`."""
    return next(_faults(value, part), None)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, but not true."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def exact(number: float) -> Fraction:
    """The number as its digits say it: 0.1 is a tenth."""
    return Fraction(str(number))


def types_of(value: Any) -> frozenset[str]:
    """The names of a JSON value's type: 1 and 1.0 are an integer and a number."""
    if isinstance(value, bool):
        return frozenset({"boolean"})
    if isinstance(value, float) and not value.is_integer():
        return frozenset({"number"})
    return next(names for python, names in _TYPE_NAMES.items() if isinstance(value, python))


_TYPE_NAMES: dict[type, frozenset[str]] = {
    str: frozenset({"string"}),
    dict: frozenset({"object"}),
    list: frozenset({"array"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"integer", "number"}),
    type(None): frozenset({"null"}),
}


def _faults(value: Any, part: Part) -> Iterator[str]:
    if isinstance(part.schema, bool):
        yield from [] if part.schema else [part.named()]
        return
    types = types_of(value)
    for keyword, (about, holds) in HOLDS.items():
        if keyword in part.schema and types & {*about} and not holds(value, part.schema[keyword]):
            yield part.named(keyword)
    for inner in part.each("allOf") + ([part.target()] if "$ref" in part.schema else []):
        yield from _faults(value, inner)
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _faults(item, part.property(name))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(item, part.item(index))
    if not any(fault(value, inner) is None for inner in part.each("anyOf") or [ANYTHING]):
        yield part.named("anyOf")
    if sum(fault(value, inner) is None for inner in part.each("oneOf") or [ANYTHING]) != 1:
        yield part.named("oneOf")


def _differ(items: list[Any]) -> bool:
    return not any(same(item, other) for n, item in enumerate(items) for other in items[:n])


#: keyword -> (the types it is about, whether a value satisfies it)
HOLDS: dict[str, tuple[tuple[str, ...], Callable[[Any, Any], bool]]] = {
    "type": (TYPES, lambda value, names: bool(types_of(value) & {*names_of(names)})),
    "enum": (TYPES, lambda value, values: any(same(value, other) for other in values)),
    "const": (TYPES, same),
    "minimum": (("number",), lambda value, least: value >= least),
    "maximum": (("number",), lambda value, most: value <= most),
    "exclusiveMinimum": (("number",), lambda value, least: value > least),
    "exclusiveMaximum": (("number",), lambda value, most: value < most),
    "multipleOf": (("number",), lambda value, step: exact(value) % exact(step) == 0),
    "minLength": (("string",), lambda value, least: len(value) >= least),
    "maxLength": (("string",), lambda value, most: len(value) <= most),
    "pattern": (("string",), lambda value, pattern: re.search(pattern, value) is not None),
    "format": (("string",), lambda value, name: name not in FORMATS or FORMATS[name].fits(value)),
    "minItems": (("array",), lambda value, least: len(value) >= least),
    "maxItems": (("array",), lambda value, most: len(value) <= most),
    "uniqueItems": (("array",), lambda value, unique: not unique or _differ(value)),
    "required": (("object",), lambda value, names: value.keys() >= {*names}),
    "minProperties": (("object",), lambda value, least: len(value) >= least),
    "maxProperties": (("object",), lambda value, most: len(value) <= most),
}


def names_of(types: str | list[str]) -> list[str]:
    """The types that `type` names, one or several."""
    return [types] if isinstance(types, str) else types
