"""Two checkers of the protocol, by other authors, find nothing wrong with the reference server.

Both framings are checked, and a key is asked for. That the checkers do look
is shown by what they say of servers that are wrong.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from rawllm import testing

KEY = "the key of this test"
PATIENCE = 60  # seconds; a checker takes a tenth of one

#: What became of each test of a checker: "passed", "warned", "failed" or "skipped".
Verdict = dict[str, str]


def llm_comply_of(command: list[str], url: str, model: str) -> Verdict:
    options = ["--format", "openai-chat", "--base-url", url, "--api-key", KEY, "--model", model]
    report = run(*command, *options, "--json")
    return {
        test["id"]: "warned" if test.get("warnings") else test["status"]
        for test in report["results"]
    }


def compatcanary_of(command: list[str], url: str, model: str) -> Verdict:
    options = ["--profile", "chat", "--base-url", url, "--api-key", KEY, "--model", model]
    report = run(*command, "scan", *options, "--format", "json", "--fail-on", "any")
    words = {"pass": "passed", "warn": "warned", "fail": "failed"}
    return {test["id"]: words[test["status"]] for test in report["results"]}


def run(*command: str) -> Any:
    """What a command prints as JSON."""
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"]},  # no keys, settings and proxies of the developer's
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        pytest.fail(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def but(verdict: Verdict, usual: str = "passed") -> Verdict:
    """The tests that did not end as usual."""
    return {name: end for name, end in verdict.items() if end != usual}


# --- nothing is wrong -------------------------------------------------------


# llm-comply asks for thoughts where the name of the model is one of OpenAI's that think.
@pytest.mark.parametrize(
    ("scenario", "model", "skipped"),
    [
        pytest.param("plain", "think:gpt-5", {}, id="chunked"),
        pytest.param("closing", "tiny", {"chat-reasoning-summary": "skipped"}, id="closing"),
        pytest.param("think", "gpt-5", {}, id="thinking"),
    ],
)
def test_llm_comply_passes_without_a_warning(
    llm_comply: list[str], scenario: str, model: str, skipped: Verdict
) -> None:
    with testing.serve(scenario, keys={KEY}) as url:
        verdict = llm_comply_of(llm_comply, url, model)
    assert but(verdict) == skipped
    assert len(verdict) >= 9


@pytest.mark.parametrize("model", ["plain", "closing", "tools"])
def test_compatcanary_passes_without_a_warning(compatcanary: list[str], model: str) -> None:
    with testing.serve(keys={KEY}) as url:
        verdict = compatcanary_of(compatcanary, url, model)
    assert but(verdict) == {}
    assert len(verdict) >= 5


# --- they would have said ---------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "wrong"),
    [
        pytest.param(
            "no-done",
            {"chat-streaming-response": "failed", "chat-streaming-usage": "failed"},
            id="no [DONE]",
        ),
        pytest.param("usage-never", {"chat-streaming-usage": "failed"}, id="no usage in streams"),
    ],
)
def test_llm_comply_sees_what_is_wrong(
    llm_comply: list[str], scenario: str, wrong: Verdict
) -> None:
    with testing.serve(scenario, keys={KEY}) as url:
        verdict = llm_comply_of(llm_comply, url, "tiny")
    assert but(verdict) == {"chat-reasoning-summary": "skipped", **wrong}


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        pytest.param("no-done", {"chat.streaming": "failed"}, id="no [DONE]"),
        pytest.param("stream-ignored", {"chat.streaming": "failed"}, id="no stream"),
        pytest.param("unlisted", {"models.list": "warned"}, id="a model that is not listed"),
    ],
)
def test_compatcanary_sees_what_is_wrong(
    compatcanary: list[str], model: str, wrong: Verdict
) -> None:
    with testing.serve(keys={KEY}) as url:
        verdict = compatcanary_of(compatcanary, url, model)
    assert but(verdict) == wrong
