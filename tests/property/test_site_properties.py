"""No request, however wrong, is anything but answered; and what is answered is whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from rawllm.testing import SCENARIOS, Request, Site, schemas
from rawllm.testing.dialects import DIALECTS
from rawllm.testing.endpoints import ROUTES
from rawllm.testing.parameters import CHAT, COMPLETION, DETOKENIZE, EMBEDDING, TOKENIZE
from tests.testing.asking import Reply, ask, chat, read
from tests.testing.test_completions import folded, said

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=200)

#: Names that mean something, so that chance does not have to find them.
NAMES = sorted(
    {*CHAT.rules, *COMPLETION.rules, *EMBEDDING.rules, *TOKENIZE.rules, *DETOKENIZE.rules}
)
NAMES += ["include_usage", "role", "text", "tool_calls", "tool_call_id", "id", "arguments"]
NAMES += ["json_schema", "schema", "name", "type", "function", "parameters"]
NAMES += ["properties", "additionalProperties", "required", "items", "enum", "const"]
NAMES += ["minimum", "maximum", "pattern", "format", "minLength", "minItems", "$ref", "anyOf"]
WORDS = [*NAMES, "user", "assistant", "tool", "system", "json_object", "auto", "none", "object"]
WORDS += ["string", "integer", "array", "base64", "#/properties/name", "^a+$", "Hi Ann", "\ud83d"]

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([10**400, -(2**63), 0.5, 1e300, 5e-324])
    | st.sampled_from(["", *WORDS])
    | st.text(max_size=4)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)
MODELS = st.sampled_from(
    [*SCENARIOS, *(f"{name}:{end}" for name in SCENARIOS for end in ("1", "x"))]
)

GOOD: list[Any] = [
    [{"role": "user", "content": "Weather in New York? And who is Ann?"}],
    [{"role": "user", "content": [{"type": "text", "text": "\ud83d user type"}]}],
    [
        {
            "role": "assistant",
            "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": ""},
    ],
]
BAD = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": VALUES},
        optional={"tool_calls": VALUES, "tool_call_id": LEAVES, "refusal": LEAVES},
    ),
    min_size=1,
    max_size=2,
)
MESSAGES = st.sampled_from(GOOD) | st.sampled_from(GOOD) | BAD
SCHEMAS = VALUES | st.builds(
    lambda names, schema: {"type": "object", "properties": dict.fromkeys(names, schema)},
    st.lists(st.sampled_from(NAMES), max_size=2),
    VALUES,
)
TOOLS = st.lists(
    st.builds(
        lambda name, schema: {
            "type": "function",
            "function": {"name": name, "parameters": schema},
        },
        st.sampled_from(["user", "get_name"]),
        SCHEMAS,
    ),
    min_size=1,
    max_size=2,
)
FORMS = st.builds(
    lambda schema: {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}, SCHEMAS
)
#: Bodies that are nearly right: one or two things are not.
NEARLY = st.builds(
    lambda body, odd: body | odd,
    st.fixed_dictionaries(
        {
            "model": MODELS,
            "messages": MESSAGES,
            "prompt": st.text(max_size=9) | VALUES,
            "input": st.text(min_size=1, max_size=9) | VALUES,
        },
        optional={
            "stream": st.booleans(),
            "tools": TOOLS,
            "response_format": FORMS,
            "n": st.integers(1, 3),
            "max_tokens": st.integers(1, 9),
            "seed": st.integers(),
            "echo": st.booleans(),
        },
    ),
    st.just({}) | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=2),
)
POSTED = [path for path, methods in ROUTES.items() if "POST" in methods]


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


BODIES = VALUES.map(as_json) | NEARLY.map(as_json) | NEARLY.map(as_json) | st.binary(max_size=9)


def is_whole(reply: Reply) -> bool:
    """Whether an error is OpenAI's, and what should be JSON is. Two scenarios send nothing."""
    if not reply.status:
        return len(reply.ends) == 1
    if reply.status == 400 and not reply.error["message"].startswith("This request makes"):
        return set(reply.error) == {"message", "type", "param", "code"}
    return 200 <= reply.status <= 503


