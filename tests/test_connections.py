"""Connections: what they say of themselves, which limits hold, and what is taken for an answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import urllib3

from rawllm import connections, troubles
from rawllm.connections import wire
from rawllm.deadlines import Watch
from rawllm.heads import HeadError
from rawllm.pools import POOLS
from tests.servers import (
    AUTHORITY,
    CHAT,
    LAST_CHUNK,
    PATIENCE,
    End,
    Script,
    answer,
    chunk,
    head,
    serve,
)

U = urllib3.exceptions
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


# --- what a connection says -------------------------------------------------


@pytest.fixture
def pools() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as manager:
        manager.pool_classes_by_scheme = POOLS
        yield manager


def test_a_connection_says_whether_it_had_served_before(pools: urllib3.PoolManager) -> None:
    with serve(answer(CHAT)) as server:
        seen = []
        for _ in range(2):
            wire.start(Watch())
            assert not wire.connected
            pools.request("GET", server.url)
            seen.append((wire.connected, wire.reused, wire.begun))
        assert seen == [(True, False, True), (True, True, True)]


def test_a_connection_in_the_pool_is_under_no_watch(pools: urllib3.PoolManager) -> None:
    with serve(answer(CHAT)) as server:
        watch = Watch(deadline=PATIENCE)
        wire.start(watch)
        pools.request("GET", server.url)
        assert not watch.shut()
        wire.start(None)
        assert pools.request("GET", server.url).status == 200
        assert {request.connection for request in server.requests} == {0}


def test_a_connection_that_is_read_from_is_under_its_watch(pools: urllib3.PoolManager) -> None:
    with serve(answer(CHAT)) as server:
        watch = Watch()
        wire.start(watch)
        response = pools.request("GET", server.url, preload_content=False)
        assert connections.socket_of(response) is not None
        assert watch.shut()
        response.close()


def test_a_mock_has_no_socket() -> None:
    assert connections.socket_of(urllib3.HTTPResponse(b"")) is None
    assert connections.socket_of(object()) is None


def test_every_address_of_a_host_is_tried(pools: urllib3.PoolManager) -> None:
    with serve(answer(CHAT)) as server:
        wire.start(None)
        # Where the first address of this name is ::1, nothing listens there.
        assert pools.request("GET", f"http://localhost:{server.port}/").status == 200


def test_a_name_that_is_not_known_is_a_failure_of_its_own(pools: urllib3.PoolManager) -> None:
    wire.start(None)
    with pytest.raises(U.NameResolutionError):
        pools.request("GET", "http://nothing.invalid/")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_is_no_slow_one(pools: urllib3.PoolManager, scheme: str) -> None:
    wire.start(None)
    with pytest.raises(U.NewConnectionError) as caught:
        pools.request("GET", f"{scheme}://127.0.0.1:9/")
    assert troubles.event(caught.value) == "refused"


def test_tls_is_under_the_watch_during_and_after_the_handshake() -> None:
    with serve(answer(CHAT), [End.HOLD], tls=True) as server:
        with urllib3.PoolManager(retries=False, ca_certs=AUTHORITY) as manager:
            manager.pool_classes_by_scheme = POOLS
            wire.start(Watch())
            assert manager.request("GET", server.url).status == 200
            watch = Watch(deadline=0.05)
            wire.start(watch)
            with pytest.raises(U.HTTPError):
                manager.request("GET", server.url, timeout=PATIENCE)
            assert watch.passed() == "deadline"
            assert wire.reused


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x03\x00\x7a\x02"], ids=["silence", "a piece"])
def test_a_handshake_ends_at_a_limit(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, urllib3.PoolManager() as manager:
        manager.pool_classes_by_scheme = POOLS
        threading.Thread(target=lambda: accepted(listener, said), daemon=True).start()
        watch = Watch(deadline=0.05)
        wire.start(watch)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(U.HTTPError):
            manager.request("GET", url, timeout=PATIENCE, retries=False)
        assert watch.ended


def accepted(listener: socket.socket, said: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(said)
        while connection.recv(4096):
            pass


TUNNELS: dict[str, tuple[float | None, Script]] = {
    "the proxy refuses": (None, [b"HTTP/1.1 502 Bad Gateway\r\n\r\n", End.FIN]),
    "the proxy is slow": (0.05, [b"HTTP/1.1 200 OK\r\nX: y\r\n", End.HOLD]),
    "the server leaves": (PATIENCE, [b"HTTP/1.1 200 OK\r\n\r\n", End.FIN]),
}


@pytest.mark.parametrize(("deadline", "script"), TUNNELS.values(), ids=TUNNELS)
def test_a_proxys_tunnel_ends(deadline: float | None, script: Script) -> None:
    with serve(script) as server:
        with urllib3.ProxyManager(f"http://127.0.0.1:{server.port}", retries=False) as manager:
            manager.pool_classes_by_scheme = POOLS
            watch = Watch(deadline=deadline)
            wire.start(watch)
            with pytest.raises(U.HTTPError):
                manager.request("GET", "https://llm.test/", timeout=PATIENCE)
            assert watch.ended is (deadline == 0.05)
            watch.stop()


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[Any]], None]:
    """Let the host `many.test` have these addresses."""
    real = socket.getaddrinfo

    def resolve(places: Sequence[Any]) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *a: found if host == "many.test" else real(host, *a)
        )

    return resolve


@contextmanager
def nowhere(port: int = 0) -> Iterator[Any]:
    """An address that does not answer: its queue is full."""
    with socket.create_server(("127.0.0.2", port), backlog=0) as listener:
        place = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(place)
        yield place
        for sock in waiting:
            sock.close()


@pytest.mark.parametrize(
    ("said", "event"), [([End.FIN], "proxy left"), ([b"SSH-2.0-x\r\n", End.FIN], "proxy")], ids=str
)
def test_a_proxy_that_does_not_answer_connect_is_the_proxys_failure(
    said: Script, event: str
) -> None:
    with serve(said) as server:
        with urllib3.ProxyManager(f"http://127.0.0.1:{server.port}", retries=False) as manager:
            manager.pool_classes_by_scheme = POOLS
            wire.start(None)
            with pytest.raises(U.HTTPError) as caught:
                manager.request("GET", "https://llm.test/", timeout=PATIENCE)
    assert troubles.event(caught.value) == event


def test_no_handshake_begins_once_the_time_is_up(pools: urllib3.PoolManager) -> None:
    with serve([End.HOLD], tls=True) as server:
        watch = Watch(deadline=1e-9)
        wire.start(watch)
        with pytest.raises(U.HTTPError) as caught:
            pools.request("GET", server.url, timeout=PATIENCE)
        watch.stop()
    assert str(troubles.innermost(caught.value)) == "the time was up before the handshake"


def test_all_addresses_together_have_the_time_to_connect(
    pools: urllib3.PoolManager, resolve: Callable[[Sequence[Any]], None]
) -> None:
    with nowhere() as place:
        resolve([place] * 6)
        wire.start(None)
        begun = time.monotonic()
        with pytest.raises(U.ConnectTimeoutError):
            pools.request("GET", f"http://many.test:{place[1]}/", timeout=0.1)
        assert time.monotonic() - begun < 0.4


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    pools: urllib3.PoolManager, resolve: Callable[[Sequence[Any]], None]
) -> None:
    with serve(answer(CHAT)) as server, nowhere(server.port) as place:
        resolve([place, ("127.0.0.1", server.port)])
        wire.start(None)
        patience = urllib3.Timeout(connect=0.4, read=PATIENCE)
        url = f"http://many.test:{server.port}/"
        assert pools.request("GET", url, timeout=patience).status == 200


def test_a_request_that_could_not_be_written_holds_nothing_back_afterwards() -> None:
    with serve(answer(CHAT)) as server:
        connection: Any = POOLS["http"].ConnectionCls("127.0.0.1", server.port)
        with pytest.raises(ValueError, match="header value"):
            connection.request("GET", "/", headers={"X-A": "1\n2"})
        connection.close()
        connection.connect()
        connection.send(b"GET /raw HTTP/1.1\r\n\r\n")
        assert connection.sock.recv(4) == b"HTTP"
        connection.close()
    assert [request.path for request in server.requests] == ["/raw"]


class Writes(socket.socket):
    """A socket that counts what is written at once."""

    sizes: ClassVar[list[int]] = []

    def sendall(self, data: Any, *args: Any) -> None:
        self.sizes.append(len(data))
        super().sendall(data, *args)


@pytest.mark.parametrize(("size", "writes"), [(0, 1), (10, 1), (65_536, 1), (65_537, 2)])
def test_a_small_body_goes_with_its_head(size: int, writes: int) -> None:
    with serve(answer(CHAT)) as server:
        connection: Any = POOLS["http"].ConnectionCls("127.0.0.1", server.port)
        connection.connect()
        connection.sock = Writes(fileno=connection.sock.detach())
        Writes.sizes.clear()
        connection.request("POST", "/", body=b"x" * size)
        connection.getresponse().read()
        connection.close()
    assert len(Writes.sizes) == writes
    assert server.requests[0].body == b"x" * size


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


@pytest.mark.parametrize("watch", [None, Watch()], ids=["alone", "watched"])
@pytest.mark.parametrize(
    "head", ["HT", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nServer: x"]
)
def test_a_head_that_breaks_off_is_no_answer(
    pools: urllib3.PoolManager, head: str, watch: Watch | None
) -> None:
    with serve([head.encode(), End.FIN]) as server:
        wire.start(watch)
        with pytest.raises(U.ProtocolError) as caught:
            pools.request("GET", server.url)
    assert troubles.event(caught.value) == "dropped"


@pytest.mark.parametrize(
    "pieces", [[b"H", b"ELLO\r\n"], [b"HT", b"T", b"X"], [b"HTTP", b"\n"]], ids=str
)
def test_what_is_no_http_is_none_as_soon_as_it_has_come(
    pools: urllib3.PoolManager, pieces: Script
) -> None:
    with serve([*pieces, End.HOLD]) as server:
        wire.start(Watch())
        with pytest.raises(HeadError, match=r"^not HTTP/1"):
            pools.request("GET", server.url, timeout=PATIENCE)


def test_a_head_may_come_byte_by_byte(pools: urllib3.PoolManager) -> None:
    said = EARLY + answer(CHAT)
    with serve([said[at : at + 1] for at in range(len(said))]) as server:
        for _ in range(2):
            wire.start(Watch())
            assert pools.request("GET", server.url).json() == CHAT
    assert [request.connection for request in server.requests] == [0, 0]


def test_a_length_beside_chunks_does_not_count(pools: urllib3.PoolManager) -> None:
    sent = head(transfer_encoding="chunked", content_length="3") + chunk(b"Hello") + LAST_CHUNK
    with serve(sent) as server:
        for _ in range(2):
            wire.start(Watch())
            assert pools.request("GET", server.url).data == b"Hello"
    assert [request.connection for request in server.requests] == [0, 1]


def test_early_hints_are_no_answer(pools: urllib3.PoolManager) -> None:
    one: Script = [b"HTTP/1.1 100 Continue\r\n\r\n", EARLY * 9_999, answer(b"one")]
    with serve(one, answer(b"two")) as server:
        for body in b"one", b"two":
            wire.start(Watch())
            answered = pools.request("GET", server.url)
            assert (answered.status, answered.data) == (200, body)
            assert "Link" not in answered.headers
    assert [request.connection for request in server.requests] == [0, 0]


def test_a_connection_that_speaks_something_else_is_not_used_again(
    pools: urllib3.PoolManager,
) -> None:
    switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"
    with serve([switched], answer(b"two")) as server:
        for status in 101, 200:
            wire.start(Watch())
            assert pools.request("GET", server.url).status == status
    assert [request.connection for request in server.requests] == [0, 1]


@pytest.mark.parametrize(
    ("headers", "reused"),
    [
        ({}, True),
        ({"content_length": "0"}, True),
        ({"content_length": "5"}, False),
        ({"transfer_encoding": "chunked"}, False),
    ],
    ids=str,
)
def test_an_answer_without_a_body_that_announces_one_is_the_last(
    pools: urllib3.PoolManager, headers: dict[str, str], reused: bool
) -> None:
    with serve(head(204, **headers), answer(b"two")) as server:
        for status in 204, 200:
            wire.start(Watch())
            answered = pools.request("GET", server.url, preload_content=False)
            assert answered.status == status
            if reused:
                answered.read()  # of the other nobody knows where it ends
    assert [request.connection for request in server.requests] == [0, int(not reused)]


def test_a_server_that_says_nothing_has_begun_no_head(pools: urllib3.PoolManager) -> None:
    with serve([End.FIN]) as server:
        wire.start(Watch())
        with pytest.raises(U.ProtocolError, match="without an answer"):
            pools.request("GET", server.url)


FIELDS = b"A: b\r\n" * 100


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param(b"hello\r\n\r\n", "not HTTP/1: 'hello'", id="no HTTP"),
        pytest.param(b"hello", "not HTTP/1", id="no HTTP, and no line"),
        pytest.param(b"\r\nHTTP/1.1 200 OK", "not HTTP/1: ''", id="an empty line"),
        pytest.param(
            b"HTTP/1.1 200 " + b"O" * 70_000,
            "a header of more than 65536 bytes",
            id="a status line without end",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + FIELDS + b"C: d\r\n", "more than 100 headers", id="headers"
        ),
        pytest.param(EARLY * 10_001, "more than 10000 interim answers (1xx)", id="early hints"),
        pytest.param(b"HT\n", "not HTTP/1: 'HT'", id="the beginning of HTTP"),
        pytest.param(b"HTTP/2 200\r\n\r\n", "no status line: 'HTTP/2 200'", id="another version"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
            "Content-Length: '1_0'",
            id="no length",
        ),
    ],
)
def test_what_cannot_be_read_is_no_answer(
    pools: urllib3.PoolManager, said: bytes, why: str
) -> None:
    with serve([said, End.HOLD], answer(CHAT)) as server:
        wire.start(Watch())
        with pytest.raises(HeadError) as caught:
            pools.request("GET", server.url, timeout=PATIENCE)
        assert (str(caught.value), troubles.event(caught.value)) == (why, "protocol")
        assert pools.request("GET", server.url).status == 200
    assert [request.connection for request in server.requests] == [0, 1]


def test_a_head_may_have_a_hundred_fields_and_long_ones(pools: urllib3.PoolManager) -> None:
    long = b"A: " + b"b" * (65_536 - 5) + b"\r\n"
    said = b"HTTP/1.1 200 OK\n" + FIELDS[: -2 * 6] + long + b"Content-Length: 5\n\nHello"
    with serve([said, End.HOLD]) as server:
        wire.start(Watch())
        answered = pools.request("GET", server.url)
    assert (answered.data, len(answered.headers["A"])) == (b"Hello", 98 * 3 + 65_531)


def test_a_server_sees_that_it_is_not_waited_for_even_if_another_process_holds_the_socket(
    pools: urllib3.PoolManager,
) -> None:
    with serve([End.HOLD]) as server:
        pool: Any = pools.connection_from_url(server.url)
        connection = pool._get_conn()
        wire.start(Watch(), read_timeout=0.05)
        connection.connect()
        with connection.sock.dup():
            connection.request("GET", "/")
            with pytest.raises(TimeoutError):
                connection.getresponse()
            connection.close()
            assert server.left.wait(PATIENCE)
        wire.start(None)


def test_a_limit_shuts_the_socket_while_the_headers_are_awaited(
    pools: urllib3.PoolManager,
) -> None:
    with serve([End.HOLD]) as server:
        watch = Watch(deadline=0.05)
        wire.start(watch)
        with pytest.raises(U.ProtocolError):
            pools.request("GET", server.url, timeout=PATIENCE)
        assert watch.passed() == "deadline"


def test_sending_has_the_time_to_read_and_not_the_time_to_connect(
    pools: urllib3.PoolManager,
) -> None:
    gate = threading.Event()
    threading.Timer(0.3, gate.set).start()
    with serve(answer(CHAT), slow=gate) as server:
        for connect in (0.05, 0.05):
            wire.start(Watch(), PATIENCE)
            timeout = urllib3.Timeout(connect=connect, read=PATIENCE)
            pools.request("POST", server.url, body=b"x" * 20_000_000, timeout=timeout)
        assert wire.reused


def test_an_answer_that_ctrl_c_kept_from_being_begun_is_closed_quietly() -> None:
    kind = connections.HTTPConnection.response_class
    kind.__new__(kind).close()
