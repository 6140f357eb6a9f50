"""Start the server, run every client in turn, print the report."""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from . import report
from .clients import CLIENTS
from .jobs import FULL, GAP, QUICK

ROOT = Path(__file__).parents[2]


def main() -> int:
    options = _options()
    versions = {name: _versions(name) for name in options.clients}
    present = {name: version for name, version in versions.items() if version}
    results: report.Results = {name: {job: [] for job in options.jobs} for name in present}
    # The server ends with its standard input, which is closed at the end of the block.
    command = [sys.executable, "-m", "tests.bench.server", *["--quick"] * options.quick]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        if not options.quick:  # the first process of each compiles what it imports, for nothing
            for name in present:
                _run(name, url, [], quick=False)
        for number in range(1, options.rounds + 1):
            for name in present:
                print(f"round {number} of {options.rounds}: {name}", file=sys.stderr)
                outcome = _run(name, url, options.jobs, quick=options.quick)
                for job, rounds in results[name].items():
                    rounds.append(outcome if isinstance(outcome, str) else outcome[job])

    print("# What a client costs\n")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs.")
    print(f"Rounds: {options.rounds}; the figures are their medians, of delays the")
    print("best of them. × is the figure over rawllm's.\n")
    for name, version in present.items():
        print(f"- {name}: {version}")
    sizes = {"gap": GAP, **(QUICK if options.quick else FULL)._asdict()}
    for job in options.jobs:
        title = report.TITLES[job].format(**sizes)
        print(f"\n## {job}: {title}\n\n{report.table(results, job)}")
    for line in report.failures(results):
        print(f"\n{line}")
    for name in versions.keys() - present.keys():
        print(f"\nLeft out, not installed: {name}")
    faults = report.faults(results)
    for line in faults:
        print(f"FAILED: {line}", file=sys.stderr)
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    jobs, clients = list(report.COLUMNS), list(CLIENTS)
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help="default: 5, with --quick 1")
    parser.add_argument("--jobs", default=",".join(jobs), help="default: %(default)s")
    parser.add_argument("--clients", default=",".join(clients), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="small sizes, figures of no meaning")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.jobs, options.clients = options.jobs.split(","), options.clients.split(",")
    if unknown := [*set(options.jobs) - {*jobs}, *set(options.clients) - {*clients}]:
        parser.error(f"unknown: {', '.join(unknown)}")
    return options


def _versions(name: str) -> str | None:
    """What the client consists of; None when a part of it is not installed."""
    try:
        parts = [f"{each} {importlib.metadata.version(each)}" for each in CLIENTS[name].packages]
    except importlib.metadata.PackageNotFoundError:
        return None
    return ", ".join(["this tree", *parts] if name == "rawllm" else parts or ["standard library"])


def _run(name: str, url: str, jobs: list[str], *, quick: bool) -> report.Outcome | str:
    """The figures of one client's round by job, or why there are none."""
    code = "from tests.bench.worker import main; main()"
    command = [sys.executable, "-c", code, name, url, ",".join(jobs), *["--quick"] * quick]
    unwanted = ("_proxy", "pythondontwritebytecode")
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith(unwanted)}
    # litellm fetches a list of prices when it is imported, unless it is told not to.
    environment["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    # A client that hangs ends the run, with this command in the traceback.
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        return (done.stderr.splitlines() or [f"exit code {done.returncode}"])[-1]
    results: report.Outcome = json.loads(done.stdout.splitlines()[-1])
    return results


if __name__ == "__main__":
    sys.exit(main())
