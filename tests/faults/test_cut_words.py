"""What chunks have said, told the naive way, is what a whole answer has to say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.cut_words import Tally

SAID: dict[str, Any] = {
    "choices": [
        {
            "index": 1,
            "finish_reason": "stop",
            "delta": {
                "content": "Hi",
                "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": '{"a":1}'}}],
            },
        }
    ]
}


def changed(path: str, value: Any) -> Any:
    """The whole answer to SAID, but for one thing."""
    whole = json.loads(json.dumps(SAID))
    *way, last = path.split(".") if path else ("choices",)
    place = whole
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value if path else place[last]
    return whole


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("choices", []),
        ("choices.0.index", 0),
        ("choices.0.finish_reason", None),
        ("choices.0.delta.content", "H"),
        ("choices.0.delta.content", None),
        ("choices.0.delta.reasoning", "Hi"),
        ("choices.0.delta.tool_calls", []),
        ("choices.0.delta.tool_calls.0.function.arguments", "{}"),
    ],
)
def test_what_chunks_have_said_is_what_an_answer_says(path: str, value: Any) -> None:
    said = Tally()
    said.add(SAID)
    said.check(changed("", None))
    with pytest.raises((AssertionError, KeyError)):
        said.check(changed(path, value))


def test_a_part_of_what_was_said_is_where_an_answer_begins() -> None:
    said = Tally()
    said.add(SAID)
    said.check_start(changed("choices.0.delta.content", "Hi there"))
    with pytest.raises(AssertionError):
        said.check_start(changed("choices.0.delta.content", "there"))
    with pytest.raises(AssertionError):
        said.check_start(changed("choices", []))


def test_what_is_not_said_in_text_is_not_looked_at() -> None:
    said = Tally()
    said.add({"choices": [{"delta": {"content": "Hi"}}, "odd"], "usage": {}})
    said.add({"choices": [{"delta": {"content": [{"text": "you"}]}}]})
    said.check({"choices": [{"index": 0, "finish_reason": None, "message": {"content": []}}]})


def test_arguments_of_several_calls_are_neither_lost_nor_invented() -> None:
    def calls(*arguments: str) -> Any:
        return [{"index": n, "function": {"arguments": text}} for n, text in enumerate(arguments)]

    def check(*arguments: str, reason: str | None = "tool_calls") -> None:
        said = Tally()
        told = {"delta": {"tool_calls": calls('{"a":1}', "")}, "finish_reason": reason}
        said.add({"choices": [told]})
        choice = {"index": 0, "finish_reason": reason, "message": {"tool_calls": calls(*arguments)}}
        said.check({"choices": [choice]})

    check('{"a":1}', "{}")
    for wrong in ('{"a":}', "{}"), ('{"a":1}', '{"b":1}'):
        with pytest.raises(AssertionError):
            check(*wrong)
    for cut in None, "length", "content_filter":  # of what is cut nobody knows what was to come
        check('{"a":1}', "", reason=cut)
        with pytest.raises(AssertionError):
            check('{"a":1}', "{}", reason=cut)
