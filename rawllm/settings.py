"""What a client is configured with, checked, and what that makes of one call.

Pure: the environment is a parameter.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rawllm import __version__, failures, urls
from rawllm.checks import (
    CONNECT_TIMEOUT,
    SURROGATE,
    Timeout,
    count,
    flag,
    header_fault,
    loading_timeout,
    parameter_fault,
    seconds,
    timeouts,
    trust,
)
from rawllm.keys import Address, Guarded, Key, Place, address, from_environment, guard
from rawllm.payloads import Omit, is_given, omit

READ_TIMEOUT = 600.0

#: Arguments of every call that are not parameters of its body.
OPTIONS = (
    "extra_headers",
    "extra_query",
    "timeout",
    "deadline",
    "first_token_timeout",
    "idle_timeout",
)

_VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")

_MOST_KNOWN = 64  # paths; more begin anew


class Limits(NamedTuple):
    """How long and how often, in seconds; `None` for no limit."""

    connect: float | None
    read: float | None
    max_retries: int
    loading_timeout: float
    retry_timeouts: bool = False
    deadline: float | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None


class Request(NamedTuple):
    """What one call sends."""

    method: str
    url: Place
    headers: Guarded
    query: Guarded
    body: bytes | None
    key: Key
    login: Key

    def __repr__(self) -> str:
        return f"<{self.method} {self.url.shown}>"


class Settings(NamedTuple):
    """A client's configuration, as its calls need it."""

    base_url: str
    key: Key
    #: `user:password` of the base URL, for Basic authentication where there is no key.
    login: Key
    #: Which hint a 401 gets: "no key", "withheld" or "refused key".
    key_state: str
    organization: str | None
    project: str | None
    headers: Guarded
    query: Guarded
    limits: Limits
    strict_streams: bool
    max_response_bytes: int
    #: What calls of a path send, but for their method and body.
    known: dict[tuple[str, bool, bool], Request]

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        streaming: bool = False,
        extra_headers: Mapping[str, Any] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Request:
        """What a call of `path` sends.

        The key goes to the base URL's origin alone, and so do defaults that hold a secret.
        """
        shape = path, streaming, body is not None
        if extra_headers or extra_query or "?" in path:
            return self._request(method, shape, extra_headers or {}, extra_query or {}, body)
        known = self.known.get(shape)
        if known is None:
            known = self._request(method, shape, {}, {}, None)
            if len(self.known) >= _MOST_KNOWN:
                self.known.clear()
            self.known[shape] = known
        return known._replace(method=method, body=body)

    def _request(
        self,
        method: str,
        shape: tuple[str, bool, bool],
        extra_headers: Mapping[str, Any],
        extra_query: Mapping[str, Any],
        body: bytes | None,
    ) -> Request:
        path, streaming, has_body = shape
        try:
            url = Place(urls.joined(self.base_url, path))
            place = urls.origin(url)
        except ValueError:  # whose traceback would show the path
            url, place = Place(""), ""
        if not place or SURROGATE.search(path):
            raise ValueError(f"no address that can be asked: {path!r}")
        ours = place == urls.origin(self.base_url)
        names = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        if streaming:
            # Compression would hold back what is flushed in small pieces.
            names = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if has_body:
            names["Content-Type"] = "application/json"
        defaults = (self.headers, self.query)
        headers, query = defaults if ours else (self.headers.public(), self.query.public())
        headers = merged_headers(names, headers, extra_headers)
        keyless = not ours or _removes_key(extra_headers)
        return Request(
            method=method,
            url=url,
            headers=headers,
            query=_merged_query(query, extra_query),
            body=body,
            key=Key(None) if keyless else self.key,
            login=Key(None) if keyless else self.login,
        )

    def call(self, method: str, url: Place, model: str | None) -> failures.Call:
        """What the texts of its errors need to know of a call."""
        return failures.Call(method, url.shown, self.base_url, model, self.key_state)

    def limits_with(
        self,
        timeout: "Timeout | Omit" = omit,
        deadline: float | None = None,
        first_token_timeout: float | None = None,
        idle_timeout: float | None = None,
    ) -> Limits:
        """The limits of one call, where its own differ from the client's."""
        connect, read = self.limits.connect, self.limits.read
        if not isinstance(timeout, Omit):
            connect, read = timeouts(timeout)
        return self.limits._replace(
            connect=connect,
            read=read,
            deadline=seconds("deadline", deadline),
            first_token_timeout=seconds("first_token_timeout", first_token_timeout),
            idle_timeout=seconds("idle_timeout", idle_timeout),
        )


