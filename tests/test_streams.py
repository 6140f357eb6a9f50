"""A stream's chunks, its text, its whole, and its end, over real sockets."""

from __future__ import annotations

import gc
import json
import threading
import traceback
from typing import Any

import pytest
import requests
import urllib3

import rawllm
from rawllm import ChatStream
from tests.fuzz import played
from tests.fuzz.played import playing
from tests.servers import (
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
    piece,
    serve,
    stream,
)

CLOSE_DELIMITED = head(version="1.0", content_type="text/event-stream")
STARTED = [STREAM_HEAD, chunk(event(piece(role="assistant"))), chunk(event(piece("Hello")))]


def open_stream(server: Server, **params: Any) -> ChatStream:
    options = {k: params.pop(k) for k in ("strict_streams", "max_response_bytes") if k in params}
    client = rawllm.Client(server.url, max_retries=0, **options)
    return client.chat.completions.create(model="m", messages="x", stream=True, **params)


# --- what a caller gets -----------------------------------------------------


def test_the_chunks_come_as_sent_and_the_answer_is_whole() -> None:
    with serve(stream(*EVENTS)) as server:
        answered = open_stream(server)
        assert list(answered) == EVENTS[:-1]
        assert answered.finished
        assert answered.response.status_code == 200
        assert server.requests[0].json == {
            "model": "m",
            "messages": [{"role": "user", "content": "x"}],
            "stream": True,
        }
        assert server.requests[0].headers["accept-encoding"] == "identity"


def test_text_gives_the_pieces_of_the_first_choice_alone() -> None:
    usage = {"choices": [], "usage": {"total_tokens": 3}}
    two = [piece("one"), piece("other", index=1), piece(finish="stop"), usage, {"x": 1}, "[DONE]"]
    with serve(stream(*two)) as server:
        assert list(open_stream(server, n=2).text) == ["one"]


@pytest.mark.parametrize(
    "choice",
    [
        {"index": "0", "delta": {"content": "hi"}},
        {"index": 1, "delta": {"content": "hi"}},
        {"delta": {"content": "hi"}},
        {"index": 0, "message": {"content": "hi"}},
        {"index": 0, "delta": {"content": [{"type": "text", "text": "hi"}]}},
    ],
    ids=["an index in quotes", "only index 1", "no index", "a message", "parts"],
)
def test_text_is_that_of_the_first_choice_however_it_comes(choice: dict[str, Any]) -> None:
    with serve(stream({"choices": [choice | {"finish_reason": "stop"}]}, "[DONE]")) as server:
        assert list(open_stream(server).text) == ["hi"]


def test_the_folded_answer_knows_its_request() -> None:
    started = head(content_type="text/event-stream", x_request_id="r1", version="1.0")
    with serve([started, *map(event, EVENTS), End.FIN]) as server:
        assert open_stream(server).completion._request_id == "r1"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("llama-cpp-python: [DONE] without a finish", "--interrupt_requests false"),
        ("clean end without a finish", "strict_streams=False"),
        ("one of the two seen has finished", "1 of 2 choices had finished"),
        ("ollama: a failed generation", "Ollama ends a failed generation"),
    ],
)
def test_a_cut_answer_says_what_is_missing_and_why(name: str, words: str) -> None:
    options, script = CUT[name]
    with serve(script) as server:
        with pytest.raises(rawllm.IncompleteStreamError, match=words):
            list(open_stream(server, **options))


def test_text_of_a_legacy_completion() -> None:
    events = [{"choices": [{"index": 0, "text": t, "finish_reason": f}]} for t, f in PIECES]
    with serve(stream(*events)) as server:
        client = rawllm.Client(server.url)
        answered = client.completions.create(model="m", prompt="x", stream=True)
        assert list(answered.text) == ["a", "b"]
        assert answered.completion.choices[0].text == "ab"


PIECES = [("a", None), ("b", None), ("", "stop")]


def test_completion_reads_what_has_not_been_read() -> None:
    with serve(stream(*EVENTS)) as server:
        answered = open_stream(server)
        assert next(answered)["choices"][0]["delta"] == {"role": "assistant"}
        assert answered.completion.choices[0].message == {
            "role": "assistant",
            "content": "Hello there!",
        }
        assert answered.completion.choices[0].finish_reason == "stop"
        with pytest.raises(StopIteration):
            next(answered)


