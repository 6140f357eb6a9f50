"""JSON values in a few bytes: whatever the bytes are, they are values.

A fuzzer that changes JSON text mostly makes text that is no JSON. Of these
bytes each change is another value, so that what follows the parser is reached.
"""

from __future__ import annotations

import math
from typing import Any

_DEEPEST = 24

#: Values that mean something to the protocol, or are of another kind than is expected.
CONSTANTS: tuple[Any, ...] = (
    *(None, True, False, "", 0, 1, 2, -1, 1.5, 10**30, math.nan, math.inf),
    *("stop", "length", "tool_calls", "abort", "error", "assistant", "function"),
    *("{}", '{"a":1}', '{"a', '":1}', "[", "\ud83d", "a", "é\u2028", "0", "404", "[DONE]"),
    *("[" * 3000, "sk-fuzz-0123456789"),
)
NAMES = (
    *("id", "object", "created", "model", "choices", "usage", "system_fingerprint", "timings"),
    *("index", "delta", "message", "finish_reason", "logprobs", "text", "stop_reason"),
    *("role", "content", "refusal", "reasoning_content", "reasoning", "thinking", "tool_calls"),
    *("function_call", "audio", "type", "function", "name", "arguments", "data", "transcript"),
    *("error", "code", "param", "detail", "msg", "loc", "title", "status", "errors"),
    *("error_type", "http_status_code", "n_prompt_tokens", "n_ctx", "metadata"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "embedding", "token", "tokens"),
    *("bytes", "top_logprobs", "logprob", "done", "response", "status_code", "prompt_logprobs"),
)
CONSTANT, SHORT, LONG, LIST, DICT, SMALL, NUMBER, NAME = range(8)
_MOST = 31  # of five bits


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        """The next one; 0, which is null, where there is none."""
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def text(self, size: int) -> str:
        self.at += size
        return self.data[self.at - size : self.at].decode(errors="replace")

    def value(self, depth: int = 0) -> Any:
        first = self.byte()
        kind, size = first >> 5, first & _MOST
        if kind == CONSTANT:
            return CONSTANTS[size]
        if kind == SHORT:
            return self.text(size)
        if kind == LONG:
            return self.text(size << 8 | self.byte())
        if kind == SMALL:
            return size
        if kind == NUMBER:
            return _number(self.text(size))
        if kind == NAME:
            return NAMES[size]
        if depth == _DEEPEST:
            return None
        if kind == LIST:
            return [self.value(depth + 1) for _ in range(size)]
        return {self.key(): self.value(depth + 1) for _ in range(size)}

    def key(self) -> str:
        first = self.byte()
        return self.text(first - 128) if first >= 128 else NAMES[first % len(NAMES)]


def _number(text: str) -> Any:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return None


def unpack(data: bytes, most: int = 200) -> list[Any]:
    """The values in `data`, `most` of them at the most."""
    reader = _Reader(data)
    values: list[Any] = []
    while reader.at < len(data) and len(values) < most:
        values.append(reader.value())
    return values


def pack(value: Any) -> bytes:
    """The bytes of `value`, of its lists and objects the first 31 items."""
    if isinstance(value, dict):
        items = list(value.items())[:_MOST]
        return _head(DICT, len(items)) + b"".join(_key(k) + pack(v) for k, v in items)
    if isinstance(value, list):
        return _head(LIST, len(value[:_MOST])) + b"".join(map(pack, value[:_MOST]))
    for at, constant in enumerate(CONSTANTS):
        if type(constant) is type(value) and constant == value:
            return _head(CONSTANT, at)
    if isinstance(value, str):
        return _packed_text(value)
    text = repr(value).encode()[:_MOST]
    return _head(NUMBER, len(text)) + text


def _packed_text(text: str) -> bytes:
    data = text.encode(errors="replace")[: _MOST << 8]
    if text in NAMES[: _MOST + 1]:
        return _head(NAME, NAMES.index(text))
    if len(data) <= _MOST:
        return _head(SHORT, len(data)) + data
    return _head(LONG, len(data) >> 8) + bytes([len(data) & 255]) + data


def _key(name: str) -> bytes:
    if name in NAMES:
        return bytes([NAMES.index(name)])
    data = name.encode()[:127]
    return bytes([128 + len(data)]) + data


def _head(kind: int, size: int) -> bytes:
    return bytes([kind << 5 | size])
