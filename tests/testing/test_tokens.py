"""The tokenizer: nothing is lost, and every token is small."""

from __future__ import annotations

import time

import pytest

from rawllm.testing import tokens

#: name: (text, its tokens)
SPLIT: dict[str, tuple[str, list[str]]] = {
    "nothing": ("", []),
    "one word": ("Hello", ["Hello"]),
    "a word takes the space before it": ("Hello world", ["Hello", " world"]),
    "punctuation stands alone": ("Hi, you!", ["Hi", ",", " you", "!"]),
    "a long word is cut": ("extraordinary", ["extrao", "rdinar", "y"]),
    "its space counts": (" morning", [" morni", "ng"]),
    "JSON": ('{"city": "Paris"}', ["{", '"', "city", '"', ":", " ", '"', "Paris", '"', "}"]),
    "digits and underscores are of a word": ("get_1", ["get_1"]),
    "blanks, but the last is the word's": ("a \n  b", ["a", " \n ", " b"]),
    "only a space is the word's": ("a\tb", ["a", "\t", "b"]),
    "blanks at the end": ("a  ", ["a", "  "]),
    "many blanks are cut": ("\n" * 7, ["\n" * 6, "\n"]),
    "an emoji is one": ("ok 😀!", ["ok", " ", "😀", "!"]),
    "each of two emojis": ("😀🎉", ["😀", "🎉"]),
    "umlauts are cut between characters": ("Größenwahn", ["Größ", "enwahn"]),
    "characters of three bytes go in pairs": ("東京タワー", ["東京", "タワ", "ー"]),
    "letters of four bytes stand alone": ("𝒜𝒷", ["𝒜", "𝒷"]),
    "a letter of four bytes with its space": (" 𝒜𝒷", [" 𝒜", "𝒷"]),
    "a cut before four bytes": ("abc𝒜", ["abc", "𝒜"]),
    "wide blanks": ("\u3000\u3000\u3000", ["\u3000\u3000", "\u3000"]),
    "half of a surrogate pair": ("\ud83d!", ["\ud83d", "!"]),
    "both halves": ("\ud83d\ude00", ["\ud83d", "\ude00"]),
    "NUL": ("\0a", ["\0", "a"]),
}


@pytest.mark.parametrize(("text", "pieces"), SPLIT.values(), ids=SPLIT)
def test_text_is_split(text: str, pieces: list[str]) -> None:
    assert tokens.split(text) == pieces


@pytest.mark.parametrize(("text", "pieces"), SPLIT.values(), ids=SPLIT)
def test_each_token_has_an_id_of_its_own_that_stands_for_it(text: str, pieces: list[str]) -> None:
    ids = tokens.encode(text)
    assert [tokens.decode([number]) for number in ids] == pieces
    assert tokens.decode(ids) == text
    assert tokens.count(text) == len(ids) == len(pieces)


def test_a_text_without_blanks_is_split_as_fast_as_words_are() -> None:
    text = "x" * 2_000_000
    start = time.process_time()
    words = tokens.split(" xxxxx" * 500_000)
    between = time.process_time()
    assert "".join(tokens.split(text)) == text
    assert len(words) == 500_000
    assert time.process_time() - between < 10 * (between - start)


# One character in 29, alone and in the middle of words.
EVERYTHING = " x".join(map(chr, range(0, 0x110000, 29)))


def test_every_character_survives() -> None:
    pieces = tokens.split(EVERYTHING)
    assert "".join(pieces) == EVERYTHING
    assert tokens.decode(tokens.encode(EVERYTHING)) == EVERYTHING
    assert max(len(piece.encode(errors="surrogatepass")) for piece in pieces) == 6


def test_ids_are_exact_in_json_of_every_language() -> None:
    ids = tokens.encode(EVERYTHING)
    assert min(ids) > 0
    assert max(ids) < 2**53


def test_ids_are_the_same_tomorrow() -> None:
    assert tokens.encode("Hi 😀") == [0x01_48_69, 0x01_20, 0x01_F0_9F_98_80]


#: name: what is the id of no token
STRANGERS: dict[str, object] = {
    "zero": 0,
    "one, which is no byte": 1,
    "negative": -0x01_48_69,
    "without the 1 in front": 0x48_69,
    "another number in front": 0x02_48_69,
    "too large": 1 << 56,
    "larger than an id": 1 << 53,
    "seven bytes": int.from_bytes(b"\1abcdefg", "big"),
    "not UTF-8": 0x01_FF,
    "half a character": 0x01_E6_9D,
    "two tokens": int.from_bytes(b"\1a b", "big"),
    "text": "Hi",
    "a fraction": 1.5,
    "nothing": None,
}


@pytest.mark.parametrize("number", STRANGERS.values(), ids=STRANGERS)
def test_an_id_that_is_of_no_token_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="not the id of a token"):
        tokens.decode([*tokens.encode("Hi"), number])


@pytest.mark.parametrize("number", STRANGERS.values(), ids=STRANGERS)
def test_an_id_of_another_tokenizer_is_read_as_a_word(number: int) -> None:
    assert tokens.read([*tokens.encode("Hi"), number, number]) == f"Hi<{number}><{number}>"