def test_a_loop_may_go_on_after_next() -> None:
    with serve(stream(*EVENTS)) as server:
        answered = open_stream(server)
        first = next(answered)
        assert [first, *answered] == EVENTS[:-1]


def test_nulls_empty_events_and_comments_are_no_chunks() -> None:
    noise = [
        chunk(b": ping\n\n"),
        chunk(b"data: null\n\n"),
        chunk(b"data:\n\n"),
        chunk(b"id: 7\n\n"),
    ]
    body = [STREAM_HEAD, *noise, *(chunk(event(e)) for e in EVENTS), LAST_CHUNK]
    with serve(body) as server:
        assert list(open_stream(server)) == EVENTS[:-1]


# --- the connection ---------------------------------------------------------


@pytest.mark.parametrize(
    "kept", [True, False], ids=["the caller keeps the stream", "it is dropped"]
)
def test_leaving_the_loop_closes_the_connection(kept: bool) -> None:
    with serve([*STARTED, End.HOLD]) as server:
        answered = open_stream(server)
        keep = [answered] if kept else []
        for got in answered:
            if got.choices[0].delta.content:
                break
        del answered
        assert server.left.wait(PATIENCE)
        assert len(keep) == int(kept)


def test_leaving_text_closes_the_connection() -> None:
    with serve([*STARTED, End.HOLD]) as server:
        client = rawllm.Client(server.url)
        for _ in client.chat("m", "x", stream=True):
            break
        assert server.left.wait(PATIENCE)


def fail_within(answered: ChatStream) -> None:
    for _ in answered:
        raise KeyError


def test_an_exception_in_the_loop_closes_the_connection() -> None:
    with serve([*STARTED, End.HOLD]) as server:
        with pytest.raises(KeyError):
            fail_within(open_stream(server))
        assert server.left.wait(PATIENCE)


def test_leaving_the_with_block_closes_the_connection() -> None:
    with serve([*STARTED, End.HOLD]) as server:
        with open_stream(server) as answered:
            next(answered)
        assert server.left.wait(PATIENCE)


def test_a_stream_that_is_never_read_closes_when_it_is_dropped() -> None:
    with serve([*STARTED, End.HOLD]) as server:
        answered = open_stream(server)
        answered.close()
        del answered
        gc.collect()
        assert server.left.wait(PATIENCE)


def test_close_from_another_thread_ends_the_reader() -> None:
    caught: list[BaseException] = []

    def read(answered: ChatStream, started: threading.Event) -> None:
        try:
            for _ in answered:
                started.set()
        except rawllm.IncompleteStreamError as error:
            caught.append(error)

    with serve([*STARTED, End.HOLD]) as server:
        answered, started = open_stream(server), threading.Event()
        reader = threading.Thread(target=read, args=(answered, started))
        reader.start()
        assert started.wait(PATIENCE)
        answered.close()
        reader.join(PATIENCE)
    assert "close() was called" in str(caught[0])


def test_whole_streams_and_calls_use_one_connection() -> None:
    scripts = [stream(*EVENTS) if i % 2 else answer(CHAT) for i in range(10)]
    with serve(*scripts) as server:
        client = rawllm.Client(server.url)
        for i in range(10):
            said = client.chat("m", "x", stream=bool(i % 2))
            assert "".join(said) == "Hello there!"
        assert {request.connection for request in server.requests} == {0}


def test_a_connection_kept_open_after_done_is_not_waited_for() -> None:
    held: Script = [STREAM_HEAD, *(chunk(event(e)) for e in EVENTS), End.HOLD]
    with serve(held) as server:
        assert open_stream(server).completion.choices[0].message.content == "Hello there!"
        assert server.left.wait(PATIENCE)


def test_a_server_that_goes_on_after_done_is_cut_off() -> None:
    more = chunk(b": and on\n\n") * 40_000
    with serve([STREAM_HEAD, *(chunk(event(e)) for e in EVENTS), *[more] * 20, End.HOLD]) as server:
        assert open_stream(server).completion.choices[0].message.content == "Hello there!"
        assert server.left.wait(PATIENCE)


