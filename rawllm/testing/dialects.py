"""How each server writes the same answer down: a table of dialects.

A `Dialect` is OpenAI's unless it says otherwise, so that a row names just
what is peculiar to a server. Of each server it is its newest version, except
where the row says so. What is left out: errors, which are `envelopes.SHAPES`.

>>> DIALECTS["ollama"].reasoning
'reasoning'
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rawllm.testing import calls, chances
from rawllm.testing.scripts import Framing, Json
from rawllm.testing.turns import Turn
from rawllm.testing.usages import USAGES, Put

# --- what a whole message says besides --------------------------------------


def _nothing(turn: Turn) -> Json:
    return {}


def _openai_message(turn: Turn) -> Json:
    return {"refusal": turn.refusal or None, "annotations": []}


def _empty_content(turn: Turn) -> Json:
    return {"content": turn.text} if turn.calls else {}


def _last_call(turn: Turn) -> Json:
    return {"function_call": turn.calls[-1]._asdict()} if turn.calls else {}


def _vllm_message(turn: Turn) -> Json:
    nulls = dict.fromkeys(("annotations", "audio", "function_call"))
    return nulls | {"refusal": turn.refusal or None, "reasoning": turn.reasoning or None}


def _sglang_message(turn: Turn) -> Json:
    return ({} if turn.calls else {"tool_calls": None}) | {
        "reasoning_content": turn.reasoning or None
    }


def _object_or_text(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:  # they were cut
        return arguments


# --- what the usage says besides, from the tokens of thought ----------------


def _no_details(thought: int) -> Json:
    return {}


def _reasoning_tokens_at_the_top(thought: int) -> Json:
    return {"reasoning_tokens": thought}


def _reasoning_tokens(thought: int) -> Json:
    return {"completion_tokens_details": {"reasoning_tokens": thought}} if thought else {}


def _cached_tokens(thought: int) -> Json:
    return {"prompt_tokens_details": {"cached_tokens": 0}}


# --- dialects ---------------------------------------------------------------


class Dialect(NamedTuple):
    """What is peculiar to a server's answers."""

    #: Whether `n` is heeded, and whether all its choices finish, or the first alone.
    many: bool = True
    all_finish: bool = True
    #: What the thoughts are called; "": they are text, between two tags.
    reasoning: str = "reasoning_content"
    #: How the id of a call is made, of 32 hexadecimal digits, a number and the tool's name.
    call_id: str = "call_{hex}"
    #: The finish_reason of an answer that calls the tool which it had to.
    named: str = "stop"
    #: What a token's logprob is written as, `None` for never; and the list of them.
    logprob: chances.Write | None = chances.openai
    logprobs: Mapping[str, Any] = {}
    streams_logprobs: bool = True
    #: What the logprobs of a legacy completion are written as, `None` for never.
    text_logprobs: chances.WriteText | None = chances.of_text
    #: Whether the prompt is repeated before the text of a legacy completion, where that is wanted.
    echoes: bool = True
    #: What every answer has, every chunk of a chat, and a whole answer and the end of a stream.
    head: Mapping[str, Any] = {}
    chunk: Mapping[str, Any] = {}
    ending: Mapping[str, Any] = {}
    #: What the usage has besides the counts.
    details: Callable[[int], Json] = _reasoning_tokens

    #: What a whole answer's message has, and what `arguments` are there.
    message: Callable[[Turn], Json] = _nothing
    arguments: Callable[[str], Any] = str
    #: Its content, where a tool had to be called and nothing is said.
    had_to: str | None = None

    #: What every choice has, if only to say nothing; in a legacy completion, and in a whole
    #: one, where it differs.
    choice: Mapping[str, Any] = {"logprobs": None, "finish_reason": None}
    text_choice: Mapping[str, Any] | None = None
    whole_text_choice: Mapping[str, Any] | None = None
    #: The first delta of a choice; `None`: its role comes with the first piece.
    opening: Json | None = {"role": "assistant", "content": ""}  # noqa: RUF012  # never changed
    #: The last delta of a text, and the same of a legacy completion.
    closing: Json = {}  # noqa: RUF012  # never changed
    text_closing: Json = {"text": ""}  # noqa: RUF012  # never changed
    #: Whether there is none where the answer was cut: then the last piece says so.
    cut_beside: bool = False
    #: What every delta has, every one of an answer that calls, and every one that has no text.
    every: Mapping[str, Any] = {}
    every_calling: Mapping[str, Any] = {}
    beside: Mapping[str, Any] = {}
    deltas: calls.Deltas = calls.in_pieces
    #: How the usage comes; in a legacy completion, where that is another way.
    usage: Put = USAGES["null"].put
    text_usage: Put | None = None

    #: What comes before the first chunk: comments, or what a chunk without choices has.
    before: tuple[bytes | Json, ...] = ()
    content_type: str = "text/event-stream; charset=utf-8"
    field: str = "data: "
    line_end: str = "\n"
    done: bool = True
    framing: Framing = "chunked"


