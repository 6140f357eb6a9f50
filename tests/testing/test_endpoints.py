"""The endpoints: what each answers, and to what it answers with an error."""

from __future__ import annotations

import base64
import http.client
import json
import math
import operator
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import rawllm
from rawllm import envelopes, testing
from rawllm.envelopes import SHAPES
from rawllm.testing import SCENARIOS, Site
from rawllm.testing.completions import CREATED
from rawllm.testing.endpoints import MOST_EMBEDDED, MOST_TOKENS
from rawllm.testing.faults import WORDS, Memory
from rawllm.testing.scripts import End, Pause
from tests.testing.asking import HELLO, Reply, ask, chat, complete

CHAT = "/v1/chat/completions"

# --- paths and methods ------------------------------------------------------

#: path: the methods it has, but for HEAD
PATHS = {
    "/v1/chat/completions": "POST",
    "/v1/completions": "POST",
    "/v1/embeddings": "POST",
    "/v1/models": "GET",
    "/v1/models/plain": "GET DELETE",
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
    allowed = PATHS[path].split() + (["HEAD"] if "GET" in PATHS[path] else [])
    if method in allowed:
        assert reply.status in (200, 400)  # {} is not enough for all
        return
    assert openai_error(reply, 405) == f"Not allowed to make {method} requests to {path}"
    assert reply.headers["allow"] == ", ".join(allowed)


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


@pytest.mark.parametrize("path", ["/health", "/v1/models"])
def test_a_server_whose_model_loads_says_so_until_it_is_loaded(path: str) -> None:
    now = 100.0
    site = Site("loading:5", memory=Memory(lambda: now))
    assert ask(path, site=site).error["message"] == "Loading model"
    assert chat("llama3", site=site).status == 503
    now += 5
    assert ask(path, site=site).status == 200
    assert chat("llama3", site=site).status == 200  # it is the same one that was loaded
    assert chat("loading", site=site).status == 503  # this one is not
    assert ask(path, site=site).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_says_it_is_something_else_is_not_read(kind: str) -> None:
    reply = ask("/tokenize", {"content": "Hi"}, headers={"content-type": kind})
    assert openai_error(reply, 400) == (
        f"the Content-Type must be application/json, which {kind!r} is not"
    )


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_body_that_says_it_is_json_is_read(kind: str) -> None:
    headers = {"content-type": kind}
    assert ask("/tokenize", {"content": "Hi"}, headers=headers).status == 200


# --- keys -------------------------------------------------------------------

GUARDED = Site(keys={"secret", "other"})


@pytest.mark.parametrize(
    "value", ["Bearer secret", "Bearer other", "bearer secret", "Bearer  other"]
)
def test_one_of_the_keys_is_enough(value: str) -> None:
    reply = ask("/v1/models", site=GUARDED, headers={"authorization": value})
    assert reply.status == 200


@pytest.mark.parametrize("value", ["Bearer wrong", "secret", "Basic secret", "Bearer", "Bearer "])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/nowhere", CHAT])
def test_another_key_is_wrong(path: str, value: str) -> None:
    reply = ask(path, site=GUARDED, headers={"authorization": value})
    assert openai_error(reply, 401)
    assert reply.error["code"] == "invalid_api_key"


def test_one_text_is_no_collection_of_keys() -> None:
    with pytest.raises(TypeError, match="for a single one"):
        Site(keys="secret")


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


def test_a_model_may_be_deleted_and_is_still_there() -> None:
    for _ in range(2):
        reply = ask("/v1/models/a%2Fb", method="DELETE")
        assert reply.json == {"id": "a/b", "object": "model", "deleted": True}
    assert ask("/v1/models/llama3", method="DELETE", site=STRICT).status == 404


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


def test_a_site_of_a_scenario_with_a_wrong_argument_is_none() -> None:
    with pytest.raises(ValueError, match="'slow:abc': what stands behind the colon must be a num"):
        Site("slow:abc")


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
def test_what_is_nested_too_deep_is_refused(path: str) -> None:
    words = openai_error(ask(path, b"[" * 100_000 + b"]" * 100_000), 400)
    assert words == "the body is nested too deep"


@pytest.mark.parametrize("depth", range(100, 1000, 50))
def test_what_is_hardly_too_deep_is_answered_too(depth: int) -> None:
    """It is read, and fails later, if at all: where a schema is read or a key made of it."""
    deep = b'{"x":' * depth + b"{}" + b"}" * depth
    content = b'[{"type":"image_url","image_url":%s}]' % deep
    schema = b'{"type":"object","properties":{"x":' * depth + b"{}" + b"}}" * depth
    form = b'{"type":"json_schema","json_schema":{"name":"x","schema":%s}}' % schema
    body = b'{"model":"m","messages":[{"role":"user","content":%s}],"response_format":%s}'
    for asked in (body % (content, b"null"), body % (b'"Hi"', form)):
        reply = ask(CHAT, asked)
        assert reply.status == 200 or openai_error(reply, 400, reply.error["param"])


def test_a_number_may_have_a_fraction() -> None:
    assert chat(temperature=0.5, top_p=1e-3).status == 200


def test_half_of_a_surrogate_pair_is_answered_as_it_came() -> None:
    body = rb'{"model":"m","messages":[{"role":"user","content":"\ud83d!"}],"stream":%s}'
    assert b'"content":"\\ud83d!"' in ask(CHAT, body % b"false").body
    assert b'"content":"\\ud83d"' in ask(CHAT, body % b"true").body


def test_what_is_wrong_is_said_in_openais_envelope() -> None:
    words = openai_error(chat(temperature=3), 400, "temperature")
    assert words == "'temperature' must be a number from 0 to 2"


@pytest.mark.parametrize("model", ["error-500", "plain-vllm", "cut-rst", "html"])
def test_a_wrong_request_is_refused_by_every_scenario(model: str) -> None:
    assert openai_error(chat(model, n=0), 400, "n")


@pytest.mark.parametrize("model", ["slow:x", "long:123456", "retry:-1", "error-400:nobody"])
def test_an_argument_that_makes_no_sense_is_refused(model: str) -> None:
    assert openai_error(chat(model), 400, "model")


@pytest.mark.parametrize("shape", SHAPES)
def test_an_error_comes_in_the_envelope_that_the_models_name_says(shape: str) -> None:
    reply = chat(f"error-400:{shape}")
    assert reply.status == 400
    assert reply.json == envelopes.serialize(WORDS[400], 400, shape)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"Hi"'])
@pytest.mark.parametrize("path", [path for path, method in PATHS.items() if method == "POST"])
def test_a_body_that_is_no_object_is_refused(path: str, body: bytes) -> None:
    assert openai_error(ask(path, body), 400) == "the body must be a JSON object"


# --- framing ----------------------------------------------------------------


def test_a_whole_answer_says_how_long_it_is() -> None:
    reply = chat()
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply.ends == []


def test_a_stream_comes_in_chunks_an_event_each() -> None:
    reply = chat(stream=True)
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in reply.headers
    *chunks, last = reply.script[1:]
    assert last == b"0\r\n\r\n"
    assert len(chunks) == len(reply.data)
    assert reply.ends == []


def test_a_stream_may_end_with_its_connection() -> None:
    reply = chat("closing", stream=True)
    assert reply.headers["connection"] == "close"
    assert "transfer-encoding" not in reply.headers
    assert reply.ends == [End.FIN]
    assert reply.data == chat("closing", stream=True, site=Site()).data
    assert reply.data[-1] == "[DONE]"


def test_a_scenario_may_not_stream() -> None:
    assert chat("stream-ignored", stream=True).choice["message"]["content"] == HELLO


def test_events_have_the_line_ends_of_the_dialect() -> None:
    crlf, lf = (chat(model, stream=True).body for model in ("crlf", "plain"))
    assert crlf.replace(b"\r\n", b"\n") == lf.replace(b'"plain"', b'"crlf"').replace(
        id_of(lf), id_of(crlf)
    )
    assert crlf.count(b"\r\n") == crlf.count(b"\n")


def id_of(body: bytes) -> bytes:
    return body.partition(b'"id":"')[2].partition(b'"')[0]


def test_bytes_before_the_first_event_are_as_they_are() -> None:
    assert chat("bom", stream=True).body.startswith(b'\xef\xbb\xbfdata: {"id"')


@pytest.mark.parametrize("streamed", [True, False])
def test_a_scenario_changes_the_steps_of_a_body(streamed: bool) -> None:
    slow, plain = (chat(model, stream=streamed) for model in ("slow:20", "plain"))
    pauses = [step for step in slow.script if isinstance(step, Pause)]
    assert pauses == [Pause(0.02)] * (len(plain.data) if streamed else 1)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_scenario_may_end_the_connection_after_the_answer(streamed: bool) -> None:
    assert chat("keep-alive-dies", stream=streamed).ends == [End.NEXT]


def test_every_answer_has_an_id() -> None:
    asked = {"x-request-id": "mine"}
    bodies = [None, {"model": "m", "messages": MESSAGES, "stream": True}, {"model": "m"}]
    for path, body in zip(["/v1/models", CHAT, CHAT], bodies, strict=True):
        assert ask(path, body, headers=asked).headers["x-request-id"] == "mine"
        assert ask(path, body).headers["x-request-id"].startswith("req_")


# --- scenarios --------------------------------------------------------------


def test_a_site_remembers_its_requests() -> None:
    site = Site(memory=Memory())
    assert [chat("retry:2", site=site).status for _ in range(4)] == [503, 503, 200, 503]
    assert chat("retry:2", site=Site(memory=Memory())).status == 503


def test_failures_are_counted_for_each_question_by_itself() -> None:
    site = Site()

    def statuses(number: int) -> list[int]:
        return [chat("retry:2", f"question {number}", site=site).status for _ in range(6)]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(statuses, range(64))) == [[503, 503, 200] * 2] * 64