@pytest.mark.parametrize("framing", ["chunked", "close-delimited"])
def test_no_token_is_held_back(framing: str) -> None:
    gates = [threading.Event() for _ in EVENTS]
    chunked = framing == "chunked"
    script: list[Any] = [STREAM_HEAD if chunked else CLOSE_DELIMITED]
    for gate, sent in zip(gates, EVENTS, strict=True):
        script += [gate, chunk(event(sent)) if chunked else event(sent)]
    script += [LAST_CHUNK if chunked else End.FIN]
    with serve(script) as server:
        gates[0].set()
        answered = open_stream(server)
        for gate, expected in zip(gates[1:], EVENTS, strict=False):
            # The next event is sent only after this one has been read.
            assert next(answered) == expected
            gate.set()
        assert list(answered) == []
        assert answered.finished


# --- the end ----------------------------------------------------------------


def sent(*events: Any, end: bytes | End = LAST_CHUNK) -> Script:
    return [STREAM_HEAD, *(chunk(event(e)) for e in events), end]


def close_delimited(*events: Any) -> Script:
    return [CLOSE_DELIMITED, *(event(e) for e in events), End.FIN]


HELLO, STOP = piece("Hello"), piece(finish="stop")
STOP_1 = piece(finish="stop", index=1)

WHOLE: dict[str, tuple[dict[str, Any], Script]] = {
    "[DONE] after a finish": ({}, sent(HELLO, STOP, "[DONE]")),
    "no [DONE], its own framing": ({}, sent(HELLO, STOP)),
    "no [DONE], all asked for have finished": ({}, close_delimited(HELLO, STOP)),
    "reset after the last finish": ({}, sent(HELLO, STOP, end=End.RST)),
    "[DONE] with a suffix": ({}, sent(HELLO, STOP, "[DONE] ")),
    "litellm: of two only index 0 finishes": (
        {"n": 2},
        sent(HELLO, piece("x", index=1), STOP, "[DONE]"),
    ),
    "transformers: n ignored, no [DONE]": ({"n": 2}, sent(HELLO, STOP)),
    "not asked to be strict": ({"strict_streams": False}, sent(HELLO)),
}

CUT: dict[str, tuple[dict[str, Any], Script]] = {
    "llama-cpp-python: [DONE] without a finish": ({}, sent(HELLO, "[DONE]")),
    "[DONE] alone": ({}, sent("[DONE]")),
    "clean end without a finish": ({}, sent(HELLO)),
    "vllm: abort is no finish": ({}, sent(HELLO, piece(finish="abort"), "[DONE]")),
    "closed by FIN": ({}, sent(HELLO, end=End.FIN)),
    "closed by RST": ({}, sent(HELLO, end=End.RST)),
    "closed within an event": ({}, [STREAM_HEAD, chunk(event(HELLO)), chunk(b'data: {"'), End.FIN]),
    "close-delimited, no finish": ({}, close_delimited(HELLO)),
    "close-delimited, nothing": ({}, close_delimited()),
    "llama-server: one of two has finished": ({"n": 2}, close_delimited(HELLO, STOP)),
    "one of the two seen has finished": ({"n": 2}, sent(HELLO, STOP_1)),
    "not strict, but nothing came": ({"strict_streams": False}, close_delimited()),
    "not strict, but [DONE] alone": ({"strict_streams": False}, sent("[DONE]")),
    "not strict, but the connection broke": (
        {"strict_streams": False},
        sent(HELLO, end=End.FIN),
    ),
    "ollama: a failed generation": ({}, sent(HELLO, piece() | {"model": ""})),
}


@pytest.mark.parametrize(("options", "script"), WHOLE.values(), ids=WHOLE)
def test_a_whole_answer_ends_cleanly(options: dict[str, Any], script: Script) -> None:
    with serve(script) as server:
        answered = open_stream(server, **options)
        assert answered.completion.choices[0].message.content == "Hello"
        assert answered.finished == ("strict_streams" not in options)


@pytest.mark.parametrize(("options", "script"), CUT.values(), ids=CUT)
def test_a_cut_answer_is_an_error_that_holds_it(options: dict[str, Any], script: Script) -> None:
    with serve(script) as server:
        answered = open_stream(server, **options)
        with pytest.raises(rawllm.IncompleteStreamError) as caught:
            list(answered)
        assert not answered.finished
        partial = caught.value.partial
        hello = any(
            HELLO["choices"][0]["delta"]["content"].encode() in s
            for s in script
            if isinstance(s, bytes)
        )
        assert [c.message.content for c in partial.choices if c.message.content] == [
            "Hello"
        ] * hello
        assert f"POST {server.url}/chat/completions" in caught.value.message


