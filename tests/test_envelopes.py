"""Error bodies: each shape of each server, to the same few facts and a class, and back."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from rawllm import errors
from rawllm.envelopes import (
    CODES,
    MOST,
    SHAPES,
    STATUSES,
    ContextLength,
    Envelope,
    context_length,
    envelope,
    error_class,
    is_error,
    is_loading,
    is_quota,
    parse,
    serialize,
    status_of,
)


def said(
    message: str,
    code: str | None = None,
    type: str | None = None,  # noqa: A002  # the wire's name
    param: str | None = None,
) -> Envelope:
    """An envelope without a body, for what looks at its words and names alone."""
    return Envelope(message, None, code, param, type)


# --- the words, in every shape ----------------------------------------------

#: name: (body, what it says)
SAYS: dict[str, tuple[str, Envelope]] = {
    "openai: all fields": (
        '{"error":{"message":"The model `x` does not exist","type":"invalid_request_error",'
        '"param":"model","code":"model_not_found"}}',
        said(
            "The model `x` does not exist",
            code="model_not_found",
            param="model",
            type="invalid_request_error",
        ),
    ),
    "openai: null param and code": (
        '{"error":{"message":"Bad","type":"invalid_request_error","param":null,"code":null}}',
        said("Bad", type="invalid_request_error"),
    ),
    "llama-server: the code is a number": (
        '{"error":{"code":401,"message":"Invalid API Key","type":"authentication_error"}}',
        said("Invalid API Key", code="401", type="authentication_error"),
    ),
    "llama-server: no code": (
        '{"error":{"message":"this feature is disabled","type":"feature_disabled"}}',
        said("this feature is disabled", type="feature_disabled"),
    ),
    "vllm: dotted param": (
        '{"error":{"message":"1 validation error","type":"Bad Request","param":"body.messages",'
        '"code":400}}',
        said("1 validation error", code="400", param="body.messages", type="Bad Request"),
    ),
    "vllm: a 401 is text": ('{"error":"Unauthorized"}', said("Unauthorized")),
    "vllm: an unknown path": ('{"detail":"Not Found"}', said("Not Found")),
    "sglang: flat": (
        '{"object":"error","message":"too big","type":"BadRequestError","param":"n","code":400}',
        said("too big", code="400", param="n", type="BadRequestError"),
    ),
    "litellm: the code is text": (
        '{"error":{"message":"this is a mock rate limit error","type":"throttling_error",'
        '"param":null,"code":"429"}}',
        said("this is a mock rate limit error", code="429", type="throttling_error"),
    ),
    "litellm: null type": (
        '{"error":{"message":"boom","type":null,"param":null,"code":"500"}}',
        said("boom", code="500"),
    ),
    "openrouter: metadata": (
        '{"error":{"code":402,"message":"Insufficient credits","metadata":{"a":1}}}',
        said("Insufficient credits", code="402"),
    ),
    "ollama /v1": (
        '{"error":{"message":"model \'x\' not found","type":"not_found_error","param":null,'
        '"code":null}}',
        said("model 'x' not found", type="not_found_error"),
    ),
    "ollama /api": ('{"error":"model \'x\' not found"}', said("model 'x' not found")),
    "ollama: an unknown path is text": ("404 page not found", said("404 page not found")),
    "tgi: text and its type": (
        '{"error":"Input validation error","error_type":"validation"}',
        said("Input validation error", type="validation"),
    ),
    "tgi: in a stream": (
        '{"error":{"message":"overloaded","http_status_code":429}}',
        said("overloaded", code="429"),
    ),
    "openai: the event error": (
        '{"type":"error","code":"server_error","message":"The server failed","param":null}',
        said("The server failed", code="server_error", type="error"),
    ),
    "lmstudio": (
        '{"error":"Unexpected endpoint or method. (POST /chat/completions)"}',
        said("Unexpected endpoint or method. (POST /chat/completions)"),
    ),
    "fastapi: detail is a list": (
        '{"detail":[{"loc":["body","messages",0],"msg":"Field required","type":"missing"},'
        '{"loc":["query"],"msg":"No"}]}',
        said("body.messages.0: Field required; query: No"),
    ),
    "fastapi: loc begins with a blank": (
        '{"detail":[{"loc":[" a","b "],"msg":"No"}]}',
        said("a.b: No"),
    ),
    "fastapi: loc is no list": ('{"detail":[{"loc":"body","msg":"No"}]}', said("No")),
    "fastapi: detail is an object": ('{"detail":{"error":"No key"}}', said("No key")),
    "problem+json": (
        '{"type":"about:blank","title":"Forbidden","status":403,"detail":"No scope"}',
        said("No scope", type="about:blank"),
    ),
    "problem+json: a title alone": ('{"title":"Forbidden"}', said("Forbidden")),
    "any: top-level message": ('{"message":"No Route matched"}', said("No Route matched")),
    "any: errors is a list": ('{"errors":["one",{"message":"two"},{},3]}', said("one; two")),
    "any: error is a list": ('{"error":["one","two"]}', said("one; two")),
    "any: a list of errors": (
        '[{"error":{"message":"API key not valid"}}]',
        said("API key not valid"),
    ),
    "any: a message within a message": ('{"error":{"message":{"detail":"x"}}}', said("x")),
    "any: blanks around": ('{"error":"  x\\n"}', said("x")),
    "any: JSON text": ('"overloaded"', said("overloaded")),
    "any: error is null": ('{"error":null,"detail":"x"}', said("x")),
    "any: no words": ('{"a":1}', said("")),
    "any: a code that is neither": ('{"error":{"message":"x","code":{}}}', said("x")),
    "any: a number": ("500", said("")),
    "any: null": ("null", said("")),
    "any: NaN": ('{"error":{"message":"x","code":NaN}}', said("x")),
    "any: nothing": ("", said("")),
    "any: blanks": (" \r\n", said("")),
    "any: half a JSON": ('{"error":{"mess', said('{"error":{"mess')),
    "litellm: text": (" Internal Server Error\n", said("Internal Server Error")),
    "nginx: HTML with a title": (
        "\n<html>\r\n<head><title>502 Bad\r\n Gateway</title></head>\r\n<body>nginx</body></html>",
        said("502 Bad Gateway"),
    ),
    "iis: HTML in capitals": (
        '<HTML><HEAD><TITLE lang="en"> Not &amp; Found </TITLE></HEAD></HTML>',
        said("Not & Found"),
    ),
    "http.server: HTML without a title": (
        "<body>\n<h1>Error&nbsp;501</h1><p>Unsupported<br/>method</p></body>",
        said("Error 501 Unsupported method"),
    ),
    "any: HTML with an empty title": (
        "<title> </title><h1>Teapot</h1><svg><title>A pot</title></svg>",
        said("A pot"),
    ),
    "any: HTML without a title that has words": ("<title></title><p>Teapot</p>", said("Teapot")),
    "any: HTML with characters": ("<p>&#65;&#x42;&#000000000;", said("AB\ufffd")),
    "any: HTML with what is no character": (
        "<p>&#" + "1" * 5000 + ";&#123456789x&#99999999;",
        said("\ufffd\ufffdx\ufffd"),
    ),
    "any: text that holds a tag": ("no <title>x</title>", said("no <title>x</title>")),
}


@pytest.mark.parametrize(("body", "expected"), SAYS.values(), ids=SAYS)
def test_the_words_and_names_of_every_shape_are_found(body: str, expected: Envelope) -> None:
    assert parse(body)._replace(body=None) == expected


#: name: (body, the part of it that is kept)
BODIES: dict[str, tuple[str, Any]] = {
    "the value of error": ('{"error":{"message":"x","hint":1}}', {"message": "x", "hint": 1}),
    "the text of error": ('{"error":"x","error_type":"y"}', "x"),
    "all where error is null": ('{"error":null,"detail":"x"}', {"error": None, "detail": "x"}),
    "all where there is no error": ('{"detail":"x"}', {"detail": "x"}),
    "a list": ("[1]", [1]),
    "text": (" page not found\n", "page not found"),
    "HTML": (" <p>x</p>\n", "<p>x</p>"),
    "nothing": (" ", None),
}


@pytest.mark.parametrize(("body", "kept"), BODIES.values(), ids=BODIES)
def test_the_part_that_says_it_is_kept_as_it_came(body: str, kept: object) -> None:
    assert parse(body).body == kept


def test_an_integer_of_5000_digits_is_text() -> None:
    body = '{"error":' + "1" * 5000 + "}"
    assert parse(body) == Envelope(body, body)


def test_json_too_deep_for_the_parser_is_text() -> None:
    body = "[" * 100_000 + "]" * 100_000
    assert parse(body) == Envelope(body, body)


@pytest.mark.parametrize("depth", [100, 300, 500, 700, 900, 1000, 3000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"msg":[', "]}")], ids=["lists", "both"])
def test_no_depth_of_json_fails(start: str, end: str, depth: int) -> None:
    # The parser may manage what the reader of its words does not.
    body = start * depth + end * depth
    assert parse(body).message in ("", body)


def test_json_that_is_parsed_already_is_read_alike() -> None:
    value = {"error": {"message": "x", "code": 404}}
    assert envelope(value) == Envelope("x", value["error"], "404", None, None)


# --- the other direction ----------------------------------------------------

FULL = said("No model `x`", code="model_not_found", type="invalid_request_error", param="model")

#: shape: the body of a 404 that says FULL, as the servers of that shape send it
WRITTEN: dict[str, str] = {
    "openai": '{"error":{"message":"No model `x`","type":"invalid_request_error","param":"model",'
    '"code":"model_not_found"}}',
    "llama-server": '{"error":{"code":404,"message":"No model `x`",'
    '"type":"invalid_request_error"}}',
    "vllm": '{"error":{"message":"No model `x`","type":"invalid_request_error","param":"model",'
    '"code":404}}',
    "litellm": '{"error":{"message":"No model `x`","type":"invalid_request_error","param":"model",'
    '"code":"404"}}',
    "openrouter": '{"error":{"code":404,"message":"No model `x`","metadata":{}}}',
    "text": '{"error":"No model `x`"}',
    "tgi": '{"error":"No model `x`","error_type":"invalid_request_error"}',
    "flat": '{"object":"error","message":"No model `x`","type":"invalid_request_error",'
    '"param":"model","code":404}',
    "event": '{"type":"error","code":"model_not_found","message":"No model `x`","param":"model"}',
    "fastapi": '{"detail":"No model `x`"}',
    "problem": '{"type":"invalid_request_error","title":"Not Found","status":404,'
    '"detail":"No model `x`"}',
}


@pytest.mark.parametrize(("shape", "body"), WRITTEN.items(), ids=WRITTEN)
def test_an_error_is_written_as_the_servers_of_each_shape_do(shape: str, body: str) -> None:
    assert json.dumps(serialize(FULL, 404, shape), separators=(",", ":")) == body


def test_every_shape_is_written() -> None:
    assert list(SHAPES) == list(WRITTEN)


#: shape: what comes back of FULL, with its 404
READ_BACK: dict[str, Envelope] = {
    "openai": FULL,
    "llama-server": FULL._replace(code="404", param=None),
    "vllm": FULL._replace(code="404"),
    "litellm": FULL._replace(code="404"),
    "openrouter": said(FULL.message, code="404"),
    "text": said(FULL.message),
    "tgi": said(FULL.message, type=FULL.type),
    "flat": FULL._replace(code="404"),
    "event": FULL._replace(type="error"),
    "fastapi": said(FULL.message),
    "problem": said(FULL.message, type=FULL.type),
}


@pytest.mark.parametrize(("shape", "expected"), READ_BACK.items(), ids=READ_BACK)
def test_what_is_written_is_read_back(shape: str, expected: Envelope) -> None:
    assert envelope(serialize(FULL, 404, shape))._replace(body=None) == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_words_alone_are_read_back_from_every_shape(shape: str) -> None:
    value = serialize(said("Something broke"), 500, shape)
    assert parse(json.dumps(value)).message == "Something broke"
    assert error_class(500, envelope(value)) is errors.InternalServerError


def test_the_shape_is_openais_unless_named() -> None:
    assert serialize(said("No"), 400) == {
        "error": {"message": "No", "type": None, "param": None, "code": None}
    }


def test_a_problem_without_a_type_is_about_blank() -> None:
    assert serialize(said("Wait"), 429, "problem") == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "Wait",
    }


def test_a_problem_of_an_unregistered_status_has_a_title_too() -> None:
    assert serialize(said("Wait"), 529, "problem")["title"] == "Error"


def test_an_unknown_shape_is_refused_with_those_there_are() -> None:
    message = (
        "no shape 'opnai'; there are: openai, llama-server, vllm, litellm, openrouter, text, tgi, "
        "flat, event, fastapi, problem"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        serialize(FULL, 404, "opnai")


# --- whether it is an error -------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"error": {"message": "x"}}, id="openrouter: an object"),
        pytest.param({"error": "Unexpected endpoint"}, id="lmstudio: text"),
        pytest.param({"error": ["x"]}, id="any: a list"),
        pytest.param({"object": "error", "message": "x"}, id="sglang: flat"),
        pytest.param({"type": "error", "code": "x", "message": "y"}, id="openai: the event"),
    ],
)
def test_a_200_that_carries_an_error_is_one(value: object) -> None:
    assert is_error(value) is True


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"choices": [], "object": "chat.completion"}, id="a completion"),
        pytest.param({"choices": [], "error": None}, id="error is null"),
        pytest.param({"choices": [], "error": ""}, id="error is empty"),
        pytest.param({"choices": [], "error": {}}, id="error is an empty object"),
        pytest.param({"detail": "x"}, id="detail alone"),
        pytest.param({"type": "response.created"}, id="another event"),
        pytest.param({}, id="an empty object"),
        pytest.param([{"error": "x"}], id="a list"),
        pytest.param("error", id="text"),
        pytest.param(None, id="null"),
    ],
)
def test_what_is_no_error(value: object) -> None:
    assert is_error(value) is False


# --- the class --------------------------------------------------------------

CLASSES: dict[int, type[errors.APIStatusError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    402: errors.APIStatusError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    405: errors.APIStatusError,
    408: errors.APIStatusError,
    409: errors.ConflictError,
    413: errors.APIStatusError,
    422: errors.UnprocessableEntityError,
    424: errors.APIStatusError,
    429: errors.RateLimitError,
    302: errors.APIStatusError,
    499: errors.APIStatusError,
    500: errors.InternalServerError,
    501: errors.InternalServerError,
    503: errors.InternalServerError,
    529: errors.InternalServerError,
    599: errors.InternalServerError,
}


@pytest.mark.parametrize(("status", "expected"), CLASSES.items(), ids=map(str, CLASSES))
def test_each_status_has_its_class(status: int, expected: type[errors.APIStatusError]) -> None:
    assert error_class(status, said("x")) is expected


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_says_more_than_a_code(status: int) -> None:
    assert error_class(status, said("x", code="500")) is STATUSES[status]


#: name: (body of a 200, its class)
OF_A_200: dict[str, tuple[str, type[errors.APIStatusError]]] = {
    "openrouter: a number": ('{"error":{"code":429,"message":"x"}}', errors.RateLimitError),
    "openai: a code": ('{"error":{"code":"model_not_found"}}', errors.NotFoundError),
    "lmstudio: a path": ('{"error":"Unexpected endpoint or method."}', errors.NotFoundError),
    "lmstudio: a prompt": (
        '{"error":"... is greater than the context length"}',
        errors.ContextLengthExceededError,
    ),
    "openrouter: a prompt": (
        '{"error":{"code":400,"message":"This model\'s maximum context length is 9"}}',
        errors.ContextLengthExceededError,
    ),
    "any: it loads": (
        '{"error":{"code":503,"message":"Loading model"}}',
        errors.ModelLoadingError,
    ),
    "any: no code": ('{"error":"x"}', errors.APIStatusError),
}


@pytest.mark.parametrize(("body", "expected"), OF_A_200.values(), ids=OF_A_200)
def test_an_error_in_a_200_is_of_the_class_of_its_code(
    body: str, expected: type[errors.APIStatusError]
) -> None:
    assert error_class(200, parse(body)) is expected
    assert error_class(299, parse(body)) is expected


def test_above_299_a_code_changes_no_status() -> None:
    assert error_class(300, said("x", code="429")) is errors.APIStatusError


#: (code, type) -> status
STATUSES_OF: dict[str, tuple[Envelope, int | None]] = {
    "vllm: a number": (said("x", "400", "Bad Request"), 400),
    "litellm: a number as text": (said("x", "529"), 529),
    "the highest": (said("x", "599"), 599),
    "too high": (said("x", "600"), None),
    "too low": (said("x", "399"), None),
    "four digits": (said("x", "4000"), None),
    "a zero in front": (said("x", "0404"), None),
    "not a number": (said("x", "40x"), None),
    "digits of another script": (said("x", "\u0664\u0660\u0664"), None),
    "5000 digits": (said("x", "4" * 5000), None),
    "the type, where the code says nothing": (said("x", "whatever", "api_error"), 500),
    "the type, where there is no code": (said("x", None, "overloaded_error"), 503),
    "the code before the type": (said("x", "context_length_exceeded", "api_error"), 400),
    "capitals": (said("x", None, "NotFoundError"), 404),
    "an empty code": (said("x", "", "404"), 404),
    "lmstudio: an unknown path": (said("Unexpected endpoint or method. (GET /x)"), 404),
    "lmstudio: not at the beginning": (said("An Unexpected endpoint"), None),
    "lmstudio: a prompt too long": (said("is greater than the context length"), 400),
    "nothing": (said("x"), None),
}


@pytest.mark.parametrize(("found", "status"), STATUSES_OF.values(), ids=STATUSES_OF)
def test_the_status_that_an_error_without_one_stands_for(
    found: Envelope, status: int | None
) -> None:
    assert status_of(found) == status


#: name, as code or type: status
NAMES = {
    "invalid_request_error": 400,  # openai, llama-server, ollama, lmstudio, litellm
    "context_length_exceeded": 400,  # openai, llama-cpp-python
    "exceed_context_size_error": 400,  # llama-server
    "BadRequestError": 400,  # vllm, sglang
    "authentication_error": 401,  # llama-server
    "auth_error": 401,  # litellm
    "invalid_api_key": 401,  # openai
    "permission_error": 403,  # llama-server
    "not_found_error": 404,  # llama-server, ollama
    "model_not_found": 404,  # openai, sglang, llama-cpp-python
    "NotFoundError": 404,  # vllm
    "rate_limit_error": 429,  # openai
    "rate_limit_exceeded": 429,  # openai
    "insufficient_quota": 429,  # openai
    "api_error": 500,  # ollama
    "internal_server_error": 500,  # litellm, llama-cpp-python
    "InternalServerError": 500,  # vllm
    "server_error": 500,  # openai, llama-server
    "overloaded_error": 503,  # gateways
    "unavailable_error": 503,  # llama-server
}


@pytest.mark.parametrize(("name", "status"), NAMES.items(), ids=NAMES)
def test_each_name_stands_for_its_status_as_code_and_as_type(name: str, status: int) -> None:
    assert status_of(said("x", code=name)) == status_of(said("x", type=name.upper())) == status


def test_no_other_name_stands_for_a_status() -> None:
    assert {name.lower(): status for name, status in NAMES.items()} == CODES


# --- the prompt is too long -------------------------------------------------

#: name: (body, tokens of the prompt, tokens that fit)
TOO_LONG: dict[str, tuple[str, int | None, int | None]] = {
    "llama-server": (
        '{"error":{"code":400,"message":"request (302 tokens) exceeds the available context size '
        '(256 tokens), try increasing it","type":"exceed_context_size_error",'
        '"n_prompt_tokens":303,"n_ctx":257}}',
        303,
        257,
    ),
    "llama-server: its type without its fields": (
        '{"error":"request (302 tokens) exceeds the available context size (256 tokens)",'
        '"error_type":"exceed_context_size_error"}',
        302,
        256,
    ),
    "llama-server: older": (
        '{"error":{"message":"the request exceeds the available context size. try increasing"}}',
        None,
        None,
    ),
    "litellm before llama-server": (
        '{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: '
        "OpenAIException - request (48009 tokens) exceeds the available context size (4096 tokens),"
        ' try increasing it\\nmodel=tiny","type":"invalid_request_error","code":"400"}}',
        48009,
        4096,
    ),
    "litellm": (
        '{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: '
        'this is a mock context window exceeded error\\nmodel=mock-ctx. ","code":"400"}}',
        None,
        None,
    ),
    "vllm: tokens": (
        '{"error":{"message":"This model\'s maximum context length is 2048 tokens. However, you '
        "requested 100 output tokens and your prompt contains 2000 input tokens, for a total of "
        '2100 tokens.","type":"BadRequestError","param":"input_tokens","code":400}}',
        2000,
        2048,
    ),
    "vllm: at least so many tokens": (
        '{"error":{"message":"This model\'s maximum context length is 2048 tokens.\\nHowever,\\n'
        'your prompt contains at least 2049 input tokens.","code":400}}',
        2049,
        2048,
    ),
    "vllm: characters": (
        '{"error":{"message":"This model\'s maximum context length is 2048 tokens. However, your '
        "prompt contains 72050 characters (more than 40960 characters, which is the upper bound "
        'for 2048 input tokens).","type":"BadRequestError","param":"input_text","code":400}}',
        None,
        2048,
    ),
    "vllm: older": (
        '{"object":"error","message":"This model\'s maximum context length is 2048 tokens. '
        'However, you requested 2100 tokens (2000 in the messages, 100 in the completion).",'
        '"code":400}',
        2000,
        2048,
    ),
    "llama-cpp-python": (
        '{"error":{"message":"This model\'s maximum context length is 512 tokens. However, you '
        'requested 530 tokens (520 in the prompt, 10 in the completion).","param":"messages",'
        '"code":"context_length_exceeded"}}',
        520,
        512,
    ),
    "openai: the messages' tokens": (
        '{"error":{"message":"This model\'s maximum context length is 4097 tokens. However, your '
        'messages resulted in 4100 tokens. Please reduce","code":"context_length_exceeded"}}',
        4100,
        4097,
    ),
    "openai: other words": (
        '{"error":{"message":"Your input exceeds it.","code":"context_length_exceeded"}}',
        None,
        None,
    ),
    "ollama": ('{"error":"the input length exceeds the context length"}', None, None),
    "lmstudio: the overflow": (
        '{"error":"Trying to keep the first 5000 tokens when context the overflows. However, the '
        'model is loaded with context length of only 4096 tokens, which is not enough."}',
        None,
        4096,
    ),
    "lmstudio: the initial prompt": (
        '{"error":"The number of tokens to keep from the initial prompt is greater than the '
        'context length."}',
        None,
        None,
    ),
    "llama-server: fields that are no counts": (
        f'{{"error":{{"type":"exceed_context_size_error","n_prompt_tokens":"{"9" * 5000}",'
        f'"n_ctx":{"9" * 4000}}}}}',
        None,
        None,
    ),
    "llama-server: a count that is none": (
        '{"error":{"type":"exceed_context_size_error","n_prompt_tokens":true,"n_ctx":4096}}',
        None,
        4096,
    ),
    "llama-server: a negative count": (
        '{"error":{"type":"exceed_context_size_error","n_prompt_tokens":-1,"n_ctx":4096}}',
        None,
        4096,
    ),
    "llama-server: no count and the largest": (
        f'{{"error":{{"type":"exceed_context_size_error","n_prompt_tokens":{10**12 - 1},'
        '"n_ctx":0}}',
        10**12 - 1,
        0,
    ),
    "llama-server: a count too large": (
        f'{{"error":{{"type":"exceed_context_size_error","n_prompt_tokens":{10**12},"n_ctx":1}}}}',
        None,
        1,
    ),
    "any: a number of 5000 digits": (
        f'{{"error":"request ({"9" * 5000} tokens) exceeds the available context size (1 tokens)"'
        "}",
        None,
        None,
    ),
}


@pytest.mark.parametrize(("body", "prompt", "context"), TOO_LONG.values(), ids=TOO_LONG)
def test_a_prompt_too_long_is_told_with_its_counts(
    body: str, prompt: int | None, context: int | None
) -> None:
    found = parse(body)
    assert context_length(found) == ContextLength(prompt, context)
    assert error_class(400, found) is errors.ContextLengthExceededError


def test_only_a_400_is_of_the_class_of_prompts_too_long() -> None:
    found = said("the input length exceeds the context length")
    assert error_class(422, found) is errors.UnprocessableEntityError


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"error":{"message":"\'messages\' is required","code":400}}', id="a field"),
        pytest.param(
            '{"error":{"code":500,"message":"input (600 tokens) is too large to process. increase '
            'the physical batch size (current batch size: 512)","type":"server_error"}}',
            id="llama-server: the batch",
        ),
        pytest.param('{"detail":"Not Found"}', id="a path"),
        pytest.param("", id="nothing"),
    ],
)
def test_other_errors_are_not_about_the_length(body: str) -> None:
    found = parse(body)
    assert context_length(found) is None
    assert error_class(400, found) is errors.BadRequestError


def test_words_made_to_be_slow_to_search_are_not() -> None:
    start = time.process_time()
    assert context_length(said("maximum context length is 1 tokens " * 20_000)) is not None
    assert time.process_time() - start < 2


@pytest.mark.parametrize("words", ["model ", "maximum context length is ", "x"])
def test_words_without_end_are_not_searched_to_their_end(words: str) -> None:
    found = said(words * (50_000_000 // len(words)))
    start = time.process_time()
    assert context_length(found) is None
    assert not is_loading(found)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "page",
    [
        "<title" * 100_000,
        "<title>" * 100_000,
        "<title " + " " * 500_000,
        "<title>" + " " * 500_000,
        "<title>" + "x " * 250_000,
        "<title>x" * 100_000,
        "<" * 500_000,
    ],
    ids=["tags", "whole tags", "blanks in a tag", "blanks", "words", "titles", "brackets"],
)
def test_a_page_made_to_be_slow_to_search_is_not(page: str) -> None:
    start = time.process_time()
    parse(page)
    assert time.process_time() - start < 2


# --- loading, quota ---------------------------------------------------------

LOADING: dict[str, tuple[str, bool]] = {
    "llama-server": ("Loading model", True),
    "llama-server: router": ("Stream owner model is loading", True),
    "any: another word": ("downloading", False),
    "any: after all that is searched": ("x" * MOST + " loading", False),
    "ollama: busy": ("server busy, please try again.  maximum pending requests exceeded", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("words", "loading"), LOADING.values(), ids=LOADING)
def test_a_503_while_a_model_loads_is_told_from_others(words: str, loading: bool) -> None:
    expected = errors.ModelLoadingError if loading else errors.InternalServerError
    assert is_loading(said(words)) is loading
    assert error_class(503, said(words)) is expected


def test_only_a_503_is_of_the_class_of_loading_models() -> None:
    assert error_class(500, said("error loading model")) is errors.InternalServerError


QUOTA: dict[str, tuple[Envelope, bool]] = {
    "openai: code": (said("x", "insufficient_quota", "rate_limit_error"), True),
    "openai: type": (said("x", None, "insufficient_quota"), True),
    "openai: billing as code": (said("x", "billing_hard_limit_reached"), True),
    "openai: billing as type": (said("x", "429", "billing_not_active"), True),
    "a rate limit": (said("x", "rate_limit_exceeded", "tokens"), False),
    "words alone": (said("insufficient_quota"), False),
    "not at the beginning": (said("x", "no_billing_x"), False),
}


@pytest.mark.parametrize(("found", "quota"), QUOTA.values(), ids=QUOTA)
def test_an_empty_account_is_told_from_a_rate_limit(found: Envelope, quota: bool) -> None:
    assert is_quota(found) is quota


def test_the_tables_of_this_file_are_json() -> None:
    for body, *_ in TOO_LONG.values():
        json.loads(body)
