"""Ways in for a secret, times all that can fail, times the ways out: it comes out of none."""

from __future__ import annotations

import copy
import html
import json
import pickle
import re
import socket
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus

import pytest
import requests

import rawllm
from rawllm.cli import main
from tests.faults.conftest import Note
from tests.servers import (
    CHAT,
    EVENTS,
    LAST_CHUNK,
    STREAM_HEAD,
    End,
    Script,
    Step,
    answer,
    chunk,
    event,
    head,
    piece,
    serve,
    stream,
)

CHAPTER = "secrets"

#: One as long as OpenAI's, one that has to be quoted in addresses, in HTML and in JSON.
SECRETS = ["sk-proj-5Kd0xQ_" + "9fT3-bW7zRp2" * 12, "p+s/w=&<'\"%41\\z"]

#: The loggers that are looked at, with all that is below them.
LOGGERS = ("rawllm", "urllib3")

NOWHERE = "in no text, `repr`, traceback with locals, attribute, pickle, copy or log"


# --- ways in ----------------------------------------------------------------

Arguments = Mapping[str, Any]


class Way(NamedTuple):
    """How a client comes to know a secret: arguments, options of the call, variables.

    In each text `URL` stands for the server's, `LOGIN` for that with a password,
    `SECRET` for the secret, and `QUOTED` for it as it stands in an address.
    """

    arguments: Arguments
    options: Arguments = MappingProxyType({})
    environ: Arguments = MappingProxyType({})
    #: A path to ask, rather than for a chat.
    path: str = ""


ASKED = {"base_url": "URL"}
ELSEWHERE = {"base_url": "http://llm.test/v1"}
HEADERS = {"X-Api-Key": "SECRET", "Cookie": "a=SECRET"}
BEARER = {"Authorization": "Bearer SECRET"}
PROXIES = {"http": "LOGIN", "https": "LOGIN"}

WAYS: dict[str, Way] = {
    "`api_key=`": Way(ASKED | {"api_key": "SECRET"}),
    "`OPENAI_API_KEY`": Way(ASKED, environ={"OPENAI_API_KEY": "SECRET"}),
    "`user:password@` in `base_url=`": Way({"base_url": "LOGIN"}),
    "`user:password@` in `OPENAI_BASE_URL`": Way({}, environ={"OPENAI_BASE_URL": "LOGIN"}),
    "`?key=` in `base_url=`": Way({"base_url": "URL?key=QUOTED"}),
    "`?api_key=` in `base_url=`": Way({"base_url": "URL?api_key=QUOTED"}),
    "`?token=` in `base_url=`": Way({"base_url": "URL?token=QUOTED"}),
    "`?key=` in a path": Way(ASKED, path="/x?key=QUOTED"),
    "`default_headers=`": Way(ASKED | {"default_headers": HEADERS}),
    "`default_query=`": Way(ASKED | {"default_query": {"sig": ["SECRET", "SECRET"]}}),
    "`extra_headers=`": Way(ASKED, {"extra_headers": BEARER}),
    "`extra_query=`": Way(ASKED, {"extra_query": {"key": "SECRET"}}),
    "`proxies=` with a password": Way(ELSEWHERE | {"proxies": PROXIES}),
    "`HTTP_PROXY` with a password": Way(
        ELSEWHERE, environ={"HTTP_PROXY": "LOGIN", "HTTPS_PROXY": "LOGIN"}
    ),
    "`session=` with `auth`": Way(ASKED | {"session": ("me", "SECRET")}),
}


def filled(template: Any, url: str, secret: str) -> Any:
    """`template` with what its words stand for."""
    if isinstance(template, str):
        quoted = quote(secret, safe="")
        template = template.replace("LOGIN", url.replace("//", f"//me:{quoted}@"))
        return template.replace("URL", url).replace("QUOTED", quoted).replace("SECRET", secret)
    if isinstance(template, list):
        return [filled(one, url, secret) for one in template]
    if isinstance(template, tuple):
        session = requests.Session()
        session.auth = tuple(filled([*template], url, secret))
        session.trust_env = False
        return session
    return {name: filled(value, url, secret) for name, value in template.items()}


# --- what happens -----------------------------------------------------------


def echoes(secret: str) -> str:
    """The secret in the forms in which a server may repeat it."""
    escaped = "".join(f"\\u{ord(c):04x}" for c in secret)
    basic = b64encode(f"me:{secret}".encode()).decode()
    forms = [secret, quote(secret, safe=""), html.escape(secret), escaped, basic, f"me:{secret}"]
    return " or ".join(forms)


