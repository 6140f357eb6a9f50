"""`/completions`: a text continued. Legacy, and the route of base models and `echo`."""

from typing import TYPE_CHECKING, Any, Literal, overload

from rawllm import payloads
from rawllm.answers import Completion
from rawllm.keys import guard
from rawllm.lazy import lazy
from rawllm.payloads import Prompt
from rawllm.raw import RawResponse
from rawllm.settings import take_options
from rawllm.streams import CompletionStream

if TYPE_CHECKING:
    from rawllm.client import Client


class RawCompletions:
    """The same call, answered with the HTTP answer as it came."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(self, *, model: str, prompt: Prompt, **params: Any) -> RawResponse[Any]:
        """The completion, or with `stream=True` its stream."""
        options = take_options(params)
        body = payloads.completion(model, prompt, **params)
        return self._client.complete(
            "/completions", body, options, whole=Completion, stream=CompletionStream
        )


class Completions:
    """Legacy completions."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    @lazy
    def with_raw_response(self) -> RawCompletions:
        """The same call, answered with the HTTP answer as it came."""
        return RawCompletions(self._client)

    @overload
    def create(
        self, *, model: str, prompt: Prompt, stream: Literal[True], **params: Any
    ) -> CompletionStream: ...
    @overload
    def create(
        self, *, model: str, prompt: Prompt, stream: Literal[False] | None = None, **params: Any
    ) -> Completion: ...
    @overload
    def create(
        self, *, model: str, prompt: Prompt, stream: bool, **params: Any
    ) -> Completion | CompletionStream: ...
    def create(
        self, *, model: str, prompt: Prompt, stream: bool | None = None, **params: Any
    ) -> Completion | CompletionStream:
        """The text that follows `prompt`; of several prompts one choice each.

        `echo`, `suffix`, `logprobs` and all other parameters go out as given.
        """
        answer: Completion | CompletionStream = self.with_raw_response.create(
            model=model, prompt=prompt, stream=stream or None, **guard(params)
        ).parse()
        return answer
