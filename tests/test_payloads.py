"""What goes out: the body of each request, and its bytes."""

from __future__ import annotations

import collections
import copy
import enum
import json
import math
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from rawllm.objects import Object
from rawllm.payloads import (
    NOT_GIVEN,
    NotGiven,
    Omit,
    chat,
    choices_asked,
    completion,
    embedding,
    extended,
    is_given,
    not_given,
    omit,
    serialize,
)

HI = [{"role": "user", "content": "Hi"}]

# --- shapes -----------------------------------------------------------------


def test_the_body_of_a_chat() -> None:
    assert chat("tiny", HI) == {"model": "tiny", "messages": HI}


def test_one_text_is_one_message_of_the_user() -> None:
    assert chat("tiny", "Hi") == chat("tiny", HI)
    assert chat("tiny", "")["messages"] == [{"role": "user", "content": ""}]


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([], id="none"),
        pytest.param(tuple(HI), id="a tuple"),
        pytest.param([Object(role="user", content="Hi")], id="an answer's own"),
        pytest.param([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], id="parts"),
        pytest.param([{}], id="an empty one"),
    ],
)
def test_messages_go_out_as_they_are(messages: Any) -> None:
    assert chat("tiny", messages)["messages"] == list(messages)


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param("Once", id="text"),
        pytest.param("", id="no text"),
        pytest.param(["a", "b"], id="texts"),
        pytest.param([1, 2], id="tokens"),
        pytest.param([[1, 2], [3]], id="lists of tokens"),
        pytest.param(("a", "b"), id="a tuple"),
        pytest.param([], id="none"),
    ],
)
def test_the_body_of_a_completion_and_of_an_embedding(prompt: Any) -> None:
    assert completion("tiny", prompt) == {"model": "tiny", "prompt": prompt}
    assert embedding("tiny", prompt) == {"model": "tiny", "input": prompt}


#: name: (messages, what the error says)
NO_MESSAGES: dict[str, tuple[Any, str]] = {
    "a generator": (
        (message for message in HI),
        r"messages must be a str or a list of dicts, not generator \(make a list of it\)",
    ),
    "a map": (map(dict, HI), r"not map \(make a list of it\)"),
    "a set": ({"Hi"}, r"not set \(make a list of it\)"),
    "one dict": (HI[0], r"not dict \(make a list of it\)"),
    "bytes": (b"Hi", r"not bytes \(decode it\)"),
    "a bytearray": (bytearray(b"Hi"), r"not bytearray \(decode it\)"),
    "None": (None, "not NoneType$"),
    "a number": (7, "not int$"),
    "texts": (["Hi"], r"messages\[0\] must be a dict, not str$"),
    "pairs": ([*HI, ("user", "Hi")], r"messages\[1\] must be a dict, not tuple$"),
    "a None among them": ([None], r"messages\[0\] must be a dict, not NoneType$"),
}


