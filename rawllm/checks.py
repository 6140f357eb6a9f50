"""What a caller gives, checked: a mistake is a `TypeError` or `ValueError` before anything is sent.

Pure. The texts name the argument, say what came and what is wanted; those of
headers and parameters, which may be secrets, do not show what came. What is
left out: bodies, which are `payloads.py`'s, and addresses, which are `urls.py`'s.

>>> seconds("deadline", -1)
Traceback (most recent call last):
ValueError: deadline must be above 0 seconds and finite, not -1; None: no limit
"""

import math
import re
from typing import Any

from rawllm.payloads import is_given

#: Seconds: the longest silence between two bytes, or a pair (to connect, to read).
Timeout = float | tuple[float | None, float | None] | None

CONNECT_TIMEOUT = 5.0  # seconds

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
#: Half a character, which no UTF-8 holds.
SURROGATE = re.compile("[\ud800-\udfff]")
_FRAMING = ("content-length", "transfer-encoding")  # two readings of one request begin here

#: 23 days: a socket counts milliseconds in 32 bits, and 4294968 s would be 0.7 s.
_LONGEST = 2_000_000.0


# --- times, numbers, answers ------------------------------------------------


def timeouts(timeout: Timeout) -> tuple[float | None, float | None]:
    """The longest wait to connect and to read: of one number both, to connect at most 5 s."""
    if isinstance(timeout, tuple):
        if len(timeout) != 2:
            raise ValueError("timeout must be a number of seconds or a pair (to connect, to read)")
        return seconds("timeout", timeout[0]), seconds("timeout", timeout[1])
    read = seconds("timeout", timeout)
    return min(CONNECT_TIMEOUT, read or CONNECT_TIMEOUT), read


def seconds(name: str, value: Any) -> float | None:
    """`value` if it is a time to wait; `None` for no limit."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be above 0 seconds and finite, not {value}; None: no limit")
    return float(min(value, _LONGEST))


def loading_timeout(value: Any) -> float:
    """0 does not wait at all, `None` has no limit."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    return seconds("loading_timeout", value) or math.inf


def flag(name: str, value: Any) -> bool:
    """`value` if it is a yes or a no."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {type(value).__name__}")
    return value


def trust(verify: Any, cert: Any) -> None:
    """Raise `TypeError` or `ValueError` for what TLS cannot be told by `verify` and `cert`."""
    if not (verify is None or isinstance(verify, bool) or _is_path(verify)):
        kind = type(verify).__name__
        raise TypeError(f"verify must be True, False or a path of certificates, not {kind}")
    if verify == "":  # which requests takes for no check at all
        raise ValueError("verify is an empty path; True: the usual authorities, False: no check")
    paths = cert if isinstance(cert, tuple) and len(cert) == 2 and cert[0] else (cert,)
    if not all(path is None or _is_path(path) for path in paths):
        raise TypeError("cert must be the path of a certificate, or a pair of it and its key")


def _is_path(value: Any) -> bool:
    return isinstance(value, str) or hasattr(type(value), "__fspath__")


def count(name: str, value: Any, *, at_least: int) -> int:
    """`value` if it is a whole number of that size."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, not {value}")
    return value


# --- headers and parameters -------------------------------------------------


def header_fault(name: Any, value: Any) -> Exception | None:
    """Why a header cannot be that, in words that do not hold the value."""
    if not isinstance(name, str):
        return TypeError(f"the name of a header must be a str, not {type(name).__name__}")
    if not _TOKEN.fullmatch(name):
        return ValueError(f"no header can have the name {name!r}")
    if not is_given(value):
        return None
    if not isinstance(value, str):
        return TypeError(f"the header {name} must be a str, not {type(value).__name__}")
    if name.lower() in _FRAMING:
        return ValueError(f"the header {name} is not the caller's to set: it frames the body")
    text = value.strip()
    if not text.isprintable() or not all(ord(c) < 256 for c in text):
        return ValueError(f"the header {name} holds a line break or a character beyond Latin-1")
    return None


def parameter_fault(name: Any, value: Any) -> Exception | None:
    """Why a query cannot hold that, in words that do not hold the value."""
    if not isinstance(name, str):
        return TypeError(f"the name of a parameter must be a str, not {type(name).__name__}")
    if not is_given(value):
        return None
    for one in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(one, str | int | float):
            kind = type(one).__name__
            return TypeError(f"the parameter {name} must be a str or a number, not {kind}")
        if isinstance(one, float) and not math.isfinite(one):
            return ValueError(f"the parameter {name} must be finite, not {one}")
        if SURROGATE.search(name) or (isinstance(one, str) and SURROGATE.search(one)):
            return ValueError(f"the parameter {name!r} holds half a character (a lone surrogate)")
    return None
