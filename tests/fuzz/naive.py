"""What the formats say, word by word and as slow as that is, for any bytes at once."""

from __future__ import annotations

import http.client
import io
import re
from typing import Any, NamedTuple

from rawllm.sse import Event


def events(stream: bytes) -> list[Event]:
    """WHATWG's text: decode all, then split, then interpret."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    found: list[Event] = []
    data, event, last_id = "", "", ""
    *lines, _unfinished = re.split("\r\n|\n|\r", text)
    for line in lines:
        if line == "":
            if data:
                found.append(Event(data.removesuffix("\n"), event or "message", last_id))
            data = event = ""
            continue
        name, value = line, ""
        if ":" in line:
            name, value = line.split(":", 1)
            value = value[1:] if value[:1] == " " else value
        if name == "event":
            event = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            last_id = value
    return found


def lines(stream: bytes) -> list[str]:
    """All lines of JSON, one without its end included."""
    blanks = " \t\r"
    split = stream.decode("utf-8", "replace").split("\n")
    return [line.strip(blanks) for line in split if line.strip(blanks)]


class Body(NamedTuple):
    """What a chunked body is. `fault`: it is none from there on."""

    body: bytes
    over: bool
    rest: bytes
    fault: bool


_MOST = 8192  # bytes of a size's line, and of all trailers


def chunked(stream: bytes, *, bare: bool = True) -> Body:
    """RFC 9112 section 7.1; where `bare`, a line may end with LF alone as well."""
    body, rest = b"", stream
    while True:
        line, end, after = rest.partition(b"\n")
        if len(line) + 1 > _MOST:
            return Body(body, over=False, rest=b"", fault=True)
        if not end:
            return Body(body, over=False, rest=b"", fault=False)
        size = re.fullmatch(rb"([0-9A-Fa-f]{1,15})[ \t]*(;.*)?", line.removesuffix(b"\r"), re.S)
        if size is None or not (bare or line.endswith(b"\r")):
            return Body(body, over=False, rest=b"", fault=True)
        left = int(size[1], 16)
        if not left:
            return _trailers(body, after, bare=bare)
        body += after[:left]
        rest = after[left:]
        if rest[:2] == b"\r\n":
            rest = rest[2:]
        elif rest[:1] == b"\n" and bare:
            rest = rest[1:]
        else:
            return Body(body, over=False, rest=b"", fault=rest not in (b"", b"\r"))


def _trailers(body: bytes, rest: bytes, *, bare: bool) -> Body:
    read = 0
    while True:
        line, end, after = rest.partition(b"\n")
        read += len(line) + len(end)
        if read > _MOST or (end and not bare and not line.endswith(b"\r")):
            return Body(body, over=False, rest=b"", fault=True)
        if not end:
            return Body(body, over=False, rest=b"", fault=False)
        if line in (b"", b"\r"):
            return Body(body, over=True, rest=after, fault=False)
        rest = after


class _Bytes(io.BytesIO):
    def makefile(self, *mode: Any) -> Any:
        del mode
        return self

    def close(self) -> None:
        """It is read on, after the body."""


def begun(answer: bytes) -> http.client.HTTPResponse:
    """`answer` as http.client sees it, its head read."""
    response = http.client.HTTPResponse(_Bytes(answer))  # type: ignore[arg-type]  # a socket, as far as it looks
    response.begin()
    return response


def is_whole(answer: bytes) -> bool:
    """Whether a connection that has brought `answer` owes nothing, and can be used again."""
    plain = _plain(answer)
    if not plain:
        return False
    response = begun(plain)
    if response.status < 200 or response.will_close:
        return False
    if response.chunked and "Content-Encoding" in response.headers:
        # What is compressed http.client tells apart, which does not look at how a chunk ends.
        try:
            response.read()
        except (http.client.HTTPException, ValueError):
            return False
        return True
    body = response.fp.read()
    if response.chunked:
        return chunked(body).over
    return response.length is not None and len(body) >= response.length


_INTERIM = re.compile(rb"HTTP/1\.[0-9][ \t]+1(?!01)[0-9]{2}[ \t\r\n]")


def _plain(answer: bytes) -> bytes:
    """`answer` without what http.client does not understand before it, or in its head."""
    head, empty, rest = _head(answer)
    while _INTERIM.match(head):
        head, empty, rest = _head(rest)
    head = re.sub(rb"\r(?!\n)|\0", b" ", head)
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", head)
    lines = re.sub(rb"[ \t]+(?=\r?\n)", b"", unfolded).split(b"\n")
    return b"\n".join(line for line in lines if not line.startswith(b":")) + empty + rest


def _head(answer: bytes) -> tuple[bytes, bytes, bytes]:
    end = re.search(rb"(?<=\n)\r?\n", answer)
    at, to = end.span() if end else (len(answer), len(answer))
    return answer[:at], answer[at:to], answer[to:]
