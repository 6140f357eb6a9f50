"""One exchange: the connection, the key, redirects, retries and limits, over real sockets."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

import rawllm
from rawllm import retries, transport
from rawllm.transport import Transport
from tests.forks import FORKED, in_child
from tests.servers import (
    AUTHORITY,
    CHAT,
    EVENTS,
    LAST_CHUNK,
    PATIENCE,
    STREAM_HEAD,
    End,
    Script,
    Server,
    answer,
    chunk,
    event,
    head,
    serve,
    stream,
)

KEY = "sk-very-secret-1234"
TEXT = "Hello there!"
BUSY = answer({"error": {"message": "busy"}}, 503, retry_after_ms="1")
LOADING = answer({"error": {"message": "Loading model"}}, 503, retry_after_ms="1")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().endswith(("_PROXY", "_CA_BUNDLE")) or name.startswith("OPENAI_"):
            monkeypatch.delenv(name)


def chat(server: Server, **options: Any) -> str:
    """One chat with a client of these options."""
    call = {k: options.pop(k) for k in ("deadline", "extra_headers") if k in options}
    with rawllm.Client(server.url, **options) as client:
        said: str = client.chat("m", "x", **call)
        return said


# --- the connection ---------------------------------------------------------


@pytest.mark.parametrize("script", [[b"hello\r\n", End.FIN], [head(content_length="9"), End.FIN]])
@pytest.mark.parametrize("handled", [ConnectionRefusedError(), UnicodeError(), TimeoutError()])
def test_what_fails_while_the_caller_handles_something_is_named_for_itself(
    script: Script, handled: Exception
) -> None:
    with serve(script) as server:
        try:
            raise handled
        except type(handled):
            with pytest.raises(
                rawllm.APIConnectionError, match=r"the answer c|the connection c"
            ) as caught:
                chat(server)
        assert type(caught.value) is rawllm.APIConnectionError
        assert caught.value.__context__ is handled
        assert len(server.requests) == 1


def test_calls_share_one_connection() -> None:
    with serve(answer(CHAT)) as server, rawllm.Client(server.url) as client:
        for _ in range(3):
            client.chat("m", "x")
        assert [request.connection for request in server.requests] == [0, 0, 0]


def test_many_threads_share_one_client() -> None:
    with serve(answer(CHAT)) as server, rawllm.Client(server.url) as client:
        with ThreadPoolExecutor(16) as pool:
            said = list(pool.map(lambda _: client.chat("m", "x"), range(200)))
        assert said == ["Hello there!"] * 200
        assert len({request.connection for request in server.requests}) <= 16


# --- after a fork -----------------------------------------------------------


@pytest.mark.filterwarnings(FORKED)
@pytest.mark.parametrize("kind", [lambda: None, requests.Session], ids=["ours", "the caller's"])
def test_a_forked_process_has_connections_of_its_own(
    kind: Callable[[], requests.Session | None],
) -> None:
    with serve(answer(CHAT)) as server, rawllm.Client(server.url, session=kind()) as client:
        copy = client.with_options(max_retries=0)
        other = client.with_options(verify=False)
        client.chat("m", "x")
        assert in_child(lambda: [c.chat("m", "x") for c in (client, copy, client)]) == [TEXT] * 3
        other.chat("m", "x")
        client.chat("m", "x")
    assert [request.connection for request in server.requests][:4] == [0, 1, 1, 1]
    assert server.requests[-1].connection == 0


def test_what_begins_anew_leaves_no_connection_behind() -> None:
    held: Script = [answer(CHAT), End.HOLD]
    with serve(held) as one, serve(held) as other, requests.Session() as session:
        clients = [rawllm.Client(one.url), rawllm.Client(other.url, session=session)]
        for client in clients:
            client.chat("m", "x")
        transport.begin_anew()
        assert one.left.wait(PATIENCE)
        assert other.left.wait(PATIENCE)
        del clients


class _OfItsOwn(requests.adapters.HTTPAdapter):
    """As those for sockets of Unix: it has pools beside those of its manager."""

    def __init__(self) -> None:
        super().__init__()
        self.pools: Any = urllib3.PoolManager().pools

    def get_connection_with_tls_context(self, request: Any, *_: Any, **__: Any) -> Any:
        host, port = request.url.split("/")[2].split(":")
        if "the only one" not in self.pools:
            self.pools["the only one"] = urllib3.HTTPConnectionPool(host, int(port), block=True)
        return self.pools["the only one"]


class _WithoutPools(requests.adapters.HTTPAdapter):
    """With a manager that keeps none."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager = _Manager(self.poolmanager)


