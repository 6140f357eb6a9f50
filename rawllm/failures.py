"""From what happened to the exception, with the whole text a person will read.

A text names the method and the URL (without its secrets), what happened, in
the server's own words where it has any, and what can be done about it. What
is left out: deciding what happened, which `transport.py` and `streams.py` do.
"""

import contextlib
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from rawllm import envelopes, errors, hints, retries, urls
from rawllm.answers import Message
from rawllm.echoes import Secrets

if TYPE_CHECKING:
    from datetime import datetime

    import requests

MOST_OF_AN_ERROR = 1 << 20  # bytes of a body
_MOST = 1600  # bytes of a server's words: an error is to be read, not stored
#: Neither is a command to a terminal; Persian, Indic scripts and emoji need the joiners.
_KEPT = "\n\u200c\u200d"


class Call(NamedTuple):
    """What a text needs to know of the call that failed. `url` is already without secrets."""

    method: str
    url: str
    base_url: str
    model: str | None = None
    #: "no key", "withheld" (it goes only to known places) or "refused key" (one was sent).
    key: str = "no key"
    #: What was secret in it, so that a server's echo is not repeated.
    secret: Secrets = Secrets()

    @property
    def line(self) -> str:
        """What every text begins with."""
        return f"{self.method} {self.url}"

    @property
    def server(self) -> str | None:
        """Which server it may be, by its port."""
        return hints.server_at(urlsplit(self.base_url).port)

    def hint(self, situation: str, server: str | None = None, **facts: object) -> str:
        """The hint for a situation, as the last sentence of a text."""
        known = {"place": urlsplit(self.base_url).netloc, "base": self.base_url}
        if self.model:
            known["model"] = self.model
        return "Hint: " + hints.hint(situation, server or self.server, **(known | facts))


#: How to say what happened where there is no HTTP response, by the event of `retries.RULES`.
_EVENTS = {
    "refused": "connection refused",
    "unreachable": "no connection",
    "connect timeout": "no connection within the connect timeout",
    "dropped": "the connection closed before the answer was complete",
    "timeout": "nothing came for longer than the timeout",
    "deadline": "the deadline passed",
    "first_token_timeout": "no content came within first_token_timeout",
    "idle_timeout": "no chunk came within idle_timeout",
    "dns": "the host's name could not be resolved",
    "handshake": "the TLS handshake was not answered",
    "tls": "TLS failed",
    "plain": "TLS failed",
    "proxy": "the proxy failed",
    "proxy left": "the proxy closed the connection",
    "protocol": "the answer cannot be read",
    "closed": "close() was called",
}

_LIMITS = ("deadline", "first_token_timeout", "idle_timeout")
_TIMEOUTS = (*_LIMITS, "connect timeout", "timeout")

_HINTS = {
    "connect timeout": "unreachable",
    "handshake": "plain",
    "protocol": "not the protocol",
    "proxy left": "proxy",
}

#: What tells more than the event does: what is in the words of its cause, and the hint for that.
_TOLD = {
    "tls": (
        ("has expired", "dates"),
        ("not yet valid", "dates"),
        ("mismatch", "name"),
        ("CERTIFICATE_REQUIRED", "certificate"),
        ("ALERT_PROTOCOL_VERSION", "no agreement"),
        ("UNSUPPORTED_PROTOCOL", "no agreement"),
        ("HANDSHAKE_FAILURE", "no agreement"),
    ),
    "protocol": (("not HTTP/1 but TLS", "https"),),
}


