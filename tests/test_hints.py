"""What a person can do: the rows of the table, and which of them an answer is."""

from __future__ import annotations

import time
from string import Formatter

import pytest
from requests.structures import CaseInsensitiveDict

from rawllm.envelopes import Envelope, parse
from rawllm.hints import HINTS, PORTS, hint, server_at, server_of, situation

# --- sentences --------------------------------------------------------------

#: name: (situation, server, what the sentence must say)
SENTENCES: dict[str, tuple[str, str | None, str]] = {
    "ollama: no model": ("model", "ollama", "`ollama pull tiny`"),
    "lmstudio: no model": ("model", "lmstudio", "`lms load tiny`"),
    "vllm: no model": ("model", "vllm", "--served-model-name"),
    "llama-server: no model": ("model", "llama-server", "--models-dir"),
    "litellm: no model": ("model", "litellm", "model_list"),
    "any: no model": ("model", None, "client.models.list()"),
    "ollama: refused": ("refused", "ollama", "`ollama serve`"),
    "lmstudio: refused": ("refused", "lmstudio", "`lms server start`"),
    "vllm: refused": ("refused", "vllm", "`vllm serve MODEL`"),
    "llama-server: refused": ("refused", "llama-server", "`llama-server -m"),
    "litellm: refused": ("refused", "litellm", "`litellm --config"),
    "any: refused": ("refused", None, "nothing listens on localhost:1"),
    "llama-server: too long": ("context", "llama-server", "--ctx-size"),
    "vllm: too long": ("context", "vllm", "--max-model-len"),
    "lmstudio: too long": ("context", "lmstudio", "`lms load tiny --context-length N`"),
    "any: too long": ("context", None, "shorten the conversation"),
    "any: no path": ("path", None, "no such path"),
    "any: no /v1": ("v1", None, "did you mean http://localhost:1/v1?"),
    "any: one model": ("retrieve", None, "client.models.list()"),
    "any: no key": ("no key", None, "api_key="),
    "any: the key was withheld": ("withheld", None, "for localhost:1 pass api_key="),
    "any: the key was refused": ("refused key", None, "refused"),
    "any: loading": ("loading", None, "loading_timeout="),
    "any: quota": ("quota", None, "billing"),
    "any: redirect": ("redirect", None, "it redirects to http://there"),
    "any: no method": ("method", None, "does not take this method"),
    "any: the log": ("log", None, "log"),
    "llama-cpp-python: interrupted": ("interrupted", None, "--interrupt_requests false"),
    "llama-server: too long for the batch": ("batch", None, "--ubatch-size"),
    "any: no such host": ("dns", None, "spelling of localhost:1"),
    "any: certificate": ("tls", None, "verify="),
    "any: an expired certificate": ("dates", None, "clock"),
    "any: a certificate of another host": ("name", None, "not localhost:1"),
    "any: no certificate of ours": ("certificate", None, "cert="),
    "any: no TLS in common": ("no agreement", None, "too old"),
    "any: TLS": ("https", None, "localhost:1 speaks TLS: try https://"),
    "any: no TLS": ("plain", None, "http://"),
    "any: proxy": ("proxy", None, "NO_PROXY"),
    "any: unreachable": ("unreachable", None, "is localhost:1 the right address"),
    "any: timeout": ("timeout", None, "timeout="),
    "any: deadline": ("deadline", None, "deadline="),
    "any: no first token": ("first_token_timeout", None, "first_token_timeout="),
    "any: no more chunks": ("idle_timeout", None, "idle_timeout="),
    "any: dropped": ("dropped", None, "its own log"),
    "any: closed": ("closed", None, "closed"),
    "any: another protocol": ("not the protocol", None, "is http://localhost:1 the address"),
    "any: too many bytes": ("long", None, "max_response_bytes="),
    "llama-cpp-python: an empty stream": ("empty stream", None, "llama-cpp-python"),
    "any: cut": ("cut", None, "strict_streams=False"),
    "ollama: a failed generation": ("failed generation", None, "Ollama"),
}

FACTS = {
    "model": "tiny",
    "place": "localhost:1",
    "base": "http://localhost:1",
    "location": "http://there",
}


@pytest.mark.parametrize(("case", "server", "says"), SENTENCES.values(), ids=SENTENCES)
def test_the_sentence_for_a_situation(case: str, server: str | None, says: str) -> None:
    assert says in hint(case, server, **FACTS)


