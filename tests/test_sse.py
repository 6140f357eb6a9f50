"""The event stream: WHATWG's rules, wherever the network cuts the bytes."""

import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from rawllm.sse import Decoder, Event, EventTooLongError, encode


def cuts(stream: bytes) -> Iterator[list[bytes]]:
    """`stream` whole, byte by byte, and cut in two at every place."""
    yield [stream]
    yield [stream[at : at + 1] for at in range(len(stream))]
    yield from ([stream[:at], stream[at:]] for at in range(len(stream) + 1))


def feed(decoder: Decoder, pieces: Iterable[bytes]) -> list[Event]:
    return [event for piece in pieces for event in decoder.feed(piece)]


# --- vectors ----------------------------------------------------------------

VECTORS = [
    pytest.param(b"", [], id="nothing"),
    pytest.param(b"\n\n\r\n\r", [], id="blank lines"),
    pytest.param(b"data: one\n\n", [Event("one")], id="one event"),
    pytest.param(b"data: 1\n\ndata: 2\n\n", [Event("1"), Event("2")], id="two events"),
    # line ends
    pytest.param(b"data: a\rdata: b\r\r", [Event("a\nb")], id="CR"),
    pytest.param(b"data: a\r\ndata: b\r\n\r\n", [Event("a\nb")], id="CR LF"),
    pytest.param(b"data: a\r\n\ndata: b\n\r\n", [Event("a"), Event("b")], id="mixed ends"),
    pytest.param(b"data: a\n\rdata: b\r\r\n", [Event("a"), Event("b")], id="LF CR is two ends"),
    pytest.param(b"data: a\r\ndata: b\n\n", [Event("a\nb")], id="CR LF is one end"),
    pytest.param(b"\ndata: a\n\n", [Event("a")], id="LF first of all"),
    pytest.param(b"\r\ndata: a\n\n", [Event("a")], id="CR LF first of all"),
    pytest.param(b"data: XXXX\n\n", [Event("XXXX")], id="only ends are cut off"),
    pytest.param(
        "data: a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\n\n".encode(),
        [Event("a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg")],
        id="other separators are data",
    ),
    # byte order mark
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [Event("a")], id="BOM"),
    pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", [], id="only one BOM"),
    pytest.param(b"\n\xef\xbb\xbfdata: a\n\n", [], id="BOM on the second line"),
    pytest.param(
        b"data: a\n\n\xef\xbb\xbfdata: b\ndata: c\n\n", [Event("a"), Event("c")], id="BOM later"
    ),
    pytest.param(b"\xef\xbbdata: a\n\ndata: b\n\n", [Event("b")], id="half a BOM"),
    pytest.param(b"\xef\xbb\xbf\r\ndata: a\n\n", [Event("a")], id="BOM and a blank line"),
    # data
    pytest.param(b"data:a\n\n", [Event("a")], id="no space"),
    pytest.param(b"data:  a \n\n", [Event(" a ")], id="only one space goes"),
    pytest.param(b"data:\ta\n\n", [Event("\ta")], id="a tab stays"),
    pytest.param(b"data: a: b:c\n\n", [Event("a: b:c")], id="colons in the value"),
    pytest.param(b"data\n\n", [Event("")], id="data without colon"),
    pytest.param(b"data:\n\n", [Event("")], id="empty data"),
    pytest.param(b"data\ndata\n\ndata:\n", [Event("\n")], id="two lines of empty data"),
    pytest.param(b"data: a\ndata:\ndata: b\n\n", [Event("a\n\nb")], id="an empty line of data"),
    pytest.param(b"DATA: a\ndata : b\n data: c\n\n", [], id="names are exact"),
    pytest.param("data: hé 你好 🎉\n\n".encode(), [Event("hé 你好 🎉")], id="UTF-8"),
    pytest.param(
        b"data: \xff \xc3\ndata: \xe4\xbd\n\n",
        [Event("\ufffd \ufffd\n\ufffd")],
        id="invalid UTF-8 is replaced",
    ),
    pytest.param(b"data: a\0b\n\n", [Event("a\0b")], id="NUL in data"),
    # comments
    pytest.param(b":\n\n: ping\n\n:data: a\n\n", [], id="comments"),
    pytest.param(b"data: a\n: ping\ndata: b\n\n", [Event("a\nb")], id="comment within an event"),
    # event
    pytest.param(b"event: e\ndata: a\n\n", [Event("a", "e")], id="event type"),
    pytest.param(b"data: a\nevent:e\n\n", [Event("a", "e")], id="event type after the data"),
    pytest.param(b"event: d\nevent: e\ndata: a\n\n", [Event("a", "e")], id="last event type"),
    pytest.param(b"event: e\nevent\ndata: a\n\n", [Event("a", "message")], id="empty event type"),
    pytest.param(
        b"event: e\ndata: a\n\ndata: b\n\n",
        [Event("a", "e"), Event("b", "message")],
        id="event type is for one event",
    ),
    pytest.param(b"event: e\n\ndata: a\n\n", [Event("a")], id="event type without data is dropped"),
    # id
    pytest.param(
        b"id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\nid\ndata: d\n\n",
        [Event("a", id="1"), Event("b", id="1"), Event("c", id="2"), Event("d", id="")],
        id="id is for all events after",
    ),
    pytest.param(b"id: 1\n\ndata: a\n\n", [Event("a", id="1")], id="id without data is kept"),
    pytest.param(
        b"id: 1\nid: 2\x003\ndata: a\n\n", [Event("a", id="1")], id="id with NUL is ignored"
    ),
    # other fields
    pytest.param(b"error: e\nfoo\ndata: a\n\n", [Event("a")], id="unknown fields make no event"),
    pytest.param(b"retry: 10\n\n", [], id="retry makes no event"),
    # the end
    pytest.param(b"data: a\n\ndata: b", [Event("a")], id="half a line at the end"),
    pytest.param(b"data: a\n\ndata: b\n", [Event("a")], id="no blank line at the end"),
    pytest.param(b"data: a\n\ndata: b\r\n", [Event("a")], id="no blank line at a CR LF end"),
]


