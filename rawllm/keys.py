"""Keys and other secrets: where one comes from, where it may go, and what holds it unseen.

A key is held in a `Key`, whose text is reached only where a header is made:
not in its repr, not in a pickle, and so not in a traceback that prints locals.
So are the secrets among headers and parameters, of addresses and of proxies;
`guard` does it for the arguments of a function, as its first line.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from rawllm import urls
from rawllm.lazy import lazy
from rawllm.payloads import is_given

_PROXIED = ("http", "https", "all")  # others requests ignores, as those of urllib's getproxies()


class Key:
    """A key, or none: false then.

    >>> Key(" sk-secret ")
    Key('***')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | None) -> None:
        self._text = text.strip() if isinstance(text, str) else text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Key('***')" if self else "Key(None)"

    def __reduce__(self) -> tuple[type["Key"], tuple[str | None]]:
        # That there is to be no key is no secret.
        return Key, (None if self else self._text,)

    @property
    def given(self) -> bool:
        """Whether the caller said anything, be it that there is no key."""
        return self._text is not None

    def reveal(self) -> str:
        """The text itself, "" without a key."""
        return self._text or ""

    def check(self) -> None:
        """Raise `TypeError` or `ValueError`, without the key's text, for what no header holds.

        (Apart from `__init__`, so that no frame of a traceback holds the text.)
        """
        if not isinstance(self._text, str | None):
            raise TypeError(f"api_key must be a str, not {type(self._text).__name__}")
        if not self.reveal().isascii():
            raise ValueError("api_key holds a character that is not ASCII: was it pasted whole?")
        if not self.reveal().isprintable():
            raise ValueError("api_key holds a line break or another control character")


def from_environment(environ: Mapping[str, str], base_url: str) -> Key:
    """`OPENAI_API_KEY`, if `base_url` is a place it may go to.

    That is OpenAI itself, the origin that `OPENAI_BASE_URL` names, and this
    machine. A stranger on the network gets a key only by `api_key=`.
    """
    place = urls.origin(base_url)
    trusted = (
        place == urls.origin(urls.OPENAI)
        or place == _named_origin(environ)
        or urls.is_loopback(urlsplit(base_url).hostname or "")
    )
    return Key(environ.get("OPENAI_API_KEY") if trusted else None)


def _named_origin(environ: Mapping[str, str]) -> str | None:
    try:
        return urls.origin(urls.repaired(environ.get("OPENAI_BASE_URL", "")))
    except ValueError:
        return None


class Guarded(dict[Any, Any]):
    """Headers or query parameters, whose secrets show neither in a repr nor in a pickle.

    >>> Guarded({"Authorization": "Bearer sk-1", "X-Trace": "7"})
    {'Authorization': '***', 'X-Trace': '7'}
    """

    def __repr__(self) -> str:
        return repr({name: _displayed(name, value) for name, value in self.items()})

    def __reduce__(self) -> tuple[Any, ...]:
        return Guarded, (self.public(),)

    def public(self) -> dict[Any, Any]:
        """Those that are no secrets. (That one is left out is none.)"""
        return {k: v for k, v in self.items() if not (urls.is_secret(str(k)) and is_given(v))}


def _displayed(name: Any, value: Any) -> Any:
    if urls.is_secret(str(name)):
        return "***"
    # It may be an address, as OPENAI_BASE_URL is.
    return urls.refused(value) if isinstance(value, str) and {*"@?"} & {*value} else value


class Proxies(dict[str, Any]):
    """Proxies, whose user and password show neither in a repr nor in a pickle.

    >>> Proxies({"http": "http://me:pass@proxy:3128"})
    {'http': 'http://proxy:3128'}
    """

    def __repr__(self) -> str:
        return repr(self.public())

    def __reduce__(self) -> tuple[Any, ...]:
        return Proxies, (self.public(),)

    def check(self) -> None:
        """Raise `TypeError` or `ValueError`, without any password, for what is no proxy."""
        faults = [_proxy_fault(name, self[name]) for name in self]
        if fault := next(filter(None, faults), None):
            raise fault

    def public(self) -> dict[str, Any]:
        """They without user and password."""
        return {_without_login(k): _without_login(v) for k, v in self.items()}


