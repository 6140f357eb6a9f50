"""What a caller gives, checked: what is taken as it is, and what is refused in which words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from rawllm import omit
from rawllm.checks import (
    count,
    flag,
    header_fault,
    loading_timeout,
    parameter_fault,
    seconds,
    timeouts,
    trust,
)

# --- times ------------------------------------------------------------------


#: name: (timeout=, (to connect, to read))
TIMEOUTS: dict[str, tuple[Any, tuple[float | None, float | None]]] = {
    "long": (30, (5.0, 30.0)),
    "short": (2.5, (2.5, 2.5)),
    "none": (None, (5.0, None)),
    "a pair": ((1, 2), (1.0, 2.0)),
    "half a pair": ((None, 2), (None, 2.0)),
    "a pair of none": ((None, None), (None, None)),
    "longer than a socket counts": (1e9, (5.0, 2e6)),
    "longer than a float counts": (10**400, (5.0, 2e6)),
    "exactly as long": (2e6, (5.0, 2e6)),
}


@pytest.mark.parametrize(("given", "expected"), TIMEOUTS.values(), ids=TIMEOUTS)
def test_a_timeout_is_a_wait_to_connect_and_one_to_read(
    given: Any, expected: tuple[float | None, float | None]
) -> None:
    assert timeouts(given) == expected


@pytest.mark.parametrize("given", [(), (1,), (1, 2, 3)], ids=repr)
def test_a_tuple_that_is_no_pair_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"^timeout must be a number of seconds or a pair"):
        timeouts(given)


#: name: (what is no time to wait, the error, its text)
NO_SECONDS: dict[str, tuple[Any, type[Exception], str]] = {
    "zero": (0, ValueError, "above 0 seconds and finite, not 0; None: no limit"),
    "negative": (-1.5, ValueError, "not -1.5"),
    "NaN": (math.nan, ValueError, "not nan"),
    "infinity": (math.inf, ValueError, "not inf"),
    "true": (True, TypeError, "a number of seconds, not bool"),
    "false": (False, TypeError, "not bool"),
    "text": ("5", TypeError, "not str"),
    "a list": ([5, 10], TypeError, "not list"),
}


@pytest.mark.parametrize(("given", "kind", "says"), NO_SECONDS.values(), ids=NO_SECONDS)
def test_what_is_no_time_to_wait_is_refused(given: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=f"^deadline must be .*{says}"):
        seconds("deadline", given)
    with pytest.raises(kind, match=f"^timeout must be .*{says}"):
        timeouts((1, given))
    with pytest.raises(kind, match=f"^timeout must be .*{says}"):
        timeouts((given, 1))
    if given != 0 or given is False:
        with pytest.raises(kind, match=f"^loading_timeout must be .*{says}"):
            loading_timeout(given)


@pytest.mark.parametrize(
    ("given", "expected"), [(0, 0.0), (0.0, 0.0), (1, 1.0), (None, math.inf)], ids=repr
)
def test_how_long_a_model_that_loads_is_waited_for(given: Any, expected: float) -> None:
    assert loading_timeout(given) == expected


# --- whole numbers, yes and no ----------------------------------------------


@pytest.mark.parametrize("given", [0, 1, 10**6])
def test_a_whole_number(given: int) -> None:
    assert count("max_retries", given, at_least=0) == given


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        (-1, ValueError, "must be at least 0, not -1"),
        (2.0, TypeError, "must be a whole number, not float"),
        (math.inf, TypeError, "must be a whole number, not float"),
        (True, TypeError, "must be a whole number, not bool"),
        ("2", TypeError, "must be a whole number, not str"),
        (None, TypeError, "must be a whole number, not NoneType"),
    ],
)
def test_what_is_no_such_number_is_refused(given: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=f"^max_retries {says}$"):
        count("max_retries", given, at_least=0)


@pytest.mark.parametrize("given", [True, False])
def test_a_yes_or_a_no(given: bool) -> None:
    assert flag("strict_streams", given) is given


@pytest.mark.parametrize("given", [0, 1, "no", None, math.nan], ids=repr)
def test_what_is_neither_yes_nor_no_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^strict_streams must be True or False, not "):
        flag("strict_streams", given)


# --- whom to trust ----------------------------------------------------------


@pytest.mark.parametrize("verify", [None, True, False, "/a.pem", Path("/a.pem")])
@pytest.mark.parametrize(
    "cert", [None, "/me.pem", ("/me.pem", "/me.key"), ("/me.pem", None), Path("/me.pem")]
)
def test_what_tls_can_be_told(verify: Any, cert: Any) -> None:
    trust(verify, cert)


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({"verify": ""}, ValueError, "verify is an empty path; True: the usual authorities"),
        ({"verify": 0}, TypeError, "verify must be True, False or a path of certificates, not int"),
        ({"verify": Path}, TypeError, "a path of certificates, not type"),
        ({"verify": b"/a.pem"}, TypeError, "a path of certificates, not bytes"),
        ({"cert": 5}, TypeError, "cert must be the path of a certificate, or a pair"),
        ({"cert": []}, TypeError, "cert must be the path of a certificate, or a pair"),
        ({"cert": ("/me.pem",)}, TypeError, "cert must be the path of a certificate, or a pair"),
        ({"cert": (None, "/me.key")}, TypeError, "cert must be the path of a certificate, or a p"),
        ({"cert": ("/me.pem", 5)}, TypeError, "cert must be the path of a certificate, or a pair"),
    ],
)
def test_what_tls_cannot_be_told_is_refused(
    given: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        trust(**({"verify": None, "cert": None} | given))


# --- headers and parameters -------------------------------------------------


@pytest.mark.parametrize("value", ["", "x", "a b", "caf\u00e9", "=?utf-8?q?x?=", None, omit])
@pytest.mark.parametrize("name", ["X", "x-api-key", "X_1.2~!#$%&'*+^`|"])
def test_what_a_header_can_be(name: str, value: Any) -> None:
    assert header_fault(name, value) is None


@pytest.mark.parametrize(
    ("name", "value", "kind", "says"),
    [
        (7, "x", TypeError, "the name of a header must be a str, not int"),
        ("X Key", "x", ValueError, "no header can have the name 'X Key'"),
        ("X", 7, TypeError, "the header X must be a str, not int"),
        ("X", "s3cret\nX: 1", ValueError, "the header X holds a line break"),
        ("X", "s3cret\u20ac", ValueError, "the header X holds a line break or a character beyond"),
    ],
)
def test_what_no_header_can_be_is_told_without_its_value(
    name: Any, value: Any, kind: type[Exception], says: str
) -> None:
    fault = header_fault(name, value)
    assert type(fault) is kind
    assert str(fault).startswith(says)
    assert "s3cret" not in str(fault)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
def test_how_a_body_is_framed_is_not_the_callers_to_say(name: str) -> None:
    fault = header_fault(name, "1")
    assert str(fault) == f"the header {name} is not the caller's to set: it frames the body"
    assert type(fault) is ValueError
    assert header_fault(name, omit) is None


@pytest.mark.parametrize("value", ["a", 1, 10**5000, 0.5, True, ["a", 1], (), omit, None], ids=type)
def test_what_a_parameter_can_be(value: Any) -> None:
    assert parameter_fault("a", value) is None


@pytest.mark.parametrize(
    ("name", "value", "kind", "says"),
    [
        (1, "a", TypeError, "the name of a parameter must be a str, not int"),
        ("a", {"b": 1}, TypeError, "the parameter a must be a str or a number, not dict"),
        ("a", ["b", b"c"], TypeError, "the parameter a must be a str or a number, not bytes"),
        ("a", ["b", None], TypeError, "the parameter a must be a str or a number, not NoneType"),
        ("a", math.nan, ValueError, "the parameter a must be finite, not nan"),
        ("a", "\ud800", ValueError, "the parameter 'a' holds half a character"),
        ("\udfff", "b", ValueError, "holds half a character"),
    ],
)
def test_what_a_parameter_cannot_be_is_refused(
    name: Any, value: Any, kind: type[Exception], says: str
) -> None:
    fault = parameter_fault(name, value)
    assert type(fault) is kind
    assert says in str(fault)
