"""The client against a real llama-server: what only a server can prove."""

import json
import math
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import islice
from typing import Any

import pytest
import requests

from rawllm import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ContextLengthExceededError,
    IncompleteStreamError,
    NotFoundError,
    OpenAI,
)

from .conftest import API_KEY
from .relay import counting
from .replies import ANSWER, ARGUMENTS, REASONING, REPLY, TOOL
from .server import LlamaServer, eventually

MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": TOOL,
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}

Connect = Callable[..., OpenAI]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A client of a server, which is closed at the end of the test."""
    with ExitStack() as clients:

        def to(base_url: str, **options: Any) -> OpenAI:
            return clients.enter_context(OpenAI(base_url=base_url, **options))

        yield to


@pytest.fixture
def client(connect: Connect, chat_server: LlamaServer) -> OpenAI:
    return connect(chat_server.base_url)


streamed = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


def chat(client: OpenAI, *, streamed: bool, messages: list[Any] = MESSAGES, **params: Any) -> Any:
    """A chat's whole answer, which comes at once or is folded."""
    if not streamed:
        return client.chat.completions.create(model="tiny", messages=messages, **params)
    with client.chat.completions.create(
        model="tiny", messages=messages, stream=True, **params
    ) as stream:
        return stream.completion


# --- chat ---


@streamed
def test_a_chat_has_the_reply(client: OpenAI, streamed: bool) -> None:
    completion = chat(client, streamed=streamed)
    (choice,) = completion.choices
    assert completion.object == "chat.completion"
    assert choice.message == {"role": "assistant", "content": REPLY}
    assert (choice.index, choice.finish_reason) == (0, "stop")


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({}, id="plain"),
        pytest.param({"max_tokens": 3}, id="cut-by-max_tokens"),
        pytest.param({"max_tokens": 11}, id="cut-within-a-character"),
        pytest.param({"stop": [" tiny"]}, id="stop-sequence"),
        pytest.param({"n": 2}, id="two-choices"),
        # To its last token: of the end of turn only the whole answer has the probability.
        pytest.param({"logprobs": True, "top_logprobs": 2, "max_tokens": 5}, id="logprobs"),
        pytest.param({"tools": [WEATHER]}, id="tools-not-called"),
    ],
)
def test_a_folded_stream_equals_the_whole_answer(client: OpenAI, params: dict[str, Any]) -> None:
    params = {"temperature": 0, **params}
    whole, folded = (chat(client, streamed=streamed, **params) for streamed in (False, True))
    assert folded.choices == whole.choices
    assert folded.keys() >= whole.keys() - {"usage"}


def test_the_pieces_of_a_stream_are_whole_characters(client: OpenAI) -> None:
    with client.chat.completions.create(model="tiny", messages=MESSAGES, stream=True) as stream:
        pieces = list(stream.text)
    assert "".join(pieces) == REPLY
    assert {"é", "😀"} <= set(pieces)


def test_the_simple_call_returns_text(client: OpenAI) -> None:
    assert client.chat("tiny", MESSAGES) == REPLY


def test_the_simple_call_streams_text(client: OpenAI) -> None:
    assert "".join(client.chat("tiny", MESSAGES, stream=True)) == REPLY


def test_usage_comes_last_in_a_stream_that_asked_for_it(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="tiny", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert [len(chunk.choices) for chunk in chunks[-2:]] == [1, 0]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 19  # the end of turn is one


def test_usage_of_a_stream_is_that_of_the_whole_answer(client: OpenAI) -> None:
    whole = chat(client, streamed=False)
    folded = chat(client, streamed=True, stream_options={"include_usage": True})
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert folded.usage[count] == whole.usage[count]


@streamed
def test_a_json_schema_is_kept_to(client: OpenAI, streamed: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"greeting": {"type": "string"}},
        "required": ["greeting"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "greeting", "schema": schema}}
    completion = chat(client, streamed=streamed, response_format=form)
    assert json.loads(completion.choices[0].message.content) == {"greeting": REPLY}


def test_the_servers_own_fields_are_kept(client: OpenAI) -> None:
    completion = chat(client, streamed=False)
    assert completion["timings"]["predicted_n"] == 19


