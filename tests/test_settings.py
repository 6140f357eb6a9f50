"""What a client is configured with, and what that makes of one call."""

from __future__ import annotations

import math
import pickle
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rawllm import __version__, omit
from rawllm.keys import Guarded, Place, guard
from rawllm.settings import (
    OPTIONS,
    Limits,
    Settings,
    merged_headers,
    resolve,
    take_options,
)

SECRET = "sk-s3cret"
STRANGER = "https://llm.example.org/v1"
LOCAL = "http://localhost:8000/v1"


def settings(environ: Mapping[str, str] | None = None, **changes: Any) -> Settings:
    """What a client would be made with, where `changes` are all that is given."""
    given = {
        "base_url": None,
        "api_key": None,
        "organization": None,
        "project": None,
        "timeout": omit,
        "max_retries": 2,
        "loading_timeout": 60.0,
        "retry_timeouts": False,
        "default_headers": None,
        "default_query": None,
        "verify": None,
        "cert": None,
        "strict_streams": True,
        "max_response_bytes": 1000,
    }
    assert changes.keys() <= given.keys()
    return resolve(guard(given | changes), environ or {})


# --- the address ------------------------------------------------------------

#: name: (given, OPENAI_BASE_URL, base URL)
BASE_URLS: dict[str, tuple[str | None, str | None, str]] = {
    "neither": (None, None, "https://api.openai.com/v1"),
    "an empty one": ("", None, "https://api.openai.com/v1"),
    "a blank one": (" ", None, "https://api.openai.com/v1"),
    "given": (LOCAL, None, LOCAL),
    "in the environment": ("", STRANGER, STRANGER),
    "empty in the environment": ("", "", "https://api.openai.com/v1"),
    "blank in the environment": ("", " \n", "https://api.openai.com/v1"),
    "both": (LOCAL, STRANGER, LOCAL),
    "repaired": ("localhost:8000/v1/chat/completions", None, LOCAL),
    "repaired from the environment": ("", " localhost:8000/v1/ ", LOCAL),
}


@pytest.mark.parametrize(("given", "named", "expected"), BASE_URLS.values(), ids=BASE_URLS)
def test_the_base_url(given: str | None, named: str | None, expected: str) -> None:
    environ = {} if named is None else {"OPENAI_BASE_URL": named}
    assert settings(environ, base_url=given).base_url == expected


@pytest.mark.parametrize("given", ["ftp://localhost", "?a=1", "http://there\\@localhost"])
def test_a_base_url_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="base_url must look like"):
        settings(base_url=given)
    with pytest.raises(ValueError, match="base_url must look like"):
        settings({"OPENAI_BASE_URL": given})


def test_the_query_of_the_base_url_goes_out_with_every_call() -> None:
    made = settings(base_url=f"{LOCAL}?api-version=1&a=1&flag", default_query={"a": "2"})
    assert made.base_url == LOCAL
    assert made.query == {"api-version": "1", "a": "2", "flag": ""}


@pytest.mark.parametrize("nothing", [None, omit], ids=repr)
def test_a_parameter_can_be_left_out(nothing: object) -> None:
    made = settings(base_url=f"{LOCAL}?a=1&b=2", default_query={"a": nothing, "c": nothing})
    assert made.query == {"b": "2"}
    request = made.request("GET", "/x", None, extra_query={"b": nothing, "d": nothing, "e": ""})
    assert request.query == {"e": ""}


# --- the key ----------------------------------------------------------------

#: name: (base URL, api_key=, OPENAI_API_KEY, the key, what a 401 means)
KEYS: dict[str, tuple[str, str | None, str | None, str, str]] = {
    "neither": (LOCAL, None, None, "", "no key"),
    "given": (STRANGER, SECRET, None, SECRET, "refused key"),
    "in the environment": (LOCAL, None, SECRET, SECRET, "refused key"),
    "in the environment, for openai": ("", None, SECRET, SECRET, "refused key"),
    "blanks in the environment": (LOCAL, None, f" {SECRET}\n", SECRET, "refused key"),
    "both": (LOCAL, SECRET, "sk-other", SECRET, "refused key"),
    "none, explicitly": (LOCAL, "", SECRET, "", "no key"),
    "withheld from a stranger": (STRANGER, None, SECRET, "", "withheld"),
    "empty in the environment": (STRANGER, None, "", "", "no key"),
    "blank in the environment": (STRANGER, None, " ", "", "no key"),
    "blank in the environment, here": (LOCAL, None, " ", "", "no key"),
}


