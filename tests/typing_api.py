"""What a type checker sees of the API. Nothing here runs: mypy and pyright read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typing_extensions import assert_type

import rawllm
from rawllm import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatStream,
    Choice,
    Completion,
    CompletionStream,
    CreateEmbeddingResponse,
    Message,
    Model,
    ModelDeleted,
    ModelList,
    NotGiven,
    OpenAI,
    RawResponse,
    ToolCall,
    ToolCallDelta,
    Usage,
    not_given,
)


def the_simple_call(client: OpenAI, *, streamed: bool) -> None:
    assert_type(client.chat("m", "x"), str)
    assert_type(client.chat("m", [{"role": "user", "content": "x"}], temperature=0), str)
    assert_type(client.chat("m", "x", stream=False), str)
    assert_type(client.chat("m", "x", stream=True), Iterator[str])
    assert_type(client.chat("m", "x", stream=streamed), str | Iterator[str])


def the_sdks_call(client: OpenAI, *, streamed: bool) -> None:
    create = client.chat.completions.create
    assert_type(create(model="m", messages="x"), ChatCompletion)
    assert_type(create(model="m", messages=[], stream=False, top_k=40), ChatCompletion)
    assert_type(create(model="m", messages=[], stream=True), ChatStream)
    assert_type(create(model="m", messages=[], stream=streamed), ChatCompletion | ChatStream)


def whole_answers(answer: ChatCompletion) -> None:
    assert_type(answer.choices, list[Choice])
    assert_type(answer.choices[0].message, Message)
    assert_type(answer.choices[0].message.content, str | None)
    assert_type(answer.choices[0].message.text, str)
    assert_type(answer.choices[0].message.reasoning_text, str)
    assert_type(answer.choices[0].message.tool_calls, list[ToolCall] | None)
    assert_type(answer.usage, Usage | None)
    assert_type(answer._request_id, str | None)
    _ = answer.choises  # type: ignore[attr-defined]  # pyright: ignore  # a typo is found


def streams(stream: ChatStream, legacy: CompletionStream) -> None:
    for chunk in stream:
        assert_type(chunk, ChatCompletionChunk)
        assert_type(chunk.choices[0].delta.content, str | None)
        assert_type(chunk.choices[0].delta.tool_calls, list[ToolCallDelta] | None)
    assert_type(next(stream), ChatCompletionChunk)
    assert_type(stream.text, Iterator[str])
    assert_type(stream.completion, ChatCompletion)
    assert_type(stream.finished, bool)
    assert_type(next(legacy), Completion)
    assert_type(legacy.completion, Completion)
    with stream as entered:
        assert_type(entered, ChatStream)


def other_resources(client: OpenAI) -> None:
    assert_type(client.completions.create(model="m", prompt=["a", "b"]), Completion)
    assert_type(client.completions.create(model="m", prompt=[1], stream=True), CompletionStream)
    vectors = client.embeddings.create(model="m", input=[[1, 2]])
    assert_type(vectors, CreateEmbeddingResponse)
    assert_type(vectors.data[0].embedding, list[float])
    assert_type(client.models.list(), ModelList)
    for model in client.models.list():
        assert_type(model, Model)
    assert_type(client.models.retrieve("m"), Model)
    assert_type(client.models.delete("m"), ModelDeleted)
    assert_type(client.models.with_raw_response.list(), RawResponse[ModelList])
    assert_type(client.models.with_raw_response.list().parse(), ModelList)
    assert_type(client.with_options(timeout=5), OpenAI)


def what_a_port_looks_for(client: OpenAI) -> None:
    raw = client.with_raw_response
    assert_type(raw.chat.completions.create(model="m", messages="x"), RawResponse[Any])
    assert_type(raw.completions.create(model="m", prompt="x"), RawResponse[Any])
    vectors = raw.embeddings.create(model="m", input="x")
    assert_type(vectors, RawResponse[CreateEmbeddingResponse])
    assert_type(raw.models.list(), RawResponse[ModelList])
    assert_type(raw.delete("/x"), RawResponse[Any])
    assert_type(client.delete("/x"), Any)
    assert_type(client.organization, str | None)
    assert_type(client.project, str | None)
    assert_type(client.default_headers, dict[str, str])
    assert_type(client.default_query, dict[str, Any])
    given: str | NotGiven = not_given
    assert_type(not_given, NotGiven)
    client.chat("m", "x", user=given)


def errors(error: rawllm.APIStatusError, limit: rawllm.RateLimitError) -> None:
    assert_type(error.status_code, int)
    assert_type(error.code, str | None)
    assert_type(error.request_id, str | None)
    assert_type(limit.retry_after, float | None)