@pytest.mark.parametrize("after", [b"", b"x: y\n", b"error: {}\n\n", b"data: " + b"x" * 99_999])
def test_what_comes_after_done_makes_no_difference_however_it_comes(after: bytes) -> None:
    said = b'error: {"code": 500, "message": "no"}\n\ndata: [DONE]\n\n' + after
    found = []
    for pieces in [said], [said[: -len(after) or None], after], [said[:-9], said[-9:]]:
        with serve(
            [STREAM_HEAD, *(chunk(piece) for piece in pieces if piece), LAST_CHUNK]
        ) as server:
            with pytest.raises(rawllm.StreamError) as caught:
                list(open_stream(server))
        found.append((type(caught.value), caught.value.message.partition("/v1")[2]))
    assert [found[0]] * 3 == found


def test_a_cut_call_has_no_arguments_that_did_not_come() -> None:
    call = {"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}}
    with serve(sent(piece(tool_calls=[call]), end=End.FIN)) as server:
        with pytest.raises(rawllm.IncompleteStreamError) as caught:
            list(open_stream(server))
    (begun,) = caught.value.partial.choices[0].message.tool_calls
    assert begun.function == {"name": "f", "arguments": ""}


def test_a_cut_legacy_stream_may_hold_anything() -> None:
    odd = {"choices": [{"index": 0, "text": "a", "message": "hi"}, {"index": 1, "text": 7}]}
    with serve(sent(odd, end=End.FIN)) as server, rawllm.Client(server.url) as client:
        with pytest.raises(rawllm.IncompleteStreamError):
            list(client.completions.create(model="m", prompt="x", stream=True))


def test_a_dropped_stream_with_a_limit_leaves_no_thread() -> None:
    with serve([*STARTED, End.HOLD]) as server:
        before = set(threading.enumerate())
        answered = open_stream(server, deadline=600)
        next(answered)
        watching = [t for t in set(threading.enumerate()) - before if "_watch" in t.name]
        assert len(watching) == 1
        answered.close()
        del answered
        gc.collect()
        watching[0].join(PATIENCE)
        assert not watching[0].is_alive()


def test_a_cut_answer_never_becomes_a_whole_one_later() -> None:
    with serve(sent(HELLO, end=End.FIN)) as server:
        answered = open_stream(server)
        for _ in range(3):
            with pytest.raises(rawllm.IncompleteStreamError):
                _ = answered.completion


def test_the_cause_of_a_cut_is_kept() -> None:
    with serve(sent(HELLO, end=End.RST)) as server:
        with pytest.raises(rawllm.IncompleteStreamError) as caught:
            list(open_stream(server))
    assert type(caught.value.__cause__) is rawllm.APIConnectionError


def test_silence_is_a_cut_by_timeout() -> None:
    with serve([*STARTED, End.HOLD]) as server:
        with pytest.raises(rawllm.IncompleteStreamError) as caught:
            list(open_stream(server, timeout=0.3))
    assert type(caught.value.__cause__) is rawllm.APITimeoutError


# --- limits of time ---------------------------------------------------------

PING = chunk(b": ping\n\n")


def trickle(*events: Any) -> Script:
    """Events, then pings without an end; each step waits a little by never being let go."""
    return [STREAM_HEAD, *(chunk(event(e)) for e in events), *[PING] * 5, End.HOLD]


@pytest.mark.parametrize(
    ("limit", "events"),
    [
        ("deadline", []),
        ("deadline", [HELLO]),
        ("first_token_timeout", []),
        ("first_token_timeout", [piece(role="assistant")]),
        ("idle_timeout", [HELLO]),
        ("idle_timeout", [piece(role="assistant")]),
    ],
)
def test_a_limit_ends_the_stream(limit: str, events: list[Any]) -> None:
    with serve(trickle(*events)) as server:
        options: dict[str, Any] = {limit: 0.3}
        with pytest.raises(rawllm.IncompleteStreamError, match=limit.partition("_")[0]) as caught:
            list(open_stream(server, **options))
        assert isinstance(caught.value.__cause__, rawllm.APITimeoutError)
        assert server.left.wait(PATIENCE)


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"content": [{"type": "text", "text": "x"}]},
        {"reasoning_content": "x"},
        {"reasoning": {"text": "x"}},
        {"refusal": "x"},
        {"tool_calls": [{"index": 0}]},
        {"function_call": {"name": "x"}},
        {"audio": {"data": "x"}},
    ],
    ids=lambda delta: next(iter(delta)),
)
def test_the_first_token_ends_its_own_limit(delta: dict[str, Any]) -> None:
    gate = threading.Event()
    with serve(
        [STREAM_HEAD, chunk(event(piece(**delta))), gate, chunk(event(STOP)), LAST_CHUNK]
    ) as server:
        answered = open_stream(server, first_token_timeout=0.3, deadline=PATIENCE)
        next(answered)
        threading.Timer(0.4, gate.set).start()
        assert len(list(answered)) == 1


