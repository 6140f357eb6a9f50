"""requests' session and its adapter, as they serve a client of ours.

The adapter overrides what requests documents as exposed for that, and not
`send`, which mocks put their own in the place of. What is left out: the
connections (`connections.py`), which of them are kept (`pools.py`), and what is
sent over them (`sessions.py`).
"""

import contextlib
from typing import Any

import requests
import requests.adapters
import requests.cookies
import requests.structures
from requests.utils import select_proxy

from rawllm import pools, urls
from rawllm.connections import wire
from rawllm.keys import Place

_CONNECTIONS = 128  # kept for reuse; more may be open at a time
_MOST_POOLS = 64  # that are found without a search


class _NoCookies(requests.cookies.RequestsCookieJar):
    """Keeps none, and does not look for any."""

    def extract_cookies(self, response: Any, request: Any) -> None: ...


class Session(requests.Session):
    """Nothing of the environment, no cookies kept, no redirects."""

    def __init__(self) -> None:
        super().__init__()
        self.headers.clear()
        # The environment's netrc would replace the key, its proxies apply to
        # this machine. What it says of proxies and CAs is read by us.
        self.trust_env = False
        self.cookies: requests.cookies.RequestsCookieJar = _NoCookies()
        adapter = _Adapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the body, however long, to prepare a request of its own."""


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter over connections that note their socket."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = pools.POOLS
        self._pools: dict[tuple[Any, ...], Any] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """The pool of connections, which requests looks for anew each time."""
        pool = self._pools.get(_way(request, verify, proxies, cert))
        if pool is None:
            if len(self._pools) >= _MOST_POOLS:
                self._pools.clear()
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url or "", verify, cert)  # type: ignore[no-untyped-call]
            self._pools[_way(request, verify, proxies, cert)] = pool
        return pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: a pool has learnt it when it was made, and files are looked for each time."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The answer as requests makes it, without its search for cookies where there are none."""
        if "Set-Cookie" in resp.headers:
            return super().build_response(req, resp)
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers = requests.structures.CaseInsensitiveDict(resp.headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw, response.request, response.url = resp, req, req.url or ""
        response.connection = self
        return response

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """What urllib3 is told, and logs; the connection knows what is really asked for."""
        target = super().request_url(request, proxies) if proxies else request.path_url
        if "?" not in target or _is_socks(select_proxy(request.url or "", proxies)):
            return target
        wire.target = target
        return urls.shown(target)

    def close(self) -> None:
        """Close the idle connections, which urllib3 only forgets."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  # no dict: it cannot be iterated
                with contextlib.suppress(KeyError):  # another thread has let go of it
                    manager.pools[key].close()
        for pool in list(self._pools.values()):
            pool.close()  # one that its manager has had too many others to keep
        self._pools.clear()
        super().close()

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        proxy = Place(proxy)  # whose password no traceback shows
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        theirs = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = (
            {scheme: pools.kept_like_ours(pool) for scheme, pool in theirs.items()}
            if _is_socks(proxy)
            else pools.POOLS
        )
        return manager


def _is_socks(proxy: str | None) -> bool:
    """Whether connections by this proxy are urllib3's own, for SOCKS, and not ours."""
    return (proxy or "").lower().startswith("socks")


def _way(request: requests.PreparedRequest, verify: Any, proxies: Any, cert: Any) -> Any:
    """What is the same of requests that share a pool.

    It holds secrets in the open: no variable is to hold it where something can fail.
    """
    return (request.url, verify, cert, *(proxies or {}).items())