_TIMINGS = {
    "cache_n": 0,
    "prompt_n": 4,
    "prompt_ms": 2.0,
    "prompt_per_token_ms": 0.5,
    "prompt_per_second": 2000.0,
    "predicted_n": 4,
    "predicted_ms": 4.0,
    "predicted_per_token_ms": 1.0,
    "predicted_per_second": 1000.0,
}
_ALL_NULL = {"role": None, "content": None, "function_call": None, "tool_calls": None}
_UNFINISHED = {"finish_reason": None}

DIALECTS: dict[str, Dialect] = {
    "openai": Dialect(message=_openai_message, logprobs={"refusal": None}),
    "llama-server": Dialect(
        content_type="text/event-stream",
        call_id="{hex}",
        named="tool_calls",
        logprob=chances.with_id,
        head={"system_fingerprint": "b1-abcdef"},
        ending={"timings": _TIMINGS},
        details=_cached_tokens,
        message=_empty_content,
        choice=_UNFINISHED,
        text_choice={"logprobs": None, "finish_reason": None},
        text_logprobs=chances.of_text_as_of_chat,
        echoes=False,
        opening={"role": "assistant", "content": None},
        deltas=calls.with_the_first,
        usage=USAGES["last"].put,
        text_usage=USAGES["finish"].put,
    ),
    "llama-cpp-python": Dialect(
        many=False,
        reasoning="",
        call_id="call__0_{name}_cmpl-{hex}",
        named="tool_calls",
        logprob=chances.with_null,
        logprobs={"refusal": None},
        details=_no_details,
        message=_last_call,
        opening={"role": "assistant"},
        every_calling=_ALL_NULL,
        deltas=calls.repeated,
        usage=USAGES["never"].put,
    ),
    "ollama": Dialect(
        content_type="text/event-stream",
        many=False,
        reasoning="reasoning",
        named="tool_calls",
        head={"system_fingerprint": "fp_ollama"},
        details=_no_details,
        message=_empty_content,
        choice=_UNFINISHED,
        text_logprobs=None,
        echoes=False,
        opening=None,
        beside={"content": ""},
        deltas=calls.at_once,
        usage=USAGES["last"].put,
        text_usage=USAGES["zeroed"].put,
    ),
    "ollama-old": Dialect(
        content_type="text/event-stream",
        many=False,
        reasoning="reasoning",
        named="tool_calls",
        logprob=None,
        head={"system_fingerprint": "fp_ollama"},
        details=_no_details,
        message=_empty_content,
        choice=_UNFINISHED,
        text_logprobs=None,
        echoes=False,
        opening=None,
        every={"role": "assistant", "content": ""},
        deltas=calls.at_once,
        usage=USAGES["last"].put,
    ),
    "vllm": Dialect(
        reasoning="reasoning",
        call_id="chatcmpl-tool-{hex:.16}",
        ending={"system_fingerprint": "vllm-0.32.0-abcdef12"},
        message=_vllm_message,
        had_to="",
        closing={"content": ""},
        cut_beside=True,
        deltas=calls.name_alone,
        usage=USAGES["last"].put,
    ),
    "sglang": Dialect(
        details=_reasoning_tokens_at_the_top,
        message=_sglang_message,
        every={"reasoning_content": None},
        deltas=calls.with_nulls,
        usage=USAGES["last"].put,
    ),
    "lmstudio": Dialect(
        call_id="{number}", usage=USAGES["last"].put, head={"system_fingerprint": "tiny"}
    ),
    "mlx-lm": Dialect(
        content_type="text/event-stream",
        many=False,
        reasoning="reasoning",
        call_id="{hex}",
        named="tool_calls",
        logprob=chances.without_bytes,
        streams_logprobs=False,
        head={"system_fingerprint": "0.32.2-Linux"},
        details=_cached_tokens,
        choice=_UNFINISHED,
        text_logprobs=None,
        echoes=False,
        opening=None,
        every={"role": "assistant"},
        deltas=calls.at_once,
        usage=USAGES["misnamed"].put,
        before=(b": keepalive 1/1\n\n",),
        framing="closing",
    ),
    "tgi": Dialect(
        content_type="text/event-stream",
        many=False,
        call_id="0",
        details=_no_details,
        arguments=_object_or_text,
        opening=None,
        closing={"content": ""},
        cut_beside=True,
        every={"role": "assistant"},
        deltas=calls.with_ids,
        usage=USAGES["last"].put,
        field="data:",
    ),
    "litellm": Dialect(
        all_finish=False,
        message=_empty_content,
        choice={},
        whole_text_choice={"logprobs": None},
        opening=None,
        text_closing={},
        deltas=calls.typed,
        usage=USAGES["choice"].put,
    ),
    "transformers": Dialect(
        many=False,
        call_id="{hex}_tool_call_0",
        named="tool_calls",
        logprob=None,
        details=_no_details,
        chunk={"system_fingerprint": ""},
        message=_empty_content,
        choice={},
        text_logprobs=None,
        echoes=False,
        opening={"role": "assistant"},
        deltas=calls.at_once,
        usage=USAGES["finish"].put,
        done=False,
    ),
    "azure": Dialect(before=({"choices": [], "prompt_filter_results": []},)),
    "openrouter": Dialect(
        reasoning="reasoning", usage=USAGES["last"].put, before=(b": OPENROUTER PROCESSING\n\n",)
    ),
}
