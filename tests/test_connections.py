"""What an exception of requests, urllib3, http.client or ssl was."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import pytest
import requests
import urllib3

from rawllm import connections, retries
from rawllm.connections import wire
from rawllm.deadlines import Watch
from tests.servers import CHAT, PATIENCE, End, answer, serve

POOL = urllib3.HTTPConnectionPool("localhost")
CONNECTION = urllib3.connection.HTTPConnection("localhost")
U = urllib3.exceptions


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


def tries(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(U.MaxRetryError(POOL, "/v1?key=secret", reason))


REFUSED = ConnectionRefusedError(111, "Connection refused")
UNREACHABLE = OSError(101, "Network is unreachable")

KINDS: dict[str, tuple[Exception, str, str]] = {
    "refused": (
        tries(caused(U.NewConnectionError(CONNECTION, "x"), REFUSED)),
        "refused",
        "[Errno 111] Connection refused",
    ),
    "no route": (
        tries(caused(U.NewConnectionError(CONNECTION, "x"), UNREACHABLE)),
        "unreachable",
        "[Errno 101] Network is unreachable",
    ),
    "no such host": (
        tries(caused(U.NewConnectionError(CONNECTION, "x"), socket.gaierror(-2, "unknown"))),
        "dns",
        "[Errno -2] unknown",
    ),
    "slow to connect": (
        requests.ConnectTimeout(
            U.MaxRetryError(POOL, "/", U.ConnectTimeoutError(CONNECTION, "timed out"))
        ),
        "connect timeout",
        "timed out",
    ),
    "proxy": (
        requests.exceptions.ProxyError(U.MaxRetryError(POOL, "/", U.ProxyError("no", REFUSED))),
        "proxy",
        "[Errno 111] Connection refused",
    ),
    "untrusted certificate": (
        requests.exceptions.SSLError(
            U.MaxRetryError(POOL, "/", U.SSLError(ssl.SSLCertVerificationError(1, "self-signed")))
        ),
        "tls",
        "self-signed",
    ),
    "no TLS there": (
        requests.exceptions.SSLError(
            U.MaxRetryError(POOL, "/", U.SSLError(ssl.SSLError(1, "wrong version number")))
        ),
        "plain",
        "wrong version number",
    ),
    "silence": (
        requests.ReadTimeout(U.ReadTimeoutError(POOL, "/", "Read timed out.")),
        "timeout",
        "Read timed out",
    ),
    "silence within a body": (
        caused(U.ReadTimeoutError(POOL, "/", "Read timed out."), TimeoutError("timed out")),
        "timeout",
        "timed out",
    ),
    "dead connection": (
        requests.ConnectionError(
            U.ProtocolError("Connection aborted.", http.client.RemoteDisconnected("no response"))
        ),
        "dropped",
        "no response",
    ),
    "reset": (
        U.ProtocolError("Connection broken", ConnectionResetError(104, "reset")),
        "dropped",
        "reset",
    ),
    "body cut": (U.ProtocolError("x", http.client.IncompleteRead(b"abc", 7)), "dropped", "3 bytes"),
    "TLS cut": (U.SSLError(ssl.SSLEOFError(8, "EOF occurred")), "dropped", "EOF occurred"),
    "no status line": (
        U.ProtocolError("Connection aborted.", http.client.BadStatusLine("hello")),
        "protocol",
        "hello",
    ),
    "no file of certificates": (OSError("invalid path: x.pem"), "tls", "x.pem"),
    "a chunk size that is no number": (ValueError("-5"), "protocol", "-5"),
    "without words": (http.client.HTTPException(), "protocol", "HTTPException"),
}


@pytest.mark.parametrize(("trouble", "event", "words"), KINDS.values(), ids=KINDS)
def test_a_failure_is_named_by_what_was_innermost(
    trouble: Exception, event: str, words: str
) -> None:
    assert connections.event(trouble) == event
    assert words in connections.cause(trouble)
    assert "secret" not in connections.cause(trouble)


@pytest.mark.parametrize("name", sorted({name for _, name in connections._KINDS} | {"protocol"}))
def test_every_name_is_in_the_table_of_retries(name: str) -> None:
    assert retries.rule(retries.Failure(name))


def test_no_cause_has_no_words() -> None:
    assert connections.cause(None) == ""


def test_exceptions_that_wrap_each_other_for_ever_end() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert connections.event(one) == "protocol"
    assert connections.cause(one) in ("one", "two")


# --- what a connection says -------------------------------------------------


@pytest.fixture
def pools() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as manager:
        manager.pool_classes_by_scheme = connections.POOLS
        yield manager


def test_a_connection_says_whether_it_had_served_before(pools: urllib3.PoolManager) -> None:
    with serve(answer(CHAT)) as server:
        seen = []
        for _ in range(2):
            wire.start(Watch())
            assert not wire.connected
            pools.request("GET", server.url)
            seen.append((wire.connected, wire.reused, wire.begun, wire.sock is not None))
        assert seen == [(True, False, True, True), (True, True, True, True)]


def test_a_connection_that_was_closed_starts_anew(pools: urllib3.PoolManager) -> None:
    with serve([answer(CHAT, connection="close"), End.FIN]) as server:
        for _ in range(2):
            wire.start(Watch())
            pools.request("GET", server.url)
            assert not wire.reused


@pytest.mark.parametrize(("sent", "begun"), [(b"", False), (b"HTTP/1.1 200 OK\r\nServer", True)])
def test_a_connection_says_whether_an_answer_had_begun(
    pools: urllib3.PoolManager, sent: bytes, begun: bool
) -> None:
    with serve([sent, End.RST]) as server:
        wire.start(Watch())
        with pytest.raises(U.ProtocolError):
            pools.request("GET", server.url)
        assert wire.begun is begun


def test_a_limit_shuts_the_socket_while_the_headers_are_awaited(
    pools: urllib3.PoolManager,
) -> None:
    with serve([End.HOLD]) as server:
        watch = Watch(deadline=0.05)
        wire.start(watch)
        with pytest.raises(U.ProtocolError):
            pools.request("GET", server.url, timeout=PATIENCE)
        assert watch.passed() == "deadline"


def test_a_connection_without_a_watch_is_like_any_other(pools: urllib3.PoolManager) -> None:
    with serve(answer(CHAT)) as server:
        wire.start(None)
        assert pools.request("GET", server.url).status == 200
        assert wire.sock is None


def test_a_reused_connection_has_the_timeout_of_its_new_request(
    pools: urllib3.PoolManager,
) -> None:
    with serve(answer(CHAT)) as server:
        wire.start(Watch())
        pools.request("GET", server.url)
        assert wire.sock is not None
        wire.sock.settimeout(0.001)
        wire.start(Watch())
        pools.request("POST", server.url, body=b"x" * 1_000_000, timeout=PATIENCE)
        assert wire.reused