def test_the_raw_response_shows_the_headers(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="tiny", messages=MESSAGES)
    assert raw.headers["Server"] == "llama.cpp"
    assert raw.parse().choices[0].message.content == REPLY


def test_threads_share_a_client(client: OpenAI) -> None:
    def ask(streamed: bool) -> str:
        content: str = chat(client, streamed=streamed).choices[0].message.content
        return content

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, [False, True] * 8)) == {REPLY}


# --- tools and reasoning ---


@streamed
def test_a_tool_call_and_its_result_are_sent_back(
    connect: Connect, tool_server: LlamaServer, streamed: bool
) -> None:
    client = connect(tool_server.base_url)
    messages = [*MESSAGES]
    for _ in range(2):  # the model calls again, whatever the result
        (choice,) = chat(client, streamed=streamed, messages=messages, tools=[WEATHER]).choices
        assert choice.finish_reason == "tool_calls"
        (call,) = choice.message.tool_calls
        assert call.type == "function"
        assert call.function.name == TOOL
        assert json.loads(call.function.arguments) == ARGUMENTS
        result = {"role": "tool", "tool_call_id": call.id, "content": "18 °C"}
        messages += [choice.message, result]


@streamed
def test_reasoning_is_told_apart_and_sent_back(
    connect: Connect, think_server: LlamaServer, streamed: bool
) -> None:
    client = connect(think_server.base_url)
    messages = [*MESSAGES]
    for _ in range(2):
        (choice,) = chat(client, streamed=streamed, messages=messages).choices
        assert choice.message.reasoning_text == REASONING
        assert choice.message.content == ANSWER
        messages += [choice.message, *MESSAGES]


def test_reasoning_is_streamed_in_pieces(connect: Connect, think_server: LlamaServer) -> None:
    stream = connect(think_server.base_url).chat.completions.create(
        model="tiny", messages=MESSAGES, stream=True
    )
    deltas = [chunk.choices[0].delta for chunk in stream]
    assert [d.reasoning_content for d in deltas if d.reasoning_content] == [
        *("Let", " me", " see", " first")
    ]
    assert "".join(d.content or "" for d in deltas) == ANSWER


# --- legacy completions ---


def complete(client: OpenAI, *, streamed: bool, **params: Any) -> Any:
    if not streamed:
        return client.completions.create(model="tiny", **params)
    with client.completions.create(model="tiny", stream=True, **params) as stream:
        return stream.completion


@streamed
@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        pytest.param("The capital of France is", [REPLY], id="text"),
        pytest.param(list(b"The capital of France is"), [REPLY], id="tokens"),
        pytest.param(["One", "Two"], [REPLY, REPLY], id="two-texts"),
    ],
)
def test_prompts_are_completed(
    client: OpenAI, streamed: bool, prompt: Any, texts: list[str]
) -> None:
    completion = complete(client, streamed=streamed, prompt=prompt)
    assert completion.object == "text_completion"
    assert [(choice.index, choice.text, choice.finish_reason) for choice in completion.choices] == [
        (index, text, "stop") for index, text in enumerate(texts)
    ]


# --- embeddings ---


@pytest.fixture
def embedder(connect: Connect, embedding_server: LlamaServer) -> OpenAI:
    return connect(embedding_server.base_url)


def vectors(client: OpenAI, given: Any, **params: Any) -> list[list[float]]:
    return [
        item.embedding
        for item in client.embeddings.create(model="tiny", input=given, **params).data
    ]


def test_an_embedding_is_a_vector_of_length_one(embedder: OpenAI) -> None:
    (vector,) = vectors(embedder, "Hello!")
    assert math.hypot(*vector) == pytest.approx(1)


def test_embeddings_are_the_same_in_both_encodings(embedder: OpenAI) -> None:
    texts = ["Hello!", "café 😀"]
    response = embedder.embeddings.create(model="tiny", input=texts, encoding_format="base64")
    for item, vector in zip(
        response.data, vectors(embedder, texts, encoding_format="float"), strict=True
    ):
        assert item.embedding == pytest.approx(vector)


