"""Embeddings: the same always, of length 1, and near where the texts are."""

from __future__ import annotations

import base64
import math
import operator
import struct
import subprocess
import sys
import time

import pytest

from rawllm.testing import vectors


def nearness(one: str, other: str, dimensions: int = 64) -> float:
    """The cosine of the angle between two texts' vectors, which are of length 1."""
    pair = vectors.embed(one, dimensions), vectors.embed(other, dimensions)
    return sum(map(operator.mul, *pair), 0.0)


#: name: (text, one nearer, one farther)
TRIPLES: dict[str, tuple[str, str, str]] = {
    "shared words": ("black cats", "a black cat", "stock prices"),
    "a question and its answer": (
        "What is the capital of France?",
        "Paris is the capital of France.",
        "How do I reset my password?",
    ),
    "a question in other words": (
        "How do I reset my password?",
        "I forgot my password and want to reset it",
        "What is the capital of France?",
    ),
    "one word differs": ("I love cats", "I love dogs", "Quarterly revenue fell"),
    "more words are shared": ("reset password", "reset my password", "reset the printer"),
    "a misspelled word": ("embedding", "embeding", "encyclopedia"),
    "another form of a word": ("painting", "painted", "sculpture"),
    "punctuation hardly counts": ("Hello!", "Hello", "Goodbye"),
    "German": ("Der Hund schläft im Garten", "Im Garten schläft ein Hund", "Die Aktie fällt"),
    "Japanese": ("東京タワーは高い", "東京タワー", "大阪城は古い"),
    "code": (
        "def add(a, b): return a + b",
        "def add(x, y): return x + y",
        "SELECT name FROM users",
    ),
}


@pytest.mark.parametrize("dimensions", [64, 256, 1536])
@pytest.mark.parametrize(("text", "nearer", "farther"), TRIPLES.values(), ids=TRIPLES)
def test_similar_texts_are_nearer(text: str, nearer: str, farther: str, dimensions: int) -> None:
    assert nearness(text, nearer, dimensions) > nearness(text, farther, dimensions) + 0.05


def test_capitals_and_the_order_of_words_make_no_difference() -> None:
    assert vectors.embed("The Dog bites") == vectors.embed("bites the dog")


#: name: a text that is unlike a sentence
ODD_TEXTS: dict[str, str] = {
    "nothing": "",
    "blanks": " \n\t",
    "a letter": "a",
    "punctuation": "?!",
    "an emoji": "😀",
    "half of a surrogate pair": "\ud83d",
    "NUL": "\0",
    "many words": "word " * 1000,
}


@pytest.mark.parametrize("dimensions", [1, 2, 64, 1000])
@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_every_text_has_a_vector_of_length_1(text: str, dimensions: int) -> None:
    vector = vectors.embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)


def test_different_texts_have_different_vectors() -> None:
    assert len({tuple(vectors.embed(text)) for text in ODD_TEXTS.values()}) == len(ODD_TEXTS) - 1
    assert vectors.embed("") == vectors.embed(" \n\t")  # blanks are no words


def test_a_vector_has_64_dimensions_unless_asked_for_others() -> None:
    assert len(vectors.embed("hello")) == vectors.DIMENSIONS == 64


def test_fewer_dimensions_are_the_beginning_of_more() -> None:
    few, many = vectors.embed("hello", 8), vectors.embed("hello", 64)
    scale = math.hypot(*many[:8])
    assert few == pytest.approx([value / scale for value in many[:8]], abs=1e-6)


@pytest.mark.parametrize("dimensions", [0, -1])
def test_a_vector_of_no_dimension_is_refused(dimensions: int) -> None:
    with pytest.raises(ValueError, match=f"at least one dimension, not {dimensions}"):
        vectors.embed("hello", dimensions)


def test_another_process_makes_the_same_vector() -> None:
    program = "from rawllm.testing.vectors import embed; print(embed('Good morning', 4))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(vectors.embed("Good morning", 4))


def test_both_encodings_hold_the_same_numbers() -> None:
    vector = vectors.embed("Good morning")
    data = base64.b64decode(vectors.base64_of(vector), validate=True)
    assert list(struct.unpack("<64f", data)) == vector


def test_base64_is_of_little_endian_floats() -> None:
    assert vectors.base64_of([1.0, -2.0]) == "AACAPwAAAMA="


def test_a_hundred_texts_take_no_time() -> None:
    start = time.process_time()
    for number in range(100):
        vectors.embed(f"The quick brown fox number {number} jumps over the lazy dog")
    assert time.process_time() - start < 0.1
