"""The HTTP answer as it came, before it is an object: `with_raw_response`."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rawllm import errors, failures
from rawllm.objects import Object

if TYPE_CHECKING:
    import requests
    from requests.structures import CaseInsensitiveDict

    from rawllm.replies import Reply

Parsed = TypeVar("Parsed")
Answer = TypeVar("Answer", bound=Object)


class RawResponse(Generic[Parsed]):
    """Status, headers and body of a success; `parse()` is what the plain call returns.

    Of a stream the body is read when it is asked for, by `parse()` or else by
    `content`: whichever comes first has it.
    """

    def __init__(
        self,
        reply: "Reply",
        parse: "Callable[[RawResponse[Parsed]], Parsed]",
        limit: int,
        *,
        streaming: bool = False,
    ) -> None:
        self._reply = reply
        self._parse = parse
        self._limit = limit
        self._streaming = streaming
        self._content: bytes | None = None if streaming else reply.read(limit)
        self._parsed: list[Parsed] = []

    @property
    def reply(self) -> "Reply":
        """The transport's side of it."""
        return self._reply

    @property
    def http_response(self) -> "requests.Response":
        """The response as requests has it."""
        return self._reply.response

    @property
    def status_code(self) -> int:
        """200, mostly."""
        return self._reply.response.status_code

    @property
    def headers(self) -> "CaseInsensitiveDict[str]":
        """The headers; their names in any case."""
        return self._reply.response.headers

    @property
    def request_id(self) -> str | None:
        """The `x-request-id` header."""
        return self.headers.get("x-request-id")

    @property
    def retries_taken(self) -> int:
        """How many tries failed before this one."""
        return self._reply.retries_taken

    @property
    def url(self) -> str:
        """The URL asked, without its secrets."""
        return self._reply.call.url

    @property
    def method(self) -> str:
        """The method asked with."""
        return self._reply.call.method

    @property
    def content(self) -> bytes:
        """The body's bytes, without transfer and content encoding."""
        if self._content is None:
            self._content = self._reply.read(self._limit)
        return self._content

    @property
    def text(self) -> str:
        """The body as UTF-8, which the protocol always is."""
        return self.content.decode("utf-8-sig", "replace")

    def parse(self) -> Parsed:
        """The object that the plain call returns, and the errors it raises."""
        if not self._parsed:
            if self._streaming and self._content is not None:
                raise ValueError("the stream has been read as `content`: `parse()` it instead")
            handled = sys.exc_info()[1]
            try:
                self._parsed.append(self._parse(self))
            except errors.APIError as error:
                failures.bare(error, handled)
                raise error
        return self._parsed[0]

    def close(self) -> None:
        """Close the connection, unless the body has been read to its end."""
        self._reply.close()

    def json(self) -> Any:
        """The JSON of the body.

        Raises `APIStatusError` if it is an error in spite of its 200, and
        `APIResponseValidationError` if it is no JSON.
        """
        handled = sys.exc_info()[1]
        try:
            return self._reply.json(self.content)
        except errors.APIError as error:
            failures.bare(error, handled)
            raise error

    def answer(
        self, kind: type[Answer], needs: str = "", tidy: Callable[[Answer], Answer] | None = None
    ) -> Answer:
        """The body as a `kind` object that has the list `needs`, after `tidy`."""
        value = self.json()
        if type(value) is not Object:
            raise self._reply.invalid(self.content, "JSON that is not an object")
        answer: Answer = kind.declare(value)
        try:
            answer = tidy(answer) if tidy else answer
        except ValueError as error:
            raise self._reply.invalid(self.content, f"JSON that cannot be read, {error}") from None
        listed = answer.get(needs) if needs else []
        if not isinstance(listed, list) or not all(isinstance(item, Object) for item in listed):
            raise self._reply.invalid(self.content, f"JSON without a list of {needs}")
        answer._request_id = self.request_id
        return answer
