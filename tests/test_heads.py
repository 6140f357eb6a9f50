"""Heads of answers: what is read from them, what is refused, and where the body ends."""

from __future__ import annotations

import time

import pytest

from rawllm.heads import Framing, Head, HeadError, check_start, framing, parsed

OK = b"HTTP/1.1 200 OK"


def said(**fields: str) -> Head:
    """A head of HTTP/1.1 with these fields, `_` standing for `-`."""
    return Head(11, 200, "OK", [(name.replace("_", "-"), text) for name, text in fields.items()])


# --- lines ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "version", "status", "reason"),
    [
        pytest.param(b"HTTP/1.1 200 OK", 11, 200, "OK", id="as most say it"),
        pytest.param(b"HTTP/1.0 404 Not Found", 10, 404, "Not Found", id="an older version"),
        pytest.param(b"HTTP/1.9 200 OK", 11, 200, "OK", id="a newer version"),
        pytest.param(b"HTTP/1.1 200", 11, 200, "", id="no reason"),
        pytest.param(b"HTTP/1.1 200 ", 11, 200, "", id="a blank for a reason"),
        pytest.param(b"HTTP/1.1  200 \t OK ", 11, 200, "OK", id="more blanks"),
        pytest.param(b"HTTP/1.1 200 X\xa0", 11, 200, "X\xa0", id="what Unicode calls a blank"),
        pytest.param(b"HTTP/1.1 599 \xdcberlast", 11, 599, "\xdcberlast", id="Latin-1"),
        pytest.param(b"HTTP/1.1 500 a\r\0b\0", 11, 500, "a  b", id="an odd reason"),
        pytest.param(b"HTTP/1.1 999 x", 11, 999, "x", id="a status of its own"),
    ],
)
def test_a_status_line_is_read(line: bytes, version: int, status: int, reason: str) -> None:
    assert parsed([line]) == Head(version, status, reason, [])


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"hello", "hello"),
        (b"", ""),
        (b"HTTP/2 200 OK", "HTTP/2 200 OK"),
        (b"HTTP/1.1 20 OK", "HTTP/1.1 20 OK"),
        (b"HTTP/1.1 099 OK", "HTTP/1.1 099 OK"),
        (b"HTTP/1.1 2000 OK", "HTTP/1.1 2000 OK"),
        (b"HTTP/1.1 200OK", "HTTP/1.1 200OK"),
        (b" HTTP/1.1 200 OK", " HTTP/1.1 200 OK"),
        (b"<!doctype html>" + b"\xe9" * 9_999, "<!doctype html>" + "\xe9" * 9_999),
    ],
)
def test_what_is_no_status_line_is_refused(line: bytes, shown: str) -> None:
    with pytest.raises(HeadError) as caught:
        parsed([line, b"Server: x"])
    assert str(caught.value) == f"no status line: {shown!r}"


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        pytest.param([b"Server: x"], [("Server", "x")], id="one"),
        pytest.param([b"A: 1", b"a: 2"], [("A", "1"), ("a", "2")], id="one name twice"),
        pytest.param([b"A:1"], [("A", "1")], id="without a blank"),
        pytest.param([b"A: \t b c\t "], [("A", "b c")], id="blanks around"),
        pytest.param([b"A:"], [("A", "")], id="nothing"),
        pytest.param([b"A:\xa0X\x85"], [("A", "\xa0X\x85")], id="what only Unicode calls blanks"),
        pytest.param([b"A:", b" \xa0X"], [("A", "\xa0X")], id="the same, folded"),
        pytest.param([b"A: b: c"], [("A", "b: c")], id="a colon within"),
        pytest.param([b"!~: b"], [("!~", "b")], id="odd letters in a name"),
        pytest.param([b"A: \xe9\xff"], [("A", "\xe9\xff")], id="Latin-1"),
        pytest.param([b"A: b", b" c", b"\td"], [("A", "b c d")], id="folded"),
        pytest.param([b"A: b", b" c: d"], [("A", "b c: d")], id="folded, with a colon"),
        pytest.param([b"A:", b"  b ", b"C: d"], [("A", "b"), ("C", "d")], id="folded from nothing"),
        pytest.param([b"A: b", b" "], [("A", "b")], id="folded, of a blank"),
        pytest.param([b"A: b\rB: c\0\r"], [("A", "b B: c")], id="control characters"),
        pytest.param([b": x", b"A: b", b":"], [("A", "b")], id="no name"),
    ],
)
def test_fields_are_read(lines: list[bytes], fields: list[tuple[str, str]]) -> None:
    assert parsed([OK, *lines]).fields == fields


