"""The reference server's embeddings: texts that share words and letters are near.

A text's vector is the sum of a pseudo-random one for each of its words and
for each three letters in a row of them. What is left out: meaning. "Car" is
no nearer to "vehicle" than to "banana".

>>> cosine = lambda one, other: sum(map(operator.mul, embed(one), embed(other)))
>>> cosine("the black cats", "a black cat") > cosine("the black cats", "stock prices")
True
"""

import base64
import hashlib
import math
import operator
import re
import struct
from collections.abc import Iterator, Sequence

#: How long a vector is, unless asked for another length.
DIMENSIONS = 64

#: A word says more than its letters: it counts as often.
_WORD_WEIGHT = 3

_WORD = re.compile(r"\w+|[^\w\s]")


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """The vector of `text`, of length 1; its numbers are exact as float32 too.

    The same text has the same vector always and everywhere. Of fewer
    dimensions it is the beginning of the one of more, scaled. Raises
    `ValueError` for less than one dimension.
    """
    if dimensions < 1:
        raise ValueError(f"a vector has at least one dimension, not {dimensions}")
    features = list(_features(text.lower()))
    if len(features) % 2 == 0:
        # Each feature adds an odd number to each dimension. An odd number of
        # them never comes to zero, not even for a text without any.
        features.append("")
    # SHAKE gives any number of bytes; of the same feature they begin alike.
    rows = [
        hashlib.shake_128(feature.encode(errors="surrogatepass")).digest(dimensions)
        for feature in features
    ]
    sums = [2 * sum(column) - 255 * len(rows) for column in zip(*rows, strict=True)]
    length = math.sqrt(sum(map(operator.mul, sums, sums)))
    exact = _packed([value / length for value in sums])
    return list(struct.unpack(f"<{dimensions}f", exact))


def base64_of(vector: Sequence[float]) -> str:
    """`vector` as `encoding_format="base64"` has it: float32, little-endian, in base64."""
    return base64.b64encode(_packed(vector)).decode()


def _features(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        yield from [word] * _WORD_WEIGHT
        padded = f" {word} "
        yield from (padded[start : start + 3] for start in range(len(word)))


def _packed(vector: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(vector)}f", *vector)
