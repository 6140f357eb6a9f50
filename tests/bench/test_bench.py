"""The benchmark works. Its figures are for a quiet machine, and not the suite's concern."""

import http.client
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import report, targets
from .__main__ import exit_code, options_of
from .clients import Client
from .jobs import JOBS, PIECE, QUICK

ROOT = Path(__file__).parents[2]

# --- a run ------------------------------------------------------------------


@pytest.fixture(scope="module")
def printed() -> str:
    clients = "--clients=rawllm,floor,requests,import"
    command = [sys.executable, "-m", "tests.bench", "--quick", clients]
    command += ["--python", f"floor={sys.executable}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    return done.stdout


@pytest.mark.parametrize("job", report.COLUMNS)
def test_every_job_has_a_row_of_figures_for_every_client(printed: str, job: str) -> None:
    table = printed.partition(f"\n### {job}: ")[2].partition("\n### ")[0]
    rows = dict(re.findall(r"^\| (.+?) \| ([\d,.]+) \|", table, re.MULTILINE))
    only_there = ["import"] if job == "start" else []
    assert list(rows) == ["rawllm", "floor", "requests", *only_there]


def test_who_is_left_out_of_a_job_is_said_with_the_reason(printed: str) -> None:
    jobs = [job for job in report.COLUMNS if job != "start"]
    assert f"\n| import | {', '.join(jobs)} | only its start" in printed


def test_every_client_is_named_with_its_python_and_versions(printed: str) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    lines = re.findall(rf"^- (\w+): (?:this tree, )?\w+ {version}\S*(.*)$", printed, re.MULTILINE)
    assert [name for name, _ in lines] == ["rawllm", "floor", "requests", "import"]
    assert all("requests" in packages for name, packages in lines if name != "floor")


def test_every_target_has_a_verdict(printed: str) -> None:
    table = printed.partition("\n### Targets\n")[2]
    verdicts = re.findall(r" \| (reached|missed|not measured) \|$", table, re.MULTILINE)
    assert len(verdicts) == len(targets.TARGETS)


class Silent(Client):
    """It answers nothing, quickly."""

    def ready(self) -> None: ...

    def chat(self, model: str) -> str:
        del model
        return ""

    def stream(self, model: str) -> Iterator[str]:
        del model
        return iter([])

    def whole(self, model: str) -> str:
        return self.chat(model)

    def embed(self, texts: list[str], encoding: str) -> list[list[float]]:
        del texts, encoding
        return []


@pytest.mark.parametrize("job", JOBS)
def test_a_client_that_loses_the_answer_has_no_figure(job: str) -> None:
    with pytest.raises(RuntimeError):
        JOBS[job](Silent("http://127.0.0.1:9/v1"), QUICK)


# --- what is asked for ------------------------------------------------------


def test_a_client_may_run_in_an_environment_of_its_own() -> None:
    pythons = options_of(["--python", f"litellm={sys.executable}"]).pythons
    assert pythons.keys() >= {"rawllm", "litellm", "openai"}
    assert set(pythons.values()) == {sys.executable}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--jobs=chat,nap"], "unknown: nap", id="job"),
        pytest.param(["--clients=curl"], "unknown: curl", id="client"),
        pytest.param(["--python", "curl=python"], "unknown: curl", id="client of a Python"),
        pytest.param(
            ["--python", "openai=/nowhere/python"],
            "--python: nothing to run is named for openai",
            id="Python",
        ),
    ],
)
def test_what_there_is_not_is_an_error_that_names_it(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        options_of(arguments)
    assert said in capsys.readouterr().err


def test_the_commands_of_the_documentation_are_understood() -> None:
    page = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^\S+ -m tests\.bench (.*)$", page, re.MULTILINE)
    assert commands
    for command in commands:
        # The page's environments are not here.
        options_of(shlex.split(re.sub(r"=\S+/python\b", f"={sys.executable}", command)))


# --- the server -------------------------------------------------------------


@pytest.fixture(scope="module")
def connection() -> Iterator[http.client.HTTPConnection]:
    command = [sys.executable, "-m", "tests.bench.server", "--quick"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(server.stdout.readline()))
        yield connection
        connection.close()


def answer(connection: http.client.HTTPConnection, model: str) -> bytes:
    connection.request("POST", "/", json.dumps({"model": model}))
    return connection.getresponse().read()


@pytest.mark.parametrize(
    ("model", "pieces"),
    [
        pytest.param("burst", QUICK.chunks, id="burst"),
        pytest.param("long", QUICK.chunks * QUICK.repeats, id="long"),
        pytest.param("paced-chunked", QUICK.paced, id="paced"),
        pytest.param("paced-closing", QUICK.paced, id="closing"),
    ],
)
def test_ollamas_own_stream_says_what_the_stream_of_events_says(
    connection: http.client.HTTPConnection, model: str, pieces: int
) -> None:
    lines = [json.loads(line) for line in answer(connection, f"ollama-{model}").splitlines()]
    *events, done = answer(connection, model).split(b"\n\n")[:-1]
    deltas = [json.loads(event[6:])["choices"][0]["delta"] for event in events]
    ours = [line["message"]["content"] for line in lines if not line["done"]]
    theirs = [delta["content"] for delta in deltas if delta.get("content")]
    assert done == b"data: [DONE]"
    assert [line["done"] for line in lines] == [False] * pieces + [True]
    assert [len(text) for text in ours] == [len(text) for text in theirs]
    if not model.startswith("paced"):  # whose text is a time
        assert ours == theirs
        assert {len(text) for text in ours} == {PIECE}


def test_ollamas_own_answers_hold_what_the_others_hold(
    connection: http.client.HTTPConnection,
) -> None:
    ours, theirs = (json.loads(answer(connection, f"{form}plain")) for form in ("ollama-", ""))
    assert ours["message"]["content"] == theirs["choices"][0]["message"]["content"]
    ours, theirs = (json.loads(answer(connection, f"{form}embed")) for form in ("ollama-", ""))
    assert ours["embeddings"] == [item["embedding"] for item in theirs["data"]]


# --- what must hold ---------------------------------------------------------


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


def test_a_figure_of_nothing_has_no_ratio() -> None:
    results: report.Results = {"rawllm": {"memory": [{"after": 30.0, "grown": 0.0}]}}
    assert report.table(results, "memory").endswith("| rawllm | 30.0 | 1.00 | 0.00 | – |")


# --- what is wanted ---------------------------------------------------------


def measured(job: str, ours: report.Figures, peer: str, theirs: report.Figures) -> report.Results:
    return {"rawllm": {job: [ours]}, **({} if peer == "rawllm" else {peer: {job: [theirs]}})}


@pytest.mark.parametrize(
    ("job", "ours", "peer", "theirs", "said"),
    [
        pytest.param(
            *("chat", {"cpu": 50.0}, "requests", {"cpu": 100.0}),
            "≤ 0.5 × requests | × 0.5 | reached",
            id="at most, reached",
        ),
        pytest.param(
            *("chat", {"cpu": 51.0}, "requests", {"cpu": 100.0}),
            "≤ 0.5 × requests | × 0.51 | missed",
            id="at most, missed",
        ),
        pytest.param(
            *("threads", {"rate": 130.0}, "httpx", {"rate": 100.0}),
            "≥ 1.3 × httpx | × 1.3 | reached",
            id="at least, reached",
        ),
        pytest.param(
            *("threads", {"rate": 129.0}, "httpx", {"rate": 100.0}),
            "≥ 1.3 × httpx | × 1.29 | missed",
            id="at least, missed",
        ),
        pytest.param(
            *("start", {"ready": 115.0}, "import", {"ready": 100.0}),
            "≤ import + 15 | +15.0 | reached",
            id="more, reached",
        ),
        pytest.param(
            *("start", {"ready": 115.1}, "import", {"ready": 100.0}),
            "≤ import + 15 | +15.1 | missed",
            id="more, missed",
        ),
        pytest.param(
            *("memory", {"grown": 7.6, "text": 5.0}, "rawllm", {}),
            "≤ 1.5 × its text | × 1.52 | missed",
            id="beside a figure of its own",
        ),
        pytest.param(
            *("chat", {"cpu": 50.0}, "floor", {"cpu": 100.0}),
            "≤ 0.5 × requests | – | not measured",
            id="without the peer",
        ),
    ],
)
def test_a_target_is_judged(
    job: str, ours: report.Figures, peer: str, theirs: report.Figures, said: str
) -> None:
    results = measured(job, ours, peer, theirs)
    assert f"| {said} |" in targets.table(results, [job])
    assert len(targets.missed(results)) == said.count("missed")


def test_a_missed_target_is_told_with_what_was_wanted_and_what_is() -> None:
    results = measured("chat", {"cpu": 51.0}, "requests", {"cpu": 100.0})
    assert targets.missed(results) == ["chat, CPU a chat, µs: wanted ≤ 0.5 × requests, is × 0.51"]


FAST = measured("chat", {"cpu": 49.0}, "requests", {"cpu": 100.0})
SLOW = measured("chat", {"cpu": 51.0}, "requests", {"cpu": 100.0})


@pytest.mark.parametrize(
    ("results", "strict", "code", "said"),
    [
        pytest.param(FAST, True, 0, "", id="reached"),
        pytest.param(SLOW, False, 0, "MISSED: chat", id="missed: machines are noisy"),
        pytest.param(SLOW, True, 1, "MISSED: chat", id="missed, strictly"),
        pytest.param({"rawllm": {"chat": ["no end"]}}, False, 1, "FAILED: rawllm", id="failed"),
    ],
)
def test_a_missed_target_fails_the_run_only_when_it_is_strict(
    results: report.Results,
    strict: bool,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code(results, strict=strict) == code
    assert capsys.readouterr().err.startswith(said)
