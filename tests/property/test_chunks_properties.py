"""The chunks of any body come back as that body, however it is chunked and cut."""

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from rawllm.chunks import Chunks

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=300)

#: Bytes that mean something to the format, more often than chance would have it.
BYTES = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"0", b"5", b";", b"x"])).map(b"".join)
BODIES = BYTES | st.binary(max_size=60)
LINE_ENDS = st.sampled_from([b"\r\n", b"\n"])
EXTENSIONS = st.sampled_from([b"", b" ", b";a", b';a="b"', b" ;\t0"])
TRAILERS = st.lists(st.sampled_from([b"A: b", b"0", b"x"]), max_size=3)


@st.composite
def chunked(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A body, and the same in chunks."""
    pieces = draw(st.lists(BODIES.filter(bool), max_size=6))
    stream = b""
    for piece in pieces:
        size = draw(st.sampled_from([b"%x", b"%X", b"%08x"])) % len(piece)
        stream += size + draw(EXTENSIONS) + draw(LINE_ENDS) + piece + draw(LINE_ENDS)
    stream += b"0" + draw(EXTENSIONS) + draw(LINE_ENDS)
    stream += b"".join(trailer + draw(LINE_ENDS) for trailer in draw(TRAILERS))
    return b"".join(pieces), stream + draw(LINE_ENDS)


@st.composite
def cut(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """`stream` in any number of pieces, empty ones among them."""
    places = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    starts, ends = [0, *places], [*places, len(stream)]
    return [stream[start:end] for start, end in zip(starts, ends, strict=True)]


@EXAMPLES
@given(chunked(), BODIES, st.data())
def test_chunks_come_back_as_their_body(
    coded: tuple[bytes, bytes], after: bytes, data: st.DataObject
) -> None:
    body, stream = coded
    chunks = Chunks()
    pieces = data.draw(cut(stream + after))
    assert b"".join(map(chunks.feed, pieces)) == body
    assert chunks.over
    assert chunks.fault is None
    assert chunks.rest == after


def outcome(pieces: list[bytes]) -> object:
    chunks = Chunks()
    body = b"".join(map(chunks.feed, pieces))
    return body, chunks.over, chunks.rest, chunks.fault is None


@EXAMPLES
@given(BYTES | st.binary(max_size=30), st.data())
def test_where_bytes_are_cut_changes_nothing(stream: bytes, data: st.DataObject) -> None:
    assert outcome(data.draw(cut(stream))) == outcome([stream])
