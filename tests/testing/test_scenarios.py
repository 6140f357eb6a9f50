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
from rawllm.testing.dialects import DIALECTS
from rawllm.testing.rows import Scenario
from rawllm.testing.scenarios import SCENARIOS, found

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

ROWS = [pytest.param(name, row, id=name) for name, row in SCENARIOS.items()]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with testing.serve() as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[rawllm.Client]:
    with rawllm.Client(url, max_retries=0, timeout=(5, 10)) as client:
        yield client


def able(client: rawllm.Client, name: str) -> rawllm.Client:
    """The client with the options that a row needs to show itself."""
    if name == "cut-silence":
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
    return json.loads(arguments) if isinstance(arguments, str) else arguments


# --- the bytes, as a client that knows nothing sees them --------------------


def sent(url: str, body: object) -> tuple[bytes, str]:
    """The bytes of an answer on a connection that is to close after it; and how it ended."""
    port = int(re.findall(r":(\d+)", url)[0])
    data = json.dumps(body).encode()
    head = "POST /v1/chat/completions HTTP/1.1", "Host: x", "Connection: close"
    request = "\r\n".join([*head, f"Content-Length: {len(data)}", "", ""]).encode() + data
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
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
    return len(body) == int(length[1]) if length else body.endswith(b"\r\n0\r\n\r\n")


#: How the connection ends, and whether the body was whole by its framing.
ENDS = {
    "cut-fin": ("FIN", False),
    "cut-rst": ("RST", False),
    "cut-silence": ("silence", False),
    "closing": ("FIN", False),
    "plain-mlx-lm": ("FIN", False),
    "think-mlx-lm": ("FIN", False),
    "tools-mlx-lm": ("FIN", False),
}


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_the_bytes_that_the_table_names_are_sent(url: str, name: str, row: Scenario) -> None:
    messages = [{"role": "user", "content": HELLO}]
    usage = {"stream_options": {"include_usage": True}} if name.startswith("usage-") else {}
    got, end = sent(url, asked(name) | usage | {"messages": messages, "stream": True})
    assert row.shows in got
    assert (end, is_framed(got)) == ENDS.get(name, ("FIN", True))


def test_a_row_shows_what_sets_it_apart() -> None:
    """All but those that differ in time, or in what follows, name bytes to look for."""
    silent = {name for name, row in SCENARIOS.items() if not row.shows}
    assert silent == {"slow", "loading", "retry", "redirect"}


# --- the page ---------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs/reference/scenarios.md"


def outcome(row: Scenario) -> str:
    names = [kind.__name__ if kind else "whole" for kind in (row.streamed, row.whole)]
    return names[0] if names[0] == names[1] else f"{names[0]}; not streamed: {names[1]}"


def rows() -> list[str]:
    """The table of the page, without those rows that each server has."""
    return [
        f"| `{name}` | {row.about} | {row.who} | {outcome(row)} |"
        for name, row in SCENARIOS.items()
        if row.dialect not in DIALECTS.values() or row.dialect is DIALECTS["openai"]
        if not name.endswith("-openai")
    ]


def test_the_page_has_every_row() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert [line for line in lines if "SERVER" not in line] == rows()


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
