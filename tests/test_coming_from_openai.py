"""What the README says to those who come from the openai package: each item, by its test.

Where that package is installed, as it is in the gate, names and base classes
are compared with its own.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

import rawllm
from rawllm import OpenAI, testing
from rawllm.testing import Exchange

README = Path(__file__).parents[1] / "README.md"
HELLO = [{"role": "user", "content": "Hello there!"}]

Test = TypeVar("Test", bound=Callable[..., None])
ITEMS: dict[str, Callable[..., None]] = {}


def item(opening: str) -> Callable[[Test], Test]:
    """The test of the item that opens with these words."""

    def note(test: Test) -> Test:
        ITEMS[opening] = test
        return test

    return note


def items() -> list[str]:
    section = README.read_text().partition("## Coming from openai")[2].partition("\n## ")[0]
    found = re.findall(r"^- (.*(?:\n  .*)*)", section, re.MULTILINE)
    return [re.sub(r"\s+", " ", text) for text in found]


@pytest.mark.parametrize("text", items())
def test_every_item_has_its_test(text: str) -> None:
    assert [opening for opening in ITEMS if text.startswith(opening)]


def test_every_test_has_its_item() -> None:
    for opening in ITEMS:
        assert any(text.startswith(opening) for text in items()), opening


class Server:
    """The reference server's address and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.exchanges: list[Exchange] = []

    @property
    def bodies(self) -> list[Any]:
        return [exchange.request.json for exchange in self.exchanges]


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with testing.serve(seen=server.exchanges.append) as server.url:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="sk-1", max_retries=0) as client:
        yield client


def theirs(name: str) -> Any:
    """The openai package's own, `None` where it is not installed."""
    try:
        return getattr(importlib.import_module("openai"), name, None)
    except ImportError:
        return None


# --- what stays -------------------------------------------------------------


@item("The import is the one line that changes")
def test_openai_is_the_client() -> None:
    assert rawllm.OpenAI is rawllm.Client


@item("`OPENAI_BASE_URL`, `OPENAI_ORG_ID`")
def test_the_environment_means_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.invalid/v1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project")
    client = OpenAI()
    assert (client.api_key, client.base_url) == ("sk-env", "https://gateway.invalid/v1")
    assert (client.organization, client.project) == ("org", "project")


@item("`chat.completions.create`, `completions.create`")
def test_the_methods_have_the_same_names_arguments_and_answers(client: OpenAI) -> None:
    chat = client.chat.completions.create(
        model="plain",
        messages=HELLO,
        temperature=0.5,
        max_tokens=100,
        n=2,
        stop=["!"],
        seed=1,
        stream=False,
        user="me",
    )
    assert chat.object == "chat.completion"
    assert [choice.finish_reason for choice in chat.choices] == ["stop", "stop"]
    assert chat.choices[0].message.role == "assistant"
    assert chat.choices[0].message.content is not None
    assert chat.choices[0].message.tool_calls is None
    assert chat.usage is not None
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens
    completion = client.completions.create(model="plain", prompt="Once", echo=True, max_tokens=1)
    assert completion.choices[0].text.startswith("Once")
    embedding = client.embeddings.create(model="plain", input=["a", "b"], dimensions=8)
    assert [(e.index, len(e.embedding)) for e in embedding.data] == [(0, 8), (1, 8)]
    assert "plain" in [model.id for model in client.models.list()]
    assert client.models.retrieve("plain").id == "plain"
    assert callable(client.models.delete)


@item("A stream is iterated, closed and used in a `with` block")
def test_a_stream_is_used_as_before(client: OpenAI) -> None:
    with client.chat.completions.create(model="plain", messages=HELLO, stream=True) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == "Hello there!"
    stream = client.chat.completions.create(model="plain", messages=HELLO, stream=True)
    assert next(iter(stream)).choices
    stream.close()
    assert stream.response.status_code == 200


ERRORS = [name for name in rawllm.__all__ if name.endswith("Error")]
SHARED = [name for name in ERRORS if theirs(name)]


