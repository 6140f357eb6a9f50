"""The lines of any body, wherever it is cut; and any JSON value on a line comes back."""

import json

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from rawllm.ndjson import Decoder, encode
from rawllm.objects import parse
from tests.fuzz import naive

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=300)

#: Bytes that mean something to the format, more often than chance would have it.
FORMAT = st.sampled_from([b"\n", b"\r", b"\r\n", b" ", b"\t", b'{"a":1}', b"\xc3", b"\x0b", b"x"])
STREAMS = st.lists(FORMAT, max_size=30).map(b"".join) | st.binary(max_size=60)


def decoded(pieces: list[bytes]) -> list[str]:
    decoder = Decoder()
    return [line for piece in pieces for line in decoder.feed(piece)] + decoder.end()


@st.composite
def cut(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """`stream` in any number of pieces, empty ones among them."""
    places = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    starts, ends = [0, *places], [*places, len(stream)]
    return [stream[start:end] for start, end in zip(starts, ends, strict=True)]


@EXAMPLES
@given(STREAMS, st.data())
def test_the_decoder_equals_a_naive_one(stream: bytes, data: st.DataObject) -> None:
    assert decoded(data.draw(cut(stream))) == naive.lines(stream)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@EXAMPLES
@given(st.lists(VALUES, max_size=6), st.booleans(), st.data())
def test_any_values_come_back(values: list[object], escaped: bool, data: st.DataObject) -> None:
    texts = [json.dumps(value, ensure_ascii=escaped) for value in values]
    stream = b"".join(encode(text) for text in texts)
    lines = decoded(data.draw(cut(stream)))
    assert lines == texts
    assert [parse(line) for line in lines] == values


@EXAMPLES
@given(STREAMS, st.integers(0, 20))
def test_no_line_is_longer_than_the_limit(stream: bytes, limit: int) -> None:
    decoder = Decoder(limit)
    too_long = max(map(len, stream.split(b"\n"))) > limit
    try:
        for at in range(len(stream)):
            decoder.feed(stream[at : at + 1])
    except ValueError:
        assert too_long
    else:
        assert not too_long
