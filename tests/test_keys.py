"""Keys and other secrets: what they may be, where they may go, and that they are not shown."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from typing import Any

import pytest

from rawllm import omit
from rawllm.keys import (
    Guarded,
    Key,
    Place,
    Proxies,
    address,
    from_environment,
    guard,
    placed,
)

SECRET = "sk-s3cret"


def printed(error: BaseException) -> str:
    """The longest a traceback can be: with the locals of every frame of ours."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The first frame is the test's own, which has to know the key.
    found.stack = traceback.StackSummary.from_list(found.stack[1:])
    return "".join(found.format())


# --- the text ---------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [SECRET, f" {SECRET} ", f"{SECRET}\n", f"\t{SECRET}\r\n"], ids=repr
)
def test_blanks_around_a_key_are_no_part_of_it(text: str) -> None:
    key = Key(text)
    key.check()
    assert key.reveal() == SECRET


@pytest.mark.parametrize(
    ("text", "there", "given"),
    [(SECRET, True, True), ("", False, True), ("  ", False, True), (None, False, False)],
    ids=repr,
)
def test_whether_there_is_a_key_and_whether_the_caller_said_so(
    text: str | None, there: bool, given: bool
) -> None:
    key = Key(text)
    key.check()
    assert bool(key) is there
    assert key.given is given
    assert key.reveal() == (text or "").strip()


#: name: (what was given, the error, its text)
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "a line break": (f"{SECRET}\nX-Evil: 1", ValueError, "a line break"),
    "a carriage return": (f"{SECRET}\rx", ValueError, "a line break"),
    "a null": (f"{SECRET}\0", ValueError, "control character"),
    "Latin-1": (f"{SECRET}\u00e9", ValueError, "not ASCII"),
    "an ellipsis": (f"{SECRET}\u2026", ValueError, "was it pasted whole?"),
    "bytes": (SECRET.encode(), TypeError, "must be a str, not bytes"),
    "a list": ([SECRET], TypeError, "must be a str, not list"),
    "empty bytes": (b"", TypeError, "must be a str, not bytes"),
    "zero": (0, TypeError, "must be a str, not int"),
}


@pytest.mark.parametrize(("given", "kind", "says"), REFUSED.values(), ids=REFUSED)
def test_what_no_header_holds_is_refused_and_not_shown(
    given: Any, kind: type[Exception], says: str
) -> None:
    key = Key(given)
    with pytest.raises(kind, match=says) as caught:
        key.check()
    assert "api_key" in str(caught.value)
    assert SECRET not in printed(caught.value)
    assert "Key(" in printed(caught.value)


# --- not shown --------------------------------------------------------------


@pytest.mark.parametrize("show", [repr, str, "{}".format, ascii, lambda key: f"{[key]}"])
def test_a_key_is_not_in_any_text(show: Any) -> None:
    assert show(Key(SECRET)).strip("[]") == "Key('***')"
    assert show(Key("")).strip("[]") == show(Key(None)).strip("[]") == "Key(None)"


def test_a_key_has_no_attributes_to_print() -> None:
    assert not hasattr(Key(SECRET), "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_holds_no_key(protocol: int) -> None:
    pickled = pickle.dumps(Key(SECRET), protocol)
    assert SECRET.encode() not in pickled
    key = pickle.loads(pickled)
    assert (bool(key), key.given) == (False, False)


@pytest.mark.parametrize("text", ["", None], ids=repr)
def test_that_there_is_no_key_pickles(text: str | None) -> None:
    assert pickle.loads(pickle.dumps(Key(text))).given is (text is not None)


def test_a_copy_holds_no_key() -> None:
    assert not copy.deepcopy(Key(SECRET))


# --- from the environment ---------------------------------------------------

#: name: (base URL, OPENAI_BASE_URL, whether the key may go there)
PLACES: dict[str, tuple[str, str | None, bool]] = {
    "openai": ("https://api.openai.com/v1", None, True),
    "openai: another path": ("https://api.openai.com/v2", None, True),
    "openai: its port": ("https://api.openai.com:443/v1", None, True),
    "openai: in the clear": ("http://api.openai.com/v1", None, False),
    "openai: another port": ("https://api.openai.com:8443/v1", None, False),
    "openai: by another name": ("https://api.openai.com.example.org/v1", None, False),
    "a stranger": ("https://llm.example.org/v1", None, False),
    "a neighbour": ("http://192.168.1.5:8000/v1", None, False),
    "this machine": ("http://localhost:11434/v1", None, True),
    "this machine: by number": ("http://127.0.0.1:8080/v1", None, True),
    "this machine: IPv6": ("http://[::1]:8080/v1", None, True),
    "named": ("https://llm.example.org/v1", "https://llm.example.org/v1", True),
    "named: another path": ("https://llm.example.org/v2", "https://llm.example.org", True),
    "named: without a scheme": ("https://llm.example.org/v1", "llm.example.org", True),
    "named: another port": ("https://llm.example.org:1/v1", "https://llm.example.org", False),
    "named: another host": ("https://llm.example.org/v1", "https://example.org/v1", False),
    "named: no address": ("https://llm.example.org/v1", "http://[", False),
    "named: empty": ("https://llm.example.org/v1", "", False),
}


@pytest.mark.parametrize(("url", "named", "trusted"), PLACES.values(), ids=PLACES)
def test_a_key_of_the_environment_goes_to_known_places_alone(
    url: str, named: str | None, trusted: bool
) -> None:
    environ = {"OPENAI_API_KEY": SECRET}
    if named is not None:
        environ["OPENAI_BASE_URL"] = named
    assert from_environment(environ, url).reveal() == (SECRET if trusted else "")


@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": " "}], ids=repr)
def test_an_environment_without_a_key(environ: dict[str, str]) -> None:
    assert not from_environment(environ, "http://localhost/v1")


# --- headers and parameters -------------------------------------------------

HEADERS = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET, "X-Trace": "7"}


