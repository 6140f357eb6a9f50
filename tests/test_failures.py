"""The whole text of each failure: what was asked, what happened, what can be done."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from rawllm import errors, failures, retries
from rawllm.answers import Message
from rawllm.echoes import Secrets
from rawllm.failures import Call
from rawllm.objects import Object
from rawllm.urls import shown

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=timezone.utc)

PORTS = {
    "ollama": 11434,
    "lmstudio": 1234,
    "vllm": 8000,
    "llama-server": 8080,
    "litellm": 4000,
    "unknown": 9999,
}


def call(
    server: str = "unknown", path: str = "/chat/completions", base_path: str = "/v1", **more: Any
) -> Call:
    base = f"http://localhost:{PORTS[server]}{base_path}"
    return Call("POST", f"{base}{path}", base, **{"model": "tiny", **more})


def answer(
    status: int, headers: Mapping[str, str] | None = None, reason: str = ""
) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.reason = reason
    response.headers.update({"Content-Type": "application/json", **(headers or {})})
    response.raw = io.BytesIO()
    return response


def status(
    asked: Call, code: int, text: str, headers: Mapping[str, str] | None = None
) -> errors.APIStatusError:
    return failures.status(asked, answer(code, headers), text, NOW)


def hint_of(error: errors.APIError) -> str:
    """The text's last line, if that is a hint."""
    last = error.message.split("\n")[-1]
    return last.removeprefix("Hint: ") if last.startswith("Hint: ") else ""


# --- without an answer ------------------------------------------------------

C = errors.APIConnectionError
T = errors.APITimeoutError

#: event: (class, what happened, what the hint says)
EVENTS: dict[str, tuple[type[errors.APIError], str, str]] = {
    "refused": (C, "connection refused (why)", "nothing listens on localhost:9999"),
    "unreachable": (C, "no connection (why)", "is localhost:9999 the right address"),
    "connect timeout": (
        T,
        "no connection within the connect timeout (why)",
        "is localhost:9999 the right address",
    ),
    "dropped": (C, "the connection closed before the answer was complete (why)", "its own log"),
    "timeout": (T, "nothing came for longer than the timeout (why)", "raise timeout="),
    "deadline": (T, "the deadline passed", "raise deadline="),
    "first_token_timeout": (
        T,
        "no content came within first_token_timeout",
        "raise first_token_timeout=, or shorten the prompt",
    ),
    "idle_timeout": (T, "no chunk came within idle_timeout", "raise idle_timeout="),
    "dns": (C, "the host's name could not be resolved (why)", "the spelling of localhost:9999"),
    "handshake": (C, "the TLS handshake was not answered (why)", "does not speak TLS"),
    "tls": (C, "TLS failed (why)", "verify="),
    "plain": (C, "TLS failed (why)", "does not speak TLS"),
    "proxy": (C, "the proxy failed (why)", "HTTP_PROXY"),
    "proxy left": (C, "the proxy closed the connection (why)", "HTTP_PROXY"),
    "protocol": (C, "the answer cannot be read (why)", "is http://localhost:9999/v1 the address"),
    "closed": (C, "close() was called", "it was closed"),
}


@pytest.mark.parametrize(
    ("event", "kind", "happened", "advice"),
    [(event, *row) for event, row in EVENTS.items()],
    ids=EVENTS,
)
def test_a_call_without_an_answer_says_what_happened_and_what_to_do(
    event: str, kind: type[errors.APIError], happened: str, advice: str
) -> None:
    error = failures.no_response(call(), event, OSError("why"))
    assert type(error) is kind
    assert error.message.split("\n")[0] == (
        f"POST http://localhost:9999/v1/chat/completions: {happened}"
    )
    assert advice in hint_of(error)


def test_a_server_that_speaks_tls_alone_is_told_as_such() -> None:
    error = failures.no_response(call(), "protocol", ValueError("not HTTP/1 but TLS"))
    assert "localhost:9999 speaks TLS: try https://" in hint_of(error)


