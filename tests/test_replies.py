"""A whole body: read, kept, bounded, decompressed, and what becomes of a short one."""

from __future__ import annotations

import gzip
import json
import os
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

import rawllm
from rawllm.deadlines import Watch
from rawllm.failures import Call
from rawllm.replies import Reply
from tests.servers import (
    CHAT,
    EVENTS,
    LAST_CHUNK,
    PATIENCE,
    STREAM_HEAD,
    End,
    Script,
    answer,
    chunk,
    event,
    head,
    serve,
    stream,
)

JSON = json.dumps(CHAT).encode()
SPLIT = [JSON[:10], JSON[10:11], JSON[11:]]

FRAMINGS: dict[str, Script] = {
    "content-length": [answer(CHAT)],
    "chunked": [head(transfer_encoding="chunked"), *map(chunk, SPLIT), LAST_CHUNK],
    "chunk extensions": [
        head(transfer_encoding="chunked"),
        b"%x;a=b\r\n%s\r\n" % (len(JSON), JSON),
        LAST_CHUNK,
    ],
    "close-delimited": [head(version="1.0"), *SPLIT, End.FIN],
    "gzip": [answer(gzip.compress(JSON), content_encoding="gzip")],
    "a byte order mark": [answer(b"\xef\xbb\xbf" + JSON)],
    "blanks around it": [answer(b"\r\n " + JSON + b"\n")],
}


@pytest.mark.parametrize("script", FRAMINGS.values(), ids=FRAMINGS)
def test_a_whole_body_is_read_in_every_framing(script: Script) -> None:
    with serve(script) as server, rawllm.Client(server.url) as client:
        raw = client.chat.completions.with_raw_response.create(model="m", messages="x")
        assert raw.parse() == CHAT
        assert raw.http_response.content == raw.content


SHORT: dict[str, Script] = {
    "content-length, FIN": [head(content_length="999") + JSON, End.FIN],
    "content-length, RST": [head(content_length="999") + JSON, End.RST],
    "chunked, FIN": [head(transfer_encoding="chunked"), chunk(JSON), End.FIN],
    "chunked, within a chunk": [head(transfer_encoding="chunked"), chunk(JSON)[:-9], End.FIN],
    "a chunk size that is no number": [head(transfer_encoding="chunked"), b"zz\r\n", End.FIN],
    "a negative chunk size": [head(transfer_encoding="chunked"), b"-5\r\n", End.FIN],
    "an endless chunk size": [head(transfer_encoding="chunked"), b"f" * 70_000, End.FIN],
    "not gzip": [answer(JSON, content_encoding="gzip")],
}


@pytest.mark.parametrize("script", SHORT.values(), ids=SHORT)
def test_a_body_that_breaks_off_is_a_connection_error(script: Script) -> None:
    with serve(script) as server, rawllm.Client(server.url) as client:
        with pytest.raises(rawllm.APIConnectionError) as caught:
            client.chat("m", "x")
        assert not isinstance(caught.value, rawllm.APITimeoutError)
        assert f"POST {server.url}/chat/completions" in caught.value.message
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "script",
    [[head(content_length="999") + JSON, End.HOLD], [head(version="1.0") + JSON, End.HOLD]],
    ids=["content-length", "close-delimited"],
)
def test_silence_within_a_body_is_a_timeout(script: Script) -> None:
    with serve(script) as server, rawllm.Client(server.url, timeout=0.05) as client:
        with pytest.raises(rawllm.APITimeoutError, match="raise timeout="):
            client.chat("m", "x")


