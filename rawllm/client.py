"""The client: its configuration, and the tree of resources.

What is left out: what a call does, which the resources and the transport do,
and what one server has beyond the protocol.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from rawllm import payloads, settings
from rawllm.keys import Guarded, Key
from rawllm.payloads import Omit, omit
from rawllm.raw import RawResponse
from rawllm.resources.chat import Chat
from rawllm.resources.completions import Completions
from rawllm.resources.embeddings import Embeddings
from rawllm.resources.models import Models
from rawllm.resources.paths import Paths
from rawllm.settings import Timeout

if TYPE_CHECKING:
    from types import TracebackType

    import requests
    from typing_extensions import Self

Parsed = TypeVar("Parsed")


class Client:
    """A client of one server.

    >>> Client("http://localhost:11434/v1/")
    <rawllm.Client http://localhost:11434/v1>

    `base_url` and `api_key` come from `OPENAI_BASE_URL` and `OPENAI_API_KEY`
    where they are not given; a key from there goes only to OpenAI, to that
    base URL and to this machine. `timeout` is the longest silence between two
    bytes, in seconds, or a pair (to connect, to read): 5 and 600 where it is
    not given. `loading_timeout` is how long a model that is being loaded is
    waited for. `max_response_bytes` bounds a whole body, one event, and the
    text of a stream. A `session` of the caller's keeps its own rules.

    Clients pickle, without their keys. The connections are shared with what
    `with_options` returns, between threads, and not with a forked process.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        organization: str | None = None,
        project: str | None = None,
        timeout: Timeout | Omit = omit,
        max_retries: int = 2,
        loading_timeout: float = 60.0,
        retry_timeouts: bool = False,
        default_headers: Mapping[str, Any] | None = None,
        default_query: Mapping[str, Any] | None = None,
        session: "requests.Session | None" = None,
        proxies: dict[str, str] | None = None,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        strict_streams: bool = True,
        max_response_bytes: int = 256 << 20,
    ) -> None:
        key = Key(api_key)
        del api_key  # a traceback that prints the locals must not show it
        key.check()
        base_url, login, query = settings.address(base_url or "")
        given = {
            "base_url": base_url,
            "login": login,
            "api_key": key,
            "organization": organization,
            "project": project,
            "timeout": timeout,
            "max_retries": max_retries,
            "loading_timeout": loading_timeout,
            "retry_timeouts": retry_timeouts,
            "headers": Guarded(default_headers or {}),
            "query": Guarded({**query, **(default_query or {})}),
            "strict_streams": strict_streams,
            "max_response_bytes": max_response_bytes,
        }
        wire = {"session": session, "proxies": proxies, "verify": verify, "cert": cert}
        self._configure(given, wire)

    def _configure(self, given: dict[str, Any], wire: dict[str, Any]) -> None:
        # Here and not above, so that `import rawllm` does not load requests.
        from rawllm.transport import Transport

        self._given, self._wire = given, wire
        self._settings = settings.resolve(self._given, os.environ)
        self._transport = Transport(**self._wire)

    def __getstate__(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._given, self._wire

    def __setstate__(self, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
        self._configure(*state)

    def __repr__(self) -> str:
        made = "_settings" in vars(self)  # a traceback may print one that is being made
        return f"<rawllm.Client {self.base_url if made else '(not made yet)'}>"

    # --- resources ----------------------------------------------------------

    @property
    def chat(self) -> Chat:
        """`client.chat(model, messages)`, and `client.chat.completions.create(...)`."""
        return Chat(self)

    @property
    def completions(self) -> Completions:
        """Legacy completions."""
        return Completions(self)

    @property
    def embeddings(self) -> Embeddings:
        """Embeddings."""
        return Embeddings(self)

    @property
    def models(self) -> Models:
        """The models of the server."""
        return Models(self)

    @property
    def with_raw_response(self) -> Paths:
        """`get`, `post` and `request`, returning the HTTP answer as it came."""
        return Paths(self)

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON that any path answers with; `None` for an empty body.

        `path` is joined to the base URL, or is a whole URL, to which the key
        does not go if it is of another origin. `body=` is sent as JSON; the
        other options are those of every call.
        """
        return Paths(self).request(method, path, **options).parse()

    def get(self, path: str, **options: Any) -> Any:
        """`request("GET", path)`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        """`request("POST", path)`."""
        return self.request("POST", path, **options)

    # --- configuration ------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The repaired base URL, without a user, a query or a slash at its end."""
        return self._settings.base_url

    @property
    def api_key(self) -> str:
        """The key that is sent, "" for none."""
        return self._settings.key.reveal()

    @property
    def max_retries(self) -> int:
        """How often a call is tried again."""
        return self._settings.limits.max_retries

    @property
    def timeout(self) -> tuple[float | None, float | None]:
        """The longest wait to connect and to read, in seconds."""
        return self._settings.limits.connect, self._settings.limits.read

    def with_options(self, **options: Any) -> "Self":
        """A client that differs in `options`, named as for the constructor.

        It shares the connections, unless `session`, `proxies`, `verify` or
        `cert` are among them. `default_headers` and `default_query` add to
        those there are; `set_default_headers` and `set_default_query` replace
        them.
        """
        changes = Guarded(options)
        del options
        wire = {name: changes.pop(name) for name in tuple(changes) if name in self._wire}
        given = dict(self._given)
        if "api_key" in changes:
            given["api_key"] = Key(changes.pop("api_key"))
            given["api_key"].check()
        if "base_url" in changes:
            address = settings.address(changes.pop("base_url") or "")
            given["base_url"], given["login"], query = address
            given["query"] = Guarded({**given["query"], **query})
        for name in ("headers", "query"):
            old = changes.pop(f"set_default_{name}", given[name])
            given[name] = Guarded({**old, **(changes.pop(f"default_{name}", None) or {})})
        if unknown := changes.keys() - given.keys():
            raise TypeError(f"with_options() got unknown options: {', '.join(sorted(unknown))}")
        other = type(self).__new__(type(self))
        other._configure(given | changes, self._wire | wire)
        if not wire:
            other._transport = self._transport
        return other

    copy = with_options

    # --- life ---------------------------------------------------------------

    def close(self) -> None:
        """Close the idle connections, also of clients that share them."""
        self._transport.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self.close()

    # --- for the resources --------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        parse: Callable[[RawResponse[Parsed]], Parsed],
        *,
        body: Any = None,
        options: Mapping[str, Any] | None = None,
        streaming: bool = False,
    ) -> RawResponse[Parsed]:
        """Make one call; `parse` is what its `RawResponse.parse()` will do.

        A body that is not streamed has been read when this returns.
        """
        known = dict(options or {})
        parts = {name: known.pop(name, None) for name in ("extra_headers", "extra_query")}
        limits = self._settings.limits_with(**known)
        if not streaming and (limits.first_token_timeout or limits.idle_timeout):
            raise ValueError("first_token_timeout and idle_timeout need stream=True")
        data = None if body is None else payloads.serialize(body)
        request = self._settings.request(method, path, data, streaming=streaming, **parts)
        model = body.get("model") if isinstance(body, dict) else None
        reply = self._transport.send(
            request, limits, self._settings.call(method, request.url, model)
        )
        limit = self._settings.max_response_bytes
        return RawResponse(reply, parse, limit, streaming=streaming)

    @property
    def stream_rules(self) -> dict[str, Any]:
        """How a stream of this client is judged and bounded."""
        return {
            "strict": self._settings.strict_streams,
            "limit": self._settings.max_response_bytes,
        }


#: The openai SDK's name.
OpenAI = Client
