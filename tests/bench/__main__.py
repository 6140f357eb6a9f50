"""Start the server, run every client in turn, print the report."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from . import report, targets
from .clients import CLIENTS, LEFT_OUT
from .jobs import FULL, GAP, PIECE, QUICK

ROOT = Path(__file__).parents[2]
#: Prints what Python this is and which versions of the packages that are its arguments it has.
VERSIONS = """
import importlib.metadata, platform, sys
print(platform.python_implementation(), platform.python_version(), end="")
for name in sys.argv[1:]:
    print(",", name, importlib.metadata.version(name), end="")
"""


def main() -> int:
    options = options_of(sys.argv[1:])
    versions = {name: _versions(name, options.pythons[name]) for name in options.clients}
    present = {name: version for name, version in versions.items() if version}
    results = _measured(list(present), options)
    _print(results, present, options)
    for name in versions.keys() - present.keys():
        print(f"\nLeft out, not installed: {name}")
    return exit_code(results, strict=options.strict)


def exit_code(results: report.Results, *, strict: bool) -> int:
    """1 if rawllm has failed, or with `strict` has missed a target; what it was is printed."""
    faults, missed = report.faults(results), targets.missed(results)
    for line in faults:
        print(f"FAILED: {line}", file=sys.stderr)
    for line in missed:
        print(f"MISSED: {line}", file=sys.stderr)
    return 1 if faults or (missed and strict) else 0


def options_of(arguments: list[str]) -> argparse.Namespace:
    """What was asked for; `pythons` has the interpreter of every client."""
    jobs, clients = list(report.COLUMNS), list(CLIENTS)
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help="default: 5, with --quick 1")
    parser.add_argument("--jobs", default=",".join(jobs), help="default: %(default)s")
    parser.add_argument("--clients", default=",".join(clients), help="default: %(default)s")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="CLIENT=PATH",
        help="run a client by the Python of another environment; may be given several times",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, figures of no meaning")
    parser.add_argument(
        "--strict", action="store_true", help="a target that is missed is a failure"
    )
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.jobs, options.clients = options.jobs.split(","), options.clients.split(",")
    named = dict(each.partition("=")[::2] for each in options.python)
    found = {name: shutil.which(path) for name, path in named.items()}
    asked = [*options.jobs, *options.clients, *named]
    if unknown := [each for each in asked if each not in (*jobs, *clients)]:
        parser.error(f"unknown: {', '.join(unknown)}")
    if absent := [name for name, path in found.items() if path is None]:
        parser.error(f"--python: nothing to run is named for {', '.join(absent)}")
    # The workers run elsewhere; resolving links would lose the environment.
    paths = {name: str(Path(path).absolute()) for name, path in found.items() if path}
    options.pythons = dict.fromkeys(clients, sys.executable) | paths
    return options


def _versions(name: str, python: str) -> str | None:
    """What the client consists of; None when a part of it is not installed."""
    command = [python, "-c", VERSIONS, *CLIENTS[name].packages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        return None
    return f"this tree, {done.stdout}" if name == "rawllm" else done.stdout


def _measured(clients: list[str], options: argparse.Namespace) -> report.Results:
    """The figures of all rounds, by client and job."""
    results: report.Results = {name: {job: [] for job in options.jobs} for name in clients}
    # The server ends with its standard input, which is closed at the end of the block.
    command = [sys.executable, "-m", "tests.bench.server", *["--quick"] * options.quick]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        if not options.quick:  # the first process of each compiles what it imports, for nothing
            for name in clients:
                _run(name, url, [], options)
        for number in range(1, options.rounds + 1):
            for name in clients:
                print(f"round {number} of {options.rounds}: {name}", file=sys.stderr)
                jobs = [job for job in options.jobs if (name, job) not in LEFT_OUT]
                together = [job for job in jobs if job != "memory"]
                alone = ["memory"] if "memory" in jobs and number == 1 else []
                for part in filter(None, (together, alone)):
                    outcome = _run(name, url, part, options)
                    for job in part:
                        figures = outcome if isinstance(outcome, str) else outcome[job]
                        results[name][job].append(figures)
    return results


def _run(name: str, url: str, jobs: list[str], options: argparse.Namespace) -> report.Outcome | str:
    """The figures of one client's round by job, or why there are none."""
    code = "from tests.bench.worker import main; main()"
    arguments = [name, url, ",".join(jobs), *["--quick"] * options.quick]
    unwanted = ("_proxy", "pythondontwritebytecode")
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith(unwanted)}
    # litellm fetches a list of prices when it is imported, unless it is told not to.
    environment["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    done = subprocess.run(
        [options.pythons[name], "-c", code, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,  # a client that hangs ends the run, with this command in the traceback
    )
    if done.returncode:
        return (done.stderr.splitlines() or [f"exit code {done.returncode}"])[-1]
    results: report.Outcome = json.loads(done.stdout.splitlines()[-1])
    return results


def _print(results: report.Results, versions: dict[str, str], options: argparse.Namespace) -> None:
    sizes = (QUICK if options.quick else FULL)._asdict()
    long = sizes["chunks"] * sizes["repeats"]
    sizes |= {"gap": GAP, "long": long, "text": report.number(long * PIECE / 1e6)}
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"## Measured with {python}\n")
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs.")
    print(f"Rounds: {options.rounds}; the figures are their medians, of delays the")
    print("best of them. × is the figure over rawllm's.\n")
    for name, version in versions.items():
        print(f"- {name}: {version}")
    for job in options.jobs:
        title = report.TITLES[job].format(**sizes)
        print(f"\n### {job}: {title}\n\n{report.table(results, job)}")
    if left_out := report.left_out(results, options.jobs):
        print(f"\n{left_out}")
    print(f"\n### Targets\n\n{targets.table(results, options.jobs)}")
    for line in report.failures(results):
        print(f"\n{line}")


if __name__ == "__main__":
    sys.exit(main())