@pytest.mark.parametrize(
    ("base_url", "given", "named", "expected", "state"), KEYS.values(), ids=KEYS
)
def test_the_key(
    base_url: str, given: str | None, named: str | None, expected: str, state: str
) -> None:
    environ = {} if named is None else {"OPENAI_API_KEY": named}
    made = settings(environ, base_url=base_url, api_key=given)
    assert made.key.reveal() == expected
    assert made.key_state == state
    assert made.call("GET", Place(LOCAL), None).key == state


def test_the_server_that_the_environment_names_gets_the_environments_key() -> None:
    environ = {"OPENAI_BASE_URL": STRANGER, "OPENAI_API_KEY": SECRET}
    assert settings(environ).key.reveal() == SECRET
    assert settings(environ, base_url="https://other.example.org").key_state == "withheld"


@pytest.mark.parametrize("scheme", ["http://", ""])
@pytest.mark.parametrize("variable", [False, True])
def test_user_and_password_take_the_place_of_the_environments_key(
    scheme: str, variable: bool
) -> None:
    base_url = f"{scheme}me:pass@localhost:8000/v1"
    named = {"OPENAI_BASE_URL": base_url} if variable else {}
    made = settings({"OPENAI_API_KEY": SECRET} | named, base_url=None if variable else base_url)
    assert (made.base_url, made.login.reveal(), bool(made.key)) == (LOCAL, "me:pass", False)
    assert made.key_state == "refused key"


@pytest.mark.parametrize(
    ("key", "changes", "says"),
    [
        pytest.param(f"{SECRET}\nx", {}, "api_key holds", id="a line break in it"),
        pytest.param(f"{SECRET}\u2026", {}, "api_key holds", id="not ASCII"),
        pytest.param(SECRET, {"timeout": -1}, "timeout must be", id="another mistake"),
    ],
)
def test_no_traceback_shows_the_key_of_the_environment(
    key: str, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        settings({"OPENAI_API_KEY": key}, base_url=LOCAL, **changes)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    shown = [repr(frame.locals) for frame in frames if "tests" not in frame.filename]
    assert shown
    assert not any(SECRET in text for text in shown)


def test_a_key_that_was_withheld_is_not_checked() -> None:
    assert settings({"OPENAI_API_KEY": "\u2026"}, base_url=STRANGER).key_state == "withheld"


def test_settings_show_and_pickle_no_secret() -> None:
    made = settings(
        base_url="http://me:s3cret@localhost:8000/v1?key=s3cret",
        api_key=SECRET,
        default_headers={"X-Api-Key": "s3cret"},
    )
    assert "s3cret" not in repr(made)
    assert b"s3cret" not in pickle.dumps(made)


# --- headers and parameters -------------------------------------------------


def test_the_headers_of_every_call() -> None:
    assert settings().headers == {"User-Agent": f"rawllm/{__version__}"}


@pytest.mark.parametrize(
    ("argument", "variable", "header"),
    [
        ("organization", "OPENAI_ORG_ID", "OpenAI-Organization"),
        ("project", "OPENAI_PROJECT_ID", "OpenAI-Project"),
    ],
)
def test_organization_and_project(argument: str, variable: str, header: str) -> None:
    given: dict[str, Any] = {argument: "given"}
    assert settings(**given).headers[header] == "given"
    assert getattr(settings(**given), argument) == "given"
    assert settings({variable: "named"}).headers[header] == "named"
    assert getattr(settings({variable: "named"}), argument) == "named"
    assert getattr(settings({variable: " "}), argument) is None
    assert settings({variable: "named"}, **given).headers[header] == "given"
    assert header not in settings({variable: " "}).headers
    assert header not in settings({variable: ""}).headers


@pytest.mark.parametrize("nothing", [None, omit])
def test_a_default_header_is_replaced_or_removed_in_any_case(nothing: object) -> None:
    made = settings(
        {"OPENAI_ORG_ID": "o"}, default_headers={"user-agent": "x", "OPENAI-ORGANIZATION": nothing}
    )
    assert made.headers == {"user-agent": "x"}


#: name: (layers, merged)
MERGED: dict[str, tuple[list[dict[str, Any]], dict[str, str]]] = {
    "none": ([], {}),
    "one": ([{"A": "1"}], {"A": "1"}),
    "apart": ([{"A": "1"}, {"B": "2"}], {"A": "1", "B": "2"}),
    "the later one wins": ([{"A": "1"}, {"A": "2"}], {"A": "2"}),
    "and its spelling": ([{"X-Trace": "1"}, {"x-trace": "2"}], {"x-trace": "2"}),
    "in one layer": ([{"X-Trace": "1", "x-trace": "2"}], {"x-trace": "2"}),
    "None removes": ([{"A": "1"}, {"a": None}], {}),
    "omit removes": ([{"A": "1"}, {"a": omit}], {}),
    "and it can come back": ([{"A": "1"}, {"a": None}, {"A": "3"}], {"A": "3"}),
    "removing what is not there": ([{"a": None}], {}),
    "an empty one is one": ([{"A": "1"}, {"A": ""}], {"A": ""}),
    "blanks around": ([{"A": " 1\n"}], {"A": "1"}),
}


@pytest.mark.parametrize(("layers", "merged"), MERGED.values(), ids=MERGED)
def test_headers_merge_by_name_in_any_case(
    layers: list[dict[str, Any]], merged: dict[str, str]
) -> None:
    found = merged_headers(*layers)
    assert found == merged
    assert type(found) is Guarded


#: name: (a header's value, the error, its text)
NO_VALUES: dict[str, tuple[Any, type[Exception], str]] = {
    "a new line": ("s3cret\nX: 1", ValueError, "holds a line break"),
    "a return": ("s3cret\rx", ValueError, "holds a line break"),
    "a null": ("s3cret\0", ValueError, "holds a line break"),
    "a euro": ("s3cret\u20ac", ValueError, "beyond Latin-1"),
    "a letter": ("s3cret\u0100", ValueError, "beyond Latin-1"),
    "bytes": (b"s3cret", TypeError, "must be a str, not bytes"),
    "a number": (7, TypeError, "must be a str, not int"),
    "a list": (["s3cret"], TypeError, "must be a str, not list"),
}


@pytest.mark.parametrize(("value", "kind", "says"), NO_VALUES.values(), ids=NO_VALUES)
def test_what_no_header_can_hold_is_refused_and_not_shown(
    value: Any, kind: type[Exception], says: str
) -> None:
    given = Guarded({"Authorization": "s3cret", "X-Api-Key": value})
    with pytest.raises(kind, match=f"the header X-Api-Key .*{says}") as caught:
        merged_headers(given)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    shown = [repr(frame.locals) for frame in frames if "tests" not in frame.filename]
    assert shown
    assert not any("s3cret" in text for text in (str(caught.value), *shown))


NO_NAMES = ["", "X Key", " X-Key", "X-Key:", "X\nY", "X\n", "\u00e9", "\u20ac", "X\0"]


@pytest.mark.parametrize("value", ["7", None], ids=repr)
@pytest.mark.parametrize("name", NO_NAMES, ids=repr)
def test_what_no_header_can_be_called_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="no header can have the name") as caught:
        merged_headers({name: value})
    assert str(caught.value).endswith(repr(name))


