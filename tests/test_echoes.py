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
    "a login in base64": (Secrets({"Authorization": BASIC}), f"it was {BASIC}", "it was ***"),
    "no base64": (Secrets({"Authorization": "Basic secret!"}), "Basic secret!", "***"),
    "a parameter": (Secrets(url="http://h/?key=p%2Fass+word"), "p/ass word", "***"),
    "a proxy's": (Secrets(proxies={"http": f"http://me:{SECRET}@h", "https": None}), SECRET, "***"),
    "quoted": (Secrets(url="http://h/?key=p%2Fass+word"), "?next=p%2Fass+word", "?next=***"),
    "in JSON": (Secrets(url="http://h/?key=%22%22secret"), r'{"a":"\"\"secret"}', '{"a":"***"}'),
    "quoted otherwise": (Secrets(url="http://h/?key=p%2Fass+word"), "a p%2fass%20word", "***"),
    "in HTML": (Secrets(url="http://h/?key=p%26ssword"), "a p&amp;ssword", "***"),
    "beside no character": (Secrets(), "&#" + "1" * 5000, "&#" + "1" * 5000),
    "escaped": (Secrets(url="http://h/?key=password"), r"a \u0070assword", "***"),
    "quoted twice": (Secrets(url="http://h/?key=pass%2Fword"), "a pass%252Fword", "***"),
    "in Latin-1": (Secrets(url="http://h/?key=p%C3%A4ssword"), "a p\u00c3\u00a4ssword", "a ***"),
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