def no_response(
    call: Call, event: str, cause: BaseException | None = None
) -> errors.APIConnectionError:
    """The exception for a call without a whole HTTP response."""
    # A handshake is also ended by who does not want it, at once.
    late = event in _TIMEOUTS or (event == "handshake" and isinstance(cause, TimeoutError))
    kind = errors.APITimeoutError if late else errors.APIConnectionError
    words = f"{call.line}: {_EVENTS[event]}"
    plain = str(cause)
    said = call.secret.hidden_in(plain)
    # What the reader of a socket sees that we shut down ourselves means nothing.
    ours = event in (*_LIMITS, "closed")
    # Neither do int()'s words on a chunk size, which http.client lets out.
    if cause is not None and not ours and type(cause) is not ValueError:
        words += f" ({_short(said.strip() or type(cause).__name__)})"
    tells = (name for told, name in _TOLD.get(event, ()) if told in plain)
    error = kind(f"{words}\n{call.hint(next(tells, _HINTS.get(event, event)))}")
    # What a server said may be long, and hold what is not to be shown.
    shown = said == plain and len(plain) <= _MOST and not ours
    error.__cause__ = cause if shown else None
    return error


def status(
    call: Call, response: "requests.Response", text: str, now: "datetime"
) -> errors.APIStatusError:
    """The exception for an answer that is an error, by its status or in a 200."""
    response, text = _hidden(call, response, text)
    found = envelopes.parse(text)
    words = found.message or text.strip()
    reason = _short(response.reason or "", 40)
    message = f"{call.line} answered {response.status_code} {reason}".rstrip()
    most = 1200 if 300 <= response.status_code < 400 else _MOST  # whose hint is long
    message += f": {_short(words, most)}" if words else ", without a word"
    if hint := _status_hint(call, response.status_code, response.headers, found):
        message = f"{message}\n{hint}"
    error = envelopes.error_class(response.status_code, found)(
        message, response=response, **_fields(response, found)
    )
    counts = envelopes.context_length(found)
    if counts and isinstance(error, errors.ContextLengthExceededError):
        error.prompt_tokens, error.context_length = counts
    if isinstance(error, errors.RateLimitError):
        error.retry_after = retries.retry_after(response.headers, now)
    return error


def _status_hint(
    call: Call, code: int, headers: Mapping[str, str], found: envelopes.Envelope
) -> str | None:
    if 300 <= code < 400 and "Location" in headers:
        location = headers["Location"]
        with contextlib.suppress(ValueError):  # it cannot be taken apart
            location = urljoin(call.url, location)
        # Once more: what was between the letters of a secret may be gone now.
        location = call.secret.hidden_in(urls.shown(location))
        return call.hint("redirect", location=_short(location, 300))
    base_path = urlsplit(call.base_url).path
    path = urlsplit(call.url).path.removeprefix(base_path)
    situation = hints.situation(code, found, path=path, base_path=base_path)
    if situation is None:
        return None
    server = hints.server_of(headers)
    if situation == "context":
        counts = envelopes.context_length(found)
        text = call.hint("context", server)
        if counts and counts.prompt_tokens and counts.context_length:
            return f"{text} ({counts.prompt_tokens} tokens, where {counts.context_length} fit)"
        return text
    return call.hint(call.key if situation == "key" else situation, server)


def not_the_protocol(
    call: Call, response: "requests.Response", body: bytes, why: str, hint: str | None = None
) -> errors.APIResponseValidationError:
    """The exception for a 2xx that is not what the protocol says."""
    body = body[:MOST_OF_AN_ERROR]
    response, text = _hidden(call, response, body.decode("utf-8", "replace").strip())
    kind = _short(response.headers.get("Content-Type", "no content type"), 100)
    seen = f": {legible(text[:200])}" if text else ""
    lacks_v1 = hints.lacks_version(urlsplit(call.base_url).path)
    advice = call.hint("v1" if lacks_v1 and hint != "long" else hint or "not the protocol")
    return errors.APIResponseValidationError(
        f"{call.line} answered {response.status_code} with {why} ({kind}){seen}\n{advice}",
        response=response,
        body=text or None,
        request_id=response.headers.get("x-request-id"),
    )


def in_stream(
    call: Call, response: "requests.Response", text: str, partial: Any
) -> errors.StreamAPIError:
    """The exception for an error that the server put into a stream."""
    response, text = _hidden(call, response, text)
    found = envelopes.parse(text)
    code = envelopes.status_of(found)
    words = _short(found.message or text)
    message = f"{call.line}: the server ended the stream with an error: {words}"
    if hint := _status_hint(call, code or response.status_code, response.headers, found):
        message = f"{message}\n{hint}"
    error = errors.StreamAPIError(message, partial=partial, **_fields(response, found))
    error.status_code = code
    return error