INVALID: dict[str, tuple[bytes, str]] = {
    "HTML": (b"<!doctype html><title>Sign in</title>", "HTML"),
    "nothing": (b"", "an empty body"),
    "blanks": (b" \n", "an empty body"),
    "text": (b"Ollama is running", "not JSON"),
    "cut JSON": (JSON[:-1], "not JSON"),
    "deep JSON": (b"[" * 200_000, "nested too deep"),
    "a huge number": (b'{"choices":' + b"1" * 5000 + b"}", "not JSON"),
    "a list": (b"[]", "not an object"),
    "null": (b"null", "not an object"),
    "no choices": (b'{"object": "chat.completion"}', "without a list of choices"),
    "choices that are text": (b'{"choices": ["x"]}', "without a list of choices"),
    "choices that are none": (b'{"choices": null}', "without a list of choices"),
}


@pytest.mark.parametrize(("body", "words"), INVALID.values(), ids=INVALID)
def test_a_success_that_is_not_the_protocol_says_what_came(body: bytes, words: str) -> None:
    with serve(answer(body, content_type="text/x")) as server:
        with rawllm.Client(server.url.removesuffix("/v1")) as client:
            with pytest.raises(rawllm.APIResponseValidationError) as caught:
                client.chat("m", "x")
    error = caught.value
    assert words in error.message
    assert "(text/x)" in error.message
    assert "/v1?" in error.message
    assert body.decode()[:100].strip() in error.message
    assert len(error.message) < 2000
    assert error.status_code == 200
    assert error.response.content == body


ECHO = "sk-0123456789"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: %s\r\n\r\n"

#: name: what a server sends that takes the key it was sent for a size or a status
ECHOES: dict[str, bytes] = {
    "a chunk's size": HEAD + ECHO.encode() + b"\r\n",
    "after a chunk": HEAD + b"2\r\n{}" + ECHO.encode() + b"\r\n",
    "a status": b"HTTP/1.1 " + ECHO.encode() + b"\r\n\r\n",
}


ASKED: dict[str, Callable[[rawllm.Client], Any]] = {
    "whole": lambda client: client.chat("m", "x"),
    "streamed": lambda client: list(client.chat("m", "x", stream=True)),
    "raw": lambda client: (
        client.with_raw_response.chat.completions.create(
            model="m", messages="x", stream=True
        ).content
    ),
}


@pytest.mark.parametrize("sent", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("how", ASKED)
def test_a_key_in_place_of_a_size_is_in_no_traceback(sent: bytes, how: str) -> None:
    kind = b"application/json" if how == "whole" else b"text/event-stream"
    with serve([sent.replace(b"%s", kind), End.FIN]) as server:
        with rawllm.Client(server.url, api_key=ECHO, max_retries=0) as client:
            with pytest.raises(rawllm.APIError) as caught:
                ASKED[how](client)
    assert ECHO not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "script",
    [
        [answer(b"x" * 2000)],
        [head(version="1.0"), *[b"x" * 500] * 4, End.HOLD],
        [answer(gzip.compress(b"x" * 2000), content_encoding="gzip")],
    ],
    ids=["content-length", "endless", "a gzip bomb"],
)
def test_a_body_over_the_limit_is_not_read_on(script: Script) -> None:
    with serve(script) as server:
        with rawllm.Client(server.url, max_response_bytes=1000) as client:
            with pytest.raises(rawllm.APIResponseValidationError, match="more than 1000 bytes"):
                client.chat("m", "x")


def test_a_whole_answer_to_a_stream_is_not_over_the_limit() -> None:
    with serve([answer(CHAT)]) as server:
        with rawllm.Client(server.url, max_response_bytes=len(JSON) - 1) as client:
            with pytest.raises(rawllm.APIResponseValidationError, match="more than"):
                list(client.chat("m", "x", stream=True))


def test_a_body_at_the_limit_is_read() -> None:
    with serve(answer(CHAT)) as server:
        with rawllm.Client(server.url, max_response_bytes=len(JSON)) as client:
            assert client.chat("m", "x") == "Hello there!"


def test_an_error_in_a_200_is_raised() -> None:
    body = {"error": {"message": "no credits", "code": 402}}
    with serve(answer(body)) as server, rawllm.Client(server.url) as client:
        with pytest.raises(rawllm.APIStatusError, match="no credits") as caught:
            client.chat("m", "x")
        assert caught.value.status_code == 200
        assert caught.value.code == "402"


