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
        *("-sS", "-g"),
        f"http://x/v1?q={NASTY}",
        *("-H", "Content-Type: application/json"),
        *("-H", f"X: {NASTY}"),
        *("-d", NASTY),
    ]


@pytest.mark.parametrize("streamed", [True, False])
def test_only_a_stream_is_not_held_back(streamed: bool) -> None:
    assert ("-N" in words(curl.command("http://x", "{}", streamed=streamed))) is streamed


@pytest.mark.parametrize(
    ("host", "local"),
    [("localhost:8000", True), ("127.0.0.2", True), ("[::1]:1", True), ("example.com", False)],
)
def test_this_machine_is_asked_without_a_proxy(host: str, local: bool) -> None:
    got = words(curl.command(f"http://{host}/v1", "{}", streamed=False))
    assert ("--noproxy" in got) is local
    assert ("*" in got) is local


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_body_too_large_for_an_argument_comes_from_stdin(letter: str) -> None:
    body = f'{{"x":"{letter * (100_000 // len(letter.encode()))} $HOME `id` \\"}}'
    command = curl.command("http://x", body, streamed=False, has_key=True)
    assert words(command, key="k")[-2:] == ["--data-binary", "@-"]
    script = f"curl() {{ cat; }}; {command}\necho after"
    ended = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert ended.stdout.decode() == f"{body}\nafter\n"


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
