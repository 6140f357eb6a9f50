"""Each failure that the table of retries knows, made to happen.

What is left out: what a call comes to that meets one, which is in `test_network.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import rawllm
from rawllm.retries import Failure
from tests.faults.proxy import ACCEPTED, ASKED, Fault, How
from tests.faults.scenes import (
    BRIEF,
    CONNECTION,
    NOTHING,
    SILENT,
    TIMEOUT,
    TRUSTED,
    Stage,
    leaving_proxy,
    no_route,
    no_such_proxy,
    nowhere,
    refusing_proxy,
    through,
    untrusted,
)
from tests.servers import REASONS, answer


class Case(NamedTuple):
    """One fault, what the table is asked of it, and what a call ends in that does not get by."""

    failure: Failure
    stage: Stage
    raises: type[rawllm.APIError]
    call: Mapping[str, Any] = NOTHING
    #: What the text says, in the server's words; "": what the failure is called.
    says: str = ""


def answered(says: bytes) -> Stage:
    return through(Fault(How.FIN, says=says))


def told(
    event: str,
    status: int,
    raises: type[rawllm.APIStatusError],
    words: str = "made to fail",
    code: str | None = None,
    **headers: str,
) -> Case:
    """An answer that is an error, in these words."""
    body = {"error": {"message": words, "code": code}}
    stage = answered(answer(body, status, connection="close", **headers))
    reason = REASONS.get(status, "Whatever")
    return Case(Failure(event), stage, raises, says=f" answered {status} {reason}: {words}")


#: (how the table's words call it, how it is done)
ENDS = (("closed", How.FIN), ("reset", How.RST))
DROPPED, IDLE = Failure("dropped"), Failure("dropped", reused=True)
PLAIN = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

#: What went wrong: all that stands before a semicolon is told on the page.
CASES: dict[str, Case] = {
    "no connection, refused": Case(Failure("refused"), through(start="closed"), CONNECTION),
    "no connection, no route": Case(Failure("unreachable"), no_route, CONNECTION),
    "no connection, no answer": Case(
        Failure("connect timeout"), through(start="full", **BRIEF), TIMEOUT
    ),
    "no such host": Case(Failure("dns"), nowhere, CONNECTION),
    **{
        f"{word} in the TLS handshake; {at}": Case(
            Failure("handshake"), through(Fault(how, at), tls=True, **TRUSTED), CONNECTION
        )
        for word, how in ENDS
        for at in (ACCEPTED, ASKED, 0)
        # Python's ssl does not close a socket that was reset before it took it over.
        if (how, at) != (How.RST, ACCEPTED)
    },
    **{
        f"silence in the TLS handshake; {at}": Case(
            Failure("handshake"),
            through(Fault(How.SILENCE, at), tls=True, **BRIEF, **TRUSTED),
            TIMEOUT,
        )
        for at in (ACCEPTED, 0)
    },
    "an untrusted certificate": Case(Failure("tls"), untrusted, CONNECTION),
    "no TLS": Case(Failure("plain"), through(Fault(How.FIN, says=PLAIN), tls=True), CONNECTION),
    "no HTTP": Case(Failure("protocol"), answered(b"what is this\r\n\r\n"), CONNECTION),
    "the proxy refuses connections": Case(Failure("proxy"), no_such_proxy, CONNECTION),
    "the proxy refuses the request": Case(Failure("proxy"), refusing_proxy, CONNECTION),
    "the proxy leaves at the request": Case(Failure("proxy left"), leaving_proxy, CONNECTION),
    **{
        f"{word} {when}": Case(DROPPED, through(Fault(how, at)), CONNECTION)
        for word, how in ENDS
        for when, at in (
            ("before the request", ACCEPTED),
            ("as the request comes", ASKED),
            ("after the request", 0),
        )
    },
    **{
        f"an idle connection, {word} {when}; {'TLS' if tls else ''}": Case(
            IDLE, through(Fault(how, at), tls=tls, **TRUSTED if tls else {}), CONNECTION
        )
        for word, how in ENDS
        for when, at in (("as the request comes", ASKED), ("after the request", 0))
        for tls in (False, True)
    },
    **{
        f"{'an idle connection, ' if reused else ''}{word} in the status line; {at}": Case(
            Failure("dropped", reused, begun=True), through(Fault(how, at)), CONNECTION
        )
        for word, how in ENDS
        for at in (1, 9)
        for reused in (False, True)
    },
    **{
        f"{word} in the headers": Case(
            Failure("dropped", begun=True), through(Fault(how, 20)), CONNECTION
        )
        for word, how in ENDS
    },
    "silence in the headers": Case(
        Failure("timeout", begun=True), through(Fault(How.SILENCE, 20), **SILENT), TIMEOUT
    ),
    "silence before the first byte; lost": Case(
        Failure("timeout"), through(Fault(How.SILENCE), **SILENT), TIMEOUT
    ),
    "silence before the first byte; seen": Case(
        Failure("timeout"), through(Fault(How.SILENCE, 0), **SILENT), TIMEOUT
    ),
    "silence on an idle connection (a NAT forgot it)": Case(
        Failure("timeout", reused=True), through(Fault(How.SILENCE), **SILENT), TIMEOUT
    ),
    "silence until the deadline": Case(
        Failure("deadline"), through(Fault(How.SILENCE)), TIMEOUT, {"deadline": 0.2}
    ),
    "an empty account": told("quota", 429, rawllm.RateLimitError, code="insufficient_quota"),
    "llama-server: a bad request as a 500": told(
        "bad request", 500, rawllm.InternalServerError, server="llama.cpp"
    ),
    "503 while the model loads": told("loading", 503, rawllm.ModelLoadingError, "Loading model"),
    **{
        f"status {status}": told("busy", status, raises)
        for status, raises in (
            (408, rawllm.APIStatusError),
            (409, rawllm.ConflictError),
            (429, rawllm.RateLimitError),
            (500, rawllm.InternalServerError),
            (502, rawllm.InternalServerError),
            (503, rawllm.InternalServerError),
            (504, rawllm.InternalServerError),
        )
    },
    **{
        f"status {status}": told("status", status, raises)
        for status, raises in (
            (400, rawllm.BadRequestError),
            (401, rawllm.AuthenticationError),
            (403, rawllm.PermissionDeniedError),
            (404, rawllm.NotFoundError),
            (422, rawllm.UnprocessableEntityError),
        )
    },
    "status 503, and told not to come back": told(
        "status", 503, rawllm.InternalServerError, x_should_retry="false"
    ),
    "status 400, and told to come back": told(
        "busy", 400, rawllm.BadRequestError, x_should_retry="true"
    ),
}