def test_lm_studios_unknown_path_is_a_200_with_an_error() -> None:
    body = {"error": "Unexpected endpoint or method. (POST /chat/completions)"}
    with serve(answer(body)) as server:
        root = server.url.removesuffix("/v1")
        with rawllm.Client(root) as client:
            with pytest.raises(rawllm.NotFoundError, match=f"did you mean {root}/v1"):
                client.chat("m", "x")


def test_a_prompt_that_is_too_long_says_by_how_much() -> None:
    words = "request (302 tokens) exceeds the available context size (256 tokens)"
    counts = {"n_prompt_tokens": 302, "n_ctx": 256}
    error = {"code": 400, "message": words, "type": "exceed_context_size_error", **counts}
    with serve(answer({"error": error}, 400, server="llama.cpp")) as server:
        with rawllm.Client(server.url) as client:
            with pytest.raises(rawllm.ContextLengthExceededError, match="--ctx-size") as caught:
                client.chat("m", "x")
    assert (caught.value.prompt_tokens, caught.value.context_length) == (302, 256)


def test_a_long_error_body_is_not_read_for_ever() -> None:
    with serve([head(500, version="1.0"), *[b"x" * 100_000] * 50, End.HOLD]) as server:
        with rawllm.Client(server.url, max_retries=0) as client:
            with pytest.raises(rawllm.InternalServerError) as caught:
                client.chat("m", "x")
    assert len(caught.value.message) < 2000


def test_an_error_body_that_breaks_off_still_tells_what_came() -> None:
    with serve([head(400, content_length="99") + b'{"error": "half', End.FIN]) as server:
        with rawllm.Client(server.url) as client:
            with pytest.raises(rawllm.BadRequestError, match="half"):
                client.chat("m", "x")


def test_a_stream_that_ends_leaves_its_connection_to_the_next_call() -> None:
    with serve(stream(*EVENTS), answer(CHAT)) as server, rawllm.Client(server.url) as client:
        assert "".join(client.chat("m", "x", stream=True)) == "Hello there!"
        assert client.chat("m", "x") == "Hello there!"
        assert [request.connection for request in server.requests] == [0, 0]


def test_a_server_that_does_not_end_after_done_is_left() -> None:
    events = [STREAM_HEAD, *(chunk(event(e)) for e in EVENTS)]
    with serve([*events, End.HOLD], [*events, *[chunk(b":" * 60_000)] * 9999]) as server:
        for _ in range(2):
            with rawllm.Client(server.url) as client:
                assert "".join(client.chat("m", "x", stream=True)) == "Hello there!"
                assert server.left.wait(PATIENCE)


def test_trailers_without_end_after_done_are_not_waited_for() -> None:
    gates = [threading.Event() for _ in range(3)]
    steps: list[Any] = [STREAM_HEAD, *(chunk(event(e)) for e in EVENTS), b"0\r\n"]
    for gate in gates:
        steps += [gate, b"X: y\r\n"]
    with serve([*steps, End.HOLD]) as server, rawllm.Client(server.url) as client:
        timers = [threading.Timer(0.02 * i, gate.set) for i, gate in enumerate(gates, 1)]
        for timer in timers:
            timer.start()
        assert "".join(client.chat("m", "x", stream=True)) == "Hello there!"
        assert server.left.wait(PATIENCE)


SSE = b"".join(map(event, EVENTS))
CONTENT_LENGTH = head(content_type="text/event-stream", content_length=str(len(SSE))) + SSE


