"""Work in a forked process, which comes to an end whatever it waits for."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

from tests.servers import PATIENCE

#: What Python warns of where a test's server, or the test, has threads.
FORKED = "ignore:This process .* is multi-threaded:DeprecationWarning"


def in_child(work: Callable[[], Any]) -> Any:
    """What `work` returns in a child of this process. Fails where it raises, or does not end."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(work()))
    child.start()
    child.join(PATIENCE)
    ended = not child.is_alive()
    child.kill()
    child.join()
    assert ended, "the child did not end"
    assert child.exitcode == 0
    return receiver.recv()
