"""What fuzzing has found, and the seeds it began with: no target fails on them any more."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rawllm
from rawllm import sse
from rawllm.fold import Fold
from rawllm.objects import Object, parse
from tests.faults import ledger
from tests.fuzz import __main__ as command
from tests.fuzz import exchanges, naive, packed, parts, played
from tests.fuzz.targets import ODD, TARGETS
from tests.servers import CHAT
from tests.servers import answer as http_answer


@pytest.fixture(autouse=True, scope="module")
def a_client_that_is_put_away() -> Iterator[None]:
    yield
    exchanges.put_away()


#: (the target, the bytes)
FINDINGS = [
    # A key came out of a Location whose control characters were taken out.
    pytest.param(
        "response",
        b"\x07\xa0HTTP/1.1 307 Moved\r\nLocation: /v1/sk-f\x85uzz-0123456789\r\n\r\n",
        id="a key with a control character within",
    ),
    # What is not HTTP was quoted as far as it had come.
    pytest.param("response", b"\0\x80hello there\r\n", id="what is not HTTP, in pieces"),
    pytest.param("response", b"\x01\xa0HT\x03\xebTP/HT", id="what begins like HTTP, in pieces"),
    # A number of thousands of digits, which Python's html.unescape does not take.
    pytest.param(
        "error body",
        b"t<p>&#" + b"1" * 5000 + b";</p>",
        id="a character's number of 5,000 digits",
    ),
    # The connection of a 204 that announced a body was kept, and the body came on it.
    pytest.param(
        "response",
        b"\xa0HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n9e\r\ndat:t\r\n\r\n",
        id="a body after 204",
    ),
    # A count of tokens that was `true`.
    pytest.param(
        "error body",
        base64.b64decode(
            "cIEehR/DNDAwCkBacmVxdWVzdCAoNDgwMDkgdG9rZW5zKSBleGNlZWRzIHRoZSBhdmFpbGFibGUgY29udGV4"
            "dCBzaXplICg0MDk2IHRva2VucyksIHRyeSBpbmNyZWFzaW5nIGl0GDlleGNlZWRfY29udGV4dF9zaXplX2Vy"
            "cm9yKQEAAADFNDgwMDkqxDQwOTY="
        ),
        id="a count that is no number",
    ),
    # The place of a fault that began with a blank, which was lost on the way back.
    pytest.param(
        "error body",
        base64.b64decode(
            "cIEKcIEehApAK0F1dGhlbnRpbnRlcm5hbO+/vaNlcnZl77+9ZW9yX3JybnVhdGhfZXJyb3JcdSQgZDBvdGk="
        ),
        id="a place that begins with a blank",
    ),
    # The text of the error was that of the first read alone.
    pytest.param(
        "response",
        b"\0\x80HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
        id="plain text in two pieces",
    ),
    # The events that came in one read with one that is too long were lost.
    pytest.param(
        "response",
        b"\x0d\x80HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        b'data: {"choices": [{"delta": {"content": "x"}}]}\n\ndata: ' + b"x" * 1100,
        id="an event that is too long after another",
    ),
    # A whole answer that came at once was not measured.
    pytest.param(
        "response",
        b"\x0d\x80HTTP/1.1 200 OK\r\nContent-Length: 1600\r\n\r\n"
        + b'{"choices": [{"index": 0, "message": {"content": "x"}}]}'.ljust(1600),
        id="a whole answer over the limit",
    ),
]


@pytest.mark.parametrize(("target", "found"), FINDINGS)
def test_what_was_found_is_mended(target: str, found: bytes) -> None:
    TARGETS[target].check(found)


@pytest.mark.parametrize("target", TARGETS)
def test_the_recorded_bytes_keep_every_promise(target: str) -> None:
    seeds = TARGETS[target].seeds()
    assert len(seeds) > 100
    for seed in seeds[:: 1 + len(seeds) // 100]:
        TARGETS[target].check(seed)


@pytest.mark.parametrize("odd", ODD)
def test_what_no_server_has_said_keeps_every_promise(odd: bytes) -> None:
    for call in range(len(exchanges.CALLS)):
        for end in (played.Ends.FIN, played.Ends.RST, played.Ends.SILENCE):
            exchanges.response(bytes([call, 129 + end]) + odd)


@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_keep_every_promise(target: str) -> None:
    for first, second in itertools.product(range(0, 256, 37), range(0, 256, 51)):
        seed = bytes([first, second])
        TARGETS[target].check(b"")
        TARGETS[target].check(seed * 3 + b"\r\n" + seed[::-1] * 20)


def test_the_page_has_every_target() -> None:
    rows = [row for row in ledger.read(ledger.PAGE.read_text()) if row.chapter == command.CHAPTER]
    assert [row.fault for row in rows] == list(TARGETS)
    assert {row.outcome for row in rows} == {command.OUTCOME}


# --- a target that could not fail would find nothing --------------------------


class Hasty(sse.Decoder):
    """It forgets the CR at the end of what it is fed."""

    def feed(self, data: bytes) -> list[sse.Event]:
        return super().feed(data.removesuffix(b"\r"))


def test_a_decoder_that_breaks_a_promise_is_found() -> None:
    parts.event_stream(b"data: a\r\rdata: b\r\r")
    with pytest.raises(AssertionError):
        parts.event_stream(b"data: a\r\rdata: b\r\r", Hasty)


def raises(error: BaseException) -> Callable[[rawllm.Client], Any]:
    def call(_: rawllm.Client) -> Any:
        raise error

    return call


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(KeyError("x"), id="undocumented"),
        pytest.param(rawllm.APIError("x"), id="of a class that is never raised itself"),
        pytest.param(rawllm.StreamError("x" * 3000), id="too long"),
        pytest.param(rawllm.StreamError(f"sent {played.KEY}"), id="with the key"),
    ],
)
def test_an_error_that_breaks_a_promise_is_found(error: BaseException) -> None:
    with played.client() as client:
        with pytest.raises((AssertionError, KeyError)):
            exchanges.answered(played.Wire(), client, raises(error))


def test_a_connection_that_is_left_open_is_found() -> None:
    wire = played.Wire()
    left = [wire.connect() for _ in range(2)]
    with played.client() as client:
        with pytest.raises(AssertionError, match="that nobody has"):
            exchanges.answered(wire, client, lambda _: None)
    for sock in left:
        sock.close()
    assert not wire.open()


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "used_again"),
    [
        pytest.param([http_answer(CHAT)], True, id="all of it has been read"),
        pytest.param([http_answer(CHAT), b"more"], False, id="there is more to read"),
        pytest.param([OK + b"Content-Length: 5\r\n\r\n", b"{}"], False, id="some is missing"),
        pytest.param(
            [OK + b"A: b\rc\r\n: d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
            True,
            id="odd headers before the one that counts",
        ),
        pytest.param(
            [OK + b"Transfer-Encoding: chunked\r\n\r\r\n\n0\r\n\r\n"], True, id="a folded blank"
        ),
        pytest.param(
            [OK + b"Content-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1bc0\r\n\r\n"],
            True,
            id="compressed, in chunks that end as they like",
        ),
        pytest.param(
            [OK + b"Content-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1b"],
            False,
            id="compressed, and cut",
        ),
        pytest.param(
            [b"HTTP/1.1 103 x\r\n\r\n", OK + b"Content-Length: 0\r\n\r\n"],
            True,
            id="early hints before it",
        ),
    ],
)
def test_a_connection_is_used_again_where_its_answer_is_over(
    answer: list[bytes], used_again: bool
) -> None:
    asked, wire = played.client(), played.Wire()
    wire.pieces, wire.end = answer, played.Ends.SILENCE
    with wire.plugged(), asked:
        with contextlib.suppress(rawllm.APITimeoutError):
            asked.get("/any")
        first = wire.open()
        wire.pieces = [http_answer(CHAT)]
        assert asked.chat("m", "x") == "Hello there!"
        assert (wire.open() == first) is used_again
        assert [sock.asked for sock in wire.open()] == [1 + used_again]


@pytest.mark.parametrize(
    ("left", "whole"),
    [
        pytest.param(OK + b"Content-Length: 2\r\n\r\n{}", True, id="all of a length"),
        pytest.param(OK + b"Content-Length: 3\r\n\r\n{}", False, id="less than its length"),
        pytest.param(OK + parts.CHUNKED + b"0\r\n\r\n", True, id="all chunks"),
        pytest.param(OK + parts.CHUNKED + b"2\r\n{}\r\n", False, id="no last chunk"),
        pytest.param(OK + b"\r\n{}", False, id="to the end of the connection"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n", False, id="the answer is to come"),
        pytest.param(
            OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n", False, id="the server closes"
        ),
    ],
)
def test_an_answer_is_whole_or_owed(left: bytes, whole: bool) -> None:
    assert naive.is_whole(left) is whole


class Forgetful(Fold):
    """It loses all text."""

    def add(self, chunk: Object, event_bytes: int = 0) -> None:
        told = json.loads(json.dumps(chunk))
        for choice in told.get("choices") or []:
            (choice.get("delta") or {}).pop("content", None)
        super().add(parse(json.dumps(told)), event_bytes)


def test_a_fold_that_loses_text_is_found() -> None:
    chunk = packed.pack({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})
    parts.fold(b"-" + chunk)
    with pytest.raises(AssertionError, match="content"):
        parts.fold(b"-" + chunk, Forgetful)


# --- values from bytes --------------------------------------------------------

VALUES = [
    pytest.param(value, id=str(at))
    for at, value in enumerate(
        [
            *packed.CONSTANTS[:10],
            *("", "word", "x" * 40, "é" * 500, 17, -40, 1.25, 10**20),
            *([], {}, [1, [2, {"a": None}]], {"choices": [{"delta": {"content": "Hi"}}]}),
        ]
    )
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_from_its_bytes(value: object) -> None:
    assert packed.unpack(packed.pack(value)) == [value]


def test_any_bytes_are_values() -> None:
    assert packed.unpack(b"") == []
    for data in (bytes(range(256)), bytes(range(255, -1, -1)), b"\x9f" * 50, b"\xbf" * 50):
        assert packed.unpack(data)


@pytest.mark.parametrize(
    ("stream", "body"),
    [
        (b"1\r\na\r\n0\r\n\r\nrest", naive.Body(b"a", over=True, rest=b"rest", fault=False)),
        (b"1\r\na", naive.Body(b"a", over=False, rest=b"", fault=False)),
        (b"1\r\nab\r\n", naive.Body(b"a", over=False, rest=b"", fault=True)),
        (b"x\r\n", naive.Body(b"", over=False, rest=b"", fault=True)),
        (b"0" * 9000, naive.Body(b"", over=False, rest=b"", fault=True)),
    ],
    ids=["whole", "cut", "too long a chunk", "no size", "an endless size"],
)
def test_the_naive_reading_of_chunks(stream: bytes, body: naive.Body) -> None:
    assert naive.chunked(stream) == body


# --- the command --------------------------------------------------------------


def test_the_command_fuzzes_and_says_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("atheris")
    options = ["--runs", "300", "--seed", "1", "--findings", str(tmp_path / "found")]
    assert command.main(["NDJSON", *options, "--corpus", str(tmp_path / "corpus")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("NDJSON: ")
    assert ", 0 findings\n" in said
    assert list((tmp_path / "corpus" / "NDJSON").iterdir())


def test_a_target_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["nothing", "--runs", "1"])
    assert "there are: event stream, NDJSON" in capsys.readouterr().err
