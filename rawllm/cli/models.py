"""`rawllm models`: what the server has."""

import argparse

from rawllm.cli import connection, discovery, terminal

NAME = "models"
HELP = "print the names of the server's models, one a line"
USAGE = "[options]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--json", action="store_true", help="print the server's answer as it came")
    connection.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the models; the exit code."""
    with connection.client(arguments) as client:
        answer = client.with_raw_response.models.list()
        names = discovery.ids(answer.parse())
        if arguments.json:
            terminal.write(terminal.document(answer.json()) + "\n")
        else:
            terminal.write("".join(f"{name}\n" for name in names))
    if not names:
        terminal.note(f"{client.base_url} lists no model")
    return 0
