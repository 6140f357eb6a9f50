"""TLS: who is trusted, what a handshake may come to, and an end that nobody has signed."""

from __future__ import annotations

import socket
import ssl
import threading
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
from tests.faults.promises import ANSWER, KEY, STREAMED, WHOLE, Call, outcome
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


def asked(url: str, call: str, limits: dict[str, Any], expected: str, **options: Any) -> str:
    """What comes of the call, which is what was to come, in a user's words."""
    with rawllm.Client(url, KEY, max_retries=0, **options) as client:
        told = outcome(client, url, CALLS[call], limits)
    said = next((words for words in SAID if words in told.said), "")
    words = told.words + (f", which says: {said}" if said else "")
    assert words == expected
    if told.words == ANSWER:
        assert told.text == "Hello there!"
    elif "partial" in told.words:
        assert told.text == "Hello"
    return words


#: What a person needs to read in the text to know what to do.
SAID = (
    "certificate has expired",
    "certificate is not yet valid",
    "IP address mismatch",
    "Hostname mismatch",
    "self-signed certificate",
    "unable to get local issuer certificate",
    "the two found no TLS that both speak",
    "try http:// in base_url",
)

CONNECTION = "`APIConnectionError`"
INCOMPLETE = "`IncompleteStreamError` with the partial answer"
LATE = "`APITimeoutError` at its deadline"
NO_TLS = f"{CONNECTION}, which says: try http:// in base_url"
NO_TLS_IN_TIME = "`APITimeoutError`, which says: try http:// in base_url"
NO_AGREEMENT = f"{CONNECTION}, which says: the two found no TLS that both speak"
UNKNOWN = f"{CONNECTION}, which says: unable to get local issuer certificate"

# --- who is trusted ---------------------------------------------------------

ADDRESS = "127.0.0.1"
Made = Callable[[Authority, Authority], ssl.SSLContext | bool]

#: The certificate, by which name the server is asked for, and what is to come of it.
CERTIFICATES: dict[str, tuple[Made, str, str]] = {
    "a certificate of the authority's": (lambda ours, _: ours.context(), ADDRESS, ANSWER),
    "a certificate of the authority's, for a name": (
        lambda ours, _: ours.context("localhost"),
        "localhost",
        ANSWER,
    ),
    "expired": (
        lambda ours, _: ours.context(not_before=NOW - 9 * DAY, not_after=NOW - DAY),
        ADDRESS,
        f"{CONNECTION}, which says: certificate has expired",
    ),
    "not yet valid": (
        lambda ours, _: ours.context(not_before=NOW + DAY, not_after=NOW + 9 * DAY),
        ADDRESS,
        f"{CONNECTION}, which says: certificate is not yet valid",
    ),
    "for another host": (
        lambda ours, _: ours.context("llm.test"),
        "localhost",
        f"{CONNECTION}, which says: Hostname mismatch",
    ),
    "for a host, where an address is asked": (
        lambda ours, _: ours.context("localhost"),
        ADDRESS,
        f"{CONNECTION}, which says: IP address mismatch",
    ),
    "for another address": (
        lambda ours, _: ours.context("127.0.0.2"),
        ADDRESS,
        f"{CONNECTION}, which says: IP address mismatch",
    ),
    "self-signed": (
        lambda _, __: True,
        ADDRESS,
        f"{CONNECTION}, which says: self-signed certificate",
    ),
    "of an unknown authority": (lambda _, theirs: theirs.context(), ADDRESS, UNKNOWN),
    "one of the client is demanded": (lambda ours, _: ours.demanding(), ADDRESS, CONNECTION),
    "TLS 1.1 at the most": (lambda ours, _: ours.old(), ADDRESS, NO_AGREEMENT),
}


@pytest.mark.parametrize("fault", CERTIFICATES)
@pytest.mark.parametrize("call", CALLS)
def test_certificates(
    fault: str, call: str, ours: Authority, theirs: Authority, note: Note
) -> None:
    made, host, expected = CERTIFICATES[fault]
    good = stream(*EVENTS) if call == "streamed" else answer(CHAT)
    with serve(good, tls=made(ours, theirs)) as server:
        url = server.url.replace(ADDRESS, host)
        note(fault, asked(url, call, {}, expected, verify=ours.path))
        assert len(server.requests) == (expected == ANSWER)  # else no key was sent


