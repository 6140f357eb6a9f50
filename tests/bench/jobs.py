"""The jobs: what a client that is ready is made to do, and what it costs.

Each function returns its figures by name. CPU is that of the whole process, the
kernel's part of it included; the server's is in another process. A job checks
what it was given: a client that loses a token has no speed. The first job,
`start`, is in worker.py.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from .clients import Client
from .process import resident


class Sizes(NamedTuple):
    chats: int  # one after the other; shared by the threads
    chunks: int  # of the stream that comes as fast as it is read
    repeats: int  # of these chunks, in the one stream of `memory`
    paced: int  # chunks of the streams that come one each GAP
    texts: int  # embedded in one request
    floats: int  # in each embedding
    embeds: int  # such requests
    threads: int


GAP = 10  # milliseconds
PIECE = 5  # characters of text in each chunk
TEXT = " ".join(["Paris, which is on the river Seine."] * 8)  # of a whole answer
FULL = Sizes(1000, 20_000, repeats=50, paced=200, texts=256, floats=1536, embeds=5, threads=32)
QUICK = Sizes(16, 100, repeats=2, paced=5, texts=4, floats=16, embeds=1, threads=4)


def chat(client: Client, sizes: Sizes) -> dict[str, float]:
    for _ in range(10):  # what is lazy is loaded, what is cached is cached
        client.chat("plain")
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    for _ in range(sizes.chats):
        _require(client.chat("plain") == TEXT, "an answer is not what was sent")
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    return {"cpu": cpu / sizes.chats / 1e3, "wall": wall / sizes.chats / 1e3}


def stream(client: Client, sizes: Sizes) -> dict[str, float]:
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    text = "".join(client.stream("burst"))
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    _require(len(text) == PIECE * sizes.chunks, f"{len(text)} characters arrived")
    return {"cpu": cpu / sizes.chunks / 1e3, "rate": sizes.chunks / wall * 1e9}


def delay(client: Client, sizes: Sizes) -> dict[str, float]:
    """From just before the server's write to just after the client's hand-over, in ms."""
    figures = {}
    for body in ("chunked", "closing"):
        delays = []
        for piece in client.stream(f"paced-{body}"):
            now = time.monotonic_ns()
            if piece:
                delays.append((now - int(piece)) / 1e6)
        _require(len(delays) == sizes.paced, f"{len(delays)} pieces arrived")
        delays.sort()
        figures[f"{body} p50"] = delays[len(delays) // 2]
        figures[f"{body} p99"] = delays[len(delays) * 99 // 100]
    return figures


def embeddings(client: Client, sizes: Sizes) -> dict[str, float]:
    texts = [f"This is text number {i}, and it is of no importance." for i in range(sizes.texts)]
    figures = {}
    for encoding in client.encodings:
        begin = time.process_time_ns()
        for _ in range(sizes.embeds):
            vectors = client.embed(texts, encoding)
        figures[encoding] = (time.process_time_ns() - begin) / sizes.embeds / 1e6
        _require([len(vector) for vector in vectors] == [sizes.floats] * sizes.texts, "wrong shape")
        _require(all(isinstance(number, float) for number in vectors[-1]), "not floats")
    return figures


def threads(client: Client, sizes: Sizes) -> dict[str, float]:
    """The connections are made on the way: nobody begins with more than one."""
    local = threading.local()

    def answered(_: int) -> str:
        if not client.shared and not hasattr(local, "client"):
            local.client = type(client)(client.url)
        return (client if client.shared else local.client).chat("plain")

    with ThreadPoolExecutor(sizes.threads) as pool:
        begin = time.perf_counter_ns()
        answers = list(pool.map(answered, range(sizes.chats)))
        rate = sizes.chats / (time.perf_counter_ns() - begin) * 1e9
    _require(answers == [TEXT] * sizes.chats, "an answer is not what was sent")
    return {"rate": rate}


def memory(client: Client, sizes: Sizes) -> dict[str, float]:
    """What the process holds after a long stream, when nothing of it is kept but its text."""
    before = resident()
    text = client.whole("long")
    after = resident()
    characters = PIECE * sizes.chunks * sizes.repeats
    _require(len(text) == characters, f"{len(text)} characters arrived")
    return {"after": after, "grown": after - before, "text": characters / 1e6}


def _require(true: bool, otherwise: str) -> None:
    if not true:
        raise RuntimeError(otherwise)


JOBS = {job.__name__: job for job in (chat, stream, delay, embeddings, threads, memory)}