@pytest.mark.parametrize(("stream", "events"), VECTORS)
def test_events_are_the_same_wherever_the_bytes_are_cut(stream: bytes, events: list[Event]) -> None:
    for pieces in cuts(stream):
        assert feed(Decoder(), pieces) == events, pieces


def test_cr_lf_may_be_cut_anywhere_and_with_nothing_in_between() -> None:
    assert feed(Decoder(), [b"data: a\r", b"", b"\n", b"\r", b"", b"\n"]) == [Event("a")]


def test_an_event_comes_with_the_last_of_its_bytes() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\r") == []
    assert decoder.feed(b"\r") == [Event("a")]  # without waiting for an LF
    assert decoder.feed(b"\ndata: b\n") == []
    assert decoder.feed(b"\n") == [Event("b")]


def test_a_first_byte_that_begins_no_bom_is_not_held_back() -> None:
    decoder = Decoder()
    decoder.feed(b"a\n")
    assert decoder.ignored == "a"
    decoder = Decoder()
    decoder.feed(b"\xef\n")
    assert decoder.ignored == "\ufffd"


RETRIES = [
    pytest.param(b"retry: 1500\n", 1500, id="digits"),
    pytest.param(b"retry:0\n", 0, id="zero"),
    pytest.param(b"retry: 1\nretry: 2\n", 2, id="the last"),
    pytest.param(b"retry: 7\nretry: x\n", 7, id="what is no number changes nothing"),
    pytest.param(b"retry: 007\n", 7, id="leading zeros"),
    pytest.param(b"retry: 1_0\n", None, id="underscore"),
    pytest.param(b"retry: +5\n", None, id="plus"),
    pytest.param(b"retry: -5\n", None, id="minus"),
    pytest.param(b"retry: 5.0\n", None, id="point"),
    pytest.param(b"retry:  5\n", None, id="two spaces"),
    pytest.param(b"retry: 5 \n", None, id="space after"),
    pytest.param("retry: \u0661\u0662\n".encode(), None, id="Arabic digits"),
    pytest.param("retry: \u00b2\n".encode(), None, id="superscript"),
    pytest.param(b"retry\n", None, id="empty"),
    pytest.param(b"retry: 5", None, id="half a line"),
    pytest.param(b"retry: " + b"9" * 19 + b"\n", int("9" * 19), id="19 digits"),
    pytest.param(b"retry: " + b"9" * 20 + b"\n", None, id="20 digits are no time"),
    pytest.param(b"retry: " + b"9" * 5000 + b"\n", None, id="5000 digits are no int"),
]


@pytest.mark.parametrize(("stream", "retry"), RETRIES)
def test_retry_is_ascii_digits(stream: bytes, retry: int | None) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.retry == retry


@pytest.mark.parametrize(
    ("stream", "ignored"),
    [
        pytest.param(b"", "", id="none"),
        pytest.param(b'error: {"code":500}\n\n', 'error: {"code":500}', id="the line as it came"),
        pytest.param(b"error:x\r\nfoo: y\r\n", "foo: y", id="the last"),
        pytest.param(b"no field at all\n", "no field at all", id="without a colon"),
        pytest.param(b"foo: x\n: comment\ndata: y\n\n", "foo: x", id="a comment is none"),
        pytest.param(b"event: a\nid: b\nid: \0\nretry: c\ndata\n", "", id="known fields are not"),
        pytest.param(b"foo: x", "", id="half a line"),
    ],
)
def test_the_last_unknown_field_is_kept(stream: bytes, ignored: str) -> None:
    for pieces in cuts(stream):
        decoder = Decoder()
        feed(decoder, pieces)
        assert decoder.ignored == ignored, pieces


