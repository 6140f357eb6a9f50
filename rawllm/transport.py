"""One HTTP exchange: the only file that imports requests.

A `Transport` owns the session with its pool of connections; `send` sends a
request, tries again as `retries.py` says, and returns a `Reply` once the
headers of a success are in. What is left out: the body, which is the reply's.
"""

import contextlib
import logging
import os
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from http.cookiejar import DefaultCookiePolicy
from random import random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.auth
import requests.hooks
import urllib3

from rawllm import connections, envelopes, errors, failures, retries, urls
from rawllm.connections import TROUBLE, wire
from rawllm.deadlines import Watch
from rawllm.envelopes import Envelope
from rawllm.keys import Guarded, Key, Proxies
from rawllm.replies import Reply
from rawllm.settings import Limits, Request

logger: logging.Logger = logging.getLogger("rawllm")

_MOST_REDIRECTS = 5
_CONNECTIONS = 128  # kept for reuse; more may be open at a time


class Transport:
    """A session and its connections, for many threads and after a fork.

    A `session` of the caller's keeps its own rules (proxies, netrc, cookies,
    adapters, auth); `proxies`, `verify` and `cert` apply where given.
    """

    def __init__(
        self,
        session: requests.Session | None = None,
        *,
        proxies: dict[str, str] | None = None,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._given = session
        self._proxies = proxies
        self._verify = verify
        self._cert = cert
        self._sleep = sleep
        self._known_proxies: dict[str, Proxies] = {}
        #: By process, for after a fork the sockets are the parent's.
        self._own = {os.getpid(): _Session()}

    def close(self) -> None:
        """Close the idle connections."""
        self._session().close()

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
        text = reply.read_error()
        target = urls.followed(request.url, response.headers.get("Location", ""))
        if response.status_code in (307, 308) and target and redirects:
            moved = request._replace(url=target, query=Guarded())
            return self._follow(moved, limits, call, watch, redirects - 1)
        error = failures.status(call, response, text, _now())
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
        session = self._session()
        ours = session is not self._given
        connect, read, left = limits.connect, limits.read, watch.left()
        if left is not None:
            # Of a caller's connections the socket is not known before the
            # headers are in: until then the limits hold for silence alone.
            connect = max(min(left, connect or left), 0.001)
            read = read if ours else max(min(left, read or left), 0.001)
        prepared = _prepared(session, request, call, ours=ours)
        wire.start(watch, read)
        try:
            settings = self._settings(session, request.url)
            response = session.send(
                prepared, timeout=(connect, read), allow_redirects=False, **settings
            )
        except TROUBLE as trouble:
            event = connections.event(trouble)
            if isinstance(trouble, _PROXY_TROUBLE):
                event = "proxy"
            elif event in ("timeout", "dropped") and ours and not wire.connected:
                # A server that speaks plain HTTP does not understand the handshake.
                event = "handshake"
            event = watch.passed() or event
            error = failures.no_response(call, event, connections.innermost(trouble))
            known = "deadline" if event.endswith("_timeout") else event
            return _Failed(error, retries.Failure(known, wire.reused, wire.begun), {})
        finally:
            wire.start(None)
        response.request = _without_secrets(prepared)
        response.url = call.url
        response._next = None  # type: ignore[attr-defined]  # a copy of the request, key and all
        return Reply(response, call, watch)

    def _session(self) -> requests.Session:
        """The caller's session, or this process's own."""
        if self._given is not None:
            return self._given
        # Without a lock, which another thread may have held at the fork.
        pid = os.getpid()
        return self._own.get(pid) or self._own.setdefault(pid, _Session())

    def _settings(self, session: requests.Session, url: str) -> dict[str, Any]:
        if session is self._given:
            merged = session.merge_environment_settings(
                url, proxies=self._proxies or {}, stream=True, verify=self._verify, cert=self._cert
            )
            return dict(merged)
        settings = {"stream": True, "cert": self._cert}
        return settings | {"proxies": self._proxies_for(url), "verify": self._verify_ours()}

    def _verify_ours(self) -> bool | str:
        if self._verify is not None:
            return self._verify
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        return bundle or True

    def _proxies_for(self, url: str) -> dict[str, str]:
        """The proxies of the environment, read once an origin; none on this machine."""
        if self._proxies is not None:
            return self._proxies
        place = urls.origin(url)
        if place not in self._known_proxies:
            local = urls.is_loopback(urlsplit(url).hostname or "")
            self._known_proxies[place] = Proxies(
                {} if local else requests.utils.get_environ_proxies(url)
            )
        return self._known_proxies[place]


class _Failed(NamedTuple):
    """One try failed. `error` is what the caller will see if it was the last."""

    error: errors.APIError
    failure: retries.Failure
    headers: Mapping[str, str]


#: What requests says of a proxy that it cannot use.
_PROXY_TROUBLE = (requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema)


class _Session(requests.Session):
    """Ours: nothing of the environment, no cookies, no redirects."""

    def __init__(self) -> None:
        super().__init__()
        self.headers.clear()
        # The environment's netrc would replace the key, its proxies apply to
        # this machine. What it says of proxies and CAs is read by us.
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the body, however long, to prepare a request of its own."""


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter over connections that note their socket."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = connections.POOLS

    def close(self) -> None:
        """Close the idle connections, which urllib3 only forgets."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  # no dict: it cannot be iterated
                with contextlib.suppress(KeyError):  # another thread has let go of it
                    manager.pools[key].close()
        super().close()

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        ours = type(manager) is urllib3.ProxyManager  # SOCKS has connections of its own
        manager.pool_classes_by_scheme = (
            connections.POOLS if ours else manager.pool_classes_by_scheme
        )
        return manager


class _Auth(requests.auth.AuthBase):
    """Sets the key's header at the last moment. Without a key it still keeps netrc out."""

    def __init__(self, key: Key, login: Key) -> None:
        self._key = key
        self._login = login

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if "Authorization" not in request.headers:
            if self._key:
                request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
            elif self._login:
                encoded = b64encode(self._login.reveal().encode()).decode()
                request.headers["Authorization"] = f"Basic {encoded}"
        return request


def _prepared(
    session: requests.Session, request: Request, call: failures.Call, *, ours: bool
) -> requests.PreparedRequest:
    """The request as it will be sent. Only here does a key become a header.

    Raises `ValueError` for an address that requests cannot make sense of.
    """
    auth = _Auth(request.key, request.login)
    # A caller's session keeps its own auth; without a key from us, its netrc too.
    yields = not ours and (session.auth or not (request.key or request.login))
    unprepared = requests.Request(
        request.method,
        request.url,
        headers=request.headers,
        params=request.query,
        data=request.body,
        auth=None if yields else auth,
    )
    try:
        return session.prepare_request(unprepared)
    except requests.exceptions.InvalidURL:
        raise ValueError(f"no address that can be asked: {call.url}") from None


def _without_secrets(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """A copy that can be kept in a response or an exception, and pickled."""
    safe = prepared.copy()
    safe.hooks = requests.hooks.default_hooks()  # which may not pickle
    safe.url = urls.shown(prepared.url or "")
    for name in safe.headers:
        if urls.is_secret(name):
            safe.headers[name] = "***"
    return safe


def _now() -> datetime:
    return datetime.now(timezone.utc)
