"""API keys: where one comes from, where it may go, and what it is seldom shown as.

A key is held in a `Key`, whose text is reached only where a header is made:
not in its repr, not in a pickle, and so not in a traceback that prints locals.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from rawllm import urls


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


class Guarded(dict[str, Any]):
    """Headers or query parameters, whose secrets show neither in a repr nor in a pickle.

    >>> Guarded({"Authorization": "Bearer sk-1", "X-Trace": "7"})
    {'Authorization': '***', 'X-Trace': '7'}
    """

    def __repr__(self) -> str:
        return repr({k: "***" if urls.is_secret(k) else v for k, v in self.items()})

    def __reduce__(self) -> tuple[Any, ...]:
        return Guarded, (self.public(),)

    def public(self) -> dict[str, Any]:
        """Those that are no secrets. (That one is left out is none.)"""
        secrets = {k for k, v in self.items() if urls.is_secret(k) and isinstance(v, str)}
        return {k: v for k, v in self.items() if k not in secrets}