def test_guarded_headers_are_a_dict() -> None:
    headers = Guarded(HEADERS)
    assert headers == HEADERS
    assert json.loads(json.dumps(headers)) == HEADERS


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_guarded_headers_show_no_secret(show: Any) -> None:
    shown = show(Guarded(HEADERS))
    assert shown == "{'Authorization': '***', 'X-Api-Key': '***', 'X-Trace': '7'}"


def test_guarded_headers_pickle_without_secrets() -> None:
    pickled = pickle.dumps(Guarded(HEADERS))
    assert SECRET.encode() not in pickled
    loaded = pickle.loads(pickled)
    assert type(loaded) is Guarded
    assert loaded == {"X-Trace": "7"}


def test_the_public_part_of_guarded_headers() -> None:
    assert Guarded(HEADERS).public() == {"X-Trace": "7"}


def test_the_public_part_is_without_secrets_of_any_kind() -> None:
    query = {"key": [SECRET, SECRET], "token": 7, "secret": omit, 5: None, b"key": SECRET}
    assert Guarded(query).public() == {"secret": omit, 5: None}
    assert SECRET not in repr(Guarded(query))


def test_guarded_values_that_are_addresses_show_no_secret() -> None:
    shown = repr(Guarded({"OPENAI_BASE_URL": f"http://me:{SECRET}@h/v1", "Referer": "h?key=1"}))
    assert shown == "{'OPENAI_BASE_URL': 'h/v1', 'Referer': 'h?key=***'}"


# --- proxies ----------------------------------------------------------------


@pytest.mark.parametrize(
    "proxies",
    [
        {"http": "http://localhost:3128", "https": "localhost:3128", "all": "socks5h://h"},
        {"http://example.org": "http://h", "no_proxy": "localhost,.test", "https": None},
        {"http": "//h:3128"},
        {"http": ""},
        {"ftp": "http://h", "ws": "nowhere", "npm_config_https": 5, "no": 5},
    ],
    ids=repr,
)
def test_what_can_be_a_proxy(proxies: Any) -> None:
    Proxies(proxies).check()


#: name: (proxies, the error, its text)
NO_PROXIES: dict[str, tuple[Any, type[Exception], str]] = {
    "the wrong way round": ({f"http://me:{SECRET}@h": "http"}, ValueError, "not for 'h'"),
    "a number": ({5: "http://h"}, ValueError, "not for 'int'"),
    "no text": ({"http": 5}, TypeError, "the proxy for http must be a str, not int"),
    "bytes": ({"http": SECRET.encode()}, TypeError, "the proxy for http must be a str, not bytes"),
    "no host": ({"http": f"http://me:{SECRET}@"}, ValueError, "must look like http://host:3128"),
    "no port": ({"http": f"http://me:{SECRET}@h:port"}, ValueError, "not 'h:\\*\\*\\*'"),
    "another protocol": ({"all": f"ftp://me:{SECRET}@h"}, ValueError, "for all must look like"),
}


