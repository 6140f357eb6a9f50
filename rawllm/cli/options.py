"""The commands and their options: all that `rawllm --help` knows of them.

Light, so that it is quick: a command's own module, which has the name of the
command and a `run(arguments)`, is loaded when the command is run.

>>> option("temperature=0"), option("stop=."), option('stop=["a", "b"]')
(('temperature', 0), ('stop', '.'), ('stop', ['a', 'b']))
"""

import argparse
import json
from collections.abc import Callable
from typing import Any, NamedTuple

_LONGEST_PORT = 65535

#: What a request gets from elsewhere than `-o`.
_ELSEWHERE = {"model": "-m", "messages": "the question and -s", "stream": "--no-stream"}


class Command(NamedTuple):
    """What is said of a command, and its options."""

    #: What it does, in a line without a full stop.
    help: str
    #: What follows its name.
    usage: str
    add_arguments: Callable[[argparse.ArgumentParser], None]


def _ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "question",
        metavar="QUESTION",
        nargs="?",
        default="",
        help="the question; text on stdin goes before it, or alone",
    )
    parser.add_argument(
        "-m", "--model", help="the model's name (default: the first that the server lists)"
    )
    parser.add_argument("-s", "--system", metavar="TEXT", help="a system message")
    parser.add_argument(
        "-o",
        "--option",
        metavar="KEY=VALUE",
        type=option,
        action="append",
        default=[],
        help="a parameter of the request, as temperature=0; the value is JSON, else text; "
        "can be given several times",
    )
    parser.add_argument(
        "--no-stream", action="store_true", help="print the answer once it is whole"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the whole answer as the server sent it"
    )
    parser.add_argument(
        "--curl",
        action="store_true",
        help="print the request as a curl command; do not send it",
    )
    _server(parser)


def _models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the server's answer as it came")
    _server(parser)


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        type=host,
        default="127.0.0.1",
        help="the address to listen on (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--port", type=port, default=8000, help="the port; 0 takes a free one (default: 8000)"
    )
    parser.add_argument(
        "--list", action="store_true", help="print the scenarios and what each does; serve nothing"
    )
    group = parser.add_argument_group("what is answered")
    group.add_argument(
        "--scenario",
        metavar="NAME",
        help="what a model does whose name is no scenario (default: plain)",
    )
    group.add_argument(
        "--strict", action="store_true", help="refuse a model whose name is no scenario"
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        action="append",
        default=[],
        help="ask for this key, or for one of them if given several times",
    )
    group.add_argument(
        "--replay", metavar="DIR", help="answer with the recordings in this directory instead"
    )


def _demo(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def _server(parser: argparse.ArgumentParser) -> None:
    """Which server is asked, and how; `connection.client` reads them."""
    group = parser.add_argument_group("the server")
    group.add_argument(
        "--base-url",
        metavar="URL",
        help="its address, as http://localhost:11434/v1; without it OPENAI_BASE_URL, "
        "else the first server found on this machine",
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        help="the key; without it OPENAI_API_KEY, which other users of the machine cannot see, "
        "if the server is named",
    )
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        help="the longest silence of the server (default: 600)",
    )


def option(text: str) -> tuple[str, Any]:
    """One parameter of the request."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE, as temperature=0")
    if name in _ELSEWHERE:
        raise argparse.ArgumentTypeError(f"{name} is said by {_ELSEWHERE[name]}")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def host(text: str) -> str:
    """An address to listen on. An empty one would be all of them, to anybody on the network.

    >>> host(" localhost ")
    'localhost'
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; 0.0.0.0 listens on every address")
    return text.strip()


def port(text: str) -> int:
    """A port's number, of which there are 65535; 0 stands for any.

    >>> port("8000")
    8000
    """
    if not text.isdecimal() or int(text) > _LONGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: they are 1 to {_LONGEST_PORT}")
    return int(text)


COMMANDS: dict[str, Command] = {
    "ask": Command(
        "ask one question and print the answer as it comes", "[options] [QUESTION]", _ask
    ),
    "models": Command("print the names of the server's models, one a line", "[options]", _models),
    "serve": Command(
        "run a pretended server, which fails as real ones do, on demand", "[options]", _serve
    ),
    "demo": Command(
        "show the protocol at work, byte for byte; needs no server", "[options]", _demo
    ),
}
