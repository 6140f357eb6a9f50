"""The messages of a chat: whether they are a history, and what they say.

The rules are OpenAI's. A tool's answer stands behind the message that called
it, and every call is answered before anyone else speaks.

Specification: https://platform.openai.com/docs/api-reference/chat/create

>>> fault([{"role": "user", "content": "Hi"}, {"role": "model", "content": "Hi"}])
'a list of messages; of [1] the role must be one of system, developer, user, assistant, ...'
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rawllm.testing import tokens

ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def fault(value: Any) -> str | None:
    """What `messages` must be which they are not, and where; `None` where they are fine."""
    if not isinstance(value, list) or not value:
        return "a list of at least one message"
    waiting: list[str] = []  # the ids of the calls that are not answered yet
    for place, message in enumerate(value):
        if wrong := _wrong(message) or _out_of_turn(message, waiting):
            return f"a list of messages; of [{place}] {wrong}"
    return f"answers to all tool calls, also to {waiting[0]!r}" if waiting else None


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text; of a list of parts, that of all that have one."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def tokens_of(messages: Sequence[Mapping[str, Any]]) -> list[int]:
    """The tokens of all messages' texts."""
    return [token for message in messages for token in tokens.encode(text_of(message))]


# --- one message ------------------------------------------------------------


def _wrong(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "an object is asked"
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        return f"the role must be one of {', '.join(ROLES)}"
    calls = message.get("tool_calls")
    if calls is not None and not _are_calls(calls):
        return (
            "the tool_calls must be a list of at least one "
            '{"id": ..., "type": "function", "function": {"name": ..., "arguments": "..."}}'
        )
    instead = calls or message.get("function_call") or message.get("refusal")
    if content is None:
        return None if instead and role == "assistant" else "the content is missing"
    return _wrong_content(content)


def _wrong_content(content: Any) -> str | None:
    if isinstance(content, str):
        return None
    if not isinstance(content, list) or not content:
        return "the content must be a string or a list of at least one part"
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or part.get(kind) is None:
            return 'each part of the content must be as {"type": "text", "text": "..."}'
        if kind == "text" and not isinstance(part["text"], str):
            return "the text of each part must be a string"
    return None


def _are_calls(calls: Any) -> bool:
    return isinstance(calls, list) and bool(calls) and all(map(_is_call, calls))


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return (
        isinstance(function, dict)
        and call.get("type") == "function"
        and isinstance(call.get("id"), str)
        and all(isinstance(function.get(name), str) for name in ("name", "arguments"))
    )


def _out_of_turn(message: Mapping[str, Any], waiting: list[str]) -> str | None:
    """Whether it is no turn of this message's, where calls are `waiting`, which it changes."""
    if message["role"] == "tool":
        if message.get("tool_call_id") not in waiting:
            return "the tool_call_id must be that of a call that waits for its answer"
        waiting.remove(message["tool_call_id"])
    elif waiting:
        return f"the role must be tool, for the call {waiting[0]!r} waits for its answer"
    else:
        waiting += [call["id"] for call in message.get("tool_calls") or ()]
    return None
