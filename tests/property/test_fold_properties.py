"""The fold, however the pieces are cut and in whichever order they come."""

import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from rawllm.answers import ChatCompletion
from rawllm.fold import Fold, unfold
from rawllm.objects import Object

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=60)

Json = dict[str, Any]


def folded(chunks: list[Json]) -> Any:
    fold = Fold(ChatCompletion)
    for chunk in chunks:
        fold.add(Object.from_json(json.dumps(chunk)))
    return fold.completion


def of_choice(index: int, delta: Json) -> Json:
    return {"choices": [{"index": index, "delta": delta}]}


def split(draw: st.DrawFn, text: str) -> list[str]:
    """`text` in any number of pieces, at least one."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[i:j] for i, j in zip([0, *places], [*places, len(text)], strict=True)]


def merge(draw: st.DrawFn, streams: list[list[Json]]) -> list[Json]:
    """The streams in one, each in its own order."""
    turns = [number for number, stream in enumerate(streams) for _ in stream]
    iterators = list(map(iter, streams))
    return [next(iterators[turn]) for turn in draw(st.permutations(turns))]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
ARGUMENTS = st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=3).map(json.dumps)


def by_index(number: int, place: int, piece: Json) -> Json:
    """As OpenAI has it: the index in every piece, the id in the first."""
    return {"index": number} | ({} if place else {"id": f"call_{number}"}) | piece


def by_id(number: int, place: int, piece: Json) -> Json:
    """As some gateways have it: one index for all, the id in every piece."""
    del place
    return {"index": 0, "id": f"call_{number}"} | piece


def by_id_alone(number: int, place: int, piece: Json) -> Json:
    return {key: value for key, value in by_id(number, place, piece).items() if key != "index"}


def by_both(number: int, place: int, piece: Json) -> Json:
    """As llama-cpp-python has it."""
    return by_id(number, place, piece) | {"index": number, "type": "function"}


def by_index_with_one_id(number: int, place: int, piece: Json) -> Json:
    """As TGI has it: every call has the id "0"."""
    return by_both(number, place, piece) | {"id": "0"}


SHAPES: list[Callable[[int, int, Json], Json]] = [
    by_index,
    by_id,
    by_id_alone,
    by_both,
    by_index_with_one_id,
]


@pytest.mark.parametrize("shape", SHAPES)
@EXAMPLES
@given(data=st.data())
def test_two_calls_come_whole_out_of_any_order_of_their_pieces(
    shape: Callable[[int, int, Json], Json], data: st.DataObject
) -> None:
    whole = data.draw(st.lists(ARGUMENTS, min_size=2, max_size=2))
    indexed = shape not in (by_id, by_id_alone)
    names = data.draw(st.sampled_from([("f", "g"), ("f", "f"), ("get", "get_time")]))

    @st.composite
    def deltas(draw: st.DrawFn) -> list[Json]:
        streams = []
        for number in (0, 1):
            pieces = [{"arguments": piece} for piece in split(draw, whole[number])]
            pieces[0] = {"name": names[number]} | pieces[0]
            calls = [
                shape(number, place, {"function": piece}) for place, piece in enumerate(pieces)
            ]
            streams.append([{"tool_calls": [call]} for call in calls])
        return merge(draw, streams)

    message = folded([of_choice(0, delta) for delta in data.draw(deltas())]).choices[0].message
    calls = [(call.function.name, call.function.arguments) for call in message.tool_calls]
    expected = list(zip(names, whole, strict=True))
    if not indexed:  # the order is that of arrival
        calls, expected = sorted(calls), sorted(expected)
    assert calls == expected


@st.composite
def answers_in_pieces(draw: st.DrawFn) -> tuple[list[Json], list[Json]]:
    """What several choices say, and the chunks that say it."""
    words, streams = [], []
    for index in range(draw(st.integers(1, 3))):
        content, reasoning = draw(st.text(max_size=20)), draw(st.text(max_size=20))
        words.append({"content": content, "reasoning": reasoning})
        deltas = [{"reasoning": piece} for piece in split(draw, reasoning)]
        deltas += [{"content": piece} for piece in split(draw, content)]
        streams.append([of_choice(index, delta) for delta in deltas])
    return words, merge(draw, streams)


@EXAMPLES
@given(answers_in_pieces())
def test_text_is_the_same_however_it_is_cut(answer: tuple[list[Json], list[Json]]) -> None:
    words, chunks = answer
    whole = folded(chunks)
    assert [choice.message for choice in whole.choices] == [
        {"role": "assistant"} | said for said in words
    ]
    assert [choice.index for choice in whole.choices] == list(range(len(words)))
    # And the whole, unfolded into one chunk, folds to itself.
    assert folded([unfold(whole)]) == whole


#: Keys of the protocol with values of any type.
OF_CHUNKS = ["id", "model", "object", "usage", "choices", "items"]
OF_CHOICES = ["index", "finish_reason", "logprobs", "text", "delta", "message"]
OF_MESSAGES = ["role", "content", "tool_calls", "function_call", "audio"]
OF_CALLS = ["type", "function", "name", "arguments"]
KEYS = st.sampled_from([*OF_CHUNKS, *OF_CHOICES, *OF_MESSAGES, *OF_CALLS])
LEAVES = st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "a", "0", "error"])
HOSTILE = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
CALLS = st.lists(st.dictionaries(KEYS, HOSTILE, max_size=4), max_size=3)
DELTAS = st.dictionaries(KEYS, HOSTILE, max_size=3) | st.builds(
    lambda calls: {"tool_calls": calls}, CALLS
)
CHOICES = st.builds(
    lambda choice, delta: choice | {"delta": delta},
    st.dictionaries(KEYS, HOSTILE, max_size=3),
    DELTAS | HOSTILE,
)
CHUNKS = st.builds(
    lambda head, choices: head | {"choices": choices},
    st.dictionaries(KEYS, HOSTILE, max_size=3),
    st.lists(CHOICES | HOSTILE, max_size=3) | HOSTILE,
)


@EXAMPLES
@given(st.lists(CHUNKS, max_size=4))
def test_no_json_whatever_does_harm(chunks: list[Json]) -> None:
    whole = folded(chunks)
    for choice in whole["choices"]:
        assert choice["message"]["role"]
        assert choice["message"]["content"] is not None
        assert choice["message"].get("tool_calls", [{}])
    assert type(unfold(whole)) is Object
