"""TLS: who is trusted, what a handshake may come to, and an end that nobody has signed."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import InsecureRequestWarning

import rawllm
from tests.faults.conftest import Note
from tests.faults.promises import KEY, STREAMED, WHOLE, Call, hold_to_promises, words_for
from tests.servers import (
    CHAT,
    EVENTS,
    PATIENCE,
    STREAM_HEAD,
    End,
    Script,
    answer,
    chunk,
    event,
    head,
    serve,
    stream,
)

trustme = pytest.importorskip("trustme")

CHAPTER = "tls"

SLACK = 2.0  # seconds past a limit that a busy machine may take
LIMIT = 0.4
DAY = timedelta(days=1)
NOW = datetime.now(timezone.utc)

CALLS: dict[str, Call] = {"whole": WHOLE["chat"], "streamed": STREAMED["iterated"]}


class Authority:
    """An authority of the test's, and the files of what it has signed."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.path = str(folder / "authority.pem")
        self.ca.cert_pem.write_to_path(self.path)
        self.clients = str(folder / "client.pem")
        self.ca.issue_cert("me@llm.test").private_key_and_cert_chain_pem.write_to_path(self.clients)

    def context(self, name: str = "127.0.0.1", **validity: datetime) -> ssl.SSLContext:
        """A server's, whose certificate is for `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name, **validity).configure_cert(context)
        return context

    def demanding(self) -> ssl.SSLContext:
        """A server's that wants a certificate of the client's."""
        context = self.context()
        context.verify_mode = ssl.CERT_REQUIRED
        self.ca.configure_trust(context)
        return context

    def old(self) -> ssl.SSLContext:
        """A server's that speaks nothing newer than TLS 1.1."""
        context = self.context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        return context


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"))


def outcome(url: str, call: Call, limits: dict[str, Any], **options: Any) -> str:
    """What comes of the call, in a user's words; held to what is promised of all errors."""
    allowed = max(limits.values(), default=PATIENCE)
    with rawllm.Client(url, KEY, max_retries=0, **options) as client:
        start = time.monotonic()
        try:
            call(client, **limits)
        except rawllm.APIError as error:
            assert time.monotonic() - start < allowed + SLACK
            hold_to_promises(error, url)
            said = next((words for words in SAID if words in str(error)), "")
            return words_for(error) + (f", which says: {said}" if said else "")
        return "an answer"


#: What a person needs to read in the text to know what to do.
SAID = (
    "certificate has expired",
    "certificate is not yet valid",
    "IP address mismatch",
    "self-signed certificate",
    "unable to get local issuer certificate",
    "the two found no TLS that both speak",
    "try http:// in base_url",
)

# --- who is trusted ---------------------------------------------------------

Made = Callable[[Authority, Authority], ssl.SSLContext | bool]

CERTIFICATES: dict[str, Made] = {
    "a certificate of the authority's": lambda ours, _: ours.context(),
    "expired": lambda ours, _: ours.context(not_before=NOW - 9 * DAY, not_after=NOW - DAY),
    "not yet valid": lambda ours, _: ours.context(not_before=NOW + DAY, not_after=NOW + 9 * DAY),
    "for another host": lambda ours, _: ours.context("llm.test"),
    "for another address": lambda ours, _: ours.context("127.0.0.2"),
    "self-signed": lambda _, __: True,
    "of an unknown authority": lambda _, theirs: theirs.context(),
    "one of the client is demanded": lambda ours, _: ours.demanding(),
    "TLS 1.1 at the most": lambda ours, _: ours.old(),
}


@pytest.mark.parametrize("fault", CERTIFICATES)
@pytest.mark.parametrize("call", CALLS)
def test_certificates(
    fault: str, call: str, ours: Authority, theirs: Authority, note: Note
) -> None:
    context = CERTIFICATES[fault](ours, theirs)
    good = stream(*EVENTS) if call == "streamed" else answer(CHAT)
    with serve(good, tls=context) as server:
        told = outcome(server.url, CALLS[call], {}, verify=ours.path)
        assert (told == "an answer") == (len(server.requests) == 1)  # else no key was sent
    note(fault, told)


