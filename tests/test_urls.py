"""Addresses: repaired, joined, compared, and shown without what is secret."""

from __future__ import annotations

import traceback

import pytest

from rawllm import urls
from rawllm.urls import (
    OPENAI,
    is_loopback,
    is_proxy,
    is_secret,
    joined,
    origin,
    refused,
    repaired,
    shown,
    without_login,
)

# --- base URLs repaired -----------------------------------------------------

#: as given: as meant
REPAIRED = {
    "http://localhost:11434/v1": "http://localhost:11434/v1",
    "https://api.openai.com/v1": "https://api.openai.com/v1",
    # slashes and blanks
    "http://localhost:11434/v1/": "http://localhost:11434/v1",
    "http://localhost:11434/v1//": "http://localhost:11434/v1",
    "http://localhost:11434": "http://localhost:11434",
    "http://localhost:11434/": "http://localhost:11434",
    "  http://localhost:11434/v1\n": "http://localhost:11434/v1",
    "http://local host:11434/\t v1": "http://localhost:11434/v1",
    "HTTP://LocalHost:11434/v1": "http://LocalHost:11434/v1",
    # no scheme
    "localhost": "http://localhost",
    "localhost:11434/v1": "http://localhost:11434/v1",
    "localhost.:8080": "http://localhost.:8080",
    "api.localhost:8080": "http://api.localhost:8080",
    "127.0.0.1:8080/v1": "http://127.0.0.1:8080/v1",
    "0.0.0.0:8080": "http://0.0.0.0:8080",
    "192.168.1.5:1234/v1": "http://192.168.1.5:1234/v1",
    "[::1]:8080/v1": "http://[::1]:8080/v1",
    "[fd00::5]/v1": "http://[fd00::5]/v1",
    "gpu-box:8000/v1": "http://gpu-box:8000/v1",
    "api.openai.com/v1": "https://api.openai.com/v1",
    "llm.example.org:8443": "https://llm.example.org:8443",
    "me:pass@localhost:8080": "http://me:pass@localhost:8080",
    "localhost:8080/v1?back=http://x": "http://localhost:8080/v1?back=http://x",
    # an endpoint was pasted
    "http://localhost:8000/v1/chat/completions": "http://localhost:8000/v1",
    "http://localhost:8000/v1/chat/completions/": "http://localhost:8000/v1",
    "http://localhost:8000/v1/completions": "http://localhost:8000/v1",
    "http://localhost:8000/v1/embeddings": "http://localhost:8000/v1",
    "http://localhost:8000/v1/models": "http://localhost:8000/v1",
    "http://localhost:8000/v1/responses": "http://localhost:8000/v1",
    "http://localhost:8000/v1//chat/completions": "http://localhost:8000/v1",
    "http://localhost:8000/completions": "http://localhost:8000",
    "http://localhost:8000/chat/completions?a=1": "http://localhost:8000?a=1",
    # what is kept
    "http://localhost:8000/models/v1": "http://localhost:8000/models/v1",
    "http://localhost:8000/v1/mymodels": "http://localhost:8000/v1/mymodels",
    "https://example.org/api/v1?key=1": "https://example.org/api/v1?key=1",
    "https://me:pass@example.org/v1": "https://me:pass@example.org/v1",
    "https://example.org:443/v1": "https://example.org:443/v1",
    "http://[::1]:8080/v1": "http://[::1]:8080/v1",
    "http://bücher.example/v1": "http://bücher.example/v1",
    # what is dropped
    "http://localhost:8000/v1#top": "http://localhost:8000/v1",
}


@pytest.mark.parametrize(("given", "meant"), REPAIRED.items(), ids=map(repr, REPAIRED))
def test_a_base_url_is_repaired(given: str, meant: str) -> None:
    assert repaired(given) == meant


@pytest.mark.parametrize("meant", sorted(set(REPAIRED.values())))
def test_what_is_repaired_needs_no_repair(meant: str) -> None:
    assert repaired(meant) == meant


