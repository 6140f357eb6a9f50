"""`/embeddings`: texts to vectors."""

from typing import TYPE_CHECKING, Any

from rawllm import answers, payloads
from rawllm.answers import CreateEmbeddingResponse
from rawllm.keys import guard
from rawllm.lazy import lazy
from rawllm.payloads import Prompt
from rawllm.raw import RawResponse
from rawllm.settings import take_options

if TYPE_CHECKING:
    from rawllm.client import Client


class RawEmbeddings:
    """The same call, answered with the HTTP answer as it came."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(
        self,
        *,
        model: str,
        input: Prompt,  # noqa: A002  # the wire's name
        **params: Any,
    ) -> RawResponse[CreateEmbeddingResponse]:
        """The vectors, the floats or base64 as the server sent them."""
        options = take_options(params)
        body = payloads.embedding(model, input, **params)
        return self._client.call("POST", "/embeddings", _vectors, body=body, options=options)


class Embeddings:
    """Embeddings."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    @lazy
    def with_raw_response(self) -> RawEmbeddings:
        """The same call, answered with the HTTP answer as it came."""
        return RawEmbeddings(self._client)

    def create(
        self,
        *,
        model: str,
        input: Prompt,  # noqa: A002  # the wire's name
        **params: Any,
    ) -> CreateEmbeddingResponse:
        """The vectors of one text or several, or of token ids, in the order of the input.

        Nothing is sent but what is given. base64, asked for by
        `encoding_format="base64"`, is a third of the size, and is decoded.
        """
        return self.with_raw_response.create(model=model, input=input, **guard(params)).parse()


def _vectors(raw: RawResponse[CreateEmbeddingResponse]) -> CreateEmbeddingResponse:
    return raw.answer(CreateEmbeddingResponse, "data", answers.embeddings)