@pytest.mark.parametrize("event", ["deadline", "first_token_timeout", "idle_timeout", "closed"])
def test_what_we_ended_ourselves_has_no_cause(event: str) -> None:
    assert failures.no_response(call(), event, OSError("why")).__cause__ is None


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("certificate verify failed: certificate has expired", "needs a new certificate"),
        ("certificate verify failed: certificate is not yet valid", "clock is wrong"),
        ("Hostname mismatch, certificate is not valid for 'llm.test'", "not localhost:9999"),
        ("IP address mismatch, certificate is not valid for '::1'", "not localhost:9999"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] alert", "cert="),
        ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] alert", "too old"),
        ("[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol", "too old"),
        ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] alert", "too old"),
        ("self-signed certificate", "verify="),
    ],
)
def test_tls_that_fails_says_what_to_do_about_it(said: str, advice: str) -> None:
    assert advice in hint_of(failures.no_response(call(), "tls", OSError(said)))


def test_what_a_server_said_at_length_is_kept_no_longer_than_it_is_shown() -> None:
    for length, kept in ((1600, True), (1601, False)):
        cause = OSError("x" * length)
        error = failures.no_response(call(), "protocol", cause)
        assert (error.__cause__ is cause) is kept
        assert len(error.message) < 2048


def test_a_handshake_that_takes_too_long_is_a_timeout() -> None:
    assert type(failures.no_response(call(), "handshake", TimeoutError())) is T


@pytest.mark.parametrize("cause", [ValueError("invalid literal for int()"), None])
def test_a_cause_that_says_nothing_is_not_shown(cause: Exception | None) -> None:
    error = failures.no_response(call(), "dropped", cause)
    assert "(" not in error.message
    assert error.__cause__ is cause


def test_a_servers_echo_of_the_key_is_hidden() -> None:
    secret = "sk-0123456789"
    asked = call()._replace(secret=Secrets({"X-Api-Key": secret}))
    text = f'{{"error":{{"message":"no key {secret}","code":"{secret}"}}}}'
    for error in (
        failures.status(asked, answer(401), text, NOW),
        failures.in_stream(asked, answer(200), text, None),
    ):
        assert secret not in str(vars(error))
        assert "no key ***" in error.message


REPEATED = {"Authorization": "Bearer sk-0123456789"}


SAID = "sk-0123456789 is wrong: sk-0123456789 \ufffd"


@pytest.mark.parametrize(
    "build",
    [
        lambda asked, response: failures.status(asked, response, SAID, NOW),
        lambda asked, response: failures.not_the_protocol(asked, response, SAID.encode(), "HTML"),
        lambda asked, response: failures.in_stream(asked, response, SAID, None),
    ],
    ids=["a status", "not the protocol", "in a stream"],
)
def test_what_a_response_repeats_is_hidden_in_a_copy(build: Any) -> None:
    response = answer(403, {"X-Echo": "sk-0123456789", "X-Other": "yes"}, "No sk-0123456789")
    response._content = b"sk-0123456789 is wrong: sk-0123456789 \xff"
    response.cookies.set("was", "sk-0123456789")
    before = str(vars(response))
    error = build(call()._replace(secret=Secrets(REPEATED)), response)
    assert str(vars(response)) == before
    safe: Any = getattr(error, "response", answer(403))
    assert "sk-0123456789" not in f"{error} {vars(error)} {vars(safe)} {safe.raw.getvalue()}"


def test_the_copy_has_all_else() -> None:
    response = answer(403, {"X-Echo": "sk-0123456789", "X-Other": "yes"}, "No sk-0123456789")
    response._content = b"not sk-0123456789 \xff"
    response.cookies.set("was", "sk-0123456789")
    asked = call()._replace(secret=Secrets(REPEATED))
    safe = failures.status(asked, response, "not sk-0123456789 \ufffd", NOW).response
    assert (safe.headers["x-echo"], safe.headers["X-Other"]) == ("***", "yes")
    assert (safe.content, safe.cookies["was"]) == (b"not *** \xff", "***")
    assert (safe.reason, safe.status_code) == ("No ***", 403)


