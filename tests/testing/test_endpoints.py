"""The endpoints: what each answers, and to what it answers with an error."""

from __future__ import annotations

import base64
import http.client
import json
import math
import operator
import struct
from collections.abc import Iterator
from typing import Any

import pytest

import rawllm
from rawllm import testing
from rawllm.testing import SCENARIOS, Site
from rawllm.testing.completions import CREATED
from rawllm.testing.faults import Memory
from rawllm.testing.scripts import End, Pause
from tests.testing.asking import HELLO, Reply, ask, chat, complete

CHAT = "/v1/chat/completions"

# --- paths and methods ------------------------------------------------------

#: path: the methods it has
PATHS = {
    "/v1/chat/completions": "POST",
    "/v1/completions": "POST",
    "/v1/embeddings": "POST",
    "/v1/models": "GET",
    "/v1/models/plain": "GET",
    "/v1/chat/completions/input_tokens": "POST",
    "/tokenize": "POST",
    "/detokenize": "POST",
    "/health": "GET",
}


def openai_error(reply: Reply, status: int, param: str | None = None) -> str:
    """The words of an error, which has OpenAI's envelope."""
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert reply.json.keys() == {"error"}
    assert reply.error.keys() == {"message", "type", "param", "code"}
    assert reply.error["type"] == "invalid_request_error"
    assert reply.error["param"] == param
    return str(reply.error["message"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_a_method_that_a_path_does_not_have_is_not_allowed(path: str, method: str) -> None:
    reply = ask(path, b"{}", method=method)
    if method == PATHS[path] or (method == "HEAD" and PATHS[path] == "GET"):
        assert reply.status in (200, 400)  # {} is not enough for all
        return
    assert openai_error(reply, 405) == f"Not allowed to make {method} requests to {path}"
    assert reply.headers["allow"] == ("GET, HEAD" if PATHS[path] == "GET" else "POST")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v2/models", "/v1/models/", "/v1/chat", "/v1/Models", "*", "x"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_path_is_not_there(path: str, method: str) -> None:
    reply = ask(path, b"{}", method=method)
    assert openai_error(reply, 404) == f"Invalid URL ({method} {path})"


def test_a_target_that_is_no_path_is_not_there() -> None:
    assert openai_error(ask("//["), 404) == "Invalid URL (//[)"


@pytest.mark.parametrize("target", ["/v1/models?limit=1", "http://here/v1/models"])
def test_a_query_or_an_address_make_no_difference(target: str) -> None:
    assert ask(target).json == ask("/v1/models").json


def test_health() -> None:
    assert ask("/health").json == {"status": "ok"}


# --- keys -------------------------------------------------------------------

GUARDED = Site(keys={"secret", "other"})


@pytest.mark.parametrize("value", ["Bearer secret", "Bearer other", "bearer secret", "Bearer  other"])
def test_one_of_the_keys_is_enough(value: str) -> None:
    reply = ask("/v1/models", site=GUARDED, headers={"authorization": value})
    assert reply.status == 200


@pytest.mark.parametrize("value", ["Bearer wrong", "secret", "Basic secret", "Bearer", "Bearer "])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/nowhere", CHAT])
def test_another_key_is_wrong(path: str, value: str) -> None:
    reply = ask(path, site=GUARDED, headers={"authorization": value})
    assert openai_error(reply, 401)
    assert reply.error["code"] == "invalid_api_key"


def test_no_key_is_named_as_such() -> None:
    assert openai_error(ask("/v1/models", site=GUARDED), 401) == "You didn't provide an API key."


def test_outside_of_v1_nobody_asks_for_a_key() -> None:
    assert ask("/health", site=GUARDED).status == 200
    assert ask("/tokenize", {"content": "Hi"}, site=GUARDED).status == 200


def test_without_keys_any_key_is_good() -> None:
    assert ask("/v1/models", headers={"authorization": "Bearer any"}).status == 200


# --- models -----------------------------------------------------------------


def test_the_models_are_the_scenarios() -> None:
    listed = ask("/v1/models").json
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == list(SCENARIOS)
    [plain] = [model for model in listed["data"] if model["id"] == "plain"]
    assert plain == {"id": "plain", "object": "model", "created": CREATED, "owned_by": "rawllm"}
    assert ask("/v1/models/plain").json == plain


@pytest.mark.parametrize(
    ("path", "name"),
    [("llama3:8b", "llama3:8b"), ("a%2Fb", "a/b"), ("a/b", "a/b"), ("slow:200", "slow:200")],
)
def test_any_model_is_there(path: str, name: str) -> None:
    assert ask(f"/v1/models/{path}").json["id"] == name
    assert chat(name, "Hi").choice["message"]["content"] == "Hi"


STRICT = Site(strict=True)
MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/{}", None),
        (CHAT, {"messages": MESSAGES}),
        (f"{CHAT}/input_tokens", {"messages": MESSAGES}),
        ("/v1/completions", {"prompt": "Hi"}),
        ("/v1/embeddings", {"input": "Hi"}),
    ],
)
def test_a_strict_site_knows_its_models_alone(path: str, body: Any) -> None:
    def reply(model: str) -> Reply:
        asked = None if body is None else body | {"model": model}
        return ask(path.format(model), asked, site=STRICT)

    assert reply("plain").status == 200
    assert openai_error(reply("llama3"), 404, "model") == "The model `llama3` does not exist"
    assert reply("llama3").error["code"] == "model_not_found"


