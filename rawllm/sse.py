r"""Server-Sent Events: bytes in, events out, and back.

No I/O happens here. Feed the decoder whatever the network gives, cut
anywhere; it hands back every event those bytes complete, in time linear in
the bytes. What is pending when the bytes end is not an event (on a body that
ends with its connection it may be half a one). Reconnection is left out: a
chat answer cannot be resumed.

Specification: https://html.spec.whatwg.org/multipage/server-sent-events.html

>>> list(Decoder().feed(b"data: hello\n\n"))
[Event(data='hello', event='message', id='')]
"""

import math
import re
from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile("\r\n|\r|\n")  # not str.splitlines(): U+2028 is data
_UNFIT = re.compile("[\r\n\0]")


class Event(NamedTuple):
    """One event. `id` is the last one the stream named, of this event or before."""

    data: str
    event: str = "message"
    id: str = ""


class EventTooLongError(ValueError):
    """An event exceeds the decoder's `max_event_bytes`. `events` are those before it."""

    def __init__(self, most: int | None, events: list[Event]) -> None:
        super().__init__(f"an event of more than {most} bytes")
        self.events = events


class Decoder:
    r"""Turn the bytes of one event stream into events.

    >>> decoder = Decoder()
    >>> decoder.feed(b'data: {"a"')
    []
    >>> decoder.feed(b": 1}\n\ndata: [DONE]\n\n")
    [Event(data='{"a": 1}', event='message', id=''), Event(data='[DONE]', event='message', id='')]

    Raises `EventTooLongError` when the lines of one event, complete or not,
    come to more than `max_event_bytes`.
    """

    def __init__(self, max_event_bytes: int | None = None) -> None:
        self.max_event_bytes = max_event_bytes
        self._most = math.inf if max_event_bytes is None else max_event_bytes
        #: Milliseconds to wait before reconnecting, where the server said so.
        self.retry: int | None = None
        #: The last line whose field the specification does not know. It makes
        #: no event, but may hold the words of an error.
        self.ignored: str = ""
        self._skip = _BOM  # what is dropped where the next bytes begin with it
        self._start = b""  # the next bytes so far, which may yet be `_skip`
        self._tail = bytearray()  # the line that has no end yet
        self._data: list[str] = []
        self._event = "message"
        self._id = ""
        self._size = 0  # bytes in `_tail` and `_data`

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes, often none."""
        if self._skip:
            data = self._start + data
            if self._skip.startswith(data):
                self._start = data
                return []
            data = data.removeprefix(self._skip)
            self._start = self._skip = b""
        if data.endswith(b"\r"):
            # It ends its line without waiting; an LF that comes next belongs to it.
            self._skip = b"\n"
        lines = data.splitlines()  # of bytes: at CR LF, CR and LF only
        rest = lines.pop() if data and data[-1] not in b"\r\n" else b""
        events: list[Event] = []
        for line in lines:
            self._size += len(line) + 1  # its end counts as one byte
            if self._size > self._most:
                raise EventTooLongError(self.max_event_bytes, events)
            if self._tail:
                line = bytes(self._tail + line)
                self._tail.clear()
            if line:
                self._line(line)
            else:
                self._dispatch(events)
        self._tail += rest
        self._size += len(rest)
        if self._size > self._most:
            raise EventTooLongError(self.max_event_bytes, events)
        return events

    def _line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        # Each value is decoded by itself: CR and LF never occur inside a UTF-8
        # sequence, so this equals decoding the stream first, and is bounded.
        text = value.removeprefix(b" ").decode(errors="replace")
        if name == b"data":
            self._data.append(text)
            return
        self._size -= len(line) + 1
        if name == b"event":
            self._event = text or "message"
        elif name == b"id":
            if "\0" not in text:
                self._id = text
        elif name == b"retry":
            if text.isascii() and text.isdigit() and len(text) < 20:  # longer is no time
                self.retry = int(text)
        elif name:  # without a name it is a comment
            self.ignored = line.decode(errors="replace")

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            events.append(Event("\n".join(self._data), self._event, self._id))
            self._data.clear()
        self._event = "message"
        self._size = 0


def encode(event: Event) -> bytes:
    r"""The bytes of `event`, which `Decoder` turns back into it.

    A CR or CR LF in the data arrives as LF, as the format has it. Raises
    `ValueError` for a name or an id that the format cannot carry.

    >>> encode(Event("one\ntwo", event="note"))
    b'event: note\ndata: one\ndata: two\n\n'
    """
    for text in (event.event, event.id):
        if _UNFIT.search(text):
            raise ValueError(f"an event's name and id hold no CR, LF or NUL: {text!r}")
    lines = [f"event: {event.event}"] if event.event != "message" else []
    lines += [f"id: {event.id}"] if event.id else []
    lines += [f"data: {line}" for line in _LINE_END.split(event.data)]
    return ("\n".join(lines) + "\n\n").encode()