@pytest.mark.parametrize("path", POSTED)
@EXAMPLES
@given(body=BODIES)
def test_every_body_is_answered(path: str, body: bytes) -> None:
    assert is_whole(ask(path, body))


TARGETS = st.text(max_size=12) | st.sampled_from(
    [*ROUTES, "/v1/models/", "//[", "http://[", "/v1/%"]
)
HEADERS = st.dictionaries(
    st.sampled_from(["authorization", "x-request-id", "content-type"]),
    st.text(st.characters(max_codepoint=255), max_size=12),
)


@EXAMPLES
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "BREW"]),
    target=TARGETS,
    tail=TARGETS,
    headers=HEADERS,
    keys=st.sampled_from([(), ("secret",)]),
)
def test_every_target_is_answered(
    method: str, target: str, tail: str, headers: dict[str, str], keys: tuple[str, ...]
) -> None:
    site = Site(keys=keys, strict=bool(keys))
    reply = read(site.answer(Request(method, target + tail, headers, b"{}")))
    assert is_whole(reply)
    if keys and target == "/v1/models" and method == "GET":
        assert reply.status == 401


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize("server", DIALECTS)
@settings(EXAMPLES, max_examples=30)
@given(
    text=TEXTS,
    kind=st.sampled_from(["plain", "think", "tools"]),
    most=st.none() | st.integers(1, 20),
    stop=st.none() | st.text(min_size=1, max_size=2),
    n=st.integers(1, 3),
)
def test_every_stream_folds_to_its_whole(
    server: str, text: str, kind: str, most: int | None, stop: str | None, n: int
) -> None:
    from rawllm.answers import ChatCompletion

    tools = [{"type": "function", "function": {"name": name}} for name in ("now", "later")]
    asked: Any = {
        "max_tokens": most,
        "stop": stop,
        "n": n,
        "tools": tools if kind == "tools" else None,
    }
    whole = chat(f"{kind}-{server}", text, **asked).json
    stream = folded(chat(f"{kind}-{server}", text, stream=True, **asked), ChatCompletion)
    for expected, got in zip(whole["choices"], stream["choices"], strict=True):
        wanted = said(expected)
        if not DIALECTS[server].all_finish and wanted["index"]:
            wanted["finish_reason"] = None
        assert said(got) == wanted
    if most is not None:
        assert whole["usage"]["completion_tokens"] <= most * len(whole["choices"])


@EXAMPLES
@given(st.text(max_size=30))
def test_tokens_come_back_as_text(text: str) -> None:
    body = json.dumps({"content": text}).encode()
    ids = ask("/tokenize", body).json["tokens"]
    assert ask("/detokenize", {"tokens": ids}).json["content"] == json.loads(body)["content"]


@EXAMPLES
@given(SCHEMAS)
def test_an_answer_satisfies_its_schema_or_is_refused(schema: Any) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    reply = chat(messages=GOOD[0], response_format=form)
    if reply.status == 200:
        value = json.loads(reply.choice["message"]["content"])
        assert schemas.fault(value, schemas.read(schema)) is None
    else:
        assert (reply.status, reply.error["param"]) == (400, "response_format")


@EXAMPLES
@given(TOOLS)
def test_arguments_satisfy_the_parameters_or_are_refused(tools: Any) -> None:
    reply = chat("tools", GOOD[0], tools=tools)
    if reply.status != 200:
        assert (reply.status, reply.error["param"]) == (400, "tools")
        return
    offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    for call in reply.choice["message"]["tool_calls"]:
        value = json.loads(call["function"]["arguments"])
        schema = offered[call["function"]["name"]]
        assert isinstance(value, dict)
        assert schema is None or schemas.fault(value, schemas.read(schema)) is None
