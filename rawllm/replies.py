"""The answer to one request: its headers, and its body's bytes as they come.

What is left out: how the bytes are read, which is in `bodies.py`, and what they
mean, beyond whether they are JSON.
"""

import contextlib
import io
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from rawllm import connections, envelopes, errors, failures, troubles
from rawllm.bodies import body_of
from rawllm.deadlines import Watch
from rawllm.objects import parse

if TYPE_CHECKING:
    import requests

_DRAIN_SECONDS = 0.05  # how long the rest after `[DONE]` may take
_MOST_OF_A_REST = 1 << 16  # bytes of it that are of use


class Reply:
    """The answer to one request: its headers, and its body's bytes as they come."""

    def __init__(
        self,
        response: "requests.Response",
        call: failures.Call,
        watch: Watch,
    ) -> None:
        self.response = response
        self.call = call
        self.watch = watch
        self.retries_taken = 0
        self._raw = response.raw
        self._closed = False
        raw = self._raw
        #: Whether the body says itself where it ends. One that does not ends
        #: with its connection, and nobody knows whether that was all.
        self.framed: bool = (
            getattr(raw, "chunked", False) or getattr(raw, "length_remaining", None) is not None
        )
        self._body = body_of(raw)
        sock = connections.socket_of(raw)
        if sock is not None and self._held():
            watch.attach(sock)  # of a caller's session it is known only now

    def read1(self) -> bytes:
        """The next bytes of the body, as soon as there are any; `b""` at its end.

        Raises `APIConnectionError` where the body breaks off, and
        `APITimeoutError` after too long a silence or past a limit.
        """
        handled = sys.exc_info()[1]
        try:
            data = self._body.read1()
        except (AttributeError, *troubles.TROUBLE) as trouble:
            # An AttributeError: another thread closed the response meanwhile.
            if isinstance(trouble, AttributeError) and not self._closed:
                raise
            event = troubles.event(trouble, handled)
            error = self._broken(event, troubles.innermost(trouble, handled))
            raise error from error.__cause__  # which may be none, for what it says
        if not data and (self._closed or self.watch.ended):
            raise self._broken("dropped")
        if not self._held():
            self.watch.stop()
        return data

    def _broken(
        self, event: str, trouble: BaseException | None = None
    ) -> errors.APIConnectionError:
        event = self.watch.passed() or ("closed" if self._closed else event)
        self.close()
        return failures.no_response(self.call, event, trouble)

    def read(self, limit: int, start: bytes = b"") -> bytes:
        """The whole body, `start` of which has been read; then `response.content` has it too.

        Raises `APIResponseValidationError` for one of more than `limit` bytes.
        """
        body = bytearray(start)
        while len(body) <= limit:
            data = self.read1()
            if not data:
                return self._keep(bytes(body))
            body += data
        self.close()
        raise failures.not_the_protocol(
            self.call, self.response, bytes(body[:200]), f"more than {limit} bytes", "long"
        )

    def read_error(self) -> str:
        """The text of an error's body, as far as it came and is of use."""
        body = bytearray()
        with contextlib.suppress(errors.APIConnectionError):
            while len(body) < failures.MOST_OF_AN_ERROR and (data := self.read1()):
                body += data
        return self._keep(bytes(body)).decode("utf-8-sig", "replace")

    def _keep(self, body: bytes) -> bytes:
        """Give the body that was read past requests back to its response."""
        self._raw.close()
        self.response.raw = io.BytesIO(body)
        return self.response.content

    def json(self, body: bytes) -> Any:
        """The JSON that `body` is.

        Raises `APIStatusError` if it is an error in spite of its 200, and
        `APIResponseValidationError` if it is no JSON.
        """
        text = body.decode("utf-8-sig", "replace")
        try:
            value = parse(text)
        except RecursionError:
            raise self.invalid(body, "JSON nested too deep") from None
        except ValueError:
            if not text.strip():
                raise self.invalid(body, "an empty body") from None
            kind = "HTML" if text.lstrip().startswith("<") else "what is not JSON"
            raise self.invalid(body, kind) from None
        if envelopes.is_error(value):
            raise failures.status(self.call, self.response, text, datetime.now(timezone.utc))
        return value

    def invalid(
        self, body: bytes, why: str, hint: str | None = None
    ) -> errors.APIResponseValidationError:
        """The exception for a success whose `body` is not what the protocol says."""
        return failures.not_the_protocol(self.call, self.response, body, why, hint)

    def drain(self) -> bytes:
        """What is left, or its beginning, if it comes at once: then the connection is used again.

        A server that says `[DONE]` and keeps the connection open is not waited for.
        """
        rest = bytearray()
        if self._held():
            self.watch.hurry(_DRAIN_SECONDS)
            with contextlib.suppress(errors.APIConnectionError):
                while (data := self.read1()) and not self.watch.passed():
                    rest += data[: _MOST_OF_A_REST - len(rest)]
        self.close()
        return bytes(rest)

    def close(self) -> None:
        """Close the connection, unless the body has been read to its end."""
        if not self._closed:
            self._closed = True
            if self.watch.inherited:
                return  # it is for the parent to close, some thread of which may be reading
            # First the socket: closing the response waits for a thread that reads.
            self.watch.shut()
            self.watch.stop()
            self.response.close()

    def _held(self) -> bool:
        """Whether the connection still serves this reply and not, from its pool, another call."""
        return getattr(self._raw, "connection", None) is not None
