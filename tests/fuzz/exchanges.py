"""What a call promises of any answer: the whole way from the socket to the caller."""

from __future__ import annotations

import functools
import io
import json
import re
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import rawllm
from rawllm import errors
from rawllm.fold import Fold
from rawllm.objects import Object
from tests.faults.cut_words import Tally
from tests.fuzz import naive, packed
from tests.fuzz.parts import DOCUMENTED, as_json
from tests.fuzz.played import KEY, Ends, Wire, client
from tests.servers import CHAT
from tests.servers import answer as http_answer

MOST = 2048  # bytes of a text for a person
SMALL = 1000  # bytes of an answer that one of the clients accepts

_ASKED: dict[str, Any] = {"model": "m", "messages": "x"}
_PROMPTS: dict[str, Any] = {"model": "m", "prompt": ["x", "y"]}


class Outcome(NamedTuple):
    """What came of a call, to be compared."""

    error: type[BaseException] | None
    text: str
    value: str


def _stream(made: rawllm.ChatStream | rawllm.CompletionStream, *, strict: bool = True) -> Any:
    """The whole answer of a stream, each chunk of which has been looked at."""
    fold, said = Fold(made._whole), Tally()
    try:
        for chunk in made:
            fold.add(chunk)
            said.add(chunk)
    except errors.IncompleteStreamError as error:
        said.check(error.partial)
        _same(error.partial, fold.completion)
        raise
    except errors.StreamError as error:
        said.check_start(error.partial)  # the chunk that is the error may be in it
        raise
    answer = made.completion
    said.check(answer)
    _same(answer, fold.completion)
    assert list(made) == []
    # A server that ignored `stream` sent JSON, which is whole or no JSON at all.
    whole = isinstance(made.response.raw, io.BytesIO)
    finished = any(choice["finish_reason"] not in (None, "") for choice in answer.choices)
    assert finished or whole or not strict
    return answer


def _same(one: Any, other: Any) -> None:
    assert as_json(one) == as_json(other), "what came is there"


@functools.cache
def lenient(client: rawllm.Client) -> rawllm.Client:
    return client.with_options(strict_streams=False)


@functools.cache
def small(client: rawllm.Client) -> rawllm.Client:
    return client.with_options(max_response_bytes=SMALL)


#: What is asked; the first byte of the bytes says which.
CALLS: tuple[Callable[[rawllm.Client], Any], ...] = (
    lambda c: _stream(c.chat.completions.create(**_ASKED, stream=True)),
    lambda c: c.chat.completions.create(**_ASKED),
    lambda c: _stream(c.completions.create(**_PROMPTS, stream=True)),
    lambda c: c.completions.create(**_PROMPTS),
    lambda c: c.embeddings.create(model="m", input="x"),
    lambda c: list(c.models.list()),
    lambda c: c.models.retrieve("m"),
    lambda c: c.get("/any"),
    lambda c: c.chat("m", "x"),
    lambda c: "".join(c.chat("m", "x", stream=True)),
    lambda c: _stream(c.chat.completions.create(**_ASKED, n=2, stream=True)),
    lambda c: _stream(
        lenient(c).chat.completions.create(**_ASKED, stream=True),
        strict=False,
    ),
    lambda c: _bounded(small(c).chat("m", "x")),
    lambda c: _bounded("".join(small(c).chat("m", "x", stream=True))),
    lambda c: c.with_raw_response.get("/any").text,
    lambda c: c.delete("/any"),
)


def _bounded(text: str) -> str:
    # An invalid byte is replaced by three.
    assert len(text.encode(errors="replace")) <= 3 * SMALL
    return text


@functools.cache
def _machinery() -> tuple[rawllm.Client, Wire]:
    """One client and its wire, for as long as the process lives: making them takes time."""
    return client(), Wire()


def put_away() -> None:
    """Close the connection that the client has left."""
    client, wire = _machinery()
    client.close()
    assert not wire.open()


def answered(wire: Wire, asked: rawllm.Client, call: Callable[[rawllm.Client], Any]) -> Outcome:
    """What comes of `call` by what `wire` plays; it has kept every promise about errors."""
    try:
        with wire.plugged():
            value = call(asked)
    except errors.OpenAIError as error:
        outcome = _told(error)
    else:
        outcome = Outcome(None, "", as_json(value))
    left = wire.open()
    assert len(left) <= 1, "a connection that nobody has, beside the one that is pooled"
    for sock in left:
        assert naive.is_whole(sock.taken), "a connection that owes an answer is pooled"
        _next(wire, asked)
    return outcome


def _next(wire: Wire, asked: rawllm.Client) -> None:
    """The next call, on the connection that is pooled: what it gets is its own answer."""
    before, wire.pieces, wire.end = (wire.pieces, wire.end), [_NEXT], Ends.SILENCE
    with wire.plugged():
        assert asked.chat("m", "x") == "Hello there!", "of the call before"
    assert len(wire.open()) == 1
    for sock in wire.open():
        sock.hang_up()  # so that what is fuzzed next begins anew
    wire.pieces, wire.end = before