def error(secret: str) -> bytes:
    words = f"wrong key {echoes(secret)}"
    told = json.dumps({"error": {"message": words, "code": secret, "param": secret}})
    return told.replace("\\\\u", "\\u").encode()


def page(secret: str) -> bytes:
    return f"<html><body>Log in: {echoes(secret)}</body></html>".encode()


def heads(secret: str) -> dict[str, Any]:
    quoted = quote(secret, safe="")
    return {
        "X_Echo": secret,
        "x_request_id": quoted,
        "Set_Cookie": f"was={quoted}",
        "WWW_Authenticate": f'Basic realm="{secret}"',
        "Location": f"https://login.test/?next=%2Fv1%3Fkey%3D{quote(quoted)}",
    }


class Event(NamedTuple):
    """What a server does that was told a secret, and what the caller sees."""

    script: Callable[[str], Script]
    #: `None` for an answer.
    kind: type[Exception] | None = rawllm.APIError
    options: Arguments = MappingProxyType({})
    #: Whether it happens to chats alone.
    of_chats: bool = False
    scheme: str = "http"


def refused(status: int) -> Event:
    return Event(lambda s: [answer(error(s), status, **heads(s))])


def said(body: Callable[[str], Any], status: int = 200, **headers: str) -> Event:
    """It answers so, and no chat is answered so."""
    return Event(lambda s: [answer(body(s), status, **(heads(s) | headers))])


def streamed(last: Callable[[str], bytes]) -> Event:
    def script(secret: str) -> Script:
        return [STREAM_HEAD, chunk(event(EVENTS[0])), chunk(last(secret)), LAST_CHUNK]

    return Event(script, options={"stream": True}, of_chats=True)


def cut_short(chunk: Callable[[str], str]) -> Event:
    """What takes the place of a chunk ends the body."""
    return Event(lambda s: [head(transfer_encoding="chunked"), chunk(s).encode(), End.FIN])


def always(*steps: Step, **more: Any) -> Event:
    """What is the same whatever the secret."""

    def script(_: str) -> Script:
        return steps

    return Event(script, **more)


NAN = float("nan")
BROKEN = STREAM_HEAD + chunk(event(piece("x"))) + LAST_CHUNK

HAPPENING: dict[str, Event] = {
    "an answer": always(answer(CHAT), kind=None, of_chats=True),
    "a stream": always(stream(*EVENTS), kind=None, options={"stream": True}, of_chats=True),
    **{str(status): refused(status) for status in (400, 401, 407, 429, 500)},
    "a redirect elsewhere": refused(307),
    "an error in a 200": refused(200),
    "an error page": said(page, 403, content_type="text/html"),
    "a reason phrase": Event(lambda s: [f"HTTP/1.1 403 {s}\r\n\r\n".encode(), End.FIN]),
    "a login page": said(page, content_type="text/html"),
    "no JSON": said(lambda s: f'{{"x": "{s}", y'.encode()),
    "not the protocol": said(lambda s: [s, {"message": s}])._replace(of_chats=True),
    "no list of choices": said(lambda s: {"choices": s})._replace(of_chats=True),
    "an error in a stream": streamed(lambda s: b"data: " + error(s) + b"\n\n"),
    "an error event": streamed(lambda s: b"event: error\ndata: " + error(s) + b"\n\n"),
    "a stream of other things": streamed(lambda s: event(f"{{{s}")),
    "a stream that is cut": always(BROKEN, options={"stream": True}, of_chats=True),
    "silence": always(End.HOLD, options={"timeout": 0.02}),
    "a deadline": always(End.HOLD, options={"deadline": 0.02}),
    "a reset": always(End.RST),
    "a body that is cut": always(answer(CHAT)[:-9], End.RST),
    "no HTTP": Event(lambda s: [f"SSH-2.0-{s}\r\n\r\n".encode(), End.FIN]),
    "a status that is none": Event(lambda s: [f"HTTP/1.1 {s}\r\n\r\n".encode(), End.FIN]),
    "a header that is none": Event(
        lambda s: [f"HTTP/1.1 200 OK\r\nkey {s}\r\n\r\n".encode(), End.FIN]
    ),
    "a length that is none": Event(lambda s: [head(content_length=s), End.FIN]),
    "a coding that is none": Event(lambda s: [head(transfer_encoding=s), End.FIN]),
    "a chunk's size that is none": cut_short(lambda s: f"{s}\r\n"),
    "what no chunk ends with": cut_short(lambda s: f"2\r\n{{}}{s}\r\n"),
    # It may be silent: what it reads is no request, unless there is a line break in it.
    "TLS that is none": always(answer(CHAT), scheme="https", options={"timeout": 0.1}),
    "nobody listens": always(),
    "a mistake": always(kind=ValueError, options={"deadline": NAN}),
    "NaN": always(kind=ValueError, options={"temperature": NAN}, of_chats=True),
}


