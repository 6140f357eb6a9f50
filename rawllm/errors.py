"""What can go wrong, by whose fault it is. Names as in the openai SDK.

    OpenAIError                        every failure this library raises on purpose
    └── APIError                       .message .body .code .param .type .request_id
        ├── APIConnectionError         no HTTP response: refused, DNS, TLS, proxy, reset
        │   └── APITimeoutError        nothing came for too long, or the deadline passed
        ├── APIStatusError             .status_code .response
        │   ├── BadRequestError        400
        │   │   └── ContextLengthExceededError  .prompt_tokens .context_length
        │   ├── AuthenticationError    401
        │   ├── PermissionDeniedError  403
        │   ├── NotFoundError          404
        │   ├── ConflictError          409
        │   ├── UnprocessableEntityError  422
        │   ├── RateLimitError         429, .retry_after
        │   └── InternalServerError    500 and above
        │       └── ModelLoadingError  503 while a model loads
        ├── APIResponseValidationError  2xx, but not what the protocol says
        └── StreamError                after the 200: .partial holds what arrived
            ├── StreamAPIError         the server put an error into the stream
            └── IncompleteStreamError  the stream ended before the answer did

A caller's own mistakes are `TypeError` and `ValueError`, raised before
anything is sent. All of these pickle, and none of them holds a key.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests


class OpenAIError(Exception):
    """Every failure this library raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls __init__ with the message alone, which
        # fails for keyword-only arguments: process pools need this one.
        return _revive, (type(self), self.args, self.__dict__)


def _revive(
    cls: type[OpenAIError], args: tuple[Any, ...], attributes: dict[str, Any]
) -> OpenAIError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(attributes)
    return error


class APIError(OpenAIError):
    """A call failed. `message` is the whole text, for a person to read.

    `body` is what the server said: the value of `error` in its JSON, else the
    whole JSON, else the text. `code`, `param` and `type` are its fields, the
    code always a string; `request_id` is the `x-request-id` header.
    """

    def __init__(
        self,
        message: str,
        *,
        body: Any = None,
        code: str | None = None,
        param: str | None = None,
        type: str | None = None,  # noqa: A002  # the wire's name
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.body = body
        self.code = code
        self.param = param
        self.type = type
        self.request_id = request_id


class APIConnectionError(APIError):
    """There is no HTTP response, or its body broke off."""


class APITimeoutError(APIConnectionError):
    """Nothing came for longer than `timeout`, or the call passed its `deadline`."""


class APIStatusError(APIError):
    """The server answered with an error, by its status or within a 200."""

    def __init__(self, message: str, *, response: "requests.Response", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.response = response
        self.status_code: int = response.status_code


class BadRequestError(APIStatusError):
    """400."""


class ContextLengthExceededError(BadRequestError):
    """400: the prompt does not fit. Both counts are in tokens, `None` where unsaid."""

    prompt_tokens: int | None = None
    context_length: int | None = None


class AuthenticationError(APIStatusError):
    """401."""


class PermissionDeniedError(APIStatusError):
    """403."""


class NotFoundError(APIStatusError):
    """404."""


class ConflictError(APIStatusError):
    """409."""


class UnprocessableEntityError(APIStatusError):
    """422."""


class RateLimitError(APIStatusError):
    """429. `retry_after` is in seconds, `None` where the server did not say."""

    retry_after: float | None = None


class InternalServerError(APIStatusError):
    """500 and above."""


class ModelLoadingError(InternalServerError):
    """503: the model is still being loaded."""


class APIResponseValidationError(APIError):
    """The server answered 2xx, but not with what the protocol says."""

    def __init__(self, message: str, *, response: "requests.Response", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.response = response
        self.status_code: int = response.status_code


class StreamError(APIError):
    """A stream failed after its 200. `partial` is the answer as far as it came."""

    def __init__(self, message: str, *, partial: Any = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.partial = partial


class StreamAPIError(StreamError):
    """The server put an error into the stream.

    `status_code` is the HTTP status that its code stands for, `None` where it
    stands for none.
    """

    status_code: int | None = None


class IncompleteStreamError(StreamError):
    """The stream ended before the answer did."""
