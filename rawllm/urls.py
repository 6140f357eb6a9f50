"""Addresses: the base URL repaired, paths joined to it, secrets kept out of texts.

Pure functions over strings. What is left out: looking anything up.

>>> repaired(" localhost:11434/v1/chat/completions ")
'http://localhost:11434/v1'
>>> shown("https://me:secret@example.org/v1?key=secret&q=1")
'https://example.org/v1?key=***&q=1'
"""

import ipaddress
import re
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit

#: Where OpenAI's own API lives, the base URL without any other.
OPENAI = "https://api.openai.com/v1"

_WHOLE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
#: What urllib, urllib3 and servers read differently in a host: a key would go astray.
_AMBIGUOUS = re.compile(r"[^/?#]*//[^/?#]*[\\\s\x00-\x1f\x7f-\x9f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LOGIN = re.compile(r"((?:(?:[a-z][a-z0-9+.-]*:)?//)?)([^/?#]*)@", re.IGNORECASE)
_NO_PORT = re.compile(r"^((?:[^/]*//)?[^/?#\[:]*):(?!\d*(?:[/?#]|$))[^/?#]*")
_ENDPOINT = re.compile(r"/(chat/completions|completions|embeddings|models|responses)$")
#: In the name of a secret; neither in `author`, nor `keyword`, nor `max_tokens`.
_SECRET = re.compile(
    r"auth(?!or(?!i[sz]))|key(?!word)|token(?!s(?![a-z])|i[sz]er?(?![a-z]))"
    r"|secret|cookie|password|signature|^sig$",
    re.IGNORECASE,
)
_PORTS = {"http": 80, "https": 443}
_PROXIES = {*_PORTS, "socks4", "socks4a", "socks5", "socks5h"}
_LONGEST = 253  # characters of a host's name


def repaired(base_url: str) -> str:
    """`base_url` as it was meant: with a scheme, without blanks, slash or endpoint at its end.

    Without a scheme it is http for hosts of this machine, numeric addresses
    and names without a dot, and https for all others. Raises `ValueError` for
    what cannot be the address of a server, as `http:/localhost`.
    """
    url = "".join(base_url.split())
    parts = urlsplit("")
    try:
        mistyped = False
        if not _WHOLE.match(url):
            parts = urlsplit("//" + url)
            host = parts.hostname or ""
            mistyped = host in _PORTS or parts.netloc.endswith(":")
            plain = is_loopback(host) or _is_address(host) or "." not in host
            url = ("http://" if plain else "https://") + url
        parts = urlsplit(url)
        fits = parts.scheme in _PORTS and bool(origin(url)) and parts.port != 0 and not mistyped
        fits = fits and len(parts.hostname or "") <= _LONGEST
    except ValueError:  # a port that is no number, a bracket that does not close
        fits = False
    if not fits:
        seen = refused(base_url)
        del base_url, url, parts  # a traceback that prints the locals must not show them
        raise ValueError(f"base_url must look like http://localhost:11434/v1, not {seen!r:.200}")
    path = _ENDPOINT.sub("", parts.path.rstrip("/")).rstrip("/")
    return parts._replace(path=path, fragment="").geturl()


def refused(base_url: str) -> str:
    """What of a base URL that may be none at all can stand in a text.

    >>> refused("http://me:secret?word@localhost"), refused("http://me:secret")
    ('localhost', 'http://me:***')
    """
    # All before the @, wherever it stands: a password may hold what is to end it.
    return _NO_PORT.sub(r"\1:***", shown(base_url.strip().rpartition("@")[2]))


def joined(base_url: str, path: str) -> str:
    """The address of `path`: behind the base URL's own path, or `path` where it is whole.

    Raises `ValueError` for a whole one that is not of http or https.

    >>> joined("http://localhost:8000/v1", "/models")
    'http://localhost:8000/v1/models'
    """
    if _WHOLE.match(path):
        if urlsplit(path).scheme not in _PORTS:
            raise ValueError("an address that is not http or https")
        return path
    base = urlsplit(base_url)
    path, _, query = path.partition("?")
    query = "&".join(q for q in (base.query, query) if q)
    return base._replace(path=f"{base.path.rstrip('/')}/{path.lstrip('/')}", query=query).geturl()


def origin(url: str) -> str:
    """Scheme, host and port.

    Raises `ValueError` where there is no host, or one that two readers would
    not agree on: with a backslash, a blank or a control character beside it.

    >>> origin("https://API.openai.com/v1") == origin("https://api.openai.com:443/")
    True
    """
    parts = urlsplit(url)
    if not parts.hostname or _AMBIGUOUS.match(url):
        raise ValueError("an address without a host, or with more than one reading of it")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or _PORTS.get(parts.scheme, '')}"


def followed(url: str, location: str) -> str | None:
    """Where a redirect of `url` to `location` leads, `None` if not to the same origin.

    >>> followed("http://localhost:8000/v1/models", "/v2/models")
    'http://localhost:8000/v2/models'
    """
    try:
        target = urljoin(url, location)
        return target if location and origin(target) == origin(url) else None
    except ValueError:  # it cannot be taken apart
        return None


def is_proxy(url: str) -> bool:
    """Whether requests can use it as a proxy.

    >>> is_proxy("localhost:3128"), is_proxy("socks5h://me:pass@localhost"), is_proxy("ftp://h")
    (True, True, False)
    """
    whole = url if "://" in url else f"http://{url.removeprefix('//')}"
    try:
        return bool(origin(whole)) and urlsplit(whole).scheme in _PROXIES
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("example.org")
    (True, True, False)
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    if not _is_address(name):
        return False
    address = ipaddress.ip_address(name)
    return address.is_loopback or address.is_unspecified  # 0.0.0.0 connects to this machine


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def shown(url: str) -> str:
    """`url` as it may stand in a text: without user, password and the values of secrets."""
    bare = without_login(_CONTROL.sub("", url.strip()))[0].partition("#")[0]
    path, mark, query = bare.partition("?")
    parameters = parse_qsl(query, keep_blank_values=True)
    safe = [(name, "***" if is_secret(name) else value) for name, value in parameters]
    return path + mark + urlencode(safe, safe="*/:,", errors="replace")


def is_secret(name: str) -> bool:
    """Whether the header or query parameter of this name holds a secret."""
    return _SECRET.search(name) is not None


def without_login(url: str) -> tuple[str, str]:
    """`url` without the `user:password@` of its host, and that part.

    A backslash in it, which is where some readers end the host, is left standing.

    >>> without_login("http://me:pass%21@localhost/v1")
    ('http://localhost/v1', 'me:pass!')
    """
    login = _LOGIN.match(url)
    if not login:
        return url, ""
    left = "\\" if "\\" in login[2] else ""
    return login[1] + left + url[login.end() :], unquote(login[2])
