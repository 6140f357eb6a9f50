"""One request made ready for requests, and sent once: by our connections or by the caller's.

What is left out: what is sent (`settings.py`), how requests is held to our
rules (`adapters.py`), what is tried again (`transport.py`) and what the answer
means (`replies.py`).
"""

import contextlib
import os
import time
from base64 import b64encode
from datetime import timedelta
from threading import RLock
from types import FunctionType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.auth
import requests.hooks

from rawllm import urls
from rawllm.adapters import Session
from rawllm.keys import Key, Proxies
from rawllm.pools import renew
from rawllm.settings import Request

#: How long to connect and to read, in seconds.
Timeouts = tuple[float | None, float | None]

#: What requests says of a proxy that it cannot use.
PROXY_TROUBLE = (requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema)

_MOST_READY = 64  # requests of which all but the body is kept


class Options(NamedTuple):
    """What requests takes under these names, `None` where the caller says nothing."""

    proxies: dict[str, str] | None = None
    verify: bool | str | None = None
    cert: str | tuple[str, str] | None = None


class Prepared(NamedTuple):
    """A request as it is sent and as it may be shown, and with what settings it is sent."""

    sent: requests.PreparedRequest
    shown: requests.PreparedRequest
    settings: dict[str, Any]


class OwnSession:
    """Our connections: nothing of the environment but its proxies and authorities.

    Preparing a request costs requests more than sending it; requests that
    differ in nothing but their body are prepared once.
    """

    def __init__(self, options: Options) -> None:
        self._session = Session()
        self._options = options
        self._known_proxies: dict[str, Proxies] = {}
        self._ready: dict[tuple[Any, ...], Prepared] = {}

    def prepare(self, request: Request) -> Prepared:
        """All that is needed to send `request`.

        Raises `ValueError` for an address that requests cannot make sense of.
        """
        ready = self._ready_for(request)
        settings = ready.settings
        if settings["proxies"] or request.url.lower().startswith("https:"):
            settings = settings | {"verify": self._authorities()}
        return Prepared(
            _with_body(ready.sent, request.body), _with_body(ready.shown, request.body), settings
        )

    def send(self, prepared: Prepared, timeouts: Timeouts) -> requests.Response:
        """The answer, its body unread. Raises what requests, urllib3 and http.client do."""
        if not _is_untouched(requests.Session.send):
            return _sent(self._session, prepared, timeouts)
        # It would look for redirects and cookies once more: a tenth of a call.
        begin = time.perf_counter()
        adapter = self._session.get_adapter(prepared.sent.url or "")
        settings: dict[str, Any] = {"timeout": timeouts, **prepared.settings}
        response = adapter.send(prepared.sent, **settings)
        response.elapsed = timedelta(seconds=time.perf_counter() - begin)
        response.request = prepared.shown
        return response

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def _ready_for(self, request: Request) -> Prepared:
        """What all requests share that differ from this one in nothing but their body."""
        if request.query:
            return self._make_ready(request)
        ready = self._ready.get(_likeness(request))
        if ready is None:
            ready = self._make_ready(request)
            if len(self._ready) >= _MOST_READY:
                self._ready.clear()
            self._ready[_likeness(request)] = ready
        return ready

    def _make_ready(self, request: Request) -> Prepared:
        prepared = _prepared(self._session, request, _Auth(request.key, request.login))
        proxies = self._proxies_for(request.url)
        settings = {"stream": True, "cert": self._options.cert, "proxies": proxies}
        return Prepared(prepared, without_secrets(prepared), settings)

    def _authorities(self) -> bool | str:
        if self._options.verify is not None:
            return self._options.verify
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        return bundle or True

    def _proxies_for(self, url: str) -> Proxies:
        """The proxies of the environment, read once an origin; none on this machine."""
        if self._options.proxies is not None:
            return Proxies(self._options.proxies)
        place = urls.origin(url)
        if place not in self._known_proxies:
            local = urls.is_loopback(urlsplit(url).hostname or "")
            self._known_proxies[place] = Proxies(
                {} if local else requests.utils.get_environ_proxies(url)
            )
        return self._known_proxies[place]


