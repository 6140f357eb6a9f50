"""The HTTP answer as it came, and the object it becomes."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

import rawllm
from tests.servers import BASE, CHAT, EVENTS, answer, serve, stream


def test_a_raw_response_has_status_headers_and_bytes(mock: Any, client: rawllm.Client) -> None:
    body = b'\xef\xbb\xbf{"a": "\xff"}'
    mock.get(f"{BASE}/x?key=secret", body=body, headers={"X-Request-ID": "r7"}, status=201)
    raw = client.with_raw_response.get("/x?key=secret")
    assert (raw.status_code, raw.method, raw.url) == (201, "GET", f"{BASE}/x?key=***")
    assert (raw.content, raw.text) == (body, '{"a": "\ufffd"}')
    assert (raw.request_id, raw.headers["x-request-id"], raw.retries_taken) == ("r7", "r7", 0)
    assert raw.http_response.status_code == 201
    assert raw.json() == raw.parse() == {"a": "\ufffd"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[]", "not an object"),
        ("{}", "without a list of choices"),
        ('{"choices": {}}', "without a list of choices"),
        ('{"choices": [1]}', "without a list of choices"),
    ],
)
def test_an_answer_has_the_list_it_needs(
    mock: Any, client: rawllm.Client, body: str, words: str
) -> None:
    mock.post(f"{BASE}/chat/completions", body=body)
    raw = client.chat.completions.with_raw_response.create(model="m", messages="x")
    assert raw.text == body
    with pytest.raises(rawllm.APIResponseValidationError, match=words):
        raw.parse()


def test_an_answer_that_cannot_be_read_is_an_error(mock: Any, client: rawllm.Client) -> None:
    mock.post(f"{BASE}/embeddings", json={"data": [{"embedding": "no base64"}]})
    raw = client.embeddings.with_raw_response.create(model="m", input="x")
    with pytest.raises(rawllm.APIResponseValidationError, match="cannot be read"):
        raw.parse()


def test_a_raw_response_parses_to_the_same_object_each_time(
    mock: Any, client: rawllm.Client
) -> None:
    mock.post(f"{BASE}/chat/completions", json=CHAT)
    raw = client.chat.completions.with_raw_response.create(model="m", messages="x")
    assert raw.parse() is raw.parse()


def test_raw_models(mock: Any, client: rawllm.Client) -> None:
    mock.get(f"{BASE}/models", json={"data": []})
    assert client.models.with_raw_response.list().status_code == 200


def test_a_raw_stream_parses_to_the_stream_or_reads_its_bytes() -> None:
    body = stream(*EVENTS)
    with serve(body) as server, rawllm.Client(server.url) as client:
        raw = client.completions.with_raw_response.create(model="m", prompt="x", stream=True)
        assert raw.text.startswith('data: {"id"')
        assert raw.text.endswith("data: [DONE]\n\n")
        with pytest.raises(ValueError, match=r"`parse\(\)` it instead"):
            raw.parse()
        raw.close()
        made = client.chat.completions.with_raw_response.create(
            model="m", messages="x", stream=True
        ).parse()
        assert "".join(made.text) == "Hello there!"


def test_a_request_id_is_kept_on_results() -> None:
    with serve(answer(CHAT, x_request_id="r1")) as server, rawllm.Client(server.url) as client:
        assert client.chat.completions.create(model="m", messages="x")._request_id == "r1"


@pytest.mark.parametrize("read", ["parse", "json"])
def test_no_frame_of_an_error_shows_what_was_said(
    mock: Any, client: rawllm.Client, read: str
) -> None:
    mock.post(f"{BASE}/chat/completions", body="<html>s3cret")
    raw = client.chat.completions.with_raw_response.create(model="m", messages="x")
    with pytest.raises(rawllm.APIResponseValidationError, match="s3cret") as caught:
        getattr(raw, read)()
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert [frame.name for frame in told.stack[1:] if "s3cret" in str(frame.locals)] == []
    assert caught.value.__context__ is None


def test_what_a_raw_answer_holds_stays_as_it_came() -> None:
    body = b'{"error": "no key sk-0123456789"}'
    with serve(answer(body, x_echo="sk-0123456789")) as server:
        with rawllm.Client(server.url, api_key="sk-0123456789") as client:
            raw = client.with_raw_response.get("/x")
            for read in (raw.parse, raw.json):
                with pytest.raises(rawllm.APIStatusError, match=r"no key \*\*\*") as caught:
                    read()
                error = caught.value
                assert error.response.content == b'{"error": "no key ***"}'
                assert error.response.headers["X-Echo"] == "***"
            assert raw.content == raw.http_response.content == body
            assert raw.headers["X-Echo"] == "sk-0123456789"


@pytest.mark.parametrize("read", ["parse", "json"])
def test_an_error_keeps_what_the_caller_was_handling(read: str) -> None:
    with serve(answer(b"[")) as server, rawllm.Client(server.url) as client:
        raw = client.with_raw_response.get("/x")
        try:
            raise KeyError("mine")
        except KeyError:
            with pytest.raises(rawllm.APIResponseValidationError) as caught:
                getattr(raw, read)()
    assert repr(caught.value.__context__) == "KeyError('mine')"
    assert "KeyError: 'mine'" in "".join(traceback.format_exception(caught.value))
