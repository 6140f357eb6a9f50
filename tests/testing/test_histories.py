"""The messages of a chat: what is a history, and what is wrong with others."""

from __future__ import annotations

from typing import Any

import pytest

from rawllm.testing import histories, tokens

SAID = {"role": "user", "content": "Hi"}
ASKED: list[Any] = [
    SAID,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": "now", "arguments": "{}"}}
            for id_ in ("a", "b")
        ],
    },
]


def answer(id_: object, content: object = "12:00") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content}


#: name: messages that are a history
HISTORIES: dict[str, list[Any]] = {
    "one message": [SAID],
    "every role": [{"role": role, "content": "Hi"} for role in histories.ROLES if role != "tool"],
    "nothing is said": [{"role": "user", "content": ""}],
    "parts": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:,"}},
            ],
        }
    ],
    "answered calls": [*ASKED, answer("b"), answer("a")],
    "a call and its answer, twice": [*ASKED, answer("a"), answer("b")] * 2,
    "calls with one id": [
        SAID,
        {**ASKED[1], "tool_calls": [ASKED[1]["tool_calls"][0]] * 2},
        answer("a"),
        answer("a"),
    ],
    "a call beside text": [{**ASKED[1], "content": "Let me see."}, answer("a"), answer("b")],
    "no calls": [{"role": "assistant", "content": "Hi", "tool_calls": None}],
    "a refusal": [{"role": "assistant", "content": None, "refusal": "No."}],
    "the old call of a function": [
        {"role": "assistant", "function_call": {"name": "now", "arguments": "{}"}},
        {"role": "function", "name": "now", "content": "12:00"},
    ],
    "a field that nobody knows": [SAID | {"reasoning": "hm", "name": "Ann"}],
}


@pytest.mark.parametrize("messages", HISTORIES.values(), ids=HISTORIES)
def test_a_history_has_no_fault(messages: list[Any]) -> None:
    assert histories.fault(messages) is None


CALLS = (
    "a list of messages; of [0] the tool_calls must be a list of "
    'at least one {"id": ..., "type": "function", "function": {"name": ..., "arguments": "..."}}'
)
ROLE = (
    "a list of messages; of [0] the role must be one of "
    "system, developer, user, assistant, tool, function"
)
PART = (
    'a list of messages; of [0] each part of the content must be as {"type": "text", "text": "..."}'
)
CONTENT = "a list of messages; of [0] the content must be a string or a list of at least one part"
MISSING = "a list of messages; of [0] the content is missing"
NO_CALL = (
    "a list of messages; of [{}] the tool_call_id must be that of a call that waits for its answer"
)


def calls(value: object) -> list[Any]:
    return [{"role": "assistant", "content": "Hi", "tool_calls": value}]


#: name: (messages, what they must be)
FAULTS: dict[str, tuple[object, str]] = {
    "no messages": ([], "a list of at least one message"),
    "no list": ("Hi", "a list of at least one message"),
    "a text among them": (["Hi"], "a list of messages; of [0] an object is asked"),
    "the second one": ([SAID, None], "a list of messages; of [1] an object is asked"),
    "no role": ([{"content": "Hi"}], ROLE),
    "an unknown role": ([{"role": "model", "content": "Hi"}], ROLE),
    "a role that is a list": ([{"role": [], "content": "Hi"}], ROLE),
    "no content": ([{"role": "user"}], MISSING),
    "an assistant that says nothing": ([{"role": "assistant", "content": None}], MISSING),
    "an assistant with no calls": (calls([]), CALLS),
    "a call without a type": (
        calls([{"id": "a", "function": {"name": "now", "arguments": "{}"}}]),
        CALLS,
    ),
    "a user's refusal": ([{"role": "user", "content": None, "refusal": "No."}], MISSING),
    "content that is a number": ([{"role": "user", "content": 1}], CONTENT),
    "no parts": ([{"role": "user", "content": []}], CONTENT),
    "a part that is a text": ([{"role": "user", "content": ["Hi"]}], PART),
    "a part without a type": ([{"role": "user", "content": [{"text": "Hi"}]}], PART),
    "a part without content": ([{"role": "user", "content": [{"type": "text"}]}], PART),
    "a text that is none": (
        [{"role": "user", "content": [{"type": "text", "text": 1}]}],
        "a list of messages; of [0] the text of each part must be a string",
    ),
    "calls that are a number": (calls(1), CALLS),
    "a call that is a text": (calls(["a"]), CALLS),
    "a call without a function": (calls([{"id": "a"}]), CALLS),
    "a call without an id": (calls([{"function": {"name": "f", "arguments": ""}}]), CALLS),
    "a call with an id of any type": (
        calls([{"id": {}, "function": {"name": "f", "arguments": ""}}]),
        CALLS,
    ),
    "arguments that are an object": (
        calls([{"id": "a", "function": {"name": "f", "arguments": {}}}]),
        CALLS,
    ),
    "an answer without a call": ([SAID, answer("a")], NO_CALL.format(1)),
    "an answer to another call": ([*ASKED, answer("c")], NO_CALL.format(2)),
    "a second answer": ([*ASKED, answer("a"), answer("a")], NO_CALL.format(3)),
    "an id of any type": ([*ASKED, answer({})], NO_CALL.format(2)),
    "a call without an answer": (
        [*ASKED, answer("a")],
        "answers to all tool calls, also to 'b'",
    ),
    "someone else speaks": (
        [*ASKED, answer("a"), SAID],
        "a list of messages; of [3] the role must be tool, for the call 'b' waits for its answer",
    ),
}


@pytest.mark.parametrize(("messages", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_place(messages: object, fault: str) -> None:
    assert histories.fault(messages) == fault


#: name: (content, its text)
TEXTS: dict[str, tuple[object, str]] = {
    "a text": ("Hi", "Hi"),
    "nothing": (None, ""),
    "parts": (
        [
            {"type": "text", "text": "What is "},
            {"type": "image_url", "image_url": {"url": "data:,"}},
            {"type": "text", "text": "this?"},
        ],
        "What is this?",
    ),
}


@pytest.mark.parametrize(("content", "text"), TEXTS.values(), ids=TEXTS)
def test_the_text_of_a_message(content: object, text: str) -> None:
    assert histories.text_of({"role": "user", "content": content}) == text


def test_the_tokens_of_a_history_are_those_of_its_messages() -> None:
    messages = [{"content": "one two"}, {"content": "three"}]
    assert histories.tokens_of(messages) == tokens.encode("one two") + tokens.encode("three")
