"""Texts for regular expressions: they match, and they are as plain as can be."""

from __future__ import annotations

import itertools
import re
import sys

import pytest

from rawllm.testing.patterns import texts

#: name: (pattern, the first texts)
FIRST: dict[str, tuple[str, list[str]]] = {
    "letters in a row": (r"^[a-z]{3}$", ["abc", "bcd", "cde"]),
    "as few as may be": (r"^[A-Z]+$", ["A", "B", "C"]),
    "nothing comes last": (r"^a{0,2}$", ["a", "aa", ""]),
    "a plate": (r"^[A-Z]{1,3}-\d{2,4}$", ["A-12", "B-23", "C-34"]),
    "digits are ASCII": (r"^\d\D\w\W\s\S$", ["0bc$ f"]),
    "a literal": ("^v1\\.0$", ["v1.0"]),
    "unanchored": ("b", ["b"]),
    "one of several": ("^(?:red|green)$", ["red", "green"]),
    "one of several letters": ("^[xyz]$", ["x", "y", "z"]),
    "all but a letter": ("^[^a]$", ["b", "c"]),
    "all but a class": (r"^[^\W\d_]$", ["a", "b"]),
    "all but letters": ("^[^a-zA-Z0-9]$", ["!", '"']),
    "any": ("^.$", ["a", "b"]),
    "all but one line end": (r"^[^\n]$", ["a", "b"]),
    "a group again": (r"^([ab])-\1$", ["a-a", "b-b"]),
    "a named group": (r"^(?P<x>[ab])(?P=x)$", ["aa", "bb"]),
    "lazy": (r"^a+?b$", ["ab", "aab"]),
    "other letters": ("^[а-я]$", ["а"]),
    "another letter": ("^[ß]$", ["ß"]),
    "all but ASCII": ("^[^ -~]$", ["é", "\n", "\t"]),
    "flags": ("(?i)^abc$", ["abc"]),
    "an assertion that holds": ("^(?=a)(?!b)[ab]$", ["a"]),
    "a boundary": (r"^a\b.b$", ["a*b"]),
    "a password": (
        r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[@$!%*?&])[A-Za-z\d@$!%*?&]{8,}$",
        ["dG9vYkN@"],
    ),
    "what is optional comes and goes": (r"^-?\d$", ["0", "1"]),
    "what is optional is filled": (r"^(?:[a-z]{2,3})?$", ["ab"]),
    "nothing at all": ("^$", [""]),
    "nowhere": ("a^", []),
    "a character of none": (r"^[^\s\S]$", []),
    "a condition is not written": (r"^(a)?(?(1)b|c)$", []),
    "too long": ("^a{20000}$", []),
    "too many of nothing": ("^(?:){4000000000}a$", []),
}


@pytest.mark.parametrize(("pattern", "expected"), FIRST.values(), ids=FIRST)
def test_plain_texts_come_first(pattern: str, expected: list[str]) -> None:
    found = list(itertools.islice(texts(pattern), len(expected) or 1))
    assert found == expected


#: What tools ask for.
USUAL: dict[str, str] = {
    "a phone number": r"^(\([0-9]{3}\))?[0-9]{3}-[0-9]{4}$",
    "an address": r"^[\w.+-]+@[\w-]+\.[\w.-]+$",
    "a slug": r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
    "a version": r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[\w.]+)?$",
    "a time": r"^([01]?\d|2[0-3]):[0-5]\d$",
    "a colour": r"^#(?:[0-9a-fA-F]{3}){1,2}$",
    "an identifier": r"^[A-Za-z_][A-Za-z0-9_]{0,63}$",
    "a UUID": r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    "money": r"^\$?\d{1,3}(,\d{3})*(\.\d{2})?$",
    "a URL": r"^https?://[^\s/$.?#].[^\s]*$",
    "a path": r"^(/[^/\0]+)+/?$",
    "a decimal of pydantic": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$",
}


@pytest.mark.parametrize("pattern", USUAL.values(), ids=USUAL)
def test_usual_patterns_have_many_texts(pattern: str) -> None:
    found = list(texts(pattern))
    assert len(found) == len(set(found)) >= 10
    assert all(re.search(pattern, text) for text in found)


#: name: (pattern, characters wanted)
LONG: dict[str, tuple[str, int]] = {
    "few": ("^[a-z]+$", 5),
    "many": ("^[a-z]*$", 300),
    "with a fixed end": (r"^[a-z]+@example\.com$", 40),
    "within what is optional": ("^(?:[a-z]{1,9})?$", 7),
    "within what is fixed": ("^(?:[a-z]+-){2}$", 12),
}


@pytest.mark.parametrize(("pattern", "least"), LONG.values(), ids=LONG)
def test_a_text_can_be_as_long_as_is_wanted(pattern: str, least: int) -> None:
    assert least in map(len, texts(pattern, least))


def test_texts_end_where_they_would_be_too_long() -> None:
    assert list(texts("^(a{800}){1,2}$")) == ["a" * 800]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has neither")
def test_atomic_groups_and_possessive_repeats_are_written() -> None:
    assert next(texts("^(?>ab)c++$")) == "abc"


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "(?<n>a)", "*"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(re.error):
        next(texts(pattern))