@pytest.mark.parametrize(("proxies", "kind", "says"), NO_PROXIES.values(), ids=NO_PROXIES)
def test_what_can_be_no_proxy_is_refused_and_not_shown(
    proxies: Any, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        guard({"proxies": {"no_proxy": f"http://me:{SECRET}@h"} | proxies})
    assert SECRET not in printed(caught.value)


def test_proxies_show_and_pickle_no_password() -> None:
    proxies = Proxies({"http": f"http://me:{SECRET}@proxy:3128", "https": None})
    assert proxies["http"] == f"http://me:{SECRET}@proxy:3128"
    assert repr(proxies) == "{'http': 'http://proxy:3128', 'https': None}"
    assert SECRET.encode() not in pickle.dumps(proxies)
    loaded = pickle.loads(pickle.dumps(proxies))
    assert loaded == {"http": "http://proxy:3128", "https": None}
    assert type(loaded) is Proxies


# --- addresses --------------------------------------------------------------


def test_a_place_is_a_text_whose_repr_is_without_secrets() -> None:
    place = Place(f"/files?key={SECRET}")
    assert place == f"/files?key={SECRET}" == f"{place}"
    assert repr(place) == "'/files?key=***'"


def test_a_path_that_is_no_text_is_held_by_its_type() -> None:
    assert placed("/x") == "/x"
    assert type(placed("/x")) is Place
    assert placed(placed(b"/x?key=secret")) is bytes


def test_an_address_is_taken_apart() -> None:
    found = address(" http://me:p%40ss@localhost:8000/v1?key=s3cret&a=1#top ")
    assert (found.bare, found.login.reveal()) == ("http://localhost:8000/v1", "me:p@ss")
    assert found.query == {"key": "s3cret", "a": "1"}
    assert repr(found) == "'http://localhost:8000/v1'"
    assert b"s3cret" not in pickle.dumps(found)


def test_a_plain_address_has_neither_login_nor_parameters() -> None:
    found = address("http://localhost:8000/v1")
    assert (found.bare, bool(found.login), found.query) == ("http://localhost:8000/v1", False, {})


#: name: (query, parameters)
QUERIES: dict[str, tuple[str, dict[str, Any]]] = {
    "one": ("a=1", {"a": "1"}),
    "a flag": ("flag&v=", {"flag": "", "v": ""}),
    "one twice": ("a=1&b=2&a=3", {"a": ["1", "3"], "b": "2"}),
    "quoted": ("a=b%26c+d", {"a": "b&c d"}),
    "none": ("", {}),
}


@pytest.mark.parametrize(("query", "parameters"), QUERIES.values(), ids=QUERIES)
def test_nothing_of_an_addresss_query_is_lost(query: str, parameters: dict[str, Any]) -> None:
    assert address(f"http://localhost/v1?{query}").query == parameters


def test_a_query_alone_is_no_address_and_none_that_was_not_given() -> None:
    assert address("?key=s3cret").bare == "?"
    assert address(" ").bare == ""


@pytest.mark.parametrize("base_url", [f"http://me:{SECRET}?x@h", f"http://me:{SECRET}/x@h"])
def test_a_password_that_ends_an_address_early_is_not_shown(base_url: str) -> None:
    assert SECRET not in repr(address(base_url))


# --- arguments --------------------------------------------------------------

#: name: (an argument that holds a secret, what holds it then)
HELD: dict[str, tuple[Any, type]] = {
    "extra_headers": (HEADERS, Guarded),
    "extra_query": ({"key": SECRET}, Guarded),
    "default_headers": (HEADERS, Guarded),
    "default_query": ({"key": SECRET}, Guarded),
    "set_default_headers": (HEADERS, Guarded),
    "set_default_query": ({"key": SECRET}, Guarded),
    "proxies": ({"http": f"http://me:{SECRET}@proxy"}, Proxies),
}


@pytest.mark.parametrize(("name", "argument", "kind"), [(k, *v) for k, v in HELD.items()])
def test_an_argument_that_holds_secrets_is_guarded_where_it_stands(
    name: str, argument: Any, kind: type
) -> None:
    options = {name: argument, "timeout": 5}
    assert guard(options) is options
    assert options == {name: argument, "timeout": 5}
    assert type(options[name]) is kind
    assert SECRET not in repr(options)


def test_a_key_and_a_base_url_are_guarded_too() -> None:
    options: dict[str, Any] = {"api_key": SECRET, "base_url": f"http://me:{SECRET}@h?key={SECRET}"}
    guard(options)
    assert SECRET not in repr(options)
    assert options["api_key"].reveal() == SECRET
    assert options["base_url"].bare == "http://h"


@pytest.mark.parametrize("nothing", [None, omit], ids=repr)
@pytest.mark.parametrize("name", [*HELD, "base_url"])
def test_an_argument_may_be_left_open(name: str, nothing: object) -> None:
    assert guard({name: nothing}) == {name: None}


@pytest.mark.parametrize("nothing", [None, omit], ids=repr)
def test_a_key_that_is_left_open_is_not_given(nothing: object) -> None:
    assert not guard({"api_key": nothing})["api_key"].given


#: name: (arguments, the error, its text)
WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    name: ({name: [("api-key", SECRET)]}, TypeError, f"{name} must be a mapping, not list")
    for name in HELD
} | {
    "a base URL": ({"base_url": SECRET.encode()}, TypeError, "base_url must be a str, not bytes"),
    "a key": ({"api_key": f"{SECRET}\n1"}, ValueError, "api_key holds a line break"),
    "text": ({"extra_query": SECRET}, TypeError, "extra_query must be a mapping, not str"),
}


@pytest.mark.parametrize(("options", "kind", "says"), WRONG.values(), ids=WRONG)
def test_an_argument_of_another_kind_is_refused_and_shows_nothing(
    options: dict[str, Any], kind: type[Exception], says: str
) -> None:
    others = {"api_key": SECRET, "default_query": {"key": SECRET}}
    with pytest.raises(kind, match=says) as caught:
        guard(others | options)
    assert SECRET not in printed(caught.value)