def test_many_inputs_have_their_vectors_in_order(embedder: OpenAI) -> None:
    texts = [chr(ord("a") + place) * (place + 1) for place in range(20)]
    (alone,) = vectors(embedder, texts[7])
    response = embedder.embeddings.create(model="tiny", input=texts)
    assert [item.index for item in response.data] == list(range(20))
    assert response.data[7].embedding == pytest.approx(alone)
    assert response.data[8].embedding != pytest.approx(alone)


@pytest.mark.parametrize("text", ["Hello!", "café"])
def test_tokens_are_embedded_as_their_text(embedder: OpenAI, text: str) -> None:
    tokens = list(text.encode())  # in these models a byte is a token, and its own id
    as_text = vectors(embedder, text)
    assert vectors(embedder, tokens) == [pytest.approx(each) for each in as_text]
    assert vectors(embedder, [tokens, tokens]) == [pytest.approx(each) for each in as_text * 2]


# --- models, and routes of the server's own ---


def test_models_lists_the_loaded_model(client: OpenAI) -> None:
    (model,) = client.models.list().data
    assert (model.id, model.object, model.owned_by) == ("tiny", "model", "llamacpp")


def test_retrieving_a_model_fails_with_a_hint(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as failure:
        client.models.retrieve("tiny")  # a route this server does not have
    assert "File Not Found" in str(failure.value)
    assert "models.list()" in str(failure.value)


def test_a_router_answers_with_the_model_asked_for(connect: Connect, router: LlamaServer) -> None:
    client = connect(router.base_url)
    assert [model.id for model in client.models.list().data] == ["tiny", "tiny-think", "tiny-tool"]
    assert client.chat("tiny", MESSAGES) == REPLY
    assert client.chat("tiny-think", MESSAGES) == ANSWER


def test_a_router_refuses_a_model_it_does_not_have(connect: Connect, router: LlamaServer) -> None:
    with pytest.raises(BadRequestError, match="'huge' not found"):
        connect(router.base_url).chat("huge", MESSAGES)


def test_other_routes_are_reached_by_get_and_post(client: OpenAI, chat_server: LlamaServer) -> None:
    assert client.get("/health") == {"status": "ok"}
    props = client.get(f"{chat_server.root}/props")
    assert props["default_generation_settings"]["n_ctx"] == 4096
    tokens = client.post(f"{chat_server.root}/tokenize", body={"content": "é"})
    assert tokens == {"tokens": list("é".encode())}


# --- errors ---


def test_the_right_key_is_let_in(connect: Connect, keyed_server: LlamaServer) -> None:
    assert connect(keyed_server.base_url, api_key=API_KEY).chat("tiny", MESSAGES) == REPLY


@streamed
@pytest.mark.parametrize("key", [None, "wrong"], ids=["no-key", "wrong-key"])
def test_without_the_right_key_is_an_authentication_error(
    connect: Connect,
    keyed_server: LlamaServer,
    monkeypatch: pytest.MonkeyPatch,
    key: str | None,
    streamed: bool,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(AuthenticationError, match="Invalid API Key") as failure:
        chat(connect(keyed_server.base_url, api_key=key), streamed=streamed)
    assert failure.value.status_code == 401


@streamed
def test_a_prompt_that_does_not_fit_is_counted(client: OpenAI, streamed: bool) -> None:
    with pytest.raises(ContextLengthExceededError) as failure:
        chat(client, streamed=streamed, messages=[{"role": "user", "content": "a" * 5000}])
    assert failure.value.context_length == 4096
    assert failure.value.prompt_tokens is not None
    assert 5000 < failure.value.prompt_tokens < 5100  # the template adds the rest


@streamed
@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"temperature": "hot"}, "'temperature'", id="type-of-a-number"),
        pytest.param({"messages": "hello"}, "'messages' to be an array", id="type-of-messages"),
        pytest.param({"tool_choice": "sometimes"}, "tool_choice", id="unknown-choice"),
    ],
)
def test_a_malformed_request_is_sent_once(
    chat_server: LlamaServer, streamed: bool, body: dict[str, Any], words: str
) -> None:
    # The server closes the connection after an error, so that each retry would open another.
    with counting(chat_server.base_url) as relay, OpenAI(base_url=relay.base_url) as client:
        with pytest.raises(BadRequestError, match=words):
            chat(client, streamed=streamed, extra_body=body)
        assert len(relay.connections) == 1


