"""A streamed answer: its chunks as they come, its text, and the whole of it at the end.

Bytes become events (`sse.py`), events chunks, chunks the answer (`fold.py`);
here the three are put together, every error in a stream becomes an exception
that holds the partial answer, and the end is judged: a stream that stops
early never looks like a short answer.
"""

import contextlib
import sys
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from rawllm import envelopes, errors, failures, sse
from rawllm.answers import ChatCompletion, ChatCompletionChunk, Completion
from rawllm.fold import Fold, choices, says_something, text_of, unfold
from rawllm.objects import Object, parse

if TYPE_CHECKING:
    import requests
    from typing_extensions import Self

    from rawllm.replies import Reply

Chunk = TypeVar("Chunk", bound=Object)

_BLANK = b"\xef\xbb\xbf\r\n"  # a byte order mark and empty lines
_HEAD = 1000  # bytes that show what a body is
_LONG = 1 << 16  # characters: shorter events hold too few choices to count them
_CHOICE = 1 << 10  # bytes that a choice takes, however little it says


class Stream(Generic[Chunk]):
    """The chunks of one answer.

    Iterate it, or `text`. Leaving the loop early closes the connection, so
    that the server stops generating, also while the stream is kept; after a
    whole answer the connection is used again.

    Raises, while it is read: `StreamAPIError` for an error in the stream,
    `IncompleteStreamError` if the answer was cut short by whatever it was,
    `StreamError` for what is not the protocol; each with `.partial`.
    """

    _chunk: ClassVar[type[Object]]
    _whole: ClassVar[type[ChatCompletion] | type[Completion]]

    def __init__(
        self, reply: "Reply", *, expected: int, prompts: int, strict: bool, limit: int
    ) -> None:
        self._reply = reply
        self._expected = expected
        self._prompts = prompts
        self._strict = strict
        self._limit = limit
        self._decoder = sse.Decoder(limit)
        self._fold = Fold(self._whole)
        self._events: deque[sse.Event] = deque()
        self._too_long = ""  # what is to be said once these events have been taken
        self._first: Any = None  # a chunk that was read before it was asked for
        self._head = b""  # the first bytes, which show what the body is
        self._sniffed = False
        self._chunks = 0
        self._silent = True  # no content, reasoning or tool call has come
        self._over = False
        #: Whether the answer has come to its end and is whole.
        self.finished: bool = False
        if "event-stream" not in reply.response.headers.get("Content-Type", ""):
            # Perhaps an error or a whole answer: then it is raised, or known, now.
            self._first = self._next()

    @property
    def response(self) -> "requests.Response":
        """The HTTP response: its status and headers. Its body is this stream."""
        return self._reply.response

    def __iter__(self) -> Iterator[Chunk]:
        # A fresh generator, which nobody else holds: dropped at a `break`, it
        # closes the stream, although the caller may still have the stream.
        try:
            while (chunk := self._next()) is not None:
                yield chunk
        finally:
            self.close()

    def __next__(self) -> Chunk:
        chunk: Chunk | None = self._next()
        if chunk is None:
            raise StopIteration
        return chunk

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, unless the answer has been read to its end."""
        if not self._over:
            self._reply.close()

    @property
    def text(self) -> Iterator[str]:
        """The pieces of text as they come, of the first choice where there are several."""
        first: Any = ...
        for chunk in self:
            for choice in choices(chunk):
                index = choice.get("index")
                first = index if first is ... else first
                if (index is first or index == first) and (piece := text_of(choice)):
                    yield piece

    def _completion(self) -> Any:
        """The whole answer, the rest of which is read first."""
        for _ in self:
            pass
        completion = self._fold.completion
        completion._request_id = self.response.headers.get("x-request-id")
        return completion

    # --- one chunk ----------------------------------------------------------

    def _next(self) -> Any:
        """The next chunk, `None` at the end."""
        if self._first is not None:
            return self._first_once()
        watch = self._reply.watch
        timed = watch.idle_timeout is not None
        if timed and self._chunks:
            watch.waiting()
        handled = sys.exc_info()[1]
        try:
            while not self._over:
                if not self._events:
                    self._pull()
                elif (chunk := self._take(self._events.popleft())) is not None:
                    return chunk
        except errors.APIError as error:
            self.close()
            failures.bare(error, handled)
            raise error
        except BaseException:
            self.close()
            raise
        finally:
            if timed:
                watch.arrived()
        return self._first_once()

    def _first_once(self) -> Any:
        chunk, self._first = self._first, None
        return chunk

    def _pull(self) -> None:
        """Read some bytes; at the body's end judge the answer."""
        if self._too_long:
            raise self._wrong(self._too_long)
        try:
            data = self._reply.read1()
        except errors.APIConnectionError as error:
            self._end(error)
            return
        if not data:
            self._end()
            return
        if len(self._head) < _HEAD:
            self._head += data
        if not self._sniffed:
            seen = self._head[:_HEAD].lstrip(_BLANK)
            if seen[:1] in (b"{", b"[", b"<"):  # which begin no event
                self._take_whole(self._reply.read(self._limit, self._head))
                return
            self._sniffed = bool(seen) or len(self._head) >= _HEAD
        try:
            self._events.extend(self._decoder.feed(data))
        except sse.EventTooLongError as error:
            self._events.extend(error.events)
            self._too_long = f"{error}; max_response_bytes= says how much is accepted"

    def _take(self, event: sse.Event) -> Any:
        """The chunk that `event` is, `None` if it is none."""
        data = event.data
        if data.startswith("[DONE]"):
            self._end(done=True)
            return None
        if event.event == "error":
            raise self._failure(data)
        try:
            value = parse(data)
        except RecursionError:
            raise self._wrong("an event nested too deep", data) from None
        except ValueError:
            # quirk(litellm): a keep-alive may be an event without data.
            if not data.strip():
                return None
            raise self._wrong("an event that is not JSON", data) from None
        if value is None:
            # quirk(llama-server): of several prompts each begins with `data: null`.
            return None
        if envelopes.is_error(value):
            raise self._failure(data)
        if type(value) is not Object:
            raise self._wrong("an event that is no JSON object", data)
        return self._added(value, len(data))

    def _added(self, value: Object, size: int) -> Any:
        """The chunk that `value` is, which is part of the answer now."""
        # Of `{}` after `{}` the answer would take hundreds of times the room.
        if size > _LONG and (many := len(choices(value))) * _CHOICE > self._limit:
            raise self._wrong(f"{many} choices in one event (max_response_bytes=)")
        chunk = self._chunk.declare(value)
        self._chunks += 1
        fold = self._fold
        try:
            fold.add(chunk, size)
            failed = fold.failed.to_json(indent=None) if fold.failed is not None else ""
        except RecursionError:
            raise self._wrong("an event nested too deep to be written again") from None
        if failed:
            raise self._failure(failed)
        if fold.size > self._limit:
            raise self._wrong(f"a text of more than {self._limit} bytes (max_response_bytes=)")
        if self._silent and any(map(says_something, choices(chunk))):
            self._silent = False
            self._reply.watch.answering()
        return chunk

    # --- the end ------------------------------------------------------------

    def _end(self, error: errors.APIConnectionError | None = None, *, done: bool = False) -> None:
        """No more chunks will come. Judge whether the answer is whole."""
        rest = self._reply.drain() if done else b""
        self._reply.close()
        framed = self._reply.framed and error is None
        verdict = self._fold.verdict(
            done=done, framed=framed, expected=self._expected, prompts=self._prompts
        )
        self.finished = self._over = verdict == "whole"
        if self.finished:
            return
        with contextlib.suppress(sse.EventTooLongError):
            self._decoder.feed(rest)  # which may have come, and been read, with what is judged
        if self._decoder.ignored.startswith("error"):
            # quirk(llama-server): older ones name the field `error` instead of
            # `data`, which a decoder that follows the specification drops.
            raise self._failure(self._decoder.ignored.partition(":")[2])
        if not self._chunks and error is None and not done:
            self._nothing()
        if error is not None:
            raise self._incomplete(error.message.removeprefix(f"{self._reply.call.line}: ")) from (
                error
            )
        if self._strict or not self._chunks:
            why, hint = "no finish_reason came", "interrupted" if done else "cut"
            if self._fold.finished:
                why = f"{self._fold.finished} of {self._expected} choices had finished"
            elif self._fold.nameless:
                hint = "failed generation"
            raise self._incomplete(f"{why}\n{self._reply.call.hint(hint)}")
        self._over = True

    def _nothing(self) -> None:
        """The body is over and held no chunk: it may not be a stream at all."""
        head = self._head[:_HEAD].lstrip(_BLANK)
        event_stream = "event-stream" in self.response.headers.get("Content-Type", "")
        if event_stream and (head or not self._reply.framed):
            return
        hint = "empty stream" if event_stream else None
        raise self._reply.invalid(head, "no event" if head else "an empty body", hint)

    def _take_whole(self, body: bytes) -> None:
        """The server ignored `stream` and sent JSON; or it is not the protocol at all."""
        value = self._reply.json(body)
        listed = value.get("choices") if type(value) is Object else None
        if not isinstance(listed, list) or len(choices(value)) < len(listed):
            raise self._reply.invalid(body, "JSON without choices")
        self._first = self._added(unfold(value), len(body))
        self._over = self.finished = True

    # --- what went wrong ----------------------------------------------------

    def _failure(self, text: str) -> errors.StreamAPIError:
        return failures.in_stream(
            self._reply.call, self.response, text.strip(), self._fold.completion
        )

    def _incomplete(self, why: str) -> errors.IncompleteStreamError:
        return failures.incomplete(self._reply.call, why, self._fold.completion)

    def _wrong(self, what: str, data: str = "") -> errors.StreamError:
        call = self._reply.call
        message = f"{call.line}: the stream holds {what}"
        if data:
            data = call.secret.hidden_in(data[: envelopes.MOST])
            message += f": {failures.legible(data[:200])}\n{call.hint('not the protocol')}"
        return errors.StreamError(message, partial=self._fold.completion)


class ChatStream(Stream[ChatCompletionChunk]):
    """A streamed chat."""

    _chunk = ChatCompletionChunk
    _whole = ChatCompletion

    @property
    def completion(self) -> ChatCompletion:
        """The whole answer, the rest of which is read first. It raises what iterating does."""
        return self._completion()  # type: ignore[no-any-return]


class CompletionStream(Stream[Completion]):
    """A streamed legacy completion."""

    _chunk = Completion
    _whole = Completion

    @property
    def completion(self) -> Completion:
        """The whole answer, the rest of which is read first. It raises what iterating does."""
        return self._completion()  # type: ignore[no-any-return]
