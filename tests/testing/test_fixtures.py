"""The fixture: in these tests themselves, and in suites of others that pytest runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rawllm
from rawllm.testing.fixtures import LLMServer

pytest_plugins = ["rawllm.testing.fixtures"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def chat(server: LLMServer, words: str = "Hello there!", key: str = "sk-1") -> str:
    """One chat with a model whose name is no scenario."""
    with rawllm.Client(server.url, key, max_retries=0) as client:
        return client.chat("llama3", words)


def test_it_answers(llm_server: LLMServer) -> None:
    assert llm_server.scenario == "plain"
    assert chat(llm_server) == "Hello there!"


def test_it_knows_what_it_was_asked(llm_server: LLMServer) -> None:
    assert llm_server.requests == []
    chat(llm_server, "one")
    chat(llm_server, "two")
    first, second = llm_server.requests
    assert first.json == {"model": "llama3", "messages": [{"role": "user", "content": "one"}]}
    assert second.json["messages"][0]["content"] == "two"
    assert (first.method, first.path) == ("POST", "/v1/chat/completions")
    assert first.headers["authorization"] == "Bearer sk-1"


def test_each_test_has_a_server_of_its_own(llm_server: LLMServer) -> None:
    assert llm_server.requests == []


def test_a_request_is_known_before_it_is_answered(llm_server: LLMServer) -> None:
    llm_server.scenario = "cut-silence"
    with rawllm.Client(llm_server.url) as client:
        for count in range(1, 20):
            with client.chat.completions.create(model="m", messages="x", stream=True) as stream:
                next(stream)
                assert len(llm_server.requests) == count


def test_the_scenario_may_be_changed_at_any_time(llm_server: LLMServer) -> None:
    llm_server.scenario = "cut-fin"
    with pytest.raises(rawllm.APIConnectionError):
        chat(llm_server)
    llm_server.scenario = "error-429:7"
    with pytest.raises(rawllm.RateLimitError) as caught:
        chat(llm_server)
    assert caught.value.retry_after == 7
    llm_server.scenario = "plain"
    assert chat(llm_server) == "Hello there!"
    assert len(llm_server.requests) == 3


def test_a_model_whose_name_is_a_scenario_still_is_one(llm_server: LLMServer) -> None:
    llm_server.scenario = "error-500"
    with rawllm.Client(llm_server.url) as client:
        assert client.chat("plain", "Hello there!") == "Hello there!"


def test_setting_a_scenario_begins_it_anew(llm_server: LLMServer) -> None:
    for _ in range(2):
        llm_server.scenario = "retry"
        with pytest.raises(rawllm.InternalServerError):
            chat(llm_server)
        assert chat(llm_server) == "Hello there!"


def test_a_name_that_is_no_scenario_is_an_error_and_changes_nothing(llm_server: LLMServer) -> None:
    with pytest.raises(ValueError, match="no scenario is named 'nonsense'; there are: plain, "):
        llm_server.scenario = "nonsense"
    assert llm_server.scenario == "plain"
    assert chat(llm_server) == "Hello there!"


@pytest.mark.parametrize("name", ["error-429:5s", "slow:abc", "plain:5"])
def test_an_argument_that_is_none_is_an_error_and_changes_nothing(
    llm_server: LLMServer, name: str
) -> None:
    with pytest.raises(ValueError, match=f"'{name}': what stands behind the colon must be "):
        llm_server.scenario = name
    assert llm_server.scenario == "plain"


def test_one_text_is_no_collection_of_keys(llm_server: LLMServer) -> None:
    with pytest.raises(TypeError, match="keys must be a collection of keys"):
        llm_server.keys = "sk-1"
    assert chat(llm_server, key="k") == "Hello there!"


def test_keys_may_be_asked_for(llm_server: LLMServer) -> None:
    assert llm_server.keys == frozenset()
    llm_server.keys = ["sk-1"]
    assert chat(llm_server, key="sk-1") == "Hello there!"
    with pytest.raises(rawllm.AuthenticationError):
        chat(llm_server, key="sk-2")
    llm_server.scenario = "error-500"  # which leaves the keys as they are
    assert set(llm_server.keys) == {"sk-1"}
    with pytest.raises(rawllm.AuthenticationError):
        chat(llm_server, key="sk-2")
    llm_server.keys = ()  # and this the scenario
    with pytest.raises(rawllm.InternalServerError):
        chat(llm_server, key="sk-2")


# --- in a suite of somebody's -----------------------------------------------

Run = Callable[..., "dict[str, int]"]

CONFTEST = """
from rawllm.testing.fixtures import LLMServer  # before pytest has seen it

pytest_plugins = ["rawllm.testing.fixtures"]
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a file of tests: how many passed, failed, and so on."""

    def run(source: str, *, conftest: str = CONFTEST) -> dict[str, int]:
        (tmp_path / "conftest.py").write_text(conftest)
        (tmp_path / "test_app.py").write_text(source)
        command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "-W", "error", "--rootdir", str(tmp_path), str(tmp_path)],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(rawllm.__file__).parents[1]),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_ADDOPTS": "",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stdout, done.stderr)
        words = done.stdout.splitlines()[-1].partition(" in ")[0].split(", ")
        assert done.stderr == ""
        return {word.split()[1]: int(word.split()[0]) for word in words}

    return run


IMPORTS = """
import socket, threading, urllib.request, urllib.error
import pytest

def ask(url):
    body = b'{"model": "llama3", "messages": [{"role": "user", "content": "Hello!"}]}'
    headers = {"Content-Type": "application/json"}
    return urllib.request.urlopen(urllib.request.Request(url + "/chat/completions", body, headers))
"""


def test_a_suite_that_asks_for_it_has_it(run: Run) -> None:
    tests = """
def test_an_answer(llm_server):
    with ask(llm_server.url) as answer:
        assert b"Hello!" in answer.read()
    assert llm_server.requests[0].json["model"] == "llama3"

@pytest.mark.parametrize(("scenario", "status"), [("error-429", 429), ("error-500", 500)])
def test_an_error(llm_server, scenario, status):
    assert llm_server.requests == []
    llm_server.scenario = scenario
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(llm_server.url)
    assert caught.value.code == status
    caught.value.close()
"""
    assert run(IMPORTS + tests) == {"passed": 3}


def test_a_suite_that_does_not_ask_for_it_does_not_have_it(run: Run) -> None:
    source = "def test_an_answer(llm_server): pass"
    assert run(source, conftest="") == {"error": 1}


def test_a_file_of_tests_may_ask_for_it_itself(run: Run) -> None:
    source = 'pytest_plugins = ["rawllm.testing.fixtures"]\ndef test_it(llm_server): pass'
    assert run(source, conftest="") == {"passed": 1}


def test_a_failed_test_leaves_nothing_open(run: Run) -> None:
    tests = """
place = []

def test_that_fails_while_it_is_answered(llm_server):
    llm_server.scenario = "cut-silence"
    place.extend([llm_server.url, ask(llm_server.url)])  # neither read nor closed
    pytest.fail("on purpose")

def test_that_fails_in_the_middle_of_a_request(llm_server):
    host, port = llm_server.url.split("/")[2].split(":")
    client = socket.create_connection((host, int(port)))
    client.sendall(b"POST /v1/chat")
    place.extend([llm_server.url, client])
    pytest.fail("on purpose")

def test_nothing_is_left():
    for url, client in zip(place[::2], place[1::2]):
        with pytest.raises(urllib.error.URLError, match="refused"):
            ask(url)
        client.close()
    assert threading.active_count() == 1
"""
    assert run(IMPORTS + tests) == {"failed": 2, "passed": 1}
