"""What a client is configured with, checked, and what that makes of one call.

Pure: the environment is a parameter. A caller's mistakes are `TypeError` and
`ValueError` here, before anything is sent.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from rawllm import __version__, failures, urls
from rawllm.keys import Guarded, Key, from_environment
from rawllm.payloads import Omit, is_given, omit

#: Seconds: the longest silence between two bytes, or a pair (to connect, to read).
Timeout = float | tuple[float | None, float | None] | None

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 600.0

_VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")

#: 23 days: a socket counts milliseconds in 32 bits, and 4294968 s would be 0.7 s.
_LONGEST = 2_000_000.0


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
    url: str
    headers: Guarded
    query: Guarded
    body: bytes | None
    key: Key
    login: Key


class Settings(NamedTuple):
    """A client's configuration, as its calls need it."""

    base_url: str
    key: Key
    #: `user:password` of the base URL, for Basic authentication where there is no key.
    login: Key
    #: Which hint a 401 gets: "no key", "withheld" or "refused key".
    key_state: str
    headers: Guarded
    query: Guarded
    limits: Limits
    strict_streams: bool
    max_response_bytes: int

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
        url = urls.joined(self.base_url, path)
        ours = urls.origin(url) == urls.origin(self.base_url)
        names = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        if streaming:
            # Compression would hold back what is flushed in small pieces.
            names = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if body is not None:
            names["Content-Type"] = "application/json"
        headers, query = (
            (self.headers, self.query) if ours else (self.headers.public(), self.query.public())
        )
        keyless = not ours or _removes_key(extra_headers or {})
        return Request(
            method=method,
            url=url,
            headers=merged_headers(names, headers, extra_headers or {}),
            query=Guarded({**query, **(extra_query or {})}),
            body=body,
            key=Key(None) if keyless else self.key,
            login=Key(None) if keyless else self.login,
        )

    def call(self, method: str, url: str, model: str | None) -> failures.Call:
        """What the texts of its errors need to know of a call."""
        shown = urls.shown(url)
        return failures.Call(method, shown, self.base_url, model, self.key_state, self.key)

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


def resolve(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The settings for what was `given` to a client, the rest from `environ`.

    `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID`
    are read; an empty one counts as unset.
    """
    # What is read of it, in a dict that shows no key in a traceback that prints locals.
    environ = Guarded({name: environ.get(name, "").strip() for name in _VARIABLES})
    named = given["base_url"] or environ["OPENAI_BASE_URL"] or urls.OPENAI
    base_url, login, query = address(named)
    base_url = urls.repaired(base_url)
    login = given["login"] or login
    key: Key = given["api_key"]
    withheld = False
    if not key.given and not login:
        key = from_environment(environ, base_url)
        withheld = not key and bool(environ["OPENAI_API_KEY"])
        key.check()
    if _removes_key(given["headers"]):
        key = login = Key("")
    headers = {
        "User-Agent": f"rawllm/{__version__}",
        "OpenAI-Organization": given["organization"] or environ["OPENAI_ORG_ID"] or omit,
        "OpenAI-Project": given["project"] or environ["OPENAI_PROJECT_ID"] or omit,
    }
    timeout = given["timeout"]
    default = (CONNECT_TIMEOUT, READ_TIMEOUT)
    connect, read = timeouts(default if isinstance(timeout, Omit) else timeout)
    return Settings(
        base_url=base_url,
        key=key,
        login=login,
        key_state="refused key" if key or login else "withheld" if withheld else "no key",
        headers=merged_headers(headers, given["headers"]),
        query=Guarded({**query, **given["query"]}),
        limits=Limits(
            connect,
            read,
            count("max_retries", given["max_retries"], at_least=0),
            _loading_timeout(given["loading_timeout"]),
            given["retry_timeouts"],
        ),
        strict_streams=given["strict_streams"],
        max_response_bytes=count("max_response_bytes", given["max_response_bytes"], at_least=1),
    )


def address(url: str) -> tuple[str, Key, Guarded]:
    """A base URL's bare part, the `user:password` in it, and the parameters of its query."""
    bare, login = urls.without_login(url.strip())
    bare, _, query = bare.partition("?")
    return bare, Key(login), Guarded(parse_qsl(query))


def merged_headers(*layers: Mapping[str, Any]) -> Guarded:
    """Headers of all layers, later ones winning by name in any case; `omit` and `None` remove."""
    merged: dict[str, tuple[str, str]] = {}
    for layer in layers:
        for name, value in layer.items():
            merged.pop(name.lower(), None)
            if is_given(value):
                merged[name.lower()] = (name, header_value(name, value))
    return Guarded(merged.values())


def _removes_key(headers: Mapping[str, Any]) -> bool:
    return any(k.lower() == "authorization" and not is_given(v) for k, v in headers.items())


def header_value(name: str, value: Any) -> str:
    """`value` if a header can hold it; the error names the header and not its value."""
    if not isinstance(value, str):
        raise TypeError(f"the header {name} must be a str, not {type(value).__name__}")
    text: str = value.strip()  # blanks around it are no part of it: RFC 9110 section 5.5
    if not text.isprintable() or not all(ord(c) < 256 for c in text):
        raise ValueError(f"the header {name} holds a line break or a character beyond Latin-1")
    return text


def timeouts(timeout: Timeout) -> tuple[float | None, float | None]:
    """The longest wait to connect and to read: of one number both, to connect at most 5 s."""
    if isinstance(timeout, tuple):
        if len(timeout) != 2:
            raise ValueError("timeout must be a number of seconds or a pair (to connect, to read)")
        return seconds("timeout", timeout[0]), seconds("timeout", timeout[1])
    read = seconds("timeout", timeout)
    return min(CONNECT_TIMEOUT, read or CONNECT_TIMEOUT), read


def seconds(name: str, value: Any) -> float | None:
    """`value` if it is a time to wait; `None` for no limit."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be above 0 seconds and finite, not {value}; None: no limit")
    return float(min(value, _LONGEST))


def _loading_timeout(value: Any) -> float:
    """0 does not wait at all, `None` has no limit."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    return seconds("loading_timeout", value) or math.inf


def count(name: str, value: Any, *, at_least: int) -> int:
    """`value` if it is a whole number of that size."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, not {value}")
    return value
