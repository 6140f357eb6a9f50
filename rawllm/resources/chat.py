"""`/chat/completions`: the conversation."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, overload

from rawllm import payloads
from rawllm.answers import ChatCompletion, Message
from rawllm.keys import guard
from rawllm.lazy import lazy
from rawllm.payloads import Messages
from rawllm.raw import RawResponse
from rawllm.settings import take_options
from rawllm.streams import ChatStream

if TYPE_CHECKING:
    from rawllm.client import Client


class RawChatCompletions:
    """The same call, answered with the HTTP answer as it came."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(self, *, model: str, messages: Messages, **params: Any) -> RawResponse[Any]:
        """The completion, or with `stream=True` its stream."""
        options = take_options(params)
        body = payloads.chat(model, messages, **params)
        return self._client.complete(
            "/chat/completions", body, options, whole=ChatCompletion, stream=ChatStream
        )


class RawChat:
    """`client.with_raw_response.chat`."""

    def __init__(self, completions: RawChatCompletions) -> None:
        #: Its `create(...)`.
        self.completions: RawChatCompletions = completions


class ChatCompletions:
    """`client.chat.completions`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    @lazy
    def with_raw_response(self) -> RawChatCompletions:
        """The same call, answered with the HTTP answer as it came."""
        return RawChatCompletions(self._client)

    @overload
    def create(
        self, *, model: str, messages: Messages, stream: Literal[True], **params: Any
    ) -> ChatStream: ...
    @overload
    def create(
        self,
        *,
        model: str,
        messages: Messages,
        stream: Literal[False] | None = None,
        **params: Any,
    ) -> ChatCompletion: ...
    @overload
    def create(
        self, *, model: str, messages: Messages, stream: bool, **params: Any
    ) -> ChatCompletion | ChatStream: ...
    def create(
        self, *, model: str, messages: Messages, stream: bool | None = None, **params: Any
    ) -> ChatCompletion | ChatStream:
        """The model's answer to `messages`, whole or as a stream.

        All other parameters go out as given; those of the call itself are
        `extra_headers`, `extra_query`, `extra_body`, `timeout`, `deadline` and,
        for streams, `first_token_timeout` and `idle_timeout`, all in seconds.
        """
        answer: ChatCompletion | ChatStream = self.with_raw_response.create(
            model=model, messages=messages, stream=stream or None, **guard(params)
        ).parse()
        return answer


class Chat:
    """`client.chat(model, messages)` for the text, `client.chat.completions` for everything."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    @lazy
    def completions(self) -> ChatCompletions:
        """The openai SDK's surface."""
        return ChatCompletions(self._client)

    @lazy
    def with_raw_response(self) -> RawChat:
        """The same, answered with the HTTP answer as it came."""
        return RawChat(self.completions.with_raw_response)

    @overload
    def __call__(
        self, model: str, messages: Messages, *, stream: Literal[True], **params: Any
    ) -> Iterator[str]: ...
    @overload
    def __call__(
        self,
        model: str,
        messages: Messages,
        *,
        stream: Literal[False] | None = None,
        **params: Any,
    ) -> str: ...
    @overload
    def __call__(
        self, model: str, messages: Messages, *, stream: bool, **params: Any
    ) -> str | Iterator[str]: ...
    def __call__(
        self, model: str, messages: Messages, *, stream: bool | None = None, **params: Any
    ) -> str | Iterator[str]:
        """The text of the answer, or an iterator of its pieces.

        It is "" for an answer without text, as one of tool calls; without any
        choice at all `APIResponseValidationError` is raised. `messages` may be
        one `str`. Parameters and options are those of `completions.create`.
        """
        raw = self.completions.with_raw_response.create(
            model=model, messages=messages, stream=stream or None, **guard(params)
        )
        answer: ChatCompletion | ChatStream = raw.parse()
        if isinstance(answer, ChatStream):
            return answer.text
        if not answer.choices:
            raise raw.reply.invalid(raw.content, "an empty list of choices")
        message = answer.choices[0].get("message")
        return message.text if isinstance(message, Message) else ""
