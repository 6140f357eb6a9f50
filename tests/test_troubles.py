"""What an exception of requests, urllib3, http.client or ssl was."""

from __future__ import annotations

import http.client
import socket
import ssl

import pytest
import requests
import urllib3

from rawllm import retries, troubles

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

NOT_TLS = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
NOT_TLS.reason = "WRONG_VERSION_NUMBER"

KINDS: dict[str, tuple[Exception, str, str]] = {
    "refused": (
        tries(caused(U.NewConnectionError(CONNECTION, "x"), REFUSED)),
        "refused",
        "Connection refused",
    ),
    "no route": (
        tries(caused(U.NewConnectionError(CONNECTION, "x"), UNREACHABLE)),
        "unreachable",
        "Network is unreachable",
    ),
    "no such host": (
        tries(caused(U.NewConnectionError(CONNECTION, "x"), socket.gaierror(-2, "unknown"))),
        "dns",
        "unknown",
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
        "Connection refused",
    ),
    "a proxy of a kind that is not known": (U.ProxySchemeUnknown("ftp"), "proxy", "ftp"),
    "a proxy that cannot be parsed": (U.LocationParseError("h:port"), "proxy", "h:port"),
    "untrusted certificate": (
        requests.exceptions.SSLError(
            U.MaxRetryError(POOL, "/", U.SSLError(ssl.SSLCertVerificationError(1, "self-signed")))
        ),
        "tls",
        "self-signed",
    ),
    "no TLS there": (
        requests.exceptions.SSLError(U.MaxRetryError(POOL, "/", U.SSLError(NOT_TLS))),
        "plain",
        "WRONG_VERSION_NUMBER",
    ),
    "a certificate of ours is wanted": (
        U.SSLError(ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] alert")),
        "tls",
        "CERTIFICATE_REQUIRED",
    ),
    "a label too long for a name": (UnicodeError("label too long"), "dns", "label too long"),
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
    "body cut": (
        U.ProtocolError("x", http.client.IncompleteRead(b"abc", 7)),
        "dropped",
        "IncompleteRead(3 bytes",
    ),
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
    assert troubles.event(trouble) == event
    assert words in repr(troubles.innermost(trouble))
    assert "secret" not in str(troubles.innermost(trouble))


@pytest.mark.parametrize("name", sorted({name for _, name in troubles._KINDS} | {"protocol"}))
def test_every_name_is_in_the_table_of_retries(name: str) -> None:
    assert retries.rule(retries.Failure(name))


def test_exceptions_that_wrap_each_other_for_ever_end() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert troubles.event(one) == "protocol"
    assert troubles.innermost(one) in (one, two)


def test_what_the_caller_was_handling_is_no_part_of_it() -> None:
    def failed() -> tuple[Exception, str]:
        try:
            raise ValueError("no head")
        except ValueError as error:
            return error, troubles.event(error, handled)

    try:
        raise REFUSED
    except OSError as error:
        handled = error
        trouble, event = failed()
    frames = handled.__traceback__
    assert trouble.__context__ is handled
    assert event == "protocol"
    assert troubles.innermost(trouble, handled) is trouble
    assert handled.__traceback__ is frames is not None


def test_the_exception_that_began_it_keeps_no_frame() -> None:
    inner = ConnectionResetError(104, "reset")

    def wrapped() -> None:
        try:
            raise inner
        except OSError as error:
            raise U.ProtocolError("aborted", error) from error

    with pytest.raises(U.ProtocolError) as caught:
        wrapped()
    assert troubles.innermost(caught.value) is inner
    assert (caught.value.__traceback__, inner.__traceback__) == (None, None)
