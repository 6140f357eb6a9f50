"""Pools: what is kept, without a lock, and what a forked process makes of what was."""

from __future__ import annotations

import queue
from typing import Any

import pytest
import urllib3

from rawllm import pools
from tests.servers import CHAT, PATIENCE, End, answer, serve

POOLS: dict[str, type[Any]] = {
    **pools.POOLS,
    "socks": pools.kept_like_ours(urllib3.HTTPConnectionPool),
}


@pytest.mark.parametrize("kind", POOLS.values(), ids=POOLS)
def test_a_pool_keeps_the_last_connections_without_a_lock(kind: type[Any]) -> None:
    pool = kind("localhost", maxsize=2)
    kept = pool.pool
    assert not isinstance(kept, queue.Queue)
    assert [kept.get(), kept.get()] == [None, None]
    kept.put(first := Odd())
    kept.put(second := Odd())
    with pytest.raises(queue.Full):
        kept.put(Odd())
    assert [kept.qsize(), kept.get(), kept.get(), kept.qsize()] == [2, second, first, 0]
    with pytest.raises(queue.Empty):
        kept.get()
    kept.put(None)
    kept.put(second)
    pool.close()
    assert [first.closed, second.closed, kept.qsize()] == [False, True, 0]


class Odd:
    """What is kept as a connection."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_a_connection_that_failed_is_not_kept() -> None:
    pool: Any = pools.POOLS["http"]("127.0.0.1", 1, maxsize=1)
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        pool.urlopen("GET", "/", retries=False)
    assert pool.pool.get() is None


class Broken:
    """A connection that cannot even be closed."""

    def close(self) -> None:
        raise ConnectionResetError("made to fail")


@pytest.mark.parametrize("kind", [*pools.POOLS.values(), POOLS["socks"]])
def test_pools_that_are_kept_like_ours_stay_as_they_are(kind: Any) -> None:
    assert pools.kept_like_ours(kind) is kind


def test_closing_a_pool_fails_no_call_that_is_about_to_use_it() -> None:
    with serve(answer(CHAT)) as server:
        pool = pools.POOLS["http"]("127.0.0.1", server.port, maxsize=2)
        for _ in range(2):
            assert pool.urlopen("GET", "/", retries=False).status == 200
            pool.close()
            pool.close()
    assert [request.connection for request in server.requests] == [0, 1]


# --- after a fork -----------------------------------------------------------


def test_pools_are_renewed_as_if_they_had_had_no_connection() -> None:
    with serve([answer(CHAT), End.HOLD]) as server, urllib3.PoolManager(maxsize=2) as manager:
        pool: Any = manager.connection_from_url(server.url)
        pool.request("GET", "/")
        used = pool.pool.get()
        pool.pool.get()
        pool.pool.put(Broken())
        pool.pool.put(used)
        pools.renew(manager.pools)
        assert server.left.wait(PATIENCE)
        assert [pool.pool.get(block=False), pool.pool.get(block=False)] == [None, None]


def test_what_keeps_no_queue_of_the_standard_library_is_left_as_it_is() -> None:
    manager = urllib3.PoolManager()
    manager.pool_classes_by_scheme = pools.POOLS
    closed, ours = (manager.connection_from_url(f"http://localhost:{port}") for port in (1, 2))
    urllib3.HTTPConnectionPool.close(closed)
    before = ours.pool
    pools.renew(manager.pools)
    assert closed.pool is None
    assert ours.pool is before
    pools.renew(manager)
