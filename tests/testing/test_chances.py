"""Logprobs: of every token one, and its rivals below it."""

from __future__ import annotations

import pytest

from rawllm.testing import chances


def test_the_longer_a_token_the_less_likely_it_is() -> None:
    logprobs = chances.of_text(["a", "abcd"], 0)["token_logprobs"]
    assert 0 > logprobs[0] > logprobs[1]


@pytest.mark.parametrize("piece", ["Hi", "a", "e", "😀"])
@pytest.mark.parametrize("most", [0, 1, 5, 20])
def test_the_token_is_the_likeliest_of_its_rivals(piece: str, most: int) -> None:
    [ranked] = chances.of_text([piece], most)["top_logprobs"]
    assert len(ranked) == most
    assert list(ranked)[:1] == [piece][:most]
    assert list(ranked.values()) == sorted(ranked.values(), reverse=True)
    assert len(set(ranked.values())) == most


def write(token: str, logprob: float) -> dict[str, float]:
    return {token: logprob}


def test_of_a_chat_each_token_is_written_as_the_server_writes_it() -> None:
    found = chances.of_chat(["Hi", "!"], 2, write)
    assert found == [
        {"Hi": -0.125, "top_logprobs": [{"Hi": -0.125}, {"a": -0.1875}]},
        {"!": -0.0625, "top_logprobs": [{"!": -0.0625}, {"a": -0.125}]},
    ]


def test_offsets_are_where_the_tokens_begin() -> None:
    assert chances.of_text(["Hi", " you", "!"], 0)["text_offset"] == [0, 2, 6]


def test_nothing_is_known_of_the_first_token_of_an_echo() -> None:
    found = chances.of_text(["Hi", "!"], 1, True)
    assert found["token_logprobs"] == [None, -0.0625]
    assert found["top_logprobs"] == [None, {"!": -0.0625}]


def test_a_legacy_completion_may_have_them_as_a_chat_has() -> None:
    found = chances.of_text_as_of_chat(["Hi", "!"], 1)
    assert found == {"content": chances.of_chat(["Hi", "!"], 1, chances.with_id)}


def test_nothing_is_said_of_no_tokens() -> None:
    assert chances.of_chat([], 3, write) == []
    assert set(map(tuple, chances.of_text([], 3).values())) == {()}


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (chances.openai, {"token": "é", "logprob": -1, "bytes": [0xC3, 0xA9]}),
        (chances.with_id, {"id": 0x1C3A9, "token": "é", "logprob": -1, "bytes": [0xC3, 0xA9]}),
        (chances.without_bytes, {"id": 0x1C3A9, "token": "é", "logprob": -1}),
        (chances.with_null, {"token": "é", "logprob": -1, "bytes": None}),
    ],
)
def test_a_token_is_written_down(form: chances.Write, written: dict[str, object]) -> None:
    assert form("é", -1) == written
