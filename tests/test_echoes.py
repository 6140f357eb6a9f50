"""What an answer repeats of a request's secrets: hidden, however it is quoted."""

from __future__ import annotations

import pickle

import pytest

from rawllm.echoes import Secrets

SECRET = "sk-s3cret"

BASIC = "Basic bWU6cC9hc3Mgd29yZA=="
#: name: (what was sent, what the server says, what is left of it)
REPEATED: dict[str, tuple[Secrets, str, str]] = {
    "a key": (Secrets({"Authorization": f"Bearer {SECRET}"}), f"no {SECRET}!", "no ***!"),
    "a header of bytes": (Secrets({"X-Api-Key": SECRET.encode()}), SECRET, "***"),
    "no secret": (Secrets({"X-Trace": "trace-123"}, "h?a=trace-123"), "trace-123", "trace-123"),
    "a dummy": (Secrets({"Authorization": "Bearer dummy"}), "a dummy key", "a dummy key"),
    "a cookie": (Secrets({"Cookie": f"a=1; b={SECRET}; c=2"}), SECRET, "***"),
    "a login": (Secrets({"Authorization": BASIC}), "p/ass word me:p/ass word", "*** ***"),
    "a login in base64": (Secrets({"Authorization": BASIC}), f"it was {BASIC}", "it was Basic ***"),
    "no base64": (Secrets({"Authorization": "Basic secret!!"}), "Basic secret!!", "Basic ***"),
    "a parameter": (Secrets(url="http://h/?key=p%2Fass+word"), "p/ass word", "***"),
    "a proxy's": (Secrets(proxies={"http": f"http://me:{SECRET}@h", "https": None}), SECRET, "***"),
    "quoted": (Secrets(url="http://h/?key=p%2Fass+word"), "?next=p%2Fass+word", "?next=***"),
    "in JSON": (Secrets(url="http://h/?key=%22%22secret"), r'{"a":"\"\"secret"}', '{"a":"***"}'),
    "quoted otherwise": (Secrets(url="http://h/?key=p%2Fass+word"), "a p%2fass%20word", "***"),
    "in HTML": (Secrets(url="http://h/?key=p%26ssword"), "a p&amp;ssword", "***"),
    "beside no character": (Secrets(), "&#" + "1" * 5000, "&#" + "1" * 5000),
    "escaped": (Secrets(url="http://h/?key=Password"), r"a \u0050assword", "***"),
    "in Python": (Secrets({"X-Key": "a+b%41'\"\\z"}), repr(b"a+b%41'\"\\z"), "***"),
    "quoted twice": (Secrets(url="http://h/?key=pass%2Fword"), "a pass%252Fword", "***"),
    "in Latin-1": (Secrets(url="http://h/?key=P%C3%A4ssword"), "a P\u00c3\u00a4ssword", "a ***"),
    "no text": (Secrets({"X-Token-Limit": 12345678}), "12345678", "***"),
    "half a character": (Secrets({"X-Token": "abcd\udc80fgh"}), "abcd?fgh", "***"),
    "a proxy that is none": (Secrets(proxies={"ftp": 5}), "5 is no proxy", "5 is no proxy"),
    "a scheme is none": (
        Secrets({"Authorization": "Negotiate  YIIabcdef1", "Proxy-Authorization": SECRET}),
        f"Negotiate YIIabcdef1, {SECRET}",
        "Negotiate ***, ***",
    ),
    "a scheme with parameters": (
        Secrets({"Authorization": f'Token user="me", token="{SECRET}", as="somebody"'}),
        f"Token {SECRET} of somebody",
        "Token *** of somebody",
    ),
    "of other headers all alone": (
        Secrets({"X-Auth-Type": "Application Completion"}),
        "a Completion for an Application: Application Completion",
        "a Completion for an Application: ***",
    ),
    "a word": (
        Secrets({"X-Api-Key": "required"}, "http://h/?key=completion"),
        "a completion is required",
        "a completion is required",
    ),
    "a known dummy": (
        Secrets({"Authorization": "Bearer lm-studio"}),
        "connect to lm-studio failed",
        "connect to lm-studio failed",
    ),
    "a login of words": (
        Secrets({"Authorization": "Basic bWU6cGFzc3dvcmQ="}, "http://me:keywordy@h"),
        "password or keywordy",
        "*** or ***",
    ),
    "one in another": (
        Secrets({"X-Api-Key": SECRET, "X-Token": f"{SECRET}-long"}),
        f"{SECRET}-long",
        "***",
    ),
}


@pytest.mark.parametrize(("sent", "said", "left"), REPEATED.values(), ids=REPEATED)
def test_what_an_answer_repeats_is_hidden(sent: Secrets, said: str, left: str) -> None:
    assert sent.hidden_in(said) == left


def test_what_was_secret_neither_shows_nor_pickles() -> None:
    held = Secrets(
        {"X-Api-Key": SECRET}, f"http://h?key={SECRET}", {"http": f"http://me:{SECRET}@"}
    )
    assert repr(held) == "Secrets('***')"
    assert SECRET.encode() not in pickle.dumps(held)
    assert pickle.loads(pickle.dumps(held)).hidden_in(SECRET) == SECRET
