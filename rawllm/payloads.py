"""What goes out: the JSON body of each request, built from what the caller gives.

Parameters the protocol will have tomorrow, or one server alone has, go out as
given. `None` is not sent (mlx-lm refuses nulls); a null that is meant goes
through `extra_body`, which wins over all else. No default is sent for anything
the caller left open.

Specification: https://platform.openai.com/docs/api-reference

>>> chat("tiny", "Hi", temperature=0, top_k=40, seed=None)
{'model': 'tiny', 'messages': [{'role': 'user', 'content': 'Hi'}], 'temperature': 0, 'top_k': 40}
>>> serialize(_)[:31]
b'{"model":"tiny","messages":[{"r'
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Messages = str | Sequence[Mapping[str, Any]]
Prompt = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]


class Omit:
    """The type of `omit`: leave this out of the request."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "omit"

    def __reduce__(self) -> str:
        return "omit"


#: Leave a parameter out of the request, or a default header.
omit: Omit = Omit()

#: The same by the openai SDK's other names.
NOT_GIVEN: Omit = omit
not_given: Omit = omit
NotGiven = Omit


def chat(model: str, messages: Messages, **params: Any) -> dict[str, Any]:
    """The body of `/chat/completions`. One `str` is one message of the user."""
    if isinstance(messages, str):
        return _body(model=model, messages=[{"role": "user", "content": messages}], **params)
    if not isinstance(messages, Sequence) or isinstance(messages, bytes | bytearray):
        raise TypeError(f"messages must be a str or a list of dicts, not {_kind(messages)}")
    said = [_message(message, place) for place, message in enumerate(messages)]
    return _body(model=model, messages=said, **params)


def completion(model: str, prompt: Prompt, **params: Any) -> dict[str, Any]:
    """The body of `/completions`: one text, several, token ids, or lists of them."""
    return _body(model=model, prompt=_input("prompt", prompt), **params)


def embedding(model: str, input: Prompt, **params: Any) -> dict[str, Any]:  # noqa: A002
    """The body of `/embeddings`: one text, several, token ids, or lists of them."""
    return _body(model=model, input=_input("input", input), **params)


def prompts_asked(body: Mapping[str, Any]) -> int:
    """How many prompts `body` holds; a list of token ids is one."""
    prompt = body.get("prompt")
    several = isinstance(prompt, list | tuple) and not all(isinstance(p, int) for p in prompt)
    return len(prompt) if prompt and several else 1


def choices_asked(body: Mapping[str, Any]) -> int:
    """How many choices the answer to `body` has: `n` of them for each prompt."""
    n = body.get("n")
    return (n if isinstance(n, int) else 1) * prompts_asked(body)


def extended(body: Any, extra_body: Any) -> Any:
    """`body` with what `extra_body` adds and replaces, which is all of it where `body` is `None`.

    >>> extended({"a": 1, "b": 2}, {"b": None})
    {'a': 1, 'b': None}
    """
    if not is_given(extra_body):
        return body
    if not isinstance(extra_body, Mapping):
        raise TypeError(f"extra_body must be a dict, not {type(extra_body).__name__}")
    if not isinstance(body, Mapping | None):
        raise TypeError(f"extra_body needs a body that is a dict, not {type(body).__name__}")
    return {**(body or {}), **extra_body} if extra_body else body


def serialize(body: Any) -> bytes:
    r"""`body` as compact JSON in UTF-8.

    Lone surrogates, which no UTF-8 holds, become U+FFFD. Raises `ValueError`
    for NaN, infinities and endless numbers, for a body that contains itself or
    is nested too deep, and `TypeError` for what JSON has no form for, saying
    where it is.
    """
    try:
        text = _json(body)
    except RecursionError:
        raise ValueError(f"{_part(body)} is nested too deep for JSON") from None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _json(body: Any) -> str:
    try:
        return _encoded(body)
    except ValueError as error:
        if "Circular" in str(error):
            raise ValueError(f"{_part(body)} contains itself: JSON cannot carry that") from None
        if "Exceeds" in str(error):  # sys.set_int_max_str_digits()
            place = _place(body, _is_endless) or f"a key in {_part(body)}"
            raise ValueError(f"{place} has more digits than Python writes") from None
        place = _place(body, _is_not_finite) or f"a key in {_part(body)}"
        raise ValueError(f"{place} is NaN or infinite: JSON cannot carry that") from None
    except TypeError as error:
        place = _place(body, _is_foreign) or f"a key in {_part(body)}"
        raise TypeError(f"{place}: {error}") from None


_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _part(body: Any) -> str:
    """Which parameter it is that is no JSON, the first that is none."""
    named = body.items() if isinstance(body, dict) else ()
    wrong = (name for name, value in named if not _is_json(value))
    name = next(wrong, "the body")
    return name if isinstance(name, str) else "a key"


def _is_json(value: Any) -> bool:
    try:
        return bool(_encoded(value))
    except (TypeError, ValueError, RecursionError):
        return False


def is_given(value: Any) -> bool:
    """Whether a parameter is to be sent."""
    return value is not None and not isinstance(value, Omit)


def _message(message: Any, place: int) -> Mapping[str, Any]:
    """A message as it is sent: what a model said without its nulls, so that it can be sent back.

    # quirk(llama-cpp-python): answers `"content": null`, and refuses it in a message.
    """
    if not isinstance(message, Mapping):
        raise TypeError(f"messages[{place}] must be a dict, not {type(message).__name__}")
    if message.get("role") != "assistant":
        return message
    return {name: value for name, value in message.items() if value is not None}


def _body(extra_body: Mapping[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    model = params["model"]
    if is_given(model) and not isinstance(model, str):
        raise TypeError(f"model must be a str, not {type(model).__name__}")
    return dict(extended({k: v for k, v in params.items() if is_given(v)}, extra_body))


def _input(name: str, value: Any) -> Any:
    if isinstance(value, str | Sequence) and not isinstance(value, bytes | bytearray):
        return value
    raise TypeError(f"{name} must be a str or a list, not {_kind(value)}")


def _kind(value: Any) -> str:
    name = type(value).__name__
    if isinstance(value, bytes | bytearray):
        return f"{name} (decode it)"
    return f"{name} (make a list of it)" if isinstance(value, Iterable) else name


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _is_endless(value: Any) -> bool:
    try:
        return isinstance(value, int) and not int.__repr__(value)
    except ValueError:
        return True


def _is_foreign(value: Any) -> bool:
    return not isinstance(value, dict | list | tuple | str | int | float | None)


def _place(body: Any, is_it: Any, path: str = "") -> str:
    """Where in `body` the first value stands that `is_it`, as `messages[0].content`."""
    if is_it(body):
        return path or "the body"
    pairs: Iterable[tuple[str, Any]] = ()
    if isinstance(body, dict):
        named = (("a key" if _is_endless(key) else str(key), body[key]) for key in body)
        pairs = ((f"{path}.{key}" if path else key, value) for key, value in named)
    elif isinstance(body, list | tuple):
        pairs = ((f"{path or 'the body'}[{place}]", value) for place, value in enumerate(body))
    return next(filter(None, (_place(value, is_it, where) for where, value in pairs)), "")
