"""The command line: `rawllm COMMAND`, one module a command.

A command's module has `NAME`, `HELP` (one line), `USAGE` (what follows its
name), `add_arguments(parser)` and `run(arguments)`, which returns the exit
code or raises what `exits` knows. All are imported to make the parser, so that
what is heavy they import in `run`: `rawllm --help` does not load requests.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn, Protocol

from rawllm import __version__
from rawllm.cli import ask, demo, exits, models, serve, terminal
from rawllm.cli.exits import MEANINGS
from rawllm.hints import PORTS


class Command(Protocol):
    """What the module of a command offers."""

    @property
    def NAME(self) -> str:  # noqa: N802
        """What it is called by."""
        ...

    @property
    def HELP(self) -> str:  # noqa: N802
        """What it does, in a line without a full stop."""
        ...

    @property
    def USAGE(self) -> str:  # noqa: N802
        """What follows its name."""
        ...

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add its arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit code."""
        ...


COMMANDS: tuple[Command, ...] = (ask, models, serve, demo)


def main(argv: Sequence[str] | None = None, *, ports: Iterable[int] = tuple(PORTS)) -> int:
    """Run the command that `argv` (else the process's own arguments) names; the exit code.

    `ports` are those of this machine on which a server is looked for.
    """
    terminal.prepare()
    try:
        code = _run(argv, tuple(ports))
        terminal.write("")  # argparse has written, but not flushed
    except exits.KNOWN as error:
        code = exits.code(error)
        if text := exits.text(error):
            terminal.note(text)
    return code


def _run(argv: Sequence[str] | None, ports: tuple[int, ...]) -> int:
    parser = make_parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit:  # after --help and --version
        return 0
    if arguments.run is None:
        parser.print_help(sys.stderr)
        return 2
    arguments.ports = ports
    code: int = arguments.run(arguments)
    return code


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it parses has the command's `run`."""
    parser = _Parser(
        prog="rawllm",
        usage="rawllm COMMAND [options]",
        description="Talk to a server that speaks OpenAI's protocol.",
        epilog="exit codes:\n" + "\n".join(f"  {n:<3} {text}" for n, text in MEANINGS.items()),
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rawllm {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        added = commands.add_parser(
            command.NAME,
            prog=f"rawllm {command.NAME}",
            usage=f"rawllm {command.NAME} {command.USAGE}".rstrip(),
            help=command.HELP,
            description=f"{command.HELP[0].upper()}{command.HELP[1:]}.",
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """The same look on every Python."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # As since Python 3.13: `-m, --model MODEL`. Before, each name had its own MODEL.
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are those of the table of exit codes."""

    def error(self, message: str) -> NoReturn:
        """Raise `ValueError`, which is exit code 2 and a text without a traceback."""
        raise ValueError(f"{message}; `{self.prog} --help` says how")
