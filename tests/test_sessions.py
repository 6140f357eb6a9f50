"""A request made ready once and sent: what is shared, what is not, and who may step in."""

from __future__ import annotations

import functools
import json
import os
import pickle
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

import rawllm
from rawllm.keys import Guarded, Key, Place
from rawllm.sessions import CallersSession, Options, OwnSession, without_secrets
from rawllm.settings import Request
from tests.servers import (
    AUTHORITY,
    CHAT,
    EVENTS,
    PATIENCE,
    End,
    Server,
    answer,
    head,
    serve,
    stream,
)

KEY = "sk-very-secret-1234"
BASE = "http://localhost/v1"
PATH = f"{BASE}/chat/completions"
WAIT = (5.0, 10.0)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().endswith(("_PROXY", "_CA_BUNDLE")) or name.startswith("OPENAI_"):
            monkeypatch.delenv(name)


@pytest.fixture
def own() -> Iterator[OwnSession]:
    session = OwnSession(Options())
    yield session
    session.close()


def request(url: str = PATH, body: bytes | None = b"{}", **parts: Any) -> Request:
    given: Any = {"headers": Guarded({"X-A": "1"}), "query": Guarded(), "key": Key(KEY)} | parts
    method = "GET" if body is None else "POST"
    return Request(method=method, url=Place(url), body=body, **({"login": Key(None)} | given))


# --- made ready once --------------------------------------------------------


def test_requests_that_differ_in_their_body_alone_are_sent_each_with_its_own(
    own: OwnSession,
) -> None:
    bodies = [b"{}", b'{"a": 1}', b""]
    prepared = [own.prepare(request(body=body)) for body in bodies]
    assert [p.sent.body for p in prepared] == bodies
    assert [p.sent.headers["Content-Length"] for p in prepared] == ["2", "8", "0"]
    assert [p.sent.headers["X-A"] for p in prepared] == ["1"] * 3


def test_what_one_try_does_to_its_request_is_not_the_next_ones(own: OwnSession) -> None:
    first = own.prepare(request())
    first.sent.headers["X-A"] = first.shown.headers["X-B"] = "mine"
    first.sent.hooks["response"].append(print)
    second = own.prepare(request())
    assert second.sent.headers["X-A"] == "1"
    assert "X-B" not in second.shown.headers
    assert second.sent.hooks == {"response": []}


@pytest.mark.parametrize(
    ("other", "name", "value"),
    [
        pytest.param({"key": Key("sk-2")}, "Authorization", "Bearer sk-2", id="key"),
        pytest.param({"key": Key(None)}, "Authorization", None, id="no key"),
        pytest.param(
            {"key": Key(None), "login": Key("me:pw")}, "Authorization", "Basic bWU6cHc=", id="login"
        ),
        pytest.param({"headers": Guarded({"X-A": "2"})}, "X-A", "2", id="headers"),
        pytest.param(
            {"headers": Guarded({"authorization": "mine"})}, "Authorization", "mine", id="its own"
        ),
        pytest.param({"body": None}, "Content-Length", None, id="no body"),
    ],
)
def test_what_else_differs_is_not_shared(
    own: OwnSession, other: dict[str, Any], name: str, value: str | None
) -> None:
    own.prepare(request())
    assert own.prepare(request(**other)).sent.headers.get(name) == value
    assert own.prepare(request()).sent.headers["Authorization"] == f"Bearer {KEY}"


def test_a_query_is_sent_as_it_is_each_time(own: OwnSession) -> None:
    for value in "1", "2", "1":
        prepared = own.prepare(request(query=Guarded({"api-version": value})))
        assert prepared.sent.url == f"{PATH}?api-version={value}"


def test_many_threads_make_ready_ever_new_requests(own: OwnSession) -> None:
    def ready(number: int) -> bool:
        url = f"{BASE}/{number % 200}"
        return own.prepare(request(url)).sent.url == url

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ready, range(4000)))


# --- no secret --------------------------------------------------------------