def test_ways_to_trust(
    ours: Authority, theirs: Authority, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(answer(CHAT), tls=theirs.context()) as server:
        with pytest.warns(InsecureRequestWarning):
            told = asked(server.url, "whole", {}, ANSWER, verify=False)
        note("not checked: verify=False", told)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", theirs.path)
        note("trusted by REQUESTS_CA_BUNDLE", asked(server.url, "whole", {}, ANSWER))
        told = asked(server.url, "whole", {}, UNKNOWN, verify=ours.path)
        note("trusted by REQUESTS_CA_BUNDLE, but not by verify=", told)
    with serve(answer(CHAT), tls=ours.demanding()) as server:
        told = asked(server.url, "whole", {}, ANSWER, verify=ours.path, cert=ours.clients)
        note("one of the client is demanded, and given: cert=", told)
        told = asked(server.url, "whole", {}, CONNECTION, verify=ours.path, cert=theirs.clients)
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

HANDSHAKES: dict[str, tuple[bytes, bool, dict[str, Any], str]] = {
    "a handshake that is not answered": (b"", True, {"deadline": LIMIT}, LATE),
    "a handshake that stalls": (PART, True, {"deadline": LIMIT}, LATE),
    "a handshake that is not answered, timeout=": (b"", True, {"timeout": LIMIT}, NO_TLS_IN_TIME),
    "a handshake that stalls, timeout=": (PART, True, {"timeout": LIMIT}, NO_TLS_IN_TIME),
    "a connection that closes at the handshake": (b"", False, {}, NO_TLS),
    "a connection that closes within the handshake": (PART, False, {}, NO_TLS),
    "an alert instead of a handshake": (ALERT, False, {}, NO_AGREEMENT),
    "plain HTTP where TLS is expected": (answer(b"what?", 400), False, {}, NO_TLS),
    "garbage where TLS is expected": (bytes(range(256)) * 9, False, {}, NO_TLS),
}


@pytest.mark.parametrize("fault", HANDSHAKES)
@pytest.mark.parametrize("call", CALLS)
def test_handshakes(fault: str, call: str, note: Note, thorough: bool) -> None:
    said, hold, limits, expected = HANDSHAKES[fault]
    if hold and call == "streamed" and not thorough:
        pytest.skip("each waits for its limit: with --thorough")
    with answering(said, hold=hold) as url:
        note(fault, asked(url, call, limits, expected))


@pytest.mark.parametrize("call", CALLS)
def test_tls_where_plain_http_is_expected(call: str, ours: Authority, note: Note) -> None:
    with serve(answer(CHAT), tls=ours.context()) as server:
        url = server.url.replace("https:", "http:")
        note("TLS where plain HTTP is expected", asked(url, call, {}, CONNECTION))


# --- an end that nobody has signed ------------------------------------------

SSE = head(content_type="text/event-stream")
BODY = answer(CHAT).partition(b"\r\n\r\n")[2]
BEGUN = b"".join(map(event, EVENTS[:2]))
WHOLE_TEXT = b"".join(map(event, EVENTS[:4]))  # without its [DONE]
BROKEN = "`APIResponseValidationError`"

#: A connection that closes without TLS's own word for it, which anyone in between can do.
ENDS: dict[str, tuple[str, Script, str]] = {
    "cut in a stream that ends with its connection": (
        "streamed",
        [SSE + BEGUN, End.FIN],
        INCOMPLETE,
    ),
    "cut in a chunked stream": ("streamed", [STREAM_HEAD + chunk(BEGUN), End.FIN], INCOMPLETE),
    "cut after the finish_reason": ("streamed", [SSE + WHOLE_TEXT, End.FIN], ANSWER),
    "cut in a body that ends with its connection": (
        "whole",
        [head() + BODY[:-20], End.FIN],
        BROKEN,
    ),
    "cut in a body with its length": ("whole", [answer(CHAT)[:-20], End.FIN], CONNECTION),
    "cut after a body that ends with its connection": ("whole", [head() + BODY, End.FIN], ANSWER),
    "reset in a stream": ("streamed", [STREAM_HEAD + chunk(BEGUN), End.RST], INCOMPLETE),
    "reset in a body": ("whole", [answer(CHAT)[:-20], End.RST], CONNECTION),
}


@pytest.mark.parametrize("fault", ENDS)
def test_ends(fault: str, ours: Authority, note: Note) -> None:
    call, script, expected = ENDS[fault]
    with serve(script, tls=ours.context()) as server:
        note(fault, asked(server.url, call, {}, expected, verify=ours.path))
