"""One client in one fresh process: how long until it is ready, then its jobs.

Nothing is imported before the clock starts but what a bare interpreter has: a
module that this one had loaded already would cost the client nothing. It is
started with `python -c`, since `python -m` loads some as well.
"""

import sys
import time

from .clients import CLIENTS
from .process import resident


def main() -> None:
    """Arguments: client, base URL, job names with commas, and `--quick` or nothing."""
    name, url, jobs = sys.argv[1:4]
    begin = time.perf_counter_ns()
    client = CLIENTS[name](url)
    ready = time.perf_counter_ns() - begin
    memory = resident()
    begin = time.perf_counter_ns()
    client.chat("plain")
    answer = ready + time.perf_counter_ns() - begin
    results: dict[str, dict[str, float] | str] = {
        "start": {"ready": ready / 1e6, "answer": answer / 1e6, "memory": memory}
    }

    import json

    from .jobs import FULL, JOBS, QUICK

    for job, measure in JOBS.items():
        if job in jobs.split(","):
            try:
                results[job] = measure(client, QUICK if "--quick" in sys.argv else FULL)
            except Exception as error:  # noqa: BLE001 - one job must not end the others
                results[job] = f"{type(error).__name__}: {error}"
    print(json.dumps(results))
