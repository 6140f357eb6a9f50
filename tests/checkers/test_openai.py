"""The official `openai` package gets along with the reference server, whatever it asks for.

It is a witness of its own: what it makes of the bytes, rawllm had no part in.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from rawllm import testing
from rawllm.testing import Exchange
from rawllm.testing.dialects import DIALECTS

from .conftest import Sdk

HELLO = "Hello, how is the weather in New York?"
SAYING_HELLO = [{"role": "user", "content": HELLO}]
ASKED = {"model": "plain", "messages": SAYING_HELLO}
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}
CALLED = {"city": "New York", "unit": "celsius"}


@pytest.fixture
def client(sdk: Sdk, url: str) -> Any:
    """It checks every field of an answer; without being asked to, it takes anything."""
    return sdk(url, _strict_response_validation=True)


@pytest.fixture
def lenient(sdk: Sdk, url: str) -> Any:
    return sdk(url)


# --- chats ------------------------------------------------------------------


def test_a_chat(client: Any) -> None:
    answer = client.chat.completions.create(**ASKED)
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", HELLO)
    assert choice.finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id.startswith("req_")


def test_a_stream_says_the_same_and_ends_with_the_usage(client: Any) -> None:
    whole = client.chat.completions.create(**ASKED)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = client.chat.completions.create(**ASKED, **options)
    assert len(chunks) > 3
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == HELLO
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert last.choices == []
    assert last.usage == whole.usage
    assert {chunk.id for chunk in [*chunks, last]} == {whole.id}


@pytest.mark.parametrize("model", ["plain", "tools", "think", "refusal", "filtered", "unicode"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_is_said_has_the_types_of_the_package(client: Any, model: str, stream: bool) -> None:
    asked = {"model": model, "messages": SAYING_HELLO, "tools": [WEATHER], "n": 2}
    options = {"logprobs": True, "top_logprobs": 2, "stream": stream}
    assert list(client.chat.completions.create(**asked, **options))


def test_another_type_would_be_noticed(openai: Any, client: Any) -> None:
    asked = {"model": "tools-tgi", "messages": SAYING_HELLO, "tools": [WEATHER]}
    with pytest.raises(openai.APIResponseValidationError):
        client.chat.completions.create(**asked)


def test_choices_differ_and_keep_their_places(client: Any) -> None:
    answer = client.chat.completions.create(**ASKED, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    texts = [choice.message.content for choice in answer.choices]
    assert len(set(texts)) == 3
    with client.chat.completions.stream(**ASKED, n=3) as stream:
        streamed = stream.get_final_completion()
    assert [choice.message.content for choice in streamed.choices] == texts


@pytest.mark.parametrize(
    ("options", "text", "finish_reason"),
    [
        pytest.param({"max_tokens": 2}, "Hello,", "length", id="max_tokens"),
        pytest.param({"max_completion_tokens": 1}, "Hello", "length", id="max_completion_tokens"),
        pytest.param({"stop": ","}, "Hello", "stop", id="stop"),
        pytest.param({"stop": ["New", " the"]}, "Hello, how is", "stop", id="stops"),
    ],
)
def test_an_answer_ends_early(
    client: Any, options: dict[str, Any], text: str, finish_reason: str
) -> None:
    [choice] = client.chat.completions.create(**ASKED, **options).choices
    assert (choice.message.content, choice.finish_reason) == (text, finish_reason)


def test_a_seed_repeats_an_answer_and_another_changes_it(client: Any) -> None:
    one, same, other = (
        client.chat.completions.create(**ASKED, seed=seed).choices[0].message.content
        for seed in (1, 1, 2)
    )
    assert one == same != other


def test_logprobs_are_those_of_the_text(client: Any) -> None:
    answer = client.chat.completions.create(**ASKED, logprobs=True, top_logprobs=2)
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == HELLO
    assert b"".join(bytes(token.bytes) for token in tokens) == HELLO.encode()
    assert len(tokens) == answer.usage.completion_tokens
    for token in tokens:
        assert token.top_logprobs[0].token == token.token
        assert token.logprob == token.top_logprobs[0].logprob > token.top_logprobs[1].logprob


def test_thoughts_come_beside_the_text(client: Any) -> None:
    """The package has no field for them, but keeps what it does not know."""
    answer = client.chat.completions.create(**ASKED | {"model": "think"})
    message = answer.choices[0].message
    assert message.reasoning_content
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0
    with client.chat.completions.stream(**ASKED | {"model": "think"}) as stream:
        streamed = stream.get_final_completion().choices[0].message
    assert streamed.reasoning_content == message.reasoning_content
    assert streamed.content == message.content == HELLO


# --- JSON -------------------------------------------------------------------


def test_a_json_object(client: Any) -> None:
    answer = client.chat.completions.create(**ASKED, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content), dict)


def model_of_a_trip() -> Any:
    """A model of pydantic's, which comes with the package; its schema has a reference."""
    import pydantic

    class Place(pydantic.BaseModel):
        city: str
        days: int

    class Trip(pydantic.BaseModel):
        title: str
        places: list[Place]
        by: Literal["train", "ship"]
        price: float | None

    return Trip