def test_the_body_of_a_stream_is_not_read_for_a_copy() -> None:
    response = answer(200, {"X-Echo": "sk-0123456789"})
    asked = call()._replace(secret=Secrets(REPEATED))
    error = failures.not_the_protocol(asked, response, b"no sk-0123456789", "HTML")
    assert (error.body, error.response.content) == ("no ***", b"")
    assert vars(response)["_content_consumed"] is False


def test_a_response_that_repeats_nothing_is_the_one_that_came() -> None:
    asked, response = call()._replace(secret=Secrets(REPEATED)), answer(400, {"X-Echo": "sk-1"})
    response._content = b"no"
    assert failures.status(asked, response, "no", NOW).response is response


def test_what_is_kept_of_a_long_answer_is_bounded() -> None:
    response, most = answer(200), 1 << 20
    response._content = b"x" * most + b"y"
    error = failures.not_the_protocol(call(), response, response._content, "what is not JSON")
    assert error.body == error.response.text == "x" * most
    assert len(response.content) == most + 1
    assert len(failures.in_stream(call(), answer(200), "x" * (most + 1), None).body) == most


@pytest.mark.parametrize("kind", [OSError, ValueError])
def test_a_cause_that_repeats_a_secret_is_not_kept(kind: type[Exception]) -> None:
    asked = call()._replace(secret=Secrets(REPEATED))
    cause = kind("a certificate that has expired: sk-0123456789")
    for event in ("protocol", "tls", "closed", "deadline"):
        error = failures.no_response(asked, event, cause)
        assert "sk-0123456789" not in error.message
        assert error.__cause__ is None
    assert "needs a new certificate" in failures.no_response(asked, "tls", cause).message


def test_an_error_is_bared_of_the_frames_that_led_to_it() -> None:
    def fail() -> None:
        try:
            raise OSError("inner")
        except OSError as inner:
            raise errors.APIConnectionError("outer") from inner

    with pytest.raises(errors.APIConnectionError) as caught:
        fail()
    cause, mine = caught.value.__cause__, KeyError("mine")
    failures.bare(caught.value, mine)
    assert caught.value.__cause__ is cause is not None
    assert (cause.__traceback__, cause.__context__) == (None, None)
    assert (caught.value.__traceback__, caught.value.__context__) == (None, mine)


def test_without_a_cause_there_are_no_brackets() -> None:
    error = failures.no_response(call(), "dropped")
    assert "(" not in error.message


#: What the table of retries names and is an answer.
ANSWERED = {"quota", "bad request", "loading", "busy", "status"}


def test_every_event_of_the_table_of_retries_has_a_text() -> None:
    assert {event for event, *_ in retries.RULES} - ANSWERED <= EVENTS.keys()


@pytest.mark.parametrize(
    ("server", "command"),
    [
        ("ollama", "`ollama serve`"),
        ("lmstudio", "`lms server start`"),
        ("vllm", "`vllm serve MODEL`"),
        ("llama-server", "`llama-server -m MODEL.gguf --port 8080`"),
        ("litellm", "`litellm --config config.yaml`"),
        ("unknown", "is the server running, and is the port right?"),
    ],
)
def test_a_refused_connection_says_how_to_start_the_server_of_that_port(
    server: str, command: str
) -> None:
    error = failures.no_response(call(server), "refused")
    assert command in hint_of(error)
    assert f"localhost:{PORTS[server]}" in hint_of(error)


# --- with an error as its answer --------------------------------------------


