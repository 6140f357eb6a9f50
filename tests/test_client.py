"""The client: its configuration, its copies, its pickles."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

import rawllm
from tests.servers import CHAT, EVENTS, answer, serve, stream

KEY = "sk-very-secret-1234"
PACKAGE = Path(rawllm.__file__).parent


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


def test_options_that_no_call_has_are_named() -> None:
    client = rawllm.Client("localhost")
    with pytest.raises(TypeError, match=r"^unknown options: after, limit; JSON goes into body="):
        client.models.list(limit=3, after="a")


@pytest.mark.parametrize("stream", ["false", 1, [1]], ids=repr)
def test_whether_to_stream_is_true_or_false(stream: Any) -> None:
    client = rawllm.Client("localhost")
    with pytest.raises(TypeError, match="stream must be True or False, not"):
        client.chat("m", "x", stream=stream)
    with pytest.raises(TypeError, match="stream must be True or False, not"):
        client.chat("m", "x", extra_body={"stream": stream})


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


SECRETS: dict[str, Any] = {
    "base_url": f"https://me:{KEY}@example.org/v1?key={KEY}",
    "api_key": KEY,
    "default_headers": {"X-Api-Key": KEY},
    "default_query": {"token": KEY},
    "proxies": {"https": f"http://me:{KEY}@proxy.test:3128"},
}


def test_nothing_of_a_client_shows_its_secrets() -> None:
    client = rawllm.Client(**SECRETS)
    assert repr(client) == "<rawllm.Client https://example.org/v1>"
    assert KEY not in str(vars(client))
    assert KEY.encode() not in pickle.dumps(client)


def test_a_client_pickles_with_its_proxies_but_not_their_password() -> None:
    with serve(answer(CHAT)) as server:
        proxy = server.url.replace("//", f"//me:{KEY}@")
        client = rawllm.Client("http://llm.test/v1", proxies={"http": proxy})
        for one in (client, pickle.loads(pickle.dumps(client))):
            with one:
                assert one.chat("m", "x") == "Hello there!"
        sent = ["proxy-authorization" in request.headers for request in server.requests]
        assert sent == [True, False]


def shown_in(call: Callable[[], Any], expected: type[BaseException]) -> list[str]:
    """Where the key shows in a traceback that prints locals, of frames of ours."""
    with pytest.raises(expected) as caught:
        call()
    assert KEY not in str(caught.value)
    found: list[str] = []
    error: BaseException | None = caught.value
    while error is not None:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [frame for frame in told.stack if PACKAGE in Path(frame.filename).parents]
        found += [f"{f.name}:{f.lineno}" for f in ours if KEY in str(f.locals)]
        error = error.__cause__ or error.__context__
    return found


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"max_retries": "2"}, TypeError),
        ({"default_headers": [("a", "b")]}, TypeError),
        ({"default_headers": {"X-Api-Key": KEY, "A B": "c"}}, ValueError),
        ({"proxies": "http://proxy"}, TypeError),
        ({"base_url": f"http://me:{KEY}/x@localhost"}, ValueError),
        ({"base_url": f"http://me:{KEY}?x@localhost"}, ValueError),
        ({"base_url": f"http://me:{KEY}\\@localhost"}, ValueError),
        ({"api_key": f"{KEY}\nX"}, ValueError),
    ],
    ids=lambda value: str(value) if isinstance(value, type) else next(iter(value)),
)
def test_no_traceback_of_a_mistake_shows_a_secret(
    name: str, wrong: dict[str, Any], kind: type[Exception]
) -> None:
    given = {name: SECRETS[name]} | wrong
    assert shown_in(lambda: rawllm.Client(**given), kind) == []
    client = rawllm.Client("http://localhost/v1")
    assert shown_in(lambda: client.with_options(**given), kind) == []


#: Calls that are given a secret.
CALLS: dict[str, Callable[[rawllm.Client, dict[str, Any]], Any]] = {
    "chat": lambda client, options: client.chat("m", "x", **options),
    "a stream": lambda client, options: client.chat("m", "x", stream=True, **options),
    "create": lambda c, options: c.chat.completions.create(model="m", messages="x", **options),
    "completions": lambda c, options: c.completions.create(model="m", prompt="x", **options),
    "embeddings": lambda c, options: c.embeddings.create(model="m", input="x", **options),
    "list": lambda client, options: client.models.list(**options),
    "retrieve": lambda client, options: client.models.retrieve("m", **options),
    "delete": lambda client, options: client.models.delete("m", **options),
    "request": lambda c, options: c.request("OPTIONS", f"/x?key={KEY}", **options),
    "get": lambda client, options: client.get("/x", **options),
    "a path": lambda client, options: client.get(f"/x?key={KEY}", **options),
    "raw chat": lambda c, o: c.with_raw_response.chat.completions.create(
        model="m", messages="x", **o
    ),
    "raw embeddings": lambda c, o: c.with_raw_response.embeddings.create(model="m", input="x", **o),
    "raw completions": lambda c, o: c.with_raw_response.completions.create(
        model="m", prompt="x", **o
    ),
    "raw retrieve": lambda c, options: c.with_raw_response.models.retrieve("m", **options),
    "a raw path": lambda c, o: c.with_raw_response.request("GET", f"/x?key={KEY}", **o),
} | {
    verb: lambda client, options, verb=verb: getattr(client, verb)(f"/x?key={KEY}", **options)
    for verb in ("post", "put", "patch", "delete")
}

#: name: (options of a call, what fails)
OPTIONS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "headers": ({"extra_headers": {"api-key": KEY}}, rawllm.AuthenticationError),
    "parameters": ({"extra_query": {"key": [KEY, KEY]}}, rawllm.AuthenticationError),
    "a header of another kind": ({"extra_headers": {"api-key": KEY, "A": 1}}, TypeError),
    "a limit": ({"extra_headers": {"api-key": KEY}, "timeout": -1}, ValueError),
    "pairs": ({"extra_headers": [("api-key", KEY)], "extra_query": {"key": KEY}}, TypeError),
}


@pytest.mark.parametrize(("options", "kind"), OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_traceback_of_a_call_shows_a_secret(
    call: Callable[[rawllm.Client, dict[str, Any]], Any],
    options: dict[str, Any],
    kind: type[Exception],
) -> None:
    with serve(answer({"error": "no"}, 401)) as server, rawllm.Client(server.url) as client:
        assert shown_in(lambda: call(client, options), kind) == []


class Ended(requests.adapters.HTTPAdapter):
    """The program is ended while a variable holds the headers, as urllib3's do."""

    kind: type[BaseException]

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        headers = dict(request.headers)
        raise self.kind(len(headers))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_no_traceback_of_who_ends_the_program_shows_the_key(kind: type[BaseException]) -> None:
    session, adapter = requests.Session(), Ended()
    session.mount("http://", adapter)
    adapter.kind = kind
    with rawllm.Client("http://localhost/v1", KEY, session=session) as client:
        with pytest.raises(kind) as caught:
            client.chat("m", "x")
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert [frame.name for frame in told.stack if KEY in str(frame.locals)] == []


