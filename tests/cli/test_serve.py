"""`rawllm serve`: the reference server from a shell, and what it says of each request."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

import rawllm
from rawllm import cli
from rawllm.testing import SCENARIOS
from tests.cli.conftest import Ended, Run
from tests.cli.processes import environment, started, terminal
from tests.servers import PATIENCE

Visit = Callable[[str], object]
Serving = Callable[..., Ended]


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Serving:
    """Serve, with a visitor who is told the base URL and presses Ctrl-C when he leaves."""

    def serving(visit: Visit, *argv: str) -> Ended:
        reader, writer = os.pipe()
        out: list[str] = []

        def visitor() -> None:
            with open(reader, encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor
                out.append(stream.readline())
                try:
                    visit(out[0].strip())
                finally:
                    os.kill(os.getpid(), signal.SIGINT)
                    out.append(stream.read())

        thread = threading.Thread(target=visitor)
        with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123
            monkeypatch.setattr(sys, "stdout", stream)
            thread.start()
            code = cli.main(["serve", "--port", "0", *argv])
        thread.join()
        return Ended(code, "".join(out), capsys.readouterr().err)

    return serving


def nobody(url: str) -> None:
    """A visitor who wants nothing."""


def fetch(url: str, *, method: str | None = None, data: bytes | None = None) -> int:
    request = urllib.request.Request(url, data, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def told(ended: Ended) -> list[str]:
    """The lines about requests, without what differs from run to run."""
    said = [line for line in ended.err.splitlines() if " -> " in line]
    return [re.sub(r"\d+ bytes in \d+ ms", "N bytes in N ms", line) for line in said]


def asked(base_url: str, model: str, **options: object) -> object:
    with rawllm.Client(base_url, "sk-1", max_retries=0) as client:
        try:
            return client.chat.completions.create(model=model, messages="Hi", **options)  # type: ignore[call-overload]
        except rawllm.APIError as error:
            return error


# --- serving ----------------------------------------------------------------


def test_stdout_is_the_base_url_alone(serving: Serving) -> None:
    answers: list[object] = []
    code, out, _ = serving(lambda url: answers.append(asked(url, "plain")))
    assert code == 130
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*/v1\n", out)
    assert isinstance(answers[0], rawllm.ChatCompletion)


def test_stderr_says_what_to_try(serving: Serving) -> None:
    _, out, err = serving(nobody)
    url = out.strip()
    assert err == (
        "rawllm: serving until Ctrl-C; from another terminal, try\n"
        f'  rawllm ask --base-url {url} "Hello"\n'
        f'  rawllm ask --base-url {url} -m cut-fin "Hello"\n'
        f"  rawllm models --base-url {url}\n"
        "The name of the model chooses what happens; `rawllm serve --list` explains each.\n"
    )


def test_a_ctrl_c_that_does_not_wake_it_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another thread gets the signal here, so that no sleep ends early."""
    reader, writer = os.pipe()

    def visitor() -> None:
        with open(reader, encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor
            stream.readline()
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            stream.read()

    thread = threading.Thread(target=visitor)
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", stream)
        thread.start()
        assert cli.main(["serve", "--port", "0"]) == 130
    thread.join()
    assert capsys.readouterr().out == ""


def test_what_to_try_works(serving: Serving) -> None:
    codes: list[int] = []

    def try_all(url: str) -> None:
        for argv in (["ask", "Hello"], ["ask", "-m", "cut-fin", "Hello"], ["models"]):
            with started(*argv, "--base-url", url) as process:
                process.communicate(timeout=PATIENCE)
                codes.append(process.returncode)

    serving(try_all)
    assert codes == [0, 7, 0]


def test_a_key_that_is_asked_for_is_not_shown(serving: Serving) -> None:
    codes: list[int] = []
    ended = serving(
        lambda url: codes.append(fetch(f"{url}/models")), "--api-key", "sk-1", "--api-key", "sk-2"
    )
    assert codes == [401]
    assert ended.err.count(" --api-key KEY") == 3
    assert "sk-" not in ended.err


@pytest.mark.parametrize("key", ["sk-1", "sk-2"])
def test_each_key_is_good(serving: Serving, key: str) -> None:
    answers: list[object] = []

    def visit(url: str) -> None:
        with rawllm.Client(url, key) as client:
            answers.append(client.chat("plain", "Hi"))

    serving(visit, "--api-key", "sk-1", "--api-key", "sk-2")
    assert answers == ["Hi"]


@pytest.mark.parametrize(
    ("argv", "model", "outcome"),
    [
        pytest.param([], "llama3", rawllm.ChatCompletion, id="any-model"),
        pytest.param(["--scenario", "error-500"], "llama3", rawllm.InternalServerError, id="other"),
        pytest.param(["--scenario", "error-500"], "plain", rawllm.ChatCompletion, id="its-own"),
        pytest.param(["--strict"], "llama3", rawllm.NotFoundError, id="strict"),
    ],
)
def test_what_a_model_without_a_scenario_does(
    serving: Serving, argv: list[str], model: str, outcome: type[object]
) -> None:
    answers: list[object] = []
    serving(lambda url: answers.append(asked(url, model)), *argv)
    assert [type(answer) for answer in answers] == [outcome]


# --- what is said of requests -----------------------------------------------


@pytest.mark.parametrize(
    ("visit", "line"),
    [
        pytest.param(
            lambda url: asked(url, "plain"),
            "POST /v1/chat/completions plain -> 200, N bytes in N ms",
            id="whole",
        ),
        pytest.param(
            lambda url: asked(url, "error-429"),
            "POST /v1/chat/completions error-429 -> 429, N bytes in N ms",
            id="error",
        ),
        pytest.param(
            lambda url: fetch(f"{url}/models?api_key=sk-1"),
            "GET /v1/models -> 200, N bytes in N ms",
            id="no-model-and-no-query",
        ),
        pytest.param(
            lambda url: fetch(f"{url}/models", method="HEAD"),
            "HEAD /v1/models -> 200, N bytes in N ms",
            id="head",
        ),
        pytest.param(
            lambda url: fetch(f"{url}/chat/completions", data=b"[]"),
            "POST /v1/chat/completions -> 400, N bytes in N ms",
            id="no-object",
        ),
        pytest.param(
            lambda url: fetch(f"{url}/chat/completions", data=b"\xff"),
            "POST /v1/chat/completions -> 400, N bytes in N ms",
            id="no-json",
        ),
        pytest.param(
            lambda url: fetch(f"{url}/embeddings", data=b'{"model":"a\\u001b[31m\\n\\u00e9"}'),
            r"POST /v1/embeddings a\x1b[31m\n\xe9 -> 400, N bytes in N ms",
            id="what-a-terminal-would-obey",
        ),
    ],
)
def test_each_request_has_its_line(serving: Serving, visit: Visit, line: str) -> None:
    assert told(serving(visit)) == [f"rawllm: {line}"]


def test_the_line_says_where_an_answer_was_cut(serving: Serving) -> None:
    ended = serving(lambda url: list(asked(url, "closing", stream=True)) and asked(url, "cut-fin"))  # type: ignore[call-overload]
    assert re.search(r"completions cut-fin -> 200, cut after \d+ bytes\n", ended.err)
    assert re.search(r"completions closing -> 200, \d+ bytes in \d+ ms\n", ended.err)


# --- recordings -------------------------------------------------------------


@pytest.fixture
def recordings(tmp_path: Path) -> str:
    (tmp_path / "one.request").write_bytes(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
    (tmp_path / "one.response").write_bytes(b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n")
    (tmp_path / "two.request").write_bytes(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
    (tmp_path / "two.response").write_bytes(b"")
    return str(tmp_path)


def test_recordings_are_served(serving: Serving, recordings: str) -> None:
    codes: list[int] = []
    ended = serving(lambda url: codes.append(fetch(f"{url}/models")), "--replay", recordings)
    assert codes == [418]
    assert ended.err.startswith(f"rawllm: serving the recordings of {recordings} until Ctrl-C\n")
    assert told(ended) == ["rawllm: GET /v1/models -> 418, N bytes in N ms"]


def test_a_recording_of_nothing_is_told(serving: Serving, recordings: str) -> None:
    def visit(url: str) -> None:
        with pytest.raises(OSError, match="closed connection"):
            fetch(f"{url}/health")

    ended = serving(visit, "--replay", recordings)
    assert told(ended) == ["rawllm: GET /v1/health -> closed without an answer"]


# --- the list ---------------------------------------------------------------


def test_the_list_has_each_scenario_and_what_it_does(run: Run) -> None:
    code, out, err = run("serve", "--list")
    assert (code, err) == (0, "")
    rows = [re.split(" {2,}", line, maxsplit=1) for line in out.splitlines()]
    assert rows == [[name, row.about] for name, row in SCENARIOS.items()]


# --- what cannot be ---------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param(["--port", "x"], "'x' is no port: they are 1 to 65535", id="no-number"),
        pytest.param(["--host", ""], "argument --host: it is empty; 0.0.0.0", id="no-host"),
        pytest.param(["--host", " "], "argument --host: it is empty", id="blank-host"),
        pytest.param(["--port", "65536"], "'65536' is no port", id="too-large"),
        pytest.param(["--port", "-1"], "'-1' is no port", id="negative"),
        pytest.param(
            ["--scenario", "nix"],
            "no scenario is named 'nix'; there are: plain, ",
            id="no-scenario",
        ),
        pytest.param(["--replay", "{empty}"], "no recordings in {empty}", id="no-recordings"),
        pytest.param(
            ["--replay", "{empty}", "--strict"], "--replay answers as recorded", id="strict"
        ),
        pytest.param(
            ["--replay", "{empty}", "--scenario", "plain"],
            "--replay answers as recorded",
            id="scenario",
        ),
        pytest.param(
            ["--replay", "{empty}", "--api-key", "k"], "--replay answers as recorded", id="key"
        ),
    ],
)
def test_what_cannot_be_is_not_understood(
    run: Run, tmp_path: Path, argv: list[str], words: str
) -> None:
    code, out, err = run("serve", *(word.format(empty=tmp_path) for word in argv))
    assert (code, out) == (2, "")
    assert err.startswith("rawllm: ")
    assert words.format(empty=tmp_path) in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_told_with_the_way_out(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run("serve", "--port", str(port)) == (
            1,
            "",
            f"rawllm: cannot listen on 127.0.0.1:{port}: Address already in use; --port names "
            "another port, and `--port 0` takes a free one\n",
        )


def test_an_address_that_is_not_of_this_machine_is_no_matter_of_ports(run: Run) -> None:
    code, out, err = run("serve", "--host", "192.0.2.1", "--port", "0")
    assert (code, out) == (1, "")
    assert err.startswith("rawllm: cannot listen on 192.0.2.1:0: ")
    assert "--port" not in err


# --- as a process -----------------------------------------------------------


def test_ctrl_c_in_a_terminal_ends_it_quietly() -> None:
    with terminal("serve", "--port", "0") as screen:
        screen.wait_for("each.\nhttp://127.0.0.1:")
        assert screen.interrupt() == 130
    assert re.search(r"\nhttp://127.0.0.1:\d+/v1\n$", screen.seen.replace("^C", ""))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_a_signal_ends_it_also_while_it_answers(number: signal.Signals, code: int) -> None:
    with started("serve", "--port", "0") as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        with rawllm.Client(url) as client:
            stream = client.chat("cut-silence", "Good morning!", stream=True)
            assert next(stream) == "Good"
            process.send_signal(number)
            assert process.wait(PATIENCE) == code
            with pytest.raises(rawllm.IncompleteStreamError):
                list(stream)


def test_it_uses_nothing_of_the_client() -> None:
    with started("serve", "--port", "0", env=environment(PYTHONPROFILEIMPORTTIME="1")) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        assert fetch(f"{url}/models") == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    loaded = {line.rpartition("|")[2].strip() for line in err.decode().splitlines()}
    assert "rawllm.testing.server" in loaded
    assert not loaded & {"requests", "urllib3", "rawllm.transport"}
