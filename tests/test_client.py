"""The client: its configuration, its copies, its pickles."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from typing import Any

import pytest
import requests

import rawllm
from tests.servers import CHAT, EVENTS, answer, serve, stream

KEY = "sk-very-secret-1234"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)


def test_openai_is_the_client() -> None:
    assert rawllm.OpenAI is rawllm.Client
    with rawllm.OpenAI("localhost:1234/v1/", KEY) as client:
        assert client.base_url == "http://localhost:1234/v1"
        assert client.api_key == KEY
        assert client.max_retries == 2
        assert client.timeout == (5.0, 600.0)


def test_the_tree_of_resources_is_the_sdks() -> None:
    models = {"data": [{"id": "m", "embedding": [1.0]}]}
    text = {"choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]}
    with serve(answer(models), answer(models), answer(text), answer(CHAT), answer([1])) as server:
        with rawllm.Client(server.url) as client:
            assert client.models.list().data[0].id == "m"
            assert client.embeddings.create(model="m", input="x").data[0].embedding == [1.0]
            assert client.completions.create(model="m", prompt="x").choices[0].text == "x"
            assert client.chat.completions.create(model="m", messages="x") == CHAT
            assert client.get("/a") == client.post("/b") == client.request("PUT", "/c") == [1]
            assert client.with_raw_response.get("/d").status_code == 200
        paths = [(r.method, r.path.removeprefix("/v1")) for r in server.requests]
        assert paths == [
            ("GET", "/models"),
            ("POST", "/embeddings"),
            ("POST", "/completions"),
            ("POST", "/chat/completions"),
            ("GET", "/a"),
            ("POST", "/b"),
            ("PUT", "/c"),
            ("GET", "/d"),
        ]


def test_a_stream_is_not_read_when_the_call_returns() -> None:
    with serve(stream(*EVENTS)) as server, rawllm.Client(server.url) as client:
        with client.chat.completions.create(model="m", messages="x", stream=True) as answered:
            assert not answered.finished
        with pytest.raises(ValueError, match="need stream=True"):
            client.chat("m", "x", idle_timeout=1)


def test_without_arguments_it_is_openais() -> None:
    client = rawllm.Client()
    assert client.base_url == "https://api.openai.com/v1"
    assert client.api_key == ""


def test_the_environment_is_read_when_a_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", " https://llm.example.org/v1/ ")
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    client = rawllm.Client()
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert client.base_url == "https://llm.example.org/v1"
    assert client.api_key == KEY


def test_organization_and_project_are_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "o-env")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "p-env")
    with serve(answer(CHAT)) as server:
        with rawllm.Client(server.url, project="p-given") as client:
            client.chat("m", "x")
        headers = server.requests[0].headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("o-env", "p-given")


def test_a_stranger_gets_no_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve(answer({"error": "Unauthorized"}, 401)) as server:
        proxies = {"http": server.url}
        with rawllm.Client("http://llm.test/v1", proxies=proxies) as client:
            with pytest.raises(rawllm.AuthenticationError, match=r"for llm\.test pass api_key="):
                client.chat("m", "x")
        assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(("key", "hint"), [(None, "no key was sent"), (KEY, "the key was refused")])
def test_a_401_says_what_was_done_with_the_key(key: str | None, hint: str) -> None:
    with serve(answer({"error": "Unauthorized"}, 401)) as server:
        with rawllm.Client(server.url, key) as client:
            with pytest.raises(rawllm.AuthenticationError, match=hint):
                client.chat("m", "x")


BAD_KEYS: list[Any] = ["sk-\nsecret", "sk-sécret", "sk-\x7fsecret", b"sk-secret", ["sk-secret"]]


@pytest.mark.parametrize("key", BAD_KEYS, ids=["newline", "umlaut", "control", "bytes", "list"])
def test_a_key_no_header_holds_is_refused_without_showing_it(key: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="api_key") as caught:
        rawllm.Client("localhost", key)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    mine = [
        frame for frame in told.stack if "/rawllm/" in frame.filename and "test" not in frame.name
    ]
    assert mine
    assert "secret" not in str(caught.value)
    assert not any("secret" in str(frame.locals) for frame in mine)


def test_nothing_of_a_client_shows_its_secrets() -> None:
    client = rawllm.Client(
        f"https://me:{KEY}@example.org/v1?key={KEY}",
        KEY,
        default_headers={"X-Api-Key": KEY},
        default_query={"token": KEY},
    )
    assert repr(client) == "<rawllm.Client https://example.org/v1>"
    assert KEY not in str(vars(client))
    assert KEY.encode() not in pickle.dumps(client)


def test_a_client_pickles_and_finds_its_key_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(answer(CHAT)) as server:
        client = rawllm.Client(server.url, KEY, max_retries=7, default_headers={"X-A": "b"})
        monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
        with pickle.loads(pickle.dumps(client)) as copy:
            assert (copy.base_url, copy.max_retries) == (client.base_url, 7)
            assert copy.api_key == "sk-other"
            copy.chat("m", "x")
        assert server.requests[0].headers["x-a"] == "b"


def test_with_options_shares_the_connections() -> None:
    with serve(answer(CHAT)) as server, rawllm.Client(server.url, KEY, timeout=9) as client:
        client.chat("m", "x")
        other = client.with_options(
            max_retries=0, timeout=(1, 2), default_headers={"X-A": "b"}, api_key="sk-2"
        )
        assert (other.max_retries, other.timeout, other.api_key) == (0, (1.0, 2.0), "sk-2")
        assert (client.max_retries, client.timeout, client.api_key) == (2, (5.0, 9.0), KEY)
        other.chat("m", "x")
        other.copy(set_default_headers={"X-C": "d"}, api_key="").chat("m", "x")
        seen = [(r.connection, r.headers.get("x-a"), r.headers.get("x-c")) for r in server.requests]
        assert seen == [(0, None, None), (0, "b", None), (0, None, "d")]
        assert "authorization" not in server.requests[2].headers


@pytest.mark.parametrize("removed", [rawllm.omit, None])
def test_a_default_header_may_keep_the_key_at_home(removed: Any) -> None:
    with serve(answer(CHAT)) as server:
        client = rawllm.Client(server.url, KEY, default_headers={"authorization": removed})
        for one in (client, client.with_options(max_retries=0), pickle.loads(pickle.dumps(client))):
            with one:
                one.chat("m", "x")
        assert not any("authorization" in request.headers for request in server.requests)


def test_with_options_may_go_elsewhere() -> None:
    with serve(answer(CHAT)) as server, requests.Session() as session:
        client = rawllm.Client("http://example.org/v1", default_query={"a": "1"})
        session.headers["X-Mine"] = "yes"
        other = client.with_options(
            base_url=server.url.replace("//", "//me:pw@"), session=session, default_query={"b": "2"}
        )
        other.chat("m", "x")
        seen = server.requests[0]
        assert seen.path == "/v1/chat/completions?a=1&b=2"
        assert seen.headers["x-mine"] == "yes"
        assert seen.headers["authorization"].startswith("Basic ")


def test_with_options_refuses_what_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="unknown options: http_client, retries"):
        rawllm.Client("localhost").with_options(http_client=1, retries=2)
    with pytest.raises(ValueError, match="api_key"):
        rawllm.Client("localhost").with_options(api_key="a\nb")


def test_a_base_url_may_carry_a_query() -> None:
    with serve(answer(CHAT)) as server:
        with rawllm.Client(f"{server.url}?api-version=1", default_query={"b": "2"}) as client:
            client.chat("m", "x")
        assert server.requests[0].path == "/v1/chat/completions?api-version=1&b=2"


def test_importing_does_not_load_requests() -> None:
    code = "import sys, rawllm; print(sorted({'requests', 'urllib3', 'ssl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
