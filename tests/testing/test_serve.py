"""`testing.serve`: a server as long as a `with` block."""

from __future__ import annotations

import socket
import threading

import pytest

import rawllm
from rawllm import testing
from rawllm.testing import SCENARIOS, Exchange


def test_any_name_is_a_model_that_repeats_what_it_is_told() -> None:
    with testing.serve() as url, rawllm.Client(url) as client:
        assert client.chat("llama3:8b", "Hello!") == "Hello!"
        assert client.chat("gpt-4o", "Hello!", stream=False) == "Hello!"


def test_the_scenario_is_that_of_all_names_that_are_none() -> None:
    with testing.serve("error-401") as url, rawllm.Client(url) as client:
        with pytest.raises(rawllm.AuthenticationError):
            client.chat("llama3", "Hello!")
        assert client.chat("plain", "Hello!") == "Hello!"


def test_a_strict_server_has_only_the_models_that_it_lists() -> None:
    with testing.serve(strict=True) as url, rawllm.Client(url) as client:
        assert client.chat("plain", "Hello!") == "Hello!"
        with pytest.raises(rawllm.NotFoundError) as caught:
            client.chat("llama3", "Hello!")
        assert caught.value.code == "model_not_found"
        assert {model.id for model in client.models.list()} == {*SCENARIOS}


def test_with_keys_one_of_them_must_be_sent() -> None:
    with testing.serve(keys=["one", "two"]) as url:
        for key in ("one", "two"):
            with rawllm.Client(url, key) as client:
                assert client.chat("plain", "Hello!") == "Hello!"
        for key in ("three", ""):
            with rawllm.Client(url, key) as client, pytest.raises(rawllm.AuthenticationError):
                client.chat("plain", "Hello!")


def test_every_exchange_is_told() -> None:
    exchanges: list[Exchange] = []
    with testing.serve(seen=exchanges.append) as url, rawllm.Client(url) as client:
        client.chat("plain", "Hello!")
    (exchange,) = exchanges
    assert exchange.request.json["messages"] == [{"role": "user", "content": "Hello!"}]
    assert exchange.raw.startswith(b"HTTP/1.1 200 OK\r\n")


def test_after_the_block_nothing_is_left() -> None:
    threads = threading.active_count()
    with testing.serve() as url, rawllm.Client(url) as client:
        client.chat("plain", "Hello!")
    assert threading.active_count() == threads
    with pytest.raises(rawllm.APIConnectionError), rawllm.Client(url, max_retries=0) as client:
        client.chat("plain", "Hello!")


def test_a_port_and_a_host_may_be_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(OSError, match=r"."), testing.serve(port=port):
            pass
    with testing.serve(host="localhost", port=port) as url:
        assert url == f"http://localhost:{port}/v1"


def test_a_scenario_that_there_is_not_is_refused() -> None:
    with (
        pytest.raises(ValueError, match=r"no scenario is named 'nope'.*plain"),
        testing.serve("nope"),
    ):
        pass
