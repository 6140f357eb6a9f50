"""Sixty-four threads that call a server which fails now and then, and what it costs them.

    python -m tests.faults.load --seconds 20

The threads share a client, copies of it, a session of the caller's, and make
clients of their own; meanwhile the process forks, and the client is closed. It
prints as JSON what each fault came to, what was not as promised, and what was
open at each rest: after every lap, when all threads have come to their end.
What is left out: the calls themselves, which are in `load_calls.py`.
"""

from __future__ import annotations

import argparse
import atexit
import faulthandler
import gc
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import requests
import requests.adapters

import rawllm
from tests.faults import load_calls, load_server
from tests.faults.load_calls import Call
from tests.faults.load_server import SHARED, UNREAD

THREADS = 64
LAP = 5.0  # seconds, of a short run; a long one has ten laps
TICK = 0.5  # seconds before each fork, and before each `close()`
SLACK = 20.0  # seconds by which a call may pass its limits: the machine may be busy
LONGEST = load_calls.AMPLE + SLACK


class Rest(NamedTuple):
    """What the process has, and what it has done until then."""

    descriptors: int
    threads: int
    kib: int
    blocks: int
    calls: int
    seconds: float


class Tally:
    """What the calls of a process came to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.failures: list[str] = []
        #: Seconds: of the longest call, and by which one passed its own limits.
        self.slowest = self.excess = 0.0

    def note(self, fault: str, outcome: str, count: int = 1) -> None:
        with self._lock:
            self.counts[fault, outcome] += count

    def fail(self, words: str) -> None:
        with self._lock:
            self.failures.append(words)

    def took(self, call: Call, seconds: float) -> None:
        with self._lock:
            self.slowest = max(self.slowest, seconds)
            self.excess = max(self.excess, seconds - call.limit)
        if seconds > call.limit + SLACK:
            self.fail(f"{call} took {seconds:.1f} s")


class Load:
    """The clients, and the threads that call."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=THREADS))
        self.client = rawllm.Client(url, "sk-made-up")
        self.of_session = rawllm.Client(url, session=self._session)
        self.tally = Tally()
        self._began = time.monotonic()
        self._until = 0.0

    @contextmanager
    def _a_client(self, rng: random.Random) -> Iterator[rawllm.Client]:
        """Mostly the one that all threads share."""
        chance = rng.random()
        if chance < 0.6:
            yield self.client
        elif chance < 0.8:
            yield self.client.with_options(timeout=load_calls.AMPLE)
        elif chance < 0.9:
            yield self.of_session
        else:
            with rawllm.Client(self._url) as client:
                yield client

    def lap(self, number: int, seconds: float) -> None:
        """All threads call, until the time is over."""
        self._until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._work, args=(number, i), daemon=True)
            for i in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        while time.monotonic() < self._until:
            # In between the pool fills: a child that is born has the parent's idle connections.
            time.sleep(TICK)
            _fork(self)
            time.sleep(TICK)
            self.client.close()
            self.tally.note("`close()` in the middle of it", "all calls go on")
        for thread in threads:
            thread.join(max(0.0, self._until + LONGEST - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            faulthandler.dump_traceback(all_threads=True)
            self.tally.fail("a call did not end")
        _fork(self)  # when all connections that are kept are idle

    def _work(self, lap: int, thread: int) -> None:
        rng = random.Random(f"{lap} {thread}")
        number = lap * 1_000_000
        while time.monotonic() < self._until:
            number += 1
            with self._a_client(rng) as client:
                made = load_calls.made(rng, f"t{thread}", number)
                self.one(client, made)

    def one(self, client: rawllm.Client, call: Call) -> None:
        """Make the call, and judge what came of it."""
        start = time.monotonic()
        try:
            outcome = load_calls.outcome(client, call)
        except Exception:  # noqa: BLE001  # whatever it is, it is what must not be
            self.tally.fail(f"{call}\n{traceback.format_exc()}")
            return
        self.tally.took(call, time.monotonic() - start)
        if outcome == call.promised:
            self.tally.note(call.fault, outcome)
        else:
            self.tally.fail(f"{call}: {outcome}, and not {call.promised}")

    def rest(self) -> Rest:
        """What is left of the calls, once the threads are gone that watched their limits."""
        patience = time.monotonic() + 5.0
        for thread in {*threading.enumerate()} - {threading.current_thread()}:
            thread.join(max(0.0, patience - time.monotonic()))
        gc.collect()
        calls = sum(self.tally.counts.values())
        elapsed = time.monotonic() - self._began
        return Rest(*_open(), sys.getallocatedblocks(), calls, elapsed)

    def close(self) -> None:
        self.client.close()
        self.of_session.close()


def _open() -> tuple[int, int, int]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    kib = pages * os.sysconf("SC_PAGE_SIZE") // 1024
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), kib


# --- a fork in the middle of it ---------------------------------------------


def _fork(load: Load) -> None:
    """A child that uses the same client, and what it saw."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            faulthandler.dump_traceback_later(LONGEST, exit=True)
            seen = json.dumps(_in_child(load)).encode()
            atexit._run_exitfuncs()  # what is done at the end of a child that has no `_exit`
            os.write(writer, seen)
        finally:
            os._exit(0)
    os.close(writer)
    readable, _, _ = select.select([reader], [], [], LONGEST + 10.0)
    if not readable:
        os.kill(pid, signal.SIGKILL)
    told = b"".join(iter(lambda: os.read(reader, 65536), b""))
    os.close(reader)
    os.waitpid(pid, 0)
    calls, failures = json.loads(told) if told else (0, ["it said nothing"])
    load.tally.note("a fork in the middle of it", "each call of the child as above", calls)
    for words in failures:
        load.tally.fail(f"in a forked process: {words}")


def _in_child(load: Load) -> tuple[int, list[str]]:
    """How many of its calls were as promised, and what was said of the others."""
    rng = random.Random(os.getpid())
    load.tally = Tally()
    who = f"{os.getpid() % 0xFFF:x}"
    clients = (load.client, load.of_session, load.client.with_options(max_retries=2))
    for number in range(12):
        load.one(clients[number % 3], load_calls.made(rng, f"f{who}", number))
    return sum(load.tally.counts.values()), load.tally.failures[:5]


# --- the whole of it --------------------------------------------------------


@contextmanager
def _serving() -> Iterator[tuple[str, dict[str, int]]]:
    """The server's URL, and what it has seen, once it has ended."""
    command = [sys.executable, "-m", load_server.__name__]
    seen: dict[str, int] = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1", seen
        server.stdin.close()
        seen |= json.loads(server.stdout.read())


def run(seconds: float) -> dict[str, Any]:
    """What came of so many seconds."""
    # From 3.12 on Python warns of what is the point of this.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    unraisable: list[str] = []
    sys.unraisablehook = lambda args: unraisable.append(f"{args.exc_value!r} in {args.object!r}")
    faulthandler.enable()
    with _serving() as (url, seen):
        start = Rest(*_open(), 0, 0, 0.0)
        load = Load(url)
        rests = []
        laps = round(min(seconds / LAP, 10)) or 1
        for lap in range(laps):
            load.lap(lap, seconds / laps)
            rests.append(load.rest())
            print(rests[-1], file=sys.stderr)
        load.close()
        closed = load.rest()
    return {
        "start": start._asdict(),
        "rests": [rest._asdict() for rest in rests],
        "closed": closed._asdict(),
        "slowest": load.tally.slowest,
        "excess": load.tally.excess,
        "counts": [[*row, count] for row, count in sorted(load.tally.counts.items())],
        "failures": [*load.tally.failures, *unraisable, *({*seen} & {SHARED, UNREAD})],
        "server": seen,
    }


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=20.0)
    print(json.dumps(run(options.parse_args().seconds), indent=1))