def test_every_sentence_is_read_above() -> None:
    assert {(case, server) for case, server, _ in SENTENCES.values()} == HINTS.keys()


@pytest.mark.parametrize("case", sorted({case for case, _ in HINTS}))
def test_every_situation_has_a_sentence_for_servers_unknown(case: str) -> None:
    assert hint(case, "another server", **FACTS) == hint(case, None, **FACTS)


@pytest.mark.parametrize("text", HINTS.values())
def test_a_sentence_asks_for_known_facts_alone(text: str) -> None:
    assert {name for _, name, _, _ in Formatter().parse(text) if name} <= FACTS.keys()


def test_without_a_model_its_place_is_held() -> None:
    assert hint("model", "ollama") == "pull it first: `ollama pull MODEL`"


def test_braces_in_a_fact_are_text() -> None:
    assert hint("model", "ollama", model="{x}") == "pull it first: `ollama pull {x}`"


# --- which server -----------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "server"),
    [
        (11434, "ollama"),
        (1234, "lmstudio"),
        (8000, "vllm"),
        (8080, "llama-server"),
        (4000, "litellm"),
        (443, None),
        (0, None),
        (None, None),
    ],
)
def test_a_server_is_known_by_its_port(port: int | None, server: str | None) -> None:
    assert server_at(port) == server


def test_every_server_with_sentences_has_a_port() -> None:
    assert {server for _, server in HINTS if server} == set(PORTS.values())


@pytest.mark.parametrize(
    ("headers", "server"),
    [
        pytest.param({"Server": "llama.cpp"}, "llama-server", id="llama-server"),
        pytest.param({"server": "llama.cpp"}, "llama-server", id="llama-server: lower case"),
        pytest.param({"x-litellm-call-id": "1"}, "litellm", id="litellm"),
        pytest.param({"X-LiteLLM-Version": "1"}, "litellm", id="litellm: in any case"),
        pytest.param({"Server": "uvicorn"}, None, id="vllm and many more"),
        pytest.param({}, None, id="ollama"),
    ],
)
def test_a_server_is_known_by_its_headers(headers: dict[str, str], server: str | None) -> None:
    assert server_of(CaseInsensitiveDict(headers)) == server


# --- which situation --------------------------------------------------------

CHAT = "/chat/completions"

