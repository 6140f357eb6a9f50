"""The usage in a stream: where its counts stand, for each server that has its own way.

What is left out: how many tokens there are, which `completions.py` counts.

>>> chunks = [{"object": "text_completion", "choices": [{"text": "Hi", "finish_reason": "stop"}]}]
>>> USAGES["finish"].put(chunks, {"total_tokens": 2}, False)[0]["usage"]
{'total_tokens': 2}
"""

from collections.abc import Callable
from typing import NamedTuple

from rawllm.testing.scripts import Json

#: The chunks with the usage among them: the chunks, the usage, and whether
#: `include_usage` asked for it.
Put = Callable[[list[Json], Json, bool], list[Json]]


class Usage(NamedTuple):
    """One way: what it looks like, who has it, what to look for, and how it is done."""

    about: str
    who: str
    shows: bytes
    put: Put


def _last(chunks: list[Json], usage: Json, asked: bool) -> list[Json]:
    return [*chunks, _chunk(chunks, usage)] if asked else chunks


def _null(chunks: list[Json], usage: Json, asked: bool) -> list[Json]:
    return _before(chunks, usage, [None] * len(chunks)) if asked else chunks


def _each(chunks: list[Json], usage: Json, asked: bool) -> list[Json]:
    return _always(chunks, usage, asked) if asked else chunks


def _always(chunks: list[Json], usage: Json, asked: bool) -> list[Json]:
    return _before(chunks, usage, [_so_far(usage, place) for place in range(len(chunks))])


def _zeroed(chunks: list[Json], usage: Json, asked: bool) -> list[Json]:
    zeros = dict.fromkeys(usage, 0)
    return _before(chunks, usage, [zeros] * len(chunks)) if asked else chunks


def _finish(chunks: list[Json], usage: Json, asked: bool) -> list[Json]:
    return [*chunks[:-1], chunks[-1] | {"usage": usage}]


def _choice(chunks: list[Json], usage: Json, asked: bool) -> list[Json]:
    empty: Json = {"delta": {}} if "delta" in chunks[0]["choices"][0] else {}
    dummy = {"choices": [{"index": 0} | empty]}
    return [*chunks, _chunk(chunks, usage) | dummy] if asked else chunks


def _misnamed(chunks: list[Json], usage: Json, asked: bool) -> list[Json]:
    name = {"object": "chat.completion"}
    return [*chunks, _chunk(chunks, usage) | name] if asked else chunks


def _never(chunks: list[Json], usage: Json, asked: bool) -> list[Json]:
    return chunks


def _chunk(chunks: list[Json], usage: Json) -> Json:
    """A chunk of its own, without choices."""
    return chunks[0] | {"choices": [], "usage": usage}


def _before(chunks: list[Json], usage: Json, others: list[Json | None]) -> list[Json]:
    """The usage in a last chunk, and in all before it what they have instead."""
    counted = [chunk | {"usage": other} for chunk, other in zip(chunks, others, strict=True)]
    return [*counted, _chunk(chunks, usage)]


def _so_far(usage: Json, said: int) -> Json:
    said, prompt = min(said, usage["completion_tokens"]), usage["prompt_tokens"]
    return {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}


USAGES: dict[str, Usage] = {
    "last": Usage(
        "a last chunk without choices",
        "vLLM, Ollama, SGLang, TGI",
        b'"choices":[],"usage":{',
        _last,
    ),
    "null": Usage(
        "a last chunk without choices, and null in all others",
        "OpenAI",
        b'"usage":null',
        _null,
    ),
    "each": Usage(
        "growing counts in every chunk",
        "vLLM with `continuous_usage_stats`",
        b'"completion_tokens":1,',
        _each,
    ),
    "always": Usage(
        "growing counts in every chunk, though nobody asked",
        "vLLM with `--enable-force-include-usage`",
        b'"completion_tokens":1,',
        _always,
    ),
    "zeroed": Usage(
        "zeros in every chunk, then the counts",
        "Ollama, of a legacy completion",
        b'"prompt_tokens":0,',
        _zeroed,
    ),
    "finish": Usage(
        "in the last chunk with a choice, asked for or not",
        "transformers; llama-server, of a legacy completion",
        b'"finish_reason":"stop"}],"usage":{',
        _finish,
    ),
    "choice": Usage(
        "a last chunk with a choice that says nothing",
        "LiteLLM",
        b'"choices":[{"index":0,"delta":{}}],"usage":{',
        _choice,
    ),
    "misnamed": Usage(
        "a last chunk that calls itself a whole answer",
        "mlx-lm",
        b'"object":"chat.completion",',
        _misnamed,
    ),
    "never": Usage(
        "not at all, though asked for",
        "llama-cpp-python",
        b'"finish_reason":"stop"}]}',
        _never,
    ),
}