def test_an_error_keeps_what_the_caller_was_handling() -> None:
    with serve(answer({"error": "no"}, 400)) as server, rawllm.Client(server.url) as client:
        try:
            raise KeyError("mine")
        except KeyError:
            with pytest.raises(rawllm.BadRequestError) as caught:
                client.chat("m", "x")
    assert repr(caught.value.__context__) == "KeyError('mine')"


def test_no_traceback_shows_the_password_of_a_proxy() -> None:
    proxies = {"http": f"http://me:{KEY}@127.0.0.1:9"}
    with rawllm.Client("http://llm.test/v1", proxies=proxies, max_retries=0) as client:
        assert shown_in(lambda: client.chat("m", "x"), rawllm.APIConnectionError) == []


@pytest.mark.parametrize("path", ["http://127.0.0.1:{0}\\@127.0.0.1:{1}/v1/x", "http://a b@{0}/x"])
def test_no_call_goes_to_an_address_of_two_readings(path: str) -> None:
    with serve(answer(CHAT)) as there, serve(answer(CHAT)) as here:
        with rawllm.Client(here.url, KEY) as client:
            with pytest.raises(ValueError, match="no address that can be asked"):
                client.get(path.format(there.port, here.port))
        with pytest.raises(ValueError, match="base_url must look like"):
            rawllm.Client(path.format(there.port, here.port).replace(" ", "\\"), KEY)
        assert there.requests == here.requests == []


def test_no_redirect_leads_to_an_address_of_two_readings() -> None:
    with serve(answer(CHAT)) as there:
        moved: list[bytes] = []
        with serve(moved) as here:
            location = f"http://127.0.0.1:{there.port}\\@127.0.0.1:{here.port}/v1/x"
            moved.append(answer({}, 307, location=location))
            with rawllm.Client(here.url, KEY) as client:
                with pytest.raises(rawllm.APIStatusError, match="answered 307"):
                    client.chat("m", "x")
        assert there.requests == []


