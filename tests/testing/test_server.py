"""The server, looked at through plain sockets: requests, answers, ends, and going away."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rawllm.testing.scripts import End, Pause, Request, Script, stream, whole
from rawllm.testing.server import Exchange, Server

PATIENCE = 10.0  # seconds until a wait in a test is a failure
LONG = 1000.0  # seconds that nobody waits for

GET = b"GET /v1/models HTTP/1.1\r\nHost: here\r\n\r\n"
GET_10 = GET.replace(b"1.1", b"1.0")
LAST = b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"
POST = b"POST /v1/x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"

OK = whole(200, {}, b"ok")
OK_BYTES = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def serving(script: Script, **options: Any) -> Server:
    """A server that always plays the same."""
    return Server(lambda _: script, **options)


def echo(request: Request) -> Script:
    """Says what it was asked."""
    words = f"{request.method} {request.target} {request.body.decode()}"
    return whole(200, {}, words.encode())


def said(words: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(words), words)


def connect(server: Server) -> socket.socket:
    return socket.create_connection((server.host, server.port), PATIENCE)


def read(client: socket.socket, size: int) -> bytes:
    """So many bytes, fewer where the server closes."""
    data = b""
    while len(data) < size and (piece := client.recv(size - len(data))):
        data += piece
    return data


def read_all(client: socket.socket) -> bytes:
    return read(client, 1 << 30)


def asked(server: Server, sent: bytes) -> bytes:
    """All that comes back, up to the end of the connection."""
    with connect(server) as client:
        client.sendall(sent)
        return read_all(client)


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.fixture(autouse=True)
def threads() -> Iterator[int]:
    """How many there are without a server. None outlives its server."""
    before = threading.active_count()
    yield before
    assert threading.active_count() == before


# --- requests and answers ---------------------------------------------------


@pytest.mark.parametrize("sent", [POST, CHUNKED], ids=["with a length", "chunked"])
def test_a_request_arrives_as_it_was_sent(sent: bytes) -> None:
    exchanges: list[Exchange] = []
    with Server(echo, seen=exchanges.append) as server, connect(server) as client:
        for at in range(len(sent)):
            client.sendall(sent[at : at + 1])
        assert read(client, len(said(b"POST /v1/x body"))) == said(b"POST /v1/x body")
    assert exchanges[0].request.raw == sent
    assert exchanges[0].request.body == b"body"


def test_a_connection_serves_many_requests() -> None:
    exchanges: list[Exchange] = []
    with Server(echo, seen=exchanges.append) as server:
        with connect(server) as first, connect(server) as second:
            for client, word in [(first, b"a"), (second, b"b"), (first, b"c")]:
                client.sendall(b"GET /%s HTTP/1.1\r\n\r\n" % word)
                answer = said(b"GET /%s " % word)
                assert read(client, len(answer)) == answer
    by_connection: dict[int, str] = {0: "", 1: ""}
    for exchange in exchanges:
        by_connection[exchange.connection] += exchange.request.target
    assert by_connection == {0: "/a/c", 1: "/b"}


def test_pipelined_requests_are_answered_in_their_order() -> None:
    with Server(echo) as server:
        answers = asked(server, GET + POST + CHUNKED + LAST)
    assert answers == b"".join(
        [said(b"GET /v1/models "), said(b"POST /v1/x body") * 2, said(b"GET /last ")]
    )


@pytest.mark.parametrize("sent", [LAST, GET_10], ids=["Connection: close", "HTTP/1.0"])
def test_after_the_last_request_the_connection_closes_cleanly(sent: bytes) -> None:
    with serving(OK) as server:
        assert asked(server, sent + GET * 1000) == OK_BYTES


def test_the_answer_to_a_head_has_no_body() -> None:
    with serving(OK) as server:
        answers = asked(server, GET.replace(b"GET", b"HEAD") + LAST)
    assert answers == OK_BYTES.removesuffix(b"ok") + OK_BYTES


def test_a_client_that_waits_for_it_is_told_to_send_its_body() -> None:
    with Server(echo) as server, connect(server) as client:
        client.sendall(POST.replace(b"Con", b"Expect: 100-continue\r\nCon").removesuffix(b"body"))
        go = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert read(client, len(go)) == go
        client.sendall(b"body")
        assert read(client, len(said(b"POST /v1/x body"))) == said(b"POST /v1/x body")


def test_many_connections_are_served_at_a_time() -> None:
    count = 100
    barrier = threading.Barrier(count)

    def all_together(request: Request) -> Script:
        barrier.wait(PATIENCE)
        return echo(request)

    def ask(number: int) -> bytes:
        return asked(server, LAST.replace(b"last", b"%d" % number))

    with Server(all_together) as server, ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(ask, range(count)))
    assert answers == [said(b"GET /%d " % number) for number in range(count)]


# --- what was sent ----------------------------------------------------------


def test_who_has_read_the_answer_finds_it_seen() -> None:
    exchanges: list[Exchange] = []
    script = stream({}, [b"a", b"b"])
    with serving(script, seen=exchanges.append) as server, connect(server) as client:
        for count in range(1, 200):
            client.sendall(GET)
            answer = b"".join(step for step in script if isinstance(step, bytes))
            assert read(client, len(answer)) == answer
            assert len(exchanges) == count
            assert exchanges[-1].raw == answer


@pytest.mark.parametrize("end", [End.FIN, End.RST, End.NEXT], ids=lambda end: end.name)
def test_who_has_been_sent_nothing_finds_that_seen(end: End) -> None:
    exchanges: list[Exchange] = []
    with serving([end], seen=exchanges.append) as server:
        for count in range(1, 50):
            with connect(server) as client, contextlib.suppress(ConnectionResetError):
                client.sendall(LAST)
                assert read_all(client) == b""
            assert len(exchanges) == count
    assert exchanges[-1].sent == []


def test_an_empty_script_is_seen_too() -> None:
    exchanges: list[Exchange] = []
    with serving([], seen=exchanges.append) as server:
        assert asked(server, GET + LAST) == b""
    assert [exchange.request.target for exchange in exchanges] == ["/v1/models", "/last"]


def test_each_write_has_its_time_and_its_bytes() -> None:
    exchanges: list[Exchange] = []
    script: Script = [b"a", Pause(0.05), b"b", b"c", Pause(0.05), End.FIN]
    start = time.monotonic()
    with serving(script, seen=exchanges.append) as server:
        assert asked(server, GET) == b"abc"
        elapsed = time.monotonic() - start
    (first, second, third) = (seconds for seconds, _ in exchanges[0].sent)
    assert [data for _, data in exchanges[0].sent] == [b"a", b"b", b"c"]
    assert 0 <= first <= second - 0.05
    assert second <= third <= elapsed
    assert elapsed >= 0.1


def test_what_a_client_did_not_wait_for_is_seen_when_the_server_has_closed() -> None:
    exchanges: list[Exchange] = []
    with serving([b"a", Pause(LONG), b"b"], seen=exchanges.append) as server:
        with connect(server) as client:
            client.sendall(GET)
            assert read(client, 1) == b"a"
        assert exchanges == []
    assert exchanges[0].raw == b"a"


# --- how a connection ends --------------------------------------------------


@pytest.mark.parametrize("sent", [GET, GET * 1000], ids=["all read", "more was sent"])
@pytest.mark.parametrize(
    "script", [[b"abc", End.FIN], stream({}, [b"abc"], "closing")], ids=["FIN", "closing"]
)
def test_a_fin_is_a_clean_end(script: Script, sent: bytes, threads: int) -> None:
    with serving(script) as server, connect(server) as client:
        client.sendall(sent)
        answer = read(client, 1)
        assert until(lambda: threading.active_count() == threads + 1)  # it has closed by itself
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert (answer + read_all(client)).endswith(b"abc")


def test_a_reset_is_one() -> None:
    with serving([b"abc", End.RST]) as server, connect(server) as client:
        client.sendall(GET)
        with pytest.raises(ConnectionResetError) as caught:
            read_all(client)
    assert caught.value.errno == errno.ECONNRESET


def test_silence_lasts_until_the_client_goes() -> None:
    with serving([b"abc", End.SILENCE]) as server, connect(server) as client:
        client.sendall(GET)
        assert read(client, 3) == b"abc"
        client.sendall(GET)  # which nobody answers
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(PATIENCE)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_silence_lasts_until_the_client_resets(threads: int) -> None:
    with serving([b"abc", End.SILENCE]) as server:
        client = connect(server)
        client.sendall(GET)
        assert read(client, 3) == b"abc"
        reset(client)
        assert until(lambda: threading.active_count() == threads + 1)


def test_the_connection_dies_when_the_next_request_is_in() -> None:
    targets: list[str] = []

    def answer(request: Request) -> Script:
        targets.append(request.target)
        return [*OK, End.NEXT]

    with Server(answer) as server, connect(server) as client:
        client.sendall(GET)
        assert read(client, len(OK_BYTES)) == OK_BYTES
        client.sendall(POST[:-1])
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(PATIENCE)
        client.sendall(POST[-1:])
        assert client.recv(1) == b""
    assert targets == ["/v1/models"]


def test_where_no_next_request_is_to_come_it_is_not_waited_for() -> None:
    with serving([*OK, End.NEXT]) as server:
        assert asked(server, LAST) == OK_BYTES


def test_a_step_behind_an_end_is_not_played() -> None:
    with serving([b"a", End.FIN, b"b"]) as server:
        assert asked(server, GET) == b"a"


# --- what is no request -----------------------------------------------------

REFUSED = {
    "no HTTP": (b"400 Bad Request", b"hello\r\n\r\n"),
    "no colon": (b"400 Bad Request", b"GET / HTTP/1.1\r\nHost\r\n\r\n"),
    "a negative length": (b"400 Bad Request", POST.replace(b"4", b"-4")),
    "a chunk of x": (b"400 Bad Request", CHUNKED.replace(b"4\r\nbody", b"x")),
    "a huge length": (b"413 ", POST.replace(b"4", b"9" * 5000)),
    "a huge head": (b"431 ", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000),
}


@pytest.mark.parametrize(("status", "sent"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused_and_ends_the_connection(status: bytes, sent: bytes) -> None:
    with serving(OK) as server:
        # More than the socket's buffers hold: the client is still sending when it is refused.
        answer = asked(server, sent + GET * 10_000)
    head, _, words = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nConnection: close\r\n" in head
    assert b"\r\nContent-Length: %d" % len(words) in head
    assert words


def test_who_is_refused_may_go_on_sending_for_a_while() -> None:
    with serving(OK) as server, connect(server) as client:
        client.sendall(POST.replace(b"4", b"x"))
        assert b" 400 " in read_all(client)
        for _ in range(10):
            client.sendall(b"x" * 100_000)


def test_after_a_refusal_other_connections_go_on() -> None:
    with serving(OK) as server:
        for _ in range(3):
            assert b" 400 " in asked(server, b"?\r\n\r\n")
        assert asked(server, LAST) == OK_BYTES


# --- clients that leave -----------------------------------------------------


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["FIN", "RST"])
@pytest.mark.parametrize("sent", [b"", GET[:-1], POST[:-1], CHUNKED[:-1]])
def test_a_client_that_leaves_before_its_request_is_in_is_not_answered(
    sent: bytes, leave: Callable[[socket.socket], None]
) -> None:
    targets: list[str] = []

    def answer(request: Request) -> Script:
        targets.append(request.target)
        return OK

    with Server(answer) as server:
        client = connect(server)
        client.sendall(sent)
        leave(client)
        assert asked(server, LAST) == OK_BYTES
    assert targets == ["/last"]


def test_half_a_request_before_the_end_of_what_is_sent_gets_no_answer() -> None:
    with serving(OK) as server, connect(server) as client:
        client.sendall(POST[:-1])
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""


def test_who_has_closed_his_side_is_still_answered() -> None:
    with serving(OK) as server, connect(server) as client:
        client.sendall(GET)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == OK_BYTES


def test_a_client_that_leaves_in_the_middle_of_its_answer_ends_it() -> None:
    exchanges: list[Exchange] = []
    with serving([b"x" * 10_000] * 10_000, seen=exchanges.append) as server:
        client = connect(server)
        client.sendall(GET)
        assert read(client, 1) == b"x"
        reset(client)
        assert until(lambda: len(exchanges) == 1)
    assert len(exchanges[0].raw) < 100_000_000


# --- what the machine does not have -----------------------------------------


@pytest.fixture
def no_files_left() -> Iterator[Callable[[], None]]:
    """Forbids this process to open another file, for a while."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def forbid() -> None:
        os.close(free := os.dup(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))

    yield forbid
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_where_no_file_may_be_opened_a_connection_waits_for_one(
    no_files_left: Callable[[], None],
) -> None:
    with serving(OK) as server, socket.socket() as client:
        client.settimeout(PATIENCE)
        with socket.socket():
            no_files_left()
            client.connect((server.host, server.port))
            client.sendall(LAST)
            start = time.process_time()
            threading.Event().wait(0.5)
            assert time.process_time() - start < 0.25  # it does not try all the time
        assert read_all(client) == OK_BYTES  # a file is closed, and it goes on


