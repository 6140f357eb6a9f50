"""Any secret that is long enough to be told from a word, quoted by a server in any way."""

import html
import json
import re
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import quote, quote_plus

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from rawllm.echoes import Secrets
from tests.faults.test_secrets import HAPPENING, WAYS, happen, shown, shows

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=300)
CALLS = settings(derandomize=True, deadline=None, max_examples=60)

#: Those that mean something to addresses, HTML, JSON, regular expressions, Basic and cookies.
TRAPS = "%+&=/?#:;@ \"'<>\\{}[]()|*.^$,u0041-_~"


def is_word(text: str) -> bool:
    """Which is taken for no key."""
    return text.isalpha() and text.islower()


#: What a header can hold, and what only an address can.
ASCII = st.text(
    st.sampled_from(TRAPS) | st.characters(min_codepoint=33, max_codepoint=126), min_size=8
)
ANY = st.text(st.characters(exclude_categories=["C"]), min_size=8, max_size=40)
KEYS = ASCII.map(str.strip).filter(lambda key: len(key) >= 8 and not is_word(key))

ESCAPE = re.compile("%..")
QUOTED: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in an address": lambda text: quote(text, safe=""),
    "in a form": quote_plus,
    "in small letters": lambda text: ESCAPE.sub(lambda m: m[0].lower(), quote(text, safe="")),
    "in HTML": html.escape,
    "in JSON": json.dumps,
    "in JSON, all of it": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "in Python": repr,
    "in an address in an address": lambda text: quote(quote(text, safe=""), safe=""),
    "in JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "in an address in HTML": lambda text: html.escape(quote(text)),
    "in JSON in HTML": lambda text: html.escape(json.dumps(text)),
}


@EXAMPLES
@given(ASCII | ANY, st.sampled_from([*QUOTED]), st.text(max_size=20), st.text(max_size=20))
def test_no_way_of_quoting_a_secret_shows_it(secret: str, how: str, left: str, right: str) -> None:
    held = Secrets(url=f"http://localhost/v1?key={quote(secret, safe='')}")
    text = f"{left} {QUOTED[how](secret)} {right}"
    if not is_word(secret) and not shows(f"{left}{right}", secret, 2):
        assert not shows(held.hidden_in(text), secret, 2)


@EXAMPLES
@given(ANY.filter(lambda text: ":" not in text))
def test_no_login_shows_in_base64(password: str) -> None:
    login = b64encode(f"me:{password}".encode()).decode()
    address = f"http://me:{quote(password, safe='')}@localhost/v1"
    for held in (
        Secrets({"Authorization": f"Basic {login}"}),
        Secrets(url=address),
        Secrets(proxies={"http": address}),
    ):
        assert login not in held.hidden_in(f"you said {login} to me")
        assert not shows(held.hidden_in(f"you are me:{password}!"), password)


@EXAMPLES
@given(KEYS, st.text(max_size=60))
def test_a_text_without_the_secret_stays(secret: str, text: str) -> None:
    held = Secrets({"Authorization": f"Bearer {secret}"})
    if not shows(text, secret, 4):
        assert held.hidden_in(text) == text


@CALLS
@given(KEYS, st.sampled_from([*WAYS]), st.sampled_from([*HAPPENING]))
def test_no_secret_comes_out_of_any_call(secret: str, way: str, what: str) -> None:
    if WAYS[way].path and HAPPENING[what].of_chats:
        return
    with ExitStack() as stack:
        came = happen(WAYS[way], HAPPENING[what], secret, stack)
        # Some chance secrets are words of ours, which show without them as well.
        if found := shown(came, secret):
            other = happen(WAYS[way], HAPPENING[what], "sk-0ther-5678", stack)
            assert found == shown(other, secret)
