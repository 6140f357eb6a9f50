"""Lines of JSON: the same lines wherever the network cuts the bytes."""

import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from rawllm.ndjson import Decoder, LineTooLongError, encode


def cuts(stream: bytes) -> Iterator[list[bytes]]:
    """`stream` whole, byte by byte, and cut in two at every place."""
    yield [stream]
    yield [stream[at : at + 1] for at in range(len(stream))]
    yield from ([stream[:at], stream[at:]] for at in range(len(stream) + 1))


def feed(decoder: Decoder, pieces: Iterable[bytes]) -> list[str]:
    return [line for piece in pieces for line in decoder.feed(piece)]


#: (the stream, its lines, what `end` then gives)
VECTORS = [
    pytest.param(b"", [], [], id="nothing"),
    pytest.param(b'{"a":1}\n', ['{"a":1}'], [], id="one line"),
    pytest.param(b'{"a":1}\n[2]\n', ['{"a":1}', "[2]"], [], id="two lines"),
    pytest.param(b"1\r\n2\r\n", ["1", "2"], [], id="CR LF"),
    pytest.param(b"1\r2\n", ["1\r2"], [], id="CR is no end"),
    pytest.param(b"\n\n1\n\r\n \t\n2\n\n", ["1", "2"], [], id="blank lines"),
    pytest.param(b" \t1 2\t \n", ["1 2"], [], id="blanks around"),
    pytest.param(b"X1X\n", ["X1X"], [], id="only blanks go"),
    pytest.param(b"1\n2", ["1"], ["2"], id="the last without its end"),
    pytest.param(b"1", [], ["1"], id="one line without its end"),
    pytest.param(b"1\n2\r", ["1"], ["2"], id="the last with a CR"),
    pytest.param(b"1\n \r", ["1"], [], id="blanks at the end"),
    pytest.param(
        '"\u2028\u2029\u0085\x0b\x0c\x1c"\n'.encode(),
        ['"\u2028\u2029\u0085\x0b\x0c\x1c"'],
        [],
        id="other separators are data",
    ),
    pytest.param('"hé 你好 🎉"\n'.encode(), ['"hé 你好 🎉"'], [], id="UTF-8"),
    pytest.param(b'"\xff\xe4\xbd\n\xc3"', ['"\ufffd\ufffd'], ['\ufffd"'], id="invalid UTF-8"),
    pytest.param(b"\xef\xbb\xbf1\n", ["\ufeff1"], [], id="a byte order mark is not JSON"),
    pytest.param(b"no JSON\n{\n", ["no JSON", "{"], [], id="what is no JSON comes as well"),
]


@pytest.mark.parametrize(("stream", "lines", "last"), VECTORS)
def test_lines_are_the_same_wherever_the_bytes_are_cut(
    stream: bytes, lines: list[str], last: list[str]
) -> None:
    for pieces in cuts(stream):
        decoder = Decoder()
        assert feed(decoder, pieces) == lines, pieces
        assert decoder.end() == last, pieces


def test_a_line_comes_with_the_last_of_its_bytes() -> None:
    decoder = Decoder()
    assert decoder.feed(b"1") == []
    assert decoder.feed(b"") == []
    assert decoder.feed(b"2\n3") == ["12"]
    assert decoder.feed(b"\n") == ["3"]


# --- the limit --------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "limit"),
    [
        pytest.param(b"12345\n", 5, id="one line"),
        pytest.param(b"12345", 5, id="half a line"),
        pytest.param(b"1\n12345\n1\n", 5, id="one of several lines"),
        pytest.param(b"1\n12345", 5, id="half a line after another"),
        pytest.param("é\n".encode(), 2, id="bytes, not characters"),
        pytest.param(b"1    \n", 5, id="with the blanks around"),
        pytest.param(b"1\r\n", 2, id="with the CR"),
        pytest.param(b"\n     \n", 5, id="of blanks"),
    ],
)
def test_a_line_may_be_as_long_as_the_limit_and_no_longer(stream: bytes, limit: int) -> None:
    for pieces in cuts(stream):
        feed(Decoder(limit), pieces)
        with pytest.raises(LineTooLongError, match=rf"^a line of more than {limit - 1} bytes$"):
            feed(Decoder(limit - 1), pieces)


def test_the_limit_is_an_attribute() -> None:
    assert Decoder(7).max_line_bytes == 7
    assert Decoder().max_line_bytes is None


def test_without_a_limit_a_line_may_be_long() -> None:
    assert Decoder().feed(b"x" * 1_000_000 + b"\n") == ["x" * 1_000_000]


def test_lines_that_are_over_do_not_count() -> None:
    decoder = Decoder(10)
    for _ in range(1000):
        assert decoder.feed(b"1234567890\n12345") == ["1234567890"]
        assert decoder.feed(b"67890\n") == ["1234567890"]


# --- time -------------------------------------------------------------------


def one_line_byte_by_byte(size: int) -> None:
    decoder = Decoder(1 << 30)
    for _ in range(size):
        decoder.feed(b"x")


def many_lines_at_once(size: int) -> None:
    assert len(Decoder(1 << 30).feed(b"12345678\n" * (size // 9))) == size // 9


@pytest.mark.parametrize("decode", [one_line_byte_by_byte, many_lines_at_once])
def test_time_is_linear_in_the_bytes(decode: Callable[[int], None]) -> None:
    def seconds(size: int) -> float:
        def once() -> float:
            start = time.process_time()
            decode(size)
            return time.process_time() - start

        return min(once() for _ in range(3))

    # Eight times the bytes: eight times the time, where the square would be 64.
    assert seconds(1 << 17) < 24 * seconds(1 << 14)


# --- and back ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param('{"a": 1}', b'{"a": 1}\n', id="an object"),
        pytest.param('"é\u2028"', b'"\xc3\xa9\xe2\x80\xa8"\n', id="UTF-8"),
        pytest.param("[1,\r2]", b"[1,\r2]\n", id="a CR within"),
        pytest.param("0", b"0\n", id="a digit"),
        pytest.param("\x0b", b"\x0b\n", id="a separator that JSON knows as none"),
    ],
)
def test_what_is_encoded_decodes_to_the_same_text(text: str, line: bytes) -> None:
    assert encode(text) == line
    for pieces in cuts(line):
        assert feed(Decoder(), pieces) == [text]


def test_blanks_around_a_text_do_not_come_back() -> None:
    assert Decoder().feed(encode(" 1\t\r")) == ["1"]


@pytest.mark.parametrize("text", ["", " \t\r", "1\n", "\n", "[1,\n2]"])
def test_a_text_that_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a line holds one JSON value and no LF: '") as caught:
        encode(text)
    assert str(caught.value).endswith(repr(text))


def test_a_refused_text_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match=r": '" + "x" * 200 + "'$"):
        encode("x" * 300 + "\n")
