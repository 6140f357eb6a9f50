"""The scenarios: what can go right and wrong with a server, one model name each.

`SCENARIOS` is the one table. A request chooses its row by `model`, and a
name may have an argument, as in `slow:200`. What is left out: which endpoint
answers and in which form, which `endpoints.py` does.

>>> SCENARIOS["cut-fin"].streamed.__name__
'IncompleteStreamError'
>>> found("loading:5")[1]
'5'
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rawllm import errors
from rawllm.testing import faults, turns
from rawllm.testing.dialects import DIALECTS, Dialect, Json
from rawllm.testing.faults import Instead
from rawllm.testing.scripts import End, Step
from rawllm.testing.turns import Say
from rawllm.testing.usages import USAGES

#: What a call comes to in the client: an exception, or a whole answer.
Outcome = type[errors.APIError] | None

_OPENAI = DIALECTS["openai"]


class Scenario(NamedTuple):
    """One row: what happens, who does so, what a client makes of it, and how it is played."""

    about: str
    #: The servers that do so.
    who: str = ""
    #: What to look for in the bytes of a streamed answer.
    shows: bytes = b""
    #: The outcome of a streamed chat, and of a whole one.
    streamed: Outcome = None
    whole: Outcome = None
    say: Say = turns.plain
    dialect: Dialect = _OPENAI
    #: What is done to the chunks of a stream, before they become bytes.
    chunks: Callable[[list[Json]], Sequence[Json | bytes]] = list
    #: What is done to the bytes of a body: a step an event, or one for all.
    steps: Callable[[list[Step], str], list[Step]] = faults.none
    #: Whether it streams where that is asked for.
    streams: bool = True
    #: What is done to the connection after the answer.
    after: tuple[End, ...] = ()
    #: What is played in place of an answer, if anything.
    instead: Instead = faults.nothing


def found(model: str) -> tuple[Scenario, str] | None:
    """The scenario of a model's name and the argument in it; `None` for another's name."""
    name, _, argument = model.partition(":")
    return (SCENARIOS[name], argument) if name in SCENARIOS else None


# --- rows that are much alike -----------------------------------------------


def _status(
    status: int, outcome: type[errors.APIError], about: str, who: str = "", **fields: str
) -> Scenario:
    """An error before anything else is sent."""
    return Scenario(
        f"{status}: {about}",
        who,
        b"HTTP/1.1 %d " % status,
        outcome,
        outcome,
        instead=faults.status(status, **fields),
    )


def _in_stream(
    about: str, who: str, shows: bytes, error: Json | bytes, dialect: Dialect
) -> Scenario:
    """Half of the answer, then an error. A whole answer is a 500."""
    return Scenario(
        about,
        who,
        shows,
        errors.StreamAPIError,
        errors.InternalServerError,
        dialect=dialect,
        chunks=faults.half_then(error),
        instead=faults.unless_streamed(faults.status(500)),
    )


def _cut(end: End, about: str, who: str, whole: Outcome) -> Scenario:
    return Scenario(
        about,
        who,
        b'"role":"assistant"',
        errors.IncompleteStreamError,
        whole,
        steps=faults.cut(end),
    )


def _dialects() -> dict[str, Scenario]:
    rows = {}
    for server, dialect in DIALECTS.items():
        for name, about, say, shows in (
            ("plain", "text", turns.plain, b'"content":'),
            (
                "think",
                "thoughts before the text",
                turns.think,
                b'"%s":' % dialect.reasoning.encode() if dialect.reasoning else b'"think"',
            ),
            ("tools", "a call of every tool", turns.tools, b'"tool_calls":'),
        ):
            rows[f"{name}-{server}"] = Scenario(
                f"{about}, in the form of {server}", server, shows, say=say, dialect=dialect
            )
    return rows


_SILENT = _OPENAI._replace(done=False)
_WORDS = "the model broke down"

SCENARIOS: dict[str, Scenario] = {
    # What is said.
    "plain": Scenario("repeats the last message", "", b"data: [DONE]"),
    "tools": Scenario("calls every tool", "", b'"tool_calls":', say=turns.tools),
    "think": Scenario("thinks first", "", b'"reasoning_content":', say=turns.think),
    "refusal": Scenario("refuses", "OpenAI", b'"refusal":"I"', say=turns.refuse),
    "filtered": Scenario(
        "stops half-way at a filter", "OpenAI, Azure", b'"content_filter"', say=turns.filtered
    ),
    "long": Scenario("a thousand words, or `long:N`", "", b"word1", say=turns.long),
    "unicode": Scenario(
        "characters of up to four bytes, each cut between two writes",
        "any",
        "東".encode()[:1] + b"\r\n",
        say=turns.unicode,
        steps=faults.inside_characters,
    ),
    "slow": Scenario(
        "50 ms before each event, or `slow:MILLISECONDS`", "any", b"", steps=faults.slow
    ),
    # How it is framed.
    "closing": Scenario(
        "a body that ends with its connection",
        "mlx-lm, proxies",
        b"Connection: close\r\n\r\n",
        dialect=_OPENAI._replace(framing="closing"),
    ),
    "bytes": Scenario("a body one byte at a time", "proxies", b"1\r\nd\r\n", steps=faults.bytewise),
    "crlf": Scenario(
        "lines that end with CR LF",
        "sse-starlette",
        b"\r\n\r\n",
        dialect=_OPENAI._replace(line_end="\r\n"),
    ),
    "bom": Scenario(
        "a byte order mark at the start",
        "allowed by the specification",
        b"\xef\xbb\xbf",
        dialect=_OPENAI._replace(before=(b"\xef\xbb\xbf",)),
    ),
    "pings": Scenario(
        "comments between the events",
        "llama-server, vLLM, LiteLLM, llama-cpp-python",
        b": keep-alive\n\n",
        chunks=faults.between(b": keep-alive\n\n"),
    ),
    "null": Scenario(
        "`data: null` between the events",
        "llama-server",
        b"data: null\n\n",
        chunks=faults.between(b"data: null\n\n"),
    ),
    "stream-ignored": Scenario(
        "a whole answer although a stream was asked for",
        "gateways",
        b"Content-Type: application/json",
        streams=False,
    ),
    # How it ends.
    "no-done": Scenario(
        "no `[DONE]`", "transformers, LiteLLM, proxies", b'"finish_reason":"stop"', dialect=_SILENT
    ),
    "done-without-finish": Scenario(
        "`[DONE]`, but no finish_reason",
        "llama-cpp-python, when another request arrives",
        b"data: [DONE]",
        errors.IncompleteStreamError,
        chunks=faults.half,
    ),
    "end-without-finish": Scenario(
        "a clean end without `[DONE]` or finish_reason",
        "Ollama, when the generation fails",
        b"0\r\n\r\n",
        errors.IncompleteStreamError,
        dialect=_SILENT,
        chunks=faults.half_then({"model": "", "choices": []}),
    ),
    "aborted": Scenario(
        'finish_reason "abort"',
        "vLLM, SGLang",
        b'"abort"',
        errors.IncompleteStreamError,
        say=faults.finishing("abort"),
    ),
    "cut-fin": _cut(
        End.FIN,
        "half of the body, then the connection closes",
        "any that is killed",
        errors.APIConnectionError,
    ),
    "cut-rst": _cut(
        End.RST,
        "half of the body, then the connection is reset",
        "proxies, a crash",
        errors.APIConnectionError,
    ),
    "cut-silence": _cut(
        End.SILENCE,
        "half of the body, then nothing for ever",
        "llama-server on SIGTERM",
        errors.APITimeoutError,
    ),
    "keep-alive-dies": Scenario(
        "a whole answer; the connection stays open, but dies when it is used again",
        "uvicorn and llama-server after 5 s",
        b"data: [DONE]",
        after=(End.NEXT,),
    ),
    # Errors in a stream: five forms, and two that are none.
    "stream-error": _in_stream(
        "an error object in an event, then `[DONE]`",
        "vLLM, LiteLLM, SGLang; without `[DONE]` llama-server",
        b'data: {"error":{"message"',
        {"error": {"message": _WORDS, "type": "InternalServerError", "param": None, "code": 500}},
        _OPENAI,
    ),
    "stream-error-text": _in_stream(
        "an error that is a text",
        "transformers, LocalAI",
        b'data: {"error":"',
        {"error": _WORDS},
        _SILENT,
    ),
    "stream-error-flat": _in_stream(
        "an error without an envelope",
        "older vLLM and SGLang",
        b'data: {"object":"error"',
        {"object": "error", "message": _WORDS, "type": "InternalServerError", "code": 500},
        _SILENT,
    ),
    "stream-error-event": _in_stream(
        "an event named error",
        "LM Studio, OpenAI",
        b"event: error\ndata: ",
        b'event: error\ndata: {"type":"error","code":"server_error","message":"%s"}\n\n'
        % _WORDS.encode(),
        _SILENT,
    ),
    "stream-error-field": _in_stream(
        "a field named error, which the format does not know",
        "older llama-server",
        b'\nerror: {"code":500',
        b'error: {"code":500,"message":"%s","type":"server_error"}\n\n' % _WORDS.encode(),
        _SILENT,
    ),
    "stream-error-finish": _in_stream(
        'finish_reason "error", and the error beside the choices',
        "OpenRouter",
        b'"finish_reason":"error"',
        {
            "error": {"code": 502, "message": _WORDS},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        },
        _OPENAI,
    ),
    "not-json": Scenario(
        "an event, or a body, that is not JSON",
        "LiteLLM, when a chunk cannot be written",
        b"data: oops\n\n",
        errors.StreamError,
        errors.APIResponseValidationError,
        chunks=faults.half_then(b"data: oops\n\n"),
        instead=faults.unless_streamed(faults.body("application/json", b'{"choices": [')),
    ),
    # Errors before it.
    "error-400": _status(400, errors.BadRequestError, "something is wrong with the request"),
    "error-context": _status(
        400,
        errors.ContextLengthExceededError,
        "the prompt does not fit",
        code="context_length_exceeded",
        message="This model's maximum context length is 8 tokens. However, your messages resulted "
        "in 9 tokens.",
    ),
    "error-401": _status(401, errors.AuthenticationError, "the key is wrong"),
    "error-403": _status(403, errors.PermissionDeniedError, "the key is not good for this"),
    "error-404": _status(404, errors.NotFoundError, "there is no such model"),
    "error-408": _status(408, errors.APIStatusError, "the server waited too long"),
    "error-409": _status(409, errors.ConflictError, "two requests are in each other's way"),
    "error-413": _status(413, errors.APIStatusError, "the body is too large"),
    "error-422": _status(422, errors.UnprocessableEntityError, "a parameter makes no sense"),
    "error-429": _status(
        429, errors.RateLimitError, "too many requests; Retry-After says 1 s, or `error-429:N`"
    ),
    "insufficient_quota": _status(
        429,
        errors.RateLimitError,
        "nothing left to spend",
        "OpenAI",
        type="insufficient_quota",
        code="insufficient_quota",
    ),
    "error-500": _status(500, errors.InternalServerError, "the server broke down"),
    "error-502": Scenario(
        "502: a gateway's page",
        "nginx",
        b"<html>",
        errors.InternalServerError,
        errors.InternalServerError,
        instead=faults.body("text/html", faults.BAD_GATEWAY, 502),
    ),
    "error-503": _status(503, errors.InternalServerError, "the server is busy", "Ollama, vLLM"),
    "loading": Scenario(
        "503 while the model loads: for 1 s after the first request, or `loading:SECONDS`",
        "llama-server",
        instead=faults.loading,
    ),
    "retry": Scenario(
        "503, then an answer; `retry:N`: N times 503 before each answer",
        instead=faults.failing_first,
    ),
    # Answers that are none.
    "html": Scenario(
        "200 and a page to log in",
        "hotel networks, gateways",
        b"<!doctype html>",
        errors.APIResponseValidationError,
        errors.APIResponseValidationError,
        instead=faults.body("text/html; charset=utf-8", faults.LOGIN),
    ),
    "empty": Scenario(
        "200 and nothing",
        "llama-cpp-python, when a streamed prompt is too long",
        b"Content-Length: 0\r\n\r\n",
        errors.APIResponseValidationError,
        errors.APIResponseValidationError,
        instead=faults.body("application/json", b""),
    ),
    "200-error": Scenario(
        "200 and an error",
        "LM Studio, for a path it does not have",
        b'{"error":"Unexpected endpoint',
        errors.NotFoundError,
        errors.NotFoundError,
        instead=faults.body(
            "application/json",
            b'{"error":"Unexpected endpoint or method. (POST /chat/completions)"}',
        ),
    ),
    "redirect": Scenario(
        "307 to the same server, which then answers",
        "proxies",
        instead=faults.redirect_once,
    ),
    "redirect-301": Scenario(
        "301, which turns a POST into a GET",
        "http:// for https://",
        b"HTTP/1.1 301 ",
        errors.APIStatusError,
        errors.APIStatusError,
        instead=faults.redirect(301, "{target}"),
    ),
    "redirect-elsewhere": Scenario(
        "307 to another server, which must not get the key",
        "a gateway's login",
        b"Location: http://other.invalid/",
        errors.APIStatusError,
        errors.APIStatusError,
        instead=faults.redirect(307, "http://other.invalid/login"),
    ),
    # How the usage comes, and each server's own form.
    **{
        f"usage-{name}": Scenario(
            f"the usage: {usage.about}", usage.who, dialect=_OPENAI._replace(usage=usage.put)
        )
        for name, usage in USAGES.items()
    },
    **_dialects(),
}