class CallersSession:
    """A session of the caller's, which keeps its own rules: proxies, netrc, cookies, auth."""

    def __init__(self, session: requests.Session, options: Options) -> None:
        if not isinstance(session, requests.Session):
            raise TypeError(f"session must be a requests.Session, not {type(session).__name__}")
        self._session = session
        self._options = options

    def begin_anew(self) -> None:
        """Let go of its connections, which after a fork are the parent's.

        Each lock may be held by a thread that is not here, so that all are new. To be
        called before any other thread is.
        """
        for adapter in self._session.adapters.values():
            if isinstance(adapter, requests.adapters.HTTPAdapter):
                managers = (adapter.poolmanager, *adapter.proxy_manager.values())
                pools = [getattr(manager, "pools", None) for manager in managers]
                # Those for sockets of Unix have pools of their own.
                for each in (*pools, *vars(adapter).values()):
                    renew(each)
                state = adapter.__getstate__()
                adapter.__setstate__(state)  # type: ignore[attr-defined]  # as unpickling does
        self._session.cookies._cookies_lock = RLock()  # type: ignore[attr-defined]

    def prepare(self, request: Request) -> Prepared:
        """All that is needed to send `request`. Raises as `OwnSession` does."""
        session = self._session
        # It keeps its own auth; without a key from us, its netrc too.
        yields = session.auth or not (request.key or request.login)
        auth = None if yields else _Auth(request.key, request.login)
        prepared = _prepared(session, request, auth)
        proxies, verify, cert = self._options
        settings = session.merge_environment_settings(
            request.url, proxies=proxies or {}, stream=True, verify=verify, cert=cert
        )
        guarded = {**settings, "proxies": Proxies(settings["proxies"] or {})}
        return Prepared(prepared, without_secrets(prepared), guarded)

    def send(self, prepared: Prepared, timeouts: Timeouts) -> requests.Response:
        """The answer, its body unread. Raises what requests, urllib3 and http.client do."""
        return _sent(self._session, prepared, timeouts)

    def close(self) -> None:
        """Close its idle connections."""
        self._session.close()


# --- a request --------------------------------------------------------------


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
    session: requests.Session, request: Request, auth: _Auth | None
) -> requests.PreparedRequest:
    """The request as it will be sent. Only here does a key become a header."""
    method, url, headers, query, body, *_ = request
    unprepared = requests.Request(method, url, headers, data=body, params=query, auth=auth)
    with contextlib.suppress(requests.exceptions.InvalidURL):
        return session.prepare_request(unprepared)
    # Out of its reach, for its frames hold the query.
    raise ValueError(f"no address that can be asked: {request.url.shown}")


def _likeness(request: Request) -> tuple[Any, ...]:
    """What is the same of requests that differ in nothing but their body.

    It holds secrets in the open: no variable is to hold it where something can fail.
    """
    who = (request.method, request.url, request.body is None, request.key, request.login)
    return (*who, *request.headers.items())


def _sent(session: requests.Session, prepared: Prepared, timeouts: Timeouts) -> requests.Response:
    response = session.send(
        prepared.sent, timeout=timeouts, allow_redirects=False, **prepared.settings
    )
    response.request = prepared.shown
    response._next = None  # type: ignore[attr-defined]  # a copy of the request, key and all
    return response


def _is_untouched(send: Any) -> bool:
    """Whether a session's `send` is requests' own: tracers and mocks put theirs in its place."""
    # Not `isinstance`, which wrappers that stand for a function deceive.
    return type(send) is FunctionType and send.__code__.co_filename == requests.sessions.__file__


def _with_body(ready: requests.PreparedRequest, body: bytes | None) -> requests.PreparedRequest:
    """A request of its own like `ready`, with this body."""
    made = requests.PreparedRequest()
    made.method, made.url = ready.method, ready.url
    made.headers = ready.headers.copy()
    if body is not None:
        made.headers["Content-Length"] = str(len(body))
    made.body = body
    return made


def without_secrets(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """A copy that can be kept in a response or an exception, and pickled."""
    safe = prepared.copy()
    safe.hooks = requests.hooks.default_hooks()  # which may not pickle
    safe.url = urls.shown(prepared.url or "")
    for name in safe.headers:
        if urls.is_secret(name):
            safe.headers[name] = "***"
    return safe
