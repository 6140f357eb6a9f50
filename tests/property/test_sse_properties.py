"""The decoder against a naive one, on any bytes, cut anywhere."""

import re

import pytest

pytest.importorskip("hypothesis")

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rawllm.sse import Decoder, Event, encode
from tests.fuzz import naive

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=300)


#: Bytes that mean something to the format, more often than chance would have it.
FIELDS = [b"data", b"event", b"id", b"retry", b":", b": ", b" "]
ENDS = [b"\r", b"\n", b"\r\n", b"\n\n"]
TRAPS = [b"\xef\xbb\xbf", b"\xef", b"\xbb\xbf", b"\0", b"\xe2\x80\xa8", b"\xff", b"x"]
LINES = [b"data: x\n\n", b"data: a\r\ndata: b\r\n\r\n", b"id: 1\n", b"event: e\r", b": ping\n\n"]
FORMAT = st.sampled_from([*FIELDS, *ENDS, *TRAPS, *LINES])
STREAMS = st.lists(FORMAT, max_size=30).map(b"".join) | st.binary(max_size=60)


@st.composite
def cut_streams(draw: st.DrawFn) -> list[bytes]:
    """A stream in any number of pieces, empty ones among them."""
    stream = draw(STREAMS)
    places = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    starts, ends = [0, *places], [*places, len(stream)]
    return [stream[start:end] for start, end in zip(starts, ends, strict=True)]


@EXAMPLES
@given(cut_streams())
@example([b"\xef", b"\xbb", b"\xbf", b"data: a\r", b"\n", b"\r", b"\n"])
def test_the_decoder_equals_a_naive_one(pieces: list[bytes]) -> None:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    assert events == naive.events(b"".join(pieces))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = TEXTS.map(lambda text: re.sub("[\r\n\0]", "", text))


@EXAMPLES
@given(
    st.builds(Event, st.lists(TEXTS).map("\n".join), NAMES.filter(bool), NAMES), st.integers(1, 50)
)
def test_what_is_encoded_decodes_to_the_same_event(event: Event, size: int) -> None:
    decoder = Decoder()
    stream = encode(event)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    events = [found for piece in pieces for found in decoder.feed(piece)]
    assert events == [event._replace(data=re.sub("\r\n?", "\n", event.data))]
    assert decoder.ignored == ""


@EXAMPLES
@given(STREAMS, st.integers(0, 40))
def test_no_event_is_longer_than_the_limit(stream: bytes, limit: int) -> None:
    decoder = Decoder(limit)
    try:
        events = [event for at in range(len(stream)) for event in decoder.feed(stream[at : at + 1])]
    except ValueError:
        return
    assert events == naive.events(stream)
    # An invalid byte is replaced by three.
    assert all(len(event.data.encode()) <= 3 * limit for event in events)