# --- connections ---


def test_whole_answers_use_one_connection(chat_server: LlamaServer) -> None:
    with counting(chat_server.base_url) as relay, OpenAI(base_url=relay.base_url) as client:
        assert {client.chat("tiny", MESSAGES) for _ in range(10)} == {REPLY}
        assert len(relay.connections) == 1


def test_connections_that_the_server_closes_are_replaced(chat_server: LlamaServer) -> None:
    # After a stream this server promises to keep the connection, and closes it.
    with counting(chat_server.base_url) as relay, OpenAI(base_url=relay.base_url) as client:
        for _ in range(5):
            assert client.chat("tiny", MESSAGES) == REPLY
            assert "".join(client.chat("tiny", MESSAGES, stream=True)) == REPLY
        assert len(relay.connections) <= 5


def endless(client: OpenAI) -> Any:
    """A stream of more than anybody would read."""
    return client.chat.completions.create(
        model="tiny", messages=MESSAGES, stream=True, extra_body={"ignore_eos": True}
    )


def break_out(client: OpenAI) -> None:
    for _ in endless(client):
        break


def break_out_and_hold(client: OpenAI) -> Any:
    stream = endless(client)
    for _ in stream:
        break
    return stream


def break_out_of_text(client: OpenAI) -> None:
    for _ in client.chat("tiny", MESSAGES, stream=True, extra_body={"ignore_eos": True}):
        break


def close(client: OpenAI) -> None:
    stream = endless(client)
    next(iter(stream))
    stream.close()


def leave(client: OpenAI) -> None:
    with endless(client) as stream:
        next(iter(stream))


def fail(client: OpenAI) -> None:
    with suppress(ZeroDivisionError), endless(client) as stream:
        for _ in stream:
            raise ZeroDivisionError


def is_busy(server: LlamaServer) -> bool:
    """Whether it is generating anything for anybody."""
    slots = requests.get(f"{server.root}/slots", timeout=5).json()
    return any(slot["is_processing"] for slot in slots)


@pytest.mark.parametrize(
    "interrupt", [break_out, break_out_and_hold, break_out_of_text, close, leave, fail]
)
def test_an_interrupted_stream_stops_the_generation(
    connect: Connect, endless_server: LlamaServer, interrupt: Callable[[OpenAI], Any]
) -> None:
    held = interrupt(connect(endless_server.base_url))
    assert eventually(lambda: not is_busy(endless_server), within=5), "it goes on generating"
    del held


def test_a_stream_that_is_read_keeps_the_server_busy(
    connect: Connect, endless_server: LlamaServer
) -> None:
    # Without this the test above would prove nothing: the answer might end by itself.
    chunks = iter(endless(connect(endless_server.base_url)))
    assert len(list(islice(chunks, 5000))) == 5000
    assert is_busy(endless_server)


def test_a_killed_server_leaves_the_answer_so_far(
    connect: Connect, doomed_server: LlamaServer
) -> None:
    client = connect(doomed_server.base_url)
    pieces = []

    def read() -> None:
        for piece in endless(client).text:
            pieces.append(piece)
            if len(pieces) == 20:
                doomed_server.kill()

    with pytest.raises(IncompleteStreamError) as failure:
        read()
    text = "".join(pieces)
    assert text.startswith(REPLY)
    assert failure.value.partial.choices[0].message.content == text
    assert failure.value.partial.choices[0].finish_reason is None


def test_a_server_that_is_gone_is_named(connect: Connect, doomed_server: LlamaServer) -> None:
    client = connect(doomed_server.base_url, max_retries=0)
    assert client.chat("tiny", MESSAGES) == REPLY
    doomed_server.kill()
    with pytest.raises(APIConnectionError, match=re.escape(doomed_server.base_url)) as failure:
        client.chat("tiny", MESSAGES)
    assert not isinstance(failure.value, APITimeoutError)
