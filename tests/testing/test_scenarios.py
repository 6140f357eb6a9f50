"""Every row of the table: what the client makes of it, and what stands in the bytes."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rawllm
from rawllm import testing
from rawllm.envelopes import SHAPES
from rawllm.testing import rows
from rawllm.testing.dialects import DIALECTS
from rawllm.testing.rows import Scenario
from rawllm.testing.scenarios import SCENARIOS, checked, found

HELLO = "Hello, how is the weather in Paris?"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
#: Rows that wait or are tried again, and with which argument they are short.
ARGUMENTS = {"slow": "slow:1", "long": "long:50"}
#: Rows that remember what was asked before: each test has a server of its own for them.
REMEMBERING = {"loading", "retry"}
SILENT = {"cut-silence", "silence"}

ROWS = [pytest.param(name, row, id=name) for name, row in SCENARIOS.items()]


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    with testing.serve() as url:
        yield url


@pytest.fixture
def url(request: pytest.FixtureRequest, shared: str) -> Iterator[str]:
    if request.node.callspec.params["name"] not in REMEMBERING:
        yield shared
        return
    with testing.serve() as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[rawllm.Client]:
    with rawllm.Client(url, max_retries=0, timeout=(5, 30)) as client:
        yield client


def able(client: rawllm.Client, name: str) -> rawllm.Client:
    """The client with the options that a row needs to show itself."""
    if name in SILENT:
        return client.with_options(timeout=(5, 0.3))
    return client.with_options(max_retries=1) if name == "retry" else client


def asked(name: str) -> dict[str, Any]:
    question: dict[str, Any] = {"model": ARGUMENTS.get(name, name), "messages": HELLO}
    tools = {"tools": [WEATHER]} if name.startswith("tools") else {}
    return question | tools


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_a_stream_ends_for_the_client_as_the_table_says(
    client: rawllm.Client, name: str, row: Scenario
) -> None:
    client = able(client, name)
    if row.streamed is None:
        stream = client.chat.completions.create(**asked(name), stream=True)
        assert list(stream)
        assert stream.finished
        assert all(choice.finish_reason for choice in stream.completion.choices)
        return
    with pytest.raises(row.streamed) as caught:
        list(client.chat.completions.create(**asked(name), stream=True))
    assert type(caught.value) is row.streamed
    if isinstance(caught.value, rawllm.StreamError):
        assert caught.value.partial.choices[0].message.content
        assert HELLO.startswith(caught.value.partial.choices[0].message.content[:5])


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_a_whole_answer_ends_for_the_client_as_the_table_says(
    client: rawllm.Client, name: str, row: Scenario
) -> None:
    client = able(client, name)
    if row.whole is None:
        answer = client.chat.completions.create(**asked(name))
        assert answer.choices[0].finish_reason
        return
    with pytest.raises(row.whole) as caught:
        client.chat.completions.create(**asked(name))
    assert type(caught.value) is row.whole


@pytest.mark.parametrize(
    "name", [n for n, row in SCENARIOS.items() if not (row.streamed or row.whole)]
)
def test_the_stream_says_what_the_whole_answer_says(client: rawllm.Client, name: str) -> None:
    """All that a client is to rely on: text, thoughts, calls and why it ended."""
    client = able(client, name)
    whole = client.chat.completions.create(**asked(name)).choices[0]
    folded = client.chat.completions.create(**asked(name), stream=True).completion.choices[0]
    assert folded.message.text == whole.message.text
    assert folded.message.reasoning_text == whole.message.reasoning_text
    assert (folded.message.refusal or None) == (whole.message.refusal or None)
    assert folded.finish_reason == whole.finish_reason
    calls = [
        [(call.id, call.function.name, json_of(call.function.arguments)) for call in calls]
        for calls in (folded.message.tool_calls or [], whole.message.tool_calls or [])
    ]
    assert calls[0] == calls[1]


def json_of(arguments: object) -> object:
    """What a text says as JSON; itself where it is none."""
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments


def test_the_broken_arguments_of_a_call_are_not_json(shared: str) -> None:
    with rawllm.Client(shared) as client:
        (choice,) = client.chat.completions.create(**asked("tools-broken")).choices
        (call,) = choice.message.tool_calls
    with pytest.raises(json.JSONDecodeError):
        json.loads(call.function.arguments)
    assert json.loads(call.function.arguments + "}") == {"city": "Paris"}


def test_a_connection_that_died_does_not_end_the_second_request(shared: str) -> None:
    with rawllm.Client(shared, max_retries=1) as client:
        for _ in range(2):
            assert client.chat("keep-alive-dies", HELLO) == HELLO


# --- the bytes, as a client that knows nothing sees them --------------------


def request_of(name: str, *fields: str) -> bytes:
    """A streamed chat with a row's model, as it is sent."""
    usage = {"stream_options": {"include_usage": True}} if name.startswith("usage-") else {}
    messages = [{"role": "user", "content": HELLO}]
    data = json.dumps(asked(name) | usage | {"messages": messages, "stream": True}).encode()
    head = "POST /v1/chat/completions HTTP/1.1", "Host: x", *fields
    return "\r\n".join([*head, f"Content-Length: {len(data)}", "", ""]).encode() + data