class _Manager:
    def __init__(self, manager: Any) -> None:
        self.connection_from_host = manager.connection_from_host
        self.connection_from_url = manager.connection_from_url
        self.clear = manager.clear


ADAPTERS: dict[str, Callable[[], requests.adapters.HTTPAdapter]] = {
    "waits for a connection": lambda: requests.adapters.HTTPAdapter(
        pool_maxsize=1, pool_block=True
    ),
    "has pools of its own": _OfItsOwn,
    "has a manager without pools": _WithoutPools,
}


@pytest.mark.filterwarnings(FORKED)
@pytest.mark.parametrize("make", ADAPTERS.values(), ids=ADAPTERS)
def test_a_forked_process_has_connections_of_its_own_by_a_callers_adapter(
    make: Callable[[], requests.adapters.HTTPAdapter],
) -> None:
    session = requests.Session()
    session.mount("http://", make())
    with serve(answer(CHAT)) as server, rawllm.Client(server.url, session=session) as client:
        client.chat("m", "x")
        assert in_child(lambda: [client.chat("m", "x"), client.chat("m", "x")]) == [TEXT] * 2
        client.chat("m", "x")
    assert [request.connection for request in server.requests] == [0, 1, 1, 0]


def _pools(session: requests.Session) -> Any:
    return session.get_adapter("http://").poolmanager.pools  # type: ignore[attr-defined]


def _proxied(session: requests.Session) -> Any:
    manager = session.get_adapter("http://").proxy_manager_for("http://localhost:1")  # type: ignore[attr-defined]
    return manager.connection_from_url("http://server.test").pool


_CALLERS_LOCKS: dict[str, Callable[[requests.Session], Any]] = {
    "its cookies": lambda session: session.cookies._cookies_lock,  # type: ignore[attr-defined]
    "its pools": lambda session: _pools(session).lock,
    "a pool": lambda session: _pools(session)[min(_pools(session).keys())].pool.mutex,
    "a proxy's pool": lambda session: _proxied(session).mutex,
}


@pytest.mark.filterwarnings(FORKED)
@pytest.mark.parametrize("lock", _CALLERS_LOCKS.values(), ids=_CALLERS_LOCKS)
def test_a_forked_process_does_not_wait_for_locks_that_were_held(
    lock: Callable[[requests.Session], Any],
) -> None:
    session = requests.Session()
    with serve(answer(CHAT)) as server, rawllm.Client(server.url, session=session) as client:
        client.chat("m", "x")

        def work() -> str:
            said: str = client.chat("m", "x")
            # As at the child's end, when all are called: some of them are not ours to call.
            for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
                called = finalizer.peek()[1]
                if getattr(called, "__module__", "").startswith("urllib3."):
                    finalizer()
            return said

        with _held(lock(session)):
            assert in_child(work) == TEXT


@contextmanager
def _held(lock: Any) -> Iterator[None]:
    """By another thread."""
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            release.wait(PATIENCE * 9)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert taken.wait(PATIENCE)
    try:
        yield
    finally:
        release.set()
        thread.join()