@pytest.mark.parametrize(
    "reply",
    [
        ask("/v1/embeddings", {"model": "error-404", "input": "Hi"}),
        complete("error-404"),
        chat("error-404", stream=True),
    ],
)
def test_a_scenario_is_played_by_every_endpoint(reply: Reply) -> None:
    assert reply.status == 404


def test_a_scenario_that_breaks_streams_breaks_legacy_ones_too() -> None:
    assert "error" in complete("stream-error", stream=True).chunks[-1]
    assert complete("cut-rst").ends == [End.RST]


MUCH = "x " * MOST_TOKENS


@pytest.mark.parametrize(
    ("path", "name", "value", "most"),
    [
        (CHAT, "messages", [{"role": "user", "content": MUCH}], MOST_TOKENS),
        ("/v1/completions", "prompt", [MUCH, "Hi"], MOST_TOKENS),
        ("/v1/embeddings", "input", ["Hi", "x " * MOST_EMBEDDED], MOST_EMBEDDED),
        ("/v1/embeddings", "input", ["x " * 8000] * 32, MOST_TOKENS),
    ],
)
def test_a_prompt_that_is_too_long_is_refused(path: str, name: str, value: Any, most: int) -> None:
    reply = ask(path, {"model": "m", name: value})
    assert f"maximum context length is {most} tokens" in openai_error(reply, 400, name)
    assert reply.error["code"] == "context_length_exceeded"