@pytest.mark.parametrize("name", [b"X-Key", 7, None], ids=repr)
def test_the_name_of_a_header_is_text(name: Any) -> None:
    with pytest.raises(TypeError, match="the name of a header must be a str, not"):
        merged_headers({name: "7"})


# --- one call ---------------------------------------------------------------


def test_a_call_is_sent_with_all_that_is_configured() -> None:
    made = settings(
        base_url=LOCAL,
        api_key=SECRET,
        default_headers={"X-Trace": "7"},
        default_query={"api-version": "1"},
    )
    request = made.request("POST", "/chat/completions", b"{}")
    assert request.method == "POST"
    assert request.url == f"{LOCAL}/chat/completions"
    assert request.body == b"{}"
    assert request.query == {"api-version": "1"}
    assert request.key.reveal() == SECRET
    assert request.headers == {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "Content-Type": "application/json",
        "User-Agent": f"rawllm/{__version__}",
        "X-Trace": "7",
    }


def test_a_request_shows_no_secret() -> None:
    made = settings(base_url=LOCAL, api_key=SECRET, default_headers={"X-Api-Key": SECRET})
    request = made.request("GET", f"/x?key={SECRET}", SECRET.encode())
    assert request.url == f"{LOCAL}/x?key={SECRET}"
    assert repr(request) == f"<GET {LOCAL}/x?key=***>"
    assert repr(request.url) == f"'{LOCAL}/x?key=***'"