def test_where_no_thread_may_be_started_a_connection_closes_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with serving(OK) as server:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            with connect(server) as client:
                assert client.recv(1) == b""
        assert asked(server, LAST) == OK_BYTES


def test_the_patience_of_an_application_is_not_that_of_the_server() -> None:
    with serving(OK) as server:
        socket.setdefaulttimeout(0.05)
        try:
            with connect(server) as client:
                threading.Event().wait(0.3)
                client.sendall(LAST)
                assert read_all(client) == OK_BYTES
        finally:
            socket.setdefaulttimeout(None)


def test_no_thread_is_left_when_a_server_has_closed(threads: int) -> None:
    for _ in range(50):
        with serving(OK) as server:
            assert asked(server, LAST) == OK_BYTES
        assert threading.active_count() == threads


# --- a mistake in the answer ------------------------------------------------


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tracebacks of threads, which otherwise go to stderr."""
    found: list[str] = []
    monkeypatch.setattr(
        threading,
        "excepthook",
        lambda raised: found.append(
            "".join(traceback.format_exception(raised.exc_type, raised.exc_value, None))
        ),
    )
    return found


def test_an_exception_is_a_500_and_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)

    def answer(request: Request) -> Script:
        return [request.json["word"]]

    with Server(answer) as server:
        refusal = asked(server, POST.replace(b"body", '"ü"'.encode()))
        assert refusal.startswith(b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n")
        assert b"\r\n\r\nthe server's own mistake: TypeError(" in refusal
        assert b" 500 " in asked(server, GET)  # it goes on
    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert 'return [request.json["word"]]' in told


@pytest.mark.parametrize("error", [KeyError("x"), OSError("x"), EOFError("x")], ids=repr)
def test_no_exception_passes_for_a_client_that_has_gone(
    error: Exception, failures: list[str]
) -> None:
    def fail(_: object) -> Script:
        raise error

    with Server(fail) as server:
        assert b" 500 " in asked(server, GET)
    with serving(OK, seen=fail) as server:
        assert asked(server, GET) == b""
    assert len(failures) == 2
    assert all(type(error).__name__ in failure for failure in failures)


# --- a server and its address -----------------------------------------------


def busy(state: str) -> tuple[Script, bytes, int]:
    """What is played and sent, and how many bytes come back, until the server is in a state."""
    states: dict[str, tuple[Script, bytes, int]] = {
        "idle": (OK, GET, len(OK_BYTES)),
        "unasked": (OK, b"", 0),
        "half asked": (OK, POST[:-1], 0),
        "paused": ([b"a", Pause(LONG), b"b"], GET, 1),
        "silent": ([b"a", End.SILENCE], GET, 1),
        "waiting for the next": ([b"a", End.NEXT], GET, 1),
        "unheard": ([b"a" * 10_000_000] * 100, GET, 1),
    }
    return states[state]


@pytest.mark.parametrize(
    "state",
    ["idle", "unasked", "half asked", "paused", "silent", "waiting for the next", "unheard"],
)
def test_a_server_closes_whatever_its_clients_do(state: str, threads: int) -> None:
    script, sent, size = busy(state)
    server = serving(script)
    clients = [connect(server) for _ in range(5)]
    try:
        for client in clients:
            client.sendall(sent)
            assert len(read(client, size)) == size
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < PATIENCE
        assert threading.active_count() == threads
        for client in clients:
            with contextlib.suppress(ConnectionResetError):
                read_all(client)
    finally:
        for client in clients:
            client.close()


def test_a_closed_server_is_gone_and_may_be_closed_again() -> None:
    server = serving(OK)
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        connect(server)


def test_its_port_can_be_had_again_at_once() -> None:
    with serving(OK) as server:
        assert asked(server, LAST) == OK_BYTES
    with serving(OK, port=server.port) as again:
        assert again.url == server.url == f"http://127.0.0.1:{server.port}/v1"
        assert asked(again, LAST) == OK_BYTES


def test_a_port_that_is_taken_is_an_error() -> None:
    with serving(OK) as server:
        with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
            serving(OK, port=server.port)


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_it_may_listen_on_ipv6() -> None:
    with serving(OK, host="::1") as server:
        assert server.url == f"http://[::1]:{server.port}/v1"
        assert asked(server, LAST) == OK_BYTES


def until(holds: Callable[[], bool]) -> bool:
    """Whether it holds within the time that a test waits."""
    deadline = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    return holds()