def environment(environ: Mapping[str, str]) -> Guarded:
    """What is read of it. An empty variable counts as unset."""
    return Guarded({name: environ.get(name, "").strip() for name in _VARIABLES})


def resolve(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The settings for what was `given` to a client, guarded, the rest from `environ`."""
    environ = environment(environ)
    place: Address | None = given["base_url"]
    if not place or not place.bare:
        place = address(environ["OPENAI_BASE_URL"] or urls.OPENAI)
    base_url = urls.repaired(place.bare)
    trust(given["verify"], given["cert"])
    organization = given["organization"] or environ["OPENAI_ORG_ID"] or None
    project = given["project"] or environ["OPENAI_PROJECT_ID"] or None
    headers = {
        "User-Agent": f"rawllm/{__version__}",
        "OpenAI-Organization": organization,
        "OpenAI-Project": project,
    }
    own_headers = given["default_headers"] or {}
    merged = merged_headers(headers, own_headers)
    key, login = given["api_key"], place.login
    state = "no key"
    if _removes_key(own_headers):
        key = login = Key("")
    elif not key.given and not login:
        key = from_environment(environ, base_url)
        key.check()
        state = "withheld" if environ["OPENAI_API_KEY"] else state
    timeout = given["timeout"]
    default = (CONNECT_TIMEOUT, READ_TIMEOUT)
    connect, read = timeouts(default if isinstance(timeout, Omit) else timeout)
    return Settings(
        base_url=base_url,
        key=key,
        login=login,
        key_state="refused key" if key or login else state,
        organization=organization,
        project=project,
        headers=merged,
        query=_merged_query(place.query, given["default_query"] or {}),
        limits=Limits(
            connect,
            read,
            count("max_retries", given["max_retries"], at_least=0),
            loading_timeout(given["loading_timeout"]),
            flag("retry_timeouts", given["retry_timeouts"]),
        ),
        strict_streams=flag("strict_streams", given["strict_streams"]),
        max_response_bytes=count("max_response_bytes", given["max_response_bytes"], at_least=1),
        known={},
    )


def take_options(params: dict[str, Any]) -> dict[str, Any]:
    """Those of `params` that are options of the call, guarded and removed from it."""
    guard(params)
    return {name: params.pop(name) for name in OPTIONS if name in params}


def merged_headers(*layers: Mapping[Any, Any]) -> Guarded:
    """Headers of all layers, later ones winning by name in any case; `omit` and `None` remove."""
    merged = Guarded()
    spelled: dict[str, str] = {}
    for layer in layers:
        for name in layer:
            # No variable here holds a value when this is raised.
            if fault := header_fault(name, layer[name]):
                raise fault
            merged.pop(spelled.pop(name.lower(), None), None)
            if is_given(layer[name]):
                spelled[name.lower()] = name
                # Blanks around it are no part of it: RFC 9110 section 5.5.
                merged[name] = layer[name].strip()
    return merged


def _merged_query(*layers: Mapping[Any, Any]) -> Guarded:
    """Parameters of all layers, later ones winning by name; `omit` and `None` remove."""
    for layer in layers:
        for name in layer:
            # No variable here holds a value when this is raised.
            if fault := parameter_fault(name, layer[name]):
                raise fault
    merged = {name: layer[name] for layer in layers for name in layer}
    return Guarded({name: value for name, value in merged.items() if is_given(value)})


def _removes_key(headers: Mapping[str, Any]) -> bool:
    return any(k.lower() == "authorization" and not is_given(v) for k, v in headers.items())
