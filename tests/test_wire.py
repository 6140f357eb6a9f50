"""The client against the recorded bytes of real servers, whole, in pieces and cut short."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest

import rawllm
from rawllm import sse
from rawllm.answers import ChatCompletion, Completion
from rawllm.fold import Fold
from rawllm.objects import Object, parse
from rawllm.payloads import choices_asked
from tests.recordings import RECORDINGS, STREAMS, Recording
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
    body = recording.asked
    match recording.method, recording.path:
        case "POST", "/v1/chat/completions":
            return client.chat.completions.create(model="m", messages="x", extra_body=body)
        case "POST", "/v1/completions":
            return client.completions.create(model="m", prompt="x", extra_body=body)
        case "POST", "/v1/embeddings":
            return client.embeddings.create(model="m", input="x", extra_body=body)
        case "GET", "/v1/models":
            return client.models.list()
        case "GET", path if path.startswith("/v1/models/"):
            return client.models.retrieve(path.removeprefix("/v1/models/"))
    root = url.removesuffix("/v1")
    return client.request(recording.method, root + recording.path, body=body or None)


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


# --- cut short --------------------------------------------------------------


def whole_class(recording: Recording) -> type[ChatCompletion] | type[Completion]:
    return Completion if recording.path == "/v1/completions" else ChatCompletion


def test_cut_at_every_byte_no_stream_passes_for_whole(capsys: pytest.CaptureFixture[str]) -> None:
    cuts = whole = 0
    for recording in STREAMS:
        decoder, fold = sse.Decoder(), Fold(whole_class(recording))
        expected = choices_asked(recording.asked)
        came: list[Any] = []
        done = failed = False
        text = text_of([e for e in said(recording) if e and "error" not in e])
        body = recording.body
        for at in range(len(body)):
            for event in decoder.feed(body[at : at + 1]):
                if event.data == "[DONE]":
                    done = True
                elif isinstance(value := parse(event.data), Object):
                    failed = failed or "error" in value
                    if not failed:
                        came.append(value)
                        fold.add(value, len(event.data))
                assert "".join(words_in(fold.completion)) == sorted_text(came)
            cuts += 1
            if not failed and fold.verdict(done=done, framed=False, expected=expected) == "whole":
                whole += 1
                # All that may be missing is what says nothing: usage, [DONE].
                assert text_of(came) == text
    with capsys.disabled():
        print(
            f"\n{len(STREAMS)} recorded streams cut at each of {cuts} bytes: {cuts - whole} cuts "
            f"are incomplete, {whole} come after the last finish_reason, none is a silent end"
        )
    assert cuts > 400_000
    assert 0 < whole < cuts / 4


def words_in(completion: Any) -> Iterator[str]:
    for choice in completion.choices:
        yield choice["text"] if choice.get("message") is None else choice.message.content


def sorted_text(events: list[Any]) -> str:
    """The text of the events, choice by choice."""
    choices = sorted({c["index"] for event in events for c in event["choices"]})
    return "".join(
        text_of([{"choices": [c for c in event["choices"] if c["index"] == index]}])
        for index in choices
        for event in events
    )


def boundaries(recording: Recording) -> Iterator[tuple[int, int]]:
    """Offsets in `raw` around the end of each event, each with the number of events before it."""
    events = 0
    last = 0
    for start, data in recording.pieces:
        place = data.find(b"\n\n")
        while place >= 0:
            end = start + place + 2
            # Of a stream of a thousand pings a few will do.
            if events < 60 or events % 40 == 0:
                yield from ((cut, events + (cut >= end)) for cut in (end - 1, end, end + 1))
            events += 1
            last = end
            place = data.find(b"\n\n", place + 2)
    assert last


@pytest.mark.parametrize(
    "server_name", ["llama-server", "vllm", "litellm", "llama-cpp-python", "mlx-lm", "transformers"]
)
def test_cut_around_every_event_no_connection_ends_silently(
    server_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cuts = whole = 0
    for recording in STREAMS:
        if not recording.name.startswith(server_name):
            continue
        if failure(recording):
            continue
        events = said_with_pings(recording)
        points = list(boundaries(recording))
        with serve(*(cut_at(recording, cut) for cut, _ in points)) as server:
            for cut, arrived in points:
                came = [e for e in events[:arrived] if isinstance(e, dict)]
                chunks, error = read_to_its_end(ask(server.url, recording))
                if error is None:
                    whole += 1
                    assert text_of(chunks) == text_of([e for e in events if isinstance(e, dict)])
                else:
                    assert type(error) is rawllm.IncompleteStreamError
                    assert "".join(words_in(error.partial)) == sorted_text(came), cut
                cuts += 1
    with capsys.disabled():
        print(f"\n{server_name}: {cuts} cuts over sockets, {whole} of them after the last word")
    assert cuts > 100
    assert whole < cuts / 2


def cut_at(recording: Recording, cut: int) -> Script:
    return [recording.raw[:cut], End.FIN]


def said_with_pings(recording: Recording) -> list[Any]:
    """One item an event, comments and [DONE] included, so that they can be counted."""
    blocks = recording.body.decode().split("\n\n")[:-1]
    data = [block.partition("data: ")[2] for block in blocks]
    return [json.loads(d) if d.startswith("{") else d for d in data]
