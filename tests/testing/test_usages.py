"""The usage in a stream: where its counts stand."""

from __future__ import annotations

from typing import Any

import pytest

from rawllm.testing.usages import USAGES
from tests.recordings import RECORDINGS

COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
ZEROS = dict.fromkeys(COUNTS, 0)
HEAD = {"id": "x", "object": "chat.completion.chunk"}


def chunk(piece: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return HEAD | {"choices": [{"index": 0} | piece]} | fields


def so_far(said: int) -> dict[str, int]:
    return {"prompt_tokens": 3, "completion_tokens": said, "total_tokens": 3 + said}


PIECES: list[dict[str, Any]] = [
    {"delta": {"content": ""}},
    {"delta": {"content": "Hi"}},
    {"delta": {"content": "!"}},
    {"delta": {}, "finish_reason": "stop"},
]
CHUNKS = [chunk(piece) for piece in PIECES]
LAST = HEAD | {"choices": [], "usage": COUNTS}
GROWING = [
    *(chunk(piece, usage=so_far(said)) for piece, said in zip(PIECES, (0, 1, 2, 2), strict=True)),
    LAST,
]

#: way: (the chunks where it is asked for, and where it is not)
WAYS: dict[str, tuple[list[Any], list[Any]]] = {
    "last": ([*CHUNKS, LAST], CHUNKS),
    "null": ([*(one | {"usage": None} for one in CHUNKS), LAST], CHUNKS),
    "each": (GROWING, CHUNKS),
    "always": (GROWING, GROWING),
    "zeroed": ([*(one | {"usage": ZEROS} for one in CHUNKS), LAST], CHUNKS),
    "finish": ([*CHUNKS[:-1], CHUNKS[-1] | {"usage": COUNTS}],) * 2,
    "choice": ([*CHUNKS, chunk({"delta": {}}, usage=COUNTS)], CHUNKS),
    "misnamed": ([*CHUNKS, LAST | {"object": "chat.completion"}], CHUNKS),
    "never": (CHUNKS, CHUNKS),
}


@pytest.mark.parametrize("way", USAGES)
@pytest.mark.parametrize("asked", [True, False])
def test_the_usage_comes_this_way(way: str, asked: bool) -> None:
    with_it, without = WAYS[way]
    assert USAGES[way].put(CHUNKS, COUNTS, asked) == (with_it if asked else without)


def test_the_empty_choice_of_a_legacy_completion_has_no_delta() -> None:
    texts = [HEAD | {"choices": [{"index": 0, "text": "Hi"}]}]
    last = USAGES["choice"].put(texts, COUNTS, True)[-1]
    assert last == HEAD | {"choices": [{"index": 0}], "usage": COUNTS}


@pytest.mark.parametrize(
    ("way", "name"),
    [("each", "native-stream_continuous_usage"), ("always", "toolmodel-chat_stream")],
)
def test_vllm_counts_on_as_it_was_recorded_to_do(way: str, name: str) -> None:
    [recording] = [one for one in RECORDINGS if one.name == f"vllm/{name}"]
    lines = [line for line in recording.body.decode().split("\n") if line.startswith("data: {")]
    theirs = ["usage" in line for line in lines]
    ours = ["usage" in one for one in USAGES[way].put(CHUNKS, COUNTS, way == "each")]
    assert set(theirs) == set(ours) == {True}
    assert '"completion_tokens":0' in lines[0]
    assert '"choices":[]' in lines[-1]


@pytest.mark.parametrize("way", USAGES)
def test_every_way_says_who_has_it(way: str) -> None:
    assert USAGES[way].about
    assert USAGES[way].who
