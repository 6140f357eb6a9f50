"""Which server is asked, by which options, and in what order they count."""

from __future__ import annotations

import argparse
from collections.abc import Collection

import pytest

import rawllm
from rawllm.cli import connection
from rawllm.cli.options import COMMANDS
from tests.cli.servers import LISTED
from tests.servers import serve


def arguments(*argv: str, ports: Collection[int] = ()) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    COMMANDS["models"].add_arguments(parser)
    parsed = parser.parse_args(argv)
    parsed.ports = ports
    return parsed


def test_the_option_counts_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://two/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-two")
    with connection.client(arguments("--base-url", "http://one/v1", "--api-key", "sk-1")) as client:
        assert (client.base_url, client.api_key) == ("http://one/v1", "sk-1")


@pytest.mark.parametrize(
    "argv", [(), ("--base-url", ""), ("--base-url", " ")], ids=["absent", "empty", "blank"]
)
def test_the_environment_counts_before_what_is_found(
    argv: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", " http://two/v1 ")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-two")
    with serve(LISTED) as server, connection.client(arguments(*argv, ports=[server.port])) as made:
        assert (made.base_url, made.api_key) == ("http://two/v1", "sk-two")
        assert server.requests == []


@pytest.mark.parametrize(
    ("argv", "key"),
    [
        pytest.param((), "", id="environment"),
        pytest.param(("--api-key", "sk-1"), "sk-1", id="option"),
        pytest.param(("--base-url", " "), "", id="blank-address"),
    ],
)
def test_a_server_that_was_found_is_told_and_gets_no_key_but_the_options(
    argv: tuple[str, ...],
    key: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Any program of this machine may listen there."""
    monkeypatch.setenv("OPENAI_BASE_URL", " ")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-two")
    with (
        serve(LISTED) as server,
        connection.client(arguments(*argv, ports=[server.port])) as client,
    ):
        url = f"http://localhost:{server.port}/v1"
        assert (client.base_url, client.api_key) == (url, key)
    assert capsys.readouterr() == ("", f"rawllm: found a server at {url}\n")


@pytest.mark.parametrize("key", ["sk-two", " "], ids=["a-key", "an-empty-one"])
def test_openai_is_not_asked_unasked(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(rawllm.APIConnectionError) as caught:
        connection.client(arguments(ports=[]))
    assert ("https://api.openai.com/v1" in str(caught.value)) is (key == "sk-two")


@pytest.mark.parametrize(
    ("argv", "timeout"),
    [
        pytest.param((), (5.0, 600.0), id="default"),
        pytest.param(("--timeout", "2.5"), (2.5, 2.5), id="given"),
    ],
)
def test_the_timeout(argv: tuple[str, ...], timeout: tuple[float, float]) -> None:
    with connection.client(arguments("--base-url", "localhost", *argv)) as client:
        assert client.timeout == timeout


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(("--timeout", "0"), id="timeout"),
        pytest.param(("--timeout", "nan"), id="timeout-not-a-number"),
        pytest.param(("--api-key", "é"), id="key"),
        pytest.param(("--base-url", "http:/localhost"), id="address"),
        pytest.param(("--base-url", "?"), id="address-without-a-place"),
        pytest.param(("--base-url", "?a=1"), id="parameters-alone"),
    ],
)
def test_what_is_wrong_is_said_before_anybody_is_asked(argv: tuple[str, ...]) -> None:
    with serve(LISTED) as server:
        with pytest.raises(ValueError):  # noqa: PT011  # its text is the client's
            connection.client(arguments(*argv, ports=[server.port]))
        assert server.requests == []
