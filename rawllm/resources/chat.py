"""`/chat/completions`: the conversation."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, overload

from rawllm import payloads
from rawllm.answers import ChatCompletion, Message
from rawllm.payloads import Messages
from rawllm.raw import RawResponse
from rawllm.streams import ChatStream

if TYPE_CHECKING:
    from rawllm.client import Client


class RawChatCompletions:
    """The same call, answered with the HTTP answer as it came."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(self, *, model: str, messages: Messages, **params: Any) -> RawResponse[Any]:
        """The completion, or with `stream=True` its stream."""
        options = payloads.take_options(params)
        body = payloads.chat(model, messages, **params)
        streaming = bool(body.get("stream"))

        def parse(raw: RawResponse[Any]) -> ChatCompletion | ChatStream:
            if not streaming:
                return raw.answer(ChatCompletion, "choices")
            expected = payloads.choices_asked(body)
            return ChatStream(raw.reply, expected=expected, **self._client.stream_rules)

        return self._client.call(
            "POST", "/chat/completions", parse, body=body, options=options, streaming=streaming
        )


class ChatCompletions:
    """`client.chat.completions`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    @property
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
            model=model, messages=messages, stream=stream or None, **params
        ).parse()
        return answer


class Chat:
    """`client.chat(model, messages)` for the text, `client.chat.completions` for everything."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    @property
    def completions(self) -> ChatCompletions:
        """The openai SDK's surface."""
        return ChatCompletions(self._client)

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
        """The text of the answer ("" where there is none), or an iterator of its pieces.

        `messages` may be one `str`. Parameters and options are those of
        `completions.create`.
        """
        answer = self.completions.create(
            model=model, messages=messages, stream=bool(stream), **params
        )
        if isinstance(answer, ChatStream):
            return answer.text
        message = answer.choices[0].get("message") if answer.choices else None
        return message.text if isinstance(message, Message) else ""
