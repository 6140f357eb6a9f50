"""The scenarios: what can go right and wrong with a server, one model name each.

`SCENARIOS` is the one table. A request chooses its row by `model`, and a
name may have an argument, as in `slow:200`. What is left out: which endpoint
answers and in which form, which `endpoints.py` does.

>>> SCENARIOS["cut-fin"].streamed.__name__
'IncompleteStreamError'
>>> found("loading:5")[1]
'5'
"""

from rawllm import errors
from rawllm.testing import faults, rows, turns
from rawllm.testing.rows import OPENAI, Scenario
from rawllm.testing.scripts import End


def found(model: str) -> tuple[Scenario, str] | None:
    """The scenario of a model's name and the argument in it; `None` for another's name."""
    name, _, argument = model.partition(":")
    return (SCENARIOS[name], argument) if name in SCENARIOS else None


def checked(model: str) -> tuple[Scenario, str]:
    """As `found`; raises `ValueError` where there is none, or not with this argument."""
    known = found(model)
    if known is None:
        raise ValueError(f"no scenario is named {model!r}; there are: {', '.join(SCENARIOS)}")
    row, argument = known
    if wanted := row.refused(argument):
        raise ValueError(f"{model!r}: what stands behind the colon must be {wanted}")
    return known


_SILENT = OPENAI._replace(done=False)
_WORDS = "the model broke down"