class Came(NamedTuple):
    """What came of a call: the client, and the exception or else the answer."""

    client: rawllm.Client
    error: Exception | None
    answer: Any


def happen(way: Way, what: Event, secret: str, stack: ExitStack) -> Came:
    """Make it happen to a client that was told `secret` in this way."""
    script = what.script(secret)
    if script:
        url = stack.enter_context(serve(script)).url
    else:
        with socket.create_server(("127.0.0.1", 0)) as free:
            url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    url = url.replace("http:", f"{what.scheme}:")
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    for name, value in filled(way.environ, url, secret).items():
        patch.setenv(name, value)
    arguments = filled(way.arguments, url, secret)
    options = {**what.options, **filled(way.options, url, secret)}
    client = stack.enter_context(rawllm.Client(**arguments, max_retries=0))
    try:
        if way.path:
            return Came(client, None, client.get(filled(way.path, url, secret), **options))
        raw = client.with_raw_response.chat.completions.create(model="m", messages="x", **options)
        list(raw.parse())
    except (rawllm.OpenAIError, TypeError, ValueError) as caught:
        # The first frame is this one, which has to know the secret.
        here = caught.__traceback__
        return Came(client, caught.with_traceback(here and here.tb_next), None)
    return Came(client, None, raw)


# --- ways out ---------------------------------------------------------------


def chain(error: BaseException) -> Iterator[BaseException]:
    """`error`, and what it came of, be it printed or not."""
    todo, seen = [error], set()
    while todo:
        link = todo.pop()
        if id(link) not in seen:
            yield link
            seen.add(id(link))
            todo += filter(None, [link.__cause__, link.__context__])


def of_frames(error: BaseException) -> Iterator[tuple[str, str]]:
    """The locals of every frame, of whichever library's, as those who walk frames print them."""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        for name, value in trace.tb_frame.f_locals.items():
            yield f"{code.co_filename}:{trace.tb_lineno}:{name}", repr(value)
        trace = trace.tb_next


def of_response(response: requests.Response) -> Iterator[tuple[str, str]]:
    for name in ("headers", "text", "url", "reason", "cookies", "history", "links"):
        yield f"response.{name}", repr(getattr(response, name))
    yield "response", str(vars(response))
    yield from of_request(response)
    yield "the response's pickle", pickle.dumps(response).decode("latin-1")
    yield "the response's copy", str(vars(copy.copy(response)))


def of_request(response: requests.Response) -> Iterator[tuple[str, str]]:
    request = response.request
    yield "request", f"{request.url} {request.headers} {request.body!r} {vars(request)}"
    yield "the request's pickle", pickle.dumps(request).decode("latin-1")


def of_error(error: Exception) -> Iterator[tuple[str, str]]:
    for link in chain(error):
        yield "text", f"{link} {link!r} {getattr(link, '__notes__', '')}"
        yield "attributes", str(vars(link))
        yield from of_frames(link)
    yield "traceback", "".join(traceback.format_exception(error))
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    yield "traceback with locals", "".join(told.format())
    yield "pickle", pickle.dumps(error).decode("latin-1")
    yield "pickle of all", str(vars(pickle.loads(pickle.dumps(error))))
    yield "copy", str(vars(copy.copy(error)))
    response = getattr(error, "response", None)
    if response is not None:
        yield from of_response(response)


def of_answer(raw: Any) -> Iterator[tuple[str, str]]:
    for thing in (raw, raw.parse(), raw.reply, raw.reply.call):
        yield type(thing).__name__, f"{thing} {thing!r} {getattr(thing, '__dict__', '')}"
    yield "vars(response)", str(vars(raw.http_response))
    yield from of_request(raw.http_response)


