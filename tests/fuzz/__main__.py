"""Look for bytes that break a promise: `python -m tests.fuzz [TARGET ...] --seconds N`.

Each target has a process of its own, as many side by side as there are
processors. It exits with 1 where something was found, and shows the bytes: a
line of `tests/fuzz/test_findings.py` keeps them.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.faults import ledger
from tests.faults.ledger import Row
from tests.fuzz.targets import TARGETS

CHAPTER, OUTCOME = "noise", "only documented outcomes"

#: So many executions of each target the page has to tell of.
LEAST = dict.fromkeys(TARGETS, 1_000_000)

#: More seconds for one input, or megabytes, are a finding.
LIMITS = ("-timeout=10", "-rss_limit_mb=2048")


class Result(NamedTuple):
    """What one target's run came to."""

    executions: int
    features: int
    seconds: float
    findings: list[Path]
    #: The traceback of what was found, where it is an exception.
    trace: str


def seed(name: str, folder: Path) -> None:
    """Put the target's seeds into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, data in enumerate(TARGETS[name].seeds()):
        (folder / f"seed-{at:05}").write_bytes(data)


def dictionary(name: str) -> str:
    """The target's words as libFuzzer reads them."""
    words = ("".join(f"\\x{byte:02x}" for byte in word) for word in TARGETS[name].words)
    return "".join(f'"{word}"\n' for word in words)


def run(name: str, folder: Path, findings: Path, options: list[str]) -> Result:
    """Fuzz one target; its corpus in `folder` grows."""
    place = folder / name.replace(" ", "-")
    seed(name, place)
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    command = [sys.executable, "-m", "tests.fuzz.worker", name, *LIMITS, *options]
    command += [
        f"-max_len={TARGETS[name].most}",
        f"-artifact_prefix={findings}{os.sep}{place.name}-",
    ]
    command += ["-print_final_stats=1", "-detect_leaks=0", str(place)]
    if TARGETS[name].words:
        words = place.with_suffix(".words")
        words.write_text(dictionary(name))
        command.append(f"-dict={words}")
    start = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    took = time.monotonic() - start
    found = sorted(set(findings.glob(f"{place.name}-*")) - before)
    log = ended.stderr
    if ended.returncode and not found:
        raise RuntimeError(f"{name} did not run:\n{ended.stdout}\n{log[-3000:]}")
    trace = ended.stdout.strip() or log[-2000:]  # which tells of time and memory
    return Result(_last(r"^#(\d+)", log), _last(r"\bft: (\d+)", log), took, found, trace)


def _last(pattern: str, log: str) -> int:
    numbers = re.findall(pattern, log, re.MULTILINE)
    return max(map(int, numbers), default=0)


def report(name: str, result: Result) -> Iterator[str]:
    """What there is to say of a run."""
    speed = result.executions / max(result.seconds, 0.001)
    yield (
        f"{name}: {result.executions:,} executions, {speed:,.0f} per second, "
        f"{result.features:,} features, {len(result.findings)} findings"
    )
    for path in result.findings:
        data = path.read_bytes()
        yield f"  {path}: {len(data)} bytes"
        if len(data) <= 600:
            yield f"  base64: {base64.b64encode(data).decode()}"
    if result.findings:
        yield result.trace[-3000:]


def write_page(results: dict[str, Result]) -> None:
    """The rows of these targets, among those of the others, in docs/reliability.md.

    Of too few executions it does not tell.
    """
    for name, result in results.items():
        if result.executions < LEAST[name]:
            print(f"{name}: not written, for these are fewer than {LEAST[name]:,}")
    results = {name: found for name, found in results.items() if found.executions >= LEAST[name]}
    page = ledger.PAGE.read_text()
    known = {row: n for row, n in ledger.read(page).items() if row.chapter == CHAPTER}
    new = {Row(CHAPTER, name, OUTCOME): result.executions for name, result in results.items()}
    counts = {row: (known | new)[row] for row in map(_row, TARGETS) if row in known | new}
    ledger.PAGE.write_text(ledger.written(page, counts))


def _row(name: str) -> Row:
    return Row(CHAPTER, name, OUTCOME)


def main(arguments: list[str]) -> int:
    """The command. 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    most = parser.add_mutually_exclusive_group(required=True)
    most.add_argument("--seconds", type=int, help="for so long, each target")
    most.add_argument("--runs", type=int, help="so many executions of each target")
    parser.add_argument("--seed", type=int, default=0, help="of chance; another each time if 0")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets side by side")
    parser.add_argument("--corpus", type=Path, help="where the inputs are kept that lead further")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--write-page", action="store_true", help="write docs/reliability.md")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
    limit = f"-max_total_time={asked.seconds}" if asked.runs is None else f"-runs={asked.runs}"
    options = [limit, f"-seed={asked.seed}"]
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(asked.jobs) as pool:
        running = {
            name: pool.submit(run, name, asked.corpus or Path(folder), asked.findings, options)
            for name in asked.targets or TARGETS
        }
        for name, future in running.items():
            results[name] = future.result()
            print(*report(name, results[name]), sep="\n", flush=True)
    if asked.write_page and not any(result.findings for result in results.values()):
        write_page(results)
    return 1 if any(result.findings for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
