"""The options of each command, as they are parsed."""

from __future__ import annotations

import argparse

import pytest

from rawllm.cli import options
from rawllm.cli.options import COMMANDS


def parsed(command: str, *argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    COMMANDS[command].add_arguments(parser)
    return parser.parse_args(argv)


def test_a_parameter_is_json_or_else_text() -> None:
    asked = parsed("ask", "-o", "temperature=0", "-o", 'stop=["a"]', "-o", "user=a=b", "-o", "x=")
    assert asked.option == [("temperature", 0), ("stop", ["a"]), ("user", "a=b"), ("x", "")]
    assert options.option(f"x={'[' * 100_000}")[1] == "[" * 100_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("temperature", "as temperature=0"),
        ("=0", "as temperature=0"),
        ("model=m", "model is said by -m"),
        ("messages=[]", "messages is said by the question and -s"),
        ("stream=true", "stream is said by --no-stream"),
    ],
)
def test_what_is_no_parameter_says_why(text: str, words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        options.option(text)


def test_a_server_listens_where_one_is_looked_for() -> None:
    serve = parsed("serve")
    assert (serve.host, serve.port) == ("127.0.0.1", 8000)


def test_a_host() -> None:
    assert parsed("serve", "--host", " ::1 ").host == "::1"


@pytest.mark.parametrize("text", ["", " "])
def test_what_is_no_host_says_so(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"0\.0\.0\.0 listens on every address"):
        options.host(text)


@pytest.mark.parametrize(("text", "port"), [("0", 0), ("8000", 8000), ("65535", 65535)])
def test_a_port(text: str, port: int) -> None:
    assert options.port(text) == port


@pytest.mark.parametrize("text", ["65536", "-1", "http", "", "1.5"])
def test_what_is_no_port_says_so(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="they are 1 to 65535"):
        options.port(text)


@pytest.mark.parametrize("command", ["ask", "models"])
def test_a_command_that_asks_is_told_whom_and_how(command: str) -> None:
    asked = parsed(command, "--base-url", "http://here/v1", "--api-key", "sk-1", "--timeout", "1.5")
    assert (asked.base_url, asked.api_key, asked.timeout) == ("http://here/v1", "sk-1", 1.5)


def test_the_demo_has_no_options() -> None:
    assert vars(parsed("demo")) == {}
