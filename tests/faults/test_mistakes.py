"""What a caller gets wrong: said in words, by the exception it is, before anything is sent."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import pathlib
import socket
import threading
import types
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

import rawllm
from tests.faults.conftest import Note
from tests.servers import CHAT, answer, serve

CHAPTER = "mistakes"

SECRET = "sk-proj-5Kd0xQ"

#: bytes; so long may the text of an error be.
LONGEST = 2048

SAID = "`TypeError` or `ValueError` that names it, nothing sent"


class Odd:
    """Something that nobody expects, with a long repr that holds a secret."""

    def __repr__(self) -> str:
        return SECRET * 1000


def deep(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def itself(kind: type) -> Any:
    value: Any = kind()
    if isinstance(value, dict):
        value["again"] = value
    else:
        value.append([value])
    return value


def generated() -> Iterator[dict[str, str]]:
    yield {"role": "user", "content": "x"}


Values = tuple[Any, ...]

NAN, INFINITE = math.nan, math.inf
LONE = "\ud800"

#: How each argument is given: by name, with a server's URL and its value.
CALLS: dict[str, Callable[[str, Any], Any]] = {
    "base_url": lambda _, value: rawllm.Client(value).chat("m", "x"),
    "model": lambda url, value: rawllm.Client(url).chat(value, "x"),
    "messages": lambda url, value: rawllm.Client(url).chat("m", value),
    "content": lambda url, value: rawllm.Client(url).chat(
        "m", [{"role": "user", "content": value}]
    ),
    "prompt": lambda url, value: rawllm.Client(url).completions.create(model="m", prompt=value),
    "input": lambda url, value: rawllm.Client(url).embeddings.create(model="m", input=value),
    "an input": lambda url, value: rawllm.Client(url).embeddings.create(model="m", input=[value]),
    "the model's id": lambda url, value: rawllm.Client(url).models.retrieve(value),
    "method": lambda url, value: rawllm.Client(url).request(value, "/x"),
    "path": lambda url, value: rawllm.Client(url).get(value),
    "body": lambda url, value: rawllm.Client(url).post("/x", body=value),
    "an option": lambda url, value: rawllm.Client(url).get("/x", **{value: 1}),
    "an argument": lambda url, value: rawllm.Client(url, **{value: 1}),  # type: ignore[arg-type]
    "another option": lambda url, value: rawllm.Client(url).with_options(**{value: 1}),
    "extra_body.x": lambda url, value: rawllm.Client(url).chat("m", "x", extra_body={"x": value}),
}
#: Arguments of the client, which `with_options` takes too.
OF_CLIENTS = (
    *("api_key", "organization", "project", "max_retries", "loading_timeout", "retry_timeouts"),
    *("default_headers", "default_query", "session", "proxies", "verify", "cert"),
    *("strict_streams", "max_response_bytes"),
)
#: Options and parameters of every call.
OF_CALLS = ("extra_headers", "extra_query", "extra_body", "temperature", "stream", "tools")
#: Options of streams.
OF_STREAMS = ("deadline", "first_token_timeout", "idle_timeout")


def ways(name: str) -> list[Callable[[str, Any], Any]]:
    """All the ways in which the argument of this name can be given."""

    def to_client(url: str, value: Any) -> Any:
        return rawllm.Client(url, **{name: value}).chat("m", "x")

    def to_options(url: str, value: Any) -> Any:
        return rawllm.Client(url).with_options(**{name: value}).chat("m", "x")

    def to_call(url: str, value: Any) -> Any:
        more = {"stream": True} if name in OF_STREAMS else {}
        return rawllm.Client(url).chat("m", "x", **{name: value}, **more)

    if name == "timeout":
        return [to_client, to_options, to_call]
    if name in OF_CLIENTS:
        return [to_client, to_options]
    return [CALLS[name]] if name in CALLS else [to_call]


NO_TIMES: Values = (-1, 0, -0.0, NAN, INFINITE, -INFINITE, "5", b"5", True, [1], {}, Odd())
NO_TIMES_AT_ALL = (*NO_TIMES, decimal.Decimal(5), dt.timedelta(seconds=5))
NO_PAIRS = ((1,), (1, 2, 3), (1, NAN), (NAN, 1), ("1", 2), (0, 1), (-1, 1), ())
NO_COUNTS = (-1, 1.5, 2.0, True, NAN, INFINITE, "2", None, [2], Odd())
NO_FLAGS = ("no", NAN, [1], 2, Odd())
NO_JSON: Values = (
    *({1, 2}, frozenset(), object(), b"x", bytearray(b"x"), memoryview(b"x"), range(3), Odd()),
    *(dt.datetime(2026, 1, 1), dt.date(2026, 1, 1), decimal.Decimal("1.5"), 1 + 2j),
    *(pathlib.Path("x"), print, int, ..., types.SimpleNamespace(a=1), ValueError("x")),
    *(map(str, []), iter([]), rawllm.Client, {"a": {"b": [Odd()]}}, [[Odd()]]),
)
if find_spec("numpy"):
    import numpy as np

    NO_JSON += (np.array([1.0]), np.int64(1), np.float32(1), [np.bool_(True)])
NO_KEYS_OF_JSON: Values = ({(1, 2): 3}, {b"k": 1}, {frozenset(): 1}, {"a": {Odd(): 1}})
NO_MESSAGES: Values = (
    *(None, 5, 1.5, True, {}, {"role": "user", "content": "x"}, b"x", bytearray(b"x"), Odd()),
    *([None], ["x"], [["x"]], [5], ["x", {"role": "user"}], [Odd()]),
    *({1}, frozenset(), iter([]), map(str, []), zip(), (one for one in [5])),
)
NO_PROMPTS: Values = (None, 5, 1.5, True, {}, b"x", {1}, iter([]), map(str, []), zip(), Odd())

#: what is wrong: {an argument: its values}
MISTAKES: dict[str, dict[str, Values]] = {
    "a time that is none: below 0, NaN, infinite, no number": {
        "timeout": (*NO_TIMES_AT_ALL, *NO_PAIRS),
        "deadline": NO_TIMES_AT_ALL,
        "first_token_timeout": NO_TIMES_AT_ALL,
        "idle_timeout": NO_TIMES_AT_ALL,
        "loading_timeout": tuple(v for v in NO_TIMES_AT_ALL if v != 0 or v is False),
    },
    "a count that is none: below 0, NaN, a fraction, no number": {
        "max_retries": NO_COUNTS,
        "max_response_bytes": (0, *NO_COUNTS),
    },
    "a flag that is neither true nor false": {
        "retry_timeouts": NO_FLAGS,
        "strict_streams": NO_FLAGS,
        "stream": ("yes", 1, [1], Odd()),
    },
    "NaN or an infinity in a payload": {
        name: (NAN, INFINITE, -INFINITE, [NAN], (1, NAN), {"a": {"b": [INFINITE]}}, {NAN: 1})
        for name in ("temperature", "tools", "content", "body", "extra_body.x")
    }
    | {"input": ([NAN], [[1, NAN]]), "prompt": ([INFINITE],), "extra_body": ({"x": NAN},)},
    "a payload that contains itself": {
        name: (itself(list), itself(dict))
        for name in ("temperature", "tools", "content", "body", "extra_body.x", "an input")
    },
    "a payload 10,000 deep": {
        name: (deep(10_000), {"a": deep(10_000)})
        for name in ("temperature", "tools", "content", "body", "extra_body.x", "an input")
    },
    "a number without end": {
        name: (10**5000, [10**5000]) for name in ("temperature", "content", "body", "an input")
    },
    "an object that JSON has no form for": dict.fromkeys(
        ("temperature", "tools", "content", "body", "extra_body.x"), NO_JSON
    )
    | {"an input": NO_JSON, "extra_body": ({"x": Odd()},)},
    "a generator in a payload": {
        name: (generated(), [generated()])
        for name in ("messages", "prompt", "input", "tools", "content", "body", "extra_body")
    },
    "a key of a dict that is no text": dict.fromkeys(
        ("temperature", "content", "body", "extra_body.x"), NO_KEYS_OF_JSON
    ),
    "messages that are no list of dicts": {"messages": NO_MESSAGES},
    "a prompt or an input that is neither text nor a list": {
        "prompt": NO_PROMPTS,
        "input": NO_PROMPTS,
    },
    "a model that is no text": {
        "model": (5, True, NAN, b"m", ["m"], {"id": "m"}, Odd(), pathlib.Path("m")),
        "the model's id": (None, 5, True, b"m", "", ["m"], Odd()),
    },
    "a model's id that would lead elsewhere": {
        "the model's id": ("..", ".", "a/../b", "../models", "a\nb", LONE, "../" * 1000)
    },
    "a key that is no text, or that no header holds": {
        "api_key": (
            *(SECRET.encode(), 5, [SECRET], {"key": SECRET}, object(), Odd(), True, print),
            *(f"{SECRET}\n1", f"{SECRET}\rx", f"{SECRET}\0", f"{SECRET}\x7f", f"{SECRET}é"),
            *(f"{SECRET}…", f"{SECRET}{LONE}"),
        ),
    },
    "a base URL that is none": {
        "base_url": (
            *(5, True, b"http://localhost", ["http://localhost"], pathlib.Path("localhost"), Odd()),
            *("ftp://localhost/v1", "file:///etc/passwd", "http://", "https:///v1", "http:/x", "?"),
            *("http://localhost:port/v1", "http://localhost:99999", "http://localhost:-1", "#"),
            *("http://localhost:0/v1", "http://[::1/v1", "http://::1:80/v1", "//", "://localhost"),
            *("http://local\0host/v1", f"http://{LONE}/", "http://h\\@x/", "javascript:alert(1)"),
            *(f"ftp://me:{SECRET}@localhost", f"http://me:{SECRET}@localhost:port"),
            *("http://" + "h" * 100_000, "x" * 100_000 + "://"),
        )
    },
    "a path or a method that is none": {
        "path": (
            *(None, 5, b"/x", ["/x"], Odd()),
            *("http://", "ftp://h/x", "http://h:port/x", "http://["),
        ),
        "method": (None, 5, b"GET", "", "GET /x", "G\nX: 1", LONE, "G" * 9 + "\0", Odd()),
    },
    "headers that are none": {
        name: (
            *(5, "x", [("a", "b")], {"x"}, Odd(), {1: "a"}, {"a b": "c"}, {"": "x"}, {b"a": "b"}),
            *({"a": 1}, {"a": True}, {"a": b"x"}, {"a": ["x"]}, {"a": Odd()}, {"a": "b\nc"}),
            *({"a": "b\r\nX-Evil: 1"}, {"a": "…"}, {"a": LONE}, {"a\n": "x"}, {"é": "x"}),
            *({"X-Api-Key": f"{SECRET}\0"}, {"Transfer-Encoding": "chunked"}),
            *({"content-length": "0"},),
        )
        for name in ("default_headers", "extra_headers")
    },
    "parameters that no query has": {
        name: (
            *(5, "x", [("a", "b")], {"x"}, Odd(), {1: "a"}, {None: 1}, {("x",): 1}, {b"k": "v"}),
            *({"a": NAN}, {"a": INFINITE}, {"a": {"b": 1}}, {"a": Odd()}, {"a": object()}),
            *({"a": LONE}, {"a": itself(list)}, {"a": generated()}, {"a": [[1]]}, {LONE: "1"}),
            *({"a": [Odd()]}, {"a": dt.date(2026, 1, 1)}, {"key": [SECRET, Odd()]}),
        )
        for name in ("default_query", "extra_query")
    },
    "an extra body that is no dict": {"extra_body": (5, "x", [("a", 1)], True, {1}, b"x", Odd())},
    "a session that is none": {
        "session": ("x", 5, object(), True, {}, types, rawllm.Client, Odd())
    },
    "certificates that are none": {
        "verify": (5, [], b"x", NAN, object(), 0, "", {}, Odd()),
        "cert": (5, True, ("a",), ("a", "b", "c"), (1, 2), b"x", object(), Odd()),
    },
    "proxies that are none": {
        "proxies": (
            *(5, "http://p", ["http://p"], Odd(), {"http": 5}, {5: "http://p"}, {"http": b"x"}),
            *({"http": "http://"}, {"http": "http://h:port"}),
            *({"http": f"ftp://me:{SECRET}@h"}, {"http": Odd()}, {f"http://me:{SECRET}@h": "http"}),
        )
    },
    "an organization or a project that no header holds": {
        name: (5, b"x", ["a"], "a\nb", "…", LONE, Odd()) for name in ("organization", "project")
    },
    "an argument that there is not": {
        "an option": ("time_out", "headers", "max_retries", "stream_options", "api_key"),
        "an argument": ("apikey", "basse_url", "headers", "max_retry"),
        "another option": ("time_out", "apikey", "model"),
    },
}


def told(name: str) -> tuple[str, ...]:
    """Words of which the text has to hold one, so that it is clear what was wrong."""
    short = name.removeprefix("extra_body.")
    places = {
        "content": ("messages",),
        "an input": ("input",),
        # Of a body that is a dict its own names are the arguments.
        "body": (
            "the body",
            "a is",
            "a.b is",
            "a[0] is",
            "a.b[0]",
            "a:",
            "a has",
            "again contains",
            "a contains",
        ),
        "extra_body": ("extra_body", "x is", "x:"),
        "organization": ("OpenAI-Organization",),
        "project": ("OpenAI-Project",),
        "path": ("path", "address"),
        "base_url": ("base_url", "address"),
        "extra_headers": ("header",),
        "default_headers": ("header",),
        "extra_query": ("parameter", "extra_query"),
        "default_query": ("parameter", "default_query"),
        "proxies": ("proxies", "proxy"),
        "an option": ("unknown options: ", "api_key"),
        "an argument": ("unexpected keyword argument ",),
        "another option": ("unknown options: ",),
    }
    return places.get(name, (short,))


class Listener:
    """Hangs up on everybody, and has seen who came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.met = 0
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.met += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()
    assert listener.met == 0