# --- the limit --------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "limit"),
    [
        pytest.param(b"data: abc\n", 10, id="one line"),
        pytest.param(b"data: abc", 9, id="half a line"),
        pytest.param(b"data: a\rdata: b\n\n", 17, id="all lines of one event"),
        pytest.param(b"data\n" * 8 + b"\n", 41, id="lines of empty data"),
        pytest.param("data: é\n".encode(), 9, id="bytes, not characters"),
        pytest.param(b"data: a\n: ping\n", 15, id="a comment while it is under way"),
        pytest.param(b": p\ndata: ab\n", 9, id="without a comment before it"),
        pytest.param(b"data: a\n\ndata: ab\n\n", 10, id="event by event"),
        pytest.param(b"\xef\xbb\xbfdata: a\n", 8, id="less the BOM"),
    ],
)
def test_an_event_may_be_as_long_as_the_limit_and_no_longer(stream: bytes, limit: int) -> None:
    for pieces in cuts(stream):
        feed(Decoder(limit), pieces)
        with pytest.raises(EventTooLongError, match=rf"^an event of more than {limit - 1} bytes$"):
            feed(Decoder(limit - 1), pieces)


def test_the_events_before_one_that_is_too_long_are_not_lost() -> None:
    stream = b"data: a\n\ndata: b\n\ndata: too long\n\ndata: c\n\n"
    for pieces in cuts(stream):
        decoder = Decoder(10)
        events: list[Event] = []
        with pytest.raises(EventTooLongError) as caught:
            events.extend(event for piece in pieces for event in decoder.feed(piece))
        assert events + caught.value.events == [Event("a"), Event("b")], pieces


def test_the_limit_is_an_attribute() -> None:
    assert Decoder(7).max_event_bytes == 7
    assert Decoder().max_event_bytes is None


def test_without_a_limit_an_event_may_be_long() -> None:
    assert Decoder().feed(b"data: " + b"x" * 1_000_000 + b"\n\n") == [Event("x" * 1_000_000)]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b": ping\n", id="comments"),
        pytest.param(b": ping\n\n", id="comments and blank lines"),
        pytest.param(b"\r\n", id="blank lines"),
        pytest.param(b"event: ping\n", id="event types"),
        pytest.param(b"id: 1\n", id="ids"),
        pytest.param(b"retry: 1\n", id="retries"),
        pytest.param(b"foo: 1\n", id="unknown fields"),
        pytest.param(b"data: 1\n\n", id="events"),
    ],
)
def test_what_is_not_kept_does_not_count(line: bytes) -> None:
    lines = line * 1000
    for pieces in ([lines], [line] * 1000, [lines[at : at + 1] for at in range(len(lines))]):
        decoder = Decoder(30)
        feed(decoder, pieces)
        decoder.feed(b"data: 12345678\n")
        feed(decoder, pieces)


# --- time -------------------------------------------------------------------


def one_line_byte_by_byte(size: int) -> None:
    decoder = Decoder(1 << 30)
    for _ in range(size):
        decoder.feed(b"x")


def one_event_line_by_line(size: int) -> None:
    decoder = Decoder(1 << 30)
    for _ in range(size // 8):
        decoder.feed(b"data: x\n")
    assert decoder.feed(b"\n")


def many_lines_at_once(size: int) -> None:
    assert len(Decoder(1 << 30).feed(b"data: x\n\n" * (size // 9))) == size // 9


@pytest.mark.parametrize(
    "decode", [one_line_byte_by_byte, one_event_line_by_line, many_lines_at_once]
)
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
    ("event", "stream"),
    [
        pytest.param(Event("a"), b"data: a\n\n", id="data"),
        pytest.param(Event(""), b"data: \n\n", id="empty data"),
        pytest.param(Event(" a"), b"data:  a\n\n", id="leading space"),
        pytest.param(Event("a\n\nb"), b"data: a\ndata: \ndata: b\n\n", id="lines"),
        pytest.param(Event("a\u2028b\u0085c"), b"data: a\xe2\x80\xa8b\xc2\x85c\n\n", id="U+2028"),
        pytest.param(Event("a\0b"), b"data: a\0b\n\n", id="NUL in data"),
        pytest.param(Event("a", "e"), b"event: e\ndata: a\n\n", id="name"),
        pytest.param(Event("a", "e", "1"), b"event: e\nid: 1\ndata: a\n\n", id="name and id"),
        pytest.param(Event("a", id=" é"), b"id:  \xc3\xa9\ndata: a\n\n", id="id"),
    ],
)
def test_what_is_encoded_decodes_to_the_same_event(event: Event, stream: bytes) -> None:
    assert encode(event) == stream
    for pieces in cuts(stream):
        assert feed(Decoder(), pieces) == [event]


@pytest.mark.parametrize("end", [pytest.param("\r", id="CR"), pytest.param("\r\n", id="CR LF")])
def test_every_line_end_in_data_arrives_as_lf(end: str) -> None:
    assert Decoder().feed(encode(Event(f"a{end}b{end}"))) == [Event("a\nb\n")]


@pytest.mark.parametrize("text", ["a\nb", "a\r", "\0"], ids=["LF", "CR", "NUL"])
@pytest.mark.parametrize("field", ["event", "id"])
def test_a_name_or_id_that_the_format_cannot_carry_is_refused(field: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"^an event's name and id hold no CR, LF or NUL: '"):
        encode(Event("a")._replace(**{field: text}))