def test_a_text_names_method_address_status_reason_words_and_hint() -> None:
    response = answer(404, {"x-request-id": "req_1"}, reason="Not Found")
    body = (
        '{"error":{"message":"model \'tiny\' not found","type":"not_found_error","param":"model",'
        '"code":"x"}}'
    )
    error = failures.status(call("ollama"), response, body, NOW)
    assert error.message == (
        "POST http://localhost:11434/v1/chat/completions answered 404 Not Found: "
        "model 'tiny' not found\nHint: pull it first: `ollama pull tiny`"
    )
    assert str(error) == error.message
    assert type(error) is errors.NotFoundError
    assert (error.status_code, error.response) == (404, response)
    assert (error.code, error.param, error.type) == ("x", "model", "not_found_error")
    assert error.request_id == "req_1"
    assert error.body == {
        "message": "model 'tiny' not found",
        "type": "not_found_error",
        "param": "model",
        "code": "x",
    }


def test_a_text_holds_no_secret_of_the_address() -> None:
    asked = call()._replace(
        url=shown("http://me:s3cret@localhost:9999/v1/models?key=s3cret"),
        method="GET",
        secret=Secrets({"X-Api-Key": "s3cret"}),
    )
    for error in (
        failures.no_response(asked, "refused", OSError("why")),
        status(asked, 401, '{"error":"Unauthorized"}'),
        failures.not_the_protocol(asked, answer(200), b"x", "what is not JSON"),
        failures.in_stream(asked, answer(200), '{"error":"x"}', None),
    ):
        assert error.message.startswith("GET http://localhost:9999/v1/models?key=***")
        assert "s3cret" not in error.message


#: name: (status, body, what the text says after the status)
WORDS: dict[str, tuple[int, str, str]] = {
    "no reason, no words": (502, "", "answered 502, without a word"),
    "JSON without words": (502, '{"a":1}', 'answered 502: {"a":1}'),
    "blanks around": (502, ' {"a":1}\n', 'answered 502: {"a":1}'),
    "text": (502, "Internal Server Error", "answered 502: Internal Server Error"),
    "HTML": (502, "<title>Bad Gateway</title>", "answered 502: Bad Gateway"),
    "fastapi: a list": (422, '{"detail":[{"loc":["a"],"msg":"No"}]}', "answered 422: a: No"),
}


@pytest.mark.parametrize(("code", "body", "says"), WORDS.values(), ids=WORDS)
def test_the_servers_own_words_stand_behind_the_status(code: int, body: str, says: str) -> None:
    assert status(call(), code, body).message == f"{call().line} {says}"


def test_an_answer_without_a_reason_is_told_as_well() -> None:
    response = answer(500)
    response.reason = None  # type: ignore[assignment]  # as HTTP/2 gateways leave it
    assert " answered 500: x" in failures.status(call(), response, "x", NOW).message


NO_MODEL = '{"error":{"message":"model \'tiny\' not found","code":404}}'


@pytest.mark.parametrize(
    ("server", "advice"),
    [
        ("ollama", "`ollama pull tiny`"),
        ("lmstudio", "`lms load tiny`"),
        ("vllm", "--served-model-name"),
        ("llama-server", "--models-dir"),
        ("litellm", "model_list"),
        ("unknown", "client.models.list() shows the models this server has"),
    ],
)
def test_a_missing_model_has_a_hint_for_each_server(server: str, advice: str) -> None:
    assert advice in hint_of(status(call(server), 404, NO_MODEL))


@pytest.mark.parametrize(
    ("headers", "advice"),
    [({"Server": "llama.cpp"}, "--models-dir"), ({"x-litellm-call-id": "1"}, "model_list")],
    ids=["llama-server", "litellm"],
)
def test_headers_tell_the_server_from_what_its_port_would(
    headers: dict[str, str], advice: str
) -> None:
    assert advice in hint_of(status(call("ollama"), 404, NO_MODEL, headers))


def test_headers_tell_the_server_for_a_prompt_too_long_too() -> None:
    body = '{"error":"the request exceeds the available context size"}'
    error = status(call("vllm"), 400, body, {"Server": "llama.cpp"})
    assert "--ctx-size" in hint_of(error)


def test_a_call_without_a_model_has_a_hint_with_its_place_held() -> None:
    assert "`ollama pull MODEL`" in hint_of(status(call("ollama", model=None), 404, NO_MODEL))