def incomplete(call: Call, why: str, partial: Any) -> errors.IncompleteStreamError:
    """The exception for a stream that ended before the answer did.

    `why` is a line, and a hint in a second one if there is any.
    """
    why, _, hint = why.partition("\n")
    message = f"{call.line}: the stream ended before the answer did: {why}; {_came(partial)}"
    return errors.IncompleteStreamError(
        f"{message} (see .partial)\n{hint}".rstrip(), partial=partial
    )


def _came(partial: Any) -> str:
    """How much of the answer there was, counted in what there was of it."""
    choices = partial["choices"]
    said = [m for c in choices if isinstance(m := c.get("message"), Message)]
    text = sum(len(m.text) for m in said) + sum(len(str(c.get("text", ""))) for c in choices)
    thought = sum(len(m.reasoning_text) for m in said)
    lists = [m.get("tool_calls") for m in said]
    calls = sum(len(listed) for listed in lists if isinstance(listed, list))
    calls += sum("function_call" in m for m in said)
    came = []
    if text or not (thought or calls):
        came.append(f"{text} characters of text had come" if choices else "nothing had come")
    elif thought:
        came.append(f"no text but {thought} characters of reasoning had come")
    if calls:
        came.append(f"{calls} tool call{'s' * (calls > 1)} had begun")
    return ", and ".join(came)


def bare(error: BaseException, context: BaseException | None) -> None:
    """Take from `error` all that led to it within rawllm: frames hold what was sent and said.

    `context` is what the caller was handling meanwhile, and stays.
    """
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = link.__context__ = None
        link = link.__cause__
    error.__context__, error.__suppress_context__ = context, False


def _hidden(
    call: Call, response: "requests.Response", text: str
) -> tuple["requests.Response", str]:
    """`response` and `text`, which is of its body, without the request's secrets, and bounded.

    If there are any, it is a copy: what the caller holds stays as it came.
    """
    hide, text = call.secret.hidden_in, text[:MOST_OF_AN_ERROR]
    body = response._content or b""  # of a stream there is but the end
    shown = hide(body[:MOST_OF_AN_ERROR].decode("latin-1")).encode("latin-1")
    if not body or shown != body:
        text = hide(text)
    cookies = [cookie.value or "" for cookie in response.cookies]
    head = "\n".join([response.reason or "", *response.headers.values(), *cookies])
    if shown == body and hide(head) == head:
        return response, text
    copy = object.__new__(type(response))  # copy.copy() would read a stream to its end
    vars(copy).update(vars(response), raw=io.BytesIO(shown))
    copy._content = shown if body else response._content
    copy.reason = hide(response.reason or "")
    copy.headers = type(response.headers)({k: hide(v) for k, v in response.headers.items()})
    copy.cookies = response.cookies.copy()
    for cookie in copy.cookies:
        cookie.value = hide(cookie.value or "")
    return copy, text


def _fields(response: "requests.Response", found: envelopes.Envelope) -> dict[str, Any]:
    return {
        "body": found.body,
        "code": found.code,
        "param": found.param,
        "type": found.type,
        "request_id": response.headers.get("x-request-id"),
    }


def legible(words: str, most: int = _MOST) -> str:
    """The beginning of a server's `words`, of at most `most` bytes, as a terminal may get it."""
    # A control character may be a command to the terminal; a surrogate cannot be printed at all.
    seen = "".join(
        c if c.isprintable() or c in _KEPT else " " if c.isspace() else "\ufffd"
        for c in words[:most]
    )
    return seen.encode()[:most].decode(errors="ignore")


def _short(words: str, most: int = _MOST) -> str:
    seen = legible(words, most)
    return seen if len(seen) == len(words) else f"{seen}…"