def test_the_callers_own_time_does_not_count_as_idle() -> None:
    with serve(stream(*EVENTS)) as server:
        answered = open_stream(server, idle_timeout=0.3)
        next(answered)
        threading.Event().wait(0.4)
        assert len(list(answered)) == 3


# --- errors in a stream -----------------------------------------------------

IN_STREAM: dict[str, tuple[bytes, int | None, str]] = {
    "an object": (event({"error": {"message": "boom", "code": 500}}), 500, "boom"),
    "a code that is text": (event({"error": {"message": "boom", "code": "429"}}), 429, "boom"),
    "a type": (event({"error": {"message": "boom", "type": "server_error"}}), 500, "boom"),
    "text": (event({"error": "boom"}), None, "boom"),
    "flat": (event({"object": "error", "message": "boom", "code": 400}), 400, "boom"),
    "an event of the name": (
        b'event: error\ndata: {"message": "boom", "code": 503}\n\n',
        503,
        "boom",
    ),
    "an event of plain text": (b"event: error\ndata: boom\n\n", None, "boom"),
    "older llama.cpp's field": (b'error: {"code":500,"message":"boom"}\n\n', 500, "boom"),
    "beside the choices": (
        event(piece("x") | {"error": {"message": "boom", "code": 502}}),
        502,
        "boom",
    ),
    "a finish_reason": (event(piece(finish="error")), None, "finish_reason"),
}


@pytest.mark.parametrize(("sse", "status", "words"), IN_STREAM.values(), ids=IN_STREAM)
def test_an_error_in_the_stream_is_raised(sse: bytes, status: int | None, words: str) -> None:
    with serve([STREAM_HEAD, chunk(event(HELLO)), chunk(sse), LAST_CHUNK]) as server:
        answered = open_stream(server)
        assert next(answered) == HELLO
        with pytest.raises(rawllm.StreamAPIError) as caught:
            list(answered)
    assert words in caught.value.message
    assert caught.value.status_code == status
    assert caught.value.partial.choices[0].message.content == "Hello"


WRONG: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"data: oops {\n\n", "oops {"),
    "no object": (b"data: [1, 2]\n\n", "[1, 2]"),
    "nested too deep": (b"data: " + b"[" * 200_000 + b"\n\n", "nested too deep: [[["),
    "a command to the terminal": (b"data: \x1b[2J\n\n", ": \ufffd[2J\nHint: is http"),
    "choices without end": (
        b'data: {"choices":[' + b",".join([b"{}"] * 25_000) + b"]}\n\n",
        "25000 choices in one event (max_response_bytes=)",
    ),
    "too long": (b"data: " + b"x" * 70_000 + b"\n\n", "65536"),
    "text too long": (b"".join(event(piece("x" * 30_000)) for _ in range(3)), "65536"),
}


@pytest.mark.parametrize(("sse", "words"), WRONG.values(), ids=WRONG)
def test_what_is_not_the_protocol_is_an_error_that_shows_it(sse: bytes, words: str) -> None:
    limit = 65536 if "65536" in words else 1 << 20
    with serve([STREAM_HEAD, chunk(event(HELLO)), chunk(sse), LAST_CHUNK]) as server:
        with pytest.raises(rawllm.StreamError) as caught:
            list(open_stream(server, max_response_bytes=limit))
    assert type(caught.value) is rawllm.StreamError
    assert words in caught.value.message
    assert len(caught.value.message) < 2000
    assert caught.value.partial.choices[0].message.content.startswith("Hello")


