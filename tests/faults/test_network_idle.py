"""Connections that were good once, and hosts of which some addresses are good."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import rawllm
from tests.faults.conftest import Note
from tests.faults.proxy import Fault, How, Proxy, proxied
from tests.faults.scenes import GOOD, TEXT, TRUSTED, Scene, ask, calling, names
from tests.servers import PATIENCE, serve

CHAPTER = "network"

whole_and_streamed = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.mark.parametrize("how", [How.FIN, How.RST])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_an_idle_connection_known_to_be_dead_is_not_used(how: How, tls: bool, note: Note) -> None:
    pauses: list[float] = []
    options = TRUSTED if tls else {}
    with serve(GOOD[False], tls=tls) as server, proxied(server.port) as proxy:
        url = proxy.url.replace("http:", "https:") if tls else proxy.url
        with calling(Scene(url, options=options), pauses.append) as client:
            assert ask(client, streamed=False) == TEXT
            proxy.drop(how)
            assert ask(client, streamed=False) == TEXT
        assert [request.connection for request in server.requests] == [0, 1]
    assert pauses == []
    note(f"an idle connection, {how.value} long before", "an answer, without a retry")


MANY = 8


def warm(client: rawllm.Client, proxy: Proxy, connections: int) -> None:
    """Have so many idle connections."""
    proxy.fault = Fault(How.LATE, 0)
    with ThreadPoolExecutor(connections) as pool:
        said = pool.map(lambda _: ask(client, streamed=False), range(connections))
        assert list(said) == [TEXT] * connections
    assert proxy.accepted == connections


def test_no_call_meets_one_dead_connection_after_the_other(note: Note) -> None:
    pauses: list[float] = []
    with serve(GOOD[False]) as server, proxied(server.port) as proxy:
        with calling(Scene(proxy.url), pauses.append, max_retries=0) as client:
            warm(client, proxy, MANY)
            proxy.fault, proxy.spares_new = Fault(How.RST), True
            assert ask(client, streamed=False) == TEXT
            assert pauses == [0.0]
            with ThreadPoolExecutor(MANY) as pool:
                said = pool.map(lambda _: ask(client, streamed=False), range(MANY))
                assert list(said) == [TEXT] * MANY
    assert pauses == [0.0] * proxy.harmed
    note(f"{MANY} idle connections, reset as the request comes", "an answer after a retry at once")


@whole_and_streamed
def test_a_name_has_several_addresses_of_which_one_answers(streamed: bool, note: Note) -> None:
    pauses: list[float] = []
    with serve(GOOD[streamed]) as server, names({"server.test": ["127.0.0.2", "127.0.0.1"]}):
        with calling(Scene(f"http://server.test:{server.port}/v1"), pauses.append) as client:
            assert ask(client, streamed=streamed) == TEXT
    assert pauses == []
    note("no connection to the first of two addresses, refused", "an answer, without a retry")


def test_an_address_that_does_not_answer_leaves_time_for_the_next(note: Note) -> None:
    limit = 4.0  # seconds, half of them for each
    pauses: list[float] = []
    known = {"server.test": ["127.0.0.2", "127.0.0.1"]}
    with serve(GOOD[False]) as server, names(known):
        with proxied(0, start="full", place=("127.0.0.2", server.port)):
            scene = Scene(f"http://server.test:{server.port}/v1")
            with calling(scene, pauses.append, timeout=(limit, PATIENCE)) as client:
                begin = time.monotonic()
                assert ask(client, streamed=False) == TEXT
    assert time.monotonic() - begin < limit
    assert pauses == []
    note("no connection to the first of two addresses, no answer", "an answer, without a retry")
