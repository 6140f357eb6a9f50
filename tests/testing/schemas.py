"""JSON Schemas by chance: any, and such as are true of a given value."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

Json = Any

TEXTS = ["", "a", "Paris", "2025-01-01", "ab-12", "user@example.com", "😀"]
NAMES = ["a", "b", "city", "key1"]
PATTERNS = ["^[a-z]+$", r"\d", "^[A-Z]{1,3}", "^.*$", "a|b"]
FORMATS = ["date", "email", "uuid", "ipv4", "anything"]


def value(chance: random.Random, depth: int = 2) -> Json:
    """Any JSON value."""
    kind = chance.choice(["text", "number", "plain", "list", "object"][: 5 if depth else 3])
    if kind == "text":
        return chance.choice(TEXTS)
    if kind == "number":
        return chance.choice([0, 1, 2, 3, -1, 7, 1.0, 0.5, 2.25, 100])
    if kind == "plain":
        return chance.choice([True, False, None])
    if kind == "list":
        return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {name: value(chance, depth - 1) for name in NAMES if chance.random() < 0.5}


def schema(chance: random.Random, depth: int = 3, refs: Sequence[str] = ("#/$defs/x",)) -> Json:
    """Any schema, many of them of no value. `refs` are the places that it may refer to."""
    if chance.random() < 0.08 or not depth:
        return chance.choice([True, False, {}, {"type": "string"}, {"type": "integer"}])

    def inner() -> Json:
        return schema(chance, depth - 1, refs)

    def inners() -> list[Json]:
        return [inner() for _ in range(chance.randrange(1, 3))]

    makers: dict[str, Callable[[], Json]] = {
        "type": lambda: chance.choice([*KINDS, chance.sample(KINDS, 2)]),
        "enum": lambda: [value(chance) for _ in range(chance.randrange(1, 4))],
        "const": lambda: value(chance),
        "minimum": lambda: chance.choice([-3, 0, 1.5, 4]),
        "maximum": lambda: chance.choice([0, 1.75, 5, 10]),
        "exclusiveMinimum": lambda: chance.choice([-1, 0, 2]),
        "exclusiveMaximum": lambda: chance.choice([1, 3, 9.5]),
        "multipleOf": lambda: chance.choice([1, 2, 3, 0.5, 0.25]),
        "minLength": lambda: chance.randrange(4),
        "maxLength": lambda: chance.randrange(7),
        "pattern": lambda: chance.choice(PATTERNS),
        "format": lambda: chance.choice(FORMATS),
        "minItems": lambda: chance.randrange(4),
        "maxItems": lambda: chance.randrange(4),
        "uniqueItems": lambda: chance.random() < 0.7,
        "items": inner,
        "prefixItems": inners,
        "properties": lambda: {name: inner() for name in chance.sample(NAMES, 2)},
        "required": lambda: chance.sample(NAMES, chance.randrange(3)),
        "additionalProperties": inner,
        "minProperties": lambda: chance.randrange(3),
        "maxProperties": lambda: chance.randrange(4),
        "allOf": inners,
        "anyOf": inners,
        "oneOf": inners,
        "default": lambda: value(chance),
        "examples": lambda: [value(chance)],
        "title": lambda: "Anything",
        "not": inner,
        "contains": inner,
        "minContains": lambda: chance.randrange(3),
        "maxContains": lambda: chance.randrange(3),
        "propertyNames": inner,
        "patternProperties": lambda: {chance.choice(["^[ab]$", "i", "1"]): inner()},
        "dependentRequired": lambda: {chance.choice(NAMES): chance.sample(NAMES, 1)},
        "if": inner,
        "then": inner,
        "else": inner,
    }
    if refs:
        makers["$ref"] = lambda: chance.choice(refs)
    return {name: makers[name]() for name in chance.sample([*makers], chance.randrange(5))}


KINDS = ["string", "number", "integer", "boolean", "null", "array", "object"]


def whole(chance: random.Random, *, circles: bool = False) -> dict[str, Json]:
    """A schema to which its parts refer, with `circles` also those that they refer to."""
    places = ("#/$defs/x", "#") if circles else ()
    found = schema(chance)
    return {
        **(found if isinstance(found, dict) else {}),
        "$defs": {"x": schema(chance, 2, places)},
    }


def around(given: Json, chance: random.Random, depth: int = 3) -> dict[str, Json]:
    """A schema that is true of a value."""
    said: dict[str, Json] = {}
    if chance.random() < 0.8:
        said["type"] = _kind(given)
    if isinstance(given, str):
        said |= _some(chance, minLength=len(given) // 2, maxLength=len(given) + 1)
    elif isinstance(given, int | float) and not isinstance(given, bool):
        said |= _some(
            chance,
            minimum=given - chance.choice([0, 1, 0.5]),
            maximum=given + chance.choice([0, 2, 0.25]),
            exclusiveMinimum=given - 1,
            exclusiveMaximum=given + 0.75,
            multipleOf=abs(given) or 3,
        )
    elif isinstance(given, list):
        inside = [around(item, chance, depth - 1) for item in given]
        if inside and chance.random() < 0.4:
            said["prefixItems"] = inside
        elif inside:
            said["items"] = {"anyOf": inside}
        said |= _some(chance, minItems=len(given), maxItems=len(given) + 1)
    elif isinstance(given, dict):
        names = [name for name in given if chance.random() < 0.8]
        said["properties"] = {name: around(given[name], chance, depth - 1) for name in names}
        said |= _some(chance, required=[*given], minProperties=len(given), maxProperties=len(given))
        if names == [*given]:
            said |= _some(chance, additionalProperties=False)
    if depth and chance.random() < 0.2:
        others = [said, {"type": "null"}]
        chance.shuffle(others)
        return {"anyOf": others}
    if depth and chance.random() < 0.2:
        return {"allOf": [said, around(given, chance, 0)]}
    return said if chance.random() < 0.9 else {"enum": [None, given]}


def _some(chance: random.Random, **keywords: Json) -> dict[str, Json]:
    return {name: said for name, said in keywords.items() if chance.random() < 0.4}


def _kind(given: Json) -> str:
    if given is None or isinstance(given, bool):
        return "null" if given is None else "boolean"
    kinds = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds[type(given)]