@pytest.mark.filterwarnings(FORKED)
@pytest.mark.parametrize("limits", [{}, {"deadline": 9 * PATIENCE}], ids=["no limit", "a limit"])
@pytest.mark.parametrize("reading", [False, True], ids=["nobody reads", "a thread reads"])
def test_a_forked_process_leaves_its_parents_stream_alone(
    limits: dict[str, float], reading: bool
) -> None:
    gate = threading.Event()
    script: Script = [
        STREAM_HEAD,
        chunk(event(EVENTS[1])),
        gate,
        *(chunk(event(e)) for e in EVENTS[2:]),
    ]
    with serve([*script, LAST_CHUNK]) as server, rawllm.Client(server.url) as client:
        answered = client.chat.completions.create(model="m", messages="x", stream=True, **limits)
        next(answered)
        read = threading.Thread(target=lambda: answered.completion)
        if reading:
            read.start()
            _until_it_waits_for_bytes(read)
        assert in_child(answered.close) is None
        gate.set()
        if reading:
            read.join(PATIENCE)
        assert answered.completion.choices[0].message.content == TEXT


def _until_it_waits_for_bytes(thread: threading.Thread) -> None:
    end = time.monotonic() + PATIENCE
    while sys._current_frames()[thread.ident or 0].f_code.co_name != "readinto":
        assert time.monotonic() < end


# --- a session of the caller's ----------------------------------------------


def test_a_mistake_in_a_callers_hook_is_its_own() -> None:
    def hook(response: requests.Response, **_: Any) -> None:
        response.close()
        raise ValueError("my hook is wrong")

    session = requests.Session()
    session.hooks["response"] = [hook]
    with serve(answer(CHAT)) as server, rawllm.Client(server.url, session=session) as client:
        with pytest.raises(ValueError, match="my hook is wrong") as caught:
            client.chat("m", "x")
    assert caught.traceback[-1].name == "hook"


def test_the_answer_to_one_call_is_not_the_nexts() -> None:
    later = threading.Event()
    early: Script = [b"HTTP/1.1 103 Early Hints\r\n\r\n", later, answer({"n": 1})]
    with serve(early, answer({"n": 2})) as server, rawllm.Client(server.url) as client:
        threading.Timer(0.1, later.set).start()
        assert [client.get("/one"), client.get("/two")] == [{"n": 1}, {"n": 2}]


def test_a_callers_session_does_not_mix_answers_up_either() -> None:
    later = threading.Event()
    early: Script = [b"HTTP/1.1 103 Early Hints\r\n\r\n", later, answer({"n": 1})]
    with (
        requests.Session() as session,
        serve(early, answer({"n": 2})) as server,
        rawllm.Client(server.url, session=session) as client,
    ):
        with pytest.raises(rawllm.APIStatusError, match="103"):
            client.get("/one")
        later.set()
        assert client.get("/two") == {"n": 2}


def test_closing_a_client_closes_its_connections_whoever_keeps_what() -> None:
    with serve([answer(CHAT), End.HOLD]) as server:
        client = rawllm.Client(server.url)
        raw = client.chat.completions.with_raw_response.create(model="m", messages="x")
        client.close()
        assert server.left.wait(PATIENCE)
        assert raw.parse() == CHAT


def test_a_closed_client_can_be_used_again() -> None:
    with serve(answer(CHAT)) as server:
        client = rawllm.Client(server.url)
        client.close()
        client.chat("m", "x")
        client.close()
        client.chat("m", "x")
        client.close()
        assert [request.connection for request in server.requests] == [0, 1]


# --- the key ----------------------------------------------------------------


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login me password from-netrc\n")
    monkeypatch.setenv("NETRC", str(file))


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize(
    ("key", "sent"), [(f" {KEY}\n", f"Bearer {KEY}"), (None, None), ("", None)]
)
def test_the_key_is_sent_and_netrc_is_not(key: str | None, sent: str | None) -> None:
    with serve(answer(CHAT)) as server:
        chat(server, api_key=key)
        assert server.requests[0].headers.get("authorization") == sent


def test_user_and_password_of_the_base_url_are_sent_without_a_key() -> None:
    with serve(answer(CHAT)) as server:
        url = server.url.replace("//", "//me:p%20w@")
        with rawllm.Client(url) as client:
            client.chat("m", "x")
        assert server.requests[0].headers["authorization"] == "Basic bWU6cCB3"


