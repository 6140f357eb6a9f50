"""The typed answers: what messages say, embeddings decoded, lists of models."""

import base64
import copy
import pickle
import struct
import sys
from array import array
from typing import Any, get_type_hints

import pytest

from rawllm import answers
from rawllm.answers import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChoiceLogprobs,
    ChunkChoice,
    Completion,
    CompletionChoice,
    CompletionLogprobs,
    CreateEmbeddingResponse,
    Delta,
    Embedding,
    Function,
    FunctionDelta,
    LogprobContent,
    Message,
    Model,
    ModelDeleted,
    ModelList,
    ToolCall,
    ToolCallDelta,
    Usage,
    embeddings,
    floats,
    models,
)
from rawllm.objects import Object, parse

# --- text -------------------------------------------------------------------


def words(cls: type[Message] | type[Delta], value: dict[str, Any]) -> Message | Delta:
    return cls(value)


@pytest.mark.parametrize("cls", [Message, Delta])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({}, "", id="no content"),
        pytest.param({"content": None}, "", id="null"),
        pytest.param({"content": ""}, "", id="empty"),
        pytest.param({"content": "Hey"}, "Hey", id="text"),
        pytest.param({"content": [], "refusal": "no"}, "", id="no parts"),
        pytest.param(
            {
                "content": [
                    {"type": "text", "text": "He"},
                    {"type": "image_url", "image_url": {}},
                    {"type": "thinking", "text": None},
                    {"type": "x", "text": ["a"]},
                    None,
                    "x",
                    {"type": "text", "text": "y"},
                ]
            },
            "Hey",
            id="parts",
        ),
        pytest.param({"content": 5}, "", id="a number"),
        pytest.param({"content": {"text": "a"}}, "", id="an object"),
    ],
)
def test_text_is_the_content_as_text(
    cls: type[Message] | type[Delta], value: dict[str, Any], text: str
) -> None:
    assert words(cls, value).text == text


@pytest.mark.parametrize("cls", [Message, Delta])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"content": "a"}, "", id="nothing thought"),
        pytest.param({"reasoning_content": "a"}, "a", id="reasoning_content"),
        pytest.param({"reasoning": "a"}, "a", id="ollama and vllm: reasoning"),
        pytest.param({"thinking": "a"}, "a", id="ollama's own routes: thinking"),
        pytest.param(
            {"thinking": "c", "reasoning": "b", "reasoning_content": "a"}, "a", id="the first"
        ),
        pytest.param({"thinking": "c", "reasoning": "b"}, "b", id="the second"),
        pytest.param({"reasoning_content": None, "reasoning": "b"}, "b", id="null"),
        pytest.param({"reasoning_content": "", "reasoning": "b"}, "b", id="empty"),
        pytest.param({"reasoning_content": "", "reasoning": ""}, "", id="all empty"),
        pytest.param({"reasoning": {"a": 1}, "thinking": "c"}, "c", id="an object"),
    ],
)
def test_reasoning_text_is_what_was_thought(
    cls: type[Message] | type[Delta], value: dict[str, Any], text: str
) -> None:
    assert words(cls, value).reasoning_text == text


def test_the_accessors_are_no_fields() -> None:
    message = Message(content="a", text="b")
    assert message.text == "a"
    assert message == {"content": "a", "text": "b"}
    assert message.model_extra == {"text": "b"}
    assert not {"text", "reasoning_text"} & Message().model_dump().keys()


# --- the declared classes ---------------------------------------------------

CHAT = """{"id": "1", "choices": [{"index": 0, "finish_reason": "tool_calls",
    "message": {"content": null, "tool_calls": [{"function": {"arguments": {"a": 1}}}],
    "function_call": {}, "annotations": [{}], "audio": {}},
    "logprobs": {"content": [{"top_logprobs": [{}]}], "refusal": [{}]}}],
    "usage": {"prompt_tokens_details": {}, "completion_tokens_details": {}}, "timings": {}}"""

CHUNK = """{"choices": [{"delta": {"tool_calls": [{"function": {}}], "function_call": {}},
    "logprobs": {"content": [{}]}}], "usage": {}}"""

LEGACY = """{"choices": [{"text": "a", "logprobs": {"top_logprobs": [{}, null]}}], "usage": {}}"""

EMBEDDINGS = '{"data": [{"embedding": [1.5]}], "usage": {}}'