def test_what_is_shown_of_a_request_holds_no_secret(own: OwnSession) -> None:
    headers = Guarded({"X-Api-Key": KEY})
    prepared = own.prepare(request(f"{PATH}?key={KEY}", headers=headers))
    assert KEY in prepared.sent.headers["Authorization"]
    assert KEY not in str(vars(prepared.shown))
    assert KEY.encode() not in pickle.dumps(prepared.shown)
    assert KEY not in repr(prepared)


def test_what_a_caller_hooked_is_not_shown() -> None:
    sent = requests.Request("GET", BASE, hooks={"response": lambda r, **_: r}).prepare()
    pickle.dumps(without_secrets(sent))


def test_a_client_that_was_used_pickles_and_prints_without_its_key() -> None:
    with serve(answer(CHAT)) as server, rawllm.Client(server.url, KEY) as client:
        client.chat("m", "x")
        assert KEY.encode() not in pickle.dumps(client)
        assert KEY not in repr(client)


def test_no_traceback_shows_what_a_proxy_that_cannot_be_used_was_to_be_told() -> None:
    proxies = {"http": f"socks5h://me:{KEY}@127.0.0.1:9"}
    with rawllm.Client(BASE, KEY, proxies=proxies, default_query={"key": KEY}) as client:
        with pytest.raises(rawllm.APIConnectionError, match="proxy failed") as caught:
            client.chat("m", "x")
    for error in caught.value, caught.value.__cause__:
        assert error is not None
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = [frame for frame in told.stack if "/rawllm/" in frame.filename]
        assert [frame.name for frame in frames if KEY in str(frame.locals)] == []


@pytest.mark.parametrize("host", ["*.com", "é" * 64 + ".com"])
def test_no_traceback_shows_a_header_of_a_request_that_cannot_be_made(host: str) -> None:
    with rawllm.Client(f"http://{host}/v1", KEY, default_headers={"X-Api-Key": KEY}) as client:
        with pytest.raises(ValueError, match="no address that can be asked") as caught:
            client.chat("m", "x")
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in told.stack if "/rawllm/" in frame.filename]
    assert frames
    assert [frame.name for frame in frames if KEY in str(frame.locals)] == []
    assert caught.value.__context__ is None


@pytest.mark.parametrize("host", ["*.com", "é" * 64 + ".com"])
def test_an_address_that_no_request_can_have_is_the_callers_mistake(host: str) -> None:
    with rawllm.Client(f"http://{host}/v1", KEY) as client:
        with pytest.raises(ValueError, match="no address that can be asked"):
            client.chat("m", "x")


# --- sent -------------------------------------------------------------------


def test_an_answer_tells_of_its_request_time_and_cookies() -> None:
    with serve(answer(CHAT, set_cookie="a=b; Path=/")) as server:
        with rawllm.Client(server.url, KEY) as client:
            create = client.chat.completions.with_raw_response.create
            answered = create(model="m", messages="x").http_response
    assert answered.elapsed.total_seconds() > 0
    assert answered.cookies["a"] == "b"
    assert answered.request.method == "POST"
    assert answered.request.body == server.requests[0].body
    assert answered.request.headers["Authorization"] == "***"


def test_expect_is_sent_and_100_continue_is_no_answer(own: OwnSession) -> None:
    with serve([head(100), answer(b"a")]) as server:
        asked = own.prepare(request(server.url, headers=Guarded({"Expect": "100-continue"})))
        assert own.send(asked, WAIT).content == b"a"
        own.close()
    assert server.requests[0].body == b"{}"


@pytest.mark.parametrize("size", [10, 65_536, 65_537, 3_000_000])
def test_a_body_of_any_size_arrives(own: OwnSession, size: int) -> None:
    with serve(answer(b"a")) as server:
        for _ in range(2):
            own.send(own.prepare(request(server.url, b"x" * size)), WAIT).close()
        own.close()
    assert [r.body for r in server.requests] == [b"x" * size] * 2


def test_the_authorities_of_the_environment_may_change_between_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serve(answer(CHAT), tls=True) as server:
        with rawllm.Client(server.url, KEY, max_retries=0) as client:
            for bundle, trusted in (("", False), (AUTHORITY, True), ("/nowhere.pem", False)):
                monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
                if trusted:
                    assert client.chat("m", "x") == "Hello there!"
                else:
                    with pytest.raises(rawllm.APIConnectionError, match="TLS"):
                        client.chat("m", "x")


