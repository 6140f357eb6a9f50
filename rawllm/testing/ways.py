"""The ways to satisfy a JSON Schema: what refers to others and offers several, taken apart.

A *way* is a list of simple schemas that must all hold, those of `allOf` and
`$ref` and one of each `anyOf` and `oneOf` among them. A schema that contains
itself has no way where it is entered too often. What is left out: the values,
which `instances.py` makes.

>>> from rawllm.testing.schemas import read
>>> schema = {"minimum": 1, "anyOf": [{"type": "integer"}, {"type": "null"}]}
>>> [way.types() for way in expanded(read(schema))]
[['integer'], ['null']]
"""

from collections.abc import Iterable
from functools import reduce
from itertools import chain, islice, product
from typing import Any, NamedTuple

from rawllm.testing.schemas import HOLDS, TYPES, Part, names_of

#: More ways than this are not looked at.
MOST_WAYS = 100

#: A schema that contains itself is entered so often on the way to a value.
MOST_ENTERED = 2

#: keyword -> the type that a schema means which names none.
_ABOUT: dict[str, str] = (
    {keyword: about[0] for keyword, (about, _) in HOLDS.items() if about != TYPES}
    | {
        "properties": "object",
        "additionalProperties": "object",
        "items": "array",
        "prefixItems": "array",
        "contains": "array",
    }
    | dict.fromkeys(("patternProperties", "propertyNames"), "object")
)


class Way(NamedTuple):
    """Simple schemas that must all hold. `entered` are the places that they refer to."""

    parts: tuple[Part, ...] = ()
    entered: frozenset[str] = frozenset()

    def all(self, keyword: str) -> list[Any]:
        """What they say with this keyword."""
        return [part.schema[keyword] for part in self.parts if keyword in part.schema]

    def names(self, keyword: str) -> list[str]:
        """The names in all their lists or objects of this keyword, each once."""
        return list(dict.fromkeys(chain.from_iterable(self.all(keyword))))

    def least(self, keyword: str, limit: int) -> int:
        """The largest of their lower limits. Raises `ValueError` if it is beyond `limit`."""
        for part in self.parts:
            if part.schema.get(keyword, 0) > limit:
                raise ValueError(f"{part.named(keyword)}: more than {limit} are not made here")
        return max(self.all(keyword), default=0)

    def types(self) -> list[str]:
        """The types that all of them allow, null last; if they name none, all."""
        named = [part for part in self.parts if "type" in part.schema]
        if not named:
            about = {_ABOUT.get(keyword) for part in self.parts for keyword in part.schema}
            return sorted(TYPES, key=lambda name: name not in about)
        types = _wide(named[0])
        for part in named[1:]:
            types = [name for name in types if name in _wide(part)]
            if not types:
                raise ValueError(f"{part.named('type')}: excludes what the rest asks for")
        return sorted(types, key=lambda name: name == "null")

    def is_null(self) -> bool:
        """Whether nothing but null is of this way."""
        return "null" in self.all("type") or None in self.all("const")


def _wide(part: Part) -> list[str]:
    """The types that a schema names. A number may also be an integer."""
    names = names_of(part.schema["type"])
    return [*names, "integer"] if "number" in names else names


def expanded(part: Part, path: tuple[str, ...] = ()) -> list[Way]:
    """The ways to satisfy a schema; none for false, and for one that would not end.

    `path` are the places that were referred to on the way to it.
    """
    if isinstance(part.schema, bool):
        return [Way()] if part.schema else []
    if part.schema.get("not") in ({}, True):  # zod's false
        return []
    groups = [[Way((part,))]]
    if "$ref" in part.schema:
        target = part.target()
        if path.count(target.place) >= MOST_ENTERED:
            return []
        groups.append([Way((), frozenset({target.place}))])
        groups.append(expanded(target, (*path, target.place)))
    groups += [expanded(inner, path) for inner in part.each("allOf")]
    for keyword in ("anyOf", "oneOf"):
        if keyword in part.schema:
            groups.append([way for inner in part.each(keyword) for way in expanded(inner, path)])
    if "if" in part.schema:
        condition, then, other = (
            expanded(part.inner(keyword), path) for keyword in ("if", "then", "else")
        )
        groups.append([*joined([condition, then]), *other])
    return joined(groups)


def joined(groups: Iterable[list[Way]]) -> list[Way]:
    """The ways to go one way of each group."""
    return reduce(_both, groups, [Way()])


def _both(some: list[Way], others: list[Way]) -> list[Way]:
    pairs = product(some, others)
    joined = (Way(one.parts + two.parts, one.entered | two.entered) for one, two in pairs)
    return list(islice(joined, MOST_WAYS))
