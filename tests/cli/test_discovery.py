"""A server on one of the known ports is found, and nothing else is taken for one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import rawllm
from rawllm import hints
from rawllm.cli import discovery
from tests.cli.servers import LISTED, Sets, error, models
from tests.live.server import free_port
from tests.servers import End, Script, Server, answer, head, serve


def served(stack: ExitStack, *scripts: Script | bytes, **options: Any) -> Server:
    return stack.enter_context(serve(*scripts, **options))


def base(server: Server) -> str:
    return f"http://localhost:{server.port}/v1"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


# --- which server -----------------------------------------------------------


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(LISTED, id="models"),
        pytest.param(models(), id="no-models"),
        pytest.param(answer({"object": "list", "data": None}), id="no-models-of-ollama"),
        pytest.param(error(401, "Invalid API Key"), id="wants-a-key"),
        pytest.param(answer({"error": "Unauthorized"}, 401), id="wants-a-key-of-vllm"),
        pytest.param(error(403, "no"), id="forbids"),
        pytest.param(error(503, "Loading model"), id="loads"),
    ],
)
def test_a_server_is_found(answered: bytes, stack: ExitStack) -> None:
    server = served(stack, answered)
    assert discovery.find([server.port]) == base(server)
    (seen,) = server.requests
    assert (seen.method, seen.path) == ("GET", "/v1/models")


HTML = b"<!doctype html><title>It works</title>"


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param([answer(HTML, content_type="text/html")], id="html"),
        pytest.param([answer(HTML, 403, content_type="text/html")], id="html-that-forbids"),
        pytest.param([answer(b"[" * 9000, 401)], id="nonsense-that-forbids"),
        pytest.param([answer(["Unauthorized"], 401)], id="a-list-that-forbids"),
        pytest.param([error(404, "Not Found")], id="404"),
        pytest.param([error(500, "oops")], id="500"),
        pytest.param([error(503, "busy")], id="503-not-loading"),
        pytest.param([answer({"status": "ok"})], id="other-json"),
        pytest.param([head(302, Location="/login", content_length="0")], id="login"),
        pytest.param([b"220 ready for mail\r\n", End.FIN], id="not-http"),
        pytest.param([End.RST], id="reset"),
        pytest.param([End.HOLD], id="silence"),
        pytest.param([head(content_type="text/html"), b"<", End.HOLD], id="silence-within"),
    ],
)
def test_what_is_no_such_server_is_not_taken(answered: Script, stack: ExitStack) -> None:
    server = served(stack, answered)
    assert discovery.find([server.port]) is None


def test_nothing_is_found_where_nothing_listens() -> None:
    assert discovery.find([free_port()]) is None
    assert discovery.find([]) is None


def test_the_first_of_the_table_wins(stack: ExitStack) -> None:
    """Also where it is the slower one: which it is must not change from run to run."""
    second_asked = threading.Event()
    second = served(stack, [Sets(second_asked), LISTED])
    first = served(stack, [second_asked, LISTED])
    assert discovery.find([first.port, second.port]) == base(first)


def test_ports_are_asked_side_by_side(stack: ExitStack) -> None:
    """Each answers once the other has been asked."""
    one, two = threading.Event(), threading.Event()
    first = served(stack, [Sets(one), two, answer({})])
    second = served(stack, [Sets(two), one, LISTED])
    assert discovery.find([first.port, second.port]) == base(second)


def test_one_that_is_silent_does_not_hold_up_one_before_it(stack: ExitStack) -> None:
    good, silent = served(stack, LISTED), served(stack, [End.HOLD])
    assert discovery.find([good.port, silent.port], patience=60) == base(good)
    assert not silent.left.is_set()


def test_no_key_is_sent_to_what_merely_listens(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    server = served(stack, LISTED)
    discovery.find([server.port])
    assert "authorization" not in server.requests[0].headers


def test_who_finds_nothing_is_told_how_to_start_each_server() -> None:
    text = str(discovery.nothing_found(hints.PORTS, has_key=False))
    first, *starts, last = text.splitlines()
    assert "--base-url" in first
    assert [line.partition(": is ")[0] for line in starts] == [
        f"localhost:{port}" for port in hints.PORTS
    ]
    assert all(line.endswith("`") for line in starts)  # the command that starts it
    assert last == "`rawllm demo` needs no server"


def test_a_port_of_no_known_server_is_told_too() -> None:
    assert "\nlocalhost:1: is the server running" in str(
        discovery.nothing_found([1], has_key=False)
    )


@pytest.mark.parametrize("has_key", [True, False])
def test_openai_is_named_to_who_has_a_key(has_key: bool) -> None:
    text = str(discovery.nothing_found([11434], has_key=has_key))
    assert ("--base-url https://api.openai.com/v1" in text) is has_key


# --- which model ------------------------------------------------------------


def test_the_first_model_is_taken_and_told(
    stack: ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    server = served(stack, models("tiny", "big"))
    with rawllm.Client(server.url) as client:
        assert discovery.first_model(client) == "tiny"
    told = f"rawllm: asking tiny, the first model of {server.url}; -m names another\n"
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param(models(), id="none"),
        pytest.param(answer({"data": [{"object": "model"}, {"id": 7}]}), id="none-with-a-name"),
    ],
)
def test_a_server_without_models_is_an_error_that_says_so(listed: bytes, stack: ExitStack) -> None:
    server = served(stack, listed)
    with rawllm.Client(server.url) as client, pytest.raises(rawllm.APIError) as caught:
        discovery.first_model(client)
    assert str(caught.value) == f"{server.url} lists no model: load one, or name one with -m"


NAMES = ["Llama-3.2-3B-Instruct", "qwen2.5:7b", "llama3:8b", "nomic-embed-text", "llama3:70b"]


def advice(model: str, failed: bytes, listed: bytes, stack: ExitStack) -> str:
    """The advice on the error that `failed` raises, where the models are `listed`."""
    server = served(stack, failed, listed)
    with rawllm.Client(server.url, max_retries=0) as client:
        with pytest.raises(rawllm.APIError) as caught:
            client.chat(model, "Why?")
        return discovery.advice(client, caught.value, model)


@pytest.mark.parametrize(
    ("model", "closest"),
    [
        pytest.param("llama3:8", "llama3:8b", id="typo"),
        pytest.param("llama-3.2-3b-instruct", "Llama-3.2-3B-Instruct", id="case"),
        pytest.param("qwen", "qwen2.5:7b", id="beginning"),
    ],
)
def test_the_closest_models_are_named_closest_first(
    model: str, closest: str, stack: ExitStack
) -> None:
    text = advice(model, error(404, f"model '{model}' not found"), models(*NAMES), stack)
    said, _, names = text.partition(": ")
    assert said == "the closest that it has"
    assert names.split(", ")[0] == closest
    assert len(names.split(", ")) == 3


@pytest.mark.parametrize(
    ("failed", "listed", "helps"),
    [
        pytest.param(error(404, "no such model"), models("tiny"), True, id="404"),
        pytest.param(
            error(400, "Invalid model name passed in model=m"), models("tiny"), True, id="litellm"
        ),
        pytest.param(error(400, "temperature is too high"), models("tiny"), False, id="other-400"),
        pytest.param(error(500, "model not found"), models("tiny"), False, id="500"),
        pytest.param(error(404, "no such path"), models("tiny", "m"), False, id="it-is-there"),
        pytest.param(error(404, "no such model"), models(), False, id="nothing-is-there"),
        pytest.param(error(404, "no such model"), error(404, "no"), False, id="no-list"),
    ],
)
def test_advice_is_given_where_the_model_is_missing(
    failed: bytes, listed: bytes, helps: bool, stack: ExitStack
) -> None:
    text = advice("m", failed, listed, stack)
    assert text == ("the closest that it has: tiny" if helps else "")