def test_what_came_before_an_event_that_is_too_long_is_kept() -> None:
    body = event(piece("Hello")) + b"data: " + b"x" * 2000
    with serve(answer(body, content_type="text/event-stream")) as server:
        with rawllm.Client(server.url, max_response_bytes=1000) as client:
            pieces = client.chat("m", "x", stream=True)
            assert next(pieces) == "Hello"
            with pytest.raises(rawllm.StreamError, match="more than 1000 bytes") as caught:
                next(pieces)
    assert caught.value.partial.choices[0].message.content == "Hello"


def test_a_whole_answer_is_not_spoilt_by_what_comes_after_it() -> None:
    body = event(piece("Hello", "stop")) + event("[DONE]") + b"data: " + b"x" * 2000
    with serve(answer(body, content_type="text/event-stream")) as server:
        with rawllm.Client(server.url, max_response_bytes=1000) as client:
            assert "".join(client.chat("m", "x", stream=True)) == "Hello"


def test_arguments_of_any_depth_end_as_documented() -> None:
    # Near the interpreter's limit an object can be read, and not be written as text.
    call = b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":%s0%s}}]}}]}\n\n'
    depths = range(600, 1000, 4)
    scripts = [[STREAM_HEAD, chunk(call % (b'{"a":' * d, b"}" * d)), LAST_CHUNK] for d in depths]
    with serve(*scripts) as server:
        for _ in depths:
            with pytest.raises(
                rawllm.StreamError, match=r"no finish_reason|nested too deep|not JSON"
            ):
                list(open_stream(server))


def test_a_failed_choice_of_any_depth_ends_as_documented() -> None:
    # Near the interpreter's limit JSON can be read, and not be written as text.
    call = b'data: {"choices":[{"finish_reason":"error","x":%s%s}]}\n\n'
    depths = range(600, 1000, 4)
    scripts = [[STREAM_HEAD, chunk(call % (b"[" * d, b"]" * d)), LAST_CHUNK] for d in depths]
    with serve(*scripts) as server:
        for _ in depths:
            with pytest.raises(rawllm.StreamError, match=r"with an error|nested too deep"):
                list(open_stream(server))


def test_the_length_of_a_stream_is_not_bounded() -> None:
    envelope = {"padding": "y" * 4000}
    many = [piece("x") | envelope for _ in range(30)]
    with serve(stream(*many, STOP, "[DONE]")) as server:
        answered = open_stream(server, max_response_bytes=10_000)
        assert answered.completion.choices[0].message.content == "x" * 30


# --- what is no stream ------------------------------------------------------


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain"])
def test_a_whole_answer_becomes_a_stream_of_one_chunk(kind: str) -> None:
    with serve(answer(CHAT, content_type=kind)) as server:
        answered = open_stream(server)
        chunks = list(answered)
        assert [c.choices[0].delta.content for c in chunks] == ["Hello there!"]
        assert chunks[0].object == "chat.completion.chunk"
        assert answered.finished
        assert answered.completion == {**CHAT, "choices": CHAT["choices"]}


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_an_error_in_place_of_a_stream_is_raised(kind: str) -> None:
    body = {"error": {"message": "boom", "code": 404}}
    with serve(answer(body, content_type=kind)) as server:
        with pytest.raises(rawllm.NotFoundError, match="boom"):
            list(open_stream(server))


def test_an_error_that_is_known_at_once_is_raised_at_once() -> None:
    with serve(answer({"error": "boom"})) as server:
        with pytest.raises(rawllm.APIStatusError, match="boom"):
            open_stream(server)


NO_STREAM: dict[str, tuple[bytes, str, str]] = {
    "HTML": (b"<html><title>Sign in</title>", "text/html", "HTML"),
    "an empty body": (b"", "text/html", "an empty body"),
    "an empty stream": (b"", "text/event-stream", "an empty body"),
    "empty lines": (b"\n\n", "text/event-stream", "an empty body"),
    "plain text": (b"Ollama is running", "text/plain", "no event"),
    "JSON of another kind": (b'{"models": []}', "application/json", "without choices"),
    "broken JSON": (b'{"models": [', "application/json", "not JSON"),
    "choices that are none": (b'{"choices": ["x"]}', "application/json", "without choices"),
    "a list": (b"[1]", "application/json", "without choices"),
}