def test_a_base_url_without_v1_is_suspected() -> None:
    error = status(call("ollama", base_path=""), 404, "404 page not found")
    assert "did you mean http://localhost:11434/v1?" in hint_of(error)


def test_lmstudio_says_so_with_a_200() -> None:
    body = '{"error":"Unexpected endpoint or method. (POST /chat/completions)"}'
    error = status(call("lmstudio", base_path=""), 200, body)
    assert type(error) is errors.NotFoundError
    assert "did you mean http://localhost:1234/v1?" in hint_of(error)


def test_a_server_that_retrieves_no_single_model() -> None:
    error = status(call("vllm", path="/models/tiny"), 404, '{"detail":"Not Found"}')
    assert "cannot retrieve one model" in hint_of(error)


def test_a_server_without_the_path() -> None:
    error = status(call("vllm", path="/other"), 404, '{"detail":"Not Found"}')
    assert "no such path" in hint_of(error)


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("no key", "no key was sent: pass api_key= or set OPENAI_API_KEY"),
        ("withheld", "for localhost:9999 pass api_key="),
        ("refused key", "the key was refused"),
    ],
)
def test_a_401_says_whether_a_key_was_sent(key: str, advice: str) -> None:
    error = status(call(key=key), 401, '{"error":"Unauthorized"}')
    assert type(error) is errors.AuthenticationError
    assert advice in hint_of(error)


def test_without_saying_so_no_key_was_sent() -> None:
    assert "no key was sent" in hint_of(status(call(), 401, ""))


def test_a_model_that_loads() -> None:
    body = '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    error = status(call("llama-server"), 503, body)
    assert type(error) is errors.ModelLoadingError
    assert "loading_timeout=" in hint_of(error)


def test_an_empty_account() -> None:
    body = '{"error":{"message":"You exceeded your quota","code":"insufficient_quota"}}'
    error = status(call(), 429, body)
    assert type(error) is errors.RateLimitError
    assert "billing" in hint_of(error)


#: name: (Location, address in the hint)
LOCATIONS: dict[str, tuple[str, str]] = {
    "whole": ("https://there.example/v1", "https://there.example/v1"),
    "a path": ("/api/v1", "http://localhost:9999/api/v1"),
    "without scheme": ("//there.example/v1", "http://there.example/v1"),
    "with secrets": (
        "https://me:s3cret@there/v1?token=s3cret#s3cret",
        "https://there/v1?token=***",
    ),
    "no address": ("http://[", "http://["),
    "long": ("/" + "x" * 5000, "http://localhost:9999/" + "x" * 278 + "…"),
}


@pytest.mark.parametrize(("location", "shown"), LOCATIONS.values(), ids=LOCATIONS)
@pytest.mark.parametrize("code", [300, 302, 399])
def test_a_redirect_names_where_to(code: int, location: str, shown: str) -> None:
    error = status(call(), code, "", {"Location": location})
    assert type(error) is errors.APIStatusError
    assert hint_of(error) == f"it redirects to {shown}: give the address there as base_url"


def test_a_secret_is_hidden_that_a_location_has_between_control_characters() -> None:
    asked = call()._replace(secret=Secrets({"X-Api-Key": "sk-12345678"}))
    error = status(asked, 302, "", {"Location": "/sk-1234\x855678"})
    assert "it redirects to http://localhost:9999/***:" in hint_of(error)


@pytest.mark.parametrize(
    ("code", "headers"), [(302, {}), (400, {"Location": "/x"}), (201, {"Location": "/x"})]
)
def test_what_is_no_redirect(code: int, headers: dict[str, str]) -> None:
    assert hint_of(status(call(), code, "x", headers)) == ""


