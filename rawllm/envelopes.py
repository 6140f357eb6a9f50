"""Error bodies: every shape of every server, to the same few facts and a class, and back.

A server says what went wrong in one of a dozen shapes. `parse` finds the
words in each, `serialize` writes them in one by its name; `error_class` turns
status and words into the exception to raise. What is left out: advice, which
`hints.py` gives.

| shape | its name | servers |
|---|---|---|
| `{"error": {"message", "type", "param", "code"}}` | openai | OpenAI, Ollama's /v1 |
| the same, its `code` the status, without `param` | llama-server | llama-server |
| the same, its `code` the status | vllm | vLLM |
| the same, its `code` the status as text | litellm | LiteLLM |
| `{"error": {"code", "message", "metadata"}}`, with a 200 as well | openrouter | OpenRouter |
| `{"error": "text"}` | text | Ollama's /api, LM Studio (with a 200), mlx-lm; vLLM's 401 |
| `{"error": "text", "error_type"}` | tgi | TGI |
| `{"object": "error", "message", "type", "param", "code"}` | flat | SGLang, older vLLM |
| `{"type": "error", "code", "message", "param"}` | event | OpenAI's event `error` |
| `{"detail": "text"}` | fastapi | FastAPI: vLLM, LiteLLM, llama-cpp-python, transformers |
| `{"detail": [{"loc", "msg", "type"}]}` | (only read) | the same, of a wrong request |
| `{"type", "title", "status", "detail"}` | problem | problem+json, RFC 9457: gateways |
| plain text, HTML, nothing | (only read) | Ollama's 404, any proxy, a wrong address |

>>> parse('{"detail":"Not Found"}').message
'Not Found'
>>> error_class(404, parse('{"detail":"Not Found"}')).__name__
'NotFoundError'
>>> serialize(Envelope("no such model", type="not_found_error"), 404, "llama-server")
{'error': {'code': 404, 'message': 'no such model', 'type': 'not_found_error'}}
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from rawllm import errors
from rawllm.objects import Object
from rawllm.objects import parse as parse_json


class Envelope(NamedTuple):
    """What a server says of an error. `body` is the part that says it, as it came."""

    message: str
    body: Any = None
    code: str | None = None
    param: str | None = None
    type: str | None = None


class ContextLength(NamedTuple):
    """How many tokens a prompt has and how many would fit, `None` where unsaid."""

    prompt_tokens: int | None
    context_length: int | None


#: The class of each status; of all others, APIStatusError, from 500 up InternalServerError.
STATUSES: dict[int, type[errors.APIStatusError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    422: errors.UnprocessableEntityError,
    429: errors.RateLimitError,
}

#: The status that a code or a type stands for, where no status came with it.
CODES: dict[str, int] = {
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
    "authentication_error": 401,
    "auth_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "notfounderror": 404,
    "model_not_found": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "internal_server_error": 500,
    "internalservererror": 500,
    "server_error": 500,
    "overloaded_error": 503,
    "unavailable_error": 503,
}

#: How servers say that a prompt is too long, and the counts if they give them.
#: (Bounded, so that a body made to be slow to search is not.)
_TOO_LONG = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # llama-server: server-context.cpp
        r"request \((?P<prompt>\d{1,12}) tokens\) exceeds the available context size"
        r" \((?P<context>\d{1,12}) tokens\)",
        # vLLM; LiteLLM passes it on
        r"maximum context length is (?P<context>\d{1,12}) tokens.{0,300}?prompt contains"
        r"(?: at least)? (?P<prompt>\d{1,12}) input tokens",
        # OpenAI, llama-cpp-python, older vLLM: of a sum the part in the messages counts
        r"maximum context length is (?P<context>\d{1,12}) tokens.{0,300}?(?:"
        r"\((?P<prompt>\d{1,12}) in the (?:messages|prompt)"
        r"|resulted in (?P<prompt2>\d{1,12}) tokens)",
        r"maximum context length is (?P<context>\d{1,12})",
        r"ContextWindowExceeded",  # LiteLLM
        r"exceeds the (?:available |maximum )?context (?:length|size|window)",  # Ollama, others
        r"loaded with context length of only (?P<context>\d{1,12}) tokens",  # LM Studio
        r"greater than the context length",  # LM Studio
    )
)

#: So many characters of an error's words are searched: each takes up to a microsecond.
MOST = 1 << 16

_MANY = 10**12  # tokens: a number so large is none of tokens

_STATUS = re.compile("[45][0-9][0-9]")
_LOADING = re.compile(r"\bloading\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]*>\s*([^<\s][^<]*)</title", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_NO_CHARACTER = re.compile("&#[0-9]{9,};?")


def parse(text: str) -> Envelope:
    """What an error's body says, whatever its shape."""
    try:
        return envelope(parse_json(text))
    except (ValueError, RecursionError):
        text = text.strip()
        words = _words_of_html(text[:MOST]) if text.startswith("<") else text
        return Envelope(words, text or None)


def envelope(value: Any) -> Envelope:
    """What the JSON `value` says of an error."""
    body = value.get("error") or value if isinstance(value, dict) else value
    fields = body if isinstance(body, dict) else {}
    outer = value if isinstance(value, dict) else {}
    return Envelope(
        message=_words(body),
        body=body,
        code=_text(fields.get("code", fields.get("http_status_code"))),
        param=_text(fields.get("param")),
        type=_text(fields.get("type", outer.get("error_type"))),
    )


