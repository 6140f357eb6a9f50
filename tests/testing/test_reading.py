"""Requests from bytes: what is read, and what is refused."""

from __future__ import annotations

import doctest
import io

import pytest

from rawllm.testing import reading
from rawllm.testing.reading import MOST_BODY, MOST_HEAD, UnreadableError, read

GET = b"GET /v1/models?x=1 HTTP/1.1\r\nHost: here\r\n\r\n"
POST = b"POST /v1/x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"


def test_the_example() -> None:
    assert doctest.testmod(reading, extraglobs={"io": io}) == (0, 2)


def test_a_request_is_read_whole() -> None:
    request = read(io.BytesIO(POST + GET))
    assert request is not None
    assert (request.method, request.target, request.version) == ("POST", "/v1/x", "HTTP/1.1")
    assert (request.headers, request.body, request.raw) == ({"content-length": "4"}, b"body", POST)


def test_requests_are_read_one_after_the_other() -> None:
    source = io.BytesIO(GET + POST + GET)
    found = [read(source) for _ in range(4)]
    assert [request and request.raw for request in found] == [GET, POST, GET, None]


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        pytest.param(b"", {}, id="none"),
        pytest.param(b"X-A: b c \t\r\n", {"x-a": "b c"}, id="blanks around a value"),
        pytest.param(b"a:b:c\r\n", {"a": "b:c"}, id="a colon in a value"),
        pytest.param(b"a:\r\n", {"a": ""}, id="an empty value"),
        pytest.param(b"a: 1\r\nb: 2\r\nA: 3\r\n", {"a": "1, 3", "b": "2"}, id="one comes twice"),
        pytest.param(b"a: \xfc\n", {"a": "ü"}, id="Latin-1, and a line that ends with LF alone"),
    ],
)
def test_headers(fields: bytes, headers: dict[str, str]) -> None:
    request = read(io.BytesIO(b"GET / HTTP/1.0\r\n" + fields + b"\r\n"))
    assert request is not None
    assert request.headers == headers
    assert request.version == "HTTP/1.0"


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        pytest.param(b"0\r\n\r\n", b"", id="empty"),
        pytest.param(b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789", id="two"),
        pytest.param(b"3 ;name=x\r\n\r\n\n\r\n000\r\n\r\n", b"\r\n\n", id="with an extension"),
        pytest.param(b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", b"a", id="with a trailer"),
    ],
)
def test_a_chunked_body(sent: bytes, body: bytes) -> None:
    request = read(io.BytesIO(CHUNKED + sent))
    assert request is not None
    assert request.body == body
    assert request.raw == CHUNKED + sent


@pytest.mark.parametrize("blank", [b"\r\n", b"\n"], ids=["CR LF", "LF"])
def test_an_empty_line_before_a_request_is_forgiven(blank: bytes) -> None:
    source = io.BytesIO(blank + GET + blank)
    request = read(source)
    assert request is not None
    assert request.target == "/v1/models?x=1"
    assert read(source) is None


def test_a_client_that_waits_for_it_is_told_to_proceed_before_its_body_is_read() -> None:
    body = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n"
    source = io.BytesIO(body)
    request = read(source, lambda: source.write(b"body") and source.seek(len(body)))
    assert request is not None
    assert request.body == b"body"


TOO_LONG = b"1" + b"0" * 5000

REFUSED = {
    # name: (status, what it says, bytes)
    "not HTTP": (400, "not a request line", b"\x16\x03\x01\n"),
    "two words": (400, "'GET /'", b"GET /\r\n\r\n"),
    "HTTP/2": (400, "not a request line of HTTP/1.1", b"PRI * HTTP/2.0\r\n\r\n"),
    "two empty lines": (400, "not a request line", b"\r\n\r\n" + GET),
    "no colon": (400, "not a header: 'Host'", b"GET / HTTP/1.1\r\nHost\r\n\r\n"),
    "a blank in a name": (400, "not a header", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    "a folded header": (400, "not a header", b"GET / HTTP/1.1\r\na: b\r\n c: d\r\n\r\n"),
    "a line too long": (431, "a head of more than 65536 bytes", b"GET /" + b"x" * MOST_HEAD),
    "a head too long": (431, "a head", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MOST_HEAD // 6)),
    "a word for a length": (400, "not a length: 'x'", POST.replace(b"4", b"x")),
    "no length": (400, "not a length: ''", POST.replace(b"4", b"")),
    "a negative length": (400, "not a length: '-4'", POST.replace(b"4", b"-4")),
    "what Python takes": (400, "not a length: '1_0'", POST.replace(b"4", b"1_0")),
    "what Unicode takes": (400, "not a length", POST.replace(b"4", b"\xb2")),
    "two lengths": (400, "not a length: '4, 4'", POST.replace(b"4", b"4\r\nContent-length:4")),
    "too much": (
        413,
        "a body of more than 104857600 bytes",
        POST.replace(b"4", b"%d" % (MOST_BODY + 1)),
    ),
    "a number too long": (413, "a body", POST.replace(b"4", TOO_LONG)),
    "another coding": (501, "not known here: 'gzip'", CHUNKED.replace(b"Chunked", b"gzip")),
    "a chunk of x": (400, "not a length: 'x'", CHUNKED + b"x\r\n"),
    "a negative chunk": (400, "not a length: '-1'", CHUNKED + b"-1\r\n"),
    "a chunk too large": (413, "a body", CHUNKED + b"%x\r\n" % (MOST_BODY - 8)),
    "a longer chunk": (400, "longer than it says", CHUNKED + b"1\r\nabc\r\n"),
}


@pytest.mark.parametrize(("status", "words", "sent"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused(status: int, words: str, sent: bytes) -> None:
    with pytest.raises(UnreadableError, match=words) as caught:
        read(io.BytesIO(sent))
    assert caught.value.status == status
    assert len(str(caught.value)) < 200


def test_a_head_may_just_be_so_long() -> None:
    start, end = b"GET / HTTP/1.1\r\na: ", b"\r\n\r\n"
    head = start + b"x" * (MOST_HEAD - len(start + end)) + end
    request = read(io.BytesIO(head))
    assert request is not None
    assert len(request.raw) == MOST_HEAD


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(POST, id="with a length"),
        pytest.param(CHUNKED + b"3;x\r\nabc\r\n0\r\na: b\r\n\r\n", id="chunked"),
    ],
)
def test_cut_at_every_byte_no_request_passes_for_whole(sent: bytes) -> None:
    assert read(io.BytesIO(b"")) is None
    for at in range(1, len(sent)):
        with pytest.raises(EOFError):
            read(io.BytesIO(sent[:at]))