CLASSES: list[Any] = [
    (ChatCompletion, CHAT, "", ChatCompletion),
    (ChatCompletion, CHAT, "choices 0", Choice),
    (ChatCompletion, CHAT, "choices 0 message", Message),
    (ChatCompletion, CHAT, "choices 0 message tool_calls 0", ToolCall),
    (ChatCompletion, CHAT, "choices 0 message tool_calls 0 function", Function),
    (ChatCompletion, CHAT, "choices 0 message tool_calls 0 function arguments", Object),
    (ChatCompletion, CHAT, "choices 0 message function_call", Function),
    (ChatCompletion, CHAT, "choices 0 message annotations 0", Object),
    (ChatCompletion, CHAT, "choices 0 message audio", Object),
    (ChatCompletion, CHAT, "choices 0 logprobs", ChoiceLogprobs),
    (ChatCompletion, CHAT, "choices 0 logprobs content 0", LogprobContent),
    (ChatCompletion, CHAT, "choices 0 logprobs content 0 top_logprobs 0", Object),
    (ChatCompletion, CHAT, "choices 0 logprobs refusal 0", LogprobContent),
    (ChatCompletion, CHAT, "usage", Usage),
    (ChatCompletion, CHAT, "usage prompt_tokens_details", Object),
    (ChatCompletion, CHAT, "timings", Object),
    (ChatCompletionChunk, CHUNK, "choices 0", ChunkChoice),
    (ChatCompletionChunk, CHUNK, "choices 0 delta", Delta),
    (ChatCompletionChunk, CHUNK, "choices 0 delta tool_calls 0", ToolCallDelta),
    (ChatCompletionChunk, CHUNK, "choices 0 delta tool_calls 0 function", FunctionDelta),
    (ChatCompletionChunk, CHUNK, "choices 0 delta function_call", FunctionDelta),
    (ChatCompletionChunk, CHUNK, "choices 0 logprobs content 0", LogprobContent),
    (ChatCompletionChunk, CHUNK, "usage", Usage),
    (Completion, LEGACY, "choices 0", CompletionChoice),
    (Completion, LEGACY, "choices 0 logprobs", CompletionLogprobs),
    (Completion, LEGACY, "choices 0 logprobs top_logprobs 0", Object),
    (Completion, LEGACY, "usage", Usage),
    (CreateEmbeddingResponse, EMBEDDINGS, "data 0", Embedding),
    (CreateEmbeddingResponse, EMBEDDINGS, "usage", Usage),
    (ModelList, '{"data": [{}]}', "data 0", Model),
    (ModelDeleted, "{}", "", ModelDeleted),
]


@pytest.mark.parametrize(
    ("cls", "text", "path", "part"),
    [pytest.param(*row, id=f"{row[0].__name__} {row[2]}".strip()) for row in CLASSES],
)
def test_each_part_of_an_answer_has_its_class(
    cls: type[Object], text: str, path: str, part: type[Object]
) -> None:
    value: Any = cls.from_json(text)
    assert value == parse(text)
    for step in path.split():
        by_key = value[int(step) if step.isdigit() else step]
        value = by_key if step.isdigit() else getattr(value, step)
        assert value is by_key
    assert type(value) is part


DECLARED = [
    pytest.param(cls, id=cls.__name__)
    for cls in vars(answers).values()
    if isinstance(cls, type) and issubclass(cls, Object)
]


@pytest.mark.parametrize("cls", DECLARED)
def test_every_declared_field_is_an_attribute_and_none_where_left_out(cls: type[Object]) -> None:
    declared = [name for name in get_type_hints(cls) if not name.startswith("_")]
    assert cls().model_dump() == dict.fromkeys(declared)
    for name in declared:
        assert getattr(cls(), name) is None
        assert getattr(cls({name: 5}), name) == 5


# --- embeddings -------------------------------------------------------------


