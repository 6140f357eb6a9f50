"""What a request may hold: a table of parameters, and the refusal of what is wrong.

The rules are OpenAI's where the servers differ. But unknown parameters are
ignored, as llama-server and vLLM do, and null is the same as absent. What is
left out: the messages of a chat, which `histories.py` reads.

Specification: https://platform.openai.com/docs/api-reference

>>> check({"model": "m", "messages": "Hi"}, CHAT)
Traceback (most recent call last):
rawllm.testing.parameters.RefusedError: 'messages' must be a list of at least one message
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rawllm.envelopes import Envelope
from rawllm.testing import histories, schemas

#: What a value must be which it is not, `None` where it is fine.
Rule = Callable[[Any], str | None]


class Parameters(NamedTuple):
    """The parameters of an endpoint, and which of them must be there."""

    rules: Mapping[str, Rule]
    required: tuple[str, ...] = ()


class RefusedError(Exception):
    """A request that is answered with an error, and which."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status: int = status
        self.envelope: Envelope = Envelope(message, None, code, param, "invalid_request_error")


def check(body: Any, parameters: Parameters) -> dict[str, Any]:
    """The known parameters of `body` that are not null. Raises `RefusedError` for a wrong one."""
    if not isinstance(body, dict):
        raise RefusedError("the body must be a JSON object")
    given = {name: body[name] for name in parameters.rules if body.get(name) is not None}
    for name, rule in parameters.rules.items():
        if name not in given and name in parameters.required:
            raise RefusedError(f"{name!r} is missing", param=name)
        if name in given and (wanted := rule(given[name])):
            raise RefusedError(f"{name!r} must be {wanted}", param=name)
    for name, needed in _NEEDS.items():
        if name in given and not given.get(needed):
            raise RefusedError(f"{name!r} is only allowed with {needed!r}", param=name)
    _check_choice(given.get("tool_choice"), given.get("tools", ()))
    return given


#: What may stand behind the colon where a number does.
NUMBER = re.compile("[0-9]{1,5}")


def number(argument: str, default: int) -> int:
    """The number behind the colon in a model's name, as in `slow:200`."""
    if argument and not NUMBER.fullmatch(argument):
        words = f"{argument!r} in the model's name must be a number of at most 5 digits"
        raise RefusedError(words, param="model")
    return int(argument or default)


# --- rules ------------------------------------------------------------------


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _integer(low: int | None = None, high: int | None = None) -> Rule:
    def rule(value: Any) -> str | None:
        fine = type(value) is int and _within(value, low, high)
        return None if fine else f"an integer{_range(low, high)}"

    return rule


def _number(low: float, high: float) -> Rule:
    def rule(value: Any) -> str | None:
        fine = type(value) in (int, float) and _within(value, low, high)
        return None if fine else f"a number{_range(low, high)}"

    return rule


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _range(low: float | None, high: float | None) -> str:
    above = "" if low is None else f" from {low}"
    return above if high is None else f"{above} to {high}"


def _one_of(*values: str) -> Rule:
    def rule(value: Any) -> str | None:
        return None if value in values else f"one of {', '.join(values)}"

    return rule


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "a string"


