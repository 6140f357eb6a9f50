"""The options that say which server to ask and how, and the client they make."""

import argparse
import os

from rawllm import hints, urls
from rawllm.cli import discovery, terminal
from rawllm.client import Client
from rawllm.keys import address
from rawllm.payloads import omit


def named(arguments: argparse.Namespace) -> str:
    """The base URL that the options or the environment name, "" for none."""
    given = (arguments.base_url or "").strip()
    return given or os.environ.get("OPENAI_BASE_URL", "").strip()


def client(arguments: argparse.Namespace) -> Client:
    """A client of the server that is named, or else found, which is told on stderr.

    One that is found may be any program of this machine: it gets no key but
    that of `--api-key`. Raises `ValueError` for options that cannot be,
    `APIConnectionError` where no server is found.
    """
    timeout = omit if arguments.timeout is None else arguments.timeout
    if base_url := named(arguments):
        urls.repaired(address(base_url).bare)  # raises for "?", which would be OpenAI's address
        return Client(base_url, arguments.api_key, timeout=timeout)
    asked = Client("localhost", arguments.api_key or "", timeout=timeout)
    # Only now: what is wrong with the options is said before anybody is asked.
    ports = tuple(hints.PORTS if arguments.ports is None else arguments.ports)
    found = discovery.find(ports)
    if found is None:
        has_key = bool(os.environ.get("OPENAI_API_KEY", "").strip())
        raise discovery.nothing_found(ports, has_key=has_key)
    terminal.note(f"found a server at {found}")
    return asked.with_options(base_url=found)
