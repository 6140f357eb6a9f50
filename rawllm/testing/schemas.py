"""JSON Schema: whether it is one, and where a value breaks it.

Of draft 2020-12 the keywords that tools and `response_format` are made of. A
schema with one that is not supported is read all the same, and refused where a
value could be wrong by it; one that says nothing about values (`title`,
`x-anything`) is skipped, as the specification has it. What is left out:
references to other documents, and the making of values, which `instances.py`
does.

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

#: A reference to a place in the whole, as `#/$defs/name`.
_WITHIN = re.compile(r"#(/|\Z)")


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

    def property(self, name: str) -> "list[Part]":
        """What is said of this property of an object."""
        found = [self.at("properties", name)] if name in self.schema.get("properties", {}) else []
        for pattern in self.schema.get("patternProperties", ()):
            if _is_unreadable(pattern):
                raise _unsupported(self, "patternProperties")
            if re.search(pattern, name):
                found.append(self.at("patternProperties", pattern))
        return found or [self.inner("additionalProperties")]

    def item(self, index: int) -> "Part":
        """What is said of this item of an array."""
        if index < len(self.schema.get("prefixItems", ())):
            return self.at("prefixItems", index)
        return self.inner("items")

    def inner(self, keyword: str) -> "Part":
        """The schema of a keyword, which everything satisfies where it is not there."""
        return Part(self.schema.get(keyword, True), self.named(keyword), self.root)

    def target(self) -> "Part":
        """The schema that its `$ref` means. Raises `ValueError` if there is none here."""
        if not _WITHIN.match(self.schema["$ref"]):
            raise _unsupported(self, "$ref")
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
    """The whole of `schema`. Raises `ValueError` where it is none."""
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
        wanted, fine = _SHAPES.get(keyword, ("", None))
        if fine and not fine(value):
            raise ValueError(f"{part.named(keyword)}: must be {wanted}, not {_shown(value)}")
    for inner in _inside(part):
        _check(inner, seen)


def _inside(part: Part) -> Iterator[Part]:
    for keyword in _NAMED_SCHEMAS:
        for name in part.schema.get(keyword, {}):
            yield part.at(keyword, name)
    for keyword in _LISTED_SCHEMAS:
        yield from part.each(keyword)
    for keyword in _ONE_SCHEMA:
        if keyword in part.schema:
            yield part.at(keyword)
    if _WITHIN.match(part.schema.get("$ref", "")):
        yield part.target()


_NAMED_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions")
_LISTED_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
_ONE_SCHEMA = (
    *("items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"),
)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:100]


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_type(value: Any) -> bool:
    return value in TYPES or (_is_texts(value) and value != [] and set(value) <= {*TYPES})


_COUNT = ("a whole number of at least 0", _is_count)
_NUMBER = ("a number", _is_number)
_SCHEMAS = ("a list of at least one schema", lambda value: isinstance(value, list) and value != [])
_NAMED = ("an object of schemas", lambda value: isinstance(value, dict))

#: keyword -> (what its value must be, whether it is)
_SHAPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "type": (f"one of {', '.join(TYPES)}, or a list of them", _is_type),
    "enum": ("a list of at least one value", lambda value: isinstance(value, list) and value != []),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _COUNT),
    **dict.fromkeys(("minContains", "maxContains"), _COUNT),
    **dict.fromkeys(("minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    "multipleOf": ("a number above 0", lambda value: _is_number(value) and value > 0),
    "uniqueItems": ("true or false", lambda value: isinstance(value, bool)),
    "required": ("a list of names", _is_texts),
    "dependentRequired": (
        "an object of lists of names",
        lambda value: isinstance(value, dict) and all(map(_is_texts, value.values())),
    ),
    "pattern": ("a regular expression", lambda value: isinstance(value, str)),
    "format": ("a name", lambda value: isinstance(value, str)),
    "$ref": ("a reference, as #/$defs/name", lambda value: isinstance(value, str)),
    **dict.fromkeys(_LISTED_SCHEMAS, _SCHEMAS),
    **dict.fromkeys(_NAMED_SCHEMAS, _NAMED),
}


# --- values -----------------------------------------------------------------


def fault(value: Any, part: Part) -> str | None:
    """The place in the schema that `value` breaks, as in `properties.age.minimum`.

    Raises `ValueError`, which names the place, for what is not supported.
    """
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
    for keyword, said in part.schema.items():
        if keyword in UNSUPPORTED or (keyword == "pattern" and _is_unreadable(said)):
            raise _unsupported(part, keyword)
    types = types_of(value)
    for keyword, (about, holds) in HOLDS.items():
        if keyword in part.schema and types & {*about} and not holds(value, part.schema[keyword]):
            yield part.named(keyword)
    for inner in part.each("allOf") + ([part.target()] if "$ref" in part.schema else []):
        yield from _faults(value, inner)
    yield from _faults_inside(value, part)
    if "not" in part.schema and fault(value, part.at("not")) is None:
        yield part.named("not")
    if "if" in part.schema:
        branch = "then" if fault(value, part.at("if")) is None else "else"
        yield from _faults(value, part.inner(branch))
    if not any(fault(value, inner) is None for inner in part.each("anyOf") or [ANYTHING]):
        yield part.named("anyOf")
    if sum(fault(value, inner) is None for inner in part.each("oneOf") or [ANYTHING]) != 1:
        yield part.named("oneOf")


def _faults_inside(value: Any, part: Part) -> Iterator[str]:
    for name, item in value.items() if isinstance(value, dict) else ():
        yield from _faults(name, part.inner("propertyNames"))
        for inner in part.property(name):
            yield from _faults(item, inner)
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _faults(item, part.item(index))
    if isinstance(value, list) and "contains" in part.schema:
        found = sum(fault(item, part.at("contains")) is None for item in value)
        if not part.schema.get("minContains", 1) <= found <= part.schema.get("maxContains", found):
            yield part.named("contains")


def _depended(value: dict[str, Any], names: dict[str, list[str]]) -> bool:
    return all(value.keys() >= {*names[name]} for name in value.keys() & names.keys())


def _unsupported(part: Part, keyword: str) -> ValueError:
    return ValueError(f"{part.named(keyword)}: is not supported here")


def _is_unreadable(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return True
    return False


#: The keywords that no value is judged by.
UNSUPPORTED = {
    *("dependencies", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"),
    *("$dynamicRef", "$recursiveRef"),
}


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
    "dependentRequired": (("object",), _depended),
    "minProperties": (("object",), lambda value, least: len(value) >= least),
    "maxProperties": (("object",), lambda value, most: len(value) <= most),
}


def names_of(types: str | list[str]) -> list[str]:
    """The types that `type` names, one or several."""
    return [types] if isinstance(types, str) else types