def test_a_header_of_the_callers_beats_the_key() -> None:
    with serve(answer(CHAT)) as server:
        chat(server, api_key=KEY, extra_headers={"authorization": "Token t"})
        chat(server, api_key=KEY, extra_headers={"Authorization": rawllm.omit})
        assert [r.headers.get("authorization") for r in server.requests] == ["Token t", None]


@pytest.mark.usefixtures("netrc")
def test_a_callers_session_keeps_its_own_auth() -> None:
    with serve(answer(CHAT)) as server, requests.Session() as session:
        session.headers["X-Mine"] = "yes"
        chat(server, session=session, api_key=KEY)
        chat(server, session=session)
        session.auth = ("me", "pw")
        chat(server, session=session, api_key=KEY)
        sent = [request.headers["authorization"] for request in server.requests]
        assert sent == [f"Bearer {KEY}", "Basic bWU6ZnJvbS1uZXRyYw==", "Basic bWU6cHc="]
        assert server.requests[0].headers["x-mine"] == "yes"


def secrets_in(error: BaseException | None) -> Iterator[str]:
    """Where the key shows: in texts, pickles, attributes and the locals of our frames."""
    while error is not None:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        for frame in told.stack:
            if "/rawllm/" in frame.filename and KEY in str(frame.locals):
                yield f"{frame.filename}:{frame.lineno}"
        held = {
            name: vars(value) for name, value in vars(error).items() if hasattr(value, "__dict__")
        }
        request = getattr(getattr(error, "response", error), "request", None)
        shown = (str(error), repr(error), held, vars(request) if request is not None else "")
        yield from (str(text) for text in shown if KEY in str(text))
        if KEY.encode() in pickle.dumps(error):
            yield "pickle"
        error = error.__cause__


FAILURES: dict[str, Script] = {
    "a status": [answer({"error": "no"}, 401)],
    "a redirect": [head(302, location="https://example.org/", content_length="0")],
    "HTML": [answer(b"<html>", content_type="text/html")],
    "a closed connection": [End.FIN],
    "a cut body": [head(content_length="99") + b"{", End.FIN],
}


