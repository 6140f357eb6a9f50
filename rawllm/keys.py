"""Keys and other secrets: where one comes from, where it may go, and what holds it unseen.

A key is held in a `Key`, whose text is reached only where a header is made:
not in its repr, not in a pickle, and so not in a traceback that prints locals.
So are the secrets among headers and parameters, of addresses and of proxies;
`guard` does it for the arguments of a function, as its first line.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from rawllm import urls
from rawllm.payloads import is_given

_LONG = 8  # characters; a shorter key is a dummy, and would be found in any word


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

    def hidden_in(self, text: str) -> str:
        """`text` without the key, which some servers repeat in their errors."""
        key = self.reveal()
        return text.replace(key, "***") if len(key) >= _LONG else text

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
        return repr({k: "***" if urls.is_secret(str(k)) else v for k, v in self.items()})

    def __reduce__(self) -> tuple[Any, ...]:
        return Guarded, (self.public(),)

    def public(self) -> dict[Any, Any]:
        """Those that are no secrets. (That one is left out is none.)"""
        return {k: v for k, v in self.items() if not (urls.is_secret(str(k)) and is_given(v))}


class Proxies(dict[str, Any]):
    """Proxies, whose user and password show neither in a repr nor in a pickle.

    >>> Proxies({"http": "http://me:pass@proxy:3128"})
    {'http': 'http://proxy:3128'}
    """

    def __repr__(self) -> str:
        return repr(self.public())

    def __reduce__(self) -> tuple[Any, ...]:
        return Proxies, (self.public(),)

    def public(self) -> dict[str, Any]:
        """They without user and password."""
        return {k: urls.without_login(v)[0] if isinstance(v, str) else v for k, v in self.items()}


class Place(str):
    """A path or an address, whose repr is without its secrets.

    >>> Place("/files?key=secret")
    '/files?key=***'
    """

    @cached_property
    def shown(self) -> str:
        """It without its secrets."""
        return urls.shown(self)

    def __repr__(self) -> str:
        return repr(self.shown)


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
    bare, _, query = bare.partition("?")
    found = parse_qs(query.partition("#")[0], keep_blank_values=True)
    parameters = {name: values if values[1:] else values[0] for name, values in found.items()}
    return Address(bare, Key(login), Guarded(parameters))


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
    if "api_key" in options:
        options["api_key"].check()
    return options


def _hide(options: dict[str, Any], name: str) -> str | None:
    """Put one of `options` into its holder; what is wrong with it, if anything is."""
    kind, wanted, holder = _HOLDERS[name]
    value = options[name] if is_given(options[name]) else None
    options[name] = holder(value) if isinstance(value, kind) else None
    if value is None or isinstance(value, kind):
        return None
    return f"{name} must be {wanted}, not {type(value).__name__}"