@pytest.mark.parametrize(
    "given",
    [
        "",
        "   ",
        "http://",
        "http:///v1",
        "http://:8080/v1",
        "ftp://localhost/v1",
        "file:///etc/passwd",
        "unix:///run/llm.sock",
        "http://localhost:port/v1",
        "http://localhost:99999/v1",
        "http://localhost:0/v1",
        "http://localhost:-1/v1",
        "http://[::1/v1",
        "[::1/v1",
        "localhost:abc",
        "/v1",
        "?x=1",
        "http://a\u2100b/v1",
        # a scheme that lacks something is no host
        "http:/localhost:1234/v1",
        "http//localhost:1",
        "https:api.example.org/v1",
        "http:",
        "localhost:/v1",
        # a host that two readers would not agree on
        "http://127.0.0.1:1\\@127.0.0.1:2/v1",
        "http://\\127.0.0.1/v1",
        "http:\\\\localhost:1234\\v1",
        "http://local\0host/v1",
        "http://localhost\x7f/v1",
        "http://" + "h." * 127 + "h/v1",
    ],
    ids=lambda given: repr(given)[:60],
)
def test_what_is_no_address_is_refused_with_one_that_is(given: str) -> None:
    with pytest.raises(ValueError, match="base_url must look like http://localhost:11434/v1, not"):
        repaired(given)


@pytest.mark.parametrize(
    "given",
    [
        "http://me:s3cret@localhost:port/v1",
        "me:s3cret@localhost:port/v1",
        "http://me:s3cret/x@localhost/v1",
        "http://me:s3cret#x@localhost/v1",
        "http://me:s3cret?x@localhost/v1",
        "http://me:s3cret[@localhost/v1",
        "http://me:s3cret\u2100@localhost/v1",
        "ftp://localhost/v1?api_key=s3cret",
        "http://[::1/v1?api_key=s3cret",
        "ftp://localhost/v1#s3cret",
        "http://me:s3cret",  # what is left of a password with a question mark
        "me:s3cret",
        "http://me\\:s3cret@localhost",
    ],
)
def test_a_refused_address_shows_no_secret(given: str) -> None:
    with pytest.raises(ValueError, match="must look like") as caught:
        repaired(given)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "s3cret" not in str([frame.locals for frame in told.stack][1:])


#: name: (address, what of it can be shown)
REFUSED: dict[str, tuple[str, str]] = {
    "as it was typed": (" http:/localhost:1234/v1", "http:/localhost:1234/v1"),
    "a port": ("ftp://localhost:99999/v1", "ftp://localhost:99999/v1"),
    "what is no port": ("localhost:s3cret/v1", "localhost:***/v1"),
    "the same with a scheme": ("http://localhost:s3cret?a=1", "http://localhost:***?a=1"),
    "an IPv6 address": ("http://[::1/v1", "http://[::1/v1"),
    "a login": ("http://me:s3/cret@localhost:x", "localhost:***"),
    "a key": ("ftp://localhost?key=s3cret", "ftp://localhost?key=***"),
}


@pytest.mark.parametrize(("given", "left"), REFUSED.values(), ids=REFUSED)
def test_what_may_be_a_password_is_not_in_a_refusal(given: str, left: str) -> None:
    assert refused(given) == left


# --- joined -----------------------------------------------------------------

#: name: (base URL, path, address)
JOINED: dict[str, tuple[str, str, str]] = {
    "a path": ("http://h:1/v1", "/chat/completions", "http://h:1/v1/chat/completions"),
    "no slash": ("http://h:1/v1", "models", "http://h:1/v1/models"),
    "two slashes": ("http://h:1/v1/", "//models", "http://h:1/v1/models"),
    "no path in the base": ("http://h:1", "/models", "http://h:1/models"),
    "a query": ("http://h:1/v1", "/models?a=1", "http://h:1/v1/models?a=1"),
    "a query in the base": ("http://h:1/v1?a=1", "/models", "http://h:1/v1/models?a=1"),
    "queries in both": ("http://h:1/v1?a=1", "/models?b=2", "http://h:1/v1/models?a=1&b=2"),
    "a question mark in the query": ("http://h:1", "/m?a=?b", "http://h:1/m?a=?b"),
    "a model with a slash": ("http://h:1/v1", "/models/a/b", "http://h:1/v1/models/a/b"),
    "a whole address": ("http://h:1/v1", "https://other/x?a=1", "https://other/x?a=1"),
    "in capitals": ("http://h:1/v1", "HTTPS://other/x", "HTTPS://other/x"),
    "an address in the query": ("http://h:1", "/get?url=http://x", "http://h:1/get?url=http://x"),
    "an IPv6 address": ("http://[::1]:1/v1", "/models", "http://[::1]:1/v1/models"),
}


@pytest.mark.parametrize(("base", "path", "address"), JOINED.values(), ids=JOINED)
def test_a_path_is_joined_to_the_base_url(base: str, path: str, address: str) -> None:
    assert joined(base, path) == address


