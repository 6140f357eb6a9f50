"""The recorded exchanges of real servers in `tests/wire/`: request and response, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

WIRE = Path(__file__).parent / "wire"


class Recording(NamedTuple):
    """One exchange. `raw` is every byte that came back, status line and framing included."""

    name: str
    method: str
    path: str
    request: bytes
    raw: bytes

    @property
    def _parts(self) -> tuple[bytes, bytes]:
        head, _, rest = self.raw.partition(b"\r\n\r\n")
        return head, rest

    @property
    def status(self) -> int:
        """0 where the server closed the connection without a word."""
        return int(self.raw.split(b" ", 2)[1]) if self.raw else 0

    @property
    def headers(self) -> dict[str, str]:
        lines = self._parts[0].decode("latin-1").split("\r\n")[1:]
        return {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}

    @property
    def body_start(self) -> int:
        return len(self._parts[0]) + 4

    @property
    def chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "") == "chunked"

    @property
    def body(self) -> bytes:
        """The body without its framing, as far as it came."""
        return b"".join(data for _, data in self.pieces)

    @property
    def pieces(self) -> list[tuple[int, bytes]]:
        """The body's bytes, in pieces, each with its offset in `raw`."""
        if not self.chunked:
            return [(self.body_start, self.raw[self.body_start :])]
        pieces, at = [], self.body_start
        while at < len(self.raw):
            line, newline, _ = self.raw[at:].partition(b"\r\n")
            size = int(line, 16) if newline else 0
            if not size:
                break
            start = at + len(line) + 2
            pieces.append((start, self.raw[start : start + size]))
            at = start + size + 2
        return pieces

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def asked(self) -> dict[str, Any]:
        """The request's JSON, empty where it had none or a broken one."""
        try:
            asked = json.loads(self.request)
        except ValueError:
            return {}
        return asked if isinstance(asked, dict) else {}

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream of the protocol's that says something."""
        kind = self.headers.get("content-type", "")
        protocol = self.path in ("/v1/chat/completions", "/v1/completions")
        return self.status == 200 and "event-stream" in kind and protocol and bool(self.body)


def _load(path: Path) -> Recording:
    head, _, body = path.with_suffix(".request").read_bytes().partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    name = f"{path.parent.name}/{path.stem}"
    return Recording(name, method, target, body, path.read_bytes())


RECORDINGS = [_load(path) for path in sorted(WIRE.glob("*/*.response"))]
STREAMS = [recording for recording in RECORDINGS if recording.is_stream]


@cache
def caller(recording: Recording) -> Callable[..., Any]:
    """A function of a client, and of options, that makes the recorded request, as far as it can."""
    method, path, body = recording.method, recording.path, recording.asked
    match method, path:
        case "POST", "/v1/chat/completions":
            return lambda client, **options: client.chat.completions.create(
                model="m", messages="x", extra_body=body, **options
            )
        case "POST", "/v1/completions":
            return lambda client, **options: client.completions.create(
                model="m", prompt="x", extra_body=body, **options
            )
        case "POST", "/v1/embeddings":
            return lambda client, **options: client.embeddings.create(
                model="m", input="x", extra_body=body, **options
            )
        case "GET", "/v1/models":
            return lambda client, **options: client.models.list(**options)
        case "GET", _ if path.startswith("/v1/models/"):
            return lambda client, **options: client.models.retrieve(
                path.removeprefix("/v1/models/"), **options
            )
    return lambda client, **options: client.request(
        method, client.base_url.removesuffix("/v1") + path, body=body or None, **options
    )