@item("The exceptions of calls and their statuses")
def test_the_errors_of_the_protocol_are_there_by_their_names() -> None:
    assert {
        "OpenAIError",
        "APIError",
        "APIConnectionError",
        "APITimeoutError",
        "APIStatusError",
        "APIResponseValidationError",
        "BadRequestError",
        "AuthenticationError",
        "PermissionDeniedError",
        "NotFoundError",
        "ConflictError",
        "UnprocessableEntityError",
        "RateLimitError",
        "InternalServerError",
    } <= {*ERRORS}


@pytest.mark.skipif(not SHARED, reason="needs the openai package")
def test_the_base_classes_are_the_same_among_each_other() -> None:
    for one, other in itertools.permutations(SHARED, 2):
        ours = issubclass(getattr(rawllm, one), getattr(rawllm, other))
        assert ours == issubclass(theirs(one), theirs(other)), (one, other)


@item("`with_options`, `with_raw_response`")
def test_the_options_are_there(server: Server, client: OpenAI) -> None:
    other = client.with_options(timeout=5, max_retries=1)
    raw = other.chat.completions.with_raw_response.create(
        model="plain",
        messages=HELLO,
        extra_headers={"X-Request-Id": "mine"},
        extra_query={"a": "b"},
        extra_body={"top_k": 1},
        timeout=3,
        user=rawllm.omit,
        seed=rawllm.NOT_GIVEN,
    )
    assert raw.headers["x-request-id"] == "mine"
    assert raw.parse()._request_id == "mine"
    assert raw.parse().model_dump()["object"] == "chat.completion"
    assert server.exchanges[0].request.query == "a=b"
    assert server.bodies[0] == {"model": "plain", "messages": HELLO, "top_k": 1}


# --- what is better ---------------------------------------------------------


@item("A stream that was cut short raises `IncompleteStreamError`")
@pytest.mark.parametrize("model", ["cut-fin", "cut-rst", "done-without-finish"])
def test_a_cut_stream_is_an_exception(client: OpenAI, model: str) -> None:
    with pytest.raises(rawllm.IncompleteStreamError) as caught:
        list(client.chat(model, "Hello there!", stream=True))
    assert "Hello there!".startswith(caught.value.partial.choices[0].message.text)