def test_a_schema_is_parsed_into_its_model(client: Any) -> None:
    trip = model_of_a_trip()
    answer = client.chat.completions.parse(**ASKED, response_format=trip)
    message = answer.choices[0].message
    assert isinstance(message.parsed, trip)
    assert message.parsed.by in {"train", "ship"}
    with client.chat.completions.stream(**ASKED, response_format=trip) as stream:
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.parsed == message.parsed


def test_a_refusal_is_not_parsed(client: Any) -> None:
    trip = model_of_a_trip()
    asked = ASKED | {"model": "refusal"}
    message = client.chat.completions.parse(**asked, response_format=trip).choices[0].message
    assert message.refusal
    assert (message.content, message.parsed) == (None, None)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param({"max_tokens": 1}, "LengthFinishReasonError", id="max_tokens"),
        pytest.param({"model": "filtered"}, "ContentFilterFinishReasonError", id="filtered"),
    ],
)
def test_half_of_a_json_is_not_parsed(
    openai: Any, client: Any, options: dict[str, Any], error: str
) -> None:
    trip = model_of_a_trip()
    with pytest.raises(getattr(openai, error)):
        client.chat.completions.parse(**ASKED | options, response_format=trip)


# --- tools ------------------------------------------------------------------


def test_a_tool_is_called_and_its_answer_is_told(client: Any) -> None:
    messages: list[Any] = [*SAYING_HELLO]
    asked = {"model": "plain", "messages": messages, "tools": [WEATHER]}
    first = client.chat.completions.create(**asked).choices[0]
    [call] = first.message.tool_calls
    assert (first.finish_reason, first.message.content) == ("tool_calls", None)
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", CALLED)
    messages.append(first.message)
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "9 degrees"})
    second = client.chat.completions.create(**asked).choices[0]
    assert (second.finish_reason, second.message.content) == ("stop", "9 degrees")


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        pytest.param("auto", ["get_weather"], id="auto"),
        pytest.param("none", [], id="none"),
        pytest.param("required", ["get_weather"], id="required"),
        pytest.param(
            {"type": "function", "function": {"name": "book"}}, ["book"], id="one that is named"
        ),
    ],
)
def test_the_choice_of_a_tool(client: Any, choice: Any, names: list[str]) -> None:
    other = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}
    answer = client.chat.completions.create(**ASKED, tools=[WEATHER, other], tool_choice=choice)
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == names


#: They say again with every piece of a call what they have said, and what that is.
REPEATING = {"llama-cpp-python": ["id", "name"], "tgi": ["id"]}


@pytest.mark.parametrize("server", sorted(DIALECTS.keys() - REPEATING.keys()))
def test_streamed_calls_are_put_together_in_the_form_of(lenient: Any, server: str) -> None:
    streamed, done = streamed_calls(lenient, server)
    assert streamed == whole_calls(lenient, server)
    assert [event.name for event in done] == ["get_weather", "get_climate"]
    assert [json.loads(event.arguments) for event in done] == [CALLED, CALLED]


@pytest.mark.parametrize("server", REPEATING)
def test_the_helper_lengthens_what_is_repeated(lenient: Any, server: str) -> None:
    streamed, _ = streamed_calls(lenient, server)
    for call, whole in zip(streamed, whole_calls(lenient, server), strict=True):
        assert json.loads(call["arguments"]) == CALLED
        longer = [field for field in ("id", "name") if call[field] != whole[field]]
        assert longer == REPEATING[server]
        for field in longer:
            assert set(call[field].split(whole[field])) == {""}


TWO_TOOLS = [WEATHER, {**WEATHER, "function": {**WEATHER["function"], "name": "get_climate"}}]


def streamed_calls(client: Any, server: str) -> tuple[list[dict[str, Any]], list[Any]]:
    """The calls that the helper has put together, and its events of finished ones."""
    with client.chat.completions.stream(**asked_of(server)) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        return calls_of(stream.get_final_completion()), done


