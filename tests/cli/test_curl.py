"""A request as a command: what a shell makes of it is what was meant."""

from __future__ import annotations

import doctest
import subprocess

import pytest

from rawllm.cli import curl

NASTY = "$HOME `id` $(id) \\ \" ' !! \n\t* ~ # & ; | é 😀 @file %s"


def words(command: str, key: str = "") -> list[str]:
    """The arguments that a shell gives to curl."""
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}; {command}"
    environment = {"OPENAI_API_KEY": key}
    ended = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, check=True)
    return ended.stdout.decode().split("\0")[:-1]


def test_nothing_in_it_means_anything_to_a_shell() -> None:
    command = curl.command(f"http://x/v1?q={NASTY}", NASTY, streamed=False, headers={"X": NASTY})
    assert words(command) == [
        f"http://x/v1?q={NASTY}",
        *("-H", "Content-Type: application/json"),
        *("-H", f"X: {NASTY}"),
        *("-d", NASTY),
    ]


@pytest.mark.parametrize("streamed", [True, False])
def test_only_a_stream_is_not_held_back(streamed: bool) -> None:
    assert ("-N" in words(curl.command("http://x", "{}", streamed=streamed))) is streamed


def test_the_key_is_a_variable_that_the_shell_reads() -> None:
    command = curl.command("http://x", "{}", streamed=True, has_key=True)
    assert "Authorization: Bearer sk-$1" in words(command, key="sk-$1")


def test_without_a_key_none_is_sent() -> None:
    assert "Authorization" not in curl.command("http://x", "{}", streamed=True)


def test_a_line_that_goes_on_says_so() -> None:
    first, *rest = curl.command("http://x", "{}", streamed=True).splitlines()
    assert [line.endswith(" \\") for line in (first, *rest)] == [True, True, False]


def test_the_examples_of_the_module() -> None:
    failed, attempted = doctest.testmod(curl)
    assert attempted
    assert not failed
