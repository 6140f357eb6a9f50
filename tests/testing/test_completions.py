"""Completions: a stream says what the whole answer says, in every dialect; and what that is."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from rawllm.answers import ChatCompletion, Completion
from rawllm.fold import Fold
from rawllm.objects import Object
from rawllm.testing import Site
from rawllm.testing.dialects import DIALECTS
from rawllm.testing.usages import USAGES
from tests.testing.asking import Reply, ask, chat, complete

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time"}}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "warm": {"type": "boolean"}},
    "required": ["city", "warm"],
}
FORM = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA}}

# --- the oracle: chunks fold to the whole answer ----------------------------


def folded(reply: Reply, kind: type[ChatCompletion] | type[Completion]) -> Any:
    fold = Fold(kind)
    body = reply.body.replace(b"data:{", b"data: {")  # TGI
    for line in body.decode().split("\n"):
        if line.startswith("data: {"):
            fold.add(Object.from_json(line[6:]))
    return fold.completion


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def said(choice: Any) -> dict[str, Any]:
    """What a choice says, whichever the field that says it."""
    message = choice.get("message", {})
    calls = message.get("tool_calls") or ()
    text = choice.get("text") or message.get("content") or ""
    return {
        "index": choice["index"],
        "text": text,
        "thoughts": message.get("reasoning_content") or message.get("reasoning") or "",
        "refusal": message.get("refusal") or "",
        "calls": [(call["id"], call["function"]["name"], arguments(call)) for call in calls],
        "finish_reason": choice["finish_reason"],
        "logprobs": without_nulls(choice.get("logprobs")),
    }


def arguments(call: Any) -> str:
    value = call["function"]["arguments"]
    return value if isinstance(value, str) else json.dumps(value)


#: name: (the scenario, and what is asked for)
CHATS: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("plain", {}),
    "no text": ("plain", {"messages": ""}),
    "cut": ("plain", {"max_tokens": 4}),
    "thoughts": ("think", {}),
    "thoughts, cut": ("think", {"max_tokens": 3}),
    "a tool": ("tools", {"tools": [WEATHER]}),
    "two tools": ("tools", {"tools": [WEATHER, TIME]}),
    "two tools, cut": ("tools", {"tools": [WEATHER, TIME], "max_tokens": 8}),
    "thoughts and a tool": ("think", {"tools": [WEATHER]}),
    "two choices": ("plain", {"n": 2}),
    "two choices that call": ("tools", {"n": 2, "tools": [WEATHER, TIME]}),
    "logprobs": ("plain", {"logprobs": True}),
    "logprobs and rivals": ("plain", {"logprobs": True, "top_logprobs": 3}),
    "JSON": ("plain", {"response_format": FORM}),
    "all Unicode": ("plain", {"messages": "naïve 東京タワー 😀👍🏽 \u2028"}),
}


@pytest.mark.parametrize(("kind", "given"), CHATS.values(), ids=CHATS)
@pytest.mark.parametrize("server", DIALECTS)
def test_a_stream_folds_to_the_whole_answer(server: str, kind: str, given: dict[str, Any]) -> None:
    dialect = DIALECTS[server]
    whole = chat(f"{kind}-{server}", **given).json
    stream = chat(f"{kind}-{server}", **given, stream=True, stream_options={"include_usage": True})
    sum_of_it = folded(stream, ChatCompletion)
    for expected, got in itertools.zip_longest(whole["choices"], sum_of_it["choices"]):
        wanted = said(expected)
        if not dialect.streams_logprobs:
            wanted["logprobs"] = None
        if not dialect.all_finish and wanted["index"]:
            wanted["finish_reason"] = None
        assert said(got) == wanted
    for name in ("id", "model", "created"):
        assert sum_of_it[name] == whole[name]
    if dialect.usage is not USAGES["never"].put:
        assert sum_of_it["usage"] == whole["usage"]


#: name: what is asked for
TEXTS: dict[str, dict[str, Any]] = {
    "text": {},
    "no text": {"prompt": ""},
    "cut": {"max_tokens": 4},
    "an echo": {"echo": True},
    "an echo alone": {"echo": True, "max_tokens": 0},
    "logprobs": {"logprobs": 2},
    "logprobs of an echo": {"logprobs": 2, "echo": True},
    "two prompts, two choices each": {"prompt": ["one two three", "four five six"], "n": 2},
}


@pytest.mark.parametrize("given", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("server", DIALECTS)
def test_a_legacy_stream_folds_to_the_whole_answer(server: str, given: dict[str, Any]) -> None:
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    whole = complete(f"plain-{server}", **given).json
    sum_of_it = folded(complete(f"plain-{server}", **given, **usage), Completion)
    assert [said(choice) for choice in sum_of_it["choices"]] == [
        said(choice) for choice in whole["choices"]
    ]
    assert sum_of_it["id"] == whole["id"]
    if DIALECTS[server].usage is not USAGES["never"].put:
        assert sum_of_it["usage"] == whole["usage"]


# --- what OpenAI's own form looks like --------------------------------------


def test_a_whole_chat() -> None:
    assert chat("m", "Hi!").json == {
        "id": "chatcmpl-cacf1fb4",
        "object": "chat.completion",
        "created": 1735689600,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hi!",
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4},
    }


def test_a_streamed_chat() -> None:
    reply = chat("m", "Hi!", stream=True, stream_options={"include_usage": True})
    head = {
        "id": "chatcmpl-cacf1fb4",
        "object": "chat.completion.chunk",
        "created": 1735689600,
        "model": "m",
    }
    deltas = [{"role": "assistant", "content": ""}, {"content": "Hi"}, {"content": "!"}, {}]
    reasons = [None, None, None, "stop"]
    usage = {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    assert reply.chunks == [
        head
        | {
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
            "usage": None,
        }
        for delta, reason in zip(deltas, reasons, strict=True)
    ] + [head | {"choices": [], "usage": usage}]
    assert reply.data[-1] == "[DONE]"


def test_a_whole_legacy_completion() -> None:
    assert complete("m", "Hi!").json == {
        "id": "cmpl-0faaa9f4",
        "object": "text_completion",
        "created": 1735689600,
        "model": "m",
        "choices": [{"index": 0, "text": "Hi!", "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4},
    }


def test_calls_of_several_tools_come_one_after_the_other_in_pieces() -> None:
    pieces = [
        delta["tool_calls"][0]
        for chunk in chat("tools", tools=[WEATHER, TIME], stream=True).chunks
        if "tool_calls" in (delta := chunk["choices"][0]["delta"])
    ]
    named = [piece["function"]["name"] for piece in pieces if "name" in piece["function"]]
    assert named == ["get_weather", "get_time"]
    assert [piece["index"] for piece in pieces] == sorted(piece["index"] for piece in pieces)
    assert len(pieces) > 10
    whole = chat("tools", tools=[WEATHER, TIME]).choice["message"]
    assert whole["content"] is None
    ids = [call["id"] for call in whole["tool_calls"]]
    assert ids == [piece["id"] for piece in pieces if "id" in piece]
    assert len(set(ids)) == 2


def test_the_chunks_of_several_choices_take_turns() -> None:
    chunks = chat(n=3, stream=True).chunks
    assert [chunk["choices"][0]["index"] for chunk in chunks][:7] == [0, 1, 2, 0, 1, 2, 0]


def test_a_refusal_is_no_content() -> None:
    message = chat("refusal").choice["message"]
    assert message["content"] is None
    assert message["refusal"] == "I cannot help with that."


def test_a_scenario_may_finish_for_no_reason_that_a_client_knows() -> None:
    assert chat("aborted").choice["finish_reason"] == "abort"


# --- ids --------------------------------------------------------------------


def test_the_same_request_has_the_same_bytes() -> None:
    site = Site()
    assert chat(site=site, stream=True).script == chat(site=site, stream=True).script
    assert chat(site=Site()).script == chat(site=Site()).script


def test_other_requests_have_other_ids() -> None:
    replies = [chat(), chat("n"), chat(messages="Hi"), chat(seed=1), complete()]
    assert len({reply.json["id"] for reply in replies}) == len(replies)


def test_calls_of_other_choices_have_other_ids() -> None:
    choices = chat("tools", tools=[WEATHER, TIME], n=2).json["choices"]
    ids = [call["id"] for choice in choices for call in choice["message"]["tool_calls"]]
    assert len(set(ids)) == 4


# --- usage ------------------------------------------------------------------


def test_usage_counts_what_was_told_and_what_is_said() -> None:
    messages = [{"role": "system", "content": "one two"}, {"role": "user", "content": "three"}]
    usage = chat(messages=messages, n=2).json["usage"]
    assert usage == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_usage_says_how_much_was_thought() -> None:
    usage = chat("think", "Hi").json["usage"]
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 10}
    assert usage["completion_tokens"] == 11


def test_usage_of_several_prompts_is_one_sum_without_their_echo() -> None:
    usage = complete(prompt=["one two", "three"], echo=True, max_tokens=1).json["usage"]
    assert usage == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(
    ("server", "details"),
    [
        ("llama-server", {"prompt_tokens_details": {"cached_tokens": 0}}),
        ("mlx-lm", {"prompt_tokens_details": {"cached_tokens": 0}}),
        ("ollama", {}),
    ],
)
def test_details_of_the_usage_are_a_servers_own(server: str, details: dict[str, Any]) -> None:
    usage = chat(f"think-{server}", "Hi").json["usage"]
    counts = {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert {name: value for name, value in usage.items() if name not in counts} == details


def test_an_ending_stands_with_every_finish_or_with_the_usage() -> None:
    chunks = chat("plain-llama-server", n=2, stream=True).chunks
    assert ["timings" in chunk for chunk in chunks] == [False] * (len(chunks) - 2) + [True] * 2
    usage = {"include_usage": True}
    chunks = chat("plain-llama-server", n=2, stream=True, stream_options=usage).chunks
    assert ["timings" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


# --- logprobs ---------------------------------------------------------------


def test_logprobs_of_a_chat_are_an_object_for_each_token() -> None:
    logprobs = chat(messages="Hi!", logprobs=True, top_logprobs=1).choice["logprobs"]
    hi = {"token": "Hi", "logprob": -0.125, "bytes": [72, 105]}
    mark = {"token": "!", "logprob": -0.0625, "bytes": [33]}
    content = [hi | {"top_logprobs": [hi]}, mark | {"top_logprobs": [mark]}]
    assert logprobs == {"content": content, "refusal": None}


@pytest.mark.parametrize("given", [{}, {"logprobs": False}])
def test_logprobs_are_null_where_they_are_not_asked_for(given: dict[str, Any]) -> None:
    assert chat(**given).choice["logprobs"] is None


def test_logprobs_of_a_legacy_completion_are_lists_side_by_side() -> None:
    [choice] = complete(prompt="Hi!", logprobs=1).json["choices"]
    assert choice["logprobs"] == {
        "tokens": ["Hi", "!"],
        "token_logprobs": [-0.125, -0.0625],
        "top_logprobs": [{"Hi": -0.125}, {"!": -0.0625}],
        "text_offset": [0, 2],
    }


# --- echo -------------------------------------------------------------------


def test_an_echo_is_the_prompt_before_the_text() -> None:
    [choice] = complete(prompt="one two", echo=True).json["choices"]
    assert choice["text"] == "one twoone two"


def test_an_echo_is_not_cut() -> None:
    [choice] = complete(prompt="one two", echo=True, max_tokens=0).json["choices"]
    assert choice == {"index": 0, "text": "one two", "logprobs": None, "finish_reason": "length"}


def test_a_token_that_is_no_text_is_answered_as_one() -> None:
    """A half of a surrogate pair, which only an escape can say."""
    reply = ask(
        "/v1/chat/completions",
        rb'{"model":"m","messages":[{"role":"user","content":"\ud83d!"}],"logprobs":true}',
    )
    assert b'"content":"\\ud83d!"' in reply.body
    assert reply.choice["logprobs"]["content"][0]["bytes"] == [0xED, 0xA0, 0xBD]