def whole_calls(client: Any, server: str) -> list[dict[str, Any]]:
    return calls_of(client.chat.completions.create(**asked_of(server)))


def asked_of(server: str) -> dict[str, Any]:
    return {"model": f"tools-{server}", "messages": SAYING_HELLO, "tools": TWO_TOOLS}


def calls_of(completion: Any) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
        for call in completion.choices[0].message.tool_calls
    ]


def test_arguments_are_parsed_into_their_model(openai: Any, client: Any) -> None:
    trip = model_of_a_trip()
    asked = ASKED | {"model": "tools"}
    tools = [openai.pydantic_function_tool(trip, name="book")]
    answer = client.chat.completions.parse(**asked, tools=tools)
    [call] = answer.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, trip)


# --- the other endpoints ----------------------------------------------------


def test_embeddings_in_base64_are_those_in_floats(sdk: Sdk) -> None:
    asked = {"model": "plain", "input": ["black cats", "a black cat"], "dimensions": 16}
    exchanges: list[Exchange] = []
    with testing.serve(seen=exchanges.append) as url:
        client = sdk(url)
        packed = client.embeddings.create(**asked)  # the package asks for base64 by itself
        floats = client.embeddings.create(**asked, encoding_format="float")
    assert [each.request.json["encoding_format"] for each in exchanges] == ["base64", "float"]
    assert b'"embedding":"' in exchanges[0].raw
    assert b'"embedding":[' in exchanges[1].raw
    assert packed == floats
    assert [len(item.embedding) for item in packed.data] == [16, 16]


def test_a_legacy_completion_with_its_prompt(client: Any, lenient: Any) -> None:
    asked = {"model": "plain", "prompt": HELLO, "max_tokens": 2, "echo": True}
    [choice] = client.completions.create(**asked).choices
    assert (choice.text, choice.finish_reason) == (f"{HELLO}Hello,", "length")
    # The package's types do not know that a chunk's finish_reason is null before the last.
    streamed = lenient.completions.create(**asked, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == choice.text


def test_legacy_logprobs_are_those_of_the_text(lenient: Any) -> None:
    """The first token of a prompt has none, of which the package's types do not know."""
    asked = {"model": "plain", "prompt": HELLO, "max_tokens": 2, "logprobs": 1}
    [choice] = lenient.completions.create(**asked, echo=True).choices
    assert "".join(choice.logprobs.tokens) == choice.text
    assert choice.logprobs.token_logprobs[0] is None
    assert all(logprob < 0 for logprob in choice.logprobs.token_logprobs[1:])


def test_models(client: Any) -> None:
    assert "plain" in [model.id for model in client.models.list()]
    assert client.models.retrieve("plain").id == "plain"


# --- errors -----------------------------------------------------------------


def test_a_key_is_wrong(openai: Any, sdk: Sdk) -> None:
    with testing.serve(keys={"secret"}) as url:
        with pytest.raises(openai.AuthenticationError) as caught:
            sdk(url, api_key="another").chat.completions.create(**ASKED)
        assert sdk(url).chat.completions.create(**ASKED)
    assert caught.value.code == "invalid_api_key"


def test_a_model_is_not_known(openai: Any, sdk: Sdk) -> None:
    with testing.serve(strict=True) as url:
        client = sdk(url)
        for ask in (client.models.retrieve, lambda name: chat_of(client, name)):
            with pytest.raises(openai.NotFoundError) as caught:
                ask("tiny")
            assert caught.value.code == "model_not_found"


def test_a_parameter_is_wrong(openai: Any, client: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**ASKED, temperature=3)
    assert (caught.value.param, caught.value.type) == ("temperature", "invalid_request_error")
    assert "from 0 to 2" in caught.value.message


def test_a_limit_says_how_long_to_wait(openai: Any, client: Any) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        chat_of(client, "error-429:7")
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "7"


def test_what_failed_is_tried_again(sdk: Sdk) -> None:
    """After half a second: the package's own delay."""
    exchanges: list[Exchange] = []
    with testing.serve(seen=exchanges.append) as url:
        answer = chat_of(sdk(url, max_retries=1), "retry")
    assert answer.choices[0].message.content == HELLO
    assert [each.request.headers["x-stainless-retry-count"] for each in exchanges] == ["0", "1"]


def chat_of(client: Any, model: str) -> Any:
    return client.chat.completions.create(**ASKED | {"model": model})