@pytest.mark.parametrize(
    "path",
    [
        "http://there:1\\@localhost:8000/v1/x?key=s3cret",
        "http://there @localhost:8000/v1/x",
        "http://[::1/x",
        "http://localhost:port/x",
        "http:///x",
    ],
)
def test_an_address_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no address that can be asked") as caught:
        settings(base_url=LOCAL, api_key=SECRET).request("GET", Place(path), None)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    assert "s3cret" not in str(caught.value)
    assert not any(
        "s3cret" in str(frame.locals) for frame in frames if "tests" not in frame.filename
    )
    assert caught.value.__context__ is None


def test_half_a_character_can_be_in_no_address() -> None:
    with pytest.raises(ValueError, match="no address that can be asked"):
        settings(base_url=LOCAL).request("GET", Place("/a?x=\ud800"), None)


def test_a_stream_is_asked_for_as_one_and_not_compressed() -> None:
    headers = settings(base_url=LOCAL).request("POST", "/x", b"{}", streaming=True).headers
    assert headers["Accept"] == "text/event-stream"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Content-Type"] == "application/json"


def test_without_a_body_there_is_no_content_type() -> None:
    request = settings(base_url=LOCAL).request("GET", "/models", None)
    assert "Content-Type" not in request.headers
    assert request.body is None
    assert "Content-Type" in settings(base_url=LOCAL).request("POST", "/x", b"").headers


def test_calls_of_a_path_differ_in_what_they_are_and_in_nothing_else() -> None:
    ours = settings(base_url=LOCAL, api_key=SECRET)
    first = ours.request("POST", "/x", b"1")
    assert ours.request("POST", "/x", b"2") == first._replace(body=b"2")
    assert ours.request("PUT", "/x", b"1") == first._replace(method="PUT")
    assert ours.request("POST", "/y", b"1") == first._replace(url=Place(f"{LOCAL}/y"))
    ours.request("POST", "/x", b"1", extra_headers={"X-A": "1"}, extra_query={"a": "b"})
    streamed = ours.request("POST", "/x", b"1", streaming=True)
    assert streamed.headers["Accept"] == "text/event-stream"
    assert ours.request("POST", "/x", b"1") == first


def test_what_is_remembered_of_paths_is_bounded_and_shows_no_secret() -> None:
    ours = settings(base_url=LOCAL, api_key=SECRET, default_headers={"X-Api-Key": SECRET})
    for number in range(200):
        assert ours.request("GET", f"/{number}", None).url == f"{LOCAL}/{number}"
        ours.request("GET", Place(f"/{number}?key={SECRET}"), None)
    assert len(ours.known) <= 64
    assert SECRET not in repr(ours)
    assert SECRET.encode() not in pickle.dumps(ours)


def test_many_threads_ask_for_ever_new_paths() -> None:
    ours = settings(base_url=LOCAL)

    def is_itself(number: int) -> bool:
        return ours.request("GET", f"/{number % 200}", None).url == f"{LOCAL}/{number % 200}"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(is_itself, range(4000)))


def test_a_calls_own_headers_and_parameters_win() -> None:
    made = settings(
        base_url=LOCAL,
        default_headers={"X-Trace": "7", "X-B": "1"},
        default_query={"a": "1", "b": "2"},
    )
    request = made.request(
        "GET", "/x", None, extra_headers={"x-trace": "8", "X-B": omit}, extra_query={"a": "3"}
    )
    assert (request.headers["x-trace"], "X-B" in request.headers) == ("8", False)
    assert "X-Trace" not in request.headers
    assert request.query == {"a": "3", "b": "2"}
    assert made.headers["X-Trace"] == "7"
    assert made.query == {"a": "1", "b": "2"}


LOGGED_IN = "http://me:pass@localhost:8000/v1"


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/models", True),
        ("http://localhost:8000/tokenize", True),
        ("HTTP://LOCALHOST:8000/tokenize", True),
        ("http://localhost:8001/v1/models", False),
        ("https://localhost:8000/v1/models", False),
        ("http://localhost:8000@example.org/v1", False),
        ("https://example.org/v1", False),
    ],
)
def test_no_secret_goes_to_another_origin(path: str, ours: bool) -> None:
    made = settings(
        base_url=LOGGED_IN,
        api_key=SECRET,
        default_headers={"X-Api-Key": SECRET, "X-Trace": "7"},
        default_query={"key": SECRET, "sig": [SECRET, SECRET], "a": "1"},
    )
    request = made.request("GET", path, None)
    assert (request.key.reveal(), request.login.reveal()) == (
        (SECRET, "me:pass") if ours else ("", "")
    )
    assert ("X-Api-Key" in request.headers, "key" in request.query) == (ours, ours)
    assert ("sig" in request.query) is ours
    assert (request.headers["X-Trace"], request.query["a"]) == ("7", "1")


