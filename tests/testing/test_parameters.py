"""What a request may hold: a table of what is refused, with the words and the parameter."""

from __future__ import annotations

from typing import Any

import pytest

from rawllm.testing import parameters
from rawllm.testing.parameters import (
    CHAT,
    COMPLETION,
    DETOKENIZE,
    EMBEDDING,
    TOKENIZE,
    Parameters,
    RefusedError,
    check,
)

TABLES: dict[str, tuple[Parameters, dict[str, Any]]] = {
    "chat": (CHAT, {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}),
    "completion": (COMPLETION, {"model": "m", "prompt": "Hi"}),
    "embedding": (EMBEDDING, {"model": "m", "input": "Hi"}),
    "tokenize": (TOKENIZE, {}),
    "detokenize": (DETOKENIZE, {"tokens": []}),
}

NOW = {"type": "function", "function": {"name": "now"}}


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": function}


def form(**described: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": described}


#: endpoint: parameters that are fine, each beside what must be there
FINE: dict[str, list[dict[str, Any]]] = {
    "chat": [
        {},
        {"n": 1},
        {"n": 128},
        {"max_tokens": 1},
        {"max_completion_tokens": 10**400},
        {"temperature": 0},
        {"temperature": 2.0},
        {"top_p": 0.5},
        {"presence_penalty": -2, "frequency_penalty": 2},
        {"seed": -(2**70)},
        {"stop": "x"},
        {"stop": ["a", "b", "c", "d"]},
        {"stop": []},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream": True, "stream_options": {"continuous_usage_stats": True}},
        {"logprobs": True, "top_logprobs": 20},
        {"tools": [NOW]},
        {"tools": [tool(name="a_Z-9", parameters={"type": "object", "properties": {}})]},
        {"tools": [tool(name="now", parameters=None)]},
        {"tools": [tool(name="now", parameters={})]},
        {"tools": [NOW], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [NOW], "tool_choice": NOW},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_object"}},
        {"response_format": form(name="x", schema={"type": "object"})},
        {"response_format": form(name="x", schema=True)},
        {"reasoning_effort": "high"},
    ],
    "completion": [
        {"prompt": ""},
        {"prompt": ["a", "b"]},
        {"prompt": [1, 2]},
        {"prompt": [[1], [2, 3]]},
        {"max_tokens": 0, "echo": True, "logprobs": 0},
        {"logprobs": 5},
    ],
    "embedding": [
        {"input": ["a"] * 2048},
        {"input": [[1, 2]]},
        {"dimensions": 4096, "encoding_format": "base64"},
    ],
    "tokenize": [
        {"content": ""},
        {"prompt": "Hi"},
        {"messages": [{"role": "user", "content": ""}]},
    ],
    "detokenize": [{"tokens": [1]}],
}


@pytest.mark.parametrize(
    ("endpoint", "given"), [(endpoint, given) for endpoint in FINE for given in FINE[endpoint]]
)
def test_what_is_fine_is_given(endpoint: str, given: dict[str, Any]) -> None:
    table, needed = TABLES[endpoint]
    assert check(needed | given, table) == needed | given


def test_null_is_the_same_as_absent() -> None:
    table, needed = TABLES["chat"]
    assert check(needed | dict.fromkeys(table.rules) | needed, table) == needed


def test_what_is_unknown_is_ignored() -> None:
    table, needed = TABLES["chat"]
    assert check(needed | {"top_k": "any", "cache_prompt": []}, table) == needed


@pytest.mark.parametrize("body", [None, [], "Hi", 1, True])
def test_a_body_is_an_object(body: Any) -> None:
    with pytest.raises(RefusedError, match=r"^the body must be a JSON object$") as caught:
        check(body, CHAT)
    assert caught.value.status == 400
    assert caught.value.envelope.type == "invalid_request_error"
    assert caught.value.envelope.param is None


@pytest.mark.parametrize("endpoint", TABLES)
@pytest.mark.parametrize("absent", ["", "null"])
def test_what_is_required_must_be_there(endpoint: str, absent: str) -> None:
    table, needed = TABLES[endpoint]
    assert table.required == tuple(needed)
    for name in needed:
        body = {other: value for other, value in needed.items() if other != name}
        with pytest.raises(RefusedError, match=f"^'{name}' is missing$") as caught:
            check(body | ({name: None} if absent else {}), table)
        assert caught.value.envelope.param == name


NAME = "a name, which is not empty"
TRUTH = "true or false"
PROMPT = "a string, a list of strings, a list of tokens or a list of such lists"
INPUT = "a string that is not empty, or a list of 1 to 2048 such"
STOP = "a string or a list of at most 4, none of them empty"
TOOLS = 'a list of at least one {"type": "function", "function": {"name": ...}}'
CHOICE = 'none, auto, required or {"type": "function", "function": {"name": ...}}'
FORMAT = "an object whose type is text, json_object or json_schema"
FORM = 'with this type {"json_schema": {"name": ..., "schema": {...}}}'
OPTIONS = 'an object, as {"include_usage": true}'
EFFORT = "one of none, minimal, low, medium, high, xhigh"
TOKENS = "a list of integers, as /tokenize gives it"

#: (endpoint, parameter): (what it must be, values that are not)
WRONG: dict[tuple[str, str], tuple[str, list[Any]]] = {
    ("chat", "model"): (NAME, ["", 1, ["m"], {}]),
    ("chat", "messages"): ("a list of at least one message", ["Hi", [], {}]),
    ("chat", "stream"): (TRUTH, ["true", 1, 0]),
    ("chat", "stream_options"): (OPTIONS, [True, [], {"include_usage": "yes"}]),
    ("chat", "n"): ("an integer from 1 to 128", [0, 129, 1.0, "1", True, 10**400]),
    ("chat", "max_tokens"): ("an integer from 1", [0, -1, 2.5, "5"]),
    ("chat", "max_completion_tokens"): ("an integer from 1", [0, True]),
    ("chat", "temperature"): ("a number from 0 to 2", [-0.1, 2.1, "1", True, 10**400, []]),
    ("chat", "top_p"): ("a number from 0 to 1", [1.01, float("nan")]),
    ("chat", "presence_penalty"): ("a number from -2 to 2", [3, float("inf")]),
    ("chat", "frequency_penalty"): ("a number from -2 to 2", [-3]),
    ("chat", "seed"): ("an integer", [1.5, "1", True]),
    ("chat", "stop"): (STOP, ["", [""], [1], ["a"] * 5, {}, 1]),
    ("chat", "logprobs"): (TRUTH, [1, "true"]),
    ("chat", "top_logprobs"): ("an integer from 0 to 20", [-1, 21]),
    ("chat", "parallel_tool_calls"): (TRUTH, ["no"]),
    ("chat", "reasoning_effort"): (EFFORT, ["a lot", 1, []]),
    ("chat", "tools"): (
        TOOLS,
        [
            [],
            {},
            "now",
            ["now"],
            [{"function": {"name": "now"}}],
            [{"type": "function"}],
            [{"type": "function", "function": "now"}],
            [{"type": "function", "function": {"name": 1}}],
            [{"type": "custom", "custom": {"name": "now"}}],
        ],
    ),
    ("chat", "tool_choice"): (
        CHOICE,
        ["now", 1, {}, {"type": "auto"}, {"function": {"name": "f"}}],
    ),
    ("chat", "response_format"): (FORMAT, ["json", [], {}, {"type": "json"}, {"type": []}]),
    ("completion", "prompt"): (PROMPT, [1, [], {}, [[]], [1, "a"], [["a"]], [True], [1.5]]),
    ("completion", "max_tokens"): ("an integer from 0", [-1]),
    ("completion", "logprobs"): ("an integer from 0 to 5", [True, 6]),
    ("completion", "echo"): (TRUTH, ["yes"]),
    ("embedding", "input"): (INPUT, ["", [], ["a", ""], ["a"] * 2049]),
    ("embedding", "dimensions"): ("an integer from 1 to 4096", [0, 4097, "64"]),
    ("embedding", "encoding_format"): ("one of float, base64", ["bytes", {}]),
    ("tokenize", "content"): ("a string", [1, ["a"]]),
    ("tokenize", "prompt"): ("a string", [{}]),
    ("detokenize", "tokens"): (TOKENS, ["Hi", {}, [1.5], [True], ["1"], [[1]]]),
}


@pytest.mark.parametrize(
    ("endpoint", "name", "wanted", "value"),
    [
        pytest.param(endpoint, name, wanted, value, id=f"{endpoint}-{name}-{place}")
        for (endpoint, name), (wanted, values) in WRONG.items()
        for place, value in enumerate(values)
    ],
)
def test_what_is_wrong_is_named(endpoint: str, name: str, wanted: str, value: Any) -> None:
    table, needed = TABLES[endpoint]
    with pytest.raises(RefusedError) as caught:
        check(needed | {name: value}, table)
    assert str(caught.value) == f"{name!r} must be {wanted}"
    assert caught.value.envelope.param == name
    assert caught.value.status == 400


@pytest.mark.parametrize("endpoint", ["chat", "completion", "embedding"])
def test_every_rule_refuses_something(endpoint: str) -> None:
    """What completions and embeddings have in common with chats is tested there."""
    refused = {name for place, name in WRONG if place in (endpoint, "chat")}
    assert refused >= TABLES[endpoint][0].rules.keys()


#: name: (tools or the like, the words)
UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "an odd name": (
        {"tools": [tool(name="get weather")]},
        "'tools' must be functions named with at most 64 of a-z, A-Z, 0-9, _ and -, "
        "not 'get weather'",
    ),
    "a long name": (
        {"tools": [tool(name="a" * 65)]},
        "'tools' must be functions named with at most 64 of a-z, A-Z, 0-9, _ and -, "
        f"not {'a' * 65!r}",
    ),
    "parameters that are none": (
        {"tools": [NOW, tool(name="f", parameters=[])]},
        "'tools' must be functions whose parameters are an object's; of f they are not",
    ),
    "parameters that are a text": (
        {"tools": [tool(name="f", parameters={"type": "string"})]},
        "'tools' must be functions whose parameters are an object's; of f they are not",
    ),
    "parameters that are no schema": (
        {"tools": [tool(name="f", parameters={"properties": {"x": {"minimum": "1"}}})]},
        "'tools' must be functions whose parameters are a schema; of f "
        'properties.x.minimum: must be a number, not "1"',
    ),
    "a form without a name": (
        {"response_format": form(schema={})},
        f"'response_format' must be {FORM}",
    ),
    "a form without a schema": (
        {"response_format": form(name="x")},
        f"'response_format' must be {FORM}",
    ),
    "a form that is a text": (
        {"response_format": {"type": "json_schema", "json_schema": "x"}},
        f"'response_format' must be {FORM}",
    ),
    "a form that is no schema": (
        {"response_format": form(name="x", schema={"minLength": -1})},
        "'response_format' must be a schema in json_schema.schema; "
        "minLength: must be a whole number of at least 0, not -1",
    ),
    "a choice that is not offered": (
        {"tools": [NOW], "tool_choice": tool(name="later")},
        "'tool_choice' must name one of 'tools', which 'later' is not",
    ),
    "a choice without tools": (
        {"tool_choice": "auto"},
        "'tool_choice' is only allowed with 'tools'",
    ),
    "several calls of no tools": (
        {"parallel_tool_calls": True},
        "'parallel_tool_calls' is only allowed with 'tools'",
    ),
    "options of no stream": (
        {"stream_options": {"include_usage": True}},
        "'stream_options' is only allowed with 'stream'",
    ),
    "options of a stream that is off": (
        {"stream": False, "stream_options": {}},
        "'stream_options' is only allowed with 'stream'",
    ),
    "rivals without logprobs": (
        {"top_logprobs": 2},
        "'top_logprobs' is only allowed with 'logprobs'",
    ),
}


@pytest.mark.parametrize(("given", "words"), UNFIT.values(), ids=UNFIT)
def test_what_does_not_fit_together_is_named(given: dict[str, Any], words: str) -> None:
    table, needed = TABLES["chat"]
    with pytest.raises(RefusedError) as caught:
        check(needed | given, table)
    assert str(caught.value) == words
    assert words.startswith(f"'{caught.value.envelope.param}'")


# --- the number in a model's name -------------------------------------------


@pytest.mark.parametrize(("argument", "found"), [("", 7), ("0", 0), ("200", 200), ("99999", 99999)])
def test_a_number_behind_the_colon(argument: str, found: int) -> None:
    assert parameters.number(argument, 7) == found


@pytest.mark.parametrize("argument", ["x", "-1", "1.5", "100000", " 1", "٣", "²", "1\n"])
def test_another_argument_is_refused(argument: str) -> None:
    with pytest.raises(RefusedError, match="must be a number of at most 5 digits") as caught:
        parameters.number(argument, 7)
    assert caught.value.envelope.param == "model"