@pytest.mark.parametrize("script", FAILURES.values(), ids=FAILURES)
def test_no_failure_shows_the_key(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serve(script) as server:
        with pytest.raises(rawllm.APIError) as caught:
            chat(server, api_key=KEY, max_retries=0, default_query={"key": KEY})
        assert KEY in server.requests[0].headers["authorization"]
    assert list(secrets_in(caught.value)) == []
    assert KEY not in "".join(r.getMessage() for r in caplog.records if r.name == "rawllm")


def test_a_servers_echo_of_the_key_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    echo = {"error": {"message": f"no such key: {KEY}", "type": KEY}}
    with serve(answer(echo, 503, retry_after_ms="1"), answer(echo, 401)) as server:
        with pytest.raises(rawllm.AuthenticationError, match=r"no such key: \*\*\*") as caught:
            chat(server, api_key=KEY)
    assert list(secrets_in(caught.value)) == []
    assert KEY not in caught.value.response.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("place", ["base_url", "default_query", "extra_query"])
def test_a_printed_traceback_shows_no_secret_of_the_query(place: str) -> None:
    url, query = "http://127.0.0.1:9/v1", {"key": KEY}
    options: dict[str, Any] = {"default_query": query} if place == "default_query" else {}
    extra: dict[str, Any] = {"extra_query": query} if place == "extra_query" else {}
    client = rawllm.Client(
        f"{url}?key={KEY}" if place == "base_url" else url, max_retries=0, **options
    )
    with client, pytest.raises(rawllm.APIConnectionError) as caught:
        client.chat("m", "x", **extra)
    assert KEY not in "".join(traceback.format_exception(caught.value))


# --- redirects --------------------------------------------------------------


def moved(status: int, location: str) -> bytes:
    return head(status, location=location, content_length="0")


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_method_is_followed_to_the_same_origin(status: int) -> None:
    with serve(moved(status, "/v2/chat?a=b"), answer(CHAT)) as server:
        chat(server, api_key=KEY)
        assert [r.method for r in server.requests] == ["POST", "POST"]
        assert server.requests[1].path == "/v2/chat?a=b"
        assert server.requests[1].body == server.requests[0].body
        assert server.requests[1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("status", "location", "shown"),
    [
        (301, "/v2", "{root}/v2"),
        (302, "https://example.org/login?key=secret", "https://example.org/login?key=***"),
        (307, "https://example.org/v1", "https://example.org/v1"),
        (308, "//example.org/v1", "http://example.org/v1"),
        (304, "", ""),
    ],
)
def test_any_other_redirect_is_an_error_that_names_the_location(
    status: int, location: str, shown: str
) -> None:
    with serve(moved(status, location)) as server:
        with pytest.raises(rawllm.APIStatusError) as caught:
            chat(server)
        assert shown.format(root=server.url.removesuffix("/v1")) in caught.value.message
        assert len(server.requests) == 1


def test_a_redirects_body_is_not_read_without_bound() -> None:
    endless: Script = [head(302, "1.0", location="/v2"), *[b"x" * 1_000_000] * 100, End.HOLD]
    with serve(endless) as server:
        with pytest.raises(rawllm.APIStatusError, match="redirects to") as caught:
            chat(server, api_key=KEY)
        assert server.left.wait(PATIENCE)
    assert len(caught.value.response.content) < 2_000_000
    assert caught.value.response.next is None


@pytest.mark.parametrize("location", ["http://[", "http://h:x/", "//\\\\evil"])
def test_a_location_that_cannot_be_taken_apart_is_still_the_redirects_error(location: str) -> None:
    with serve(moved(307, location)) as server:
        with pytest.raises(rawllm.APIStatusError, match="307"):
            chat(server)


def test_a_redirect_cannot_lure_the_key_elsewhere() -> None:
    with serve(answer(CHAT)) as evil, serve(moved(307, "")) as good:
        trap = f"http://127.0.0.1:{evil.port}\\@127.0.0.1:{good.port}/v1/x"
        good.scripts[:] = [[moved(307, trap)]]
        with pytest.raises(rawllm.APIStatusError, match="307"):
            chat(good, api_key=KEY)
        assert evil.requests == []


def test_redirects_in_a_circle_end() -> None:
    with serve(moved(307, "/v1/chat/completions")) as server:
        with pytest.raises(rawllm.APIStatusError, match="307"):
            chat(server)
        assert len(server.requests) == 6


# --- retries ----------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_busy_server_is_asked_again(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rawllm")
    busy = answer({"error": {"message": "busy"}}, status, retry_after_ms="1")
    with serve(busy, busy, answer(CHAT)) as server, rawllm.Client(server.url) as client:
        raw = client.chat.completions.with_raw_response.create(model="m", messages="x")
    assert raw.retries_taken == 2
    assert raw.parse() == CHAT
    logged = [record.getMessage() for record in caplog.records if record.levelname == "INFO"]
    assert [text.split(":")[0] for text in logged] == ["retry 1 in 0.00 s", "retry 2 in 0.00 s"]
    assert all(f"answered {status}" in text and "busy" in text for text in logged)


def test_retries_end() -> None:
    with serve(BUSY) as server:
        with pytest.raises(rawllm.InternalServerError, match="busy"):
            chat(server, max_retries=1)
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("a bad request", answer({"error": "no"}, 400)),
        ("quota", answer({"error": {"message": "no", "code": "insufficient_quota"}}, 429)),
        ("llama.cpp's 500", answer({"error": "no"}, 500, server="llama.cpp")),
        ("llama.cpp's 501", answer({"error": "no"}, 501, server="llama.cpp")),
        ("told not to", answer({"error": "no"}, 503, x_should_retry="false")),
        ("told to come tomorrow", answer({"error": "no"}, 429, retry_after="86400")),
        ("a body that was cut", head(content_length="99") + b"{"),
    ],
)
def test_what_no_waiting_helps_is_not_asked_again(name: str, refusal: bytes) -> None:
    with serve([refusal, End.FIN]) as server:
        with pytest.raises(rawllm.APIError):
            chat(server)
        assert len(server.requests) == 1, name


