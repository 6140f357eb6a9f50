"""The formats of JSON Schema: for each, texts that have it and what tells them from others.

The test is for shape, not for meaning: it takes a 31st of February. A format
that is not in the table says nothing about a value, as the specification has
it. What is left out: which formats a schema asks for.

Specification: https://json-schema.org/draft/2020-12/json-schema-validation#section-7.3

>>> FORMATS["email"].example(1), FORMATS["email"].fits("not one")
('user1@example.com', False)
"""

import re
from typing import NamedTuple


class Format(NamedTuple):
    """How texts of a format look: `template` has a place for a number from 1 to 28."""

    template: str
    pattern: str

    def example(self, number: int) -> str:
        """A text of this format, another one for each number from 1 to 28."""
        return self.template.format(number)

    def fits(self, text: str) -> bool:
        """Whether `text` looks like one of this format."""
        return re.fullmatch(self.pattern, text, re.ASCII) is not None


_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HEX = "[0-9A-Fa-f]"
_BYTE = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"

FORMATS: dict[str, Format] = {
    "date": Format("2025-01-{:02}", _DAY),
    "time": Format("12:{:02}:00Z", _CLOCK),
    "date-time": Format("2025-01-{:02}T12:00:00Z", f"{_DAY}[Tt]{_CLOCK}"),
    "duration": Format(
        "P{}D", r"P(?=.)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?)"
    ),
    "email": Format("user{}@example.com", r"[^@\s]+@[^@\s]+"),
    "idn-email": Format("user{}@example.com", r"[^@\s]+@[^@\s]+"),
    "hostname": Format("host{}.example.com", rf"{_LABEL}(\.{_LABEL})*"),
    "idn-hostname": Format("host{}.example.com", r"[^\s@:/?#]+"),
    "ipv4": Format("192.0.2.{}", rf"{_BYTE}(\.{_BYTE}){{3}}"),
    "ipv6": Format("2001:db8::{}", r"(?=.*:.*:)[0-9A-Fa-f:]+(:\d+(\.\d+){3})?"),
    "uri": Format("https://example.com/{}", r"[A-Za-z][A-Za-z0-9+.-]*:\S*"),
    "iri": Format("https://example.com/{}", r"[A-Za-z][A-Za-z0-9+.-]*:\S*"),
    "uri-reference": Format("/path/{}", r"[^\s\\]*"),
    "iri-reference": Format("/path/{}", r"[^\s\\]*"),
    "uri-template": Format("/path/{}/{{id}}", r"([^\s{}]|\{[^{}]+\})*"),
    "uuid": Format(
        "00000000-0000-4000-8000-{:012}", rf"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
    ),
    "json-pointer": Format("/path/{}", r"(/([^~/]|~[01])*)*"),
    "relative-json-pointer": Format("{}/path", r"(0|[1-9]\d*)(#|(/([^~/]|~[01])*)*)"),
    "regex": Format("^text{}$", r".*"),
}
