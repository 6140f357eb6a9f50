"""`rawllm models`: what the server has."""

import argparse

from rawllm.cli import connection, discovery, terminal


def run(arguments: argparse.Namespace) -> int:
    """Print the models; the exit code."""
    with connection.client(arguments) as client:
        answer = client.with_raw_response.models.list()
        names = discovery.ids(answer.parse())
        if arguments.json:
            terminal.show(terminal.fitting(answer.text.strip()) + "\n")
        else:
            terminal.show("".join(f"{name}\n" for name in names))
    if not names:
        terminal.note(f"{client.base_url} lists no model")
    return 0