@pytest.mark.parametrize("path", ["ftp://h/x", "file:///etc/passwd", "unix://h/x"])
def test_a_whole_address_is_of_http(path: str) -> None:
    with pytest.raises(ValueError, match="not http or https"):
        joined("http://h:1/v1", path)


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("http://localhost:3128", True),
        ("HTTPS://me:pass@proxy.test", True),
        ("proxy.test:3128", True),
        ("socks5h://h", True),
        ("//h:3128", True),
        ("////h", False),
        ("http://", False),
        ("http://h:port", False),
        ("h:port", False),
        ("ftp://h", False),
        ("http://a\\@b", False),
    ],
)
def test_what_can_be_a_proxy(url: str, is_one: bool) -> None:
    assert is_proxy(url) is is_one


# --- origins ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://api.openai.com/v1", "https://API.OpenAI.com:443/other?x=1"),
        ("http://localhost/v1", "http://localhost:80"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/x"),
        ("http://me:pass@host/v1", "http://host/"),
        ("HTTP://host/", "http://host/"),
    ],
)
def test_one_origin_in_two_spellings(url: str, same: str) -> None:
    assert origin(url) == origin(same)


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://api.openai.com", "http://api.openai.com"),
        ("https://api.openai.com", "https://api.openai.com.example.org"),
        ("https://api.openai.com", "https://openai.com"),
        ("http://localhost:8000", "http://localhost:8001"),
        ("http://localhost", "http://127.0.0.1"),
        ("http://api.openai.com@example.org", "http://api.openai.com"),
        ("http://[::1]:80", "http://[::2]:80"),
    ],
)
def test_two_origins(url: str, other: str) -> None:
    assert origin(url) != origin(other)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://API.openai.com/v1", "https://api.openai.com:443"),
        ("http://[::1]/v1", "http://[::1]:80"),
        ("ws://host/", "ws://host:"),
        ("http://host/a\\b c", "http://host:80"),
        ("http://host?a\\b c", "http://host:80"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, written: str) -> None:
    assert origin(url) == written


@pytest.mark.parametrize(
    "url",
    [
        "http://evil:1\\@good:2/v1",
        "http://good\\.evil/",
        "//evil\\@good/",
        "http://ev il@good/",
        "http://evil\t@good/",
        "http://evil\n@good/",
        "http://go\rod/",
        "http://good\0/",
        "http://good\x7f/",
        "http://good\x85/",
        "http://good\u3000/",
        "http:///v1",
        "/v1",
        "",
    ],
    ids=repr,
)
def test_an_address_of_which_two_readers_may_see_two_hosts_has_no_origin(url: str) -> None:
    with pytest.raises(ValueError, match="more than one reading"):
        origin(url)


# --- this machine -----------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "api.localhost",
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "::1",
        "[::1]",
        "::",
        "0:0:0:0:0:0:0:1",
    ],
)
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.org",
        "localhost.example.org",
        "notlocalhost",
        "127.0.0.1.example.org",
        "192.168.1.5",
        "128.0.0.1",
        "fd00::1",
        "[fd00::1]",
    ],
)
def test_another_machine(host: str) -> None:
    assert not is_loopback(host)


# --- shown ------------------------------------------------------------------

#: name: (address, as it may be shown)
SHOWN: dict[str, tuple[str, str]] = {
    "half a character": ("/a?x=\ud800", "/a?x=%3F"),
    "nothing to hide": ("http://h:1/v1/models?a=1&b=x%20y", "http://h:1/v1/models?a=1&b=x+y"),
    "user and password": ("http://me:s3cret@h:1/v1", "http://h:1/v1"),
    "a user": ("http://s3cret@h/v1", "http://h/v1"),
    "a password with an @": ("http://me:s3@cret@h/v1", "http://h/v1"),
    "no scheme": ("me:s3cret@h:1/v1", "h:1/v1"),
    "an address without its scheme": ("//me:s3cret@h/v1", "//h/v1"),
    "a key": ("http://h/?key=s3cret&a=1", "http://h/?key=***&a=1"),
    "a key twice": ("http://h/?key=s3cret&key=s3cret", "http://h/?key=***&key=***"),
    "an empty key": ("http://h/?key=&a=", "http://h/?key=***&a="),
    "a signature": ("http://h/?sig=s3cret&design=1", "http://h/?sig=***&design=1"),
    "a fragment": ("http://h/v1#access_token=s3cret", "http://h/v1"),
    "blanks around": (" http://h/v1\n", "http://h/v1"),
    "what cannot be taken apart": ("http://[::1/v1", "http://[::1/v1"),
    "nor its secrets": ("http://me:s3cret@[::1/v1?key=s3cret", "http://[::1/v1?key=***"),
    "a scheme with one slash": ("http:/h:1/v1", "http:/h:1/v1"),
    "a path": ("/v1/files?key=s3cret#s3cret", "/v1/files?key=***"),
    "an @ in the path": ("http://h/@me?key=s3cret", "http://h/@me?key=***"),
    "line breaks": ("http://h/a\r\nb\0", "http://h/ab"),
    "a backslash before an @": ("http://s3cret\\@h/v1", "http://\\h/v1"),
}


