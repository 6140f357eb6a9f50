"""What comes back, as typed objects: the fields that the protocol declares.

A declaration costs nothing and promises nothing: a field the server left out
is `None`, one it added is there all the same. The types say what a field is
when it is there; those that servers do leave out or send as null are `| None`.

Specification: https://platform.openai.com/docs/api-reference
"""

# No `from __future__ import annotations`: Object reads the annotations.

import base64
import sys
from array import array
from collections.abc import Iterator
from typing import Any

from rawllm.objects import Object

# --- shared -----------------------------------------------------------------


class Usage(Object):
    """Counts of tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Object | None
    completion_tokens_details: Object | None


# --- chat, whole ------------------------------------------------------------


class Function(Object):
    """What a tool call calls. `arguments` is JSON text.

    # quirk(tgi): in a whole answer `arguments` is an object, kept as it came.
    """

    name: str
    arguments: str


class ToolCall(Object):
    """One call that the model asks for."""

    id: str
    type: str
    function: Function


class _Words(Object):
    """What a message and a delta have in common."""

    role: str
    content: str | None
    refusal: str | None
    reasoning_content: str | None
    reasoning: str | None
    tool_calls: list[ToolCall] | None
    function_call: Function | None
    annotations: list[Object] | None
    audio: Object | None

    @property
    def text(self) -> str:
        """The content as text: "" where there is none, the text parts of a list of parts."""
        content: Any = self.get("content")
        if isinstance(content, list):
            parts = (part.get("text") for part in content if isinstance(part, dict))
            return "".join(part for part in parts if isinstance(part, str))
        return content if isinstance(content, str) else ""

    @property
    def reasoning_text(self) -> str:
        """What the model thought, by whichever name the server gives it; "" for nothing.

        # quirk(ollama, vllm): the field is `reasoning`; elsewhere `reasoning_content`,
        # and `thinking` on Ollama's own routes.
        """
        for name in ("reasoning_content", "reasoning", "thinking"):
            value = self.get(name)
            if isinstance(value, str) and value:
                return value
        return ""


class Message(_Words):
    """What the model said. It can be appended to `messages` as it is."""


class LogprobContent(Object):
    """One token, its log probability and its rivals."""

    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[Object]


class ChoiceLogprobs(Object):
    """Log probabilities of a chat choice."""

    content: list[LogprobContent] | None
    refusal: list[LogprobContent] | None


class Choice(Object):
    """One of the `n` answers."""

    index: int
    message: Message
    finish_reason: str | None
    logprobs: ChoiceLogprobs | None


class ChatCompletion(Object):
    """A whole answer of `/chat/completions`."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None
    system_fingerprint: str | None
    service_tier: str | None


# --- chat, streamed ---------------------------------------------------------


class FunctionDelta(Object):
    """A piece of a call: the name once, the arguments bit by bit."""

    name: str | None
    arguments: str | None


class ToolCallDelta(Object):
    """A piece of a tool call. `index` says of which."""

    index: int
    id: str | None
    type: str | None
    function: FunctionDelta | None


class Delta(_Words):
    """What one chunk adds to a message."""

    tool_calls: list[ToolCallDelta] | None  # type: ignore[assignment]  # pieces of calls
    function_call: FunctionDelta | None  # type: ignore[assignment]


class ChunkChoice(Object):
    """What one chunk adds to a choice."""

    index: int
    delta: Delta
    finish_reason: str | None
    logprobs: ChoiceLogprobs | None


class ChatCompletionChunk(Object):
    """One event of a streamed chat. `choices` may be empty, as in a usage chunk."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None
    system_fingerprint: str | None
    service_tier: str | None


# --- legacy completions -----------------------------------------------------


class CompletionLogprobs(Object):
    """Four lists of one length, an item a token."""

    tokens: list[str] | None
    token_logprobs: list[float | None] | None
    top_logprobs: list[Object | None] | None
    text_offset: list[int] | None


class CompletionChoice(Object):
    """One text."""

    index: int
    text: str
    finish_reason: str | None
    logprobs: CompletionLogprobs | None


class Completion(Object):
    """An answer of `/completions`, whole or one chunk of a stream: both have this shape."""

    id: str
    object: str
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None
    system_fingerprint: str | None


# --- embeddings -------------------------------------------------------------


class Embedding(Object):
    """One vector, as many floats as the model has dimensions.

    # quirk(llama-cpp-python): without pooling a list of vectors, one a token, kept so.
    """

    index: int
    object: str
    embedding: list[float]


class CreateEmbeddingResponse(Object):
    """An answer of `/embeddings`, its `data` in the order of the input."""

    object: str
    model: str
    data: list[Embedding]
    usage: Usage | None


def embeddings(response: CreateEmbeddingResponse) -> CreateEmbeddingResponse:
    """`response` with every base64 vector decoded and `data` sorted by index.

    base64 holds little-endian float32 (OpenAI's reference of `encoding_format`).
    Raises `ValueError` for what is not that.

    # quirk(ollama): without embeddings `data` is null; here it is an empty list.
    """
    data = _objects(response)
    for item in data:
        if isinstance(item.get("embedding"), str):
            item["embedding"] = floats(item["embedding"])
    # Without an index an item keeps its place among its like, at the end.
    data.sort(key=lambda item: item["index"] if _is_int(item.get("index")) else sys.maxsize)
    response["data"] = data
    return response


def floats(text: str, byteorder: str = sys.byteorder) -> list[float]:
    """The little-endian float32 numbers that `text` holds in base64."""
    vector = array("f", base64.b64decode(text, validate=True))
    if byteorder == "big":
        vector.byteswap()
    return vector.tolist()


def _objects(response: Object) -> list[Any]:
    """The list `response["data"]`, empty for null; `ValueError` where it is no list of objects."""
    data = response.get("data", ...)
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(item, Object) for item in data):
        raise ValueError('"data" is not a list of objects')
    return data


def _is_int(value: Any) -> bool:
    return isinstance(value, int)


# --- models -----------------------------------------------------------------


class Model(Object):
    """One model a server offers."""

    id: str
    object: str
    created: int | None
    owned_by: str | None


class ModelList(Object):
    """The models. Iterating gives them, as the openai SDK's page does."""

    object: str
    data: list[Model]

    def __iter__(self) -> Iterator[Model]:  # type: ignore[override]
        return iter(self.data)


class ModelDeleted(Object):
    """The answer to deleting a model."""

    id: str
    object: str
    deleted: bool


def models(response: ModelList) -> ModelList:
    """`response` with a list as its `data`; `ValueError` where it is no list of objects.

    # quirk(ollama): without a model `data` is null.
    """
    response["data"] = _objects(response)
    return response