def refused(call: Callable[[], Any], words: tuple[str, ...], listener: Listener) -> None:
    """See that the text of the exception is clear, and that nobody was asked."""
    before = listener.met
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert type(caught.value) in (TypeError, ValueError), caught.value
    text = str(caught.value)
    assert any(word in text for word in words), text
    assert len(text.encode("utf-8", "backslashreplace")) < LONGEST
    assert SECRET not in text
    assert listener.met == before


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_before_anything_is_sent(
    mistake: str, listener: Listener, note: Note
) -> None:
    seen = 0
    for name, values in MISTAKES[mistake].items():
        for value in values:
            for call in ways(name):
                refused(lambda: call(listener.url, value), told(name), listener)  # noqa: B023
                seen += 1
    note(mistake, SAID, seen)


#: Calls that cannot be, and words of what is said.
MISUSES: dict[str, Callable[[rawllm.Client], Any]] = {
    "'model'": lambda client: client.chat.completions.create(messages="x"),  # type: ignore[call-overload]
    "'messages'": lambda client: client.chat.completions.create(model="m"),  # type: ignore[call-overload]
    "positional": lambda client: client.chat.completions.create("m", "x"),  # type: ignore[call-overload]
    "multiple values": lambda client: client.chat("m", "x", model="m"),  # type: ignore[call-overload]
    "'input'": lambda client: client.embeddings.create(model="m"),  # type: ignore[call-arg]
    "'path'": lambda client: client.get(),  # type: ignore[call-arg]
    "need stream=True": lambda client: client.chat("m", "x", idle_timeout=5),
    "idle_timeout need": lambda client: client.get("/x", first_token_timeout=5),
    "needs a body that is a dict": lambda c: c.post("/x", body=[1], extra_body={"a": 1}),
}


def test_a_call_that_cannot_be_is_said_too(listener: Listener, note: Note) -> None:
    for words, call in MISUSES.items():
        client = rawllm.Client(listener.url)
        refused(lambda: call(client), (words,), listener)  # noqa: B023
    note("an argument that is missing, given twice, or of another call", SAID, len(MISUSES))


HALVES = ["\ud800", "a\udfffb", "\ud83d"]


def test_half_a_character_is_sent_as_a_replacement(note: Note) -> None:
    with serve(answer(CHAT)) as server, rawllm.Client(server.url) as client:
        for half in HALVES:
            for messages in (half, [{"role": "user", "content": half, half: 1}]):
                assert client.chat("m", messages) == "Hello there!"
                assert "\ufffd" in server.requests[-1].body.decode()
    note("half a character (a lone surrogate) in a text", "sent as U+FFFD", 2 * len(HALVES))
