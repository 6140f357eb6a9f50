"""What the official `openai` package makes of each scenario, where it is not the whole answer.

The table holds facts about the package (3.20 to 3.52), not about rawllm: which
failures of a server it reports, and where it hands out half of an answer, or
nothing, as if all were well. What rawllm makes of the same bytes stands in
`SCENARIOS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from rawllm.testing import SCENARIOS

from .conftest import ELSEWHERE, Sdk, Stranger

HELLO = "Hello, how is the weather in Paris?"
HALF = "Hello, how is the"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}

#: The arguments with which a scenario shows itself soon, or for long enough.
ARGUMENTS = {"slow": "slow:1", "long": "long:3", "loading": "loading:60"}
#: What is said where it is not HELLO, by a scenario's name or what stands before its first
#: hyphen: of a call its city.
SAID = {
    "tools": "Paris",
    "tools-broken": '{"city": "Paris"',
    "long": "word1 word2 word3",
    "unicode": f"{HELLO} café 東京 😀👍🏽",
    "refusal": "I cannot help with that.",
    "think-llama-cpp-python": f"<think>I am told: {HELLO} I repeat it.</think>{HELLO}",
}


class Made(NamedTuple):
    """What the package makes of an answer asked for in three ways.

    An exception's name; "whole"; "half" or "nothing" where that is handed out
    as if the answer had come to its end; or the finish_reason, where that
    says why it is no more.
    """

    #: `create(stream=True)`, and its chunks put together.
    chunks: str = "whole"
    #: `stream()`, the package's helper.
    helper: str = "whole"
    #: `create()`.
    whole: str = "whole"


def everywhere(made: str) -> Made:
    return Made(made, made, made)


#: Scenarios that are not here come out whole, in all three ways.
TABLE: dict[str, Made] = {
    "filtered": Made("content_filter", "ContentFilterFinishReasonError", "content_filter"),
    "null": Made("AttributeError", "AttributeError"),
    "stream-ignored": Made("nothing", "AssertionError"),
    # How it ends.
    "done-without-finish": Made("half", "half"),
    "end-without-finish": Made("half", "half"),
    "aborted": everywhere("abort"),
    "cut-fin": everywhere("APIConnectionError"),
    "cut-rst": everywhere("APIConnectionError"),
    "cut-silence": everywhere("APITimeoutError"),
    "silence": everywhere("APITimeoutError"),
    "hang-up": everywhere("APIConnectionError"),
    # Errors in a stream; a whole answer is a 500.
    "stream-error": Made("APIError", "APIError", "InternalServerError"),
    "stream-error-text": Made("APIError", "APIError", "InternalServerError"),
    "stream-error-flat": Made("TypeError", "half", "InternalServerError"),
    "stream-error-event": Made("TypeError", "half", "InternalServerError"),
    "stream-error-field": Made("half", "half", "InternalServerError"),
    "stream-error-finish": Made("APIError", "APIError", "InternalServerError"),
    "not-json": everywhere("JSONDecodeError"),
    # Errors before it.
    "error-400": everywhere("BadRequestError"),
    "error-context": everywhere("BadRequestError"),
    "error-401": everywhere("AuthenticationError"),
    "error-403": everywhere("PermissionDeniedError"),
    "error-404": everywhere("NotFoundError"),
    "error-408": everywhere("APIStatusError"),
    "error-409": everywhere("ConflictError"),
    "error-413": everywhere("APIStatusError"),
    "error-422": everywhere("UnprocessableEntityError"),
    "error-429": everywhere("RateLimitError"),
    "insufficient_quota": everywhere("RateLimitError"),
    "error-500": everywhere("InternalServerError"),
    "error-502": everywhere("InternalServerError"),
    "error-503": everywhere("InternalServerError"),
    "loading": everywhere("InternalServerError"),
    # Answers that are none.
    "html": Made("nothing", "AssertionError", "AttributeError"),
    "empty": Made("nothing", "AssertionError", "JSONDecodeError"),
    "200-error": Made("nothing", "AssertionError", "TypeError"),
    "redirect-301": everywhere("APIStatusError"),
    "redirect-elsewhere": everywhere("APIConnectionError"),
    # Arguments that are an object, and no JSON text.
    "tools-tgi": Made(whole="TypeError"),
}
#: It fails first, and is tested where it is tried again.
LEFT_OUT = {"retry"}


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - LEFT_OUT))
def test_the_package_makes_of(sdk: Sdk, url: str, name: str) -> None:
    client = sdk(url, timeout=0.3 if name in {"cut-silence", "silence"} else 10)
    asked = asked_of(name)
    said = SAID.get(name) or SAID.get(name.partition("-")[0], HELLO)
    made = Made(*(outcome(way, client, asked, said) for way in (in_chunks, by_helper, at_once)))
    assert made == TABLE.get(name, Made())


def test_no_row_is_about_a_scenario_that_is_gone() -> None:
    assert SCENARIOS.keys() >= TABLE.keys() | LEFT_OUT


def test_where_the_package_hands_out_less_rawllm_raises() -> None:
    less = {name for name, made in TABLE.items() if {"half", "nothing"} & set(made)}
    # The one exception is a whole answer although a stream was asked for, which rawllm reads.
    assert {name for name in less if SCENARIOS[name].streamed is None} == {"stream-ignored"}


def test_a_connection_that_died_meanwhile_is_an_error(openai: Any, sdk: Sdk, url: str) -> None:
    """It tries again only what `max_retries` allows; rawllm asks again by itself."""
    client = sdk(url)
    assert at_once(client, asked_of("keep-alive-dies"))
    with pytest.raises(openai.APIConnectionError):
        at_once(client, asked_of("plain"))


def test_the_prompt_is_sent_to_where_a_redirect_points(
    openai: Any, sdk: Sdk, url: str, stranger: Stranger
) -> None:
    """Though not the key. rawllm sends nothing to another server."""
    with pytest.raises(openai.APIConnectionError):
        at_once(sdk(url), asked_of("redirect-elsewhere"))
    [request] = stranger.requests
    assert str(request.url).startswith(ELSEWHERE)
    assert HELLO in request.content.decode()
    assert "authorization" not in request.headers


def asked_of(name: str) -> dict[str, Any]:
    question = {"role": "user", "content": HELLO}
    tools = {"tools": [WEATHER]} if name.startswith("tools") else {}
    return {"model": ARGUMENTS.get(name, name), "messages": [question], **tools}


Way = Callable[[Any, dict[str, Any]], tuple[str, str | None]]


def outcome(way: Way, client: Any, asked: dict[str, Any], said: str) -> str:
    try:
        text, finish_reason = way(client, asked)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the outcome
        return type(error).__name__
    if finish_reason in {"stop", "tool_calls"}:
        assert text == said
        return "whole"
    assert text in {"", HALF, HELLO}
    return finish_reason or ("half" if text else "nothing")


def in_chunks(client: Any, asked: dict[str, Any]) -> tuple[str, str | None]:
    """As most programs put them together."""
    text, arguments, finish_reason = "", "", None
    with client.chat.completions.create(**asked, stream=True) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or choice.delta.refusal or ""
                for call in choice.delta.tool_calls or ():
                    arguments += call.function.arguments or ""
                finish_reason = choice.finish_reason or finish_reason
    return city_of(arguments) if arguments else text, finish_reason


def by_helper(client: Any, asked: dict[str, Any]) -> tuple[str, str | None]:
    with client.chat.completions.stream(**asked) as stream:
        return told(stream.get_final_completion())


def at_once(client: Any, asked: dict[str, Any]) -> tuple[str, str | None]:
    return told(client.chat.completions.create(**asked))


def told(completion: Any) -> tuple[str, str | None]:
    [choice] = completion.choices
    message = choice.message
    if message.tool_calls:
        return city_of(message.tool_calls[0].function.arguments), choice.finish_reason
    return message.content or message.refusal or "", choice.finish_reason


def city_of(arguments: str) -> str:
    """All of the arguments where they are not JSON, which the package does not look at."""
    try:
        return str(json.loads(arguments)["city"])
    except ValueError:
        return arguments
