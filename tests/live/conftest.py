"""Live servers, one for each way to start it, shared by all tests of a session.

``RAWLLM_LLAMA_SERVER``  the path of llama-server (otherwise looked up on PATH)
``RAWLLM_TINY_MODELS``   the folder of the three models (otherwise made: needs gguf and numpy)
``RAWLLM_REQUIRE_LIVE``  1: what is missing fails the tests instead of skipping them
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from .server import LlamaServer, binary, free_port, running, unavailable

Serve = Callable[..., AbstractContextManager[LlamaServer]]

API_KEY = "a key only for this test"


@pytest.fixture(scope="session")
def llama_server() -> str:
    return binary()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with tiny.gguf, tiny-think.gguf and tiny-tool.gguf, and no other model."""
    given = os.environ.get("RAWLLM_TINY_MODELS")
    if given:
        if not Path(given, "tiny.gguf").is_file():
            unavailable(f"RAWLLM_TINY_MODELS={given} holds no tiny.gguf")
        return Path(given)
    try:
        from .tiny_gguf import make
    except ImportError as missing:
        unavailable(f"no models: pip install gguf numpy, or set RAWLLM_TINY_MODELS ({missing})")
    folder = tmp_path_factory.mktemp("models")
    make(folder)
    return folder


@pytest.fixture(scope="session")
def serve(llama_server: str, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Start a server of one model, or of all: ``with serve("tiny", "--slots") as server``."""
    logs = tmp_path_factory.mktemp("llama-server")

    def start(
        model: str | None, *arguments: str, port: int = 0
    ) -> AbstractContextManager[LlamaServer]:
        if model is None:
            source = ["--models-dir", str(models)]
        else:
            source = ["-m", str(models / f"{model}.gguf"), "--alias", model]
        port = port or free_port()
        log = logs / f"{port}.log"
        return running(llama_server, [*source, "--jinja", *arguments], port, log)

    return start


@pytest.fixture(scope="session")
def chat_server(serve: Serve) -> Iterator[LlamaServer]:
    with serve("tiny") as server:
        yield server


@pytest.fixture(scope="session")
def keyed_server(serve: Serve) -> Iterator[LlamaServer]:
    with serve("tiny", "--api-key", API_KEY) as server:
        yield server


@pytest.fixture(scope="session")
def tool_server(serve: Serve) -> Iterator[LlamaServer]:
    with serve("tiny-tool") as server:
        yield server


@pytest.fixture(scope="session")
def think_server(serve: Serve) -> Iterator[LlamaServer]:
    with serve("tiny-think") as server:
        yield server


@pytest.fixture(scope="session")
def embedding_server(serve: Serve) -> Iterator[LlamaServer]:
    """It answers chats too."""
    with serve("tiny", "--embeddings", "--pooling", "mean") as server:
        yield server


@pytest.fixture(scope="session")
def router(serve: Serve) -> Iterator[LlamaServer]:
    """One server for all models, which loads each when it is first asked for."""
    with serve(None) as server:
        yield server


# Room for an answer of more than a minute. The models' own 4,096 tokens are written in half a
# second, which is too short for a test of interrupting them.
LENGTH = str(2**18)
ENDLESS = [
    *("-c", LENGTH, "--parallel", "1", "--override-kv", f"llama.context_length=int:{LENGTH}"),
    "--slots",
]


@pytest.fixture(scope="session")
def endless_server(serve: Serve) -> Iterator[LlamaServer]:
    with serve("tiny", *ENDLESS) as server:
        yield server


@pytest.fixture
def doomed_server(serve: Serve) -> Iterator[LlamaServer]:
    """A server of one test's own, which it may kill."""
    with serve("tiny", *ENDLESS) as server:
        yield server