def connect(url: str) -> socket.socket:
    port = int(re.findall(r":(\d+)", url)[0])
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def sent(url: str, name: str) -> tuple[bytes, str]:
    """The bytes of an answer on a connection that is to close after it; and how it ended."""
    got = b""
    with connect(url) as connection:
        connection.sendall(request_of(name, "Connection: close"))
        if name in SILENT:
            connection.settimeout(0.5)
        while True:
            try:
                piece = connection.recv(1 << 16)
            except TimeoutError:
                return got, "silence"
            except ConnectionResetError:
                return got, "RST"
            if not piece:
                return got, "FIN"
            got += piece


def is_framed(got: bytes) -> bool:
    """Whether the body is as long as its head says, or has its last chunk."""
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return len(body) == int(length[1]) if length else (b"\r\n" + body).endswith(b"\r\n0\r\n\r\n")


#: How the connection ends, and whether the body was whole by its framing.
ENDS = {
    "cut-fin": ("FIN", False),
    "cut-rst": ("RST", False),
    "cut-silence": ("silence", False),
    "silence": ("silence", False),
    "hang-up": ("FIN", False),
    "closing": ("FIN", False),
    "plain-mlx-lm": ("FIN", False),
    "think-mlx-lm": ("FIN", False),
    "tools-mlx-lm": ("FIN", False),
}


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_the_bytes_that_the_table_names_are_sent(url: str, name: str, row: Scenario) -> None:
    got, end = sent(url, name)
    assert row.shows in got
    assert not row.lacks or row.lacks not in got
    assert bool(got) == (name not in NOTHING)
    assert (end, is_framed(got)) == ENDS.get(name, ("FIN", True))


#: Rows that send no byte; and those that differ in time, or in what follows.
NOTHING = {"silence", "hang-up"}
LIKE_PLAIN = {"plain", "slow", "redirect", "keep-alive-dies", "usage-null"}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        pytest.param(name, row, id=name)
        for name, row in SCENARIOS.items()
        if name not in NOTHING | LIKE_PLAIN | rows.forms().keys()
    ],
)
def test_a_row_shows_what_sets_it_apart_from_an_answer_that_is_plain(
    url: str, name: str, row: Scenario
) -> None:
    usual, _ = sent(url, "usage-null" if name.startswith("usage-") else "plain")
    assert row.shows
    assert row.shows not in usual or (row.lacks and row.lacks in usual)


def test_a_connection_that_dies_does_so_at_the_second_request(shared: str) -> None:
    with connect(shared) as connection:
        connection.sendall(request_of("keep-alive-dies"))
        got = b""
        while not got.endswith(b"\r\n0\r\n\r\n"):
            got += connection.recv(1 << 16)
        connection.sendall(request_of("plain"))
        assert connection.recv(1) == b""


# --- the page ---------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs/reference/scenarios.md"


def outcome(row: Scenario) -> str:
    names = [kind.__name__ if kind else "whole" for kind in (row.streamed, row.whole)]
    return names[0] if names[0] == names[1] else f"{names[0]}; not streamed: {names[1]}"


def lines() -> list[str]:
    """The table of the page, without those rows that each server has."""
    return [
        f"| `{name}` | {row.about} | {row.who} | {outcome(row)} |"
        for name, row in SCENARIOS.items()
        if name not in rows.forms()
    ]


def test_the_page_has_every_row() -> None:
    found = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert [line for line in found if "SERVER" not in line] == lines()


def test_the_page_says_which_rows_take_a_number() -> None:
    for name, row in SCENARIOS.items():
        assert ("number" in row.takes) == (f"`{name}:" in row.about)


def test_the_page_names_every_shape_of_an_error() -> None:
    text = PAGE.read_text()
    assert all(f"`{shape}`" in text for shape in SHAPES)


def test_the_page_names_every_server() -> None:
    text = PAGE.read_text()
    assert all(f"`{server}`" in text for server in DIALECTS)
    assert {f"{kind}-{server}" for kind in ("plain", "think", "tools") for server in DIALECTS} <= {
        *SCENARIOS
    }


# --- finding a row ----------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "argument"),
    [("plain", ""), ("slow:200", "200"), ("error-400:vllm", "vllm")],
)
def test_a_name_may_have_an_argument(model: str, argument: str) -> None:
    row = found(model)
    assert row == (SCENARIOS[model.partition(":")[0]], argument)


@pytest.mark.parametrize("model", ["llama3", "llama3:8b", "", ":"])
def test_another_name_is_no_scenario(model: str) -> None:
    assert found(model) is None


@pytest.mark.parametrize(
    "model", ["plain", "slow:200", "error-429:7", "error-429:vllm", "stream-error:tgi"]
)
def test_an_argument_that_a_row_takes_is_fine(model: str) -> None:
    assert checked(model) == found(model)


WRONG = {
    "plain:5": "must be left out",
    "slow:abc": "must be a number of at most 5 digits",
    "slow:openai": "must be a number of at most 5 digits",
    "loading:123456": "must be a number of at most 5 digits",
    "error-429:5s": "must be a number of at most 5 digits or one of openai, llama-server, ",
    "error-400:5": "must be one of openai, llama-server, ",
}


@pytest.mark.parametrize(("scenario", "words"), WRONG.items(), ids=WRONG)
def test_an_argument_that_a_row_does_not_take_is_refused(scenario: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"'{scenario}': what stands behind the colon {words}"):
        checked(scenario)


def test_a_name_that_is_no_scenario_is_refused_and_the_scenarios_are_named() -> None:
    with pytest.raises(ValueError, match="no scenario is named 'llama3'; there are: plain, tools"):
        checked("llama3")