def _without_login(value: Any) -> Any:
    if isinstance(value, bytes):  # which are a mistake
        return b"***"
    return urls.without_login(value)[0] if isinstance(value, str) else value


def _proxy_fault(name: Any, value: Any) -> Exception | None:
    if not isinstance(name, str) or "@" in name:
        shown = urls.refused(name) if isinstance(name, str) else type(name).__name__
        return ValueError(f"proxies are for {', '.join(_PROXIED)}, not for {shown!r:.100}")
    if name.partition("://")[0] not in _PROXIED or value is None or value == "":
        return None
    if not isinstance(value, str):
        return TypeError(f"the proxy for {name} must be a str, not {type(value).__name__}")
    if urls.is_proxy(value):
        return None
    shown = urls.refused(value)
    return ValueError(f"the proxy for {name} must look like http://host:3128, not {shown!r:.100}")


class Place(str):
    """A path or an address, whose repr is without its secrets.

    >>> Place("/files?key=secret")
    '/files?key=***'
    """

    @lazy
    def shown(self) -> str:
        """It without its secrets."""
        return urls.shown(self)

    def __repr__(self) -> str:
        return repr(self.shown)


def placed(path: Any) -> Any:
    """`path` as a `Place`, or its type where it is no text.

    What is no text is refused later, further in: by then a traceback's locals
    shall hold nothing of it, and a type shows no secret.
    """
    if isinstance(path, str | type):
        return path if isinstance(path, type) else Place(path)
    return type(path)


class Address(NamedTuple):
    """A base URL taken apart: where the server is, and what is for that server alone."""

    bare: str
    #: `user:password`, for Basic authentication where there is no key.
    login: Key
    query: Guarded

    def __repr__(self) -> str:
        return repr(urls.refused(self.bare))


def address(base_url: str) -> Address:
    """The parts of `base_url`; a parameter that stands there twice is a list."""
    bare, login = urls.without_login(base_url.strip())
    bare, mark, query = bare.partition("?")
    found = parse_qs(query.partition("#")[0], keep_blank_values=True)
    parameters = {name: values if values[1:] else values[0] for name, values in found.items()}
    return Address(bare or mark, Key(login), Guarded(parameters))


#: Arguments that may hold secrets: what each has to be, and what then holds it.
_HOLDERS: dict[str, tuple[type, str, Callable[[Any], Any]]] = {
    "api_key": (object, "a str", Key),
    "base_url": (str, "a str", address),
    "proxies": (Mapping, "a mapping", Proxies),
    "extra_headers": (Mapping, "a mapping", Guarded),
    "extra_query": (Mapping, "a mapping", Guarded),
    "default_headers": (Mapping, "a mapping", Guarded),
    "default_query": (Mapping, "a mapping", Guarded),
    "set_default_headers": (Mapping, "a mapping", Guarded),
    "set_default_query": (Mapping, "a mapping", Guarded),
}


def guard(options: dict[str, Any]) -> dict[str, Any]:
    """`options`, changed so that a traceback that prints them shows no secret.

    Raises `TypeError` and `ValueError` for those that hold what they cannot,
    once none is left that shows.
    """
    faults = [_hide(options, name) for name in _HOLDERS if name in options]
    if fault := next(filter(None, faults), None):
        raise TypeError(fault)
    for name in ("api_key", "proxies"):
        if options.get(name) is not None:
            options[name].check()
    return options


def _hide(options: dict[str, Any], name: str) -> str | None:
    """Put one of `options` into its holder; what is wrong with it, if anything is."""
    kind, wanted, holder = _HOLDERS[name]
    value = options[name] if is_given(options[name]) else None
    options[name] = holder(value) if isinstance(value, kind) else None
    if value is None or isinstance(value, kind):
        return None
    return f"{name} must be {wanted}, not {type(value).__name__}"
