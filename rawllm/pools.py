"""Which connections are kept, and what becomes of them in a forked process.

urllib3 looks for the pool, and opens a connection where none is idle. What is
left out: the connections themselves (`connections.py`).
"""

import contextlib
import functools
import queue
import threading
from typing import Any

import urllib3
from urllib3._collections import RecentlyUsedContainer

from rawllm.connections import HTTPConnection, HTTPSConnection


class _Idle:
    """The connections that are kept, the last one first: as much of a queue as urllib3 asks for.

    Without a lock, which another thread may hold at a fork: the child would
    wait for it for ever as soon as it drops the pool.
    """

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self._kept: list[Any] = []

    def qsize(self) -> int:
        return len(self._kept)

    def get(self, **_: Any) -> Any:
        """The last; raises `queue.Empty` at once, for none of our pools waits for one."""
        try:
            return self._kept.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, item: Any, **_: Any) -> None:
        if len(self._kept) >= self.maxsize:
            raise queue.Full
        self._kept.append(item)


class _Pool:
    """What every pool of ours does, SOCKS or not."""

    QueueCls: Any = _Idle
    pool: Any

    def close(self) -> None:
        """Close the idle connections. urllib3's own fails the calls that are about to take one."""
        for _ in range(self.pool.qsize()):
            with contextlib.suppress(queue.Empty):
                if (conn := self.pool.get()) is not None:
                    conn.close()


class _HTTPPool(_Pool, urllib3.HTTPConnectionPool):
    ConnectionCls = HTTPConnection  # pyright: ignore[reportAssignmentType]  # urllib3's protocol is narrower

    def _put_conn(self, conn: Any) -> None:
        # Private to urllib3, and the one place where a connection returns to
        # the pool. Without it a limit could shut the socket under the next
        # call; then `Reply` would only notice at its next read.
        if conn is not None:
            conn.release()
        super()._put_conn(conn)


class _HTTPSPool(_HTTPPool, urllib3.HTTPSConnectionPool):
    ConnectionCls = HTTPSConnection  # pyright: ignore[reportAssignmentType]


#: For a pool manager's `pool_classes_by_scheme`.
POOLS: dict[str, type[urllib3.HTTPConnectionPool]] = {"http": _HTTPPool, "https": _HTTPSPool}


@functools.cache
def kept_like_ours(theirs: type[Any]) -> type[Any]:
    """`theirs`, urllib3's class of pools for SOCKS, but keeping connections as our own pools do."""
    return theirs if issubclass(theirs, _Pool) else type(theirs.__name__, (_Pool, theirs), {})


def renew(pools: object) -> None:
    """Make urllib3's `pools`, if these are any, what they were before their first connection.

    A forked process can use no connection of its parent's, nor wait for a lock of theirs,
    which a thread may have held that is not here.
    """
    if not isinstance(pools, RecentlyUsedContainer):
        return
    pools.lock = threading.RLock()
    for key in pools.keys():  # noqa: SIM118  # no dict: it cannot be iterated
        idle = pools[key].pool
        if isinstance(idle, queue.Queue):  # not if the pool was closed; others' go with the pool
            kept = idle.queue
            idle.__init__(idle.maxsize)  # type: ignore[misc]
            for _ in range(idle.maxsize):
                idle.put(None)
            for connection in filter(None, kept):
                with contextlib.suppress(Exception):  # whatever it is, it is not needed
                    connection.close()