@pytest.mark.parametrize(("messages", "says"), NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_what_are_no_messages_is_refused(messages: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        chat("tiny", messages)


#: name: (prompt, what the error says)
NO_PROMPT: dict[str, tuple[Any, str]] = {
    "a generator": ((text for text in "ab"), r"not generator \(make a list of it\)"),
    "bytes": (b"Hi", r"not bytes \(decode it\)"),
    "a bytearray": (bytearray(b"Hi"), r"not bytearray \(decode it\)"),
    "a dict": ({}, r"not dict \(make a list of it\)"),
    "None": (None, "not NoneType$"),
    "omit": (omit, "not Omit$"),
    "a number": (7, "not int$"),
}


@pytest.mark.parametrize(("prompt", "says"), NO_PROMPT.values(), ids=NO_PROMPT)
def test_what_is_no_prompt_is_refused(prompt: Any, says: str) -> None:
    with pytest.raises(TypeError, match=f"^prompt must be a str or a list, {says}"):
        completion("tiny", prompt)
    with pytest.raises(TypeError, match=f"^input must be a str or a list, {says}"):
        embedding("tiny", prompt)


# --- parameters -------------------------------------------------------------

BUILDERS = [
    pytest.param(chat, "messages", HI, id="chat"),
    pytest.param(completion, "prompt", "Hi", id="completion"),
    pytest.param(embedding, "input", "Hi", id="embedding"),
]


@pytest.mark.parametrize(("build", "name", "value"), BUILDERS)
def test_parameters_go_out_as_given_whether_known_or_not(build: Any, name: str, value: Any) -> None:
    more = {
        "temperature": 0,
        "top_k": 40,
        "stream": False,
        "stop": [],
        "x": "",
        "user": {"a": None},
    }
    assert build("tiny", value, **more) == {"model": "tiny", name: value, **more}


@pytest.mark.parametrize(("build", "name", "value"), BUILDERS)
def test_none_and_omit_are_not_sent(build: Any, name: str, value: Any) -> None:
    body = build("tiny", value, seed=None, stop=omit, top_p=NOT_GIVEN, extra_body=None)
    assert body == {"model": "tiny", name: value}


@pytest.mark.parametrize(("build", "name", "value"), BUILDERS)
def test_extra_body_wins_and_may_hold_nulls(build: Any, name: str, value: Any) -> None:
    extra = {"temperature": 1, "seed": None, name: None}
    body = build("tiny", value, temperature=0, seed=7, extra_body=extra)
    assert body == {"model": "tiny", "temperature": 1, "seed": None, name: None}
    assert extra == {"temperature": 1, "seed": None, name: None}


@pytest.mark.parametrize(
    ("value", "given"),
    [
        (None, False),
        (omit, False),
        (Omit(), False),
        (0, True),
        ("", True),
        (False, True),
        ([], True),
    ],
    ids=repr,
)
def test_whether_a_parameter_is_to_be_sent(value: object, given: bool) -> None:
    assert is_given(value) is given


def test_omit_is_one_thing_by_three_names() -> None:
    assert NOT_GIVEN is not_given is omit
    assert NotGiven is Omit
    assert (repr(omit), bool(omit)) == ("omit", False)
    for copied in (copy.copy(omit), copy.deepcopy(omit), pickle.loads(pickle.dumps(omit))):
        assert copied is omit


#: name: (body, extra_body, what is sent)
EXTENDED: dict[str, tuple[Any, Any, Any]] = {
    "added and replaced": ({"a": 1, "b": 2}, {"b": None, "c": 3}, {"a": 1, "b": None, "c": 3}),
    "no body": (None, {"a": 1}, {"a": 1}),
    "nothing to no body": (None, {}, None),
    "nothing": ({"a": 1}, {}, {"a": 1}),
    "None": ([1], None, [1]),
    "omit": ("text", omit, "text"),
    "another mapping": ({"a": 1}, types.MappingProxyType({"b": 2}), {"a": 1, "b": 2}),
}


@pytest.mark.parametrize(("body", "extra", "sent"), EXTENDED.values(), ids=EXTENDED)
def test_a_body_is_extended(body: Any, extra: Any, sent: Any) -> None:
    assert extended(body, extra) == sent


@pytest.mark.parametrize("extra", ["ab", [("a", 1)], 7], ids=repr)
def test_an_extra_body_is_a_dict(extra: Any) -> None:
    for extend in (lambda extra: chat("tiny", "Hi", extra_body=extra), lambda e: extended({}, e)):
        with pytest.raises(
            TypeError, match=f"extra_body must be a dict, not {type(extra).__name__}"
        ):
            extend(extra)


@pytest.mark.parametrize("body", [[1], "text", 7], ids=repr)
def test_only_a_dict_can_be_extended(body: Any) -> None:
    with pytest.raises(TypeError, match=f"a body that is a dict, not {type(body).__name__}"):
        extended(body, {"a": 1})


# --- how many choices -------------------------------------------------------

#: name: (body, choices)
CHOICES: dict[str, tuple[dict[str, Any], int]] = {
    "a chat": ({"messages": HI}, 1),
    "n": ({"messages": HI, "n": 3}, 3),
    "n is null": ({"messages": HI, "n": None}, 1),
    "n is no number": ({"messages": HI, "n": "3"}, 1),
    "one prompt": ({"prompt": "Hi"}, 1),
    "one prompt, n": ({"prompt": "Hi", "n": 2}, 2),
    "one prompt in a list": ({"prompt": ["Hi"]}, 1),
    "two prompts": ({"prompt": ["a", "b"]}, 2),
    "two prompts, n": ({"prompt": ["a", "b"], "n": 3}, 6),
    "a tuple of prompts": ({"prompt": ("a", "b", "c")}, 3),
    "tokens": ({"prompt": [1, 2, 3]}, 1),
    "lists of tokens": ({"prompt": [[1, 2], [3]]}, 2),
    "tokens and text": ({"prompt": [1, "a"]}, 2),
    "no prompt": ({"prompt": []}, 1),
    "nothing": ({}, 1),
}


@pytest.mark.parametrize(("body", "choices"), CHOICES.values(), ids=CHOICES)
def test_how_many_choices_were_asked_for(body: dict[str, Any], choices: int) -> None:
    assert choices_asked(body) == choices


# --- bytes ------------------------------------------------------------------


def test_bytes_are_compact_json_in_utf_8() -> None:
    body = {
        "model": "tiny",
        "messages": [{"content": "é€😀\u2028"}],
        "n": 1,
        "x": [None, True, 0.5],
    }
    assert serialize(body) == (
        '{"model":"tiny","messages":[{"content":"é€😀\u2028"}],"n":1,"x":[null,true,0.5]}'.encode()
    )


def test_bytes_keep_the_order_of_what_was_given() -> None:
    body = chat("tiny", "Hi", z=1, a=2, extra_body={"y": 3})
    assert list(json.loads(serialize(body))) == ["model", "messages", "z", "a", "y"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        pytest.param("\ud83d", "\ufffd", id="the first half"),
        pytest.param("\ude00", "\ufffd", id="the second half"),
        pytest.param("a\udce9b", "a\ufffdb", id="a byte that was no UTF-8"),
        pytest.param("\ude00\ud83d", "\ufffd\ufffd", id="the wrong way round"),
        pytest.param("\ud83d\ude00", "\U0001f600", id="a pair"),
        pytest.param("\U0001f600\ud83d", "\U0001f600\ufffd", id="after a character beyond them"),
        pytest.param("\ud83d\U0001f600é", "\ufffd\U0001f600é", id="before one"),
        pytest.param("\ud83d\ud83d\ude00", "\ufffd\U0001f600", id="before a pair"),
    ],
)
def test_lone_surrogates_become_replacement_characters(text: str, sent: str) -> None:
    assert json.loads(serialize({"content": text, text: 1})) == {"content": sent, sent: 1}


#: name: (body, the error's text)
NOT_FINITE: dict[str, tuple[Any, str]] = {
    "a parameter": ({"n": 1, "temperature": math.nan}, "temperature is NaN or infinite"),
    "in a list": ({"bias": [0.0, math.inf]}, "bias[1] is NaN or infinite"),
    "in a tuple": ({"bias": (0.0, -math.inf)}, "bias[1] is NaN or infinite"),
    "far inside": (
        {"messages": [{"a": 1}, {"content": [{"x": math.nan}]}]},
        "messages[1].content[0].x is NaN or infinite",
    ),
    "the first of two": ({"a": [1.0], "b": math.nan, "c": math.nan}, "b is NaN or infinite"),
    "under a number": ({1: math.nan}, "1 is NaN or infinite"),
    "the body": (math.nan, "the body is NaN or infinite"),
    "a key": ({math.nan: 1}, "a key in the body is NaN or infinite"),
}


@pytest.mark.parametrize(("body", "says"), NOT_FINITE.values(), ids=NOT_FINITE)
def test_nan_and_infinities_are_refused_with_their_place(body: Any, says: str) -> None:
    with pytest.raises(ValueError, match="JSON cannot carry that") as caught:
        serialize(body)
    assert str(caught.value) == f"{says}: JSON cannot carry that"


ENDLESS = 10**5000

#: name: (body, the error's text)
TOO_LONG: dict[str, tuple[Any, str]] = {
    "a parameter": ({"n": 1, "seed": ENDLESS}, "seed has"),
    "in a list": ({"bias": [0, -ENDLESS]}, "bias[1] has"),
    "a key": ({ENDLESS: 1}, "a key in the body has"),
    "under such a key": ({"a": {ENDLESS: ENDLESS}}, "a.a key has"),
}


@pytest.mark.skipif(not hasattr(sys, "set_int_max_str_digits"), reason="no such limit")
@pytest.mark.parametrize(("body", "says"), TOO_LONG.values(), ids=TOO_LONG)
def test_a_number_without_end_is_refused_with_its_place(body: Any, says: str) -> None:
    with pytest.raises(ValueError, match="more digits") as caught:
        serialize(body)
    assert str(caught.value) == f"{says} more digits than Python writes"
    assert caught.value.__suppress_context__


class Colour(enum.Enum):
    RED = 1


#: name: (body, the error's text)
FOREIGN: dict[str, tuple[Any, str]] = {
    "a set": ({"stop": {"x"}}, "stop: Object of type set is not JSON serializable"),
    "bytes": (
        {"messages": [{"content": b"Hi"}]},
        "messages[0].content: Object of type bytes is not JSON serializable",
    ),
    "an enumeration": ({"a": [1, Colour.RED]}, "a[1]: Object of type Colour is not JSON"),
    "omit inside": ({"a": {"b": omit}}, "a.b: Object of type Omit is not JSON serializable"),
    "a mapping": (
        {"messages": [types.MappingProxyType(HI[0])]},
        "messages[0]: Object of type mappingproxy is not JSON serializable",
    ),
    "a deque": ({"messages": collections.deque(HI)}, "messages: Object of type deque is not"),
    "the body": (object(), "the body: Object of type object is not JSON serializable"),
    "a key": ({("a",): 1}, "a key in the body: keys must be str, int, float, bool or None, not"),
    "a key further in": ({"n": 1, "x": {("a",): 1}}, "a key in x: keys must be str, int, float,"),
    "in a list that is the body": ([1, object()], "the body[1]: Object of type object is not"),
}


@pytest.mark.parametrize(("body", "says"), FOREIGN.values(), ids=FOREIGN)
def test_what_json_has_no_form_for_is_refused_with_its_place(body: Any, says: str) -> None:
    with pytest.raises(TypeError) as caught:
        serialize(body)
    assert str(caught.value).startswith(says)
    assert caught.value.__suppress_context__


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


#: name: (how the body is made of what is wrong, what the text begins with)
PARTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a parameter": (lambda wrong: {"n": 1, "messages": [wrong]}, "messages"),
    "the body": (lambda wrong: wrong, "the body"),
    "under a key that is no text": (lambda wrong: {5: wrong}, "a key"),
}


