"""What the model says to what, without how it is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from rawllm.testing import turns
from rawllm.testing.parameters import RefusedError
from rawllm.testing.turns import Ask, Call, Say, Turn

HELLO = "Good morning, everyone! How is the weather in New York, and who is Ann?"


def chat(said: object = HELLO, *, choice: int = 0, argument: str = "", **given: Any) -> Ask:
    messages = said if isinstance(said, list) else [{"role": "user", "content": said}]
    return Ask({"messages": messages} | given, None, choice, argument)


def legacy(prompt: str = HELLO, **given: Any) -> Ask:
    return Ask({"prompt": prompt} | given, prompt)


def tool(name: str, /, **properties: Any) -> dict[str, Any]:
    function: dict[str, Any] = {"name": name}
    if properties:
        function["parameters"] = {"type": "object", "properties": properties}
    return {"type": "function", "function": function}


TEXT = {"type": "string"}
WEATHER = tool("get_weather", city=TEXT, days={"type": "integer"})
TIME = tool("get_time")
EVERYONE = tool("greet_everyone", name=TEXT)
TOOLS = [WEATHER, TIME, EVERYONE]

IN_NEW_YORK = Call("get_weather", '{"city": "New York", "days": 1}')
NOW = Call("get_time", "{}")
GREETING = Call("greet_everyone", '{"name": "New York"}')

ANSWERED = [
    {"role": "user", "content": HELLO},
    {"role": "assistant", "tool_calls": []},
    {"role": "tool", "content": "The weather is fine."},
]


def test_it_repeats_the_last_message() -> None:
    messages = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    assert turns.plain(chat(messages)) == Turn("two")
    assert turns.plain(legacy("three")) == Turn("three")


def test_it_repeats_the_text_of_parts() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    assert turns.plain(chat([{"role": "user", "content": parts}])) == Turn("one two")


# --- n and seed -------------------------------------------------------------


def test_every_choice_and_seed_has_another_order_of_the_words() -> None:
    asks = [chat(choice=choice, seed=seed) for choice in range(3) for seed in (-1, 0, 1)]
    said = [turns.plain(ask).text for ask in asks]
    assert len(set(said)) == len(said)
    assert {tuple(sorted(text.split(" "))) for text in said} == {tuple(sorted(HELLO.split(" ")))}


def test_the_first_choice_of_no_seed_is_what_was_said() -> None:
    assert turns.plain(chat()).text == turns.plain(chat(seed=0)).text == HELLO


def test_the_same_seed_has_the_same_words() -> None:
    assert turns.plain(chat(seed=5)) == turns.plain(chat(seed=5))


def test_the_words_of_a_seed_are_the_same_tomorrow() -> None:
    assert turns.plain(chat("one two three four", seed=5)).text == "two one four three"


def test_without_temperature_all_choices_are_alike() -> None:
    assert turns.plain(chat(choice=2, seed=5, temperature=0)).text == HELLO


# --- where it ends ----------------------------------------------------------

#: name: (parameters, the text, why it ended)
ENDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "nowhere": ({}, HELLO, "stop"),
    "a stop word": ({"stop": ", everyone"}, "Good morning", "stop"),
    "the first of several": ({"stop": ["!", ","]}, "Good morning", "stop"),
    "a stop word that does not occur": ({"stop": ["bye"]}, HELLO, "stop"),
    "a stop word at the start": ({"stop": "Good"}, "", "stop"),
    "inside of a token": ({"stop": "rning"}, "Good mo", "stop"),
    "one fewer than there are": ({"max_tokens": 20}, HELLO[:-1], "length"),
    "the most tokens": ({"max_tokens": 3}, "Good morning", "length"),
    "by its new name": ({"max_completion_tokens": 1, "max_tokens": 3}, "Good", "length"),
    "none": ({"max_tokens": 0}, "", "length"),
    "as many as there are": ({"max_tokens": 21}, HELLO, "stop"),
    "more than there are": ({"max_tokens": 10**400}, HELLO, "stop"),
    "before the stop word": ({"stop": "everyone", "max_tokens": 1}, "Good", "length"),
    "at the stop word": ({"stop": ",", "max_tokens": 3}, "Good morning", "stop"),
}


@pytest.mark.parametrize(("given", "text", "finish"), ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("ask", [chat, legacy])
def test_text_ends(ask: Callable[..., Ask], given: Any, text: str, finish: str) -> None:
    assert turns.plain(ask(**given)) == Turn(text, finish=finish)


def test_a_thought_is_cut_before_the_text() -> None:
    whole = turns.think(chat("one two"))
    assert whole == Turn("one two", "I am told: one two I repeat it.")
    assert whole.tokens == 11 + 2
    cut = [turns.think(chat("one two", max_tokens=most)) for most in (2, 11, 12, 13)]
    assert cut == [
        Turn("", "I am", finish="length"),
        Turn("", whole.reasoning, finish="length"),
        Turn("one", whole.reasoning, finish="length"),
        whole,
    ]


def test_calls_are_cut_in_the_middle_of_their_arguments() -> None:
    """As real servers do: what came is no JSON."""
    whole = turns.plain(chat(tools=[WEATHER, EVERYONE]))
    assert whole.calls == (IN_NEW_YORK, GREETING)
    weather, name = 2, 3  # tokens of get_weather and greet_everyone
    cut = {
        most: turns.plain(chat(tools=[WEATHER, EVERYONE], max_tokens=most)) for most in range(99)
    }
    assert cut[weather].calls == ()
    assert cut[weather + 4].calls == (Call("get_weather", '{"city"'),)
    of_first = Turn(calls=(IN_NEW_YORK,)).tokens
    assert cut[of_first + name].calls == (IN_NEW_YORK,)
    assert cut[of_first + name + 1].calls == (IN_NEW_YORK, Call("greet_everyone", "{"))
    for most, turn in cut.items():
        assert turn.tokens <= most
        assert turn.finish == ("tool_calls" if turn == whole else "length")
    assert cut[98] == whole


# --- forms ------------------------------------------------------------------


def form(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def test_a_json_object() -> None:
    said = turns.plain(chat('say "hi" 😀', response_format={"type": "json_object"})).text
    assert said == '{"text": "say \\"hi\\" 😀"}'


def test_the_form_of_text_is_text() -> None:
    assert turns.plain(chat(response_format={"type": "text"})).text == HELLO


def test_a_schema_is_filled_in_with_the_names_that_were_said() -> None:
    schema = {"properties": {"city": TEXT, "who": TEXT, "other": TEXT, "days": {"minimum": 3}}}
    said = turns.plain(chat(response_format=form(schema))).text
    assert json.loads(said) == {"city": "New York", "who": "Ann", "other": "other", "days": 3}


def test_json_may_be_cut() -> None:
    ask = chat(response_format=form({"enum": [{"a": 1}]}), max_tokens=4)
    assert turns.plain(ask) == Turn('{"a"', finish="length")


IMPOSSIBLE = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"required": ["city"], "properties": {"city": False}},
    },
}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"response_format": form({"type": "string", "enum": [1]})}, "response_format"),
        ({"tools": [IMPOSSIBLE]}, "tools"),
    ],
)
def test_a_schema_that_nothing_satisfies_is_refused(given: dict[str, Any], param: str) -> None:
    with pytest.raises(RefusedError, match="no value is a fit for the a") as caught:
        turns.plain(chat(**given))
    assert caught.value.envelope.param == param


# --- tools ------------------------------------------------------------------

NAMED = {"type": "function", "function": {"name": "get_time"}}

#: name: (parameters, what a plain model calls, what one calls that calls every tool, why they end)
CALLS: dict[str, tuple[dict[str, Any], list[Call], list[Call], str]] = {
    "no tools": ({}, [], [], ""),
    "those that are meant": (
        {"tools": TOOLS},
        [IN_NEW_YORK, GREETING],
        [IN_NEW_YORK, NOW, GREETING],
        "tool_calls",
    ),
    "auto": (
        {"tools": TOOLS, "tool_choice": "auto"},
        [IN_NEW_YORK, GREETING],
        [IN_NEW_YORK, NOW, GREETING],
        "tool_calls",
    ),
    "one is enough": (
        {"tools": TOOLS, "parallel_tool_calls": False},
        [IN_NEW_YORK],
        [IN_NEW_YORK],
        "tool_calls",
    ),
    "several are allowed": (
        {"tools": TOOLS, "parallel_tool_calls": True},
        [IN_NEW_YORK, GREETING],
        [IN_NEW_YORK, NOW, GREETING],
        "tool_calls",
    ),
    "none": ({"tools": TOOLS, "tool_choice": "none"}, [], [], ""),
    "required": (
        {"tools": TOOLS, "tool_choice": "required"},
        [IN_NEW_YORK, GREETING],
        [IN_NEW_YORK, NOW, GREETING],
        "tool_calls",
    ),
    "required, though none is meant": (
        {"tools": [TIME], "tool_choice": "required"},
        [NOW],
        [NOW],
        "tool_calls",
    ),
    "a named one": ({"tools": TOOLS, "tool_choice": NAMED}, [NOW], [NOW], "stop"),
    "none is meant": ({"tools": [TIME]}, [], [NOW], "tool_calls"),
    "the answer is in": ({"tools": TOOLS, "said": ANSWERED}, [], [], ""),
    "the answer is in, but another is required": (
        {"tools": [TIME], "said": ANSWERED, "tool_choice": "required"},
        [NOW],
        [NOW],
        "tool_calls",
    ),
    "the answer is in, but one is named": (
        {"tools": [TIME], "said": ANSWERED, "tool_choice": NAMED},
        [NOW],
        [NOW],
        "stop",
    ),
}


@pytest.mark.parametrize(("given", "meant", "every", "finish"), CALLS.values(), ids=CALLS)
def test_tools_are_called(
    given: dict[str, Any], meant: list[Call], every: list[Call], finish: str
) -> None:
    text = "The weather is fine." if "said" in given else HELLO
    for say, expected in ((turns.plain, meant), (turns.tools, every)):
        calls = Turn(calls=tuple(expected), finish=finish)
        assert say(chat(**given)) == (calls if expected else Turn(text))


#: name: (a tool's name, what means it, what does not)
MEANT: dict[str, tuple[str, str, str]] = {
    "a word": ("get_cars", "My CARS, please", "My car, please"),
    "three letters": ("add", "Please add 1 and 2", "Please give me a sum"),
    "not two": ("go_to_mars", "Mars, please", "Go to bed"),
    "not what every name has": ("get_the_car", "My car", "Get the time for you and me"),
    "words that begin with capitals": ("getWeather", "What weather!", "Get wet"),
    "words of capitals": ("HTTPServer", "Is the server up?", "https"),
    "the name itself": ("getWeather", "Call getWeather", "Call geTweather"),
}


@pytest.mark.parametrize(("name", "said", "other"), MEANT.values(), ids=MEANT)
def test_a_tool_is_meant_by_a_word_of_its_name(name: str, said: str, other: str) -> None:
    assert [call.name for call in turns.plain(chat(said, tools=[tool(name)])).calls] == [name]
    assert not turns.plain(chat(other, tools=[tool(name)])).calls


@pytest.mark.parametrize(
    ("said", "city"),
    [
        ("Can I see the weather in Paris?", "Paris"),
        ("Is the weather in New York, not Rome, fine?", "New York"),
        ("The weather of Österreich", "Österreich"),
        ("The weather, Ελλάδα Άθήνα", "Ελλάδα Άθήνα"),
        ("Can I have the weather?", "city"),
        ("Paris weather", "city"),
    ],
)
def test_arguments_are_the_names_that_were_said(said: str, city: str) -> None:
    [call] = turns.plain(chat(said, tools=[tool("get_weather", city=TEXT)])).calls
    assert json.loads(call.arguments) == {"city": city}


def test_a_tool_whose_schema_is_not_supported_is_refused_only_where_it_is_called() -> None:
    strange = tool("get_time", at={"type": "object", "unevaluatedProperties": False})
    assert turns.plain(chat("Hi", tools=[strange])) == Turn("Hi")
    with pytest.raises(RefusedError, match=r"get_time: properties\.at\.un.+ is not supported here"):
        turns.plain(chat("What time is it?", tools=[strange]))


def test_no_tool_is_called_by_a_legacy_completion() -> None:
    assert turns.tools(legacy()) == Turn(HELLO)


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}, {"title": "Nothing"}])
def test_a_tool_without_parameters_is_called_with_an_empty_object(parameters: Any) -> None:
    now = {"type": "function", "function": {"name": "now", "parameters": parameters}}
    assert turns.tools(chat(tools=[now])).calls == (Call("now", "{}"),)


# --- other models -----------------------------------------------------------


def test_a_tool_may_be_thought_about() -> None:
    turn = turns.think(chat(tools=[WEATHER]))
    assert turn.calls == (IN_NEW_YORK,)
    assert turn.reasoning == f"I am told: {HELLO} I repeat it."


@pytest.mark.parametrize("ask", [chat("Hi", reasoning_effort="none"), legacy("Hi")])
def test_nothing_is_thought_where_nobody_wants_it(ask: Ask) -> None:
    assert turns.think(ask) == Turn("Hi")


def test_less_effort_is_thought_all_the_same() -> None:
    assert turns.think(chat("Hi", reasoning_effort="low")).reasoning


def test_a_refusal_has_no_text() -> None:
    assert turns.refuse(chat()) == Turn(refusal="I cannot help with that.")


def test_a_refusal_of_a_legacy_completion_is_text() -> None:
    assert turns.refuse(legacy(max_tokens=3)) == Turn("I cannot", finish="length")


def test_a_filter_leaves_half_of_the_tokens() -> None:
    assert turns.filtered(chat("a b c d")) == Turn("a b", finish="content_filter")
    assert turns.filtered(chat("")) == Turn("", finish="content_filter")


@pytest.mark.parametrize(("argument", "words"), [("", 1000), ("3", 3), ("0", 0)])
def test_a_long_answer_has_as_many_words_as_the_models_name_says(argument: str, words: int) -> None:
    text = turns.long(chat(argument=argument)).text
    assert text.split() == [f"word{place}" for place in range(1, words + 1)]


def test_a_length_that_is_no_number_is_refused() -> None:
    with pytest.raises(RefusedError, match="'x' in the model's name must be a number"):
        turns.long(chat(argument="x"))


def test_unicode_has_characters_of_one_to_four_bytes() -> None:
    text = turns.unicode(chat("a")).text
    assert {len(character.encode()) for character in text} == {1, 2, 3, 4}


@pytest.mark.parametrize("say", [turns.long, turns.unicode, turns.filtered])
def test_every_model_ends_where_it_must(say: Say) -> None:
    assert say(chat(max_tokens=1)).finish == "length"
    assert say(chat(max_tokens=1)).tokens == 1