#: name: (server, body, prompt, context, what the hint says)
TOO_LONG: dict[str, tuple[str, str, int | None, int | None, str]] = {
    "llama-server": (
        "llama-server",
        '{"error":{"code":400,"message":"request (302 tokens) exceeds the available context size '
        '(256 tokens), try increasing it","type":"exceed_context_size_error",'
        '"n_prompt_tokens":302,"n_ctx":256}}',
        302,
        256,
        "--ctx-size (it is divided by --parallel) (302 tokens, where 256 fit)",
    ),
    "vllm: one count": (
        "vllm",
        '{"error":{"message":"This model\'s maximum context length is 2048 tokens. However, your '
        'prompt contains 72050 characters","code":400}}',
        None,
        2048,
        "--max-model-len",
    ),
    "lmstudio": (
        "lmstudio",
        '{"error":"... is greater than the context length"}',
        None,
        None,
        "`lms load tiny --context-length N`",
    ),
    "unknown": (
        "unknown",
        '{"error":{"message":"?","code":"context_length_exceeded"}}',
        None,
        None,
        "start the server with a larger context",
    ),
}


@pytest.mark.parametrize(
    ("server", "body", "prompt", "context", "advice"), TOO_LONG.values(), ids=TOO_LONG
)
def test_a_prompt_too_long_has_its_counts(
    server: str, body: str, prompt: int | None, context: int | None, advice: str
) -> None:
    error = status(call(server), 400, body)
    assert isinstance(error, errors.ContextLengthExceededError)
    assert (error.prompt_tokens, error.context_length) == (prompt, context)
    assert hint_of(error).endswith(advice)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": (NOW + timedelta(seconds=9)).strftime("%a, %d %b %Y %H:%M:%S GMT")}, 9.0),
    ],
    ids=["unsaid", "seconds", "a date"],
)
def test_a_rate_limit_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    error = status(call(), 429, "", headers)
    assert isinstance(error, errors.RateLimitError)
    assert error.retry_after == seconds


# --- what is not the protocol -----------------------------------------------


def test_what_is_not_the_protocol_is_shown() -> None:
    response = answer(200, {"Content-Type": "text/html", "x-request-id": "req_1"})
    page = b"  <html><body>Welcome to nginx!</body></html>\n"
    error = failures.not_the_protocol(call("ollama"), response, page, "HTML")
    assert error.message == (
        "POST http://localhost:11434/v1/chat/completions answered 200 with HTML (text/html): "
        "<html><body>Welcome to nginx!</body></html>\n"
        "Hint: is http://localhost:11434/v1 the address of an OpenAI-compatible server?"
    )
    assert error.body == "<html><body>Welcome to nginx!</body></html>"
    assert (error.response, error.status_code, error.request_id) == (response, 200, "req_1")


def test_an_empty_answer_without_a_content_type() -> None:
    response = answer(200)
    del response.headers["Content-Type"]
    error = failures.not_the_protocol(call(), response, b" \n", "an empty body")
    assert " answered 200 with an empty body (no content type)\nHint: " in error.message
    assert error.body is None


def test_bytes_that_are_no_text_are_shown_as_well_as_can_be() -> None:
    error = failures.not_the_protocol(call(), answer(200), b"\xff{", "what is not JSON")
    assert ": \ufffd{\n" in error.message


def test_its_first_200_characters_are_shown() -> None:
    error = failures.not_the_protocol(call(), answer(200), b"x" * 1000, "what is not JSON")
    assert f": {'x' * 200}\n" in error.message
    assert error.body == "x" * 1000


@pytest.mark.parametrize(
    ("base_path", "hint", "advice"),
    [
        ("/v1", None, "the address of an OpenAI-compatible server?"),
        ("/v1", "long", "max_response_bytes="),
        ("", None, "did you mean http://localhost:9999/v1?"),
        ("", "long", "max_response_bytes="),
    ],
)
def test_its_hint(base_path: str, hint: str | None, advice: str) -> None:
    asked = call(base_path=base_path)
    assert advice in hint_of(failures.not_the_protocol(asked, answer(200), b"", "x", hint))


# --- in a stream ------------------------------------------------------------