@pytest.mark.parametrize(("body", "kind", "words"), NO_STREAM.values(), ids=NO_STREAM)
def test_what_is_no_stream_names_the_url_and_the_likely_mistake(
    body: bytes, kind: str, words: str
) -> None:
    with serve(answer(body, content_type=kind)) as server:
        root = server.url.removesuffix("/v1")
        client = rawllm.Client(root, max_retries=0)
        with pytest.raises(rawllm.APIResponseValidationError) as caught:
            list(client.chat.completions.create(model="m", messages="x", stream=True))
    assert words in caught.value.message
    assert f"POST {root}/chat/completions" in caught.value.message
    assert f"did you mean {root}/v1?" in caught.value.message
    assert body.decode().strip()[:100] in caught.value.message


@pytest.mark.parametrize("body", [b"Ollama is running", b"x" * 2000], ids=["short", "long"])
def test_what_is_no_stream_is_shown_the_same_in_whichever_pieces_it_comes(body: bytes) -> None:
    shown = set()
    for pieces in ([body], [body[:1], body[1:]], [body[:9], body[9:]]):
        with playing() as wire, played.client() as client:
            wire.pieces = [head(content_length=str(len(body))), *pieces]
            with pytest.raises(rawllm.APIResponseValidationError, match="no event") as caught:
                client.chat("m", "x", stream=True)
        said = str(caught.value).partition("no event")[2].partition("\n")[0]
        shown.add((said, caught.value.body))
    assert shown == {(f" (no content type): {body.decode()[:200]}", body.decode()[:1000])}


def test_prompts_whose_answers_are_mixed_are_an_error() -> None:
    mixed = [{"choices": [{"index": 0, "text": t, "finish_reason": f}]} for t, f in PIECES]
    with serve(stream(*mixed, "[DONE]")) as server, rawllm.Client(server.url) as client:
        with pytest.raises(rawllm.IncompleteStreamError, match="1 of 2 choices"):
            list(client.completions.create(model="m", prompt=["x", "y"], stream=True))


def test_a_stream_without_a_content_type_is_still_a_stream() -> None:
    script = [head(transfer_encoding="chunked"), *(chunk(event(e)) for e in EVENTS), LAST_CHUNK]
    with serve(script) as server:
        assert list(open_stream(server)) == EVENTS[:-1]


def test_a_byte_order_mark_before_json_does_not_hide_it() -> None:
    body = b"\xef\xbb\xbf" + json.dumps(CHAT).encode()
    with serve(answer(body, content_type="text/event-stream")) as server:
        assert open_stream(server).completion == CHAT


def test_no_frame_of_an_error_in_a_stream_shows_the_key() -> None:
    with serve(sent(HELLO, end=End.FIN)) as server:
        client = rawllm.Client(server.url, "sk-very-secret")
        answered = client.chat.completions.create(model="m", messages="x", stream=True)
        with pytest.raises(rawllm.IncompleteStreamError) as caught:
            list(answered)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    mine = [
        f for t in (told, told.__cause__) for f in (t.stack if t else []) if "rawllm" in f.filename
    ]
    assert mine
    assert not any("sk-very-secret" in str(f.locals) for f in mine if "/tests/" not in f.filename)


def test_an_error_in_a_stream_keeps_what_the_caller_was_handling() -> None:
    with serve(stream("no JSON")) as server, rawllm.Client(server.url) as client:
        answered = client.chat("m", "x", stream=True)
        try:
            raise KeyError("mine")
        except KeyError:
            with pytest.raises(rawllm.StreamError) as caught:
                next(iter(answered))
    assert repr(caught.value.__context__) == "KeyError('mine')"


class Interrupted(requests.adapters.HTTPAdapter):
    """Somebody presses Ctrl-C while the body is read."""

    closed = False

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        headers = {"Content-Type": "text/event-stream"}
        raw = urllib3.HTTPResponse(self, headers, 200, preload_content=False)  # type: ignore[arg-type]
        return self.build_response(request, raw)

    def read1(self, *_: Any) -> bytes:
        raise KeyboardInterrupt

    read = read1

    def close(self) -> None:
        self.closed = True


def test_an_interrupt_closes_the_stream_and_is_raised() -> None:
    session, adapter = requests.Session(), Interrupted()
    session.mount("http://", adapter)
    with rawllm.Client("http://localhost/v1", session=session) as client:
        with pytest.raises(KeyboardInterrupt):
            list(client.chat("m", "x", stream=True))
        assert adapter.closed
