"""The calls: what each sends, and what it makes of the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses

import rawllm
from rawllm import NOT_GIVEN, omit
from tests.servers import BASE, CHAT, EVENTS, serve, stream

TEXT = {
    "object": "text_completion",
    "choices": [{"index": 0, "text": " there", "finish_reason": "stop"}],
}


def sent(mock: responses.RequestsMock) -> Any:
    """The JSON of the last request."""
    return json.loads(mock.calls[-1].request.body or "null")


# --- chat -------------------------------------------------------------------


def test_chat_sends_what_is_given_and_no_more(mock: Any, client: rawllm.Client) -> None:
    mock.post(f"{BASE}/chat/completions", json=CHAT)
    messages = [{"role": "user", "content": "héllo"}]
    answered = client.chat.completions.create(
        model="m",
        messages=messages,
        temperature=0,
        seed=None,
        stop=omit,
        n=NOT_GIVEN,
        top_k=40,
        stream=False,
        extra_body={"user": None, "temperature": 1},
    )
    assert answered == CHAT
    assert answered.choices[0].message.content == "Hello there!"
    assert sent(mock) == {
        "model": "m",
        "messages": messages,
        "temperature": 1,
        "top_k": 40,
        "user": None,
    }
    headers = mock.calls[0].request.headers
    assert headers["Authorization"] == "Bearer sk-1"
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"] == f"rawllm/{rawllm.__version__}"
    assert headers["Content-Length"] == str(len(mock.calls[0].request.body))


def test_the_simple_call_gives_the_text(mock: Any, client: rawllm.Client) -> None:
    mock.post(f"{BASE}/chat/completions", json=CHAT)
    assert client.chat("m", "x") == "Hello there!"
    assert sent(mock) == {"model": "m", "messages": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize("choice", [{"message": {"content": None}}, {"message": {}}, {}])
def test_the_simple_call_gives_no_text_where_there_is_none(
    mock: Any, client: rawllm.Client, choice: dict[str, Any]
) -> None:
    mock.post(f"{BASE}/chat/completions", json={"choices": [choice]})
    assert client.chat("m", "x") == ""


def test_the_simple_call_needs_a_choice(mock: Any, client: rawllm.Client) -> None:
    mock.post(f"{BASE}/chat/completions", json={"choices": []})
    with pytest.raises(rawllm.APIResponseValidationError, match="an empty list of choices"):
        client.chat("m", "x")
    assert client.chat.completions.create(model="m", messages="x").choices == []


def test_the_simple_call_streams_pieces() -> None:
    with serve(stream(*EVENTS)) as server, rawllm.Client(server.url) as client:
        pieces = client.chat("m", [{"role": "user", "content": "x"}], stream=True, max_tokens=5)
        assert list(pieces) == ["Hello", " there!"]
        assert server.requests[0].json["max_tokens"] == 5


def test_stream_may_be_asked_for_in_extra_body() -> None:
    with serve(stream(*EVENTS)) as server, rawllm.Client(server.url) as client:
        made = client.chat.completions.create(model="m", messages="x", extra_body={"stream": True})
        assert isinstance(made, rawllm.Stream)
        made.close()


def test_options_of_the_call_do_not_go_into_the_body(mock: Any, client: rawllm.Client) -> None:
    mock.post(f"{BASE}/chat/completions", json=CHAT)
    client.chat(
        "m",
        "x",
        extra_headers={"X-Trace": "7"},
        extra_query={"a": "b c"},
        timeout=(1, 2),
        deadline=9,
    )
    request = mock.calls[0].request
    assert request.headers["X-Trace"] == "7"
    assert request.url == f"{BASE}/chat/completions?a=b+c"
    assert set(sent(mock)) == {"model", "messages"}


@pytest.mark.parametrize("name", ["first_token_timeout", "idle_timeout"])
def test_limits_of_a_stream_need_one(client: rawllm.Client, name: str) -> None:
    options: dict[str, Any] = {name: 1}
    with pytest.raises(ValueError, match="need stream=True"):
        client.chat("m", "x", **options)


MISTAKES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a generator": ({"messages": ({} for _ in "ab")}, TypeError, "make a list of it"),
    "bytes": ({"messages": b"x"}, TypeError, "messages must be"),
    "NaN": ({"messages": "x", "temperature": float("nan")}, ValueError, "temperature is NaN"),
    "an object": ({"messages": "x", "user": object()}, TypeError, "user: "),
    "a negative timeout": ({"messages": "x", "timeout": -1}, ValueError, "timeout must be above"),
    "no deadline": ({"messages": "x", "deadline": "1"}, TypeError, "deadline must be a number"),
    "a header": ({"messages": "x", "extra_headers": {"A": 1}}, TypeError, "header A must be"),
    "a line break": ({"messages": "x", "extra_headers": {"A": "b\nc"}}, ValueError, "header A"),
    "a header's name": ({"messages": "x", "extra_headers": {"A B": "c"}}, ValueError, "name 'A B'"),
    "pairs": (
        {"messages": "x", "extra_headers": [("A", "b")]},
        TypeError,
        "extra_headers must be a mapping, not list",
    ),
    "a text": ({"messages": "x", "extra_query": "a=b"}, TypeError, "extra_query must be a mapping"),
    "a body": ({"messages": "x", "extra_body": "a"}, TypeError, "extra_body must be a dict"),
    "digits": ({"messages": "x", "seed": 10**5000}, ValueError, "seed has more digits"),
}


@pytest.mark.parametrize(("params", "kind", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_callers_mistake_is_told_before_anything_is_sent(
    mock: Any, client: rawllm.Client, params: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        client.chat.completions.create(model="m", **params)
    assert not mock.calls


def test_what_is_to_be_left_out_may_be_none_or_omit(mock: Any, client: rawllm.Client) -> None:
    mock.post(f"{BASE}/chat/completions", json=CHAT)
    client.chat("m", "x", extra_headers=None, extra_query=omit, extra_body=NOT_GIVEN)
    client.chat("m", "x", extra_query={"a": omit, "b": None, "c": ["1", "2"]})
    assert [call.request.url.partition("?")[2] for call in mock.calls] == ["", "c=1&c=2"]


# --- completions ------------------------------------------------------------


def test_completions_send_their_legacy_parameters(mock: Any, client: rawllm.Client) -> None:
    mock.post(f"{BASE}/completions", json=TEXT)
    answered = client.completions.create(
        model="m", prompt=["a", "b"], echo=True, suffix=".", logprobs=2, max_tokens=0
    )
    assert answered == TEXT
    assert answered.choices[0].text == " there"
    assert sent(mock) == {
        "model": "m",
        "prompt": ["a", "b"],
        "echo": True,
        "suffix": ".",
        "logprobs": 2,
        "max_tokens": 0,
    }


def test_completions_stream() -> None:
    events = [{"choices": [{"index": i, "text": "x", "finish_reason": "stop"}]} for i in (0, 1)]
    with serve(stream("null", events[0], "null", events[1])) as server:
        with rawllm.Client(server.url) as client:
            made = client.completions.create(model="m", prompt=["a", "b"], stream=True)
            assert [choice.text for choice in made.completion.choices] == ["x", "x"]
            assert made.finished


# --- embeddings -------------------------------------------------------------


@pytest.mark.parametrize("given", ["a", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_embeddings_send_any_kind_of_input_and_nothing_by_default(
    mock: Any, client: rawllm.Client, given: Any
) -> None:
    mock.post(f"{BASE}/embeddings", json={"data": []})
    client.embeddings.create(model="m", input=given)
    assert sent(mock) == {"model": "m", "input": given}


def test_embeddings_are_decoded_and_sorted_and_raw_as_they_came(
    mock: Any, client: rawllm.Client
) -> None:
    body = {"data": [{"index": 1, "embedding": "AACAPw=="}, {"index": 0, "embedding": [2.0]}]}
    mock.post(f"{BASE}/embeddings", json=body)
    raw = client.embeddings.with_raw_response.create(
        model="m", input="a", dimensions=1, encoding_format="base64"
    )
    assert sent(mock)["dimensions"] == 1
    assert [item.embedding for item in raw.parse().data] == [[2.0], [1.0]]
    assert json.loads(raw.text) == body


@pytest.mark.parametrize("body", [{}, {"data": 1}, {"data": ["x"]}, {"data": [{"embedding": "é"}]}])
def test_embeddings_that_are_none_are_an_error(mock: Any, client: rawllm.Client, body: Any) -> None:
    mock.post(f"{BASE}/embeddings", json=body)
    with pytest.raises(rawllm.APIResponseValidationError, match="cannot be read"):
        client.embeddings.create(model="m", input="a")


# --- models -----------------------------------------------------------------


def test_models_list(mock: Any, client: rawllm.Client) -> None:
    mock.get(f"{BASE}/models", json={"object": "list", "data": [{"id": "a"}, {"id": "b"}]})
    listed = client.models.list()
    assert [model.id for model in listed.data] == [model.id for model in listed] == ["a", "b"]
    assert mock.calls[0].request.body is None
    assert "Content-Type" not in mock.calls[0].request.headers


def test_no_models_are_an_empty_list(mock: Any, client: rawllm.Client) -> None:
    mock.get(f"{BASE}/models", json={"object": "list", "data": None})
    assert list(client.models.list()) == []


def test_a_list_that_is_none_is_an_error(mock: Any, client: rawllm.Client) -> None:
    mock.get(f"{BASE}/models", json={"models": []})
    with pytest.raises(rawllm.APIResponseValidationError):
        client.models.list()


@pytest.mark.parametrize(
    ("model", "path"),
    [("gpt-4o", "gpt-4o"), ("org/name:tag", "org/name:tag"), ("a b?c", "a%20b%3Fc")],
)
def test_a_model_is_retrieved_by_its_id(
    mock: Any, client: rawllm.Client, model: str, path: str
) -> None:
    mock.get(f"{BASE}/models/{path}", json={"id": model})
    assert client.models.retrieve(model).id == model


def test_mlx_lm_retrieves_a_list(mock: Any, client: rawllm.Client) -> None:
    mock.get(f"{BASE}/models/b", json={"data": [{"id": "a"}, {"id": "b"}]})
    assert client.models.retrieve("b") == {"id": "b"}
    mock.get(f"{BASE}/models/a", json={"data": [{"id": "a"}]}, headers={"x-request-id": "r7"})
    assert client.models.retrieve("a")._request_id == "r7"
    for listed, words in (([], "a list without c"), ([None], "not a list of objects")):
        mock.get(f"{BASE}/models/c", json={"data": listed})
        with pytest.raises(rawllm.APIResponseValidationError, match=words):
            client.models.retrieve("c")


def test_servers_without_retrieve_are_named(mock: Any, client: rawllm.Client) -> None:
    mock.get(f"{BASE}/models/a", json={"detail": "Not Found"}, status=404)
    with pytest.raises(rawllm.NotFoundError, match="cannot retrieve one model"):
        client.models.retrieve("a")


def test_a_model_is_deleted(mock: Any, client: rawllm.Client) -> None:
    mock.delete(f"{BASE}/models/ft:a", json={"id": "ft:a", "deleted": True})
    assert client.models.delete("ft:a").deleted


@pytest.mark.parametrize("model", ["", None, 7])
def test_a_model_has_an_id(client: rawllm.Client, model: Any) -> None:
    with pytest.raises(ValueError, match="must be a str"):
        client.models.retrieve(model)


@pytest.mark.parametrize("model", ["a\nb", "a\ud800"])
def test_a_models_id_is_of_characters(client: rawllm.Client, model: str) -> None:
    with pytest.raises(ValueError, match="cannot be printed"):
        client.models.retrieve(model)


@pytest.mark.parametrize("model", [".", "..", "../x", "a/../../b", "a/./b", "a/.."])
def test_a_models_id_leads_to_no_other_path(mock: Any, client: rawllm.Client, model: str) -> None:
    for call in (client.models.retrieve, client.models.delete):
        with pytest.raises(ValueError, match="would lead to another path"):
            call(model)
    assert not mock.calls


def test_dots_in_a_models_id_are_none(mock: Any, client: rawllm.Client) -> None:
    mock.delete(f"{BASE}/models/org/..a/v1.5", json={"deleted": True})
    assert client.models.delete("org/..a/v1.5").deleted


# --- any path ---------------------------------------------------------------


def test_any_path_gives_its_json(mock: Any, client: rawllm.Client) -> None:
    mock.post(f"{BASE}/tokenize", json={"tokens": [1]})
    mock.get("http://localhost/health", json=[{"status": "ok"}])
    mock.delete(f"{BASE}/x", body=b"")
    assert client.post("/tokenize", body={"content": "x"}).tokens == [1]
    assert sent(mock) == {"content": "x"}
    assert client.get("http://localhost/health")[0].status == "ok"
    assert client.request("DELETE", "x") is None


def test_any_path_may_be_answered_raw(mock: Any, client: rawllm.Client) -> None:
    mock.get(f"{BASE}/metrics", body="a 1\n", headers={"X-Request-ID": "r7"})
    raw = client.with_raw_response.get("/metrics", extra_headers={"Accept": "text/plain"})
    assert (raw.status_code, raw.text, raw.content) == (200, "a 1\n", b"a 1\n")
    assert (raw.request_id, raw.headers["x-request-id"], raw.retries_taken) == ("r7", "r7", 0)
    assert (raw.method, raw.url) == ("GET", f"{BASE}/metrics")
    assert raw.http_response.status_code == 200
    assert mock.calls[0].request.headers["Accept"] == "text/plain"
    with pytest.raises(rawllm.APIResponseValidationError):
        raw.parse()
    mock.post(f"{BASE}/x", json=1)
    assert client.with_raw_response.post("/x", body=[1]).parse() == 1


def test_the_key_does_not_go_to_another_origin(mock: Any, client: rawllm.Client) -> None:
    mock.get("http://example.org/x", json={})
    client.get("http://example.org/x")
    assert "Authorization" not in mock.calls[0].request.headers


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
def test_every_method_has_its_name(mock: Any, client: rawllm.Client, verb: str) -> None:
    mock.add(verb.upper(), f"{BASE}/x", json=[1])
    assert getattr(client, verb)("/x", body={"a": 1}) == [1]
    assert sent(mock) == {"a": 1}
    assert getattr(client.with_raw_response, verb)("/x").json() == [1]
    assert mock.calls[-1].request.method == verb.upper()


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize(("path", "kind"), [(None, "NoneType"), (b"/x", "bytes"), (int, "int")])
def test_a_path_is_text(client: rawllm.Client, verb: str, path: Any, kind: str) -> None:
    for asked in (client, client.with_raw_response):
        with pytest.raises(TypeError, match=f"path must be a str, not {kind}"):
            getattr(asked, verb)(path)


@pytest.mark.parametrize(
    ("method", "kind", "says"),
    [
        (None, TypeError, "method must be a str, not NoneType"),
        (b"GET", TypeError, "method must be a str, not bytes"),
        ("", ValueError, "not ''"),
        ("GET /x", ValueError, "a word such as GET"),
        ("GET\r\nX: 1", ValueError, "a word such as GET"),
    ],
    ids=repr,
)
def test_a_method_is_a_word(
    client: rawllm.Client, method: Any, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        client.request(method, "/x")


def test_every_call_takes_an_extra_body(mock: Any, client: rawllm.Client) -> None:
    mock.get(f"{BASE}/models", json={"data": []})
    mock.get(f"{BASE}/models/a", json={"id": "a"})
    mock.delete(f"{BASE}/models/a", json={"id": "a"})
    mock.post(f"{BASE}/x", json=[])
    mock.post(f"{BASE}/embeddings", json={"data": []})
    extra = {"limit": 3}
    client.models.list(extra_body=extra)
    client.models.retrieve("a", extra_body=extra)
    client.models.delete("a", extra_body=extra)
    client.post("/x", extra_body=extra)
    client.post("/x", body={"a": 1, "limit": 1}, extra_body=extra)
    client.embeddings.create(model="m", input="x", extra_body=extra)
    bodies = [json.loads(call.request.body) for call in mock.calls]
    assert bodies[:4] == [extra] * 4
    assert bodies[4:] == [{"a": 1, "limit": 3}, {"model": "m", "input": "x", "limit": 3}]
    client.models.list(extra_body={})
    assert mock.calls[-1].request.body is None
    with pytest.raises(TypeError, match="extra_body needs a body that is a dict, not list"):
        client.post("/x", body=[1], extra_body=extra)


def test_options_that_no_call_has_are_named(mock: Any, client: rawllm.Client) -> None:
    unknown: dict[str, Any] = {"limit": 3, "after": "a"}
    for call in (
        lambda: client.models.list(**unknown),
        lambda: client.models.retrieve("a", **unknown),
        lambda: client.models.with_raw_response.delete("a", **unknown),
        lambda: client.get("/x", **unknown),
        lambda: client.with_raw_response.request("GET", "/x", **unknown),
    ):
        with pytest.raises(
            TypeError, match=r"^unknown options: after, limit; JSON goes into body="
        ):
            call()
    assert not mock.calls


def test_every_resource_may_be_answered_raw(mock: Any, client: rawllm.Client) -> None:
    raw = client.with_raw_response
    mock.post(f"{BASE}/chat/completions", json=CHAT)
    mock.post(f"{BASE}/completions", json=TEXT)
    mock.post(f"{BASE}/embeddings", json={"data": []})
    mock.get(f"{BASE}/models", json={"data": [{"id": "a"}]})
    assert raw.chat.completions.create(model="m", messages="x").parse() == CHAT
    assert raw.completions.create(model="m", prompt="x").parse() == TEXT
    assert raw.embeddings.create(model="m", input="x").parse().data == []
    assert raw.models.list().parse().data[0].id == "a"
    assert raw.chat.completions is client.chat.completions.with_raw_response


def test_a_resource_is_made_once_and_can_be_patched(client: rawllm.Client) -> None:
    def wrapped(**params: Any) -> str:
        return f"wrapped {params['model']}"

    patched: Any = client
    for resource in (patched.chat.completions, patched.completions, patched.embeddings):
        resource.create = wrapped
    patched.models.retrieve = wrapped
    assert patched.chat.completions.create(model="m", messages="x") == "wrapped m"
    assert patched.completions.create(model="m", prompt="x") == "wrapped m"
    assert patched.embeddings.create(model="m", input="x") == "wrapped m"
    assert patched.models.retrieve(model="m") == "wrapped m"
    assert client.with_raw_response is client.with_raw_response