def base64_floats(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def response(data: Any, **fields: Any) -> CreateEmbeddingResponse:
    value = CreateEmbeddingResponse(data=parse(Object(data=data).to_json())["data"], **fields)
    CreateEmbeddingResponse.declare(value)
    return value


ONE, TWO = [1.0, -0.5], [2.0, 0.25]

EMBEDDED = [
    pytest.param([], [], id="none"),
    pytest.param(None, [], id="ollama: null"),
    pytest.param(
        [{"index": 0, "embedding": base64_floats(*ONE)}],
        [{"index": 0, "embedding": ONE}],
        id="base64",
    ),
    pytest.param(
        [{"index": 0, "embedding": ""}], [{"index": 0, "embedding": []}], id="base64 of nothing"
    ),
    pytest.param(
        [{"index": 0, "embedding": ONE}], [{"index": 0, "embedding": ONE}], id="floats stay"
    ),
    pytest.param(
        [{"index": 0, "embedding": [ONE, TWO]}],
        [{"index": 0, "embedding": [ONE, TWO]}],
        id="llama-cpp-python: a vector a token",
    ),
    pytest.param(
        [
            {"index": 2, "embedding": []},
            {"index": 0, "embedding": base64_floats(*TWO)},
            {"index": 1, "embedding": ONE},
        ],
        [
            {"index": 0, "embedding": TWO},
            {"index": 1, "embedding": ONE},
            {"index": 2, "embedding": []},
        ],
        id="sorted by index",
    ),
    pytest.param(
        [{"embedding": ONE}, {"index": 7, "embedding": TWO}, {"index": None}, {"index": "0"}],
        [{"index": 7, "embedding": TWO}, {"embedding": ONE}, {"index": None}, {"index": "0"}],
        id="without an index at the end, in their order",
    ),
    pytest.param(
        [{"index": 0, "embedding": None}, {"index": 1}],
        [{"index": 0, "embedding": None}, {"index": 1}],
        id="no vector",
    ),
]


@pytest.mark.parametrize(("data", "expected"), EMBEDDED)
def test_embeddings_are_lists_of_floats_in_the_order_of_the_input(data: Any, expected: Any) -> None:
    value = response(data, model="m")
    assert embeddings(value) is value
    assert value == {"data": expected, "model": "m"}
    assert [item.embedding for item in value.data] == [item.get("embedding") for item in expected]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="an object"),
        pytest.param("x", id="a text"),
        pytest.param(5, id="a number"),
        pytest.param(False, id="false"),
        pytest.param([None], id="a list of null"),
        pytest.param([{"index": 0}, [1.0]], id="a list of lists"),
    ],
)
def test_data_that_is_no_list_of_objects_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r'^"data" is not a list of objects$'):
        embeddings(response(data))
    with pytest.raises(ValueError, match=r'^"data" is not a list of objects$'):
        models(ModelList.from_json(response(data).to_json()))


def test_an_answer_without_data_is_refused() -> None:
    with pytest.raises(ValueError, match=r'^"data" is not a list of objects$'):
        embeddings(CreateEmbeddingResponse())
    with pytest.raises(ValueError, match=r'^"data" is not a list of objects$'):
        models(ModelList())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("AAAA", id="3 bytes"),
        pytest.param("AAAAAAA=", id="5 bytes"),
        pytest.param("AAAAAA=", id="bad padding"),
        pytest.param("AAAA AA==", id="a space"),
        pytest.param("AAA_AA==", id="another alphabet"),
        pytest.param("é", id="not ASCII"),
    ],
)
def test_a_text_that_is_no_base64_of_floats_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        embeddings(response([{"index": 0, "embedding": text}]))


NUMBERS = [1.0, -0.5, 3.1415927410125732, 0.0, float("inf")]


def test_floats_are_little_endian() -> None:
    assert floats("AACAPwAAAL8=") == [1.0, -0.5]
    assert floats(base64_floats(*NUMBERS)) == NUMBERS
    assert floats(base64_floats(*NUMBERS), sys.byteorder) == NUMBERS


def test_a_big_endian_machine_swaps_the_bytes() -> None:
    # What such a machine finds in memory for these numbers is here put into the text.
    swapped = array("f", NUMBERS)
    swapped.byteswap()
    text = base64.b64encode(swapped.tobytes()).decode()
    assert floats(text, "big") == NUMBERS


# --- models -----------------------------------------------------------------


def test_iterating_a_list_of_models_gives_the_models() -> None:
    value = ModelList.from_json('{"object": "list", "data": [{"id": "a"}, {"id": "b"}]}')
    assert models(value) is value
    assert [model.id for model in value] == ["a", "b"]
    assert [id(model) for model in value] == [id(item) for item in value.data]
    assert {type(model) for model in value} == {Model}


def test_a_list_of_models_that_is_null_is_empty() -> None:
    value = models(ModelList.from_json('{"object": "list", "data": null}'))
    assert list(value) == []
    assert value == {"object": "list", "data": []}


def test_a_list_of_models_is_a_dict_all_the_same() -> None:
    text = '{"object": "list", "data": [{"id": "a"}], "models": []}'
    value = ModelList.from_json(text)
    assert value.to_json(indent=None) == text
    assert dict(value) == value.to_dict() == parse(text)
    assert {"data", "models", "to_dict"} <= set(dir(value))
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert twin == value
        assert type(twin) is ModelList
        assert type(twin.data[0]) is Model
    with pytest.raises(AttributeError, match=r"^this ModelList has no 'nope'; .*object, data, mo"):
        value.nope  # type: ignore[attr-defined]  # noqa: B018
