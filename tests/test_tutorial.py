"""The tutorial's forty lines and rawllm, side by side: what works, and each fault it names.

`tests/test_docs.py` runs the tutorial's own code and checks its output; here
stands what each fault is, and what has no output to show.
"""

from __future__ import annotations

import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from rawllm import (
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    Client,
    ContextLengthExceededError,
    IncompleteStreamError,
    NotFoundError,
    StreamAPIError,
)

from .servers import (
    CHAT,
    EVENTS,
    LAST_CHUNK,
    STREAM_HEAD,
    End,
    Script,
    Server,
    Step,
    answer,
    chunk,
    event,
    head,
    piece,
    serve,
    stream,
)

EXAMPLES = Path(__file__).parents[1] / "docs/examples"
FORTY_LINES = EXAMPLES / "forty_lines.py"
PLAY = EXAMPLES / "play.py"

MESSAGES = [{"role": "user", "content": "Say hello."}]
DATA = 'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
FINISH = event(piece(finish="stop"))

OpenAI = runpy.run_path(str(FORTY_LINES))["OpenAI"]


@pytest.fixture(autouse=True)
def no_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "no netrc"))


def forty(server: Server) -> Any:
    return OpenAI(server.url, "key")


def rawllm(server: Server, **options: Any) -> Client:
    return Client(server.url, "key", **options)


def pieces(call: Callable[..., Iterator[str]], **options: Any) -> list[str]:
    return list(call("tiny", MESSAGES, **options))


def streamed(*data: bytes) -> bytes:
    return b"".join([STREAM_HEAD, *map(chunk, data), LAST_CHUNK])


