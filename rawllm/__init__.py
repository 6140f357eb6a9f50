"""The raw HTTP client for OpenAI-compatible LLM servers.

It builds each JSON payload itself, posts it with `requests`, parses the event
stream itself, and turns every failure into an exception that says what to do.
Read the files in this order: `payloads`, `transport`, `sse`, `fold`, `errors`.

A file is loaded when the first of its names is asked for, so that `rawllm
--help`, which needs none of them, is quick.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rawllm.answers import (
        ChatCompletion,
        ChatCompletionChunk,
        Choice,
        ChoiceLogprobs,
        ChunkChoice,
        Completion,
        CompletionChoice,
        CompletionLogprobs,
        CreateEmbeddingResponse,
        Delta,
        Embedding,
        Function,
        FunctionDelta,
        LogprobContent,
        Message,
        Model,
        ModelDeleted,
        ModelList,
        ToolCall,
        ToolCallDelta,
        Usage,
    )
    from rawllm.client import Client, OpenAI
    from rawllm.errors import (
        APIConnectionError,
        APIError,
        APIResponseValidationError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConflictError,
        ContextLengthExceededError,
        IncompleteStreamError,
        InternalServerError,
        ModelLoadingError,
        NotFoundError,
        OpenAIError,
        PermissionDeniedError,
        RateLimitError,
        StreamAPIError,
        StreamError,
        UnprocessableEntityError,
    )
    from rawllm.objects import Object
    from rawllm.payloads import NOT_GIVEN, NotGiven, Omit, not_given, omit
    from rawllm.raw import RawResponse
    from rawllm.streams import ChatStream, CompletionStream, Stream

#: The files that have these names, those first that load the least.
_FILES = ("errors", "objects", "payloads", "answers", "raw", "streams", "client")

__all__ = [  # noqa: RUF022  # grouped by module
    # client
    "Client",
    "OpenAI",
    # streams, raw
    "ChatStream",
    "CompletionStream",
    "RawResponse",
    "Stream",
    # payloads
    "NOT_GIVEN",
    "NotGiven",
    "Omit",
    "not_given",
    "omit",
    # objects, answers
    "ChatCompletion",
    "ChatCompletionChunk",
    "Choice",
    "ChoiceLogprobs",
    "ChunkChoice",
    "Completion",
    "CompletionChoice",
    "CompletionLogprobs",
    "CreateEmbeddingResponse",
    "Delta",
    "Embedding",
    "Function",
    "FunctionDelta",
    "LogprobContent",
    "Message",
    "Model",
    "ModelDeleted",
    "ModelList",
    "Object",
    "ToolCall",
    "ToolCallDelta",
    "Usage",
    # errors
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "ContextLengthExceededError",
    "IncompleteStreamError",
    "InternalServerError",
    "ModelLoadingError",
    "NotFoundError",
    "OpenAIError",
    "PermissionDeniedError",
    "RateLimitError",
    "StreamAPIError",
    "StreamError",
    "UnprocessableEntityError",
    # this package
    "__version__",
]


if not TYPE_CHECKING:  # which shall find misspelled names

    def __getattr__(name: str) -> Any:
        from importlib import import_module  # here and not above: it takes as long as the rest

        if name in _FILES:
            return import_module(f"rawllm.{name}")
        for file in _FILES if name in __all__ else ():
            names = vars(import_module(f"rawllm.{file}"))
            if name in names:
                globals()[name] = names[name]
                return names[name]
        raise AttributeError(f"module 'rawllm' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
