"""The benchmark works. Its figures are for a quiet machine, and not the suite's concern."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from . import report


@pytest.fixture(scope="module")
def printed() -> str:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--clients=rawllm,floor,requests"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    return done.stdout


@pytest.mark.parametrize("job", report.COLUMNS)
def test_every_job_has_a_row_of_figures_for_every_client(printed: str, job: str) -> None:
    table = printed.partition(f"\n## {job}: ")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| (.+?) \| ([\d,.]+) \|", table, re.MULTILINE))
    assert list(rows) == ["rawllm", "floor", "requests"]


@pytest.mark.parametrize(
    ("chunked", "closing", "held_back"),
    [
        pytest.param([0.2], [4.9], [], id="at once"),
        pytest.param([30, 0.2, 30], [0.2, 30, 30], [], id="the best round counts"),
        pytest.param([10.1], [0.2], ["chunked"], id="chunked"),
        pytest.param([0.2], [10.1], ["closing"], id="closing"),
    ],
)
def test_a_token_held_back_is_a_fault(
    chunked: list[float], closing: list[float], held_back: list[str]
) -> None:
    rounds = [{"chunked p50": a, "closing p50": b} for a, b in zip(chunked, closing, strict=True)]
    assert report.faults({"rawllm": {"delay": [*rounds]}}) == [
        f"rawllm holds tokens back on a {body} body: p50 is 10.10 ms, must be under 5"
        for body in held_back
    ]


def test_a_failure_is_a_fault_said_once() -> None:
    results: report.Results = {"rawllm": {"chat": ["no end"] * 5}, "floor": {"chat": ["no end"]}}
    assert report.faults(results) == ["rawllm failed at chat: no end"]


def test_of_costs_the_median_round_counts() -> None:
    rounds: list[report.Figures | str] = [{"cpu": 1.0}, {"cpu": 5.0}, {"cpu": 2.0}, "lost"]
    assert report.picked({"floor": {"chat": rounds}}, "floor", "chat", "cpu") == 2.0