def test_an_answer_that_is_too_long_is_refused() -> None:
    """No request makes the server say more than it can hold."""
    assert chat("long:99999", "Hi").status == 200
    words = openai_error(chat("long:99999", "Hi", n=2, stream=True), 400, "n")
    assert words == "more than 250000 tokens are not said at once"


def test_several_prompts_have_a_choice_each() -> None:
    choices = complete(prompt=["one", "two"], n=2).json["choices"]
    assert [(choice["index"], choice["text"]) for choice in choices] == [
        (0, "one"),
        (1, "one"),
        (2, "two"),
        (3, "two"),
    ]


def test_a_prompt_may_be_of_tokens() -> None:
    ids = ask("/tokenize", {"content": "one two"}).json["tokens"]
    for prompt in (ids, [ids]):
        assert complete(prompt=prompt).json["choices"][0]["text"] == "one two"


@pytest.mark.parametrize(
    ("path", "name"), [("/v1/completions", "prompt"), ("/v1/embeddings", "input")]
)
def test_tokens_of_any_tokenizer_are_read_and_counted(path: str, name: str) -> None:
    for value in ([9906, 1917, 0], [[9906, 1917], [0]]):
        reply = ask(path, {"model": "m", name: value})
        assert reply.status == 200
        assert reply.json["usage"]["prompt_tokens"] == 3
    words = openai_error(ask(path, {"model": "m", name: [[9906], [1, -2]]}), 400, name)
    assert words == f"'{name}' must be tokens, of which none is negative"


def test_tokens_of_another_tokenizer_are_words() -> None:
    assert complete(prompt=[9906, 1917]).json["choices"][0]["text"] == "<9906><1917>"


def test_tokens_that_are_none_have_no_text() -> None:
    words = openai_error(ask("/detokenize", {"tokens": [1, 2]}), 400, "tokens")
    assert words == "'tokens' must be tokens as /tokenize gives them"


# --- embeddings -------------------------------------------------------------


def embed(*texts: str, **given: Any) -> list[Any]:
    body = {"model": "m", "input": list(texts)} | given
    return [item["embedding"] for item in ask("/v1/embeddings", body).json["data"]]


def test_embeddings() -> None:
    answer = ask("/v1/embeddings", {"model": "m", "input": ["Good morning", "Hi"]}).json
    assert [answer[name] for name in ("object", "model")] == ["list", "m"]
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert [(item["object"], item["index"]) for item in answer["data"]] == [
        ("embedding", 0),
        ("embedding", 1),
    ]
    assert [len(item["embedding"]) for item in answer["data"]] == [64, 64]


