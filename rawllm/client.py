"""The client: its configuration, and the tree of resources.

What is left out: what a call does, which the resources and the transport do,
and what one server has beyond the protocol.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from rawllm import errors, failures, payloads, settings
from rawllm.checks import Timeout
from rawllm.keys import Guarded, guard, placed
from rawllm.lazy import lazy
from rawllm.objects import Object
from rawllm.payloads import Omit, omit
from rawllm.raw import RawResponse
from rawllm.resources.chat import Chat
from rawllm.resources.completions import Completions
from rawllm.resources.embeddings import Embeddings
from rawllm.resources.models import Models
from rawllm.resources.paths import Raw, Verbs

if TYPE_CHECKING:
    from types import TracebackType

    import requests
    from typing_extensions import Self

    from rawllm.transport import Transport

Parsed = TypeVar("Parsed")

_WIRE = ("session", "proxies", "verify", "cert")  # a client that differs there shares none


class Client(Verbs[Any]):
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

    Clients pickle, without their keys and other secrets, but a `session` with
    all it holds. The connections are shared with what `with_options` and
    `copy.copy` return, between threads, and not with a forked process. Make the
    first client before threads fork: it imports requests, and a child that is born
    meanwhile would wait for the end of that import for ever.
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
        given = {
            "base_url": base_url,
            "api_key": api_key,
            "organization": organization,
            "project": project,
            "timeout": timeout,
            "max_retries": max_retries,
            "loading_timeout": loading_timeout,
            "retry_timeouts": retry_timeouts,
            "default_headers": default_headers,
            "default_query": default_query,
            "session": session,
            "proxies": proxies,
            "verify": verify,
            "cert": cert,
            "strict_streams": strict_streams,
            "max_response_bytes": max_response_bytes,
        }
        del base_url, api_key, default_headers, default_query, proxies  # tracebacks print locals
        self._configure(guard(given), settings.environment(os.environ))

    def _configure(
        self, given: dict[str, Any], environ: Guarded, shared: "Transport | None" = None
    ) -> None:
        # Here and not above, so that `import rawllm` does not load requests.
        from rawllm.transport import Transport

        self._given, self._environ = given, environ
        self._settings = settings.resolve(given, environ)
        self._transport = shared or Transport(**{name: given[name] for name in _WIRE})

    def __getstate__(self) -> dict[str, Any]:
        return self._given

    def __setstate__(self, given: dict[str, Any]) -> None:
        self._configure(given, settings.environment(os.environ))

    def __copy__(self) -> "Self":
        return self.with_options()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Self":
        return self.with_options()

    def __repr__(self) -> str:
        made = "_settings" in vars(self)  # a traceback may print one that is being made
        return f"<rawllm.Client {self.base_url if made else '(not made yet)'}>"

    # --- resources ----------------------------------------------------------

    @lazy
    def chat(self) -> Chat:
        """`client.chat(model, messages)`, and `client.chat.completions.create(...)`."""
        return Chat(self)

    @lazy
    def completions(self) -> Completions:
        """Legacy completions."""
        return Completions(self)

    @lazy
    def embeddings(self) -> Embeddings:
        """Embeddings."""
        return Embeddings(self)

    @lazy
    def models(self) -> Models:
        """The models of the server."""
        return Models(self)

    @lazy
    def with_raw_response(self) -> Raw:
        """The resources and `request`, `get`, ... returning the HTTP answer as it came."""
        return Raw(self)

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON that any path answers with; `None` for an empty body.

        `path` is joined to the base URL, or is a whole URL, to which the key
        does not go if it is of another origin. `body=` is sent as JSON; the
        other options are those of every call.
        """
        path = placed(path)
        return self.with_raw_response.request(method, path, **guard(options)).parse()

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
    def organization(self) -> str | None:
        """What was given, or `OPENAI_ORG_ID`."""
        return self._settings.organization

    @property
    def project(self) -> str | None:
        """What was given, or `OPENAI_PROJECT_ID`."""
        return self._settings.project

    @property
    def default_headers(self) -> dict[str, str]:
        """The headers of every call, secrets among them; the key's own is not."""
        return dict(self._settings.headers)

    @property
    def default_query(self) -> dict[str, Any]:
        """The parameters of every call, with those of the base URL, secrets among them."""
        return dict(self._settings.query)

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
        them. What the base URL itself carries goes where it goes.
        """
        guard(options)
        given = dict(self._given)
        for name in ("default_headers", "default_query"):
            old = options.pop(f"set_{name}", given[name]) or {}
            given[name] = Guarded({**old, **(options.pop(name, None) or {})})
        if unknown := options.keys() - given.keys():
            raise TypeError(f"with_options() got unknown options: {', '.join(sorted(unknown))}")
        shared = None if options.keys() & {*_WIRE} else self._transport
        other = type(self).__new__(type(self))
        other._configure(given | options, self._environ, shared)
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
        body = payloads.extended(body, known.pop("extra_body", None))
        if unknown := ", ".join(sorted(known.keys() - {*settings.OPTIONS})):
            raise TypeError(f"unknown options: {unknown}; JSON goes into body= or extra_body=")
        parts = {name: known.pop(name, None) for name in ("extra_headers", "extra_query")}
        limits = self._settings.limits_with(**known) if known else self._settings.limits
        if not streaming and (limits.first_token_timeout or limits.idle_timeout):
            raise ValueError("first_token_timeout and idle_timeout need stream=True")
        data = None if body is None else payloads.serialize(body)
        request = self._settings.request(method, path, data, streaming=streaming, **parts)
        model = body.get("model") if isinstance(body, dict) else None
        call = self._settings.call(method, request.url, model)
        handled = sys.exc_info()[1]
        try:
            reply = self._transport.send(request, limits, call)
            return RawResponse(reply, parse, self._settings.max_response_bytes, streaming=streaming)
        except (errors.APIError, KeyboardInterrupt, SystemExit) as error:
            failures.bare(error, handled)
            raise error

    def complete(
        self,
        path: str,
        body: dict[str, Any],
        options: Mapping[str, Any],
        *,
        whole: type[Object],
        stream: Callable[..., Any],
    ) -> RawResponse[Any]:
        """Make one call that is answered by a `whole` object, or a `stream` if `body` asks so."""
        streaming = body.get("stream") or False
        if not isinstance(streaming, bool):
            raise TypeError(f"stream must be True or False, not {type(streaming).__name__}")

        def parse(raw: RawResponse[Any]) -> Any:
            if not streaming:
                return raw.answer(whole, "choices")
            return stream(
                raw.reply,
                expected=payloads.choices_asked(body),
                prompts=payloads.prompts_asked(body),
                strict=self._settings.strict_streams,
                limit=self._settings.max_response_bytes,
            )

        return self.call("POST", path, parse, body=body, options=options, streaming=streaming)


#: The openai SDK's name.
OpenAI = Client
