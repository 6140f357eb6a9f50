"""A request to a `Site` without a socket, and what it plays, read the naive way."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from rawllm.testing import Site
from rawllm.testing.scripts import End, Request, Script, Step

PLAIN = Site()

HELLO = "Good morning, everyone! How is the weather in Paris?"


class Reply(NamedTuple):
    """What a script sends, its body without framing, and whether the connection goes on."""

    #: 0 where not a byte is sent.
    status: int
    headers: dict[str, str]
    body: bytes
    script: list[Step]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def choice(self) -> Any:
        """The only one of a whole answer."""
        [choice] = self.json["choices"]
        return choice

    @property
    def data(self) -> list[str]:
        """The data of each event, `[DONE]` among them."""
        events = self.body.decode().split("\n\n")
        return [event.removeprefix("data: ") for event in events if event.startswith("data: ")]

    @property
    def chunks(self) -> list[Any]:
        return [json.loads(data) for data in self.data if data != "[DONE]"]

    @property
    def ends(self) -> list[End]:
        return [step for step in self.script if isinstance(step, End)]


def ask(
    path: str,
    body: object = None,
    *,
    site: Site = PLAIN,
    method: str = "",
    headers: dict[str, str] | None = None,
) -> Reply:
    """The answer; `body` is bytes or becomes JSON. Without one it is a GET."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    method = method or ("GET" if body is None else "POST")
    return read(site.answer(Request(method, path, headers or {}, data)))


def chat(model: str = "m", messages: object = HELLO, *, site: Site = PLAIN, **given: Any) -> Reply:
    """A chat; a text is the only message."""
    listed = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    body = {"model": model, "messages": listed} | given
    return ask("/v1/chat/completions", body, site=site)


def complete(model: str = "m", prompt: object = HELLO, **given: Any) -> Reply:
    return ask("/v1/completions", {"model": model, "prompt": prompt} | given)


def read(script: Script) -> Reply:
    raw = b"".join(step for step in script if isinstance(step, bytes))
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    return Reply(int(first.split()[1]) if first else 0, headers, body, script)


def unchunked(body: bytes) -> bytes:
    """The data in the chunks, as far as they came."""
    data, rest = b"", body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        data += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return data
