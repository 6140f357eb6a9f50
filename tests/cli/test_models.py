"""`rawllm models` prints names, or what the server said."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Run
from tests.cli.processes import terminal
from tests.cli.servers import error, models
from tests.servers import answer, serve


def test_names_are_printed_one_a_line(run: Run) -> None:
    with serve(models("tiny", "né/big:8b")) as server:
        assert run("models", "--base-url", server.url) == (0, "tiny\nné/big:8b\n", "")


def test_a_server_that_is_found_is_told_on_stderr(run: Run) -> None:
    with serve(models("tiny")) as server:
        code, out, err = run("models", ports=[server.port])
        assert (code, out) == (0, "tiny\n")
        assert err == f"rawllm: found a server at http://localhost:{server.port}/v1\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"object": "list", "data": [{"id": "m", "x": [1.5, None]}]}, id="extras"),
        pytest.param({"object": "list", "data": None}, id="null"),
        pytest.param({"data": []}, id="empty"),
    ],
)
def test_json_is_the_servers_answer_as_it_came(run: Run, body: object) -> None:
    with serve(answer(body)) as server:
        ended = run("models", "--json", "--base-url", server.url)
        assert ended.code == 0
        assert json.loads(ended.out) == body
        assert ended.out.endswith("}\n")


def test_a_found_server_that_wants_a_key_does_not_get_openais(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with serve(error(401, "who?"), error(401, "who?")) as server:
        ended = run("models", ports=[server.port])
        assert ended.code == 4
        assert "OPENAI_API_KEY is sent where --base-url" in ended.err
        assert ["authorization" in request.headers for request in server.requests] == [False] * 2


def test_json_keeps_the_numbers_as_they_were_written(run: Run) -> None:
    body = b'{"data": [{"id": "m", "x": [1.0, 1.10, 1e400, 12345678901234567890.5]}]}'
    with serve(answer(body)) as server:
        ended = run("models", "--json", "--base-url", server.url)
        assert ended == (0, f"{body.decode()}\n", "")


def test_a_name_does_not_command_a_terminal() -> None:
    with serve(models("\x1b[31mred\x9b")) as server:
        with terminal("models", "--base-url", server.url) as screen:
            assert screen.end() == 0
            assert screen.seen == "\\x1b[31mred\\x9b\n"


def test_a_server_without_models_is_no_failure(run: Run) -> None:
    with serve(models()) as server:
        ended = run("models", "--base-url", server.url)
        assert ended == (0, "", f"rawllm: {server.url} lists no model\n")


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["names", "json"])
def test_an_error_leaves_stdout_empty(run: Run, options: tuple[str, ...]) -> None:
    with serve(error(401, "Invalid API Key")) as server:
        ended = run("models", "--base-url", server.url, *options)
        assert (ended.code, ended.out) == (4, "")
        assert ended.err.splitlines() == [
            f"rawllm: GET {server.url}/models answered 401 Whatever: Invalid API Key",
            "Hint: no key was sent: pass --api-key; OPENAI_API_KEY is sent where --base-url or "
            "OPENAI_BASE_URL names the server",
        ]