#: name: (status, body, path, path of the base URL, situation)
SITUATIONS: dict[str, tuple[int, str, str, str, str | None]] = {
    "openai: no model": (
        404,
        '{"error":{"message":"?","code":"model_not_found"}}',
        CHAT,
        "/v1",
        "model",
    ),
    "ollama: no model": (404, '{"error":"model \'x\' not found"}', CHAT, "/v1", "model"),
    "ollama: older": (
        404,
        '{"error":"model \'x\' not found, try pulling it first"}',
        CHAT,
        "/v1",
        "model",
    ),
    "vllm: no model": (
        404,
        '{"error":{"message":"The model `x` does not exist. Valid aliases: tiny.","code":404}}',
        CHAT,
        "/v1",
        "model",
    ),
    "litellm: no model": (
        400,
        '{"error":{"message":"/chat/completions: Invalid model name passed in model=x"}}',
        CHAT,
        "",
        "model",
    ),
    "litellm: one model": (
        404,
        '{"detail":"The model `x` does not exist or is not accessible"}',
        "/models/x",
        "/v1",
        "model",
    ),
    "llama-server: router": (
        400,
        '{"error":{"code":400,"message":"model \'x\' not found"}}',
        CHAT,
        "/v1",
        "model",
    ),
    "lmstudio: no model": (
        404,
        '{"error":{"message":"No models loaded. Please load a model"}}',
        CHAT,
        "/v1",
        "model",
    ),
    "lmstudio: one": (404, '{"error":"No model is loaded"}', CHAT, "/v1", "model"),
    "any: not available": (400, "The model x\nis not available here", CHAT, "/v1", "model"),
    "any: no path": (404, '{"detail":"Not Found"}', "/completions", "/v1", "path"),
    "any: no path below another version": (404, "", "/completions", "/paas/v4", "path"),
    "llama-server: too long for the batch": (
        500,
        '{"error":{"message":"input (5000 tokens) is too large to process. increase the physical '
        'batch size (current batch size: 512)","type":"server_error","code":500}}',
        "/embeddings",
        "/v1",
        "batch",
    ),
    "any: no method": (405, '{"detail":"Method Not Allowed"}', CHAT, "/v1", "method"),
    "ollama: no method": (405, "405 method not allowed", CHAT, "/v1", "method"),
    "mlx-lm: a crash": (404, '{"error":"generation thread died"}', CHAT, "/v1", None),
    "mlx-lm: no model": (
        404,
        '{"error":"Cannot find an appropriate cached snapshot folder for x"}',
        CHAT,
        "/v1",
        "model",
    ),
    "mlx-lm: no name of a model": (404, "Repo id must be in the form x/y", CHAT, "/v1", "model"),
    "transformers: no words": (500, "Internal Server Error", CHAT, "/v1", "log"),
    "any: words of its own": (500, "cuda out of memory", CHAT, "/v1", None),
    "any: no words": (500, "", CHAT, "/v1", "log"),
    "openai: no /v1": (
        404,
        '{"error":{"message":"Invalid URL (GET /models)","type":"invalid_request_error"}}',
        "/models",
        "",
        "v1",
    ),
    "openai: no path": (
        404,
        '{"error":{"message":"Invalid URL (POST /v1/x)","type":"invalid_request_error"}}',
        "/x",
        "/v1",
        "path",
    ),
    "any: no /v1": (404, '{"detail":"Not Found"}', CHAT, "", "v1"),
    "any: another path than /v1": (404, "404 page not found", CHAT, "/api", "v1"),
    "any: a path before /v1": (404, "", CHAT, "/proxy/v1", "path"),
    "vllm: one model": (404, '{"detail":"Not Found"}', "/models/x", "/v1", "retrieve"),
    "llama-server: one model": (
        404,
        '{"error":{"message":"File Not Found","type":"not_found_error","code":404}}',
        "/models/x",
        "/v1",
        "retrieve",
    ),
    "lmstudio: no /v1, with a 200": (
        200,
        '{"error":"Unexpected endpoint or method. (POST /chat/completions)"}',
        CHAT,
        "",
        "v1",
    ),
    "lmstudio: no path, with a 200": (
        200,
        '{"error":"Unexpected endpoint or method. (GET /v1/x)"}',
        "/x",
        "/v1",
        "path",
    ),
    "any: 401": (401, '{"error":"Unauthorized"}', CHAT, "/v1", "key"),
    "any: 407": (407, "", CHAT, "/v1", "proxy"),
    "llama-server: loading": (
        503,
        '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}',
        CHAT,
        "/v1",
        "loading",
    ),
    "any: a 500 that says loading": (500, "error loading model", CHAT, "/v1", None),
    "ollama: busy": (503, '{"error":"server busy, please try again."}', CHAT, "/v1", None),
    "openai: quota": (
        429,
        '{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}',
        CHAT,
        "/v1",
        "quota",
    ),
    "openai: a rate limit": (429, '{"error":{"message":"Slow down"}}', CHAT, "/v1", None),
    "ollama: too long": (
        400,
        '{"error":"the input length exceeds the context length"}',
        CHAT,
        "/v1",
        "context",
    ),
    "any: a bad request": (400, '{"error":{"message":"\'messages\' is required"}}', CHAT, "", None),
    "any: far from the model": (400, f"model {'x' * 400} not found", CHAT, "/v1", None),
}


@pytest.mark.parametrize(
    ("status", "body", "path", "base_path", "expected"), SITUATIONS.values(), ids=SITUATIONS
)
def test_an_error_answer_is_a_situation(
    status: int, body: str, path: str, base_path: str, expected: str | None
) -> None:
    assert situation(status, parse(body), path=path, base_path=base_path) == expected


@pytest.mark.parametrize(
    "case", sorted({case for *_, case in SITUATIONS.values() if case and case != "key"})
)
def test_each_situation_has_a_sentence(case: str) -> None:
    assert (case, None) in HINTS


def test_words_made_to_be_slow_to_search_are_not() -> None:
    found = Envelope("model " * 40_000)
    start = time.process_time()
    assert situation(400, found, path=CHAT, base_path="/v1") is None
    assert time.process_time() - start < 2
