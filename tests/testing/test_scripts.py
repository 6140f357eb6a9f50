"""Scripts: HTTP around a body, and what a request says of itself."""

from __future__ import annotations

import doctest

import pytest

from rawllm.testing import scripts
from rawllm.testing.scripts import End, Pause, Request, Script, bodiless, chunk, head, stream, whole

TEXT = {"Content-Type": "text/plain"}


def test_the_example() -> None:
    assert doctest.testmod(scripts) == (0, 1)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        pytest.param(200, b"HTTP/1.1 200 OK", id="known"),
        pytest.param(529, b"HTTP/1.1 529 ", id="of no registry: the blank stays"),
    ],
)
def test_a_head_has_a_status_line_its_headers_and_an_empty_line(status: int, line: bytes) -> None:
    assert head(status, TEXT) == line + b"\r\nContent-Type: text/plain\r\n\r\n"


def test_a_whole_answer_says_its_length_and_is_one_write() -> None:
    assert whole(404, TEXT, b"no\n") == [
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nno\n"
    ]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"


@pytest.mark.parametrize(
    ("steps", "played"),
    [
        pytest.param([], [HEAD], id="not at all"),
        pytest.param([b"a", End.RST], [HEAD, b"a", End.RST], id="cut"),
        pytest.param([Pause(1), b"abc"], [Pause(1), HEAD, b"abc"], id="after a pause"),
        pytest.param(
            [b"a", Pause(1), b"bc"], [HEAD, b"a", Pause(1), b"bc"], id="with a pause in it"
        ),
    ],
)
def test_a_whole_answers_body_may_be_played_otherwise(steps: Script, played: Script) -> None:
    assert whole(200, {}, b"abc", steps) == played


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("steps", "played"),
    [
        pytest.param([], [b"0\r\n\r\n"], id="nothing"),
        pytest.param([b"a" * 16], [b"10\r\n" + b"a" * 16 + b"\r\n", b"0\r\n\r\n"], id="bytes"),
        pytest.param([b"", b"a"], [b"1\r\na\r\n", b"0\r\n\r\n"], id="no bytes are no chunk"),
        pytest.param([Pause(1), b"a"], [Pause(1), chunk(b"a"), b"0\r\n\r\n"], id="a pause"),
        pytest.param([b"a", End.FIN, b"b"], [chunk(b"a"), End.FIN], id="an end: no last chunk"),
    ],
)
def test_a_stream_is_chunked(steps: Script, played: Script) -> None:
    assert stream(TEXT, steps) == [CHUNKED, *played]


def test_a_stream_may_end_with_its_connection() -> None:
    assert stream({}, [b"a", b"b"], "closing") == [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"a",
        b"b",
        End.FIN,
    ]


@pytest.mark.parametrize(
    ("script", "played"),
    [
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\nbody"], [b"HTTP/1.1 200 OK\r\n\r\n"], id="whole"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r", b"\n\r", Pause(9), b"\nbody", End.FIN],
            [b"HTTP/1.1 200 OK\r\n\r\n", End.FIN],
            id="in pieces",
        ),
        pytest.param([b"HTTP", End.RST], [b"HTTP", End.RST], id="cut in its head"),
    ],
)
def test_an_answer_without_its_body(script: Script, played: Script) -> None:
    assert bodiless(script) == played


# --- requests ---------------------------------------------------------------


def test_a_target_is_a_path_and_a_query() -> None:
    request = Request("GET", "/v1/models?limit=1&x=/", {}, b"")
    assert (request.path, request.query) == ("/v1/models", "limit=1&x=/")


def test_a_body_is_read_as_json() -> None:
    assert Request("POST", "/", {}, b'{"a":[1]}').json == {"a": [1]}
    with pytest.raises(ValueError, match="Expecting value"):
        _ = Request("GET", "/", {}, b"").json


@pytest.mark.parametrize(
    ("version", "header", "closes"),
    [
        pytest.param("HTTP/1.1", None, False, id="1.1"),
        pytest.param("HTTP/1.1", "keep-alive", False, id="1.1, told the default"),
        pytest.param("HTTP/1.1", "TE, Close", True, id="1.1, told to close"),
        pytest.param("HTTP/1.0", None, True, id="1.0"),
        pytest.param("HTTP/1.0", "keep-alive", True, id="1.0, asked for what it does not define"),
    ],
)
def test_a_request_says_whether_it_is_the_last(
    version: str, header: str | None, closes: bool
) -> None:
    headers = {} if header is None else {"connection": header}
    assert Request("GET", "/", headers, b"", version=version).closes is closes