#: name: (text of the event, status, what the message says)
IN_STREAM: dict[str, tuple[str, int | None, str]] = {
    "vllm": (
        '{"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError",'
        '"param":null,"code":500}}',
        500,
        "EngineCore encountered an issue.",
    ),
    "litellm": ('{"error":{"message":"boom","type":null,"code":"500"}}', 500, "boom"),
    "llama-server": (
        '{"error":{"code":400,"message":"request (9 tokens) exceeds the available context size '
        '(8 tokens)","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}',
        400,
        "request (9 tokens) exceeds the available context size (8 tokens)\n"
        "Hint: shorten the conversation, or start the server with a larger context "
        "(9 tokens, where 8 fit)",
    ),
    "lmstudio": (
        '{"error":"... is greater than the context length"}',
        400,
        "... is greater than the context length\n"
        "Hint: shorten the conversation, or start the server with a larger context",
    ),
    "openai": (
        '{"type":"error","code":"rate_limit_exceeded","message":"Slow down"}',
        429,
        "Slow down",
    ),
    "ollama": ('{"error":"an error was encountered"}', None, "an error was encountered"),
    "words alone": (
        '{"error":"model x not found"}',
        None,
        "model x not found\nHint: client.models.list() shows the models this server has",
    ),
    "no JSON": ("boom", None, "boom"),
    "JSON without words": ('{"error":{"a":1}}', None, '{"error":{"a":1}}'),
}


@pytest.mark.parametrize(("text", "code", "says"), IN_STREAM.values(), ids=IN_STREAM)
def test_an_error_in_a_stream(text: str, code: int | None, says: str) -> None:
    partial = Object(choices=[])
    error = failures.in_stream(call(), answer(200, {"x-request-id": "req_1"}), text, partial)
    assert error.message == f"{call().line}: the server ended the stream with an error: {says}"
    assert error.status_code == code
    assert error.partial is partial
    assert error.request_id == "req_1"


def test_an_error_in_a_stream_has_the_servers_fields() -> None:
    body = {"message": "x", "code": 429, "param": "p", "type": "t"}
    text = '{"error":{"message":"x","code":429,"param":"p","type":"t"}}'
    error = failures.in_stream(call(), answer(200), text, None)
    assert (error.body, error.code, error.param, error.type) == (body, "429", "p", "t")


#: name: (choices, what had come)
PARTIAL: dict[str, tuple[list[dict[str, Any]], str]] = {
    "nothing": ([], "nothing had come"),
    "a chat": ([{"message": {"content": "Hello"}}], "5 characters of text had come"),
    "a completion": ([{"text": "Hello"}], "5 characters of text had come"),
    "two choices": (
        [{"message": {"content": "Hel"}}, {"message": {"content": "lo!"}}],
        "6 characters of text had come",
    ),
    "a role alone": ([{"message": {"role": "assistant"}}], "0 characters of text had come"),
    "content in parts": (
        [{"message": {"content": [{"type": "text", "text": "Hello"}]}}],
        "5 characters of text had come",
    ),
    "no content": ([{"message": {"content": None}}], "0 characters of text had come"),
    "reasoning alone": (
        [{"message": {"reasoning": "Well,"}}, {"message": {"reasoning_content": " so"}}],
        "no text but 8 characters of reasoning had come",
    ),
    "a tool call": ([{"message": {"content": "", "tool_calls": [{}]}}], "1 tool call had begun"),
    "two tool calls": ([{"message": {"tool_calls": [{}, {}]}}], "2 tool calls had begun"),
    "what is no tool call": ([{"message": {"tool_calls": 5}}], "0 characters of text had come"),
    "all of them": (
        [{"message": {"content": "Hello", "reasoning": "Well", "tool_calls": [{}]}}],
        "5 characters of text had come, and 1 tool call had begun",
    ),
    "reasoning and a call": (
        [{"message": {"content": "", "reasoning": "Well", "tool_calls": [{}, {}]}}],
        "no text but 4 characters of reasoning had come, and 2 tool calls had begun",
    ),
    "a legacy call": ([{"message": {"function_call": {"name": "f"}}}], "1 tool call had begun"),
}


