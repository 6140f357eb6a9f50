"""A tool call in deltas: a form for each server that has its own."""

from __future__ import annotations

from typing import Any

import pytest

from rawllm.testing import calls
from rawllm.testing.turns import Call

CALL = Call("now", '{"a":1}')
PIECES = ["{", '"', "a", '"', ":", "1", "}"]
WHO = {"index": 2, "id": "id", "type": "function"}


def function(**fields: Any) -> dict[str, Any]:
    return {"function": fields}


def named(arguments: str) -> dict[str, Any]:
    return WHO | function(name="now", arguments=arguments)


#: form: the pieces of the call
FORMS: dict[str, tuple[calls.Deltas, list[dict[str, Any]]]] = {
    "in pieces": (
        calls.in_pieces,
        [named(""), *({"index": 2} | function(arguments=piece) for piece in PIECES)],
    ),
    "the name alone": (
        calls.name_alone,
        [
            WHO | function(name="now"),
            *({"index": 2} | function(arguments=piece) for piece in PIECES),
        ],
    ),
    "with the first": (
        calls.with_the_first,
        [named("{"), *({"index": 2} | function(arguments=piece) for piece in PIECES[1:])],
    ),
    "typed": (
        calls.typed,
        [
            named("{"),
            *({"index": 2, "type": "function"} | function(arguments=piece) for piece in PIECES[1:]),
        ],
    ),
    "with nulls": (
        calls.with_nulls,
        [
            named(""),
            *(WHO | {"id": None} | function(name=None, arguments=piece) for piece in PIECES),
        ],
    ),
    "with ids": (
        calls.with_ids,
        [named(""), *(WHO | function(name=None, arguments=piece) for piece in PIECES)],
    ),
    "repeated": (calls.repeated, [named(piece) for piece in [*PIECES, ""]]),
    "at once": (calls.at_once, [named('{"a":1}')]),
}


@pytest.mark.parametrize(("form", "pieces"), FORMS.values(), ids=FORMS)
def test_a_call_comes_in_these_pieces(form: calls.Deltas, pieces: list[dict[str, Any]]) -> None:
    deltas = form(2, "id", CALL)
    assert [delta["tool_calls"] for delta in deltas] == [[piece] for piece in pieces]


@pytest.mark.parametrize("form", [form for form, _ in FORMS.values()], ids=FORMS)
def test_the_pieces_of_the_arguments_come_to_the_whole(form: calls.Deltas) -> None:
    functions = [delta["tool_calls"][0]["function"] for delta in form(0, "id", CALL)]
    assert "".join(one.get("arguments", "") for one in functions) == CALL.arguments


def test_vllm_has_a_null_beside_each_piece() -> None:
    assert {delta["content"] for delta in calls.name_alone(0, "id", CALL)} == {None}


def test_llama_cpp_python_has_the_old_call_of_a_function_beside_each_piece() -> None:
    for delta in calls.repeated(0, "id", CALL):
        assert delta["function_call"] == delta["tool_calls"][0]["function"]
        assert delta.keys() == {"function_call", "tool_calls"}
