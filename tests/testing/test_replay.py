"""Recordings, served again: each byte and each end as it was, and which one a request gets."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rawllm
from rawllm.testing.replay import Replay
from rawllm.testing.scripts import End, Pause, Request, Script
from rawllm.testing.server import Exchange, Server
from tests import servers
from tests.recordings import RECORDINGS, STREAMS, WIRE, Recording
from tests.test_wire import ask

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def post(value: Any, path: str = "/v1/chat/completions", **headers: str) -> Request:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Request("POST", path, headers, body)


def sent(request: Request) -> bytes:
    """As it goes over the wire."""
    fields = {**request.headers, "content-length": str(len(request.body))}
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + request.body


class Folder:
    """A directory of recordings, which answer with their name unless told otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(
        self, name: str, request: Request | bytes, answer: bytes | None = None, timing: Any = None
    ) -> None:
        data = request if isinstance(request, bytes) else sent(request)
        self.write(f"{name}.request", data)
        words = ANSWER % (len(name), name.encode())
        self.write(f"{name}.response", words if answer is None else answer)
        if timing is not None:
            self.write(f"{name}.timing", json.dumps(timing).encode())

    def write(self, name: str, data: bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def name_of(script: Script) -> str:
    """The recording that answered, or the words of a 404."""
    (answer,) = script
    assert isinstance(answer, bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    return str(json.loads(body)["error"]["message"]) if b" 404 " in head else body.decode()


# --- byte for byte ----------------------------------------------------------


def without_pauses(answer: Callable[[Request], Script]) -> Callable[[Request], Script]:
    return lambda request: [step for step in answer(request) if not isinstance(step, Pause)]


def read(client: socket.socket, data: bytes) -> bytes:
    """Every byte that comes back for `data`. The client says that it asks no more."""
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := client.recv(1 << 16):
        answer += piece
    return answer


def test_every_recording_is_served_byte_for_byte() -> None:
    with Server(without_pauses(Replay(WIRE).answer)) as server:
        for recording in RECORDINGS:
            request = (WIRE / f"{recording.name}.request").read_bytes()
            with socket.create_connection((server.host, server.port)) as client:
                assert (recording.name, read(client, request)) == (recording.name, recording.raw)


def test_a_recording_takes_its_time() -> None:
    exchanges: list[Exchange] = []
    name = "litellm/upstream-cut-chat_stream_usage"
    timing = json.loads((WIRE / f"{name}.timing").read_text())
    with Server(Replay(WIRE).answer, seen=exchanges.append) as server:
        with socket.create_connection((server.host, server.port)) as client:
            read(client, (WIRE / f"{name}.request").read_bytes())
    assert [len(data) for _, data in exchanges[0].sent] == [size for _, size in timing["recv"]]
    for (seconds, _), (recorded, _) in zip(exchanges[0].sent, timing["recv"], strict=True):
        assert seconds > recorded - 0.001


def test_the_times_of_every_recording_are_pauses() -> None:
    for recording in Replay(WIRE).recordings:
        timing = WIRE / f"{recording.name}.timing"
        waited = sum(step.seconds for step in recording.script if isinstance(step, Pause))
        last = json.loads(timing.read_text())["recv"][-1][0] if timing.exists() else 0
        assert waited == pytest.approx(last)


def outcome(recording: Recording, url: str) -> Any:
    """What the client makes of it: the answer, the chunks, or the error's class and words."""
    try:
        answer = ask(url, recording)
        return list(answer) if isinstance(answer, rawllm.Stream) else answer
    except rawllm.APIError as error:
        port = url.split(":")[2].partition("/")[0]
        return type(error), str(error).replace(port, "PORT"), getattr(error, "partial", None)


#: Those whose question is one that a caller of the client can ask, and some of them.
ASKABLE = [r for r in RECORDINGS if r.method == "GET" or r.asked.keys() >= {"model", "messages"}]
SOME = {r.name: r for r in [*ASKABLE[::8], *STREAMS[::8]] if r in ASKABLE}


@pytest.mark.parametrize("recording", SOME.values(), ids=SOME)
def test_the_client_gets_what_it_got_from_the_server(recording: Recording, tmp_path: Path) -> None:
    for file in WIRE.glob(f"{recording.name}.*"):
        shutil.copy(file, tmp_path)
    with servers.serve([recording.raw, servers.End.FIN]) as played:
        expected = outcome(recording, played.url)
    with Server(without_pauses(Replay(tmp_path).answer)) as server:
        assert outcome(recording, server.url) == expected


# --- how a connection ends --------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
WHOLE = ANSWER % (1, b"a")


def timing(end: str, *sizes: int) -> dict[str, Any]:
    return {"end": end, "recv": [[0.0, size] for size in sizes]}


ENDS: dict[str, tuple[bytes, Any, list[End]]] = {
    # name: (answer, timing, what comes behind its bytes)
    "a length": (WHOLE, None, []),
    "chunks": (CHUNKED + b"0\r\n\r\n", None, []),
    "chunks and a trailer": (CHUNKED + b"0\r\nX-Sum: 1\r\n\r\n", None, []),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", None, []),
    "behind a 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, None, []),
    "nothing": (b"", None, [End.FIN]),
    "a cut word": (b"HT", None, [End.FIN]),
    "a cut status": (WHOLE[:10], None, [End.FIN]),
    "a cut head": (WHOLE[:20], None, [End.FIN]),
    "a cut head that has no body": (b"HTTP/1.1 204 No Content\r\n", None, [End.FIN]),
    "a cut length": (WHOLE[:-1], None, [End.FIN]),
    "cut chunks": (CHUNKED, None, [End.FIN]),
    "a cut chunk": (CHUNKED[:-3], None, [End.FIN]),
    "no last empty line": (CHUNKED + b"0\r\n", None, [End.FIN]),
    "no framing": (b"HTTP/1.1 200 OK\r\n\r\na", None, [End.FIN]),
    "HTTP/1.0": (WHOLE.replace(b"1.1", b"1.0"), None, [End.FIN]),
    "it says so": (WHOLE.replace(b"Con", b"Connection: close\r\nCon"), None, [End.FIN]),
    "timed": (CHUNKED + b"0\r\n\r\n", timing("chunked-end", len(CHUNKED), 5), []),
    "timed, but cut": (CHUNKED, timing("chunked-end", len(CHUNKED)), [End.FIN]),
    "closed": (WHOLE, timing("closed", len(WHOLE)), [End.FIN]),
    "reset": (CHUNKED, timing("reset", len(CHUNKED)), [End.RST]),
    "silent": (CHUNKED, timing("silence", len(CHUNKED)), [End.SILENCE]),
    "reset without a word": (b"", timing("reset"), [End.RST]),
}


@pytest.mark.parametrize(("answer", "timing", "ends"), ENDS.values(), ids=ENDS)
def test_the_connection_ends_as_it_did(
    folder: Folder, answer: bytes, timing: Any, ends: list[End]
) -> None:
    folder.add("one", post(CHAT), answer, timing)
    script = Replay(folder.path).answer(post(CHAT))
    assert b"".join(step for step in script if isinstance(step, bytes)) == answer
    assert [step for step in script if isinstance(step, End)] == ends
    assert not ends or script[-1] is ends[0]


def test_the_answer_to_a_head_has_a_length_but_no_body(folder: Folder) -> None:
    folder.add("one", b"HEAD /v1/models HTTP/1.1\r\n\r\n", WHOLE[:-1])
    assert Replay(folder.path).answer(Request("HEAD", "/v1/models", {}, b"")) == [WHOLE[:-1]]


def test_a_pause_stands_before_each_read_that_came_later(folder: Folder) -> None:
    recv = [[0.25, 20], [0.25, len(CHUNKED) - 20], [0.2, 3], [1.0, 2]]
    answer = CHUNKED + b"0\r\n\r\n"
    folder.add("one", post(CHAT), answer, {"end": "chunked-end", "recv": recv})
    assert Replay(folder.path).recordings[0].script == [
        Pause(0.25),
        answer[:20],
        answer[20:-5],
        answer[-5:-2],
        Pause(0.75),
        answer[-2:],
    ]


# --- which recording --------------------------------------------------------


def like(**other: Any) -> dict[str, Any]:
    return {**CHAT, **other}


HI, BYE = CHAT["messages"], [{"role": "user", "content": "Bye"}]

ASKED: dict[str, tuple[dict[str, Request], Request, str]] = {
    # name: (recordings, what is asked, which one answers)
    "the same": ({"a": post(CHAT), "b": post(like(seed=1))}, post(CHAT), "a"),
    "in another order": (
        {"a": post(like(n=1)), "b": post(CHAT)},
        post(dict(reversed(like(n=1).items()))),
        "a",
    ),
    "with other blanks": ({"a": post(CHAT)}, post(json.dumps(CHAT, indent=2).encode()), "a"),
    "with other headers": ({"a": post(CHAT, accept="*/*")}, post(CHAT, host="there"), "a"),
    "one more parameter": (
        {"a": post(like(stream=True)), "b": post(CHAT)},
        post(like(stream=True, stream_options={"include_usage": True})),
        "a",
    ),
    "another value": (
        {"a": post(like(seed=1, n=2)), "b": post(like(seed=1))},
        post(like(seed=2)),
        "b",
    ),
    "the fewest that differ": (
        {"a": post(like(seed=1, top_k=1)), "b": post(like(seed=2, top_k=2))},
        post(like(seed=2, top_k=2, user="me")),
        "b",
    ),
    "stream said or not": ({"a": post(CHAT)}, post(like(stream=False)), "a"),
    "stream is null": ({"a": post(CHAT)}, post(like(stream=None)), "a"),
    "of the same key": (
        {"a": post(CHAT, authorization="Bearer a"), "b": post(CHAT, authorization="Bearer b")},
        post(CHAT, authorization="Bearer b"),
        "b",
    ),
    "without a key": (
        {"a": post(CHAT, authorization="Bearer a"), "b": post(CHAT)},
        post(CHAT),
        "b",
    ),
    "of another key": (
        {"a": post(CHAT, authorization="Bearer a")},
        post(CHAT, authorization="Bearer b"),
        "a",
    ),
    "the parameters count for more than the key": (
        {"a": post(like(seed=1), authorization="Bearer b"), "b": post(CHAT)},
        post(CHAT, authorization="Bearer b"),
        "b",
    ),
    "no JSON": ({"a": post(b"{"), "b": post(b"[")}, post(b"["), "b"),
    "too deep": ({"a": post(b"[" * 100_000)}, post(b"[" * 100_000), "a"),
    "no object": ({"a": post([1]), "b": post([2])}, post([2]), "b"),
    "a prompt": (
        {"a": post({"model": "m", "prompt": "Hi"}), "b": post({"model": "m", "prompt": "Bye"})},
        post({"model": "m", "prompt": "Bye", "seed": 1}),
        "b",
    ),
    "another path's": (
        {"a": post(CHAT, "/v1/completions"), "b": post(CHAT)},
        post(CHAT),
        "b",
    ),
    "of a query": (
        {"a": post(CHAT, "/x?a=1"), "b": post(CHAT, "/x?a=2")},
        post(CHAT, "/x?a=2"),
        "b",
    ),
    "nothing but a path": (
        {"a": post(b"", "/v1/models"), "b": Request("GET", "/v1/models", {}, b"")},
        Request("GET", "/v1/models", {}, b""),
        "b",
    ),
    "in a folder": ({"in/a folder/gpt-4.1": post(CHAT)}, post(CHAT), "in/a folder/gpt-4.1"),
}


@pytest.mark.parametrize(("recordings", "asked", "name"), ASKED.values(), ids=ASKED)
def test_a_request_gets_the_recording_that_fits(
    folder: Folder, recordings: dict[str, Request], asked: Request, name: str
) -> None:
    for each, request in recordings.items():
        folder.add(each, request)
    replay = Replay(folder.path)
    assert [name_of(replay.answer(asked)) for _ in range(3)] == [name] * 3


UNKNOWN: dict[str, tuple[Request, str]] = {
    # name: (what is asked, what the error says)
    "another model": (
        post(like(model="x")),
        "No recording of POST /v1/chat/completions with "
        '{"model": "x", "messages": [{"role": "user", "content": "Hi"}], "stream": false}. '
        "Of this path there are: chat_0, chat_1, chat_2, chat_3, chat_4, and 2 more.",
    ),
    "other messages": (post(like(messages=BYE)), '"content": "Bye"}], "stream": false}. Of this'),
    "a long question": (post(like(messages="x" * 9000)), "xxxx. Of this path there are: chat_0"),
    "streamed": (post(like(stream=True)), '"stream": true}. Of this path there are: chat_0, '),
    "other text to count": (
        post({"content": "Bye"}, "/tokenize"),
        "No recording of POST /tokenize with "
        '{"content": "Bye", "stream": false}. Of this path there are: tokens.',
    ),
    "not an object": (post(b"Hi", "/tokenize"), 'POST /tokenize with {"": "b\'Hi\'", '),
    "another path": (
        Request("GET", "/v1/models", {}, b""),
        "No recording of GET /v1/models. "
        "There is none of this path, but of: POST /tokenize, POST /v1/chat/completions.",
    ),
    "another query": (post(CHAT, "/tokenize?x"), "There is none of this path, but of: "),
    "another method": (
        Request("GET", "/tokenize", {}, b""),
        "No recording of GET /tokenize. Of this path there are: tokens.",
    ),
}


@pytest.mark.parametrize(("asked", "words"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_no_recording_fits_is_a_404_that_says_which_there_are(
    folder: Folder, asked: Request, words: str
) -> None:
    for number in range(7):
        folder.add(f"chat_{number}", post(like(seed=number)))
    folder.add("tokens", post({"content": "Hi"}, "/tokenize"))
    told = name_of(Replay(folder.path).answer(asked))
    assert words in told
    assert len(told) < 600


def test_the_client_shows_the_words_of_a_404(folder: Folder) -> None:
    folder.add("one", post(CHAT))
    with Server(Replay(folder.path).answer) as server, rawllm.Client(server.url) as client:
        with pytest.raises(rawllm.NotFoundError, match="Of this path there are: one"):
            client.chat("m", "Bye")


def test_several_that_fit_answer_in_turn(folder: Folder) -> None:
    for name in "cab":
        folder.add(name, post(CHAT))
    folder.add("other", post(like(messages=BYE)))
    replay = Replay(folder.path)
    answers = []
    for _ in range(4):
        answers.append(name_of(replay.answer(post(CHAT))))
        assert name_of(replay.answer(post(like(messages=BYE)))) == "other"
    assert answers == ["a", "b", "c", "a"]


# --- what is broken ---------------------------------------------------------


def broken(**files: bytes | None) -> dict[str, bytes]:
    """The files of one recording, some of them otherwise or not there."""
    whole = {"request": sent(post(CHAT)), "response": WHOLE, **files}
    return {name: data for name, data in whole.items() if data is not None}


BROKEN: dict[str, tuple[dict[str, bytes], str]] = {
    # name: (files, what the error says)
    "no request": (broken(request=None), r"No such file .*one\.request"),
    "no response": (broken(response=None), r"No such file .*one\.response"),
    "a timing alone": ({"timing": b"{}"}, r"one\.request"),
    "half a request": (broken(request=sent(post(CHAT))[:-1]), "not one whole request"),
    "an empty request": (broken(request=b""), "not one whole request"),
    "two requests": (broken(request=sent(post(CHAT)) * 2), "not one whole request"),
    "no request of HTTP": (broken(request=b"{}\n"), "its request is not a request line"),
    "no response of HTTP": (broken(response=b"{}"), "its response is not of HTTP: b'{}'"),
    "no status": (
        broken(response=b"HTTP/1.1 x\r\n\r\n"),
        "its response is not of HTTP: BadStatusLine",
    ),
    "no timing": (broken(timing=b"x"), "Expecting value"),
    "a timing that is a list": (broken(timing=b"[]"), "its timing cannot be read: TypeError"),
    "no reads": (broken(timing=b'{"end": "reset"}'), r"cannot be read: KeyError\('recv'\)"),
    "reads of nothing": (broken(timing=b'{"end":"reset","recv":[[1]]}'), "cannot be read: Value"),
    "an unknown end": (broken(timing=b'{"end":"x","recv":[]}'), r"cannot be read: KeyError\('x'\)"),
    "too few bytes": (
        broken(timing=b'{"end":"closed","recv":[[0,1]]}'),
        f"its timing has 1 bytes, its answer {len(WHOLE)}",
    ),
}


@pytest.mark.parametrize(("files", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_recording_is_an_error_that_names_it(
    folder: Folder, files: dict[str, bytes], words: str
) -> None:
    for suffix, data in files.items():
        folder.write(f"in/one.{suffix}", data)
    with pytest.raises(ValueError, match=f"recording in/one in .* is broken: .*{words}") as caught:
        Replay(folder.path)
    assert str(folder.path) in str(caught.value)


@pytest.mark.parametrize("name", [".", "not there"])
def test_a_directory_without_recordings_is_an_error(folder: Folder, name: str) -> None:
    folder.write("README.md", b"no recordings yet")
    with pytest.raises(ValueError, match=r"no recordings in .*: it has no file NAME\.request"):
        Replay(str(folder.path / name))