_NEXT = http_answer(CHAT)


def _told(error: errors.OpenAIError) -> Outcome:
    text = str(error)
    assert type(error) in DOCUMENTED, type(error)
    assert len(text.encode(errors="replace")) < MOST, len(text)
    assert KEY not in text + repr(error)
    return Outcome(type(error), text, as_json(getattr(error, "partial", None)))


def pieces(data: bytes, cut: int) -> list[bytes]:
    """`data` in pieces of about `cut` bytes, of different sizes and not too many."""
    seed, most = zlib.crc32(data), 2 * max(cut, len(data) // 32)
    found, at = [], 0
    while at < len(data):
        size = 1 + (seed >> (at % 24)) % most
        found.append(data[at : at + size])
        at += size
    return found


def response(data: bytes) -> None:
    """The second byte says how the connection ends, and how the bytes that follow are cut.

    From 128 on they are played once more, uncut.
    """
    if len(data) < 3:
        return
    asked, wire = _machinery()
    call = CALLS[data[0] % len(CALLS)]
    twice, cut = divmod(data[1], 128)
    answer = data[2:]
    wire.end, wire.pieces = cut % 3, pieces(answer, 1 + cut)
    found = answered(wire, asked, call)
    # What cannot be decoded may be noticed before or after what came in front of it.
    if twice and b"content-encoding" not in answer.lower():
        wire.pieces = [answer]
        again = answered(wire, asked, call)
        assert _unquoted(again) == _unquoted(found), "cuts make a difference"


def _unquoted(outcome: Outcome) -> Outcome:
    """Without the line that is not HTTP, which is quoted only where it comes at once."""
    return outcome._replace(text=_QUOTED.sub("", outcome.text))


_QUOTED = re.compile(r"(?<=\(not HTTP/1).*(?=\)\n)")


# --- a stream, of which all is known ----------------------------------------

HEADS = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
    "chunked, cut": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n",
    "length, cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9%d\r\n",
    "to the end": b"HTTP/1.1 200 OK\r\n",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n",
}
_FRAMED = ("chunked", "length")


def _played(framing: str, kind: bytes, body: bytes) -> bytes:
    head = HEADS[framing]
    head = head % len(body) if b"%d" in head else head
    if framing.startswith("chunked"):
        body = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        body += b"" if framing.endswith("cut") else b"0\r\n\r\n"
    return head + kind + b"\r\n" + body


def _expected(
    values: list[Any], framing: str, *, done: bool, choices: int, strict: bool
) -> tuple[type[BaseException] | None, Tally]:
    """What the rules for the end of a stream say, told once more, and what had been said."""
    said, chunks = Tally(), 0
    for value in json.loads(json.dumps(values)):
        if value is None:
            continue
        if not isinstance(value, dict):
            return errors.StreamError, said
        if value.get("error") or "error" in (value.get("object"), value.get("type")):
            return errors.StreamAPIError, said
        said.add(value)
        chunks += 1
        if said.failed:
            return errors.StreamAPIError, said
    finished = [reason for reason in said.reasons if reason]
    whole = bool(finished) and (
        done
        or (len(finished) == len(said.reasons) and (framing in _FRAMED or len(finished) >= choices))
    )
    if whole or (chunks and not strict and (done or not framing.endswith("cut"))):
        return None, said
    return errors.IncompleteStreamError, said


def events(data: bytes) -> None:
    """Chunks of any values end as the rules say, and what came is kept."""
    if len(data) < 2:
        return
    asked, wire = _machinery()
    flags = data[0]
    framing = list(HEADS)[data[1] % len(HEADS)]
    done, strict, choices = bool(flags & 1), bool(flags & 2), 1 + bool(flags & 4)
    kind = b"" if flags & 8 else b"Content-Type: text/event-stream\r\n"
    values = packed.unpack(data[2:])
    texts = [f"data: {json.dumps(value)}\n\n" for value in values] + ["data: [DONE]\n\n"] * done
    answer = _played(framing, kind, "".join(texts).encode())
    wire.end = Ends.FIN
    wire.pieces = pieces(answer, 1 + flags)
    used = asked if strict else lenient(asked)
    outcome = answered(
        wire,
        used,
        lambda c: _stream(
            c.chat.completions.create(**_ASKED, n=choices, stream=True), strict=strict
        ),
    )
    expected, said = _expected(values, framing, done=done, choices=choices, strict=strict)
    empty = not any(isinstance(value, Object | dict) for value in values) and not done
    if empty and outcome.error is errors.APIResponseValidationError:
        return  # nothing came that would be a stream
    assert outcome.error is expected, (outcome, expected)
    said.check(json.loads(outcome.value))
