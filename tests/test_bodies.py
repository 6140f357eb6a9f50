"""Bodies of every framing: what comes of them, and of their connection afterwards."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import urllib3

import rawllm
from rawllm.bodies import Body, body_of
from tests import servers
from tests.servers import (
    AUTHORITY,
    CHAT,
    EVENTS,
    LAST_CHUNK,
    PATIENCE,
    STREAM_HEAD,
    End,
    Script,
    Server,
    answer,
    chunk,
    event,
    head,
    stream,
)

JSON = json.dumps(CHAT).encode()
CHUNKED = head(transfer_encoding="chunked")
GZIP = gzip.compress(JSON)


@contextmanager
def serve(*scripts: Script | bytes, tls: bool = False) -> Iterator[tuple[Server, Any]]:
    """A server, and what asks it: closed before it, or it would wait for TLS to end."""
    with servers.serve(*scripts, tls=tls) as server:
        trust = {"ca_certs": AUTHORITY} if tls else {}
        with urllib3.connection_from_url(server.url, **trust) as pool:
            yield server, pool


def ask(pool: Any, method: str = "GET") -> Any:
    return pool.urlopen(method, "/v1", preload_content=False, timeout=PATIENCE, retries=False)


def whole(body: Body) -> bytes:
    return b"".join(iter(body.read1, b""))


# --- what comes, and what becomes of the connection -------------------------

FRAMINGS = [
    # a script, what it says, and whether its connection serves the next request
    pytest.param([answer(JSON)], JSON, True, id="a length"),
    pytest.param(
        [head(content_length=str(len(JSON))), JSON[:5], JSON[5:]], JSON, True, id="pieces"
    ),
    pytest.param([head(content_length="0")], b"", True, id="a length of 0"),
    pytest.param([CHUNKED, *map(chunk, [JSON[:5], JSON[5:]]), LAST_CHUNK], JSON, True, id="chunks"),
    pytest.param([CHUNKED + chunk(JSON) + LAST_CHUNK], JSON, True, id="chunks at once"),
    pytest.param([CHUNKED, chunk(JSON), b"0\r\nA: b\r\n\r\n"], JSON, True, id="trailers"),
    pytest.param([CHUNKED, LAST_CHUNK], b"", True, id="no chunks"),
    pytest.param([head(204)], b"", True, id="204"),
    pytest.param([head(204, transfer_encoding="chunked")], b"", True, id="204 that says chunked"),
    pytest.param([head(204, content_length="9")], b"", True, id="204 that says a length"),
    pytest.param([head(version="1.0"), JSON, End.FIN], JSON, False, id="closing"),
    pytest.param([head(version="1.0"), End.FIN], b"", False, id="closing at once"),
    pytest.param([head(), JSON, End.FIN], JSON, False, id="closing, HTTP/1.1"),
    pytest.param([answer(JSON, connection="close"), End.FIN], JSON, False, id="a length, closing"),
    pytest.param([answer(GZIP, content_encoding="gzip")], JSON, True, id="gzip"),
    pytest.param(
        [head(content_encoding="gzip", transfer_encoding="chunked"), chunk(GZIP), LAST_CHUNK],
        JSON,
        True,
        id="gzip in chunks",
    ),
    pytest.param([answer(JSON, content_encoding="identity")], JSON, True, id="identity"),
]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(("script", "said", "kept"), FRAMINGS)
def test_a_body_is_read_to_its_end_and_its_connection_given_back(
    script: Script, said: bytes, kept: bool, tls: bool
) -> None:
    with serve(script, answer(b"next"), tls=tls) as (server, pool):
        raw = ask(pool)
        body = body_of(raw)
        assert whole(body) == said
        assert body.read1() == b""
        assert raw.connection is None
        assert whole(body_of(ask(pool))) == b"next"
        assert [r.connection for r in server.requests] == ([0, 0] if kept else [0, 1])


@pytest.mark.parametrize("framed", [{"content_length": "99"}, {"transfer_encoding": "chunked"}, {}])
def test_the_answer_to_head_has_no_body(framed: dict[str, Any]) -> None:
    with serve(head(**framed), answer(b"next")) as (_, pool):
        body = body_of(ask(pool, "HEAD"))
        assert [body.read1(), body.read1()] == [b"", b""]
        assert whole(body_of(ask(pool))) == b"next"


def test_bytes_come_as_soon_as_they_are_there() -> None:
    for start, framed, end in (
        (head(content_length="2"), bytes, b""),
        (CHUNKED, chunk, LAST_CHUNK),
        (head(version="1.0"), bytes, b""),
    ):
        gate = threading.Event()
        script: Script = [start, framed(b"a"), gate, framed(b"b"), end, End.FIN]
        with serve(script) as (_, pool):
            body = body_of(ask(pool))
            assert body.read1() == b"a"
            gate.set()
            assert whole(body) == b"b"


def test_several_chunks_are_read_at_once() -> None:
    with serve(stream(*EVENTS)) as (_, pool):
        body = body_of(ask(pool))
        assert body.read1() == b"".join(map(event, EVENTS))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([head(content_length="9") + b"abc"], id="a length"),
        pytest.param([head(content_length="9")], id="a length, nothing of it"),
        pytest.param([CHUNKED, chunk(b"abc")], id="chunks"),
        pytest.param([CHUNKED, chunk(b"abc")[:-4]], id="within a chunk"),
        pytest.param([CHUNKED, chunk(b"abc"), b"0"], id="within a last size"),
        pytest.param([CHUNKED, b"000"], id="within a size of zeros"),
        pytest.param([CHUNKED, chunk(b"abc"), b"0\r\n"], id="before the trailers"),
        pytest.param([CHUNKED], id="before any chunk"),
    ],
)
def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(script: Script) -> None:
    with serve([*script, End.FIN]) as (_, pool):
        raw = ask(pool)
        body = body_of(raw)
        for _ in range(2):
            with pytest.raises(ConnectionError):
                whole(body)
        raw.close()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ([head(content_length="9") + b"abc"], "6 more bytes were announced"),
        ([CHUNKED, b"9\r\nabc"], "6 more bytes were announced"),
        ([CHUNKED, chunk(b"abc")], "the last chunk did not come"),
    ],
    ids=["a length", "a chunk", "between chunks"],
)
def test_what_is_missing_is_told(script: Script, told: str) -> None:
    with serve([*script, End.FIN]) as (_, pool):
        raw = ask(pool)
        body = body_of(raw)
        assert body.read1() == b"abc"
        with pytest.raises(ConnectionError) as caught:
            body.read1()
        assert str(caught.value) == told
        raw.close()


def test_what_came_before_a_fault_is_not_lost() -> None:
    with serve([CHUNKED + chunk(b"abc") + b"zz\r\n", End.HOLD]) as (_, pool):
        raw = ask(pool)
        body = body_of(raw)
        assert body.read1() == b"abc"
        with pytest.raises(ValueError, match="a chunk without a size"):
            body.read1()
        raw.close()


def test_a_response_that_was_closed_has_no_more_bytes() -> None:
    with serve([CHUNKED, chunk(b"abc"), End.HOLD]) as (_, pool):
        raw = ask(pool)
        body = body_of(raw)
        assert body.read1() == b"abc"
        raw.close()
        with pytest.raises(ConnectionError):
            body.read1()


# --- what comes after the end -----------------------------------------------

SMUGGLED = answer(b"smuggled")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([CHUNKED + chunk(JSON) + LAST_CHUNK + SMUGGLED], id="chunks"),
        pytest.param([CHUNKED, chunk(JSON), LAST_CHUNK + b"\r\n"], id="a blank line"),
        pytest.param([CHUNKED, chunk(JSON), LAST_CHUNK + SMUGGLED[:20]], id="half an answer"),
        pytest.param([answer(JSON) + SMUGGLED], id="a length"),
        pytest.param([head(content_length=str(len(JSON))), JSON + SMUGGLED], id="a length, later"),
    ],
)
def test_what_comes_after_the_end_is_never_the_next_answer(script: Script) -> None:
    with servers.serve([*script], answer(CHAT)) as server, rawllm.Client(server.url) as client:
        raw = client.chat.completions.with_raw_response.create(model="m", messages="x")
        assert raw.content == JSON
        assert client.chat("m", "x") == "Hello there!"
        assert [request.connection for request in server.requests] == [0, 1]


def test_what_comes_after_a_stream_is_never_the_next_answer() -> None:
    with servers.serve(stream(*EVENTS) + SMUGGLED, answer(CHAT)) as server:
        with rawllm.Client(server.url) as client:
            assert "".join(client.chat("m", "x", stream=True)) == "Hello there!"
            assert client.chat("m", "x") == "Hello there!"


# --- whose bytes they are ---------------------------------------------------


def test_a_body_that_was_left_is_not_the_next_calls() -> None:
    script: Script = [STREAM_HEAD, chunk(event(EVENTS[1])), chunk(event(EVENTS[2])), End.HOLD]
    with servers.serve(script, answer(CHAT)) as server, rawllm.Client(server.url) as client:
        for _ in client.chat("m", "x", stream=True):
            break
        assert client.chat("m", "x") == "Hello there!"
        assert [request.connection for request in server.requests] == [0, 1]


class Between:
    """What a cache puts before http.client's response, to see the bytes that pass."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain
        self.seen = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def read1(self, amount: int) -> bytes:
        data: bytes = self.plain.read1(amount)
        self.seen += data
        return data


