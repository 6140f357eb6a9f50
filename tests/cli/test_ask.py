"""`rawllm ask`: what is sent, what is printed where, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from tests.cli.conftest import Ended, Run
from tests.cli.servers import error, models
from tests.live.server import free_port
from tests.servers import (
    CHAT,
    EVENTS,
    LAST_CHUNK,
    STREAM_HEAD,
    End,
    Script,
    answer,
    chunk,
    event,
    head,
    piece,
    serve,
    stream,
)

HELLO = stream(*EVENTS)


def said(message: Any, finish: str | None = "stop", **more: Any) -> bytes:
    """A whole answer of one choice."""
    choice = {"index": 0, "finish_reason": finish, "message": message}
    return answer(CHAT | {"choices": [choice]} | more)


def ended(*events: Any) -> bytes:
    """A stream that begins as all do."""
    return stream(piece(role="assistant"), *events, "[DONE]")


# --- what is sent -----------------------------------------------------------


def sent(run: Run, *argv: str, piped: bytes = b"", answered: bytes = HELLO) -> Any:
    """The body of the request that a command sends."""
    with serve(answered) as server:
        over = run("ask", "-m", "m", "--base-url", server.url, *argv, piped=piped)
        assert over.code == 0, over.err
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/v1/chat/completions")
        return request.json


def test_a_question_is_sent_as_a_stream_and_nothing_more(run: Run) -> None:
    messages = [{"role": "user", "content": "Why?"}]
    assert sent(run, "Why?") == {"model": "m", "messages": messages, "stream": True}


@pytest.mark.parametrize("option", ["--no-stream", "--json"])
def test_a_whole_answer_is_asked_for_without_stream(run: Run, option: str) -> None:
    body = sent(run, "Why?", option, answered=answer(CHAT))
    assert body == {"model": "m", "messages": [{"role": "user", "content": "Why?"}]}


def test_a_system_message_comes_first(run: Run) -> None:
    body = sent(run, "Why?", "-s", "Be brief.")
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Why?"},
    ]


@pytest.mark.parametrize(
    ("argv", "piped", "content"),
    [
        pytest.param(["Why?"], b"", "Why?", id="question"),
        pytest.param([], b"Why?\n", "Why?", id="stdin"),
        pytest.param(["Why?"], b"a log\n\n", "a log\n\nWhy?", id="both"),
        pytest.param(["Why?"], b" \n", "Why?", id="blank-stdin"),
        pytest.param([" "], b"Why?", "Why?", id="blank-question"),
        pytest.param(["Why?"], b"  indented: n\xc3\xa9", "  indented: né\n\nWhy?", id="as-it-is"),
        pytest.param([], b"\xff?", "\ufffd?", id="not-utf-8"),
        pytest.param(["--", "-5?"], b"", "-5?", id="begins-with-a-dash"),
    ],
)
def test_stdin_goes_before_the_question(
    run: Run, argv: list[str], piped: bytes, content: str
) -> None:
    assert sent(run, *argv, piped=piped)["messages"][0]["content"] == content


def test_without_any_question_it_says_how_to_ask(run: Run) -> None:
    assert run("ask", "-m", "m", "--base-url", "localhost") == (
        2,
        "",
        'rawllm: no question: `rawllm ask "Why?"`, or pipe one in\n',
    )


@pytest.mark.parametrize(
    ("given", "value"),
    [
        pytest.param("x=0.5", 0.5, id="number"),
        pytest.param("x=true", True, id="true"),
        pytest.param("x=null", None, id="null-is-sent"),
        pytest.param('x={"a": [1]}', {"a": [1]}, id="object"),
        pytest.param("x=text", "text", id="text"),
        pytest.param('x="0"', "0", id="text-that-looks-like-a-number"),
        pytest.param("x=a=b", "a=b", id="equals"),
        pytest.param("x=", "", id="empty"),
        pytest.param("x=" + "[" * 60_000, "[" * 60_000, id="too-deep-for-json"),
    ],
)
def test_an_option_goes_into_the_request(run: Run, given: str, value: Any) -> None:
    assert sent(run, "Why?", "-o", given)["x"] == value


def test_options_add_up_and_the_last_counts(run: Run) -> None:
    body = sent(run, "Why?", "-o", "a=1", "--option", "b=2", "-o", "a=3", "-o", "timeout=4")
    assert (body["a"], body["b"], body["timeout"]) == (3, 2, 4)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param("temperature", "'temperature' is not KEY=VALUE", id="no-equals"),
        pytest.param("=1", "'=1' is not KEY=VALUE", id="no-key"),
        pytest.param("model=m", "model is said by -m", id="model"),
        pytest.param("stream=true", "stream is said by --no-stream", id="stream"),
        pytest.param("messages=[]", "messages is said by the question and -s", id="messages"),
        pytest.param("x=NaN", "x is NaN or infinite", id="what-json-cannot-carry"),
    ],
)
def test_an_option_that_cannot_be_is_a_usage_error(run: Run, given: str, words: str) -> None:
    with serve(HELLO) as server:
        over = run("ask", "Why?", "-m", "m", "--base-url", server.url, "-o", given)
        assert (over.code, over.out) == (2, "")
        assert words in over.err
        assert server.requests == []


def test_the_first_model_is_asked_where_none_is_named(run: Run) -> None:
    with serve(models("tiny", "big"), HELLO) as server:
        over = run("ask", "Why?", "--base-url", server.url)
        assert over[:2] == (0, "Hello there!\n")
        assert over.err.startswith(f"rawllm: asking tiny, the first model of {server.url}")
        assert server.requests[1].json["model"] == "tiny"


def test_a_server_without_models_cannot_be_asked(run: Run) -> None:
    with serve(models()) as server:
        over = run("ask", "Why?", "--base-url", server.url)
        assert (over.code, over.out) == (1, "")
        assert "lists no model" in over.err


def test_a_server_is_found(run: Run) -> None:
    with serve(models("tiny"), models("tiny"), HELLO) as server:
        over = run("ask", "Why?", ports=[server.port])
        assert over[:2] == (0, "Hello there!\n")
        assert [line.split()[1] for line in over.err.splitlines()] == ["found", "asking"]


# --- what is printed --------------------------------------------------------


def asked(run: Run, answered: Script | bytes, *argv: str) -> Ended:
    with serve(answered) as server:
        return run("ask", "Why?", "-m", "m", "--base-url", server.url, *argv)


@pytest.mark.parametrize(
    ("text", "out"),
    [
        pytest.param("Hello", "Hello\n", id="line-is-ended"),
        pytest.param("Hello\n", "Hello\n", id="line-has-ended"),
        pytest.param("Hello\n\n", "Hello\n\n", id="nothing-is-taken-away"),
    ],
)
def test_the_text_is_printed_and_its_line_ends(run: Run, text: str, out: str) -> None:
    streamed = ended(piece(text[:3]), piece(text[3:]), piece(finish="stop"))
    whole = said({"role": "assistant", "content": text})
    assert asked(run, streamed) == (0, out, "")
    assert asked(run, whole, "--no-stream") == (0, out, "")


def test_what_the_model_thought_is_not_its_answer(run: Run) -> None:
    thinks = piece(reasoning_content="hm")
    assert asked(run, ended(thinks, piece("Hi", finish="stop"))) == (0, "Hi\n", "")
    whole = said({"content": "Hi", "reasoning_content": "hm"})
    assert asked(run, whole, "--no-stream") == (0, "Hi\n", "")


LENGTH = "the answer was cut at max_tokens, or where the context was full"
FILTER = "the answer was cut by a content filter"
TOOLS = "the answer calls tools; --json shows them"
NO_TEXT = "the answer has no text; --json shows what it has"
CALL = {"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    ("message", "finish", "out", "notes"),
    [
        pytest.param({"content": "Hi"}, "length", "Hi\n", [LENGTH], id="length"),
        pytest.param({"content": "Hi"}, "content_filter", "Hi\n", [FILTER], id="filter"),
        pytest.param({"tool_calls": [CALL]}, "tool_calls", "", [TOOLS], id="tools"),
        pytest.param({"content": "Hi", "tool_calls": [CALL]}, "stop", "Hi\n", [TOOLS], id="both"),
        pytest.param(
            {"function_call": CALL["function"]}, "function_call", "", [TOOLS], id="function"
        ),
        pytest.param({"refusal": "I won't."}, "stop", "I won't.\n", [], id="refusal"),
        pytest.param(
            {"content": "Hm", "refusal": "No."}, "stop", "Hm\nNo.\n", [], id="text-and-refusal"
        ),
        pytest.param({"content": ""}, "stop", "", [NO_TEXT], id="nothing"),
        pytest.param({"reasoning": "hm"}, "length", "", [LENGTH, NO_TEXT], id="thought-alone"),
        pytest.param(
            {"content": "Hi"},
            "repetition",
            "Hi\n",
            ["the answer ended with finish_reason repetition"],
            id="any-other-end",
        ),
    ],
)
def test_an_answer_that_is_whole_but_odd_is_noted(
    run: Run, message: Any, finish: str, out: str, notes: list[str], streamed: bool
) -> None:
    events = ended(piece(**message), piece(finish=finish))
    whole = said({"role": "assistant"} | message, finish)
    over = asked(run, events) if streamed else asked(run, whole, "--no-stream")
    assert over == (0, out, "".join(f"rawllm: {note}\n" for note in notes))


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param({"finish_reason": "stop"}, id="no-message"),
        pytest.param({"finish_reason": "stop", "message": None}, id="null"),
        pytest.param(
            {"finish_reason": "stop", "message": {"refusal": ["no"]}}, id="refusal-in-a-list"
        ),
        pytest.param({"finish_reason": "stop", "message": {"refusal": 1}}, id="refusal-of-one"),
        pytest.param({"finish_reason": "stop", "message": {"refusal": {}}}, id="refusal-of-none"),
    ],
)
def test_a_choice_without_a_message_has_no_text(run: Run, choice: Any) -> None:
    over = asked(run, answer(CHAT | {"choices": [choice]}), "--no-stream")
    assert over == (0, "", f"rawllm: {NO_TEXT}\n")


@pytest.mark.parametrize("argv", [(), ("--no-stream",), ("--json",)], ids=str)
def test_an_answer_without_a_choice_is_none(run: Run, argv: tuple[str, ...]) -> None:
    code, out, err = asked(run, body := answer(CHAT | {"choices": []}), *argv)
    assert code == 7
    assert out == (body.partition(b"\r\n\r\n")[2].decode() + "\n" if "--json" in argv else "")
    assert "an empty list of choices" in err


ABORTED = "the answer ended with finish_reason abort"
MAYBE = "the answer may be cut: it has no finish_reason"


@pytest.mark.parametrize("argv", [(), ("--no-stream",), ("--json",)], ids=str)
@pytest.mark.parametrize(
    ("finish", "code", "note"),
    [
        pytest.param("abort", 7, ABORTED, id="abort"),
        pytest.param("", 7, MAYBE, id="empty"),
        pytest.param(None, 7, MAYBE, id="null"),
        pytest.param("length", 0, LENGTH, id="length"),
    ],
)
def test_a_whole_answer_is_judged_by_its_finish_reason_once_it_is_printed(
    run: Run, finish: str | None, code: int, note: str, argv: tuple[str, ...]
) -> None:
    over = asked(run, said({"content": "Hi"}, finish), *argv)
    assert over.code == code
    noted = "" if "--json" in argv and code == 0 else f"rawllm: {note}\n"
    assert over.err == noted
    text = json.loads(over.out)["choices"][0]["message"]["content"] if argv == ("--json",) else None
    assert (text or over.out) == ("Hi" if text else "Hi\n")


@pytest.mark.parametrize("argv", [("--no-stream",), ("--json",)], ids=str)
def test_a_whole_answer_that_ends_with_an_error_is_one(run: Run, argv: tuple[str, ...]) -> None:
    over = asked(run, said({"content": "Hi"}, "error"), *argv)
    assert over.code == 1
    assert "Hi" in over.out
    assert over.err == "rawllm: the answer ended with finish_reason error\n"


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_of_several_choices_the_first_that_comes_is_printed_and_noted(
    run: Run, streamed: bool
) -> None:
    """The notes are of the same choice, whatever its index is."""
    two = {"index": 1, "delta": {"content": "two"}, "finish_reason": "length"}
    one = {"index": 0, "delta": {"content": "one"}, "finish_reason": "stop"}
    events = stream({"choices": [two]}, {"choices": [one]}, "[DONE]")
    whole = [{**choice, "message": choice["delta"]} for choice in (two, one)]
    body = events if streamed else answer(CHAT | {"choices": whole})
    over = asked(run, body, "-o", "n=2", *([] if streamed else ["--no-stream"]))
    assert over == (0, "two\n", f"rawllm: {LENGTH}\nrawllm: 2 choices; --json shows them\n")


def test_json_is_the_whole_answer_as_it_came(run: Run) -> None:
    body = (
        rb'{"choices": [{"x": null, "finish_reason": "stop", "message": {"content": "n\u00e9"}}],'
        b'\n "timings": {"ms": 0.50, "big": 1e400, "id": 12345678901234567890.5}}'
    )
    assert asked(run, answer(body), "--json") == (0, f"{body.decode()}\n", "")


# --- how it fails -----------------------------------------------------------


@pytest.mark.parametrize("argv", [(), ("--no-stream",), ("--json",)], ids=str)
@pytest.mark.parametrize(
    ("answered", "code", "words"),
    [
        pytest.param([error(400, "no")], 1, "answered 400 Whatever: no", id="400"),
        pytest.param([error(401, "no")], 4, "--api-key", id="401"),
        pytest.param([error(403, "no")], 4, "answered 403", id="403"),
        pytest.param([error(429, "slower", retry_after="999")], 5, "slower", id="429"),
        pytest.param([End.HOLD], 6, "raise --timeout", id="silence"),
        pytest.param([answer(b"<html>")], 7, "html", id="html"),
    ],
)
def test_a_failure_has_its_code_and_leaves_stdout_empty(
    run: Run, answered: Script, code: int, words: str, argv: tuple[str, ...]
) -> None:
    over = asked(run, answered, "--timeout", "0.3", *argv)
    assert over[:2] == (code, "")
    assert over[2].startswith("rawllm: POST http://")
    assert words in over[2]


def test_no_connection(run: Run) -> None:
    url = f"http://localhost:{free_port()}/v1"
    code, out, err = run("ask", "Why?", "-m", "m", "--base-url", url)
    assert (code, out) == (3, "")
    assert err.startswith(f"rawllm: POST {url}/chat/completions: connection refused")


@pytest.mark.parametrize("argv", [("--no-stream",), ("--json",)], ids=str)
@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param(End.FIN, 7, id="closed"),
        pytest.param(End.RST, 7, id="reset"),
        pytest.param(End.HOLD, 6, id="silence"),
    ],
)
def test_a_whole_answer_that_breaks_is_not_printed(
    run: Run, argv: tuple[str, ...], ending: End, code: int
) -> None:
    """Its code says that a part had come; that there is no connection would be wrong."""
    begun = head(content_type="application/json", content_length="999")
    over = asked(run, [begun, b"{", ending], "--timeout", "0.5", *argv)
    assert over[:2] == (code, "")
    assert over.err.startswith("rawllm: POST http://")


@pytest.mark.parametrize("argv", [(), ("--no-stream",), ("--json",)], ids=str)
def test_to_stream_is_the_advice_to_who_did_not(run: Run, argv: tuple[str, ...]) -> None:
    over = asked(run, [End.HOLD], "--timeout", "0.3", *argv)
    assert over.err.splitlines()[-1].startswith("Hint: raise --timeout")
    assert ("leave out --json and --no-stream" in over.err) is bool(argv)


def test_no_server_anywhere(run: Run) -> None:
    code, out, err = run("ask", "Why?", ports=[])
    assert (code, out) == (3, "")
    assert err.startswith("rawllm: no server was found")


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param([LAST_CHUNK], 7, id="cut"),
        pytest.param([End.FIN], 7, id="closed"),
        pytest.param([End.RST], 7, id="reset"),
        pytest.param([End.HOLD], 7, id="silence"),
        pytest.param([chunk(event("{not json"))], 7, id="not-json"),
        pytest.param([chunk(event({"error": {"message": "m", "code": 500}}))], 1, id="500"),
        pytest.param([chunk(event({"error": {"message": "m", "code": 429}}))], 5, id="429"),
        pytest.param([chunk(event({"error": {"message": "m", "code": 401}}))], 4, id="401"),
    ],
)
def test_a_stream_that_breaks_leaves_what_came_on_stdout(
    run: Run, ending: Script, code: int
) -> None:
    begun = [STREAM_HEAD, chunk(event(piece("Hello")))]
    over = asked(run, [*begun, *ending], "--timeout", "0.3")
    assert over[:2] == (code, "Hello\n")
    assert over[2].startswith("rawllm: POST http://")


def test_a_model_that_is_missing_is_answered_with_the_closest(run: Run) -> None:
    with serve(error(404, "model 'tny' not found"), models("big", "tiny")) as server:
        code, out, err = run("ask", "Why?", "-m", "tny", "--base-url", server.url)
        assert (code, out) == (1, "")
        first, hint, closest = err.splitlines()
        assert first.endswith("model 'tny' not found")
        assert hint == "Hint: `rawllm models` shows the models this server has"
        assert closest == "rawllm: the closest that it has: tiny, big"


# --- as curl ----------------------------------------------------------------


def test_curl_sends_nothing(run: Run) -> None:
    with serve(HELLO) as server:
        over = run("ask", "Why?", "-m", "m", "--curl", "--base-url", server.url)
        assert (over.code, over.err) == (0, "")
        assert over.out.startswith(
            f"curl -sS -g -N --noproxy '*' {server.url}/chat/completions \\\n"
        )
        assert server.requests == []


def test_curl_is_shown_for_the_first_model_where_none_is_named(run: Run) -> None:
    with serve(models("tiny")) as server:
        over = run("ask", "Why?", "--curl", "--base-url", server.url)
        assert '"model": "tiny"' in over.out
        assert [request.method for request in server.requests] == ["GET"]


@pytest.mark.parametrize("argv", [("--json",), ("--no-stream",)], ids=str)
def test_curl_of_a_whole_answer_does_not_stream(run: Run, argv: tuple[str, ...]) -> None:
    out = run("ask", "Why?", "-m", "m", "--curl", "--base-url", "localhost", *argv).out
    assert " -N " not in out
    assert '"stream"' not in out


def test_curl_never_shows_the_key(run: Run) -> None:
    over = run(
        *("ask", "Why?", "-m", "m", "--curl"), *("--base-url", "localhost", "--api-key", "sk-1234")
    )
    assert "sk-1234" not in over.out + over.err
    assert "$OPENAI_API_KEY" in over.out


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://me:secret@localhost/v1", id="password"),
        pytest.param("http://localhost/v1?api_key=secret", id="parameter"),
    ],
)
def test_curl_refuses_to_show_another_secret(run: Run, url: str) -> None:
    over = run("ask", "Why?", "-m", "m", "--curl", "--base-url", url)
    assert (over.code, over.out) == (2, "")
    assert "secrets" in over.err
    assert "secret@" not in over.err


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
@pytest.mark.parametrize(
    ("argv", "piped"),
    [
        pytest.param([], b"", id="plain"),
        pytest.param(["--no-stream"], b"", id="whole"),
        pytest.param(["-s", "$HOME `id` 'one' \"two\" !!"], b"", id="quotes"),
        pytest.param(["-o", "temperature=0", "-o", "stop=@x", "-o", "n=null"], b"", id="options"),
        pytest.param([], "né 😀\n\ttab\\ \r\nend %s".encode(), id="any-text"),
        pytest.param(["--api-key", "sk-one"], b"", id="key"),
        pytest.param([], "né '$HOME' \\ JSON\nJSON\n".encode() * 9000, id="large"),
    ],
)
def test_curl_sends_what_ask_would_have_sent(
    run: Run, argv: list[str], piped: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org's")
    answered = answer(CHAT) if "--no-stream" in argv else HELLO
    with serve(answered) as server:
        url = f"{server.url}?a=1&b=2 3&c=[1-2]"
        command = ["ask", "Why?", "-m", "m/é", "--base-url", url, *argv]
        assert run(*command, piped=piped).code == 0
        shown = run(*command, "--curl", piped=piped).out
        proxy = {"http_proxy": "http://127.0.0.1:9"}
        environment = os.environ | {"OPENAI_API_KEY": "sk-one"} | proxy
        subprocess.run(
            ["sh"], input=shown.encode(), env=environment, capture_output=True, check=True
        )
        mine, curls = server.requests
    assert curls.json == mine.json
    assert (curls.method, curls.path) == (mine.method, mine.path)
    for name in ("content-type", "authorization", "openai-organization"):
        assert curls.headers.get(name) == mine.headers.get(name)
