"""From the figures of all rounds to Markdown, and the one thing that must hold."""

import math
import statistics

from .clients import LEFT_OUT

Figures = dict[str, float]
Outcome = dict[str, Figures | str]  # by job: what was measured, or what went wrong
Results = dict[str, dict[str, list[Figures | str]]]  # by client and job: that of each round

HELD_BACK = 5.0  # ms: the server paces at 10, so a token kept for the next one shows

TITLES = {
    "start": "a fresh process, its modules compiled before",
    "chat": "{chats:,} whole answers, one after the other on one connection",
    "stream": "{chunks:,} chunks, collected",
    "delay": "from the server's write to the caller's hands, {paced} chunks, one each {gap} ms, "
    "in a chunked body and in one that ends with the connection",
    "embeddings": "{texts} × {floats:,} numbers in one request",
    "threads": "{chats:,} chats over {threads} threads",
    "memory": "one stream of {long:,} chunks, of which the caller keeps the text, {text} MB",
}
START = {"ready": "import and construct, ms", "answer": "first answer, ms", "memory": "RSS, MB"}
DELAY = [f"{body} {part}" for body in ("chunked", "closing") for part in ("p50", "p99")]
COLUMNS = {  # by job and figure: what the table calls it
    "start": START,
    "chat": {"cpu": "CPU a chat, µs", "wall": "wall a chat, µs"},
    "stream": {"cpu": "CPU a chunk, µs", "rate": "chunks a second"},
    "delay": {figure: f"{figure}, ms" for figure in DELAY},
    "embeddings": {"float": "CPU, floats, ms", "base64": "CPU, base64, ms"},
    "threads": {"rate": "chats a second"},
    "memory": {"after": "RSS after it, MB", "grown": "more than before it, MB"},
}


def table(results: Results, job: str) -> str:
    """One row a client, every figure with its ratio to rawllm's."""
    rows = [["client", *(cell for title in COLUMNS[job].values() for cell in (title, "×"))]]
    rows.append(["---", *["---:"] * (len(rows[0]) - 1)])
    for client in results:
        if (client, job) in LEFT_OUT:
            continue
        row = [client]
        for figure in COLUMNS[job]:
            value, ours = (picked(results, name, job, figure) for name in (client, "rawllm"))
            row += [number(value), number(value / ours if ours else math.nan)]
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def left_out(results: Results, jobs: list[str]) -> str:
    """Who was not made to do what, and why, a row a reason; empty where all did all."""
    rows: dict[tuple[str, str], list[str]] = {}
    for (client, job), reason in LEFT_OUT.items():
        if client in results and job in jobs:
            rows.setdefault((client, reason), []).append(job)
    if not rows:
        return ""
    lines = [f"| {client} | {', '.join(of)} | {why} |" for (client, why), of in rows.items()]
    return "\n".join(["| client | left out of | since |", "| --- | --- | --- |", *lines])


def picked(results: Results, client: str, job: str, figure: str) -> float:
    """The figure that counts of all rounds; not a number where no round has it."""
    rounds = results.get(client, {}).get(job, [])
    values = [r[figure] for r in rounds if not isinstance(r, str) and figure in r]
    pick = min if job == "delay" else statistics.median
    return pick(values) if values else math.nan


def failures(results: Results) -> list[str]:
    """What went wrong, each thing once."""
    lines = [
        f"{client} failed at {job}: {outcome}"
        for client, jobs in results.items()
        for job, rounds in jobs.items()
        for outcome in rounds
        if isinstance(outcome, str)
    ]
    return list(dict.fromkeys(lines))


def faults(results: Results) -> list[str]:
    """What rawllm must do and did not, as sentences; empty when all is well."""
    found = failures({"rawllm": results.get("rawllm", {})})
    for body in ("chunked", "closing"):
        p50 = picked(results, "rawllm", "delay", f"{body} p50")
        if p50 >= HELD_BACK:
            late = f"p50 is {p50:.2f} ms, must be under {HELD_BACK:.0f}"
            found.append(f"rawllm holds tokens back on a {body} body: {late}")
    return found


def number(value: float) -> str:
    """`value` to three digits or so."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