def test_a_loading_model_is_waited_for_outside_max_retries() -> None:
    with serve(*[LOADING] * 3, answer(CHAT)) as server:
        assert chat(server, max_retries=0) == "Hello there!"


def test_a_model_that_never_loads_is_given_up() -> None:
    with serve(LOADING) as server:
        with pytest.raises(rawllm.ModelLoadingError, match="loading_timeout="):
            chat(server, max_retries=0, loading_timeout=0.02)


def test_a_dead_pooled_connection_is_replaced_at_once() -> None:
    with serve(answer(CHAT), [End.FIN], answer(CHAT)) as server:
        with rawllm.Client(server.url, max_retries=0) as client:
            client.chat("m", "x")
            raw = client.chat.completions.with_raw_response.create(model="m", messages="x")
    assert raw.retries_taken == 1
    assert [request.connection for request in server.requests] == [0, 0, 1]


def test_a_fresh_connection_that_dies_is_an_error() -> None:
    with serve([End.FIN]) as server:
        with pytest.raises(rawllm.APIConnectionError, match="closed before the answer"):
            chat(server, max_retries=0)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "begun",
    [
        b"H",
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nServer: x",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
@pytest.mark.parametrize("end", [End.FIN, End.RST])
def test_a_request_whose_answer_had_begun_is_not_sent_again(begun: bytes, end: End) -> None:
    with serve(answer(CHAT), [begun, end], answer(CHAT)) as server:
        with rawllm.Client(server.url) as client:
            client.chat("m", "x")
            with pytest.raises(rawllm.APIError):
                client.chat("m", "x")
        assert len(server.requests) == 2


def test_a_refused_connection_is_tried_again() -> None:
    slept: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = rawllm.Client(f"http://127.0.0.1:{port}/v1")
    client._transport = Transport(sleep=slept.append)
    with pytest.raises(rawllm.APIConnectionError, match="nothing listens") as caught:
        client.chat("m", "x")
    client.close()
    assert type(caught.value) is rawllm.APIConnectionError
    assert [0.375 <= s / 2**i <= 0.5 for i, s in enumerate(slept)] == [True, True]


@pytest.mark.parametrize("asked", [True, False])
def test_silence_is_tried_again_only_if_asked(asked: bool) -> None:
    with serve([End.HOLD], answer(CHAT)) as server:
        client = rawllm.Client(server.url, timeout=0.2, retry_timeouts=asked)
        client._transport = Transport(sleep=lambda _: None)
        with client:
            if asked:
                assert client.chat("m", "x") == "Hello there!"
            else:
                with pytest.raises(rawllm.APITimeoutError, match="raise timeout="):
                    client.chat("m", "x")


def test_a_pause_longer_than_the_deadline_is_not_made() -> None:
    with serve(answer({"error": "busy"}, 503, retry_after="60")) as server:
        with pytest.raises(rawllm.InternalServerError, match="busy"):
            chat(server, deadline=PATIENCE)
        assert len(server.requests) == 1


# --- limits of time ---------------------------------------------------------

TRICKLES: dict[str, Script] = {
    "silence": [],
    "100 Continue": [b"HTTP/1.1 100 Continue\r\n\r\n"] * 3,
    "a status line": [b"HTTP/1"],
    "a header": [b"HTTP/1.1 200 OK\r\nServ"],
    "a chunk size": [head(transfer_encoding="chunked") + b"1"],
    "a chunk size of zeros": [head(transfer_encoding="chunked") + b"000"],
    "a body with its length": [head(content_length="1000") + b"{"],
    "a body that ends with the connection": [head(version="1.0") + b"{"],
}


@pytest.mark.parametrize("script", TRICKLES.values(), ids=TRICKLES)
def test_a_deadline_ends_every_wait(script: Script) -> None:
    with serve([*script, End.HOLD]) as server:
        with pytest.raises(rawllm.APITimeoutError, match="the deadline passed"):
            chat(server, deadline=0.3)
        assert server.left.wait(PATIENCE)


def test_a_deadline_bounds_all_tries_together() -> None:
    with serve(BUSY, [End.HOLD]) as server:
        with pytest.raises(rawllm.APITimeoutError, match="the deadline passed"):
            chat(server, deadline=0.5)
        assert len(server.requests) == 2


def test_a_connection_that_is_not_made_ends_at_the_deadline() -> None:
    # A full backlog: the second connection is never accepted.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        place = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(place)
        client = rawllm.Client(f"http://127.0.0.1:{place[1]}/v1", max_retries=0)
        with pytest.raises(rawllm.APITimeoutError):
            client.chat("m", "x", deadline=0.1)
        client.close()
        for sock in waiting:
            sock.close()


def test_limits_hold_with_a_callers_session() -> None:
    with serve([End.HOLD]) as server, requests.Session() as session:
        with pytest.raises(rawllm.APITimeoutError, match="the deadline passed"):
            chat(server, session=session, deadline=0.3)
        assert server.left.wait(PATIENCE)
    with (
        serve([head(content_length="99") + b"{", End.HOLD]) as server,
        requests.Session() as session,
    ):
        with pytest.raises(rawllm.APITimeoutError, match="the deadline passed"):
            chat(server, session=session, deadline=0.3)
        assert server.left.wait(PATIENCE)


def test_streams_of_a_callers_session_reuse_its_connection_and_end_at_a_limit() -> None:
    event_stream = stream(*EVENTS)
    started: Script = [STREAM_HEAD, chunk(event(EVENTS[1])), End.HOLD]
    with serve(event_stream, event_stream, started) as server, requests.Session() as session:
        client = rawllm.Client(server.url, session=session)
        for _ in range(2):
            assert "".join(client.chat("m", "x", stream=True)) == "Hello there!"
        with pytest.raises(rawllm.IncompleteStreamError, match="no chunk came"):
            list(client.chat("m", "x", stream=True, idle_timeout=0.3))
        assert [request.connection for request in server.requests] == [0, 0, 0]


class Tunnel:
    """A proxy that accepts CONNECT and then says one header line after the other."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.left = threading.Event()
        self.thread = threading.Thread(target=self.trickle, daemon=True)
        self.thread.start()

    def trickle(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(1000):
                try:
                    connection.sendall(b"X: y\r\n")
                except OSError:
                    break
                if self.left.wait(0.01):
                    break

    def close(self) -> None:
        self.left.set()
        self.listener.close()
        self.thread.join(PATIENCE)


def test_a_deadline_ends_a_proxy_that_never_comes_to_its_end() -> None:
    tunnel = Tunnel()
    client = rawllm.Client(
        "https://llm.test/v1", proxies={"https": f"http://127.0.0.1:{tunnel.port}"}
    )
    with client, pytest.raises(rawllm.APITimeoutError, match="the deadline passed"):
        client.chat("m", "x", deadline=0.3)
    tunnel.close()


def test_a_call_within_its_limits_leaves_no_thread() -> None:
    before = threading.active_count()
    with serve(answer(CHAT)) as server:
        running = threading.active_count()
        assert chat(server, deadline=PATIENCE) == "Hello there!"
        for thread in threading.enumerate():
            if thread.name.startswith("Thread-") and "_watch" in thread.name:
                thread.join(PATIENCE)
        assert threading.active_count() <= running + 1  # the server's own for the connection
    assert threading.active_count() == before


# --- TLS and proxies --------------------------------------------------------


def test_tls_is_spoken_and_the_certificate_checked() -> None:
    with serve(answer(CHAT), stream(*EVENTS), answer(CHAT), tls=True) as server:
        with rawllm.Client(server.url, KEY, verify=AUTHORITY) as client:
            assert client.chat("m", "x", deadline=PATIENCE) == "Hello there!"
            assert "".join(client.chat("m", "x", stream=True)) == "Hello there!"
            assert client.chat("m", "x") == "Hello there!"
        assert [request.connection for request in server.requests] == [0, 0, 0]
    with serve(answer(CHAT), tls=True) as server, rawllm.Client(server.url, KEY) as client:
        with pytest.raises(
            rawllm.APIConnectionError, match=r"give its authority's file as verify="
        ):
            client.chat("m", "x")
        assert server.requests == []


def test_a_stream_over_tls_is_closed_and_cut_like_any_other() -> None:
    started: Script = [STREAM_HEAD, chunk(event(EVENTS[1])), End.HOLD]
    with serve(started, started, [*started[:-1], End.FIN], tls=True) as server:
        with rawllm.Client(server.url, verify=AUTHORITY) as client:
            for _ in client.chat("m", "x", stream=True):
                break
            assert server.left.wait(PATIENCE)
            for limit in ({"idle_timeout": 0.05}, {}):
                with pytest.raises(rawllm.IncompleteStreamError) as caught:
                    list(client.chat("m", "x", stream=True, **limit))
                assert caught.value.partial.choices[0].message.content == "Hello"


def test_a_server_without_tls_is_told_from_one_that_fails() -> None:
    with serve(answer(CHAT)) as server:
        client = rawllm.Client(server.url.replace("http:", "https:"), timeout=1, max_retries=0)
        with pytest.raises(rawllm.APIConnectionError, match="try http:// in base_url"):
            client.chat("m", "x")
        client.close()


def test_a_handshake_that_is_not_answered_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        client = rawllm.Client(url, timeout=0.1, max_retries=0)
        with pytest.raises(rawllm.APITimeoutError, match="TLS handshake was not answered"):
            client.chat("m", "x")
        client.close()


def test_an_unknown_host_is_named() -> None:
    client = rawllm.Client("http://nothing.invalid/v1")
    with pytest.raises(rawllm.APIConnectionError, match=r"spelling of nothing\.invalid"):
        client.chat("m", "x")
    client.close()


def test_a_proxy_of_the_environment_does_not_apply_to_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serve(answer(CHAT)) as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        assert chat(server) == "Hello there!"


def test_a_proxy_of_the_environment_applies_elsewhere_and_is_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serve(answer(CHAT)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with rawllm.Client("http://server.test/v1", "sk-1") as client:
            assert client.chat("m", "x") == "Hello there!"
            monkeypatch.delenv("http_proxy")
            assert client.chat("m", "x") == "Hello there!"
        assert proxy.requests[0].path == "http://server.test/v1/chat/completions"


def test_a_proxy_that_is_given_applies_to_this_machine_too() -> None:
    with serve(answer(CHAT)) as proxy:
        with rawllm.Client("http://127.0.0.1:9/v1", proxies={"http": proxy.url}) as client:
            assert client.chat("m", "x") == "Hello there!"


def test_a_proxy_that_fails_is_named() -> None:
    proxies = {"http": "http://127.0.0.1:9"}
    with rawllm.Client("http://server.test/v1", proxies=proxies, max_retries=0) as client:
        with pytest.raises(rawllm.APIConnectionError, match="went through a proxy"):
            client.chat("m", "x")


@pytest.mark.parametrize("proxy", ["socks5h://127.0.0.1:9", "http:///nowhere"])
def test_a_proxy_that_cannot_be_used_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with rawllm.Client("http://server.test/v1") as client:
        with pytest.raises(rawllm.APIConnectionError, match="the proxy failed"):
            client.chat("m", "x")


def test_every_event_of_the_transport_is_in_the_table() -> None:
    for name in ("handshake", "deadline", "quota", "bad request", "loading", "busy", "status"):
        assert retries.rule(retries.Failure(name))