def test_another_name_behaves_as_the_site_was_told() -> None:
    site = Site("error-429:7")
    reply = chat("llama3", site=site)
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert chat("plain", site=site).status == 200


def test_a_site_of_an_unknown_scenario_is_none() -> None:
    with pytest.raises(ValueError, match="no scenario is named 'nothing'; there are: plain, tool"):
        Site("nothing")


# --- what is asked ----------------------------------------------------------

#: name: a body that is no JSON
BROKEN = {
    "nothing": b"",
    "half of it": b'{"model": "m"',
    "two": b"{}{}",
    "not UTF-8": b'{"model": "\xff"}',
    "NaN": b'{"temperature": NaN}',
    "Infinity": b'{"temperature": -Infinity}',
    "a number that is too large": b'{"temperature": 1e999}',
    "an integer that is too long": b'{"seed": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("path", [path for path, method in PATHS.items() if method == "POST"])
def test_what_is_no_json_is_refused(path: str, body: bytes) -> None:
    assert openai_error(ask(path, body), 400) == "the body is not JSON"


@pytest.mark.parametrize("path", [path for path, method in PATHS.items() if method == "POST"])
@pytest.mark.parametrize("depth", [100_000, 10_000])
def test_what_is_nested_too_deep_is_refused(path: str, depth: int) -> None:
    words = openai_error(ask(path, b"[" * depth + b"]" * depth), 400)
    assert words == "the body is nested too deep"


@pytest.mark.parametrize("depth", range(100, 1000, 50))
def test_what_is_hardly_too_deep_is_answered_too(depth: int) -> None:
    """Python reads it, and may fail later: where a key is made of it, or a schema read."""
    deep: Any = {}
    for _ in range(depth):
        deep = {"properties": {"x": deep}, "type": "object"}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": deep}}
    parts = [{"type": "image_url", "image_url": deep}]
    body = b'{"model":"m","messages":[{"role":"user","content":%s}],"response_format":%s}'
    for content, asked in ((json_bytes(parts), b"null"), (b'"Hi"', json_bytes(form))):
        assert ask(CHAT, body % (content, asked)).status in (200, 400)


def json_bytes(value: Any) -> bytes:
    """As JSON, however deep: the limit to Python's own is what is looked for."""
    parts: list[Any] = [value]
    text = ""
    while parts:
        one = parts.pop()
        if isinstance(one, dict):
            pairs = [(json.dumps(name) + ":", item) for name, item in one.items()]
            inner = [piece for pair in pairs for piece in (*(() if pair is pairs[0] else (Raw(","),)), Raw(pair[0]), pair[1])]
            parts += reversed([Raw("{"), *inner, Raw("}")])
        elif isinstance(one, list):
            inner = [piece for place, item in enumerate(one) for piece in ([Raw(",")] if place else []) + [item]]
            parts += reversed([Raw("["), *inner, Raw("]")])
        else:
            text += one if isinstance(one, Raw) else json.dumps(one)
    return text.encode()


class Raw(str):
    """A piece of JSON."""