class Told(threading.Event):
    """What the server waits for, no longer than `patience`, to be told that a piece has come."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self.patience = patience
        self.in_time = False

    def wait(self, timeout: float | None = None) -> bool:
        del timeout
        self.in_time = super().wait(self.patience)
        return True


# --- what works -------------------------------------------------------------


def test_both_get_the_same_whole_answer() -> None:
    with serve(answer(CHAT)) as server, rawllm(server) as client:
        assert forty(server).chat("tiny", MESSAGES) == client.chat("tiny", MESSAGES)
        details = forty(server).chat_completion("tiny", MESSAGES)
        completion = client.chat.completions.create(model="tiny", messages=MESSAGES)
        assert details["full_response"] == completion == CHAT
        assert details["content"] == completion.choices[0].message.content == "Hello there!"
        assert details["role"] == completion.choices[0].message.role
        assert details["finish_reason"] == completion.choices[0].finish_reason
        assert details["usage"] == completion.usage


def test_both_get_the_same_streamed_answer() -> None:
    with serve(stream(*EVENTS)) as server, rawllm(server) as client:
        naive = pieces(forty(server).stream_chat)
        assert naive == pieces(client.chat, stream=True) == ["Hello", " there!"]


def test_the_forty_lines_run_as_a_script() -> None:
    with serve(stream(*EVENTS)) as server:
        command = [sys.executable, str(FORTY_LINES), server.url, "tiny", "Say hello."]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        assert done.stdout == "Hello there!\n"
        assert server.requests[0].json["messages"] == MESSAGES


def test_the_tutorial_shows_the_forty_lines_as_they_are() -> None:
    tutorial = (EXAMPLES.parent / "tutorial.md").read_text(encoding="utf-8")
    source = FORTY_LINES.read_text(encoding="utf-8")
    code = source[source.index("class OpenAI") : source.index("\n\nif __name__")]
    assert f"\n{code.rstrip()}\n```\n" in tutorial


def test_the_forty_lines_are_some_forty_lines() -> None:
    source = FORTY_LINES.read_text(encoding="utf-8")
    code = source[source.index("class OpenAI") : source.index("\n\nif __name__")].splitlines()
    assert 40 <= len([line for line in code if line.strip() and line.strip()[0] != "#"]) < 50


def test_play_is_a_server_that_sends_the_bytes_of_a_file(tmp_path: Path) -> None:
    shown = tmp_path / "answer.http"
    shown.write_bytes(streamed(event(piece("Hello")), FINISH).replace(b"\r\n", b"\n"))
    command = [sys.executable, str(PLAY), "0", str(shown)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            with Client(server.stdout.readline().strip(), timeout=30) as client:
                assert pieces(client.chat, stream=True) == ["Hello"]
            assert server.stdout.readline() == "POST /v1/chat/completions HTTP/1.1\n"
        finally:
            server.kill()


# --- the request ------------------------------------------------------------


def test_settings_that_nobody_asked_for() -> None:
    with serve(answer(CHAT)) as server, rawllm(server) as client:
        forty(server).chat("tiny", MESSAGES)
        client.chat("tiny", MESSAGES)
        naive, ours = (request.json for request in server.requests)
    assert naive.keys() - ours.keys() == {"stream", "max_tokens", "temperature", "top_p"}
    assert ours == {"model": "tiny", "messages": MESSAGES}


def test_without_a_key_no_authorization() -> None:
    with serve(answer(CHAT)) as server, Client(server.url) as client:
        client.chat("tiny", MESSAGES)
        assert "authorization" not in server.requests[0].headers


def test_a_key_that_netrc_replaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve(answer(CHAT)) as server, rawllm(server) as client:
        forty(server).chat("tiny", MESSAGES)
        client.chat("tiny", MESSAGES)
        sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Basic bWU6c2VjcmV0", "Bearer key"]


def test_a_redirect_that_turns_the_post_into_a_get(capsys: pytest.CaptureFixture[str]) -> None:
    moved = answer(b"", 301, location="/v1/new/chat/completions")
    refused = answer({"detail": "Method Not Allowed"}, 405)
    with serve(moved, refused) as server:
        assert forty(server).chat("tiny", MESSAGES) is None
        sent = [(request.method, request.path) for request in server.requests]
    assert sent == [("POST", "/v1/chat/completions"), ("GET", "/v1/new/chat/completions")]
    assert "405" in capsys.readouterr().out

    with serve(moved) as server, rawllm(server) as client:
        with pytest.raises(APIStatusError, match=r"it redirects to .*/v1/new/chat") as caught:
            client.chat("tiny", MESSAGES)
        assert len(server.requests) == 1
    assert caught.value.status_code == 301


def test_a_slash_too_many() -> None:
    with serve(answer(CHAT)) as server, Client(f"{server.url}/") as client:
        OpenAI(f"{server.url}/", "key").chat("tiny", MESSAGES)
        client.chat("tiny", MESSAGES)
        paths = [request.path for request in server.requests]
    assert paths == ["/v1//chat/completions", "/v1/chat/completions"]


def test_a_connection_a_call() -> None:
    with serve(answer(CHAT)) as server, rawllm(server) as client:
        for one in (forty(server), client):
            one.chat("tiny", MESSAGES)
            one.chat("tiny", MESSAGES)
        assert [request.connection for request in server.requests] == [0, 1, 2, 2]


def test_no_timeout() -> None:
    with responses.RequestsMock() as network:
        network.post("http://localhost:8080/v1/chat/completions", json=CHAT)
        OpenAI("http://localhost:8080/v1", "key").chat("tiny", MESSAGES)
        sent: Any = network.calls[0].request
        assert sent.req_kwargs["timeout"] is None

    with serve([End.HOLD]) as server, rawllm(server, timeout=0.05) as client:
        with pytest.raises(APITimeoutError):
            client.chat("tiny", MESSAGES)
        assert client.with_options(timeout=None).timeout == (5.0, None)
        assert Client(server.url).timeout == (5.0, 600.0)


def test_a_trickle_that_no_timeout_of_a_socket_ends() -> None:
    ping: list[Step] = [chunk(b": still here\n\n"), Told(0.01)]
    trickle = [STREAM_HEAD, *ping * 1000]
    with serve(trickle) as server, rawllm(server, timeout=5) as client:
        with pytest.raises(IncompleteStreamError, match="the deadline passed"):
            pieces(client.chat, stream=True, deadline=0.5)
        assert server.left.wait(10)


# --- the answer -------------------------------------------------------------


def test_an_error_by_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    error = {
        "code": 400,
        "message": "request (302 tokens) exceeds the available context size (256 tokens)",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 302,
        "n_ctx": 256,
    }
    with serve(answer({"error": error}, 400)) as server, rawllm(server) as client:
        assert forty(server).chat("tiny", MESSAGES) is None
        assert "HTTP error: 400" in capsys.readouterr().out
        assert pieces(forty(server).stream_chat) == []
        for streaming in (False, True):
            with pytest.raises(ContextLengthExceededError) as caught:
                client.chat("tiny", MESSAGES, stream=streaming)
            assert (caught.value.prompt_tokens, caught.value.context_length) == (302, 256)


def test_no_second_try(capsys: pytest.CaptureFixture[str]) -> None:
    busy = answer({"error": {"message": "busy"}}, 503, retry_after_ms="1")
    with serve(busy, answer(CHAT)) as server:
        assert forty(server).chat("tiny", MESSAGES) is None
        assert "HTTP error: 503" in capsys.readouterr().out
    with serve(busy, answer(CHAT)) as server, rawllm(server) as client:
        assert client.chat("tiny", MESSAGES) == "Hello there!"


@pytest.mark.parametrize("body", [b"<html><title>Welcome to nginx!</title></html>", b""])
def test_a_200_that_is_not_an_answer(body: bytes) -> None:
    with serve(answer(body, content_type="text/html")) as server, rawllm(server) as client:
        with pytest.raises(requests.JSONDecodeError, match=r"^Expecting value"):
            forty(server).chat("tiny", MESSAGES)
        assert pieces(forty(server).stream_chat) == []
        for streaming in (False, True):
            with pytest.raises(APIResponseValidationError, match=r"HTML|empty body"):
                client.chat("tiny", MESSAGES, stream=streaming)


def test_an_error_with_a_200(capsys: pytest.CaptureFixture[str]) -> None:
    error = {"error": "Unexpected endpoint or method. (POST /chat/completions)"}
    with serve(answer(error)) as server, rawllm(server) as client:
        assert forty(server).chat("tiny", MESSAGES) is None
        assert capsys.readouterr().out == "No valid content in response\n"
        with pytest.raises(NotFoundError, match="Unexpected endpoint"):
            client.chat("tiny", MESSAGES)


def test_an_answer_without_text_looks_like_a_failure() -> None:
    """A tool call, as OpenAI sends it: `content` is null."""
    call: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": []}
    choice = {"index": 0, "message": call, "finish_reason": "tool_calls"}
    with serve(answer({"choices": [choice]})) as server, rawllm(server) as client:
        assert forty(server).chat("tiny", MESSAGES) is None
        assert client.chat("tiny", MESSAGES) == ""


# --- the stream -------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        [stream(piece("You may safely"))],
        [stream(piece("You may safely"), "[DONE]")],
        [head(version="1.0", content_type="text/event-stream"), event(piece("You may")), End.FIN],
    ],
    ids=["a clean end", "llama-cpp-python's [DONE]", "the end of the connection"],
)
def test_a_stream_that_ends_too_early(script: list[bytes | End]) -> None:
    with serve(script) as server, rawllm(server) as client:
        said = "".join(pieces(forty(server).stream_chat))
        assert said.startswith("You may")
        with pytest.raises(IncompleteStreamError, match="no finish_reason came") as caught:
            pieces(client.chat, stream=True)
        assert caught.value.partial.choices[0].message.content == said


def test_an_error_inside_the_stream() -> None:
    failed = {"error": {"message": "EngineCore encountered an issue.", "code": 500}}
    with serve(stream(piece("Hello"), failed, "[DONE]")) as server, rawllm(server) as client:
        with pytest.raises(KeyError, match="choices"):
            pieces(forty(server).stream_chat)
        with pytest.raises(StreamAPIError, match="EngineCore encountered an issue") as caught:
            pieces(client.chat, stream=True)
    assert caught.value.status_code == 500
    assert caught.value.partial.choices[0].message.content == "Hello"


def test_an_event_without_choices() -> None:
    usage = {"prompt_tokens": 29, "completion_tokens": 2, "total_tokens": 31}
    *chunks, done = EVENTS
    with serve(stream(*chunks, {"choices": [], "usage": usage}, done)) as server:
        with pytest.raises(IndexError):
            pieces(forty(server).stream_chat)
        with rawllm(server) as client:
            request: dict[str, Any] = {"model": "tiny", "messages": MESSAGES}
            completion = client.chat.completions.create(**request, stream=True).completion
    assert completion.usage == usage
    assert completion.choices[0].message.content == "Hello there!"


def test_text_read_as_iso_8859_1() -> None:
    sent = streamed((DATA % ("café", "null")).encode(), FINISH)
    with serve(sent) as server, rawllm(server) as client:
        assert pieces(forty(server).stream_chat) == ["cafÃ©"]
        assert pieces(client.chat, stream=True) == ["café"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/event-stream", "Ångström"),
        ("text/event-stream; charset=utf-8", "one\u2028two"),
        ("text/event-stream; charset=utf-8", "one\x85two"),
    ],
    ids=["a byte 85", "U+2028", "U+0085"],
)
def test_text_split_within_the_json(kind: str, text: str) -> None:
    sent = head(content_type=kind) + (DATA % (text, '"stop"')).encode()
    with serve([sent, End.FIN]) as server, rawllm(server) as client:
        with pytest.raises(ValueError, match="Unterminated string"):
            pieces(forty(server).stream_chat)
        assert pieces(client.chat, stream=True) == [text]


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_character_that_comes_in_two_reads_is_whole_for_both(cut: int) -> None:
    """requests decodes step by step; it is what it decodes that it guesses."""
    sent = (DATA % ("\N{SLICE OF PIZZA}", '"stop"')).encode()
    place = sent.index("\N{SLICE OF PIZZA}".encode()) + cut
    kind = head(content_type="text/event-stream; charset=utf-8", transfer_encoding="chunked")
    with serve([kind, chunk(sent[:place]), chunk(sent[place:]), LAST_CHUNK]) as server:
        assert pieces(forty(server).stream_chat) == ["\N{SLICE OF PIZZA}"]
        with rawllm(server) as client:
            assert pieces(client.chat, stream=True) == ["\N{SLICE OF PIZZA}"]


def test_data_without_a_space() -> None:
    sent = streamed(*(event(e).replace(b"data: ", b"data:") for e in EVENTS))
    with serve(sent) as server, rawllm(server) as client:
        assert pieces(forty(server).stream_chat) == []
        assert pieces(client.chat, stream=True) == ["Hello", " there!"]


def test_tokens_held_back() -> None:
    def naive(server: Server) -> Iterator[str]:
        found: Iterator[str] = forty(server).stream_chat("tiny", MESSAGES)
        return found

    assert not comes_at_once(naive, patience=0.1)
    assert comes_at_once(lambda server: rawllm(server).chat("tiny", MESSAGES, stream=True))


def comes_at_once(read: Callable[[Server], Iterator[str]], patience: float = 10.0) -> bool:
    """Whether a piece is handed out before the next is sent, which waits for that `patience`.

    The framing is mlx-lm's: the end of the connection is the end of the body.
    """
    told = Told(patience)
    kind = head(version="1.0", content_type="text/event-stream")
    with serve([kind, event(piece("Hello")), told, FINISH, End.FIN]) as server:
        for said in read(server):
            assert said == "Hello"
            told.set()
    return told.in_time


def test_leaving_early_closes_the_connection() -> None:
    hold: Script = [STREAM_HEAD, chunk(event(piece("Hello"))), End.HOLD]
    with serve(hold) as server, rawllm(server) as client:
        for _ in client.chat("tiny", MESSAGES, stream=True):
            break
        assert server.left.wait(10)
