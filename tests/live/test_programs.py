"""The programs of the four documents the project began with run on a real server.

They stand in ``programs/`` as they were printed: what differs is the import line (``openai``
became ``rawllm``), the base URL and the model's name, which come from the environment.
"""

import ast
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from .conftest import Serve
from .replies import REPLY
from .server import LlamaServer, free_port, unavailable, url_of

PROGRAMS = Path(__file__).parent / "programs"
TIMEOUT = 60


def command(*arguments: str | Path) -> list[str]:
    """Python in its strict mode: what a program leaves open is a warning on stderr."""
    return [sys.executable, "-X", "dev", *(str(each) for each in arguments)]


def environment(base_url: str) -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {
        **os.environ,
        "BASE_URL": base_url,
        "MODEL": "tiny",
        "PYTHONUTF8": "1",
        "PYTHONPATH": f"{root}{os.pathsep}{PROGRAMS}",
    }


def output_of(base_url: str, *arguments: str | Path, stdin: str = "") -> str:
    """What a program prints, given that it succeeds and has nothing to say on stderr."""
    done = subprocess.run(
        command(*arguments),
        env=environment(base_url),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# --- document 000: a minimal client, and its three ways to fail ---


def minimal_output(before: str, content: str) -> str:
    """Its output, where each of its two requests prints and returns the same."""
    return (
        f"{before}\nLLM Response:\n{content}\n"
        f"{before}\nLLM Response (Geography Expert):\n{content}\n"
    )


def test_minimal_client_prints_both_replies(chat_server: LlamaServer) -> None:
    output = output_of(chat_server.base_url, PROGRAMS / "minimal_client.py")
    assert output == minimal_output("", REPLY)


def test_minimal_client_reports_a_refused_connection() -> None:
    base_url = url_of(free_port())
    output = output_of(base_url, PROGRAMS / "minimal_client.py")
    said = output.partition("\nEnsure")[0]
    assert said.startswith("Server connection error: ")
    assert base_url in said
    assert output == minimal_output(
        f"{said}\n"
        "Ensure your local LLM server is running and accessible at the specified base_url.\n",
        "Error: Could not connect to local LLM server.",
    )


def test_minimal_client_reports_an_error_status(keyed_server: LlamaServer) -> None:
    output = output_of(keyed_server.base_url, PROGRAMS / "minimal_client.py")
    assert output == minimal_output(
        "API status error: 401 - <Response [401]>\n"
        "Check if the model name is correct and loaded on the server.\n",
        "Error: LLM API returned an error.",
    )


class WebPage(BaseHTTPRequestHandler):
    """Answers everything with a page, as a web interface does which took the API's port."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        page = b"<!doctype html><title>Chat</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def web_page() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), WebPage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield url_of(server.server_port)
        server.shutdown()
        thread.join()


def test_minimal_client_reports_anything_else(web_page: str) -> None:
    output = output_of(web_page, PROGRAMS / "minimal_client.py")
    said = output.partition("\n\nLLM Response:")[0]
    assert said.startswith("An unexpected error occurred: ")
    assert "<!doctype html>" in said
    assert output == minimal_output(f"{said}\n", "Error: An unexpected error occurred.")


# --- document 001: a chat and an embedding ---


def test_chat_and_embeddings_prints_a_reply_and_a_vector(embedding_server: LlamaServer) -> None:
    output = output_of(embedding_server.base_url, PROGRAMS / "chat_and_embeddings.py")
    reply, vector = output.splitlines()
    assert reply == REPLY
    assert math.hypot(*json.loads(vector)) == pytest.approx(1)


# --- document 002: by hand with requests, with the package, and a chatbot ---


def test_low_level_prints_its_report_and_the_reply(chat_server: LlamaServer) -> None:
    output = output_of(chat_server.base_url, PROGRAMS / "low_level.py")
    used, finished, report = output.split("\n", 2)
    rule = "=" * 50
    assert used.startswith("✓ Tokens used: prompt=")
    assert finished == "✓ Finish reason: stop"
    assert report == f"\n{rule}\nModel reply:\n{rule}\n{REPLY}\n{rule}\n{REPLY}\n"


def test_low_level_runs_with_its_class_replaced(chat_server: LlamaServer, tmp_path: Path) -> None:
    lines = (PROGRAMS / "low_level.py").read_text(encoding="utf-8").splitlines()
    (written,) = (
        node for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.ClassDef)
    )
    lines[written.lineno - 1 : written.end_lineno] = ["from rawllm import OpenAI"]
    replaced = tmp_path / "replaced.py"
    replaced.write_text("\n".join(lines), encoding="utf-8")
    assert output_of(chat_server.base_url, replaced) == f"{REPLY}\n"


def test_high_level_prints_the_reply(chat_server: LlamaServer) -> None:
    assert output_of(chat_server.base_url, PROGRAMS / "high_level.py") == f"{REPLY}\n"


WELCOME = f"""\
{"=" * 50}
欢迎使用多轮对话机器人!(流式输出版)
输入 'exit' 或 'quit' 退出程序
输入 'clear' 或 'reset' 清除对话历史
{"=" * 50}
"""


def asked(turn: int) -> str:
    """What the chatbot prints before it reads a line. What is typed is not echoed to a pipe."""
    return f"\n[第{turn}轮] 你: "


def test_streaming_chatbot_holds_a_conversation(chat_server: LlamaServer) -> None:
    typed = ["我的名字是苍井空", "", "我叫什么名字?", "clear", "你好", "exit"]
    answered = f"\nAI: {REPLY}\n"
    assert output_of(
        chat_server.base_url, PROGRAMS / "streaming_chatbot.py", stdin="\n".join(typed)
    ) == (
        WELCOME
        + (asked(1) + answered)
        + asked(2)  # an empty line is asked for again
        + (asked(2) + answered)
        + (asked(3) + "对话历史已清除,开始新的对话\n")
        + (asked(1) + answered)
        + (asked(2) + "再见!\n")
    )


def test_streaming_chatbot_goes_on_after_a_failed_turn() -> None:
    base_url = url_of(free_port())
    output = output_of(base_url, PROGRAMS / "streaming_chatbot.py", stdin="你好\nexit\n")
    opening = f"{WELCOME}{asked(1)}\nAI: \n请求出错: "
    closing = f"\n{asked(1)}再见!\n"
    assert output.startswith(opening)
    assert base_url in output
    assert output.endswith(closing)


# --- document 003: a streaming example, a test of compatibility, a retry loop ---


def test_streaming_example_prints_the_reply(chat_server: LlamaServer) -> None:
    assert output_of(chat_server.base_url, PROGRAMS / "streaming_example.py") == REPLY


def test_compatibility_script_finds_everything(router: LlamaServer) -> None:
    assert output_of(router.base_url, PROGRAMS / "compatibility_script.py") == (
        "Models: ['tiny', 'tiny-think', 'tiny-tool']\n"
        "Response: Hello there! I am a tiny model, caf\n"  # ten tokens, cut by max_tokens
        f"Stream: {REPLY}\n"
    )


RETRYING = """
from retry_loop import chat

patient = chat.retry_with(before_sleep=lambda state: print("waiting", flush=True))
print(patient([{"role": "user", "content": "Hello!"}]).choices[0].message.content)
"""


def test_retry_loop_waits_for_a_server_that_starts_late(serve: Serve) -> None:
    if find_spec("tenacity") is None:
        unavailable("the program retries with tenacity: pip install tenacity")
    port = free_port()
    with subprocess.Popen(
        command("-c", RETRYING),
        env=environment(url_of(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as program:
        guard = threading.Timer(TIMEOUT, program.kill)
        guard.start()
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "waiting\n"
            with serve("tiny", port=port):
                output, errors = program.communicate()
        finally:
            guard.cancel()
            program.kill()
    assert (program.returncode, errors) == (0, "")
    assert output.splitlines()[-1] == REPLY
