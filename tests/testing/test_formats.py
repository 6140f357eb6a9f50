"""Formats: their own examples have them, and what looks otherwise has not."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import urllib.parse
import uuid
from collections.abc import Callable

import pytest

from rawllm.testing.formats import FORMATS

#: format: (texts that have it, texts that have not)
TEXTS: dict[str, tuple[list[str], list[str]]] = {
    "date": (["2025-12-31"], ["2025-13-01", "2025-12-32", "25-12-31", "2025-12-31T00:00:00Z", ""]),
    "time": (["00:00:00Z", "23:59:60.5+02:00"], ["24:00:00Z", "12:00:00", "12:00Z"]),
    "date-time": (["2025-12-31T23:59:59z"], ["2025-12-31", "2025-12-31 23:59:59Z"]),
    "duration": (["P1Y2M3DT4H5M6S", "P2W", "PT1S"], ["P", "PT", "1D", "P1S"]),
    "email": (["a@b"], ["a", "a@b@c", "a b@c", "@b"]),
    "idn-email": (["ä@ö"], ["ä"]),
    "hostname": (["localhost", "a-b.c1"], ["-a", "a-", "a..b", "ä", "a" * 64]),
    "idn-hostname": (["ä.de"], ["ä de", ""]),
    "ipv4": (["0.0.0.0", "255.255.255.255"], ["256.1.1.1", "1.1.1", "01.1.1.1"]),
    "ipv6": (["::1", "::ffff:1.2.3.4"], ["1", "1.2.3.4", "g::1"]),
    "uri": (["mailto:a@b", "http://x"], ["/x", "x", "http://x y", "1x:"]),
    "iri": (["http://ä"], ["ä"]),
    "uri-reference": (["", "../x?y#z"], ["a b", "a\\b"]),
    "iri-reference": (["ä"], ["ä ä"]),
    "uri-template": (["/{a}/{b}", ""], ["/{a", "/a}", "/{}"]),
    "uuid": (
        ["ABCDEFab-cdef-1234-5678-1234567890ab"],
        ["abcdefab", "0" * 36, "0" * 8 + "-0000" * 3 + "-" + "g" * 12],
    ),
    "json-pointer": (["", "/a~0b~1/"], ["a", "/~", "/~2"]),
    "relative-json-pointer": (["0", "1#", "2/a"], ["/a", "01", "-1"]),
    "regex": (["^a$", ""], ["a\nb"]),
}


@pytest.mark.parametrize(("name", "good", "bad"), [(n, *t) for n, t in TEXTS.items()], ids=TEXTS)
def test_a_format_is_told_from_others(name: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not FORMATS[name].fits(text)] == []
    assert [text for text in bad if FORMATS[name].fits(text)] == []


@pytest.mark.parametrize("name", FORMATS)
def test_its_examples_have_it_and_differ(name: str) -> None:
    examples = [FORMATS[name].example(number) for number in range(1, 29)]
    assert len(set(examples)) == 28
    assert all(map(FORMATS[name].fits, examples))


#: format: what the standard library reads it with
READERS: dict[str, Callable[[str], object]] = {
    "date": dt.date.fromisoformat,
    "time": lambda text: dt.time.fromisoformat(text.replace("Z", "+00:00")),
    "date-time": lambda text: dt.datetime.fromisoformat(text.replace("Z", "+00:00")),
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uuid": uuid.UUID,
    "uri": urllib.parse.urlsplit,
    "regex": re.compile,
}


@pytest.mark.parametrize(("name", "read"), READERS.items(), ids=READERS)
def test_its_examples_are_real(name: str, read: Callable[[str], object]) -> None:
    for number in range(1, 29):
        read(FORMATS[name].example(number))


def test_every_format_is_tried() -> None:
    assert [*TEXTS] == [*FORMATS]