def test_embeddings_are_of_length_1_the_same_always_and_near_for_similar_texts() -> None:
    cats, cat, stock = embed("the black cats", "a black cat", "stock prices")
    assert embed("a black cat") == [cat]
    assert math.hypot(*cats) == pytest.approx(1, abs=1e-6)
    near, far = (sum(map(operator.mul, cats, other)) for other in (cat, stock))
    assert near > far


def test_embeddings_have_as_many_dimensions_as_asked_for() -> None:
    [few] = embed("Hi", dimensions=8)
    assert len(few) == 8


def test_embeddings_in_base64_are_the_same_numbers() -> None:
    [floats], [packed] = embed("Hi"), embed("Hi", encoding_format="base64")
    assert list(struct.unpack("<64f", base64.b64decode(packed))) == floats
    assert embed("Hi", encoding_format="float") == [floats]


def test_the_input_has_four_forms() -> None:
    ids = ask("/tokenize", {"content": "one two"}).json["tokens"]
    forms: list[Any] = ["one two", ["one two"], ids, [ids]]
    answers = [ask("/v1/embeddings", {"model": "m", "input": form}).json for form in forms]
    assert all(answer == answers[0] for answer in answers)


# --- counts of tokens -------------------------------------------------------


def test_the_tokens_of_a_chat_are_counted_without_answering_it() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": HELLO}]}
    counted = ask(f"{CHAT}/input_tokens", body).json
    assert counted == {"object": "response.input_tokens", "input_tokens": 15}
    assert chat().json["usage"]["prompt_tokens"] == 15


@pytest.mark.parametrize("name", ["content", "prompt"])
def test_a_text_is_made_of_tokens_and_back(name: str) -> None:
    found = ask("/tokenize", {name: HELLO}).json
    assert found["count"] == len(found["tokens"]) == 15
    assert ask("/detokenize", {"tokens": found["tokens"]}).json == {
        "content": HELLO,
        "prompt": HELLO,
    }


def test_a_chat_is_made_of_tokens_too() -> None:
    whole = ask("/tokenize", {"messages": [{"role": "user", "content": HELLO}]}).json
    assert whole == ask("/tokenize", {"prompt": HELLO}).json


def test_nothing_has_no_tokens() -> None:
    assert ask("/tokenize", {}).json == {"tokens": [], "count": 0}
    assert ask("/detokenize", {"tokens": []}).json == {"content": "", "prompt": ""}


# --- on a socket ------------------------------------------------------------


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with testing.serve(keys={"secret"}) as url:
        yield url


def test_a_head_has_the_headers_of_a_get_and_no_body(url: str) -> None:
    host, _, port = url.removeprefix("http://").removesuffix("/v1").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    key = {"Authorization": "Bearer secret"}
    try:
        found = []
        for method in ("HEAD", "GET"):
            connection.request(method, "/v1/models", headers=key)
            response = connection.getresponse()
            found.append((response.status, response.headers["Content-Length"], response.read()))
        connection.request("HEAD", CHAT, headers=key)
        response = connection.getresponse()
        assert (response.status, response.headers["Allow"], response.read()) == (405, "POST", b"")
        connection.request("GET", "/v1/models/plain", headers=key)  # nothing was left over
        assert json.loads(connection.getresponse().read())["id"] == "plain"
    finally:
        connection.close()
    (status, length, body), whole = found
    assert (status, length) == whole[:2]
    assert (body, len(whole[2])) == (b"", int(length))


def test_a_client_gets_along_with_every_endpoint(url: str) -> None:
    with rawllm.Client(url, "secret", max_retries=0) as client:
        assert client.chat("any", HELLO) == HELLO
        assert "".join(client.chat("any", HELLO, stream=True)) == HELLO
        assert client.completions.create(model="any", prompt="Hi").choices[0].text == "Hi"
        [vector] = client.embeddings.create(model="any", input="Hi").data
        assert list(vector.embedding) == embed("Hi")[0]
        assert "plain" in [model.id for model in client.models.list().data]
        assert client.models.retrieve("any").id == "any"
    with pytest.raises(rawllm.AuthenticationError, match="Incorrect API key"):
        rawllm.Client(url, "wrong", max_retries=0).models.list()


def test_a_client_is_told_what_is_wrong(url: str) -> None:
    with rawllm.Client(url, "secret", max_retries=0) as client:
        with pytest.raises(rawllm.BadRequestError) as caught:
            client.chat.completions.create(model="any", messages="Hi", n=0)
    assert (caught.value.param, caught.value.type) == ("n", "invalid_request_error")
    assert caught.value.request_id
