"""How much memory a call takes at its peak.

`python -m tests.faults.peak LIMIT KIND URL...` makes one call of each URL, of
the `KIND` "whole" or "streamed" and with `LIMIT` as its `max_response_bytes`,
and prints the bytes by which each has made a process of its own grow. One that
is "accepted whole" or "accepted streamed" fails where no answer comes of it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys

import rawllm
import rawllm.transport  # so that its own memory counts for none of them


def call(url: str, limit: int, kind: str) -> None:
    """Make the call, whatever becomes of it, unless it is to be accepted."""
    with rawllm.Client(url, max_retries=0, max_response_bytes=limit) as client:
        accepted = kind.startswith("accepted")
        with contextlib.suppress(*([] if accepted else [rawllm.APIError])):
            if kind.endswith("whole"):
                client.chat("m", "x")
            else:
                for _ in client.chat("m", "x", stream=True):
                    pass


def growth(url: str, limit: int, kind: str) -> int:
    """The bytes by which a process grows that makes the call."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call(url, limit, kind)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start
        os.write(writer, str(grown * 1024).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return int(told)


if __name__ == "__main__":
    for url in sys.argv[3:]:
        print(growth(url, int(sys.argv[1]), sys.argv[2]))
