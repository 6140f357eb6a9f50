"""Chunks of a body: told apart however they are cut, and nothing else taken for one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from rawllm.chunks import ChunkError, Chunks

MOST = 8192  # bytes of a line of a size, and of all trailers


def cuts(stream: bytes) -> Iterator[list[bytes]]:
    """`stream` whole, byte by byte, and in two pieces at every place."""
    yield [stream]
    yield [stream[at : at + 1] for at in range(len(stream))]
    yield from ([stream[:at], stream[at:]] for at in range(len(stream)))


def feed(chunks: Chunks, pieces: list[bytes]) -> bytes:
    body = b"".join(chunks.feed(piece) for piece in pieces)
    if chunks.fault:
        raise chunks.fault
    return body


BODIES = [
    pytest.param(b"5\r\nHello\r\n0\r\n\r\n", b"Hello", id="one chunk"),
    pytest.param(b"2\r\nHe\r\n3\r\nllo\r\n0\r\n\r\n", b"Hello", id="several chunks"),
    pytest.param(b"0\r\n\r\n", b"", id="no chunk"),
    pytest.param(b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789", id="a size in lower case"),
    pytest.param(b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", id="a size in upper case"),
    pytest.param(b"1f\r\n" + b"x" * 31 + b"\r\n0\r\n\r\n", b"x" * 31, id="a size of two digits"),
    pytest.param(b"000000000000005\r\nHello\r\n0\r\n\r\n", b"Hello", id="zeros before it"),
    pytest.param(b"5\r\nHello\r\n0000\r\n\r\n", b"Hello", id="a last size of zeros"),
    pytest.param(b"5;a=b\r\nHello\r\n0;c\r\n\r\n", b"Hello", id="extensions"),
    pytest.param(b'5 \t; a="b;0"\r\nHello\r\n0 \r\n\r\n', b"Hello", id="blanks"),
    pytest.param(b"5\nHello\n1\n!\n0\n\n", b"Hello!", id="line ends of LF alone"),
    pytest.param(b"5\nHello\r\n3\r\nabc\n0\r\n\n", b"Helloabc", id="line ends of both kinds"),
    pytest.param(b"5\r\nHello\r\n0\r\nA: b\r\nC:\r\n\r\n", b"Hello", id="trailers"),
    pytest.param(b"5\r\nHello\r\n0\r\n0\r\n5\r\n\r\n", b"Hello", id="trailers like sizes"),
    pytest.param(b"6\r\n\r\n0\r\n\r\r\n0\r\n\r\n", b"\r\n0\r\n\r", id="line ends within a chunk"),
]


@pytest.mark.parametrize(("stream", "body"), BODIES)
def test_chunks_are_told_apart_wherever_they_are_cut(stream: bytes, body: bytes) -> None:
    for pieces in cuts(stream):
        chunks = Chunks()
        assert chunks.over is False
        assert feed(chunks, pieces) == body
        assert chunks.over is True
        assert chunks.rest == b""


@pytest.mark.parametrize(("stream", "body"), BODIES)
def test_a_body_that_is_cut_is_never_over(stream: bytes, body: bytes) -> None:
    for at in range(len(stream)):
        chunks = Chunks()
        said = chunks.feed(stream[:at])
        assert body.startswith(said)
        assert chunks.over is False


def test_several_chunks_come_of_one_read_and_each_as_soon_as_it_does() -> None:
    chunks = Chunks()
    assert chunks.feed(b"1\r\na\r\n1\r\nb\r\n3\r\nc") == b"abc"
    assert chunks.left == 2
    assert chunks.feed(b"d") == b"d"
    assert chunks.left == 1
    assert chunks.feed(b"") == b""
    assert chunks.feed(b"e") == b"e"
    assert chunks.left == 0


def test_what_follows_the_end_is_no_part_of_the_body() -> None:
    stream = b"1\r\na\r\n0\r\nA: b\r\n\r\n"
    for pieces in cuts(stream + b"1\r\nb\r\n"):
        chunks = Chunks()
        assert feed(chunks, pieces) == b"a"
        assert chunks.over
        assert chunks.rest == b"1\r\nb\r\n"


NO_NUMBERS = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"zz", id="letters"),
    pytest.param(b"0x5", id="0x"),
    pytest.param(b"+5", id="plus"),
    pytest.param(b"-5", id="minus"),
    pytest.param(b"1_0", id="an underscore"),
    pytest.param(b" 5", id="a blank before it"),
    pytest.param(b"5 5", id="two numbers"),
    pytest.param(b"5.0", id="a point"),
    pytest.param(b"5,a=b", id="a comma"),
    pytest.param(b"\r5", id="CR before it"),
    pytest.param(b"5\r", id="CR twice"),
    pytest.param(b";a", id="an extension alone"),
    pytest.param("٥".encode(), id="a digit that is not ASCII"),
    pytest.param(b"0000000000000005", id="16 digits"),
    pytest.param(b"HTTP/1.1 200 OK", id="an answer"),
]


@pytest.mark.parametrize("size", NO_NUMBERS)
@pytest.mark.parametrize("start", [b"", b"1\r\na\r\n"], ids=["first", "second"])
def test_a_size_that_is_no_number_is_refused(size: bytes, start: bytes) -> None:
    for pieces in cuts(start + size + b"\r\nHello"):
        with pytest.raises(ChunkError, match=r"^a chunk without a size$"):
            feed(Chunks(), pieces)


LONGER = [
    pytest.param(b"Hello, too", id="more of it"),
    pytest.param(b"Hello0\r\n\r\n", id="no line end"),
    pytest.param(b"Hello\rX", id="half a line end"),
    pytest.param(b"Hello\r\r\n", id="CR twice"),
    pytest.param(b"Hello \r\n", id="a blank"),
]


@pytest.mark.parametrize("after", LONGER)
def test_a_chunk_that_is_longer_than_its_size_is_refused_at_once(after: bytes) -> None:
    for pieces in cuts(b"5\r\n" + after):
        with pytest.raises(ChunkError, match=r"^a chunk that is longer than its size$"):
            feed(Chunks(), pieces)


def test_what_came_before_a_fault_is_the_bodys_and_nothing_after_it_is() -> None:
    for fault in b"1\r\nax", b"1\r\na\r\nx\r\n", b"1\r\na\r\n" + b"5" * (MOST + 1):
        for pieces in ([fault, b"\r\n1\r\nb\r\n"], [fault + b"\r\n1\r\nb\r\n0\r\n\r\n"]):
            chunks = Chunks()
            assert chunks.fault is None
            assert b"".join(map(chunks.feed, pieces)) == b"a"
            assert isinstance(chunks.fault, ValueError)
            assert not chunks.over
            assert chunks.rest == b""


ENDLESS = "^a line of a chunked body without an end$"


@pytest.mark.parametrize(
    ("start", "line"),
    [
        pytest.param(b"", b"5;" + b"x" * (MOST - 4) + b"\r\n", id="an extension"),
        pytest.param(b"", b"5" + b" " * (MOST - 2) + b"\n", id="blanks"),
        pytest.param(b"0\r\n", b"A: " + b"b" * (MOST - 7) + b"\r\n\r\n", id="a trailer"),
        pytest.param(b"0\r\n", b"A:b\n" * (MOST // 4 - 1) + b"A:\n\n", id="trailers"),
    ],
)
def test_lines_may_be_so_long_and_no_longer(start: bytes, line: bytes) -> None:
    assert len(line) == MOST
    halves = [start + line[: MOST // 2], line[MOST // 2 :]]
    for pieces in [start + line], halves, [start, *(line[at : at + 1] for at in range(MOST))]:
        feed(Chunks(), pieces)
    for longer in line[:2] + b" " + line[2:], line[:2] + b"x" * 70_000 + line[2:]:
        for pieces in [start + longer], [start + longer[:MOST], longer[MOST:]]:
            with pytest.raises(ValueError, match=r"^a (line|chunk) .*without "):
                feed(Chunks(), pieces)


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    for start in b"", b"0\r\n":
        chunks = Chunks()
        chunks.feed(start + b"0" * MOST)
        with pytest.raises(ValueError, match=ENDLESS):
            feed(chunks, [b"0"])


def one_chunk_byte_by_byte(size: int) -> None:
    chunks = Chunks()
    chunks.feed(b"fffffff\r\n")
    for _ in range(size):
        chunks.feed(b"x")


def chunks_byte_by_byte(size: int) -> None:
    chunks = Chunks()
    for _ in range(size // 6):
        for byte in b"1", b"\r", b"\n", b"x", b"\r", b"\n":
            chunks.feed(byte)


def many_chunks_at_once(size: int) -> None:
    assert len(Chunks().feed(b"1\r\nx\r\n" * (size // 6))) == size // 6


@pytest.mark.parametrize("tell", [one_chunk_byte_by_byte, chunks_byte_by_byte, many_chunks_at_once])
def test_time_is_linear_in_the_bytes(tell: Callable[[int], None]) -> None:
    def seconds(size: int) -> float:
        def once() -> float:
            start = time.process_time()
            tell(size)
            return time.process_time() - start

        return min(once() for _ in range(3))

    # Eight times the bytes: eight times the time, where the square would be 64.
    assert seconds(1 << 17) < 24 * seconds(1 << 14)
