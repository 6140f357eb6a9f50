"""One call: sent, followed where it is redirected, tried again as `retries.py` says.

`Transport.send` returns a `Reply` once the headers of a success are in. What
is left out: sending once, which is `sessions.py`'s, and the body, which is the
reply's.
"""

import logging
import os
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from random import random
from typing import TYPE_CHECKING, NamedTuple

from rawllm import envelopes, errors, failures, retries, troubles, urls
from rawllm.connections import wire
from rawllm.deadlines import Watch
from rawllm.echoes import Secrets
from rawllm.envelopes import Envelope
from rawllm.keys import Guarded, Place
from rawllm.replies import Reply
from rawllm.sessions import PROXY_TROUBLE, CallersSession, Options, OwnSession
from rawllm.settings import Limits, Request

if TYPE_CHECKING:
    import requests

logger: logging.Logger = logging.getLogger("rawllm")

_MOST_REDIRECTS = 5


#: All that are in use.
_TRANSPORTS: "weakref.WeakSet[Transport]" = weakref.WeakSet()


class Transport:
    """A session and its connections, for many threads and after a fork.

    A `session` of the caller's keeps its own rules (proxies, netrc, cookies,
    adapters, auth); `proxies`, `verify` and `cert` apply where given.
    """

    def __init__(
        self,
        session: "requests.Session | None" = None,
        *,
        proxies: dict[str, str] | None = None,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = Options(proxies, verify, cert)
        self._sleep = sleep
        self._session: CallersSession | OwnSession = (
            OwnSession(self._options) if session is None else CallersSession(session, self._options)
        )
        _TRANSPORTS.add(self)

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def begin_anew(self) -> None:
        """Let go of the connections: in a forked process they are the parent's."""
        if isinstance(self._session, CallersSession):
            self._session.begin_anew()
        else:
            self._session = OwnSession(self._options)

    def send(self, request: Request, limits: Limits, call: failures.Call) -> Reply:
        """The answer to `request`, its headers read and its status a success.

        Raises `APIStatusError` for any other status, `APIConnectionError` or
        `APITimeoutError` where there is none, after the retries of `limits`.
        """
        start = time.monotonic()
        watch = Watch(limits.deadline, limits.first_token_timeout, limits.idle_timeout)
        patience = retries.Patience(
            limits.max_retries, limits.loading_timeout, limits.retry_timeouts
        )
        while True:
            outcome = self._follow(request, limits, call, watch)
            if isinstance(outcome, Reply):
                outcome.retries_taken = patience.taken
                return outcome
            error, failure, headers = outcome
            elapsed = time.monotonic() - start
            spread = random()  # noqa: S311  # of clients that come back, it protects nothing
            pause = patience.pause(failure, headers, _now(), elapsed, spread)
            left = watch.left()
            if pause is None or (left is not None and pause >= left):
                watch.stop()
                raise error from error.__cause__
            reason = str(error).partition("\n")[0]
            logger.info("retry %d in %.2f s: %s", patience.taken, pause, reason)
            self._sleep(pause)

    def _follow(
        self,
        request: Request,
        limits: Limits,
        call: failures.Call,
        watch: Watch,
        redirects: int = _MOST_REDIRECTS,
    ) -> "Reply | _Failed":
        """The reply, after redirects that may be followed.

        requests itself would turn a redirected POST into a GET. 307 and 308
        keep the method, and the same origin may have the key.
        """
        reply = self._exchange(request, limits, call, watch)
        if not isinstance(reply, Reply) or 200 <= reply.response.status_code < 300:
            return reply
        response = reply.response
        if response.status_code < 200:
            reply.close()  # its answer is still to come, on a connection that others would use
        text = reply.read_error()
        target = urls.followed(request.url, response.headers.get("Location", ""))
        if response.status_code in (307, 308) and target and redirects:
            moved = request._replace(url=Place(target), query=Guarded())
            return self._follow(moved, limits, call, watch, redirects - 1)
        error = failures.status(reply.call, response, text, _now())
        event = retries.event(
            response.status_code,
            response.headers,
            quota=envelopes.is_quota(Envelope("", code=error.code, type=error.type)),
            loading=isinstance(error, errors.ModelLoadingError),
        )
        return _Failed(error, retries.Failure(event), response.headers)

    def _exchange(
        self, request: Request, limits: Limits, call: failures.Call, watch: Watch
    ) -> "Reply | _Failed":
        """Send once; the reply has its headers."""
        session = self._session
        ours = isinstance(session, OwnSession)
        connect, read, left = limits.connect, limits.read, watch.left()
        if left is not None:
            # Of a caller's connections the socket is not known before the
            # headers are in: until then the limits hold for silence alone.
            connect = max(min(left, connect or left), 0.001)
            read = read if ours else max(min(left, read or left), 0.001)
        prepared = session.prepare(request)
        sent, _, settings = prepared
        secrets = Secrets(sent.headers, sent.url or "", settings["proxies"])
        call = call._replace(secret=secrets)
        wire.start(watch, read)
        handled = sys.exc_info()[1]
        try:
            response = session.send(prepared, (connect, read))
        except troubles.TROUBLE as trouble:
            if not ours and type(trouble) is ValueError:
                raise  # of the caller's hook, auth or adapter: of a head nothing raises it
            event = troubles.event(trouble, handled)
            if isinstance(trouble, PROXY_TROUBLE):
                event = "proxy"
            elif event in ("timeout", "dropped") and ours and not wire.connected:
                # A server that speaks plain HTTP does not understand the handshake.
                event = "handshake"
            event = watch.passed() or event
            error = failures.no_response(call, event, troubles.innermost(trouble, handled))
            known = "deadline" if event.endswith("_timeout") else event
            return _Failed(error, retries.Failure(known, wire.reused, wire.begun), {})
        finally:
            wire.start(None)
        response.url = call.url
        return Reply(response, call, watch)


class _Failed(NamedTuple):
    """One try failed. `error` is what the caller will see if it was the last."""

    error: errors.APIError
    failure: retries.Failure
    headers: Mapping[str, str]


def _now() -> datetime:
    return datetime.now(timezone.utc)


def begin_anew() -> None:
    """Let go of all connections, which in a forked process are the parent's."""
    for transport in list(_TRANSPORTS):
        transport.begin_anew()


# At once and not at its next call: then the child may have threads that use the same session.
if hasattr(os, "register_at_fork"):  # pragma: no branch  # Windows knows no forks
    os.register_at_fork(after_in_child=begin_anew)
