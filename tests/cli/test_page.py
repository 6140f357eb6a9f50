"""docs/reference/command-line.md says what the command says, and its examples run."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from rawllm import hints
from rawllm.cli import exits
from rawllm.cli.options import COMMANDS
from tests.cli.conftest import Run
from tests.cli.servers import models
from tests.servers import CHAT, EVENTS, answer, serve, stream
from tests.test_docs import DOCS, blocks, rows

PAGE = DOCS / "reference/command-line.md"
EXAMPLES = [block for block in blocks(PAGE) if block.text.startswith("$ ")]


def answers(argv: list[str]) -> list[bytes]:
    """What the server of an example says."""
    if argv[0] == "models":
        return [models("llama3")]
    return [answer(json.dumps(CHAT, indent=2).encode()) if "--json" in argv else stream(*EVENTS)]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.text.splitlines()[0])
def test_an_example_prints_what_is_shown(
    block: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, _, shown = block.text.removeprefix("$ ").partition("\n")
    before, _, after = command.rpartition(" | ")
    program, *argv = shlex.split(after)
    assert program == "rawllm"
    with serve(*answers(argv)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        ended = run(*argv, piped=b"what another command printed" if before else b"")
    assert ended == (0, shown, "")


def test_every_block_is_an_example() -> None:
    assert blocks(PAGE) == EXAMPLES


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_help_of_every_command_is_shown(name: str) -> None:
    command = f"rawllm {name} --help".replace("  ", " ")
    assert [block for block in EXAMPLES if block.text.startswith(f"$ {command}\nusage: ")]


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    shown = [row for row in rows(PAGE) if len(row) == 3]
    assert shown == [
        [
            str(code),
            meaning,
            ", ".join(f"`{kind.__name__}`" for kind, its in exits.CODES.items() if its == code),
        ]
        for code, meaning in exits.MEANINGS.items()
    ]


def test_the_table_of_ports_is_that_of_the_code() -> None:
    shown = [row for row in rows(PAGE) if row[0].isdigit() and len(row) == 2]
    assert shown == [[str(port), server] for port, server in hints.PORTS.items()]
