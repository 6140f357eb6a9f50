"""The command line against a real llama-server: it says what the client says."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from rawllm import Client
from rawllm.cli import discovery

from .conftest import API_KEY
from .replies import REPLY
from .server import LlamaServer

ROOT = Path(__file__).parents[2]
MESSAGES = [{"role": "user", "content": "Say hello."}]


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def rawllm(server: LlamaServer, *argv: str, piped: str = "") -> Ended:
    """A command that asks `server`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    ended = subprocess.run(
        [sys.executable, "-m", "rawllm", *argv],
        cwd=ROOT,
        env=kept | {"OPENAI_BASE_URL": server.base_url, "PYTHONIOENCODING": "utf-8"},
        input=piped.encode(),
        capture_output=True,
        timeout=60,
    )
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


@pytest.mark.parametrize("argv", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_the_answer_is_that_of_the_client(chat_server: LlamaServer, argv: tuple[str, ...]) -> None:
    with Client(chat_server.base_url) as client:
        text = client.chat("tiny", MESSAGES)
    assert text == REPLY
    assert rawllm(chat_server, "ask", "Say hello.", "-m", "tiny", *argv) == (0, f"{text}\n", "")


def test_the_whole_answer_is_that_of_the_client(chat_server: LlamaServer) -> None:
    ended = rawllm(chat_server, "ask", "--json", "-m", "tiny", "-o", "seed=1", piped="Say hello.\n")
    with Client(chat_server.base_url) as client:
        answer = client.chat.completions.create(model="tiny", messages=MESSAGES, seed=1)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["choices"] == answer.choices
    assert json.loads(ended.out).keys() == answer.keys()


def test_an_answer_that_was_cut_is_noted(chat_server: LlamaServer) -> None:
    ended = rawllm(chat_server, "ask", "Say hello.", "-m", "tiny", "-o", "max_tokens=3")
    assert ended.code == 0
    assert REPLY.startswith(ended.out.rstrip("\n"))
    assert ended.err.startswith("rawllm: the answer was cut at max_tokens")


def test_what_curl_is_told_is_answered_the_same(chat_server: LlamaServer) -> None:
    command = rawllm(chat_server, "ask", "Say hello.", "-m", "tiny", "--no-stream", "--curl").out
    ended = subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=60)
    assert json.loads(ended.stdout)["choices"][0]["message"]["content"] == REPLY


def test_the_models_are_listed(router: LlamaServer) -> None:
    with Client(router.base_url) as client:
        names = [model.id for model in client.models.list()]
    ended = rawllm(router, "models")
    assert ended == (0, "".join(f"{name}\n" for name in names), "")
    listed = json.loads(rawllm(router, "models", "--json").out)
    assert [model["id"] for model in listed["data"]] == names


def test_the_first_model_is_asked_where_none_is_named(chat_server: LlamaServer) -> None:
    ended = rawllm(chat_server, "ask", "Say hello.")
    assert ended[:2] == (0, f"{REPLY}\n")
    assert ended.err.startswith(f"rawllm: asking tiny, the first model of {chat_server.base_url}")


def test_an_unknown_model_is_answered_with_the_closest(router: LlamaServer) -> None:
    ended = rawllm(router, "ask", "Say hello.", "-m", "tiny-tol")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].startswith("rawllm: the closest that it has: tiny-tool, ")


@pytest.mark.parametrize("name", ["chat_server", "keyed_server", "router"])
def test_it_is_found(name: str, request: pytest.FixtureRequest) -> None:
    server: LlamaServer = request.getfixturevalue(name)
    port = int(server.root.rpartition(":")[2])
    assert discovery.find([port]) == f"http://localhost:{port}/v1"


@pytest.mark.parametrize("command", [["models"], ["ask", "Say hello.", "-m", "tiny"]], ids=str)
@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        pytest.param([], "no key was sent: pass --api-key", id="none"),
        pytest.param(["--api-key", "wrong"], "the key was refused: check --api-key", id="wrong"),
    ],
)
def test_a_key_is_needed(
    keyed_server: LlamaServer, command: list[str], argv: list[str], hint: str
) -> None:
    ended = rawllm(keyed_server, *command, *argv)
    assert (ended.code, ended.out) == (4, "")
    assert f"\nHint: {hint}" in ended.err


def test_a_key_opens(keyed_server: LlamaServer) -> None:
    ended = rawllm(keyed_server, "ask", "Say hello.", "-m", "tiny", "--api-key", API_KEY)
    assert ended == (0, f"{REPLY}\n", "")