SCENARIOS: dict[str, Scenario] = {
    # What is said.
    "plain": Scenario("repeats the last message", "", b"data: [DONE]"),
    "tools": Scenario("calls every tool", "", b'"tool_calls":', say=turns.tools),
    "tools-broken": Scenario(
        "calls every tool, with arguments that are not JSON",
        "small models",
        b'"tool_calls":',
        say=faults.broken_calls,
    ),
    "think": Scenario("thinks first", "", b'"reasoning_content":', say=turns.think),
    "refusal": Scenario("refuses", "OpenAI", b'"refusal":"I"', say=turns.refuse),
    "filtered": Scenario(
        "stops half-way at a filter", "OpenAI, Azure", b'"content_filter"', say=turns.filtered
    ),
    "long": Scenario("a thousand words, or `long:N`", "", b"word1", say=turns.long, takes="number"),
    "unicode": Scenario(
        "characters of up to four bytes, each cut between two writes",
        "any",
        "東".encode()[:1] + b"\r\n",
        say=turns.unicode,
        dialect=OPENAI._replace(content_type="text/event-stream"),  # which says no encoding
        steps=faults.inside_characters,
    ),
    "slow": Scenario(
        "50 ms before each event, or `slow:MILLISECONDS`",
        "any",
        steps=faults.slow,
        takes="number",
    ),
    # How it is framed.
    "closing": Scenario(
        "a body that ends with its connection",
        "mlx-lm, proxies",
        b"Connection: close\r\n\r\n",
        dialect=OPENAI._replace(framing="closing"),
    ),
    "bytes": Scenario("a body one byte at a time", "proxies", b"1\r\nd\r\n", steps=faults.bytewise),
    "packed": Scenario(
        "up to three events in each chunk", "llama-server", b"\n\ndata: ", steps=faults.packed
    ),
    "crlf": Scenario(
        "lines that end with CR LF",
        "sse-starlette",
        b"}\r\n\r\n",
        dialect=OPENAI._replace(line_end="\r\n"),
    ),
    "bom": Scenario(
        "a byte order mark at the start",
        "allowed by the specification",
        b"\xef\xbb\xbf",
        dialect=OPENAI._replace(before=(b"\xef\xbb\xbf",)),
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
        "no `[DONE]`",
        "transformers, LiteLLM, proxies",
        b'"finish_reason":"stop"',
        dialect=_SILENT,
        lacks=b"[DONE]",
    ),
    "done-without-finish": Scenario(
        "`[DONE]`, but no finish_reason",
        "llama-cpp-python, when another request arrives",
        b"data: [DONE]",
        errors.IncompleteStreamError,
        chunks=faults.half,
        lacks=b'"finish_reason":"stop"',
    ),
    "end-without-finish": Scenario(
        "a clean end without `[DONE]` or finish_reason",
        "Ollama, when the generation fails",
        b"0\r\n\r\n",
        errors.IncompleteStreamError,
        dialect=_SILENT,
        chunks=faults.half_then({"model": "", "choices": []}),
        lacks=b'"finish_reason":"stop"',
    ),
    "aborted": Scenario(
        'finish_reason "abort"',
        "vLLM, SGLang",
        b'"abort"',
        errors.IncompleteStreamError,
        say=faults.finishing("abort"),
    ),
    **rows.cuts(),
    "silence": Scenario(
        "the request is read, and nothing is sent for ever",
        "llama-server with every slot taken; Ollama and LM Studio, while they load",
        streamed=errors.APITimeoutError,
        whole=errors.APITimeoutError,
        instead=faults.ending(End.SILENCE),
    ),
    "hang-up": Scenario(
        "the request is read, and the connection closes",
        "mlx-lm, after a crash",
        streamed=errors.APIConnectionError,
        whole=errors.APIConnectionError,
        instead=faults.ending(End.FIN),
    ),
    "keep-alive-dies": Scenario(
        "a whole answer; the connection stays open, but dies when it is used again",
        "uvicorn and llama-server after 5 s",
        b"data: [DONE]",
        after=(End.NEXT,),
    ),
    # Errors in a stream: five forms, and two that are none.
    "stream-error": rows.error_in_stream(
        "an error object in an event, then `[DONE]`",
        "vLLM, LiteLLM, SGLang; without `[DONE]` llama-server",
        b'data: {"error":{"message"',
        {"error": {"message": _WORDS, "type": "InternalServerError", "param": None, "code": 500}},
        OPENAI,
    ),
    "stream-error-text": rows.error_in_stream(
        "an error that is a text",
        "transformers, LocalAI",
        b'data: {"error":"',
        {"error": _WORDS},
        _SILENT,
    ),
    "stream-error-flat": rows.error_in_stream(
        "an error without an envelope",
        "older vLLM and SGLang",
        b'data: {"object":"error"',
        {"object": "error", "message": _WORDS, "type": "InternalServerError", "code": 500},
        _SILENT,
    ),
    "stream-error-event": rows.error_in_stream(
        "an event named error",
        "LM Studio, OpenAI",
        b"event: error\ndata: ",
        b'event: error\ndata: {"type":"error","code":"server_error","message":"%s"}\n\n'
        % _WORDS.encode(),
        _SILENT,
    ),
    "stream-error-field": rows.error_in_stream(
        "a field named error, which the format does not know",
        "older llama-server",
        b'\nerror: {"code":500',
        b'error: {"code":500,"message":"%s","type":"server_error"}\n\n' % _WORDS.encode(),
        _SILENT,
    ),
    "stream-error-finish": rows.error_in_stream(
        'finish_reason "error", and the error beside the choices',
        "OpenRouter",
        b'"finish_reason":"error"',
        {
            "error": {"code": 502, "message": _WORDS},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        },
        OPENAI,
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
    "error-400": rows.error(400, errors.BadRequestError, "something is wrong with the request"),
    "error-context": rows.error(
        400,
        errors.ContextLengthExceededError,
        "the prompt does not fit",
        code="context_length_exceeded",
        message="This model's maximum context length is 8 tokens. However, your messages resulted "
        "in 9 tokens.",
    ),
    "error-401": rows.error(401, errors.AuthenticationError, "the key is wrong"),
    "error-403": rows.error(403, errors.PermissionDeniedError, "the key is not good for this"),
    "error-404": rows.error(404, errors.NotFoundError, "there is no such model"),
    "error-408": rows.error(408, errors.APIStatusError, "the server waited too long"),
    "error-409": rows.error(409, errors.ConflictError, "two requests are in each other's way"),
    "error-413": rows.error(413, errors.APIStatusError, "the body is too large"),
    "error-422": rows.error(422, errors.UnprocessableEntityError, "a parameter makes no sense"),
    "error-429": rows.error(
        429,
        errors.RateLimitError,
        "too many requests; Retry-After says 1 s, or `error-429:N`",
        takes="number or shape",
    ),
    "insufficient_quota": rows.error(
        429,
        errors.RateLimitError,
        "nothing left to spend",
        "OpenAI",
        message="You exceeded your current quota: check your plan and billing details.",
        type="insufficient_quota",
        code="insufficient_quota",
    ),
    "error-500": rows.error(500, errors.InternalServerError, "the server broke down"),
    "error-502": Scenario(
        "502: a gateway's page",
        "nginx",
        b"<html>",
        errors.InternalServerError,
        errors.InternalServerError,
        instead=faults.body("text/html", faults.BAD_GATEWAY, 502),
    ),
    "error-503": rows.error(503, errors.InternalServerError, "the server is busy", "Ollama, vLLM"),
    "loading": Scenario(
        "503 while the model loads: for 1 s after the first request, or `loading:SECONDS`",
        "llama-server",
        b"HTTP/1.1 503 ",
        instead=faults.loading,
        takes="number",
    ),
    "retry": Scenario(
        "503, then an answer; `retry:N`: N times 503 before each answer of the same question",
        shows=b"HTTP/1.1 503 ",
        instead=faults.failing_first,
        takes="number",
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
        b"\r\n\r\n0\r\n\r\n",
        errors.APIResponseValidationError,
        errors.APIResponseValidationError,
        instead=faults.empty,
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
        "307 to the same server, which then answers", "proxies", instead=faults.redirect_once
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
    **rows.usages(),
    **rows.forms(),
}