@pytest.mark.parametrize(("url", "safe"), SHOWN.values(), ids=SHOWN)
def test_an_address_is_shown_without_its_secrets(url: str, safe: str) -> None:
    assert "s3cret" not in safe
    assert shown(url) == safe


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "X-Api-Key",
        "api_key",
        "key",
        "X-Amz-Security-Token",
        "x-auth",
        "Authorisation",
        "api_keys",
        "tokenString",
        "token_issuer",
        "access_token",
        "client_secret",
        "Cookie",
        "password",
        "X-Signature",
        "sig",
    ],
)
def test_the_name_of_a_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("User-Agent", "design", "OpenAI-Organization", "X-Trace", "q"),
        *("author", "X-Authors", "keyword", "keywords", "max_tokens", "max_tokens_to_sample"),
        *("tokenizer", "tokenize", "Tokeniser"),
    ],
)
def test_the_name_of_no_secret(name: str) -> None:
    assert not is_secret(name)


# --- redirects --------------------------------------------------------------

#: name: (Location, where it leads from http://h:1/v1/models)
REDIRECTS: dict[str, tuple[str, str | None]] = {
    "a path": ("/v2/models", "http://h:1/v2/models"),
    "a relative path": ("more", "http://h:1/v1/more"),
    "the same origin": ("http://H:1/x?a=b", "http://h:1/x?a=b"),
    "another port": ("http://h:2/v1/models", None),
    "another scheme": ("https://h:1/v1/models", None),
    "another host": ("//there:1/v1/models", None),
    "nowhere": ("", None),
    "a bracket that does not close": ("http://[", None),
    "a port that is no number": ("http://h:x/", None),
    "a user": ("http://me:pass@h:1/x", "http://me:pass@h:1/x"),
    "a backslash": ("http://there:1\\@h:1/v1/x", None),
    "a backslash without a scheme": ("//there:1\\@h:1/v1/x", None),
    "a backslash in the path": ("/\\there/x", "http://h:1/\\there/x"),
    "a blank": ("http://there @h:1/x", None),
}


@pytest.mark.parametrize(("location", "target"), REDIRECTS.values(), ids=REDIRECTS)
def test_a_redirect_leads_to_the_same_origin_or_nowhere(location: str, target: str | None) -> None:
    followed = urls.followed("http://h:1/v1/models", location)
    assert (followed or "").lower() == (target or "")


# --- user and password ------------------------------------------------------

#: name: (address, without them, they)
LOGINS: dict[str, tuple[str, str, str]] = {
    "none": ("http://h:1/v1?a=1", "http://h:1/v1?a=1", ""),
    "both": ("http://me:pass@h:1/v1?a=1", "http://h:1/v1?a=1", "me:pass"),
    "a user": ("http://me@h/v1", "http://h/v1", "me"),
    "quoted": ("http://me:p%40ss%21@h/v1", "http://h/v1", "me:p@ss!"),
    "an @ in it": ("http://me:p@ss@h/v1", "http://h/v1", "me:p@ss"),
    "no scheme": ("me:pass@localhost:1/v1", "localhost:1/v1", "me:pass"),
    "an @ in the path": ("http://h/@me/v1", "http://h/@me/v1", ""),
    "an @ in the query": ("http://h?a=b@c", "http://h?a=b@c", ""),
    "IPv6": ("http://me:pass@[::1]:1/v1", "http://[::1]:1/v1", "me:pass"),
    "what cannot be taken apart": ("http://me:pass@[::1/v1", "http://[::1/v1", "me:pass"),
    "a backslash in it": ("http://me\\@h/v1", "http://\\h/v1", "me\\"),
    "a quoted backslash": ("http://me:p%5C@h/v1", "http://h/v1", "me:p\\"),
    "nothing": ("", "", ""),
}


@pytest.mark.parametrize(("url", "without", "login"), LOGINS.values(), ids=LOGINS)
def test_user_and_password_are_taken_out(url: str, without: str, login: str) -> None:
    assert without_login(url) == (without, login)


def test_openais_own_address_needs_no_repair() -> None:
    assert repaired(OPENAI) == OPENAI