@item("An error within a stream, a page of HTML")
@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("stream-error", rawllm.StreamAPIError),
        ("html", rawllm.APIResponseValidationError),
        ("empty", rawllm.APIResponseValidationError),
        ("200-error", rawllm.APIStatusError),
    ],
)
def test_what_is_no_answer_is_an_exception(
    client: OpenAI, model: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        list(client.chat(model, "Hello there!", stream=True))


@item("Answers are dicts, too")
def test_answers_are_dicts(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="plain", messages=HELLO)
    answer = raw.parse()
    assert answer["choices"] is answer.choices
    assert json.dumps(answer, separators=(",", ":")) == raw.text


@item("Parameters that OpenAI does not know are sent")
def test_unknown_parameters_are_sent(server: Server, client: OpenAI) -> None:
    client.chat("plain", "Hi", top_k=40)
    assert server.bodies[0]["top_k"] == 40


@item("`deadline`, `first_token_timeout` and `idle_timeout`")
@pytest.mark.parametrize("limit", ["deadline", "first_token_timeout", "idle_timeout"])
def test_limits_hold(client: OpenAI, limit: str) -> None:
    model = "slow:60000" if limit == "first_token_timeout" else "cut-silence"
    limits: dict[str, Any] = {limit: 0.2}
    with pytest.raises((rawllm.APITimeoutError, rawllm.IncompleteStreamError)) as caught:
        list(client.chat(model, "Hello there!", stream=True, **limits))
    assert limit.split("_")[0] in str(caught.value)


@item("No key is needed where the server needs none")
def test_no_key_is_needed(server: Server) -> None:
    with OpenAI(base_url=server.url) as client:
        assert client.chat("plain", "Hi") == "Hi"
    assert "authorization" not in server.exchanges[0].request.headers


# --- what differs -----------------------------------------------------------


@item("`OPENAI_API_KEY` goes to OpenAI")
def test_a_key_of_the_environment_goes_only_where_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    assert OpenAI(base_url="https://elsewhere.invalid/v1").api_key == ""
    assert OpenAI(base_url="https://elsewhere.invalid/v1", api_key="sk-1").api_key == "sk-1"
    assert OpenAI(base_url="http://localhost:1/v1").api_key == "sk-env"
    assert OpenAI().api_key == "sk-env"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.invalid/v1")
    assert OpenAI().api_key == "sk-env"


@item("A timeout is not retried")
@pytest.mark.parametrize(("retry", "tries"), [(False, 1), (True, 2)])
def test_a_timeout_is_not_retried(retry: bool, tries: int) -> None:
    exchanges: list[Exchange] = []
    with (
        testing.serve("slow:60000", seen=exchanges.append) as url,
        OpenAI(base_url=url, timeout=0.2, max_retries=1, retry_timeouts=retry) as client,
        pytest.raises(rawllm.APITimeoutError),
    ):
        client.chat("llama3", "Hi")
    assert len(exchanges) == tries


@item("An account that has nothing left")
def test_an_empty_account_is_not_asked_again(server: Server) -> None:
    with OpenAI(base_url=server.url, max_retries=2) as client:
        with pytest.raises(rawllm.RateLimitError):
            client.chat("insufficient_quota", "Hi")
        assert len(server.exchanges) == 1


@item("A request body that holds NaN, bytes or a generator")
@pytest.mark.parametrize("value", [float("nan"), b"bytes", (n for n in [1])], ids=str)
def test_what_is_no_json_is_not_sent(server: Server, client: OpenAI, value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        client.chat("plain", "Hi", metadata=value)
    assert not server.exchanges


@item("Embeddings come as the server likes")
def test_embeddings_are_asked_for_in_no_form(server: Server, client: OpenAI) -> None:
    floats = client.embeddings.create(model="plain", input="Hi")
    packed = client.embeddings.create(model="plain", input="Hi", encoding_format="base64")
    assert "encoding_format" not in server.bodies[0]
    assert server.bodies[1]["encoding_format"] == "base64"
    assert floats.data[0].embedding == packed.data[0].embedding


@item("In place of `http_client=` there is `session=`")
def test_a_session_is_the_callers(server: Server) -> None:
    with requests.Session() as session:
        session.headers["X-Mine"] = "yes"
        assert OpenAI(base_url=server.url, session=session).chat("plain", "Hi") == "Hi"
    assert server.exchanges[0].request.headers["x-mine"] == "yes"
    assert "http_client" not in inspect.signature(OpenAI).parameters


# --- what is missing --------------------------------------------------------


@item("There is no `AsyncOpenAI`")
def test_there_is_no_async_client() -> None:
    assert not hasattr(rawllm, "AsyncOpenAI")


@item("There is no `parse`, no `chat.completions.stream`")
def test_other_paths_are_reached(client: OpenAI) -> None:
    assert not hasattr(client.chat.completions, "parse")
    assert not hasattr(client.chat.completions, "stream")
    assert not hasattr(client.chat.completions, "with_streaming_response")
    for name in ("responses", "files", "images", "audio", "batches", "moderations"):
        assert not hasattr(client, name)
    assert not hasattr(rawllm, "LengthFinishReasonError")
    assert not hasattr(rawllm, "ContentFilterFinishReasonError")
    body = {"model": "plain", "messages": HELLO}
    assert client.post("/chat/completions/input_tokens", body=body).input_tokens == 3
    assert client.get("/models").data


@item("There is no `AzureOpenAI`, no callable")
def test_timeouts_are_numbers_and_keys_are_text() -> None:
    assert not hasattr(rawllm, "AzureOpenAI")
    assert not hasattr(rawllm, "Timeout")
    with pytest.raises(TypeError, match="api_key must be a str"):
        OpenAI(api_key=lambda: "sk-1")  # type: ignore[arg-type]
    assert OpenAI(base_url="http://localhost:1/v1", timeout=(1, 2)).timeout == (1, 2)