def _name(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "a name, which is not empty"


def _stop(value: Any) -> str | None:
    stops = value if isinstance(value, list) else [value]
    fine = len(stops) <= 4 and all(isinstance(stop, str) and stop for stop in stops)
    return None if fine else "a string or a list of at most 4, none of them empty"


def _stream_options(value: Any) -> str | None:
    fine = isinstance(value, dict) and isinstance(value.get("include_usage", False), bool)
    return None if fine else 'an object, as {"include_usage": true}'


def _prompts(value: Any) -> str | None:
    fine = _is_prompt(value) or (isinstance(value, list) and value and all(map(_is_prompt, value)))
    return None if fine else _PROMPT


def _inputs(value: Any) -> str | None:
    inputs = value if isinstance(value, list) else [value]
    if not 1 <= len(inputs) <= 2048 or "" in inputs:
        return "a string that is not empty, or a list of 1 to 2048 such"
    return _prompts(value)


def _is_prompt(value: Any) -> bool:
    return isinstance(value, str) or (bool(value) and _tokens(value) is None)


def _tokens(value: Any) -> str | None:
    fine = isinstance(value, list) and all(type(token) is int for token in value)
    return None if fine else "a list of integers, as /tokenize gives it"


_PROMPT = "a string, a list of strings, a list of tokens or a list of such lists"


def _tools(value: Any) -> str | None:
    if not isinstance(value, list) or not value or not all(map(_is_tool, value)):
        return f"a list of at least one {_TOOL}"
    for tool in value:
        name, schema = tool["function"]["name"], tool["function"].get("parameters")
        if not _FUNCTION.fullmatch(name):
            return f"functions named with at most 64 of a-z, A-Z, 0-9, _ and -, not {name!r}"
        if schema is None:
            continue
        if not isinstance(schema, dict) or schema.get("type", "object") != "object":
            return f"functions whose parameters are an object's; of {name} they are not"
        if wrong := _wrong_schema(schema):
            return f"functions whose parameters are a schema; of {name} {wrong}"
    return None


def _is_tool(tool: Any) -> bool:
    """Whether it names a function: one that is offered, or the one to be called."""
    function = tool.get("function") if isinstance(tool, dict) else None
    named = isinstance(function, dict) and isinstance(function.get("name"), str)
    return named and tool.get("type") == "function"


_TOOL = '{"type": "function", "function": {"name": ...}}'
_FUNCTION = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def _tool_choice(value: Any) -> str | None:
    fine = value in ("none", "auto", "required") or _is_tool(value)
    return None if fine else f"none, auto, required or {_TOOL}"


def _check_choice(choice: Any, tools: Any) -> None:
    if isinstance(choice, dict):
        name = choice["function"]["name"]
        if name not in [tool["function"]["name"] for tool in tools]:
            words = f"'tool_choice' must name one of 'tools', which {name!r} is not"
            raise RefusedError(words, param="tool_choice")


def _response_format(value: Any) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        return "an object whose type is text, json_object or json_schema"
    if kind != "json_schema":
        return None
    described = value.get("json_schema")
    if not isinstance(described, dict) or _name(described.get("name")) or "schema" not in described:
        return 'with this type {"json_schema": {"name": ..., "schema": {...}}}'
    wrong = _wrong_schema(described["schema"])
    return f"a schema in json_schema.schema; {wrong}" if wrong else None


def _wrong_schema(schema: Any) -> str | None:
    """What is wrong with a JSON Schema, and where."""
    try:
        schemas.read(schema)
    except ValueError as error:
        return str(error)
    return None


# --- tables -----------------------------------------------------------------

#: A parameter, and the one it says nothing without.
_NEEDS = {
    "stream_options": "stream",  # vLLM's words: "can only be defined when `stream=True`"
    "top_logprobs": "logprobs",
    "tool_choice": "tools",
    "parallel_tool_calls": "tools",
}

_SAMPLING: dict[str, Rule] = {
    "model": _name,
    "stream": _boolean,
    "stream_options": _stream_options,
    "n": _integer(1, 128),
    "max_tokens": _integer(1),
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "seed": _integer(),
    "stop": _stop,
}

CHAT = Parameters(
    _SAMPLING
    | {
        "messages": histories.fault,
        "max_completion_tokens": _integer(1),
        "logprobs": _boolean,
        "top_logprobs": _integer(0, 20),
        "tools": _tools,
        "tool_choice": _tool_choice,
        "parallel_tool_calls": _boolean,
        "response_format": _response_format,
        "reasoning_effort": _one_of("none", "minimal", "low", "medium", "high", "xhigh"),
    },
    ("model", "messages"),
)

COMPLETION = Parameters(
    _SAMPLING
    | {
        "prompt": _prompts,
        "max_tokens": _integer(0),
        "logprobs": _integer(0, 5),
        "echo": _boolean,
    },
    ("model", "prompt"),
)

EMBEDDING = Parameters(
    {
        "model": _name,
        "input": _inputs,
        "dimensions": _integer(1, 4096),
        "encoding_format": _one_of("float", "base64"),
    },
    ("model", "input"),
)

#: llama-server's name for the text, vLLM's, and vLLM's for a chat.
TOKENIZE = Parameters({"content": _text, "prompt": _text, "messages": histories.fault})

DETOKENIZE = Parameters({"tokens": _tokens}, ("tokens",))