def test_what_stands_before_the_body_sees_its_bytes() -> None:
    with serve(answer(JSON)) as (_, pool):
        raw: Any = ask(pool)
        raw._fp = between = Between(raw._fp)
        assert whole(body_of(raw)) == JSON
        assert between.seen == JSON


def of_urllib3(body: bytes) -> Any:
    return urllib3.HTTPResponse(io.BytesIO(body), preload_content=False)


def of_http_client(body: bytes) -> Any:
    """As some mocks are: http.client's response around no socket."""

    class Mock(http.client.HTTPResponse):
        def __init__(self) -> None:
            self.fp = io.BytesIO(body)  # type: ignore[assignment]
            self._fp = self

        def read1(self, amount: int = -1, *, decode_content: bool = False) -> bytes:
            assert decode_content
            data: bytes = self.fp.read1(amount)
            return data

        def close(self) -> None:
            pass

    return Mock()


@pytest.mark.parametrize("made", [of_urllib3, of_http_client])
def test_a_mocks_body_is_read_by_its_own_read1(made: Callable[[bytes], Any]) -> None:
    assert whole(body_of(made(JSON))) == JSON


def test_the_body_of_a_mock_adapter_is_read() -> None:
    class Adapter(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
            response = requests.Response()
            response.status_code, response.raw = 200, of_urllib3(JSON)
            response.headers["Content-Type"] = "application/json"
            response.request = request
            return response

        def close(self) -> None:
            pass

    with requests.Session() as session:
        session.mount("http://", Adapter())
        client = rawllm.Client("http://nowhere.test/v1", session=session)
        assert client.chat("m", "x") == "Hello there!"
