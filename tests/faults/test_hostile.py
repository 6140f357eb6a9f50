"""Servers, and what stands between, that mean harm or know no better: their HTTP.

Each row is asked for in the ways a caller has; it ends in an answer or in one
of the documented exceptions, in a text that can be read, within its time.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib

import pytest

import rawllm
from tests.faults.conftest import Note
from tests.faults.hostile import (
    BAD_REQUEST,
    BODY,
    CHUNKED,
    CONNECTION,
    FLOOD,
    HELLO,
    INCOMPLETE,
    INVALID,
    JSON,
    MIB,
    SERVER,
    START,
    STATUS,
    ZIPPED,
    Endless,
    Row,
    Trickle,
    check,
    coded,
    played,
    rows,
    try_in_turn,
)
from tests.faults.promises import ANSWER, KEY, SLACK, STREAMED, WHOLE, Call, outcome
from tests.servers import (
    AUTHORITY,
    CHAT,
    LAST_CHUNK,
    End,
    Script,
    answer,
    chunk,
    head,
    serve,
)

CHAPTER = "hostile"

DEADLINE = 0.15
SPACES = gzip.compress(b" " * (64 * MIB))
CONTEXT = "`ContextLengthExceededError`"


def sized(*lengths: object, body: bytes = BODY) -> Script:
    lines = b"".join(b"Content-Length: %b\r\n" % str(length).encode() for length in lengths)
    return [START + lines + b"\r\n" + body, End.FIN]


SIZE = len(BODY)
FRAMED = b"Content-Length: %d\r\n\r\n" % SIZE + BODY
UNREADABLE = "the answer cannot be read"

#: What goes wrong before a body is read as JSON or as events: the same for all calls.
HTTP: dict[str, Row] = {
    "endless status line": Row(Endless((b"HTTP/1.1 200 ", FLOOD)), CONNECTION),
    "endless header": Row(Endless((START + b"X: ", FLOOD)), CONNECTION),
    "endless headers": Row(Endless((START, b"X: y\r\n" * 1000)), CONNECTION),
    "endless cookies": Row(Endless((START, b"Set-Cookie: a=b\r\n" * 1000)), CONNECTION),
    "60,000 characters of reason phrase": Row(
        b"HTTP/1.1 500 %s\r\nContent-Length: 0\r\n\r\n" % (b"r" * 60_000), SERVER
    ),
    "control characters in the reason phrase": Row(
        b"HTTP/1.1 500 a\x1b[2J\rSet-Cookie: x\0\r\nContent-Length: 0\r\n\r\n", SERVER
    ),
    "60,000 characters of Content-Type": Row(answer(b"{]", content_type="x" * 60_000), INVALID),
    "an unknown charset": Row(
        answer(BODY, content_type="application/json; charset=klingon"), ANSWER
    ),
    "Latin-1 in an error, announced": Row(
        answer(b'{"error": "\xe9\xe9"}', 500, content_type="application/json; charset=iso-8859-1"),
        SERVER,
    ),
    "HTTP/0.9, no status line": Row([b"hello\r\n", End.FIN], CONNECTION),
    "a greeting of another protocol, then silence": Row(
        [b"SSH-2.0-OpenSSH_9.9\r\n", End.HOLD], CONNECTION, said="not HTTP/1: 'SSH-2.0-OpenSSH_9.9'"
    ),
    "a TLS alert, then silence": Row(
        [b"\x15\x03\x01\x00\x02\x02\x46", End.HOLD], CONNECTION, said="try https://"
    ),
    "a line that is no header": Row(
        [START + b"Warning\r\n" + FRAMED, End.FIN], CONNECTION, said=UNREADABLE
    ),
    "a blank before a header's colon": Row(
        [START + b"A : b\r\n" + FRAMED, End.FIN], CONNECTION, said=UNREADABLE
    ),
    "a header without a name": Row([START + b": b\r\n" + FRAMED, End.FIN], ANSWER),
    "a header that is folded": Row([START + b"A: b\r\n c\r\n" + FRAMED, End.FIN], ANSWER),
    "control characters in a header": Row(
        [START + b"A: b\rContent-Length: 5\0\r\n" + FRAMED, End.FIN], ANSWER
    ),
    "binary garbage": Row([bytes(range(256)) * 256, End.FIN], CONNECTION),
    "HTTP/1.0": Row([head(version="1.0", **JSON) + BODY, End.FIN], ANSWER),
    "100 Continue before the answer": Row(head(100) + answer(BODY), ANSWER),
    "100 Continue without end": Row(Endless((head(100),)), CONNECTION, said=UNREADABLE),
    "103 Early Hints without end": Row(Endless((head(103),)), CONNECTION, said=UNREADABLE),
    "101 Switching Protocols": Row(head(101), STATUS),
    "101 Switching Protocols before an answer": Row(head(101) + answer(BODY), STATUS),
    "102 Processing before the answer": Row(head(102) + answer(BODY), ANSWER),
    "103 Early Hints before the answer": Row(head(103, link="</x>") + answer(BODY), ANSWER),
    "103 Early Hints twice": Row(
        head(103, content_length="5", transfer_encoding="chunked") * 2 + answer(BODY), ANSWER
    ),
    "204 No Content": Row(head(204), INVALID, request=ANSWER, text=""),
    "304 Not Modified": Row(head(304), STATUS),
    "status 600": Row(head(600, content_length="0"), SERVER),
    "status 99": Row(head(99), CONNECTION),
    "status 1000": Row(head(1000), CONNECTION),
    "Content-Length: -5": Row(sized(-5), CONNECTION, said=UNREADABLE),
    "Content-Length: +5": Row(sized("+5"), CONNECTION, said=UNREADABLE),
    "Content-Length: 1_0": Row(sized("1_0"), CONNECTION, said=UNREADABLE),
    "Content-Length: abc": Row(sized("abc"), CONNECTION, said=UNREADABLE),
    "Content-Length of 26 digits": Row(sized("9" * 26), CONNECTION),
    "Content-Length too long": Row(sized(SIZE + 9), CONNECTION),
    "Content-Length too short": Row(sized(SIZE - 9), INVALID),
    "two Content-Lengths": Row(sized(SIZE, SIZE + 4), CONNECTION, said=UNREADABLE),
    "two Content-Lengths in a line": Row(sized(f"{SIZE}, 5"), CONNECTION, said=UNREADABLE),
    "two Content-Lengths, the same": Row(sized(SIZE, SIZE), ANSWER),
    "two Content-Lengths in a line, the same": Row(sized(f"{SIZE}, {SIZE}"), ANSWER),
    "Transfer-Encoding: gzip, chunked": Row(
        [head(**JSON, transfer_encoding="gzip, chunked") + chunk(BODY) + LAST_CHUNK, End.FIN],
        CONNECTION,
        said=UNREADABLE,
    ),
    "Transfer-Encoding: identity": Row(
        [head(**JSON, transfer_encoding="identity", content_length=str(SIZE)) + BODY, End.FIN],
        ANSWER,
    ),
    "Transfer-Encoding: chunked, said twice": Row(
        [head(**JSON, transfer_encoding="chunked, chunked") + chunk(BODY) + LAST_CHUNK, End.FIN],
        ANSWER,
    ),
    "Content-Length: -1 and chunks": Row(
        [
            head(**JSON, content_length="-1", transfer_encoding="chunked")
            + chunk(BODY)
            + LAST_CHUNK,
            End.FIN,
        ],
        ANSWER,
    ),
    "Content-Length and chunks": Row(
        [
            head(**JSON, content_length="5", transfer_encoding="chunked")
            + chunk(BODY)
            + LAST_CHUNK,
            End.FIN,
        ],
        ANSWER,
    ),
    "chunk size ffffffffffffffff": Row(
        [CHUNKED + b"ffffffffffffffff\r\n" + BODY, End.FIN], CONNECTION, INCOMPLETE
    ),
    "chunk size -5": Row([CHUNKED + b"-5\r\n" + BODY, End.FIN], CONNECTION, INCOMPLETE),
    "chunk size 0x5": Row([CHUNKED + b"0x5\r\n" + BODY, End.FIN], CONNECTION, INCOMPLETE),
    "no chunk size": Row([CHUNKED + b"\r\n" + BODY, End.FIN], CONNECTION, INCOMPLETE),
    "endless chunk size": Row(Endless((CHUNKED, b"0" * 65536)), CONNECTION, INCOMPLETE),
    "endless chunk extension": Row(Endless((CHUNKED + b"5;", FLOOD)), CONNECTION, INCOMPLETE),
    "endless trailers": Row(
        Endless((CHUNKED + chunk(BODY) + b"0\r\n", b"X: y\r\n" * 1000)), CONNECTION
    ),
    "gzip, chunk size ffffffffffffffff": Row(
        [ZIPPED + b"ffffffffffffffff\r\n" + BODY, End.FIN], CONNECTION, INCOMPLETE
    ),
    "gzip, chunk size -5": Row([ZIPPED + b"-5\r\n" + gzip.compress(BODY), End.FIN], CONNECTION),
    "gzip, endless chunk extension": Row(Endless((ZIPPED + b"5;", FLOOD)), CONNECTION, INCOMPLETE),
    "gzip": Row(coded("gzip", gzip.compress(BODY)), ANSWER),
    "gzip, cut short": Row(coded("gzip", gzip.compress(BODY)[:-20]), INVALID),
    "gzip with garbage after it": Row(coded("gzip", gzip.compress(BODY) + b"garbage"), ANSWER),
    "gzip that is none": Row(coded("gzip", BODY), CONNECTION, INCOMPLETE),
    "gzip that is broken": Row(coded("gzip", b"\x1f\x8b\x08" + b"z" * 50), CONNECTION, INCOMPLETE),
    "gzip ten times over": Row(coded(", ".join(["gzip"] * 10), BODY), CONNECTION, INCOMPLETE),
    "deflate": Row(coded("deflate", zlib.compress(BODY)), ANSWER),
    "an unknown content encoding": Row(coded("aes128gcm", bytes(range(128, 256))), INVALID),
    "an unknown content encoding that is none": Row(coded("aes128gcm", BODY), ANSWER),
    "a login page": Row(
        answer(b"<!DOCTYPE html><title>Sign in</title><form>" * 20, content_type="text/html"),
        INVALID,
    ),
    "an empty body": Row(answer(b""), INVALID, request=ANSWER, text=""),
    "NUL bytes": Row(answer(b"\0" * 5000), INVALID),
    "NUL bytes in an error": Row(answer(b"\0" * 5000, 500), SERVER),
    "UTF-16": Row(answer(BODY.decode().encode("utf-16")), INVALID),
    "a byte order mark": Row(answer(b"\xef\xbb\xbf" + BODY), ANSWER),
    "a proxy's 407": Row(
        answer(b"<html>who are you?</html>", 407, proxy_authenticate="Basic"), STATUS
    ),
    "an endless 500": Row(Endless((head(500), FLOOD)), SERVER),
    "a gzip bomb as a 500": Row(coded("gzip", SPACES, 500), SERVER),
    "JSON 200,000 deep in a 400": Row(
        answer(b'{"error":' * 200_000 + b"}" * 200_000, 400), BAD_REQUEST
    ),
    "a surrogate in a 400": Row(answer(b'{"error": "\\ud800 bad"}', 400), BAD_REQUEST),
    "5 MiB of one word in a 400": Row(
        answer({"error": "model " * (5 * MIB // 6)}, 400), BAD_REQUEST
    ),
    "100,000 digits of prompt tokens in a 400": Row(
        answer(
            {
                "error": {
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": "9" * 10**5,
                    "n_ctx": 1,
                }
            },
            400,
        ),
        CONTEXT,
    ),
}


@pytest.mark.parametrize("calls", [WHOLE, STREAMED], ids=["whole", "streamed"])
@rows(HTTP)
def test_http(
    fault: str, row: Row, number: int, calls: dict[str, Call], note: Note, thorough: bool
) -> None:
    try_in_turn(note, fault, row, calls, number, thorough)


#: An answer that is not the next call's is within what comes after the first one's end.
SMUGGLED = json.dumps(CHAT | {"id": "smuggled"}).encode()
NEVER_TWICE: dict[str, bytes] = {
    "an answer after the answer": answer(CHAT) + answer(SMUGGLED),
    "Content-Length too short for the answer": answer(CHAT) + b"\r\n" * 9,
    "an answer after one with Content-Length and chunks": head(
        **JSON, content_length="5", transfer_encoding="chunked"
    )
    + chunk(json.dumps(CHAT).encode())
    + LAST_CHUNK,
    "an answer after chunks of HTTP/1.0": head(
        version="1.0", **JSON, transfer_encoding="chunked", connection="keep-alive"
    )
    + chunk(json.dumps(CHAT).encode())
    + LAST_CHUNK,
    "an answer after a connection that is both closed and kept": head(
        version="1.0",
        **JSON,
        content_length=str(len(json.dumps(CHAT))),
        connection="close, keep-alive",
    )
    + json.dumps(CHAT).encode(),
    "an answer after the last chunk": CHUNKED
    + chunk(json.dumps(CHAT).encode())
    + LAST_CHUNK
    + answer(SMUGGLED),
}


@pytest.mark.parametrize("fault", NEVER_TWICE)
def test_a_connection_that_cannot_be_trusted_is_not_used_again(fault: str, note: Note) -> None:
    with serve(NEVER_TWICE[fault], answer(CHAT)) as server:
        with rawllm.Client(server.url, KEY, max_retries=0) as client:
            first, second = (outcome(client, server.url, WHOLE["chat"], {}) for _ in range(2))
        assert [first.words, second.words] == [ANSWER] * 2
        assert [first.text, second.text] == [HELLO] * 2
        assert [seen.connection for seen in server.requests] == [0, 1]
    note(f"{fault}, and a second call", "an answer each, on two connections")


# --- redirects --------------------------------------------------------------

LOCATIONS = {
    "another host": "http://evil.test/v1",
    "another host, without a scheme": "//evil.test/v1",
    "another host, behind an @": "http://127.0.0.1:1@evil.test/",
    "another scheme": "file:///etc/passwd",
    "javascript:": "javascript:alert(1)",
    "what is no address": "http://[::1",
    "a port that is none": "http://127.0.0.1:PORT/",
    "60,000 characters": "x" * 60_000,
    "control characters": "\x1b[2J\x07",
    "nowhere": "",
}
PLACE = "/v1/chat/completions"


@pytest.mark.parametrize("where", LOCATIONS)
def test_redirects(where: str, note: Note, thorough: bool) -> None:
    for status in (301, 302, 307, 308) if thorough else (302, 307):
        for name, call in (("chat", WHOLE["chat"]), ("iterated", STREAMED["iterated"])):
            row = Row([answer(b"moved " * 500, status, location=LOCATIONS[where])], STATUS)
            told = played(row.script, call)
            check(row, name, told)
            note(f"a redirect to {where}", told.words)


#: The answers that come in turn, the last one again and again; and how many requests there are.
CHAINS: dict[str, tuple[list[Script], str, int]] = {
    "a redirect to the same place, again and again": (
        [[answer(b"moved", 307, location=PLACE)]],
        STATUS,
        6,
    ),
    "a redirect with an endless body": ([Endless((head(307, location=PLACE), FLOOD))], STATUS, 6),
    "five redirects, and an answer": (
        [*[[answer(b"moved", 307 + n % 2, location=PLACE)] for n in range(5)], [answer(CHAT)]],
        ANSWER,
        6,
    ),
    **{
        f"a {status} to the same server": (
            [[answer(b"moved", status, location=PLACE)], [answer(CHAT)]],
            STATUS,
            1,
        )
        for status in (300, 301, 302, 303)
    },
}


@pytest.mark.parametrize("fault", CHAINS)
@pytest.mark.parametrize("name", ["chat", "iterated"])
def test_chains(fault: str, name: str, note: Note) -> None:
    scripts, expected, requests = CHAINS[fault]
    with serve(*scripts) as server, rawllm.Client(server.url, KEY, max_retries=0) as client:
        told = outcome(client, server.url, (WHOLE | STREAMED)[name], {})
        check(Row(b"", expected), name, told)
        assert [seen.method for seen in server.requests] == ["POST"] * requests
    note(fault, told.words)


def test_a_redirect_takes_the_key_nowhere(note: Note) -> None:
    with serve(answer(CHAT)) as other:
        row = Row([answer(b"", 307, location=other.url + "/chat/completions")], STATUS)
        told = played(row.script, WHOLE["chat"])
        check(row, "chat", told)
        note("a redirect to another port", told.words)
        assert other.requests == []


@pytest.mark.parametrize("fault", ["from https to http", "from http to https"])
def test_a_redirect_to_another_scheme_is_not_followed(fault: str, note: Note) -> None:
    tls = fault == "from https to http"
    with serve(answer(CHAT), tls=tls) as server, serve(answer(CHAT), tls=not tls) as other:
        ours, theirs = ("https", "http") if tls else ("http", "https")
        for port in (server.port, other.port):
            place = f"{theirs}://127.0.0.1:{port}{PLACE}"
            server.scripts[:] = [[answer(b"", 307, location=place)]]
            with rawllm.Client(server.url, KEY, max_retries=0, verify=AUTHORITY) as client:
                told = outcome(client, server.url, WHOLE["chat"], {})
            check(Row(b"", STATUS), "chat", told)
            note(f"a redirect {fault}", told.words)
        assert server.url.startswith(f"{ours}:")
        assert (len(server.requests), len(other.requests)) == (2, 0)


# --- when to try again ------------------------------------------------------

AT_ONCE = "`RateLimitError` at once"
AFTER_ONE = "an answer after one retry"
WAITS = {
    "a million seconds": ("1000000", 1, AT_ONCE),
    "inf": ("inf", 2, AFTER_ONE),
    "nan": ("nan", 2, AFTER_ONE),
    "-5": ("-5", 2, AFTER_ONE),
    "a date of the year 99999": ("Fri, 31 Dec 99999 23:59:59 GMT", 2, AFTER_ONE),
    "60,000 digits": ("9" * 60_000, 2, AFTER_ONE),
}


@pytest.mark.parametrize("asked", WAITS)
def test_retry_after(asked: str, note: Note, thorough: bool) -> None:
    value, tries, expected = WAITS[asked]
    if not thorough and asked not in ("a million seconds", "nan"):
        pytest.skip("each takes half a second: with --thorough")
    with serve(answer(b"busy", 429, retry_after=value), answer(CHAT)) as server:
        with rawllm.Client(server.url, KEY, max_retries=1) as client:
            start = time.monotonic()
            told = outcome(client, server.url, WHOLE["chat"], {})
            assert time.monotonic() - start < 1 + SLACK
        assert len(server.requests) == tries
    words = {"`RateLimitError`": AT_ONCE, ANSWER: AFTER_ONE}[told.words]
    assert words == expected
    note(f"Retry-After: {asked}", words)


# --- a proxy ----------------------------------------------------------------

WHO = head(407, content_length="0", proxy_authenticate="Basic")
LATE = "`APITimeoutError` at its deadline"
PROXIES: dict[str, tuple[str, Script, str]] = {
    "a proxy's 407 to a request": ("http", [WHO], STATUS),
    "a proxy's 407 to CONNECT": ("https", [WHO, End.FIN], CONNECTION),
    "a proxy that closes at CONNECT": ("https", [End.FIN], CONNECTION),
    "a proxy that answers CONNECT with garbage": (
        "https",
        [b"hello\r\n\r\n", End.FIN],
        CONNECTION,
    ),
    "a proxy that says a header at a time": ("https", Trickle((START, b"X: y\r\n")), LATE),
    "a proxy that says nothing": ("https", [End.HOLD], LATE),
    "a proxy that ends CONNECT's answer within its headers": (
        "https",
        [START + b"X: ", End.FIN],
        CONNECTION,
    ),
}


@pytest.mark.parametrize("fault", PROXIES)
def test_proxies(fault: str, note: Note) -> None:
    scheme, script, expected = PROXIES[fault]
    limits = {"deadline": DEADLINE} if expected == LATE else {}
    with serve(script) as server:
        proxies = {scheme: server.url.removesuffix("/v1")}
        url = f"{scheme}://llm.test/v1"
        with rawllm.Client(url, KEY, proxies=proxies, max_retries=0) as client:
            told = outcome(client, url, WHOLE["chat"], limits)
    assert told.words == expected
    note(fault, told.words)