@pytest.mark.parametrize("how", ["closed", "read to its end", "past its deadline"])
def test_a_stream_whose_connection_went_back_leaves_the_next_call_alone(how: str) -> None:
    # The pool has the connection as soon as the last byte of the body is in.
    gate = threading.Event()
    rest = (chunk(event(e)) for e in EVENTS[2:])
    second: Script = [STREAM_HEAD, *map(chunk, map(event, EVENTS[:2])), gate, *rest, LAST_CHUNK]
    with serve(CONTENT_LENGTH, second) as server, rawllm.Client(server.url) as client:
        create = client.chat.completions.create
        deadline = 0.05 if how == "past its deadline" else None
        first = create(model="m", messages="x", stream=True, deadline=deadline)
        next(first)
        other = create(model="m", messages="x", stream=True)
        next(other)
        assert [request.connection for request in server.requests] == [0, 0]
        if how == "closed":
            first.close()
        elif how == "read to its end":
            assert len(list(first)) == 3
        threading.Timer(0.1, gate.set).start()
        assert other.completion.choices[0].message.content == "Hello there!"


@pytest.mark.parametrize("length", ["abc", "-5", ""])
def test_what_frames_its_body_by_no_length_is_no_answer(length: str) -> None:
    started = head(version="1.0", content_type="text/event-stream", content_length=length)
    with serve([started + event(EVENTS[1]), End.FIN]) as server, rawllm.Client(server.url) as c:
        with pytest.raises(rawllm.APIConnectionError, match="Content-Length"):
            list(c.chat("m", "x", stream=True))


def test_a_long_error_is_still_read_as_json() -> None:
    body = {"error": {"message": "no", "code": "insufficient_quota", "echo": "x" * 200_000}}
    with serve(answer(body, 429)) as server, rawllm.Client(server.url) as client:
        with pytest.raises(rawllm.RateLimitError) as caught:
            client.chat("m", "x")
        assert len(server.requests) == 1
    assert caught.value.code == "insufficient_quota"


def test_a_deadline_that_passes_at_the_bodys_end_is_told() -> None:
    # Shutting the socket looks like the end of a body that ends with its connection.
    with serve([head(version="1.0") + JSON, End.HOLD]) as server:
        with rawllm.Client(server.url) as client:
            with pytest.raises(rawllm.APITimeoutError, match="the deadline passed"):
                client.chat("m", "x", deadline=0.3)


def test_a_reply_may_be_closed_twice() -> None:
    with serve(stream(*EVENTS)) as server, rawllm.Client(server.url) as client:
        answered = client.chat.completions.create(model="m", messages="x", stream=True)
        answered.close()
        answered.close()
        with pytest.raises(rawllm.IncompleteStreamError, match=r"close\(\) was called"):
            list(answered)


def test_another_processs_reply_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(stream(*EVENTS)) as server, rawllm.Client(server.url) as client:
        answered = client.chat.completions.create(model="m", messages="x", stream=True)
        with monkeypatch.context() as forked:
            forked.setattr(os, "getpid", lambda: -1)
            answered.close()
        assert answered.completion.choices[0].message.content == "Hello there!"


class Broken:
    """A raw body with a fault of its own."""

    def read1(self, _most: int, *, decode_content: bool) -> bytes:
        assert decode_content
        raise AttributeError("a mistake in the program")

    def close(self) -> None:
        pass


def test_a_mistake_in_the_program_is_not_taken_for_a_closed_connection() -> None:
    response = requests.Response()
    response.raw = Broken()
    reply = Reply(response, Call("GET", "http://x", "http://x"), Watch())
    with pytest.raises(AttributeError, match="a mistake"):
        reply.read1()
    reply.close()
    with pytest.raises(rawllm.APIConnectionError, match=r"close\(\) was called"):
        reply.read1()


@responses.activate
def test_mocks_of_failures_work() -> None:
    url = "http://localhost/v1/chat/completions"
    responses.add(responses.POST, url, body=requests.ConnectionError("mocked"))
    client = rawllm.Client("http://localhost/v1", max_retries=0)
    with pytest.raises(rawllm.APIConnectionError, match="mocked"):
        client.chat("m", "x")