def serialize(found: Envelope, status: int, shape: str = "openai") -> dict[str, Any]:
    """The JSON value that says `found` in one of the `SHAPES`; `envelope` reads it back.

    The `code` of some servers is the status: there that of `found` is not
    said. Raises `ValueError` for a shape that is none of them.
    """
    if shape not in SHAPES:
        raise ValueError(f"no shape {shape!r}; there are: {', '.join(SHAPES)}")
    return SHAPES[shape](found._asdict() | {"status": status})


def is_error(value: Any) -> bool:
    """Whether JSON that came with a 200, whole or in a stream, is an error after all.

    # quirk(lmstudio): an unknown path is a 200 with `{"error": "Unexpected endpoint..."}`.
    """
    return isinstance(value, dict) and bool(
        value.get("error") or value.get("object") == "error" or value.get("type") == "error"
    )


def status_of(found: Envelope) -> int | None:
    """The HTTP status that an error without one stands for, from its code or type."""
    for name in (found.code, found.type):
        if name and _STATUS.fullmatch(name):
            return int(name)
        if name and name.lower() in CODES:
            return CODES[name.lower()]
    # quirk(lmstudio): says both in words alone, with a 200 or in a stream.
    if found.message.startswith("Unexpected endpoint"):
        return 404
    return 400 if context_length(found) else None


def error_class(status: int, found: Envelope) -> type[errors.APIStatusError]:
    """The exception for an answer of this status that says this.

    An error that came with a 200 is of the class its code stands for.
    """
    if status < 300:
        status = status_of(found) or status
    if status == 400 and context_length(found):
        return errors.ContextLengthExceededError
    if status == 503 and is_loading(found):
        return errors.ModelLoadingError
    default = errors.InternalServerError if status >= 500 else errors.APIStatusError
    return STATUSES.get(status, default)


def context_length(found: Envelope) -> ContextLength | None:
    """The counts of a prompt that is too long; `None` if that is not what went wrong."""
    if isinstance(found.body, Object) and found.type == "exceed_context_size_error":
        # quirk(llama-server): the counts are fields of their own.
        fields = found.body.get("n_prompt_tokens"), found.body.get("n_ctx")
        return ContextLength(*(n if type(n) is int and 0 <= n < _MANY else None for n in fields))
    for pattern in _TOO_LONG:
        if match := pattern.search(found.message, 0, MOST):
            counts = match.groupdict()
            prompt = counts.get("prompt") or counts.get("prompt2")
            return ContextLength(_count(prompt), _count(counts.get("context")))
    return ContextLength(None, None) if found.code == "context_length_exceeded" else None


def is_loading(found: Envelope) -> bool:
    """Whether a 503 says that the model is still being loaded."""
    return _LOADING.search(found.message, 0, MOST) is not None


def is_quota(found: Envelope) -> bool:
    """Whether no waiting helps: the account has nothing left."""
    return any(
        name is not None and (name == "insufficient_quota" or name.startswith("billing_"))
        for name in (found.code, found.type)
    )


def _words(value: Any) -> str:
    """The words in one of the shapes, "" where there are none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words, value)))
    if isinstance(value, dict):
        for name in ("message", "error", "detail", "errors", "msg", "title"):
            if words := _words(value.get(name)):
                place = value.get("loc")
                return f"{_dotted(place)}: {words}" if isinstance(place, list) else words
    return ""


def _dotted(place: list[Any]) -> str:
    return ".".join(map(str, place)).strip()


def _words_of_html(page: str) -> str:
    """A page's title, else its text."""
    title = _TITLE.search(page)
    text = title[1] if title else _TAG.sub(" ", page)
    return " ".join(without_entities(text).split())


def without_entities(page: str) -> str:
    """The text of HTML that has no tags (any more)."""
    import html  # here and not above: its table of entities takes longer to load than this file

    # Of a number of thousands of digits int() makes an error.
    return html.unescape(_NO_CHARACTER.sub("\ufffd", page))


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def _count(digits: str | None) -> int | None:
    return int(digits) if digits else None


def _picked(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: found[name] for name in names}


def _four(found: dict[str, Any]) -> dict[str, Any]:
    return _picked(found, "message", "type", "param", "code")


_PHRASES = {status.value: status.phrase for status in HTTPStatus}

#: name -> the value that says an error in this shape, from the fields of its
#: `Envelope` and its `status`. The keys stand in the order in which they come.
SHAPES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "openai": lambda found: {"error": _four(found)},
    "llama-server": lambda found: {
        "error": {"code": found["status"]} | _picked(found, "message", "type")
    },
    "vllm": lambda found: {"error": _four(found) | {"code": found["status"]}},
    "litellm": lambda found: {"error": _four(found) | {"code": str(found["status"])}},
    "openrouter": lambda found: {
        "error": {"code": found["status"], "message": found["message"], "metadata": {}}
    },
    "text": lambda found: {"error": found["message"]},
    "tgi": lambda found: {"error": found["message"], "error_type": found["type"]},
    "flat": lambda found: {"object": "error"} | _four(found) | {"code": found["status"]},
    "event": lambda found: {"type": "error"} | _picked(found, "code", "message", "param"),
    "fastapi": lambda found: {"detail": found["message"]},
    "problem": lambda found: {
        "type": found["type"] or "about:blank",
        "title": _PHRASES.get(found["status"], "Error"),
        "status": found["status"],
        "detail": found["message"],
    },
}