def of_client(client: rawllm.Client) -> Iterator[tuple[str, str]]:
    yield "client", f"{client} {client!r} {vars(client)}"
    yield "the client's copy", str(vars(copy.deepcopy(client)))
    if not client._given["session"]:  # which pickles with all it holds
        yield "the client's pickle", pickle.dumps(client).decode("latin-1")


def ways_out(came: Came) -> Iterator[tuple[str, str]]:
    yield from of_client(came.client)
    yield from of_error(came.error) if came.error else of_answer(came.answer)


def unescaped(text: str) -> str:
    """As JSON and Python read it."""
    return re.sub(r"\\(?:u([0-9a-f]{4})|(.))", lambda m: chr(int(m[1], 16)) if m[1] else m[2], text)


READERS: tuple[Callable[[str], str], ...] = (unquote_plus, html.unescape, unescaped)


def shows(text: str, secret: str, depth: int = 1) -> bool:
    """Whether `secret` or its beginning is in it, be it quoted so often, or in base64."""
    basic = b64encode(f"me:{secret}".encode()).decode()
    if secret[:16] in text or basic[:24] in text:
        return True
    read = {reader(text) for reader in READERS if depth} - {text}
    return any(shows(one, secret, depth - 1) for one in read)


def shown(came: Came, secret: str) -> list[str]:
    return [where for where, text in ways_out(came) if shows(text, secret)]


# --- tests ------------------------------------------------------------------


def cases(way: Way, part: int, of: int) -> Iterator[tuple[str, Event]]:
    """All that can happen to a client that was told in this way, or one part of it."""
    fitting = [(name, e) for name, e in HAPPENING.items() if not (way.path and e.of_chats)]
    yield from fitting[part % of :: of]


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_comes_out_nowhere(
    way: str, note: Note, thorough: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    number = [*WAYS].index(way)
    seen = 0
    for each, secret in enumerate(SECRETS):
        part = (0, 1) if thorough else (number + 2 * each, 4)
        for name, what in cases(WAYS[way], *part):
            caplog.clear()
            with ExitStack() as stack:
                came = happen(WAYS[way], what, secret, stack)
                assert isinstance(came.error, what.kind or type(None)), (name, came)
                assert shown(came, secret) == [], name
                seen += len([*ways_out(came)])
            logged = [r for r in caplog.records if r.name.startswith(LOGGERS)]
            assert not [r for r in logged if shows(r.getMessage(), secret)], name
    note(way, NOWHERE, seen)


@pytest.mark.parametrize("command", ["text", "--no-stream", "--json", "--curl", "models"])
def test_the_command_line_shows_no_secret(
    command: str, note: Note, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = {"text": ["ask", "-m", "m", "x"], "models": ["models"]}.get(
        command, ["ask", "-m", "m", "x", command]
    )
    seen = 0
    for secret in SECRETS:
        for script in (
            [answer(error(secret), 401, **heads(secret))],
            [answer(page(secret), content_type="text/html", **heads(secret))],
            [STREAM_HEAD, chunk(b"data: " + error(secret) + b"\n\n"), LAST_CHUNK],
        ):
            with serve(script) as server:
                given = ["--api-key", secret, "--base-url", server.url]
                monkeypatch.setenv("OPENAI_API_KEY", secret)
                for told in (given, ["--base-url", filled("LOGIN", server.url, secret)], given[2:]):
                    main([*argv, *told])
                    out, err = capfd.readouterr()
                    assert out + err
                    assert not shows(out + err, secret)
                    seen += 1
    note("`--api-key`, `OPENAI_API_KEY`, `--base-url`", "in nothing that `rawllm` prints", seen)


def test_what_would_show_is_noticed() -> None:
    """The net holds: a client that is not ours is caught in it."""
    secret = SECRETS[0]
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get(f"http://127.0.0.1:9/?key={secret}", headers={"Key": secret}, timeout=1)
    found = {where for where, text in of_error(caught.value) if shows(text, secret)}
    assert {"text", "traceback", "traceback with locals", "pickle"} <= found
    assert any("connectionpool.py" in where for where in found)


@pytest.mark.parametrize("name", ["quoted", "JSON", "HTML", "base64"])
def test_a_secret_is_seen_however_it_is_quoted(name: str) -> None:
    secret = SECRETS[1]
    forms = {
        "quoted": quote(secret, safe=""),
        "JSON": json.dumps(secret),
        "HTML": html.escape(secret),
        "base64": b64encode(f"me:{secret}".encode()).decode(),
    }
    assert shows(f"x{forms[name]}x", secret)
