"""The raw HTTP client for OpenAI-compatible LLM servers.

It builds each JSON payload itself, posts it with `requests`, parses the event
stream itself, and turns every failure into an exception that says what to do.
Read the files in this order: `payloads`, `transport`, `sse`, `fold`, `errors`.
"""

__version__ = "0.1.0"

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