def test_ways_to_trust(
    ours: Authority, theirs: Authority, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = CALLS["whole"]
    with serve(answer(CHAT), tls=theirs.context()) as server:
        with pytest.warns(InsecureRequestWarning):
            note("not checked: verify=False", outcome(server.url, chat, {}, verify=False))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", theirs.path)
        note("trusted by REQUESTS_CA_BUNDLE", outcome(server.url, chat, {}))
        told = outcome(server.url, chat, {}, verify=ours.path)
        note("trusted by REQUESTS_CA_BUNDLE, but not by verify=", told)
    with serve(answer(CHAT), tls=ours.demanding()) as server:
        told = outcome(server.url, chat, {}, verify=ours.path, cert=ours.clients)
        note("one of the client is demanded, and given: cert=", told)
        told = outcome(server.url, chat, {}, verify=ours.path, cert=theirs.clients)
        note("one of the client is demanded, another one given", told)


# --- what a handshake may come to -------------------------------------------


@contextmanager
def answering(said: bytes, *, hold: bool) -> Iterator[str]:
    """A port where each connection is answered with that, whatever it says."""
    listener = socket.create_server(("127.0.0.1", 0))

    def each() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(PATIENCE)
                try:
                    connection.recv(4096)
                    connection.sendall(said)
                    while hold and connection.recv(4096):
                        pass
                except OSError:
                    continue

    thread = threading.Thread(target=each, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE)


PART = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"  # how a ServerHello begins
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # handshake_failure

HANDSHAKES: dict[str, tuple[bytes, bool, dict[str, Any]]] = {
    "a handshake that is not answered": (b"", True, {"deadline": LIMIT}),
    "a handshake that stalls": (PART, True, {"deadline": LIMIT}),
    "a handshake that is not answered, timeout=": (b"", True, {"timeout": LIMIT}),
    "a handshake that stalls, timeout=": (PART, True, {"timeout": LIMIT}),
    "a connection that closes at the handshake": (b"", False, {}),
    "a connection that closes within the handshake": (PART, False, {}),
    "an alert instead of a handshake": (ALERT, False, {}),
    "plain HTTP where TLS is expected": (answer(b"what?", 400), False, {}),
    "garbage where TLS is expected": (bytes(range(256)) * 9, False, {}),
}


@pytest.mark.parametrize("fault", HANDSHAKES)
@pytest.mark.parametrize("call", CALLS)
def test_handshakes(fault: str, call: str, note: Note, thorough: bool) -> None:
    said, hold, limits = HANDSHAKES[fault]
    if hold and call == "streamed" and not thorough:
        pytest.skip("each waits for its limit: with --thorough")
    with answering(said, hold=hold) as url:
        note(fault, outcome(url, CALLS[call], limits))


@pytest.mark.parametrize("call", CALLS)
def test_tls_where_plain_http_is_expected(call: str, ours: Authority, note: Note) -> None:
    with serve(answer(CHAT), tls=ours.context()) as server:
        url = server.url.replace("https:", "http:")
        note("TLS where plain HTTP is expected", outcome(url, CALLS[call], {}))


# --- an end that nobody has signed ------------------------------------------

SSE = head(content_type="text/event-stream")
BODY = answer(CHAT).partition(b"\r\n\r\n")[2]
BEGUN = b"".join(map(event, EVENTS[:2]))
WHOLE_TEXT = b"".join(map(event, EVENTS[:4]))  # without its [DONE]

#: A connection that closes without TLS's own word for it, which anyone in between can do.
ENDS: dict[str, tuple[str, Script]] = {
    "cut in a stream that ends with its connection": ("streamed", [SSE + BEGUN, End.FIN]),
    "cut in a chunked stream": ("streamed", [STREAM_HEAD + chunk(BEGUN), End.FIN]),
    "cut after the finish_reason": ("streamed", [SSE + WHOLE_TEXT, End.FIN]),
    "cut in a body that ends with its connection": ("whole", [head() + BODY[:-20], End.FIN]),
    "cut in a body with its length": ("whole", [answer(CHAT)[:-20], End.FIN]),
    "cut after a body that ends with its connection": ("whole", [head() + BODY, End.FIN]),
    "reset in a stream": ("streamed", [STREAM_HEAD + chunk(BEGUN), End.RST]),
    "reset in a body": ("whole", [answer(CHAT)[:-20], End.RST]),
}


@pytest.mark.parametrize("fault", ENDS)
def test_ends(fault: str, ours: Authority, note: Note) -> None:
    call, script = ENDS[fault]
    with serve(script, tls=ours.context()) as server:
        note(fault, outcome(server.url, CALLS[call], {}, verify=ours.path))
