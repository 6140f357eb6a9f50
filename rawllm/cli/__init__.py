"""The command line: `rawllm COMMAND`, one module a command.

What is left out: the commands' options, which `options.py` has, and what is
heavy, which a command's module imports when it is run: `rawllm --help` loads
no requests.
"""

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from rawllm import __version__
from rawllm.cli import exits, terminal
from rawllm.cli.options import COMMANDS


def main(argv: Sequence[str] | None = None, *, ports: Iterable[int] | None = None) -> int:
    """Run the command that `argv` (else the process's own arguments) names; the exit code.

    `ports` are those of this machine on which a server is looked for, where
    they are not the known ones.
    """
    terminal.prepare()
    try:
        code = _run(argv, ports)
        terminal.write("")  # argparse has written, but not flushed
    except exits.KNOWN as error:
        code = exits.code(error)
        if text := exits.text(error):
            terminal.note(text)
    return code


def _run(argv: Sequence[str] | None, ports: Iterable[int] | None) -> int:
    parser = make_parser()
    try:
        arguments, unknown = parser.parse_known_args(argv)
    except SystemExit:  # after --help and --version
        return 0
    if unknown:
        raise ValueError(_not_understood(arguments.command, unknown))
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return 2
    arguments.ports = ports
    code: int = importlib.import_module(f"rawllm.cli.{arguments.command}").run(arguments)
    return code


def _not_understood(command: str | None, words: Sequence[str]) -> str:
    said = f"unrecognized arguments: {' '.join(words)}"
    if command == "ask" and not any(word.startswith("-") for word in words):
        return f"{said}; put the question in quotes"
    return f"{said}; `{' '.join(filter(None, ['rawllm', command]))} --help` says how"


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it parses has the name of one as `command`."""
    parser = _Parser(
        prog="rawllm",
        usage="rawllm COMMAND [options]",
        description="Talk to a server that speaks OpenAI's protocol.",
        epilog="exit codes:\n"
        + "\n".join(f"  {n:<3} {text}" for n, text in exits.MEANINGS.items()),
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rawllm {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name, command in COMMANDS.items():
        added = commands.add_parser(
            name,
            prog=f"rawllm {name}",
            usage=f"rawllm {name} {command.usage}",
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        command.add_arguments(added)
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