@pytest.mark.parametrize(("made", "name"), PARTS.values(), ids=PARTS)
def test_what_contains_itself_or_is_nested_too_deep_is_refused_by_its_name(
    made: Callable[[Any], Any], name: str
) -> None:
    with pytest.raises(ValueError, match=f"^{name} contains itself: JSON cannot carry that$"):
        serialize(made(itself()))
    with pytest.raises(ValueError, match=f"^{name} is nested too deep for JSON$"):
        serialize(made(nested(100_000)))


@pytest.mark.parametrize("depth", [100, 300, 500, 700, 900, 3000])
@pytest.mark.parametrize("value", [math.nan, {"x"}], ids=["NaN", "a set"])
def test_a_fault_is_refused_at_any_depth(value: object, depth: int) -> None:
    # JSON may manage what looking for the place of the fault does not.
    body: list[Any] = [value]
    for _ in range(depth):
        body = [body]
    with pytest.raises((ValueError, TypeError)):
        serialize(body)


def test_what_a_model_said_is_sent_back_without_its_nulls() -> None:
    said = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [{"id": "1"}]}
    asked = {"role": "user", "content": None}
    body = chat("m", [said, asked])
    assert body["messages"] == [{"role": "assistant", "tool_calls": [{"id": "1"}]}, asked]
    assert said["content"] is None


@pytest.mark.parametrize("model", [5, True, b"m", ["m"], {"id": "m"}], ids=repr)
@pytest.mark.parametrize("build", [chat, completion, embedding])
def test_a_model_is_named_by_a_text(build: Any, model: Any) -> None:
    with pytest.raises(TypeError, match="model must be a str, not"):
        build(model, "x")
