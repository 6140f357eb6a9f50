"""`rawllm serve`: the reference server, for programs of your own, until Ctrl-C.

Its base URL is the first line on stdout, so that a script can read it; all
else goes to stderr, a line for each request. It uses nothing of the client.
What is left out: what is answered, which `rawllm.testing` says.
"""

import argparse
import errno
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rawllm.cli import exchanges, terminal

if TYPE_CHECKING:
    from rawllm.testing import Exchange, Request
    from rawllm.testing.scripts import Script


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C, which is a `KeyboardInterrupt`; or list the scenarios."""
    from rawllm.testing import Server  # here and not above: `rawllm --help` needs no server

    if arguments.list:
        terminal.write(_scenarios())
        return 0
    answer = _answer(arguments)
    try:
        server = Server(answer, host=arguments.host, port=arguments.port, seen=_tell)
    except OSError as error:
        raise OSError(_elsewhere(arguments, error)) from error
    with server:
        terminal.note(_welcome(arguments, server.url))
        terminal.write(f"{server.url}\n")
        while True:
            # A Ctrl-C that comes right before it sleeps does not wake it.
            time.sleep(0.5)


def _answer(arguments: argparse.Namespace) -> "Callable[[Request], Script]":
    """What answers a request. `ValueError` for what there is not, and for what excludes itself."""
    from rawllm.testing import Site
    from rawllm.testing.replay import Replay

    if arguments.replay is None:
        scenario = arguments.scenario or "plain"
        return Site(scenario, keys=arguments.api_key, strict=arguments.strict).answer
    if arguments.scenario or arguments.strict or arguments.api_key:
        raise ValueError("--replay answers as recorded: leave out --scenario, --strict, --api-key")
    return Replay(arguments.replay).answer


# --- what is said -----------------------------------------------------------

#: What another port would mend: one that is taken, or needs rights.
_OF_THE_PORT = (errno.EADDRINUSE, errno.EACCES)


def _scenarios() -> str:
    from rawllm.testing import SCENARIOS

    width = max(map(len, SCENARIOS))
    return "".join(f"{name:<{width}}  {row.about}\n" for name, row in SCENARIOS.items())


def _elsewhere(arguments: argparse.Namespace, error: OSError) -> str:
    why = str(error.strerror).partition(" (")[0]  # behind it Python says the place once more
    said = f"cannot listen on {arguments.host}:{arguments.port}: {why}"
    if error.errno in _OF_THE_PORT:
        return f"{said}; --port names another port, and `--port 0` takes a free one"
    return said


def _welcome(arguments: argparse.Namespace, base_url: str) -> str:
    if arguments.replay is not None:
        return f"serving the recordings of {arguments.replay} until Ctrl-C"
    server = f"--base-url {base_url}" + (" --api-key KEY" if arguments.api_key else "")
    return f"""serving until Ctrl-C; from another terminal, try
  rawllm ask {server} "Hello"
  rawllm ask {server} -m cut-fin "Hello"
  rawllm models {server}
The name of the model chooses what happens; `rawllm serve --list` explains each."""


def _tell(exchange: "Exchange") -> None:
    """Write the line about a request. Its headers and its query, where keys are, stay out."""
    request = exchange.request
    words = [request.method, request.path, _model(request)]
    said = " ".join(filter(None, words)).encode("unicode_escape").decode()
    terminal.note(f"{said} -> {_outcome(exchange)}")


def _model(request: "Request") -> str:
    try:
        return str(request.json["model"])
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""


def _outcome(exchange: "Exchange") -> str:
    """The status and what was sent, or where it was cut."""
    raw = exchange.raw
    if not raw:
        return "closed without an answer"
    status = raw[9:12].decode("latin-1")
    if exchange.request.method != "HEAD" and exchanges.is_cut(raw):
        return f"{status}, cut after {len(raw)} bytes"
    return f"{status}, {len(raw)} bytes in {exchange.sent[-1][0] * 1000:.0f} ms"
