"""What rawllm is to cost at most, beside its peers: the table, and whether it holds.

A target compares two figures of one run, since the same machine on another day
is another machine.
"""

import math
from typing import NamedTuple

from .report import COLUMNS, Results, number, picked


class Target(NamedTuple):
    """What rawllm's figure is to be: `factor` times the peer's and `more`, at most or at least."""

    job: str
    figure: str
    sign: str  # ≤ or ≥
    factor: float
    peer: str
    more: float = 0  # in the figure's unit
    beside: str = ""  # the peer's figure, where it is another one


TARGETS = [
    Target("start", "ready", "≤", 1, "import", more=15),
    Target("start", "memory", "≤", 1, "requests", more=2),
    Target("chat", "cpu", "≤", 0.5, "requests"),
    Target("chat", "cpu", "≤", 0.8, "httpx"),
    Target("chat", "cpu", "≤", 0.3, "openai"),
    Target("chat", "cpu", "≤", 0.1, "litellm"),
    Target("stream", "cpu", "≤", 1.75, "requests"),
    Target("stream", "cpu", "≤", 0.8, "httpx"),
    Target("stream", "cpu", "≤", 0.1, "openai"),
    Target("stream", "cpu", "≤", 0.01, "litellm"),
    Target("delay", "chunked p50", "≤", 1.25, "floor"),
    Target("delay", "closing p50", "≤", 1.25, "floor"),
    Target("embeddings", "float", "≤", 1.1, "floor"),
    Target("embeddings", "base64", "≤", 0.75, "openai"),
    Target("threads", "rate", "≥", 3, "openai"),
    Target("threads", "rate", "≥", 1.3, "httpx"),
    Target("memory", "grown", "≤", 1.5, "rawllm", beside="text"),
]


def table(results: Results, jobs: list[str]) -> str:
    """One row a target of these jobs: what is wanted, what is, and whether that is enough."""
    rows = [["job", "figure", "wanted", "is", ""], ["---", "---", "---", "---:", "---"]]
    for target in TARGETS:
        if target.job in jobs:
            title = COLUMNS[target.job][target.figure]
            rows.append([target.job, title, wanted(target), *_judged(results, target)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def wanted(target: Target) -> str:
    """The target as a reader takes it in."""
    peer = f"its {target.beside}" if target.beside else target.peer
    value = f"{peer} + {target.more:g}" if target.more else f"{target.factor:g} × {peer}"
    return f"{target.sign} {value}"


def missed(results: Results) -> list[str]:
    """The targets that were measured and not reached, as sentences."""
    judged = {target: _judged(results, target) for target in TARGETS}
    return [
        f"{target.job}, {COLUMNS[target.job][target.figure]}: wanted {wanted(target)}, is {value}"
        for target, (value, verdict) in judged.items()
        if verdict == "missed"
    ]


def _judged(results: Results, target: Target) -> tuple[str, str]:
    """The figure in the terms of the target, and the verdict."""
    ours = picked(results, "rawllm", target.job, target.figure)
    theirs = picked(results, target.peer, target.job, target.beside or target.figure)
    if math.isnan(ours + theirs):
        return number(math.nan), "not measured"
    bound = target.factor * theirs + target.more
    reached = ours <= bound if target.sign == "≤" else ours >= bound
    value = f"{ours - theirs:+.1f}" if target.more else f"× {ours / theirs:.3g}"
    return value, "reached" if reached else "missed"