LONG = "x" * 300 + "\xe9" * 300


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"no colon", "a line that is no header: 'no colon'"),
        (b"A B: c", "a line that is no header: 'A B: c'"),
        (b"A : c", "a line that is no header: 'A : c'"),
        (b"\x7f: c", "a line that is no header: '\\x7f: c'"),
        (b"\xe9: c", "a line that is no header: '\xe9: c'"),
        (b" A: c", "a line that is no header: ' A: c'"),
        (LONG.encode("latin-1"), f"a line that is no header: '{LONG}'"),
        (b"A\rB: c", "a line that is no header: 'A B: c'"),
        (b"\0: c", "a line that is no header: ' : c'"),
        (b"\x1b[2J", "a line that is no header: '\\x1b[2J'"),
    ],
)
def test_what_is_no_field_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(HeadError) as caught:
        parsed([OK, line, b"Content-Length: 5"])
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", ""),
        (b"H", ""),
        (b"HTTP", ""),
        (b"HTTP/2 oh", ""),
        (b"\r\n", "not HTTP/1: ''"),
        (b"HT\n", "not HTTP/1: 'HT'"),
        (b"http/1.1 200 OK", "not HTTP/1"),
        (b"SSH-2.0-x \r\nabc\nd", "not HTTP/1: 'SSH-2.0-x'"),
        (b"a key that is cut", "not HTTP/1"),
        (b"\x00\x00\x12\x04\n\x1b[2J", "not HTTP/1: '\\x12\\x04'"),
        (b"\x15\x03\x01\x00\n", "not HTTP/1 but TLS"),
        (b"\x15\x02\n", "not HTTP/1: '\\x15\\x02'"),
    ],
)
def test_what_is_not_http_is_told_by_its_first_bytes(data: bytes, why: str) -> None:
    if not why:
        check_start(data)
        return
    with pytest.raises(HeadError) as caught:
        check_start(data)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("status", "interim"), [(100, True), (101, False), (102, True), (199, True), (200, False)]
)
def test_an_interim_head_is_followed_by_another(status: int, interim: bool) -> None:
    assert parsed([b"HTTP/1.1 %d" % status]).is_interim is interim


def test_a_long_head_takes_no_longer_than_its_length() -> None:
    blanks = b"A: " + b" " * 65_000 + b"b" + b" " * 500
    begin = time.process_time()
    for _ in range(20):
        parsed([OK + blanks.removeprefix(b"A:"), *[blanks] * 10, *[b" " + blanks] * 10])
    assert time.process_time() - begin < 2


# --- the body that follows --------------------------------------------------

NONE_LEFT = Framing(chunked=False, length=0, closes=False)


@pytest.mark.parametrize("given", ["5", "05", " 5\t"])
def test_a_length_is_where_a_body_ends(given: str) -> None:
    assert framing(said(content_length=given), "POST") == Framing(False, 5, False)


@pytest.mark.parametrize("given", ["5, 5", " 5 ,\t5", "5,5,5"])
def test_a_length_that_is_said_more_than_once_is_the_last(given: str) -> None:
    assert framing(said(content_length=given), "POST") == Framing(False, 5, True)


def test_a_length_may_be_said_twice() -> None:
    head = Head(11, 200, "OK", [("Content-Length", "5"), ("CONTENT-LENGTH", "5")])
    assert framing(head, "POST") == Framing(False, 5, True)


def test_a_length_may_be_of_eighteen_digits() -> None:
    assert framing(said(content_length="9" * 18), "POST").length == 10**18 - 1


@pytest.mark.parametrize(
    "given",
    [
        *("-5", "+5", "abc", "1_0", "5.0", "5, 6", "5, 05", "5, ", ", ", "", "9" * 19, "\u00b2"),
        *("0x5", "5\x85", "\x1c5", "\xa05", "x" * 99 + ", y"),
    ],
)
def test_a_length_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(HeadError) as caught:
        framing(said(content_length=given), "POST")
    assert str(caught.value) == f"Content-Length: {given!r}"


def test_two_lengths_that_differ_are_none() -> None:
    head = Head(11, 200, "OK", [("Content-Length", "5"), ("Content-Length", "6")])
    with pytest.raises(HeadError, match=r"^Content-Length: '5, 6'$"):
        framing(head, "POST")


@pytest.mark.parametrize("given", ["chunked", "Chunked", "\tchunked "])
def test_a_body_of_chunks_ends_with_the_last(given: str) -> None:
    assert framing(said(transfer_encoding=given), "POST") == Framing(True, None, False)


