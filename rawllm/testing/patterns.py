r"""Texts that match a regular expression, for the usual ones.

Python's own parser takes the pattern apart; each part gives its shortest text,
then longer ones. What a text may be beside what stands around it (`(?=...)`,
`\b`) is not worked out: it is tried, and left out where the pattern does not
match after all.

>>> next(texts(r"^[A-Z]{3}-\d{2,4}$"))
'ABC-34'
"""

import importlib
import itertools
import re
import string
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

#: A text of more parts, or of more repetitions, is not written.
MOST_PARTS = 2_000

#: In so many variants characters follow in their order, in as many more not.
_PLAIN_TURNS = 8

#: What a class of characters is filled with, if it has some of these; else
#: with what it names; else with one of the others.
_COMMON = string.ascii_letters + string.digits + string.punctuation + " "
_OTHERS = "é\n\t"

#: Of each letter's class, `\d` and so on, the letter.
_CLASSES = {
    f"CATEGORY_{negation}{name}": letter
    for name, letters in {"DIGIT": "dD", "SPACE": "sS", "WORD": "wW"}.items()
    for negation, letter in zip(("", "NOT_"), letters, strict=True)
}

_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")


def texts(pattern: str, least: int = 0) -> Iterator[str]:
    """Texts that match `pattern`, each another one, short and plain ones first.

    `least` is how many characters are wanted: texts of that length are among
    them where the pattern has just one part to repeat. There is none if none
    is found. Raises `re.error` for what is not a regular expression.
    """
    parsed = _parser.parse(pattern)
    try:
        longer = least - len(_Writer(0, 0).all(parsed))
    except _UnwritableError:
        return
    tried = {""}
    for more, turn in itertools.product([0, longer, *range(1, 16)], range(2 * _PLAIN_TURNS)):
        text = _written(parsed, more, turn)
        if text not in tried and re.search(pattern, text):
            yield text
        tried.add(text)
    if re.search(pattern, ""):  # which says least
        yield ""


class _UnwritableError(Exception):
    """A pattern holds what no text is written for, or its text is too long."""


def _written(parsed: Any, more: int, turn: int) -> str:
    """One text for a parsed pattern, "" if it would be too long."""
    try:
        return _Writer(more, turn).all(parsed)
    except _UnwritableError:
        return ""


class _Writer:
    """Writes one text.

    `more` is how often things are repeated beyond the least; `turn` says
    which of several branches and characters are taken.
    """

    def __init__(self, more: int, turn: int) -> None:
        self._more = more
        self._turn = turn
        self._groups: dict[int | None, str] = {}
        self._picked = 0
        self._parts = 0

    def all(self, parts: Iterable[tuple[Any, Any]]) -> str:
        """What stands for `parts`, one after another."""
        return "".join(self._part(str(name), value) for name, value in parts)

    def _part(self, name: str, value: Any) -> str:
        self._count()
        write = _WRITE.get(name)
        if write is None:
            raise _UnwritableError(name)
        return write(self, value)

    def _count(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise _UnwritableError

    def pick(self, *items: tuple[Any, Any]) -> str:
        """A character of a class: the next one each time."""
        characters = _members(tuple((str(name), value) for name, value in items))
        if not characters:
            raise _UnwritableError
        leap = 1 if self._turn < _PLAIN_TURNS else 29  # which mixes letters, digits and signs
        place = (self._turn + self._picked) * leap
        self._picked += 1
        return characters[place % len(characters)]

    def repeat(self, value: tuple[int, int, Any]) -> str:
        """As often as must be, and `more`; what is not used up is for the parts inside."""
        least, most, parts = value
        outside = self._more
        times = max(least, min(least + outside, most))
        self._more = outside - (times - least)
        pieces = []
        for _ in range(times):
            self._count()
            pieces.append(self.all(parts))
        self._more = outside
        return "".join(pieces)

    def group(self, value: tuple[int | None, int, int, Any]) -> str:
        """A group, remembered by its number."""
        text = self._groups[value[0]] = self.all(value[-1])
        return text

    def branch(self, value: tuple[None, list[Any]]) -> str:
        """One of several, in turn."""
        branches = value[1]
        return self.all(branches[self._turn % len(branches)])

    def again(self, number: int) -> str:
        """What a group was."""
        return self._groups[number]


def _nothing(writer: _Writer, value: Any) -> str:
    """Of what has no width: whether it holds is seen when the text is tried."""
    del writer, value
    return ""


#: The parser's name of a part -> what is written for it.
_WRITE: dict[str, Callable[[_Writer, Any], str]] = {
    "LITERAL": lambda writer, code: chr(code),
    "NOT_LITERAL": lambda writer, code: writer.pick(("NEGATE", None), ("LITERAL", code)),
    "ANY": lambda writer, value: writer.pick(("NEGATE", None), ("LITERAL", ord("\n"))),
    "IN": lambda writer, items: writer.pick(*items),
    "MAX_REPEAT": _Writer.repeat,
    "MIN_REPEAT": _Writer.repeat,
    "POSSESSIVE_REPEAT": _Writer.repeat,
    "SUBPATTERN": _Writer.group,
    "ATOMIC_GROUP": _Writer.all,
    "BRANCH": _Writer.branch,
    "GROUPREF": _Writer.again,
    "AT": _nothing,
    "ASSERT": _nothing,
    "ASSERT_NOT": _nothing,
}


@lru_cache
def _members(items: tuple[tuple[str, Any], ...]) -> str:
    """Some of the characters of a class."""
    named = [value for name, value in items if name in ("LITERAL", "RANGE")]
    starts = [chr(value if isinstance(value, int) else value[0]) for value in named]
    for characters in (_COMMON, starts, _OTHERS):
        if members := [character for character in characters if _holds(items, character)]:
            return "".join(members)
    return ""


def _holds(items: tuple[tuple[str, Any], ...], character: str) -> bool:
    negated = items[0][0] == "NEGATE"
    return negated is not any(_is(name, value, character) for name, value in items[negated:])


def _is(name: str, value: Any, character: str) -> bool:
    if name == "CATEGORY":
        return re.match(rf"\{_CLASSES[str(value)]}", character) is not None
    least, most = value if name == "RANGE" else (value, value)
    return bool(least <= ord(character) <= most)
