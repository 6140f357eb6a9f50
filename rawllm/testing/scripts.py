r"""What the server plays: an answer as steps, and the HTTP around its body.

A *script* is what happens on a connection once a request is in: bytes that
are sent, pauses, and an end if the connection has one. After a script without
an end the connection serves the next request. What is left out: sockets,
which are `server.py`'s.

Specification: RFC 9112, HTTP/1.1

>>> stream({"Content-Type": "text/event-stream"}, [b"data: [DONE]\n\n"])[1:]
[b'e\r\ndata: [DONE]\n\n\r\n', b'0\r\n\r\n']
"""

import enum
import json
from collections.abc import Iterable, Mapping
from http.client import responses as _phrases
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

#: A JSON object.
Json = dict[str, Any]

#: How the end of a stream's body is known: by a chunk of no bytes, or by the
#: end of the connection.
Framing = Literal["chunked", "closing"]


class Request(NamedTuple):
    """A request as it came.

    The names of `headers` are in lower case; one that came twice has its values
    joined by a comma.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    #: Every byte of it, request line, headers and framing included.
    raw: bytes = b""
    version: str = "HTTP/1.1"

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        """What stands behind the `?`, "" for nothing."""
        return urlsplit(self.target).query

    @property
    def json(self) -> Any:
        """The body as JSON. Raises `ValueError` where it is none."""
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        """Whether the client wants the connection closed after the answer."""
        return self.version == "HTTP/1.0" or "close" in self.headers.get("connection", "").lower()


class Pause(NamedTuple):
    """Nothing is sent for so many seconds."""

    seconds: float


class End(enum.Enum):
    """How a connection ends."""

    FIN = "it is closed"
    RST = "it is reset"
    SILENCE = "it stays open, and nothing more is sent"
    NEXT = "it is closed as soon as the next request is in"


Step = bytes | Pause | End
Script = list[Step]


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """A status line and headers."""
    lines = [f"HTTP/1.1 {status} {_phrases.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def whole(
    status: int, headers: Mapping[str, str], body: bytes, steps: Iterable[Step] | None = None
) -> Script:
    """An answer with a Content-Length. `steps` play its body, where they are given.

    A pause that comes first is one before the head, which a server sends when
    it knows the body's length.
    """
    fields = {**headers, "Content-Length": str(len(body))}
    if steps is None:
        return [head(status, fields) + body]
    played = list(steps)
    place = 1 if isinstance(next(iter(played), None), Pause) else 0
    return [*played[:place], head(status, fields), *played[place:]]


def stream(
    headers: Mapping[str, str], steps: Iterable[Step], framing: Framing = "chunked"
) -> Script:
    """An answer whose length is not known at its start."""
    if framing == "closing":
        return [head(200, {**headers, "Connection": "close"}), *steps, End.FIN]
    script: Script = [head(200, {**headers, "Transfer-Encoding": "chunked"})]
    for step in steps:
        if step != b"":  # as a chunk it would be the last
            script.append(chunk(step) if isinstance(step, bytes) else step)
        if isinstance(step, End):
            return script
    return [*script, b"0\r\n\r\n"]


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def bodiless(script: Script) -> Script:
    """The answer to a HEAD: the same without its body, at once."""
    head, ends, _ = b"".join(step for step in script if isinstance(step, bytes)).partition(_BLANK)
    return [head + ends, *(step for step in script if isinstance(step, End))]


_BLANK = b"\r\n\r\n"
