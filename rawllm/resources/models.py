"""`/models`: what the server offers."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rawllm import answers
from rawllm.answers import Model, ModelDeleted, ModelList
from rawllm.keys import guard
from rawllm.lazy import lazy
from rawllm.raw import RawResponse

if TYPE_CHECKING:
    from rawllm.client import Client


class RawModels:
    """The same calls, answered with the HTTP answer as it came."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def list(self, **options: Any) -> RawResponse[ModelList]:
        """All models."""
        guard(options)
        return self._client.call("GET", "/models", _list, options=options)

    def retrieve(self, model: str, **options: Any) -> RawResponse[Model]:
        """One model."""
        guard(options)
        return self._client.call("GET", _path(model), lambda raw: _one(raw, model), options=options)

    def delete(self, model: str, **options: Any) -> RawResponse[ModelDeleted]:
        """The deletion of one model."""
        guard(options)
        return self._client.call("DELETE", _path(model), _deleted, options=options)


class Models:
    """The models of the server."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    @lazy
    def with_raw_response(self) -> RawModels:
        """The same calls, answered with the HTTP answer as it came."""
        return RawModels(self._client)

    def list(self, **options: Any) -> ModelList:
        """All models; iterate the list or its `data`."""
        return self.with_raw_response.list(**guard(options)).parse()

    def retrieve(self, model: str, **options: Any) -> Model:
        """One model.

        llama-server, vLLM and llama-cpp-python have no such path: they raise
        `NotFoundError`, and `list()` shows what they have.
        """
        return self.with_raw_response.retrieve(model, **guard(options)).parse()

    def delete(self, model: str, **options: Any) -> ModelDeleted:
        """Delete a model of one's own (OpenAI: a fine-tuned one)."""
        return self.with_raw_response.delete(model, **guard(options)).parse()


def _path(model: str) -> str:
    if not isinstance(model, str) or not model:
        raise ValueError("the model's id must be a str that is not empty")
    if not model.isprintable():
        raise ValueError(f"the model's id {model!r:.100} holds a character that cannot be printed")
    if {".", ".."} & set(model.split("/")):
        raise ValueError(f"the model's id {model!r:.100} would lead to another path")
    return f"/models/{quote(model, safe='/:@')}"


def _list(raw: RawResponse[Any]) -> ModelList:
    return raw.answer(ModelList, "data", answers.models)


def _one(raw: RawResponse[Model], model: str) -> Model:
    answer = raw.answer(Model)
    if "data" not in answer:
        return answer
    # quirk(mlx-lm): answers with the list of the models that match.
    for match in (listed := _list(raw)):
        if match.get("id") == model:
            match._request_id = listed._request_id
            return match
    raise raw.reply.invalid(raw.content, f"a list without {model}", "model")


def _deleted(raw: RawResponse[ModelDeleted]) -> ModelDeleted:
    return raw.answer(ModelDeleted)
