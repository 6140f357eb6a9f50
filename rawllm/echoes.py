"""What an answer repeats of its request's secrets, hidden before anybody sees it.

Servers put the key they refuse into their error, proxies the whole address
into a page, echoes all the headers into their own. Pure. What is left out:
where it is hidden, which is in exceptions (`failures.py`); what the caller
holds, a success or the answer that became an error, stays as it came.

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
from rawllm.envelopes import without_entities

_LONG = 8  # characters; a shorter secret would be found in any word
#: What servers' manuals give for a key where none is needed.
_DUMMIES = {"lm-studio", "no-key-required", "sk-no-key-required", "not-needed", "dummy-key"}
_LOGINS = ("authorization", "proxy-authorization")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")


class Secrets:
    """What was secret in a request: of its headers, its URL, and the proxies it went through."""

    __slots__ = ("_found", "_headers", "_proxies", "_url")

    def __init__(
        self,
        headers: Mapping[str, Any] | None = None,
        url: str = "",
        proxies: Mapping[str, Any] | None = None,
    ) -> None:
        self._headers, self._url, self._proxies = headers or {}, url, proxies or {}
        self._found: tuple[list[str], list[str]] | None = None

    def __repr__(self) -> str:
        return "Secrets('***')"

    def __reduce__(self) -> tuple[type["Secrets"], tuple[()]]:
        return Secrets, ()

    def hidden_in(self, text: str) -> str:
        """`text` without them, also where it quotes them; nothing of it where that is too deep."""
        plain, forms = self._found = self._found or self._find()
        if not plain:
            return text
        for form in forms:
            text = text.replace(form, "***")
        left = any(secret in read for read in _unquoted(text) for secret in plain)
        return "***" if left else text

    def _find(self) -> tuple[list[str], list[str]]:
        """They, and how they are quoted, the longest first: one may hold another."""
        sent = [text.encode("utf-8", "replace") for text in self._texts()]
        read = {one.decode(how) for one in sent for how in ("utf-8", "latin-1")}
        plain = sorted((text for text in read if len(text) >= _LONG), key=len, reverse=True)
        quoted = (f for s in plain for f in (s, quote(s), quote_plus(s), json.dumps(s)[1:-1]))
        return plain, sorted(set(quoted), key=len, reverse=True)

    def _texts(self) -> Iterator[str]:
        places = [self._url, *self._proxies.values()]
        logins = [urls.without_login(str(place or ""))[1] for place in places]
        for name, value in (*self._headers.items(), *parse_qsl(urlsplit(self._url).query)):
            if urls.is_secret(name):
                text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                # A real key has digits or capitals; a word a server may say for itself.
                for key in _parts(name.lower(), text):
                    if key not in _DUMMIES and not (key.isalpha() and key.islower()):
                        yield key
                if text[:6].lower() == "basic ":
                    logins.append(_decoded(text[6:]))
        for login in logins:
            encoded = b64encode(login.encode("utf-8", "replace")).decode()
            yield from (login, login.partition(":")[2], encoded)


def _parts(name: str, value: str) -> Iterator[str]:
    """What is secret in a header: all of it but a scheme, and of a login or cookies each part."""
    if name in _LOGINS:
        value = value.partition(" ")[2].strip() or value
    yield value
    if name in (*_LOGINS, "cookie"):
        yield from ((word.partition("=")[2] or word).strip("\"';,") for word in value.split())


def _decoded(word: str) -> str:
    try:
        return b64decode(word).decode("utf-8", "replace")
    except ValueError:
        return ""


def _unquoted(text: str) -> set[str]:
    """What `text` is to the readers of addresses, of HTML and of JSON, of one in another too."""
    found = {text}
    for _ in range(2):
        readers = (unquote_plus, without_entities, _without_escapes)
        found |= {read(one) for one in found for read in readers}
    return found


def _without_escapes(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