@pytest.mark.parametrize(("choices", "got"), PARTIAL.values(), ids=PARTIAL)
def test_a_stream_that_ended_too_early_says_what_had_come(
    choices: list[dict[str, Any]], got: str
) -> None:
    partial = Object.from_json(json.dumps({"choices": choices}))
    for choice in partial["choices"]:
        if "message" in choice:
            Message.declare(choice.message)
    error = failures.incomplete(call(), "no finish_reason came\nHint: look", partial)
    assert error.message == (
        f"{call().line}: the stream ended before the answer did: no finish_reason came; {got} "
        "(see .partial)\nHint: look"
    )
    assert error.partial is partial


def test_its_hint_may_be_missing() -> None:
    error = failures.incomplete(call(), "why", {"choices": []})
    assert error.message.endswith("(see .partial)")


# --- all of them ------------------------------------------------------------

LONG = "x" * 100_000


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(status(call(), 500, LONG), id="text"),
        pytest.param(status(call(), 400, f'{{"error":"{LONG}"}}'), id="words"),
        pytest.param(status(call(), 400, f'{{"a":"{LONG}"}}'), id="JSON without words"),
        pytest.param(status(call(), 502, f"<title>{LONG}</title>"), id="HTML"),
        pytest.param(status(call(), 302, "", {"Location": f"/{LONG}"}), id="a redirect"),
        pytest.param(failures.no_response(call(), "protocol", OSError(LONG)), id="a cause"),
        pytest.param(
            failures.not_the_protocol(call(), answer(200), LONG.encode(), "HTML"), id="no protocol"
        ),
        pytest.param(
            failures.in_stream(call(), answer(200), f'{{"error":"{LONG}"}}', None), id="in a stream"
        ),
    ],
)
def test_a_text_is_to_be_read(error: errors.APIError) -> None:
    assert len(error.message.encode()) < 2048
    assert re.search("x{150}", error.message)


#: What a server may say instead of words, and the beginning of what is shown of it.
ODD = {
    "a control sequence": ("\x1b[31mred\x00\r\n", "\ufffd[31mred\ufffd"),
    "a lone surrogate": ("\ud800 bad", "\ufffd bad"),
    "blanks": ("a\tb\u00a0c\u2028d\n e", "a b c d\n e"),
    "a script that runs the other way": ("\u202etxt", "\ufffdtxt"),
    "Persian": ("می\u200cخواهم", "می\u200cخواهم"),
    "a family": ("👨\u200d👩\u200d👧 no", "👨\u200d👩\u200d👧 no"),
    "NULs without end": ("\0" * 5000, "\ufffd" * 100),
    "quotes and line breaks": ("'\"\n" * 2000, "'\"\n" * 100),
    "Chinese": ("模型" * 2000, "模型" * 100),
    "dense at first": ("模" * 1000 + "x" * 1000, "模" * 300),
}


@pytest.mark.parametrize(("said", "shown"), ODD.values(), ids=ODD)
def test_whatever_a_server_says_can_be_printed_and_is_bounded(said: str, shown: str) -> None:
    asked, page = call(), answer(200, {"Content-Type": said}, said)
    moved = answer(302, {"Location": f"http://x.test/{said}" * 100}, said)
    for error in (
        failures.status(asked, page, said, NOW),
        failures.status(asked, moved, said, NOW),
        failures.in_stream(asked, page, said, None),
        failures.not_the_protocol(asked, page, said.encode(errors="replace"), "what is not JSON"),
        failures.no_response(asked, "protocol", OSError(said)),
    ):
        assert len(error.message.encode()) < 2048
        assert len(repr(error).encode()) < 4096
        assert all(c.isprintable() or c in "\n\u200c\u200d" for c in error.message)
    assert (
        failures.status(asked, answer(500), said, NOW).message.partition(": ")[2].startswith(shown)
    )


def test_words_are_shown_whole_up_to_a_page() -> None:
    assert status(call(), 500, "x" * 1600).message.endswith(f": {'x' * 1600}")
    assert status(call(), 500, "x" * 1601).message.endswith(f": {'x' * 1600}…")
