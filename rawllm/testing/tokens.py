"""The reference server's tokenizer: deterministic, reversible, and it looks like one.

A token is a word with the space before it, a piece of a long word, one other
character, or blanks. Its id is its bytes read as a number, behind a 1 that
keeps leading zeros, so that no vocabulary has to be stored. What is left out:
any likeness to the counts of a real model.

>>> split("Good morning, everyone!")
['Good', ' morni', 'ng', ',', ' every', 'one', '!']
>>> decode(encode("Good morning"))
'Good morning'
"""

import re
from collections.abc import Iterable, Iterator

#: The most bytes of a token. With them, ids stay under 2**49: JSON's numbers
#: are exact to 2**53 in every language.
MOST_BYTES = 6

#: A word, a character that is of none, or blanks up to the one that a word takes.
_UNIT = re.compile(r" ?\w+|[^\w\s]|(?:(?! \w)\s)+")


def split(text: str) -> list[str]:
    """The tokens of `text`, whose concatenation it is."""
    return [piece for unit in _UNIT.findall(text) for piece in _pieces(unit)]


def encode(text: str) -> list[int]:
    """The ids of the tokens of `text`."""
    return [int.from_bytes(b"\1" + _bytes(piece), "big") for piece in split(text)]


def decode(ids: Iterable[int]) -> str:
    """The text of these tokens. Raises `ValueError` for an id that is none's."""
    return "".join(map(_token, ids))


def read(ids: Iterable[int]) -> str:
    """The text of these tokens, of any tokenizer: an id that is none here is a word, "<9906>"."""
    return "".join(_token_or_word(number) for number in ids)


def count(text: str) -> int:
    """How many tokens `text` has."""
    return len(split(text))


def _pieces(unit: str) -> Iterator[str]:
    """`unit`, cut where it is too long, never inside a character."""
    data = _bytes(unit)
    start = 0
    while start < len(data):
        end = start + MOST_BYTES
        while end < len(data) and data[end] & 0xC0 == 0x80:  # a character goes on here
            end -= 1
        yield _text(data[start:end])
        start = end


def _token_or_word(number: int) -> str:
    try:
        return _token(number)
    except ValueError:
        return f"<{number}>"


def _token(number: int) -> str:
    try:
        data = number.to_bytes(1 + MOST_BYTES, "big").lstrip(b"\0")
        piece = _text(data[1:])
    except (AttributeError, OverflowError, UnicodeDecodeError):
        piece = ""
    if encode(piece) != [number]:
        raise ValueError(f"not the id of a token: {number!r}")
    return piece


# A str may hold a half of a surrogate pair, as JSON's "\ud83d" does.


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogatepass")
