"""What an answer repeats of its request's secrets, hidden before anybody sees it.

Servers put the key they refuse into their error, proxies the whole address
into a page, echoes all the headers into their own. Pure. What is left out: an
answer that is a success, which stays as it came.

>>> sent = Secrets({"Authorization": "Bearer sk-12345678"}, "http://localhost/v1?key=a%2Fb-c-d-e")
>>> sent.hidden_in("no such key: sk-12345678; log in at /login?next=a%2Fb-c-d-e")
'no such key: ***; log in at /login?next=***'
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus, urlsplit

from rawllm import urls
from rawllm.envelopes import unescaped
from rawllm.keys import LONG

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")


class Secrets:
    """What was secret in a request: of its headers, its URL, and the proxies it went through."""

    __slots__ = ("_headers", "_proxies", "_url")

    def __init__(
        self,
        headers: Mapping[str, Any] | None = None,
        url: str = "",
        proxies: Mapping[str, Any] | None = None,
    ) -> None:
        self._headers, self._url, self._proxies = headers or {}, url, proxies or {}

    def __repr__(self) -> str:
        return "Secrets('***')"

    def __reduce__(self) -> tuple[type["Secrets"], tuple[()]]:
        return Secrets, ()

    def hidden_in(self, text: str) -> str:
        """`text` without them, also where it quotes them; nothing of it where that is too deep."""
        found = {text for text in self._texts() if len(text) >= LONG}
        longest_first = sorted(found, key=len, reverse=True)
        plain = [form for one in longest_first for form in (one, one.encode().decode("latin-1"))]
        for secret in plain:
            for form in (secret, quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]):
                text = text.replace(form, "***")
        left = any(secret in read for read in _unquoted(text) for secret in plain)
        return "***" if left else text

    def _texts(self) -> Iterator[str]:
        values = [v for name, v in self._headers.items() if urls.is_secret(name)]
        for value in (v.decode("latin-1") if isinstance(v, bytes) else v for v in values):
            scheme, _, word = value.partition(" ")
            login = _decoded(word) if scheme.lower() == "basic" else ""
            # Of a cookie, and of a scheme with parameters, each.
            named = (part.partition("=")[2].rstrip(";,") for part in value.split())
            yield from (value, *value.split(), *named, login, login.partition(":")[2])
        yield from (v for name, v in parse_qsl(urlsplit(self._url).query) if urls.is_secret(name))
        for place in (self._url, *self._proxies.values()):
            sent = urls.without_login(place or "")[1].encode("utf-8", "replace")
            login = sent.decode()
            yield from (login, login.partition(":")[2], b64encode(sent).decode())


def _decoded(word: str) -> str:
    try:
        return b64decode(word).decode("utf-8", "replace")
    except ValueError:
        return ""


def _unquoted(text: str) -> Iterator[str]:
    """What `text` is to the readers of addresses, of HTML and of JSON, of one in another too."""
    for _ in range(2):
        for read in (unquote_plus, unescaped, _unescaped):
            yield (text := read(text))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