def test_what_a_call_says_itself_goes_where_it_says() -> None:
    extra = {"Authorization": "Bearer other"}
    request = settings(base_url=LOCAL, api_key=SECRET).request(
        "GET", "https://example.org/", None, extra_headers=extra, extra_query={"key": "other"}
    )
    assert (request.headers["Authorization"], request.query) == ("Bearer other", {"key": "other"})


@pytest.mark.parametrize("nothing", [None, omit])
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_call_without_authorization_sends_no_key(name: str, nothing: object) -> None:
    made = settings(base_url=LOGGED_IN, api_key=SECRET)
    request = made.request("GET", "/x", None, extra_headers={name: nothing})
    assert (bool(request.key), bool(request.login)) == (False, False)
    assert made.request("GET", "/x", None, extra_headers={"X": nothing, "Authorization": "x"}).key


def test_what_the_texts_of_errors_know_of_a_call() -> None:
    asked = settings(base_url=LOCAL).call("GET", Place(f"{LOCAL}/x?key=s3cret"), "tiny")
    assert (asked.method, asked.url) == ("GET", f"{LOCAL}/x?key=***")
    assert (asked.base_url, asked.model, asked.key) == (LOCAL, "tiny", "no key")


def test_options_of_the_call_are_taken_out_of_its_parameters() -> None:
    params: dict[str, Any] = {"timeout": None, "top_k": 1, "extra_headers": {}, "deadline": 2}
    options = take_options(params)
    assert options == {"extra_headers": {}, "timeout": None, "deadline": 2}
    assert type(options["extra_headers"]) is Guarded
    assert params == {"top_k": 1}


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_of_the_call(name: str) -> None:
    params: dict[str, Any] = {name: {"a": "b"}}
    assert take_options(params) == {name: {"a": "b"}}
    assert params == {}


# --- limits -----------------------------------------------------------------


def test_the_limits_of_a_client() -> None:
    made = settings(timeout=30, max_retries=5, loading_timeout=9, retry_timeouts=True)
    assert made.limits == Limits(5.0, 30.0, 5, 9.0, retry_timeouts=True)
    assert settings().limits == Limits(5.0, 600.0, 2, 60.0)


def test_what_is_left_of_the_settings_is_as_given() -> None:
    made = settings(strict_streams=False, max_response_bytes=7)
    assert (made.strict_streams, made.max_response_bytes) == (False, 7)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("timeout", -1),
        ("loading_timeout", "1"),
        ("max_retries", -1),
        ("max_response_bytes", 0),
        ("retry_timeouts", "no"),
        ("strict_streams", 0),
        ("verify", 0),
        ("cert", 5),
    ],
)
def test_what_is_given_is_checked_under_its_name(name: str, given: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be "):
        settings(**{name: given})


def test_parameters_of_a_query_are_checked_wherever_they_come_from() -> None:
    with pytest.raises(TypeError, match="the parameter a must be a str or a number, not dict"):
        settings(default_query={"a": {}})
    with pytest.raises(ValueError, match="the parameter a must be finite"):
        settings().request("GET", "/x", None, extra_query={"a": math.nan})


def test_a_calls_own_limits() -> None:
    made = settings(timeout=30, max_retries=5)
    assert made.limits_with() == made.limits
    assert made.limits_with(timeout=2) == made.limits._replace(connect=2.0, read=2.0)
    assert made.limits_with(timeout=None) == made.limits._replace(connect=5.0, read=None)
    assert made.limits_with(omit, 1, 2, 3) == made.limits._replace(
        deadline=1.0, first_token_timeout=2.0, idle_timeout=3.0
    )


@pytest.mark.parametrize("name", ["timeout", "deadline", "first_token_timeout", "idle_timeout"])
@pytest.mark.parametrize(("given", "kind"), [(-1, ValueError), ("1", TypeError)], ids=repr)
def test_a_limit_that_is_none_is_refused_by_its_name(
    name: str, given: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=f"^{name} must be"):
        settings().limits_with(**{name: given})


@pytest.mark.parametrize("removed", [omit, None])
def test_a_default_header_may_leave_the_key_out(removed: Any) -> None:
    made = settings({"OPENAI_API_KEY": "sk-env"}, default_headers={"authorization": removed})
    sent = made.request("GET", "/models", None)
    assert not sent.key
    assert not sent.login
    assert "authorization" not in sent.headers
