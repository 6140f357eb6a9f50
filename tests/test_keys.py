"""API keys: what one may hold, where it may go, and that it is not shown."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from typing import Any

import pytest

from rawllm.keys import Guarded, Key, from_environment

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
