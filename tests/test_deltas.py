"""Pieces of one field, added up by the field's rule; above all the pieces of tool calls."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from rawllm.deltas import CHOICE, MESSAGE, Fields, fill, is_finish
from rawllm.objects import Object, parse


def fold(rules: dict[str, Callable[[], Any]], name: str, pieces: list[Any]) -> Any:
    """What the values of the field `name`, as they come in JSON, add up to."""
    fields = Fields(rules)
    for piece in pieces:
        fields.add(name, parse(json.dumps(piece)))
    assert fields.values() == ({} if fields.get(name) is None else {name: fields.get(name)})
    return fields.get(name)


# --- fields -----------------------------------------------------------------

PART = {"type": "text", "text": "a"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}

TEXTS = [
    pytest.param(["He", "y", "!"], "Hey!", id="joined"),
    pytest.param(["a", "a"], "aa", id="the same twice"),
    pytest.param(["a\r", "\nb\r\n", "\u2028"], "a\r\nb\r\n\u2028", id="line ends stay"),
    pytest.param(["", "a", None, "", "b", None], "ab", id="null and empty between"),
    pytest.param([""], "", id="empty"),
    pytest.param([None, None], None, id="null"),
    pytest.param([[]], "", id="no parts"),
    pytest.param(["a", [], "b"], "ab", id="no parts among text"),
    pytest.param(["a", [IMAGE], []], [{"type": "text", "text": "a"}, IMAGE], id="parts, then none"),
    pytest.param([[PART], [IMAGE, PART]], [PART, IMAGE, PART], id="lists of parts"),
    pytest.param(
        ["He", "y", [IMAGE], "a", "", [IMAGE], [IMAGE]],
        [{"type": "text", "text": "Hey"}, IMAGE, PART, IMAGE, IMAGE],
        id="text and parts",
    ),
    pytest.param([[IMAGE], "", "a"], [IMAGE, PART], id="text after the parts"),
    pytest.param([IMAGE, PART], [IMAGE, PART], id="a part without its list"),
    pytest.param(["a", 5, True], [PART, 5, True], id="not text at all"),
]


@pytest.mark.parametrize(("pieces", "whole"), TEXTS)
@pytest.mark.parametrize(
    "name", ["content", "refusal", "reasoning_content", "reasoning", "thinking"]
)
def test_what_is_said_is_joined(name: str, pieces: list[Any], whole: Any) -> None:
    assert fold(MESSAGE, name, pieces) == whole


@pytest.mark.parametrize(("pieces", "whole"), TEXTS)
def test_the_text_of_a_legacy_choice_is_joined(pieces: list[Any], whole: Any) -> None:
    assert fold(CHOICE, "text", pieces) == whole


def test_text_between_parts_becomes_an_object_as_they_are() -> None:
    parts = fold(MESSAGE, "content", ["a", [IMAGE]])
    assert [type(part) for part in parts] == [Object, Object]


SAID = [
    pytest.param(["a"], "a", id="once"),
    pytest.param(["a", "a", "a"], "a", id="in every piece"),
    pytest.param(["a", "", None], "a", id="then empty"),
    pytest.param(["", None, "a"], "a", id="later"),
    pytest.param(["a", "ab"], "ab", id="grown"),
    pytest.param([""], None, id="empty is nothing"),
    pytest.param([5, [], {}], 5, id="not text at all"),
]


@pytest.mark.parametrize(("pieces", "whole"), SAID)
def test_the_role_is_said_once(pieces: list[Any], whole: Any) -> None:
    assert fold(MESSAGE, "role", pieces) == whole


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        pytest.param(["a", "b", None], "b", id="texts"),
        pytest.param(["a", ""], "", id="the empty text, too"),
        pytest.param([1, 2], 2, id="numbers"),
        pytest.param([0, False], False, id="false"),
        pytest.param([{"a": 1}, {"b": 2}], {"b": 2}, id="objects"),
        pytest.param([[1], None, [], [[2], 3]], [1, [2], 3], id="lists grow"),
        pytest.param([[1], 2, [3], [4]], [3, 4], id="a list after a number starts anew"),
        pytest.param([[1], "a"], "a", id="a text after a list"),
        pytest.param([None], None, id="null"),
    ],
)
@pytest.mark.parametrize("rules", [CHOICE, MESSAGE], ids=["choice", "message"])
def test_of_a_field_without_a_rule_the_last_is_kept(
    rules: dict[str, Callable[[], Any]], pieces: list[Any], whole: Any
) -> None:
    assert fold(rules, "a_server's_own", pieces) == whole


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        pytest.param([None, "stop", None], "stop", id="once"),
        pytest.param(["stop", "length"], "length", id="the last"),
        pytest.param(["stop", ""], "stop", id="then empty"),
        pytest.param(["stop", "abort"], "stop", id="then abort"),
        pytest.param(["stop", False, 5, ["length"]], "stop", id="then no text"),
        pytest.param(["abort", "stop"], "stop", id="abort, then a finish"),
        pytest.param(["abort"], "abort", id="abort"),
        pytest.param(["abort", ""], "abort", id="abort, then empty"),
        pytest.param([5, ["x"], False], ["x"], id="no text"),
        pytest.param(["", False, 0], None, id="nothing"),
    ],
)
def test_a_finish_is_not_undone(pieces: list[Any], whole: Any) -> None:
    assert fold(CHOICE, "finish_reason", pieces) == whole


@pytest.mark.parametrize("reason", ["stop", "length", "load", "error", "x"])
def test_a_text_is_a_finish(reason: str) -> None:
    assert is_finish(reason)


@pytest.mark.parametrize("reason", [None, "", "abort", False, True, 0, 5, [], ["stop"], {"a": 1}])
def test_abort_and_what_is_no_text_are_none(reason: Any) -> None:
    assert not is_finish(reason)


LOGPROBS = [
    pytest.param(
        [{"content": [1, 2], "refusal": None}, None, {"content": [3]}, {"content": []}],
        {"content": [1, 2, 3]},
        id="chat",
    ),
    pytest.param(
        [
            {"tokens": ["a"], "token_logprobs": [None], "top_logprobs": [None], "text_offset": [0]},
            {"tokens": ["b"], "token_logprobs": [-1], "top_logprobs": None, "text_offset": [1]},
        ],
        {
            "tokens": ["a", "b"],
            "token_logprobs": [None, -1],
            "top_logprobs": [None],
            "text_offset": [0, 1],
        },
        id="legacy",
    ),
    pytest.param([{"content": [1]}, 5, [6], "7"], {"content": [1]}, id="not always an object"),
    pytest.param([5, {"content": None}, [6], [7]], [6, 7], id="not an object at all"),
    pytest.param([{}], {}, id="an empty object"),
]


@pytest.mark.parametrize(("pieces", "whole"), LOGPROBS)
def test_the_lists_of_logprobs_grow(pieces: list[Any], whole: Any) -> None:
    assert fold(CHOICE, "logprobs", pieces) == whole


@pytest.mark.parametrize(
    ("name", "pieces", "whole"),
    [
        pytest.param(
            "function_call",
            [{"name": "f", "arguments": ""}, {"arguments": '{"a"'}, {"name": "", "arguments": "}"}],
            {"name": "f", "arguments": '{"a"}'},
            id="function_call",
        ),
        pytest.param("function_call", [{"name": "f"}, {"name": "f"}], {"name": "f"}, id="repeated"),
        pytest.param(
            "audio",
            [
                {"id": "a", "transcript": "He"},
                {"id": "a", "transcript": "y", "data": "AA"},
                {"data": "BB", "expires_at": 7},
            ],
            {"id": "a", "transcript": "Hey", "data": "AABB", "expires_at": 7},
            id="audio",
        ),
    ],
)
def test_an_object_in_pieces_has_a_rule_for_each_field(
    name: str, pieces: list[Any], whole: Any
) -> None:
    folded = fold(MESSAGE, name, pieces)
    assert folded == whole
    assert type(folded) is Object


ADDED = [
    # rules, name, pieces, what each adds
    pytest.param(MESSAGE, "content", ["Hey", "", None, "hé你🎉"], [3, 0, 0, 10], id="text"),
    pytest.param(MESSAGE, "content", ["\ud800"], [1], id="a lone surrogate"),
    pytest.param(CHOICE, "text", ["Hey", 5, [], [PART]], [3, None, 0, None], id="parts"),
    pytest.param(
        CHOICE, "text", ["Hey", False, {}], [3, 0, 0], id="what is no part and says nothing"
    ),
    pytest.param(MESSAGE, "role", ["assistant", "assistant", 5], [0, 0, 0], id="said once"),
    pytest.param(CHOICE, "finish_reason", ["abort", "stop", "x"], [0, 0, 0], id="finish_reason"),
    pytest.param(CHOICE, "logprobs", [None, {}, {"content": [1]}], [0, 0, None], id="logprobs"),
    pytest.param(MESSAGE, "tool_calls", [[], [{}], [{}]], [0, None, None], id="calls"),
    pytest.param(MESSAGE, "audio", [{"data": "A"}, {"data": "B"}], [None, None], id="audio"),
    pytest.param(CHOICE, "own", ["x", "y" * 99, ""], [None, 0, 0], id="a text of its own"),
    pytest.param(CHOICE, "own", [0, 7, {"a": 1}, {}], [None, 0, 0, 0], id="replaced"),
    pytest.param(CHOICE, "own", [None, [], [1], [1], []], [0, None, None, None, 0], id="a list"),
]


@pytest.mark.parametrize(("rules", "name", "pieces", "added"), ADDED)
def test_adding_says_how_many_bytes_of_text_that_adds(
    rules: dict[str, Callable[[], Any]], name: str, pieces: list[Any], added: list[int | None]
) -> None:
    fields = Fields(rules)
    assert [fields.add(name, parse(json.dumps(piece))) for piece in pieces] == added


def test_the_answer_so_far_may_be_looked_at_at_any_time() -> None:
    fields = Fields(MESSAGE | CHOICE)
    seen: list[dict[str, Any]] = []
    for piece in ("a", [IMAGE], "b", "c"):
        fields.add("content", piece)
        fields.add("annotations", [len(seen)])
        fields.add("logprobs", Object(content=[len(seen)]))
        seen.append(fields.values())
    b, bc = {"type": "text", "text": "b"}, {"type": "text", "text": "bc"}
    assert [values["content"] for values in seen] == [
        "a",
        [PART, IMAGE],
        [PART, IMAGE, b],
        [PART, IMAGE, bc],
    ]
    grown = [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert [values["annotations"] for values in seen] == grown
    assert [values["logprobs"]["content"] for values in seen] == grown


def test_lists_are_not_shared_with_who_gave_them() -> None:
    fields = Fields(MESSAGE)
    given: dict[str, list[Any]] = {"annotations": [1], "content": [PART]}
    for name, value in given.items():
        fields.add(name, value)
        fields.add(name, [2])
    assert given == {"annotations": [1], "content": [PART]}
    for value in given.values():
        value.clear()
    assert fields.values() == {"annotations": [1, 2], "content": [PART, 2]}


# --- tool calls -------------------------------------------------------------


def piece(
    arguments: Any = None, *, name: str | None = None, **fields: Any
) -> dict[str, dict[str, Any]]:
    """A piece of a call: what is `None` is left out."""
    function = {"name": name, "arguments": arguments}
    return fields | {"function": {k: v for k, v in function.items() if v is not None}}


def call(name: str, arguments: str = "{}", **fields: Any) -> dict[str, Any]:
    """A whole call."""
    return {"type": "function"} | fields | {"function": {"name": name, "arguments": arguments}}


A, B = '{"a": 1}', '{"b": 2}'

CALLS = [
    pytest.param(
        [[piece("", index=0, id="1", name="f", type="function")]]
        + [[piece(letter, index=0)] for letter in A],
        [call("f", A, id="1")],
        id="id and name first, then the arguments",
    ),
    pytest.param(
        [
            [piece("", index=0, id="1", name="f"), piece("", index=1, id="2", name="g")],
            [piece(A[:3], index=0)],
            [piece(B[:3], index=1)],
            [piece(B[3:], index=1), piece(A[3:], index=0)],
        ],
        [call("f", A, id="1"), call("g", B, id="2")],
        id="two calls in turns",
    ),
    pytest.param(
        [
            [piece(B, index=2, id="2", name="h")],
            [piece(A, index=0, id="0", name="f")],
            [piece("{}", index=1, id="1", name="g")],
        ],
        [call("f", A, id="0"), call("g", "{}", id="1"), call("h", B, id="2")],
        id="indexes out of order",
    ),
    pytest.param(
        [[piece(A, index=7, id="1", name="f")], [piece(B, index=9, id="2", name="g")]],
        [call("f", A, id="1"), call("g", B, id="2")],
        id="indexes with gaps",
    ),
    # without index
    pytest.param(
        [
            [piece(id="1", name="f")],
            [piece(A[:3])],
            [piece(A[3:])],
            [piece(id="2", name="g")],
            [piece(B)],
        ],
        [call("f", A, id="1"), call("g", B, id="2")],
        id="no index: the latest call",
    ),
    pytest.param(
        [
            [piece(A[:3], id="1", name="f"), piece(B[:3], id="2", name="g")],
            [piece(A[3:], id="1"), piece(B[3:], id="2")],
        ],
        [call("f", A, id="1"), call("g", B, id="2")],
        id="no index: the id tells",
    ),
    pytest.param(
        [
            [piece(A[:3], index=0, id="1", name="f")],
            [piece(B[:3], index=1, id="2", name="g")],
            [piece(A[3:], id="1")],
            [piece(B[3:], id="2")],
        ],
        [call("f", A, id="1"), call("g", B, id="2")],
        id="no index later: the id tells",
    ),
    pytest.param(
        [
            [piece(A, index=0, id="1", name="f")],
            [piece(B[:3], index=1, id="2", name="g")],
            [piece(B[3:5])],
            [piece(B[5:], index=None)],
        ],
        [call("f", A, id="1"), call("g", B, id="2")],
        id="no index later: the latest call of all",
    ),
    pytest.param(
        [
            [piece(A[:3], index=0, id="1", name="f")],
            [piece(B, id="2", name="g")],
            [piece(A[3:], index=0)],
        ],
        [call("f", A, id="1"), call("g", B, id="2")],
        id="no index in between",
    ),
    pytest.param(
        [[piece("{}", id=str(number), name="f")] for number in range(12)],
        [call("f", "{}", id=str(number)) for number in range(12)],
        id="no index: order of arrival",
    ),
    # quirk(ollama)
    pytest.param(
        [[piece(A, name="f")], [piece(B, name="g")]],
        [call("f", A), call("g", B)],
        id="ollama: neither id nor index",
    ),
    pytest.param(
        [[piece(A, name="f"), piece(B, name="f"), piece(A, name="f")]],
        [call("f", A), call("f", B), call("f", A)],
        id="ollama: neither id nor index, one function",
    ),
    pytest.param(
        [[piece(A, name="get"), piece(B, name="get_time"), piece(A, name="get")]],
        [call("get", A), call("get_time", B), call("get", A)],
        id="ollama: neither id nor index, similar names",
    ),
    pytest.param(
        [[piece("{}", name="f"), piece("{}", name="f")]],
        [call("f"), call("f")],
        id="ollama: no arguments",
    ),
    pytest.param(
        [[piece(A, index=0, name="f"), piece(B, index=0, name="g")]],
        [call("f", A), call("g", B)],
        id="whole calls that share index 0, without id",
    ),
    # quirk(llama-cpp-python)
    pytest.param(
        [
            [piece(part, index=index, id=f"call__{index}_{name}", name=name, type="function")]
            for index, name, whole in [(0, "f", A), (1, "g", B)]
            for part in ("", whole[:2], whole[2:])
        ],
        [call("f", A, id="call__0_f"), call("g", B, id="call__1_g")],
        id="llama-cpp-python: id, type and name in every piece",
    ),
    pytest.param(
        [[piece(part, index=0, id="1", name="f")] for part in ("1", "2", "3")],
        [call("f", "123", id="1")],
        id="the id in every piece, and what came before is JSON",
    ),
    pytest.param(
        [[piece(part, index=0, name="f")] for part in ('{"a"', ": ", "1}")],
        [call("f", A)],
        id="the name in every piece, but no id",
    ),
    pytest.param(
        [[piece(A, index=0, name="f")], [piece("", index=0, name="f")], [piece(name="f", index=0)]],
        [call("f", A)],
        id="the name once more at the end, but no arguments",
    ),
    pytest.param(
        [[piece(A[:3], index=0, id="1", name="f")], [piece(A[3:], index=0, name="f")]],
        [call("f", A, id="1")],
        id="the name in every piece, the id in the first",
    ),
    # quirk(tgi)
    pytest.param(
        [
            [piece(A[:3], index=0, id="0", name="f")],
            [piece(B[:3], index=1, id="0", name="g")],
            [piece(A[3:], index=0, id="0")],
            [piece(B[3:], index=1, id="0")],
        ],
        [call("f", A, id="0"), call("g", B, id="0")],
        id="tgi: every call has the id 0",
    ),
    # quirk(gemini)
    pytest.param(
        [[piece(A, index=0, id="x", name="f"), piece(B, index=0, id="b", name="f")]],
        [call("f", A, id="x"), call("f", B, id="b")],
        id="gemini: two calls share index 0",
    ),
    pytest.param(
        [
            [piece(A[:3], index=0, id="x", name="f")],
            [piece(B[:3], index=0, id="b", name="g")],
            [piece(A[3:], index=0, id="x")],
            [piece(B[3:], index=0, id="b")],
        ],
        [call("f", A, id="x"), call("g", B, id="b")],
        id="gemini: two calls share index 0 in turns",
    ),
    pytest.param(
        [[piece(A, index=0, id="c1", name="f")], [piece(B, index=0, id="c12", name="f")]],
        [call("f", A, id="c1"), call("f", B, id="c12")],
        id="gemini: an id that begins with the other",
    ),
    pytest.param(
        [[piece(index=0, id="x", name="f")], [piece(index=0, id="b", name="f")]],
        [call("f", id="x"), call("f", id="b")],
        id="gemini: no arguments, one function",
    ),
    pytest.param(
        [[piece(index=0, id="x", name="f")], [piece(index=0, id="b", name="g")]],
        [call("f", id="x"), call("g", id="b")],
        id="gemini: no arguments, two functions",
    ),
    pytest.param(
        [[piece(index=0, id="x")], [piece(index=0, id="b", name="g")]],
        [{"type": "function", "id": "x", "function": {"arguments": "{}"}}, call("g", id="b")],
        id="gemini: no name",
    ),
    # quirk(llama-server)
    pytest.param(
        [
            [piece(index=0, id="c", name="f", type="function")],
            [piece(index=0, id="ca", name="f")],
            [piece(index=0, id="call", name="f")],
            [piece(A, index=0)],
        ],
        [call("f", A, id="call")],
        id="llama-server: the id grows",
    ),
    pytest.param(
        [
            [piece(index=0, id="x", name="get")],
            [piece(index=0, id="x", name="get_ti")],
            [piece(index=0, id="x1", name="get_time")],
            [piece(A, index=0)],
        ],
        [call("get_time", A, id="x1")],
        id="llama-server: the name grows, then the id as well",
    ),
    pytest.param(
        [[piece(index=0, id="x", name="get")], [piece(index=0, name="get_time")]],
        [call("get_time", id="x")],
        id="llama-server: the name grows, without an id",
    ),
    pytest.param(
        [[piece(A, index=0, id="x", name="get")], [piece(B, index=0, id="y", name="get_time")]],
        [call("get", A, id="x"), call("get_time", B, id="y")],
        id="llama-server: no name grows once arguments came",
    ),
    pytest.param(
        [[piece(A, index=0, id="x", name="get")], [piece("", index=0, name="get_time")]],
        [call("get", A, id="x"), call("get_time")],
        id="llama-server: no name grows once arguments came, without an id",
    ),
    pytest.param(
        [[piece("", index=0, id="x", name="get"), piece(A, index=0, id="x", name="get_time")]],
        [call("get_time", A, id="x")],
        id="llama-server: the name grows in one list",
    ),
    pytest.param(
        [[piece("", index=0, id="x", name="get")], [piece("{}", index=0, id="y", name="get_all")]],
        [call("get", id="x"), call("get_all", id="y")],
        id="a longer name with another id",
    ),
    pytest.param(
        [[piece("", index=0, id="c1", name="f")], [piece("{}", index=0, id="c10", name="g")]],
        [call("f", id="c1"), call("g", id="c10")],
        id="a longer id with another name",
    ),
    pytest.param(
        [[piece("{}", index=0, id="c1", name="f")], [piece(index=0, id="c10")]],
        [call("f", id="c1"), {"type": "function", "id": "c10", "function": {"arguments": "{}"}}],
        id="a longer id, no name, after the arguments",
    ),
    pytest.param(
        [[piece("", id="0", name="f")], [piece(A, id="0", name="g")], [piece(B, id="0", name="g")]],
        [call("f", id="0"), call("g", A + B, id="0")],
        id="one id, no index, two names",
    ),
    # one list
    pytest.param(
        [[piece("", name="f"), piece("", name="f")], [piece(A)]],
        [call("f"), call("f", A)],
        id="one list: empty arguments",
    ),
    pytest.param(
        [[piece({}, name="f"), piece({}, name="f")], [piece({}, name="f")]],
        [call("f")] * 3,
        id="empty objects",
    ),
    pytest.param(
        [[piece("", name="get"), piece("{}", name="get_all")]],
        [call("get"), call("get_all")],
        id="one list: a longer name",
    ),
    pytest.param(
        [[piece("", id="c1", name="f"), piece("{}", id="c10", name="f")]],
        [call("f", id="c1"), call("f", id="c10")],
        id="one list: a longer id",
    ),
    pytest.param(
        [[piece("", index=0, id="1", name="f"), piece(A, index=0, name="f")]],
        [call("f", id="1"), call("f", A)],
        id="one list: one name, and one has no id",
    ),
    pytest.param(
        [[piece(A[:3], id="1", name="f"), piece(A[3:], id="1", name="f")]],
        [call("f", A, id="1")],
        id="one list: one id",
    ),
    pytest.param(
        [[piece("", index=0, id="1", name="f"), piece(A[:3], index=0), piece(A[3:])]],
        [call("f", A, id="1")],
        id="one list: neither id nor name",
    ),
    pytest.param(
        [[{"index": 0, "id": "1"}, piece(A[:3], index=0, name="f")], [piece(A[3:], name="f")]],
        [call("f", A, id="1")],
        id="one list: the name after the id",
    ),
    pytest.param(
        [[piece(index=0, name="f"), piece(A, index=0, id="1")]],
        [call("f", A, id="1")],
        id="one list: the id after the name",
    ),
    # what comes late
    pytest.param(
        [[piece(index=0, name="f")], [piece(A[:3], index=0, id="1")], [piece(A[3:], index=0)]],
        [call("f", A, id="1")],
        id="the id after the name",
    ),
    pytest.param(
        [[{"index": 0, "id": "1"}], [piece(A, index=0, name="f")]],
        [call("f", A, id="1")],
        id="the name after the id",
    ),
    pytest.param(
        [[piece(A, index=0)], [piece(index=0, name="f", id="1")]],
        [call("f", A, id="1")],
        id="the name after the arguments",
    ),
    # nothing said
    pytest.param(
        [
            [piece("", index=0, id="1", name="f", type="function")],
            [
                {
                    "index": 0,
                    "id": None,
                    "type": "function",
                    "function": {"name": None, "arguments": A},
                }
            ],
        ],
        [call("f", A, id="1")],
        id="sglang: nulls",
    ),
    pytest.param(
        [
            [piece("", index=0, id="1", name="f", type="function")],
            [piece(A, index=0, id="", name="", type="")],
        ],
        [call("f", A, id="1")],
        id="empty texts",
    ),
    pytest.param(
        [[piece("", index=0, id="", name="f", type="")]],
        [call("f")],
        id="never more than empty texts",
    ),
    # arguments
    pytest.param([[piece(name="f", index=0)]], [call("f")], id="no arguments"),
    pytest.param([[piece("", name="f", index=0)]], [call("f")], id="empty arguments"),
    pytest.param(
        [[piece({"a": ["é", {}]}, name="f", index=0)]],
        [call("f", '{"a": ["é", {}]}')],
        id="sglang: an object",
    ),
    pytest.param([[piece({}, name="f", index=0)]], [call("f")], id="sglang: an empty object"),
    pytest.param(
        [[piece("{", name="f", index=0)], [piece({"a": 1}, index=0)]],
        [call("f", A)],
        id="sglang: an object is the whole",
    ),
    pytest.param([[piece(5, name="f", index=0)]], [call("f", "5")], id="a number"),
    pytest.param(
        [
            [piece("{", name="f")],
            [piece("[", name="f")],
            [piece({}, name="f")],
            [piece(B, name="f")],
        ],
        [call("f"), call("f", B)],
        id="an object after pieces is whole",
    ),
    pytest.param(
        [[piece("[" * 50_000, name="f")], [piece("]", name="f")]],
        [call("f", "[" * 50_000 + "]")],
        id="nested deeper than Python goes",
    ),
    # custom tools
    pytest.param(
        [
            [{"index": 0, "id": "1", "type": "custom", "custom": {"name": "c", "input": "He"}}],
            [{"index": 0, "custom": {"input": "y"}}],
        ],
        [{"id": "1", "type": "custom", "custom": {"name": "c", "input": "Hey"}}],
        id="a custom tool's input",
    ),
    pytest.param(
        [
            [
                {"custom": {"name": "c", "input": "He"}},
                {"custom": {"name": "c", "input": "y"}},
            ],
            [{"custom": {"name": "d", "input": "z"}}],
        ],
        [
            {"custom": {"name": "c", "input": "He"}},
            {"custom": {"name": "c", "input": "y"}},
            {"custom": {"name": "d", "input": "z"}},
        ],
        id="custom tools without id and index",
    ),
    # fields of a server's own
    pytest.param(
        [
            [piece(A, index=0, id="1", name="f", extra_content={"google": {"signature": "s"}})],
            [{"index": 0, "function": {"strict": True}}],
        ],
        [
            {
                "type": "function",
                "id": "1",
                "function": {"name": "f", "arguments": A, "strict": True},
                "extra_content": {"google": {"signature": "s"}},
            }
        ],
        id="gemini: unknown fields are kept",
    ),
    # hostile
    pytest.param([piece(A, name="f", index=0)], [call("f", A)], id="a call without its list"),
    pytest.param(
        [5, "x", piece(A, name="f"), True, 0, ""], [call("f", A), 5, "x", True], id="no list"
    ),
    pytest.param([[], None, [None, 0, "", []]], None, id="nothing in the list"),
    pytest.param(
        [["f", [1]], [piece(A, name="f"), 5]],
        [call("f", A), "f", [1], 5],
        id="odd ones in the list",
    ),
    pytest.param(
        [[piece(A[:3], index="0", id="1", name="f")], [piece(A[3:], index=[], id="1")]],
        [call("f", A, id="1")],
        id="indexes that are no numbers",
    ),
    pytest.param(
        [[piece(A[:3], index=0, id=5, name="f")], [piece(A[3:], index=0, id=5)]],
        [call("f", A, id=5)],
        id="an id that is no text",
    ),
    pytest.param(
        [[{"index": 0, "id": ["x"], "type": {}, "function": "f"}]],
        [{"id": ["x"], "type": "function", "function": "f"}],
        id="a function that is no object",
    ),
    pytest.param(
        [[{"function": "f"}], [{"function": ["g"]}]],
        [{"type": "function", "function": ["g"]}],
        id="two functions that are no objects",
    ),
    pytest.param(
        [[{"function": "f"}], [piece(A, name="f")]],
        [call("f", A)],
        id="a function that is an object later",
    ),
    pytest.param(
        [[{"function": {"name": {"f": 1}, "arguments": [A]}}]],
        [{"type": "function", "function": {"name": {"f": 1}, "arguments": json.dumps([A])}}],
        id="a name that is no text",
    ),
    pytest.param([[{}]], [{}], id="an empty call"),
]


@pytest.mark.parametrize(("deltas", "calls"), CALLS)
def test_calls_come_whole_out_of_their_pieces(
    deltas: list[Any], calls: list[dict[str, Any]] | None
) -> None:
    said = {"tool_calls": fold(MESSAGE, "tool_calls", deltas)}
    fill(said, "{}")
    assert said["tool_calls"] == calls


@pytest.mark.parametrize(
    ("said", "filled"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"tool_calls": None}, {"tool_calls": None}, id="no calls"),
        pytest.param(
            {"tool_calls": [piece(name="f"), piece("", name="g"), piece(A, name="h")]},
            {"tool_calls": [piece("x", name="f"), piece("x", name="g"), piece(A, name="h")]},
            id="calls",
        ),
        pytest.param(
            {"tool_calls": ["f", {"function": "f"}, {"custom": {"name": "f"}}]},
            {"tool_calls": ["f", {"function": "f"}, {"custom": {"name": "f"}}]},
            id="what has no arguments",
        ),
        pytest.param(
            {"function_call": {"name": "f"}},
            {"function_call": {"name": "f", "arguments": "x"}},
            id="function_call",
        ),
        pytest.param({"function_call": "f"}, {"function_call": "f"}, id="no function_call"),
    ],
)
def test_a_call_without_arguments_is_given_some(
    said: dict[str, Any], filled: dict[str, Any]
) -> None:
    said = parse(json.dumps(said))
    fill(said, "x")
    assert said == filled


def test_a_folded_call_has_objects_all_the_way_down() -> None:
    (folded,) = fold(MESSAGE, "tool_calls", [[piece(A, name="f")]])
    assert type(folded) is Object
    assert type(folded["function"]) is Object


def test_calls_so_far_may_be_looked_at_at_any_time() -> None:
    fields = Fields(MESSAGE)
    seen = []
    for delta in (piece(name="f", index=0), piece("{", index=0), piece("}", index=0)):
        fields.add("tool_calls", parse(json.dumps([delta])))
        seen.append(fields.get("tool_calls"))
    begun = {"type": "function", "function": {"name": "f"}}
    assert seen == [[begun], [call("f", "{")], [call("f", "{}")]]


#: Arguments in pieces, all with the name and without an id: where the next call begins.
WHOLES = [
    pytest.param(['{"a": 1}', "{"], [8], id="an object"),
    pytest.param(["\n", "{", '"a"', ": 1}\n", "{"], [10], id="blanks around"),
    pytest.param(["{", "}", "{", "}", "{"], [2, 2], id="braces"),
    pytest.param(
        ['{"a": {"b"', ": [", "{}", "]", "}", "}", "[", "[]", "]", "x"], [18, 4], id="nested"
    ),
    pytest.param(['{"a": "', "}", '"', "}", "x"], [10], id="a brace in a text"),
    pytest.param(['{"a": "{', '"', "}", "x"], [10], id="an opening brace in a text"),
    pytest.param(['{"a": "\\"', "}", '"', "}", "x"], [12], id="an escaped quote"),
    pytest.param(['{"a": "\\', '"', "}", '"', "}", "x"], [12], id="an escaped quote in pieces"),
    pytest.param(['{"a": "\\', "\\", '"', "}", "x"], [11], id="an escaped backslash in pieces"),
    pytest.param(['{"a": "\\\\', '"', "}", "x"], [11], id="an escaped backslash"),
    pytest.param(['{"a": "\\', "\n", '"}', "x"], [11], id="an escaped line end in pieces"),
    pytest.param(['"a', "]", '"', "x"], [4], id="a text"),
    pytest.param(["1", "2", "3"], [], id="a number, which ends nowhere"),
]


@pytest.mark.parametrize(("pieces", "lengths"), WHOLES)
def test_whole_arguments_end_a_call(pieces: list[str], lengths: list[int]) -> None:
    calls = fold(MESSAGE, "tool_calls", [[piece(part, name="f")] for part in pieces])
    whole = [len(call.function.arguments) for call in calls]
    assert whole[: len(lengths)] == lengths
    assert "".join(call.function.arguments for call in calls) == "".join(pieces)
    assert len(calls) == len(lengths) + (sum(lengths) < len("".join(pieces)))


def test_arguments_made_to_be_slow_to_read_are_not() -> None:
    start = time.process_time()
    one = piece("{}," * 10, name="f")
    pieces = [[piece('{"a": [', name="f")], *[[one]] * 10_000]
    (folded,) = fold(MESSAGE, "tool_calls", pieces)
    assert len(folded.function.arguments) == 7 + 30 * 10_000
    assert time.process_time() - start < 2