def test_a_client_pickles_and_finds_its_key_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(answer(CHAT)) as server:
        client = rawllm.Client(server.url, KEY, max_retries=7, default_headers={"X-A": "b"})
        monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
        with pickle.loads(pickle.dumps(client)) as copy:
            assert (copy.base_url, copy.max_retries) == (client.base_url, 7)
            assert copy.api_key == "sk-other"
            copy.chat("m", "x")
        assert server.requests[0].headers["x-a"] == "b"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda client: client.copy()])
def test_a_copy_keeps_the_key_and_shares_the_connections(
    copied: Callable[[rawllm.Client], rawllm.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (KEY, None):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
        with serve(answer(CHAT)) as server, rawllm.Client(server.url, key) as client:
            monkeypatch.setenv("OPENAI_API_KEY", "sk-later")
            other = copied(client)
            assert other is not client
            assert other.api_key == client.api_key == (key or "sk-environment")
            client.chat("m", "x")
            other.chat("m", "x")
            assert [request.connection for request in server.requests] == [0, 0]


def test_a_copy_has_resources_of_its_own() -> None:
    with serve(answer(CHAT)) as one, serve(answer(CHAT)) as two:
        with rawllm.Client(one.url) as client:
            client.chat("m", "x")
            client.with_raw_response.get("/a")
            other = client.with_options(base_url=two.url)
            assert other.chat is not client.chat
            other.chat("m", "x")
            other.chat.completions.create(model="m", messages="x")
            other.with_raw_response.get("/b")
        assert len(two.requests) == 3


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


def test_the_query_of_a_base_url_stays_with_it() -> None:
    with serve(answer(CHAT)) as one, serve(answer(CHAT)) as two:
        client = rawllm.Client(f"{one.url}?key={KEY}&a=1", default_query={"b": "2"})
        with client, client.with_options(base_url=f"{two.url}?c=3") as other:
            client.with_options(max_retries=0).chat("m", "x")
            other.chat("m", "x")
        assert one.requests[0].path == f"/v1/chat/completions?key={KEY}&a=1&b=2"
        assert two.requests[0].path == "/v1/chat/completions?c=3&b=2"


@pytest.mark.parametrize("nothing", [None, rawllm.omit, {}], ids=repr)
def test_with_options_may_leave_defaults_empty(nothing: Any) -> None:
    client = rawllm.Client("localhost", default_headers={"A": "b"}, default_query={"c": "d"})
    kept = client.with_options(default_headers=nothing, default_query=nothing)
    assert (kept.default_headers["A"], kept.default_query) == ("b", {"c": "d"})
    other = client.with_options(set_default_headers=nothing, set_default_query=nothing)
    assert ("A" in other.default_headers, other.default_query) == (False, {})


def test_a_client_says_what_it_was_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_PROJECT_ID", "p")
    client = rawllm.Client(
        f"http://localhost?a=1&key={KEY}",
        organization="o",
        default_headers={"X-Api-Key": KEY},
        default_query={"b": "2"},
    )
    assert (client.organization, client.project) == ("o", "p")
    assert client.default_query == {"a": "1", "key": KEY, "b": "2"}
    assert client.default_headers == {
        "User-Agent": f"rawllm/{rawllm.__version__}",
        "OpenAI-Organization": "o",
        "OpenAI-Project": "p",
        "X-Api-Key": KEY,
    }
    assert rawllm.Client("localhost").organization is None


@pytest.mark.parametrize("base_url", [123, b"http://localhost", ["localhost"]], ids=repr)
def test_a_base_url_is_text(base_url: Any) -> None:
    with pytest.raises(TypeError, match="base_url must be a str, not"):
        rawllm.Client(base_url)
    with pytest.raises(TypeError, match="base_url must be a str, not"):
        rawllm.Client("localhost").with_options(base_url=base_url)


def test_with_options_refuses_what_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="unknown options: http_client, retries"):
        rawllm.Client("localhost").with_options(http_client=1, retries=2)
    with pytest.raises(TypeError, match="unknown options: headers, login, query"):
        rawllm.Client("localhost").with_options(headers={}, query={}, login="a:b")
    with pytest.raises(ValueError, match="api_key"):
        rawllm.Client("localhost").with_options(api_key="a\nb")


def test_a_base_url_may_carry_a_query() -> None:
    with serve(answer(CHAT)) as server:
        query = "api-version=1&flag&v=&a=1&a=2"
        with rawllm.Client(f"{server.url}?{query}", default_query={"b": "2"}) as client:
            client.chat("m", "x")
        sent = "api-version=1&flag=&v=&a=1&a=2&b=2"
        assert server.requests[0].path == f"/v1/chat/completions?{sent}"


def test_importing_does_not_load_requests() -> None:
    code = "import sys, rawllm; print(sorted({'requests', 'urllib3', 'ssl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
