"""A value for a JSON Schema: what a model answers that has to fill in a form.

The same schema and words have the same value always. Every declared property
is filled in, unless a schema that contains itself has to end there: it is not
entered again where anything else will do. What is left out: what a schema
means. `schemas.py` knows, and each value is tried there before it is given.

>>> form = {"properties": {"city": {"type": "string"}, "days": {"minimum": 3}}}
>>> instance(form, ["Paris"])
{'city': 'Paris', 'days': 3}
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import reduce
from itertools import chain, count, islice, takewhile
from typing import Any

from rawllm.testing import patterns
from rawllm.testing.formats import FORMATS
from rawllm.testing.schemas import Part, exact, fault, read, same
from rawllm.testing.ways import Way, expanded, joined

#: So many values of a type are tried for one place, and so many for all places.
MOST_OF_A_TYPE, MOST_TRIED = 250, 20_000

#: After so many places the rest gets only what it must have, and null where it may.
MANY_PLACES = 1_000

#: No text is longer, and nothing has more items.
MOST_CHARACTERS, MOST_ITEMS = 100_000, 1_000

_NOTHING = object()


def instance(schema: Any, words: Iterable[str] = ()) -> Any:
    """A JSON value that satisfies `schema`.

    A `const`, an `enum`, a `default` and `examples` are followed. Where any
    text would do it is the next of `words`, else the property's own name.
    Raises `ValueError`, which names the place, for what is no schema, for
    what is not supported, and where no value was found.
    """
    try:
        whole = read(schema)
        return next(_Maker(words).values([whole], "text", (whole.place,)))
    except RecursionError:
        raise ValueError("the schema: is nested too deep, or refers to itself alone") from None


class _NothingError(ValueError):
    """No value can stand here: what need not be there is left out."""


# --- values -----------------------------------------------------------------


class _Maker:
    """Makes one value, all the way down. `words` are those that no text has yet."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = list(islice(words, MOST_ITEMS))
        self._places = 0
        self._tries = 0

    def values(self, parts: Sequence[Part], name: str, path: tuple[str, ...]) -> Iterator[Any]:
        """The values that satisfy all of `parts`, at least one, plain ones first.

        `path` are the places that were referred to on the way here. Raises
        `ValueError` where no value is found.
        """
        self._places += 1
        for part in parts:
            if not expanded(part, path):
                raise _NothingError(f"{part.named()}: is false, or contains itself without end")
        ways = sorted(
            joined(expanded(part, path) for part in parts),
            key=lambda way: way.is_null() == (self._places < MANY_PLACES),
        )
        ways.sort(key=lambda way: max(map(path.count, way.entered), default=0))
        wrong: list[ValueError] = []
        found = False
        for way in ways:
            for value in self._fitting(way, parts, name, path, wrong):
                found = True
                yield value
        if not found:
            raise wrong[0]

    def _fitting(
        self,
        way: Way,
        parts: Sequence[Part],
        name: str,
        path: tuple[str, ...],
        wrong: list[ValueError],
    ) -> Iterator[Any]:
        """Of the values that are tried those that fit. What is `wrong` with others is noted."""
        words = list(self._words)
        try:
            for value in self._tried(way, name, (*path, *sorted(way.entered))):
                self._tries += 1
                if self._tries > MOST_TRIED:
                    raise ValueError(f"the schema: no value was found in {MOST_TRIED} tries")
                place = next(filter(None, (fault(value, part) for part in parts)), None)
                if place is None:
                    if value in self._words:
                        self._words.remove(value)
                    yield value
                    words = list(self._words)
                else:
                    wrong.append(
                        ValueError(f"{place}: no value was found that satisfies this and the rest")
                    )
                    self._words = list(words)
        except ValueError as error:
            wrong.append(error)
            self._words = words

    def _tried(self, way: Way, name: str, path: tuple[str, ...]) -> Iterator[Any]:
        """Values that may fit, the likeliest first."""
        fixed = [[value] for value in way.all("const")] + way.all("enum")
        if fixed:
            yield from sorted(fixed[0], key=lambda value: value is None)
            return
        # A default of null says that nothing need be given; here something is.
        yield from (value for value in way.all("default") if value is not None)
        for examples in way.all("examples"):
            yield from examples if isinstance(examples, list) else ()
        make: dict[str, Callable[[], Iterable[Any]]] = {
            "string": lambda: self._strings(way, name),
            "object": lambda: self._objects(way, path),
            "array": lambda: self._arrays(way, name, path),
            "integer": lambda: _numbers(way, whole=True),
            "number": lambda: _numbers(way, whole=False),
            "boolean": lambda: (True, False),
            "null": lambda: (None,),
        }
        nothing: list[_NothingError] = []
        again = any(path.count(place) > 1 for place in way.entered)
        ending = bool(way.all("type")) and (again or self._places >= MANY_PLACES)
        for kind in sorted(way.types(), key=lambda kind: (kind == "null") is not ending):
            try:
                yield from islice(make[kind](), MOST_OF_A_TYPE)
            except _NothingError as error:  # noqa: PERF203  # another kind may have some
                nothing.append(error)
        for first in nothing[:1]:
            raise first

    def _strings(self, way: Way, name: str) -> Iterator[str]:
        least = way.least("minLength", MOST_CHARACTERS)
        formats = [FORMATS[known] for known in way.all("format") if known in FORMATS]
        for form in formats:
            yield from map(form.example, range(1, 29))
        if not formats:
            yield from [*self._words, name]
        for pattern in way.all("pattern"):
            yield from patterns.texts(pattern, least)
        most = min(way.all("maxLength"), default=MOST_CHARACTERS)
        yield from (_fitted(name, "" if n == 1 else str(n), least, most) for n in count(1))

    def _objects(self, way: Way, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        needed = way.names("required")
        names = list(dict.fromkeys(way.names("properties") + needed))
        if self._places < MANY_PLACES:
            spare = min(way.all("maxProperties"), default=len(names)) - len(needed)
            optional = [name for name in names if name not in needed][: max(0, spare)]
            wanted = [name for name in names if name in needed or name in optional]
            yield from islice(self._filled(way, wanted, path), MOST_OF_A_TYPE // 2)
        yield from self._filled(way, [name for name in names if name in needed], path)

    def _filled(
        self, way: Way, names: list[str], path: tuple[str, ...]
    ) -> Iterator[dict[str, Any]]:
        """Objects with properties of these names, and with as many more as there must be."""
        value: dict[str, Any] = {}
        columns: dict[str, Iterator[Any]] = {}
        needed, least = way.names("required"), way.least("minProperties", MOST_ITEMS)
        others = (name for name in map("key{}".format, count(1)) if name not in names)
        for name in chain(names, islice(others, max(0, least - len(names)))):
            parts = [inner for part in way.parts for inner in part.property(name)]
            column = self.values(parts, name or "text", path)
            item = _first(column, name in needed)
            if item is not _NOTHING:
                value[name], columns[name] = item, column
        while True:
            yield dict(value)
            items = ((name, next(column, _NOTHING)) for name, column in columns.items())
            changed = {name: item for name, item in items if item is not _NOTHING}
            if not changed:
                return
            value |= changed

    def _arrays(self, way: Way, name: str, path: tuple[str, ...]) -> Iterator[list[Any]]:
        contained = [part.at("contains") for part in way.parts if "contains" in part.schema]
        often = (way.least("minContains", MOST_ITEMS) or 1) if contained else 0
        least = max(way.least("minItems", MOST_ITEMS), often)
        given = max(often, *map(len, way.all("prefixItems")), 0)
        wanted = max(least, given or 1) if self._places < MANY_PLACES else least
        unique = any(way.all("uniqueItems"))
        items: list[Any] = []
        column: Iterator[Any] = iter(())
        for index in range(min([wanted, *way.all("maxItems")])):
            if index <= given or not unique:
                parts = [part.item(index) for part in way.parts]
                parts += contained if index < often else []
                column = self.values(parts, name, path)
                if unique:
                    column = (item for item in column if not any(same(item, one) for one in items))
            item = _first(column, index < least)
            if item is _NOTHING:
                break
            items.append(item)
        yield list(items)
        for item in column:
            yield [*items[:-1], item]


def _first(values: Iterator[Any], needed: bool) -> Any:
    """The first of `values`, `_NOTHING` where there is none and need not be."""
    try:
        return next(values, _NOTHING)
    except _NothingError:
        if needed:
            raise
        return _NOTHING


def _fitted(name: str, end: str, least: int, most: int) -> str:
    """The name, repeated or cut as must be, and an end that tells it from others."""
    start = name * (max(0, least - len(end) - 1) // len(name) + 1)
    return start[: max(len(name), least - len(end))][: max(0, most - len(end))] + end


def _numbers(way: Way, *, whole: bool) -> Iterator[float]:
    """The multiples of what must divide it from 1 up, then down, then what lies between."""
    lows = [*map(exact, way.all("minimum") + way.all("exclusiveMinimum"))]
    highs = [*map(exact, way.all("maximum") + way.all("exclusiveMaximum"))]
    steps = [*map(exact, way.all("multipleOf")), *([Fraction(1)] if whole else [])]
    step = reduce(_common_multiple, steps or [Fraction(1, 2)])
    low: Any = max(lows, default=-math.inf)
    high: Any = min(highs, default=math.inf)
    first = math.ceil(min(max(Fraction(1), low), high) / step)
    up = ((first + place) * step for place in range(MOST_OF_A_TYPE // 2))
    down = ((first - place) * step for place in count(1))
    yield from map(_number, takewhile(lambda value: value <= high, up))
    yield from map(_number, takewhile(lambda value: value >= low, down))
    if lows and highs:
        yield from (_number(low + (high - low) * place / 10) for place in (5, 0, 10, *range(10)))


def _common_multiple(one: Fraction, other: Fraction) -> Fraction:
    below = one.denominator * other.denominator
    return Fraction(
        math.lcm(one.numerator * other.denominator, other.numerator * one.denominator), below
    )


def _number(value: Fraction) -> float:
    return int(value) if value.denominator == 1 or abs(value) > 2**53 else float(value)