@pytest.mark.parametrize(
    ("given", "length"),
    [
        ("chunked", "5"),
        ("chunked", "-1"),
        ("chunked", ""),
        ("chunked, chunked", None),
        ("identity, chunked", None),
        (",chunked", None),
    ],
)
def test_chunks_that_others_may_read_otherwise_are_the_last(given: str, length: str | None) -> None:
    more = {} if length is None else {"content_length": length}
    assert framing(said(transfer_encoding=given, **more), "POST") == Framing(True, None, True)


@pytest.mark.parametrize(
    "given",
    [
        *("gzip", "gzip, chunked", "chunked, gzip", "chunked;q=1", "\x0bchunked", "\xa0chunked"),
        *("\x1b[2J", "x" * 99),
    ],
)
def test_a_body_that_is_coded_otherwise_is_refused(given: str) -> None:
    with pytest.raises(HeadError) as caught:
        framing(said(transfer_encoding=given), "POST")
    assert str(caught.value) == f"Transfer-Encoding: {given!r}"


@pytest.mark.parametrize("given", ["identity", "", "Identity, identity"])
def test_a_body_that_is_not_coded_has_its_length(given: str) -> None:
    head = said(transfer_encoding=given, content_length="5")
    assert framing(head, "POST") == Framing(False, 5, True)  # others may think otherwise


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    assert framing(said(), "POST") == Framing(False, None, True)


@pytest.mark.parametrize(
    ("version", "wish", "closes"),
    [
        (11, "", False),
        (11, "keep-alive", False),
        (11, "Close", True),
        (11, "x, close", True),
        (11, "\xff  close", True),
        (11, "cl,ose", False),
        (10, "", True),
        (10, "close", True),
        (10, "x , Keep-Alive", False),
        (10, "close, keep-alive", True),
        (11, "close, keep-alive", True),
        (10, "\xff KEEP-ALIVE", False),
    ],
)
def test_a_connection_is_kept_as_its_server_says(version: int, wish: str, closes: bool) -> None:
    for name, text, framed in (
        ("Content-Length", "5", Framing(False, 5, closes)),
        ("Transfer-Encoding", "chunked", Framing(True, None, closes or version == 10)),
    ):
        head = Head(version, 200, "OK", [(name, text), ("CONNECTION", wish)])
        assert framing(head, "POST") == framed


@pytest.mark.parametrize(
    ("status", "method", "fields", "framed"),
    [
        pytest.param(200, "HEAD", {}, NONE_LEFT, id="HEAD"),
        pytest.param(200, "HEAD", {"content_length": "5"}, NONE_LEFT, id="HEAD with a length"),
        pytest.param(
            200, "HEAD", {"transfer_encoding": "chunked"}, NONE_LEFT, id="HEAD with chunks"
        ),
        pytest.param(
            200, "HEAD", {"connection": "close"}, Framing(False, 0, True), id="HEAD, closing"
        ),
        pytest.param(304, "GET", {"content_length": "5"}, Framing(False, 0, True), id="304"),
        pytest.param(204, "POST", {}, NONE_LEFT, id="204"),
        pytest.param(204, "POST", {"content_length": "0"}, NONE_LEFT, id="204 with no length"),
        pytest.param(204, "POST", {"connection": "close"}, Framing(False, 0, True), id="204, last"),
        pytest.param(
            204, "POST", {"content_length": "5"}, Framing(False, 0, True), id="204 with a body"
        ),
        pytest.param(
            204,
            "POST",
            {"transfer_encoding": "chunked"},
            Framing(False, 0, True),
            id="204 with chunks",
        ),
        pytest.param(
            204, "POST", {"content_length": "5, 0"}, Framing(False, 0, True), id="204 with lengths"
        ),
        *(
            pytest.param(status, method, fields, framed, id=f"{status} to {method} with {fields}")
            for status, method, framed in (
                (200, "HEAD", NONE_LEFT),
                (304, "GET", Framing(False, 0, True)),
                (101, "GET", Framing(False, 0, True)),
                (204, "POST", Framing(False, 0, True)),
            )
            for fields in ({"content_length": "-1"}, {"transfer_encoding": "gzip"})
        ),
        pytest.param(101, "POST", {}, Framing(False, 0, True), id="101"),
        pytest.param(
            101, "POST", {"connection": "upgrade"}, Framing(False, 0, True), id="101 with a wish"
        ),
    ],
)
def test_some_answers_have_no_body(
    status: int, method: str, fields: dict[str, str], framed: Framing
) -> None:
    assert framing(said(**fields)._replace(status=status), method) == framed
