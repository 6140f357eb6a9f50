"""The client against the recorded bytes of real servers, whole and in pieces.

What it makes of them cut short is in `faults/test_cuts.py`.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest

import rawllm
from tests.recordings import RECORDINGS, STREAMS, Recording, caller
from tests.servers import End, Script, serve

WHOLE = [r for r in RECORDINGS if r.status == 200 and not r.is_stream]
ERRORS = [r for r in RECORDINGS if r.status >= 400]
STATUSES = {
    400: rawllm.BadRequestError,
    401: rawllm.AuthenticationError,
    403: rawllm.PermissionDeniedError,
    404: rawllm.NotFoundError,
    422: rawllm.UnprocessableEntityError,
    429: rawllm.RateLimitError,
}


def table(recordings: list[Recording]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recording", recordings, ids=[r.name for r in recordings])


def ask(url: str, recording: Recording) -> Any:
    """The call that the recorded request was, as far as a caller can make it."""
    client = rawllm.Client(url, "sk-made-up", max_retries=0, loading_timeout=0.001)
    return caller(recording)(client)


def said(recording: Recording) -> list[Any]:
    """The recorded events, read the naive way: what all these servers send allows it."""
    lines = [line for line in recording.body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line[6:]) for line in lines if line != "data: [DONE]"]


def failure(recording: Recording) -> str | None:
    """The words of the error in a recorded stream, if it has one."""
    errors = [event["error"] for event in said(recording) if event and "error" in event]
    return next((e if isinstance(e, str) else e["message"] for e in errors), None)


def is_whole(recording: Recording) -> bool:
    """Whether a recorded stream has come to its end: it was not killed, nor interrupted."""
    if recording.name in NOT_WHOLE or failure(recording):
        return False
    choices = [c for event in said(recording) if event for c in event.get("choices") or []]
    return any(choice.get("finish_reason") for choice in choices)


#: Finished but for one choice of the two asked for, on a body that says nothing of its end.
NOT_WHOLE = ("mlx-lm/r_n2_no_done",)


def text_of(events: list[Any]) -> str:
    """All the text of all choices in the events, in the order it came."""
    choices = [choice for event in events if event for choice in event.get("choices") or []]
    return "".join(c.get("text") or (c.get("delta") or {}).get("content") or "" for c in choices)


# --- a 200 ------------------------------------------------------------------


@table(
    [
        r
        for r in WHOLE
        if "json" in r.headers.get("content-type", "")
        and r.path != "/v1/embeddings"
        and r.name != "mlx-lm/models_retrieve_unknown"  # a list without it
    ]
)
def test_a_whole_answer_equals_the_recorded_json(recording: Recording) -> None:
    with serve([recording.raw, End.FIN]) as server:
        answer = ask(server.url, recording)
    if recording.method == "HEAD":
        assert answer is None
    elif recording.name == "mlx-lm/models_retrieve":
        assert [answer] == recording.json["data"]  # it answers with a list
    else:
        assert answer == recording.json
        assert json.loads(json.dumps(answer)) == recording.json


EMBEDDINGS = [r for r in WHOLE if r.path == "/v1/embeddings"]
# LiteLLM's mock models answer with a sentence where the vector should be.
SENTENCES = [r for r in EMBEDDINGS if r.name.startswith("litellm/mock-") and "-tool-" not in r.name]


@table(SENTENCES)
def test_a_vector_that_is_none_is_an_error_that_shows_it(recording: Recording) -> None:
    vector = recording.json["data"][0]["embedding"]
    with serve([recording.raw, End.FIN]) as server:
        with pytest.raises(rawllm.APIResponseValidationError, match="cannot be read") as caught:
            ask(server.url, recording)
    assert isinstance(vector, str)
    assert vector in caught.value.message


@table([r for r in EMBEDDINGS if r not in SENTENCES])
def test_embeddings_equal_the_recorded_ones_decoded(recording: Recording) -> None:
    with serve([recording.raw, End.FIN]) as server:
        answer = ask(server.url, recording)
    expected = recording.json
    for item in expected["data"]:
        if isinstance(item["embedding"], str):
            data = base64.b64decode(item["embedding"])
            item["embedding"] = list(struct.unpack(f"<{len(data) // 4}f", data))
    assert answer == expected


@table(
    [
        r
        for r in WHOLE
        if "json" not in r.headers.get("content-type", "") and r.method in ("GET", "POST")
    ]
)
def test_what_is_not_json_is_to_be_had_raw(recording: Recording) -> None:
    with serve([recording.raw, End.FIN]) as server:
        client = rawllm.Client(server.url)
        root = server.url.removesuffix("/v1")
        raw = client.with_raw_response.request(recording.method, root + recording.path)
    assert raw.content == recording.body


@table([r for r in WHOLE if "event-stream" in r.headers.get("content-type", "") and not r.body])
def test_a_stream_of_nothing_is_an_error(recording: Recording) -> None:
    # llama-cpp-python and mlx-lm fail so before the first token.
    with serve([recording.raw, End.FIN]) as server:
        with pytest.raises((rawllm.APIResponseValidationError, rawllm.IncompleteStreamError)):
            list(ask(server.url, recording))


# --- a stream ---------------------------------------------------------------


def read_to_its_end(stream: Any) -> tuple[list[Any], rawllm.StreamError | None]:
    """The chunks, and the error that ended them, if one did."""
    chunks: list[Any] = []
    try:
        chunks.extend(stream)
    except rawllm.StreamError as error:
        return chunks, error
    assert stream.finished
    return chunks, None


def in_pieces(recording: Recording, size: int) -> Script:
    """The recorded bytes, the head at once and the body some bytes at a time."""
    raw, start = recording.raw, recording.body_start
    return [raw[:start], *(raw[i : i + size] for i in range(start, len(raw), size)), End.FIN]


@table(STREAMS)
@pytest.mark.parametrize("size", [1, 7, 1 << 20], ids=["bytewise", "sevens", "whole"])
def test_a_streams_chunks_equal_the_recorded_events(recording: Recording, size: int) -> None:
    if size == 1 and len(recording.raw) > 100_000:
        size = 3  # the same for a stream of 1,299 pings in a tenth of a second
    with serve(in_pieces(recording, size)) as server:
        chunks, error = read_to_its_end(ask(server.url, recording))
    if words := failure(recording):
        assert isinstance(error, rawllm.StreamAPIError)
        assert words in error.message
    else:
        assert (error is None) == is_whole(recording)
    events = [event for event in said(recording) if event is not None]
    assert chunks == [event for event in events if "error" not in event]


@table([r for r in STREAMS if is_whole(r)])
def test_a_folded_stream_says_all_that_the_events_said(recording: Recording) -> None:
    with serve([recording.raw, End.FIN]) as server:
        completion = ask(server.url, recording).completion
    events = said(recording)
    for choice in completion.choices:
        mine = [
            {"choices": [c for c in event["choices"] if c["index"] == choice.index]}
            for event in events
            if event
        ]
        words = choice.get("text") if "text" in choice else choice.message.content
        assert words == text_of(mine)
    usages = [event["usage"] for event in events if event and event.get("usage")]
    assert completion.usage == (usages[-1] if usages else None)


# --- an error ---------------------------------------------------------------


@table(ERRORS)
def test_an_error_has_its_class_its_status_and_the_servers_words(recording: Recording) -> None:
    default = rawllm.InternalServerError if recording.status >= 500 else rawllm.APIStatusError
    with serve([recording.raw, End.FIN]) as server:
        with pytest.raises(STATUSES.get(recording.status, default)) as caught:
            ask(server.url, recording)
    error = caught.value
    assert error.status_code == recording.status
    assert f"{recording.method} {server.url.removesuffix('/v1')}" in error.message
    for words in words_of(recording):
        assert words.strip()[:1600] in error.message


def words_of(recording: Recording) -> Iterator[str]:
    """The server's own words in a recorded error."""
    body = recording.body.decode()
    try:
        value = json.loads(body)
    except ValueError:
        yield body.strip()
        return
    error = value.get("error", value)
    if isinstance(error, str):
        yield error
    elif "message" in error:
        yield error["message"]
    elif isinstance(error["detail"], str):
        yield error["detail"]
    else:
        yield from (item["msg"] for item in error["detail"])


@table([r for r in RECORDINGS if not r.raw])
def test_a_server_that_crashes_without_a_word_is_a_connection_error(recording: Recording) -> None:
    with serve([End.FIN]) as server, pytest.raises(rawllm.APIConnectionError):
        ask(server.url, recording)