def test_a_proxy_of_the_environment_is_for_other_machines_and_read_once(
    own: OwnSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    assert own.prepare(request()).settings["proxies"] == {}
    for path in "a", "b":
        asked = own.prepare(request(f"http://server.test/{path}"))
        assert asked.settings["proxies"]["http"] == "http://proxy.test:3128"
        monkeypatch.delenv("http_proxy", raising=False)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_ca_bundle_of_the_environment_is_used_unless_another_is_given(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "/nowhere/env.pem")
    for given, used in ((None, "env.pem"), ("/nowhere/mine.pem", "mine.pem")):
        with rawllm.Client("https://127.0.0.1:9/v1", verify=given) as client:
            with pytest.raises(rawllm.APIConnectionError, match=f"TLS failed .*{used}"):
                client.chat("m", "x")


# --- those who step in ------------------------------------------------------


@responses.activate
def test_mocks_of_requests_work_whole_and_streamed() -> None:
    url = "http://localhost/v1/chat/completions"
    mock = responses.add(responses.POST, url, json=CHAT, headers={"x-request-id": "r1"})
    client = rawllm.Client("http://localhost/v1", "sk-mine")
    answered = client.chat.completions.create(model="m", messages="x", seed=1)
    assert answered == CHAT
    assert answered._request_id == "r1"
    request: Any = mock.calls[0].request
    assert request.headers["Authorization"] == "Bearer sk-mine"
    assert json.loads(request.body)["seed"] == 1
    sse = (
        b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    responses.replace(responses.POST, url, body=sse, content_type="text/event-stream")
    assert list(client.chat("m", "x", stream=True)) == ["hi"]


def test_mocks_may_come_and_go_around_a_client_that_is_in_use() -> None:
    with serve(answer(CHAT)) as server, rawllm.Client(server.url) as client:
        assert client.chat("m", "x") == "Hello there!"
        with responses.RequestsMock() as mock:
            mock.post(f"{server.url}/chat/completions", status=404)
            with pytest.raises(rawllm.NotFoundError):
                client.chat("m", "x")
        assert client.chat("m", "x") == "Hello there!"
        assert len(server.requests) == 2


class Standing:
    """What stands for a function, as wrapt's do, down to its class and its code."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.__code__ = function.__wrapped__.__code__

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self.function)

    def __get__(self, session: Any, owner: Any = None) -> Any:
        return self if session is None else functools.partial(self.function, session)


@pytest.mark.parametrize("kind", [lambda function: function, Standing], ids=["function", "wrapper"])
def test_what_takes_the_place_of_requests_own_send_is_asked(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As tracers do, and requests_mock.
    seen: list[str] = []
    send = requests.Session.send

    @functools.wraps(send)
    def traced(session: requests.Session, asked: requests.PreparedRequest, **kw: Any) -> Any:
        seen.append(str(asked.url))
        return send(session, asked, **kw)

    monkeypatch.setattr(requests.Session, "send", kind(traced))
    with serve(answer(CHAT)) as server, rawllm.Client(server.url) as client:
        client.chat("m", "x")
        assert seen == [f"{server.url}/chat/completions"]


class Noting(requests.adapters.HTTPAdapter):
    """An application's adapter, which adds a header and counts."""

    sent = 0

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        self.sent += 1
        request.headers["X-Adapter"] = str(self.sent)
        return super().send(request, *args, **kwargs)


class Signed(requests.auth.AuthBase):
    """An application's own auth, which signs the body."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Signed"] = str(len(request.body or b""))
        return request


def ask_twice(server: Server, session: requests.Session, **options: Any) -> None:
    client = rawllm.Client(server.url, session=session, **options)
    assert client.chat("m", "x") == "Hello there!"
    assert "".join(client.chat("m", "xyz", stream=True)) == "Hello there!"


def test_a_callers_session_keeps_its_adapters_hooks_auth_headers_and_cookies() -> None:
    hooked: list[int] = []
    with (
        serve(answer(CHAT, set_cookie="a=b; Path=/"), stream(*EVENTS)) as server,
        requests.Session() as session,
    ):
        session.mount("http://", Noting())
        session.hooks["response"].append(lambda r, **_: hooked.append(r.status_code))
        session.auth = Signed()
        session.headers["X-Mine"] = "yes"
        ask_twice(server, session, api_key=KEY)
    assert hooked == [200, 200]
    first, second = (r.headers for r in server.requests)
    assert (first["x-adapter"], second["x-adapter"]) == ("1", "2")
    assert [int(r.headers["x-signed"]) for r in server.requests] == [
        len(r.body) for r in server.requests
    ]
    assert second["cookie"] == "a=b"
    assert second["x-mine"] == "yes"
    assert "authorization" not in second


def test_each_try_with_a_callers_session_is_made_anew() -> None:
    busy = answer({"error": "busy"}, 503, retry_after_ms="1")
    with serve(busy, answer(CHAT)) as server, requests.Session() as session:
        session.mount("http://", Noting())
        assert rawllm.Client(server.url, session=session).chat("m", "x") == "Hello there!"
    assert [r.headers["x-adapter"] for r in server.requests] == ["1", "2"]
    assert server.requests[0].body == server.requests[1].body


def test_a_callers_session_has_the_key_unless_it_has_its_own_auth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine localhost login me password pw\n")
    monkeypatch.setenv("NETRC", str(file))
    with requests.Session() as session:
        callers = CallersSession(session, Options(proxies={"http": "http://proxy.test"}))
        for key, sent in (Key(KEY), f"Bearer {KEY}"), (Key(None), "Basic bWU6cHc="):
            prepared = callers.prepare(request(key=key))
            assert prepared.sent.headers["Authorization"] == sent
            assert prepared.shown.headers["Authorization"] == "***"
            assert prepared.settings["proxies"]["http"] == "http://proxy.test"
        with pytest.raises(ValueError, match="no address that can be asked"):
            callers.prepare(request("http://*.com/v1"))
        callers.close()


def test_a_callers_session_lets_go_of_its_connections_and_of_nothing_else() -> None:
    session = requests.Session()
    session.mount("odd://", odd := Odd())
    session.cookies.set("a", "b")
    session.mount("http://", mine := Mine(pool_maxsize=3))
    with serve(answer(b"a")) as server:
        callers = CallersSession(session, Options())
        for _ in range(2):
            asked = callers.prepare(request(server.url, None))
            assert callers.send(asked, WAIT).content == b"a"
            callers.begin_anew()
    assert [r.connection for r in server.requests] == [0, 1]
    assert session.adapters["odd://"] is odd
    assert session.cookies.get_dict() == {"a": "b"}
    assert session.adapters["http://"] is mine


def test_a_callers_session_closes_its_connections_even_if_it_has_closed_a_pool() -> None:
    session = requests.Session()
    manager = session.get_adapter("http://").poolmanager  # type: ignore[attr-defined]
    manager.connection_from_url("http://localhost:1").close()
    with serve([answer(b"a"), End.HOLD]) as server:
        callers = CallersSession(session, Options())
        asked = callers.prepare(request(server.url, None))
        assert callers.send(asked, WAIT).content == b"a"
        callers.begin_anew()
        assert server.left.wait(PATIENCE)


class Odd(requests.adapters.BaseAdapter):
    """An adapter that keeps no connections."""


class Mine(requests.adapters.HTTPAdapter): ...


def test_what_is_no_session_is_refused() -> None:
    with pytest.raises(TypeError, match=r"session must be a requests\.Session, not int"):
        rawllm.Client(BASE, session=5)  # type: ignore[arg-type]


def test_a_callers_session_is_shared_by_threads() -> None:
    gate = threading.Barrier(4)

    def say(client: rawllm.Client) -> str:
        gate.wait(10)
        said: str = client.chat("m", "x")
        return said

    with serve(answer(CHAT)) as server, requests.Session() as session:
        client = rawllm.Client(server.url, session=session)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(say, [client] * 4)) == ["Hello there!"] * 4
