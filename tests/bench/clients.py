"""The clients compared: one class each, the way its own documentation shows it.

Each can get ready, chat, stream pieces of text, and embed as lists of floats.
All imports are made by `ready`, and this module makes none, since what a client
costs to import is one of the things measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

TYPE_CHECKING = False  # what type checkers look for; importing `typing` would hide its cost
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

KEY = "sk-bench"
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer in one sentence."},
    {"role": "user", "content": "What is the capital of France, and what river is it on?"},
]


class Client(ABC):
    """A client as the openai SDK is; the others say where they differ."""

    packages: tuple[str, ...] = ("requests", "urllib3")  # must be installed; are in the report
    shared = True  # whether threads may use one together
    encodings: tuple[str, ...] = ("float", "base64")  # of embeddings; the default is not asked for
    encoding_by_default = "float"

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = self.ready()

    @abstractmethod
    def ready(self) -> Any:
        """The client itself, as its documentation makes it."""

    def chat(self, model: str) -> str:
        answer = self.client.chat.completions.create(model=model, messages=MESSAGES)
        return answer.choices[0].message.content or ""

    def stream(self, model: str) -> Iterator[str]:
        create = self.client.chat.completions.create
        for chunk in create(model=model, messages=MESSAGES, stream=True):
            yield chunk.choices[0].delta.content or ""

    def whole(self, model: str) -> str:
        """The text of a stream, for a caller who keeps nothing else of it."""
        from io import StringIO

        text = StringIO()
        for piece in self.stream(model):
            text.write(piece)
        return text.getvalue()

    def embed(self, texts: list[str], encoding: str) -> list[list[float]]:
        asked = {} if encoding == self.encoding_by_default else {"encoding_format": encoding}
        answer = self.client.embeddings.create(model="embed", input=texts, **asked)
        return [item.embedding for item in answer.data]


class Rawllm(Client):
    def ready(self) -> Any:
        from rawllm import OpenAI

        return OpenAI(base_url=self.url, api_key=KEY)

    def whole(self, model: str) -> str:
        """The stream itself adds the pieces up: there is no need to keep them twice."""
        stream = self.client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        text: str = stream.completion.choices[0].message.content
        return text


class Openai(Client):
    packages = ("openai",)
    encoding_by_default = "base64"  # and only then does it decode the answer

    def ready(self) -> Any:
        import openai

        return openai.OpenAI(base_url=self.url, api_key=KEY)


class Litellm(Client):
    packages = ("litellm", "openai")
    encodings = ("float",)

    def ready(self) -> Any:
        import litellm

        self.server = {"api_base": self.url, "api_key": KEY}
        return litellm

    def chat(self, model: str) -> str:
        answer = self.client.completion(f"openai/{model}", MESSAGES, **self.server)
        return answer.choices[0].message.content or ""

    def stream(self, model: str) -> Iterator[str]:
        completion = self.client.completion
        for chunk in completion(f"openai/{model}", MESSAGES, stream=True, **self.server):
            yield chunk.choices[0].delta.content or ""

    def embed(self, texts: list[str], encoding: str) -> list[list[float]]:
        embedding = self.client.embedding
        answer = embedding("openai/embed", texts, encoding_format=encoding, **self.server)
        return [item["embedding"] for item in answer.data]


class Requests(Client):
    """The tutorial way: a Session and iter_lines()."""

    shared = False  # nothing promises that threads may share a Session
    encodings = ("float",)

    def ready(self) -> Any:
        import requests

        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {KEY}"
        return session

    def post(self, path: str, body: dict[str, Any]) -> Any:
        response = self.client.post(f"{self.url}{path}", json=body)
        response.raise_for_status()
        return response.json()

    def chat(self, model: str) -> str:
        answer = self.post("/chat/completions", {"model": model, "messages": MESSAGES})
        return answer["choices"][0]["message"]["content"] or ""

    def stream(self, model: str) -> Iterator[str]:
        from json import loads

        url = f"{self.url}/chat/completions"
        body = {"model": model, "messages": MESSAGES, "stream": True}
        with self.client.post(url, json=body, stream=True) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith(b"data: ") and line != b"data: [DONE]":
                    yield loads(line[6:])["choices"][0]["delta"].get("content") or ""

    def embed(self, texts: list[str], encoding: str) -> list[list[float]]:
        body = {"model": "embed", "input": texts, "encoding_format": encoding}
        return [item["embedding"] for item in self.post("/embeddings", body)["data"]]


class Import(Requests):
    """`import requests` and no more: what the start of all that is made on top begins with."""

    def ready(self) -> Any:
        import requests

        return requests


class Httpx(Requests):
    packages = ("httpx", "httpx-sse")
    shared = True

    def ready(self) -> Any:
        import httpx
        import httpx_sse

        self.connect: Any = httpx_sse.connect_sse
        return httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, timeout=60)

    def stream(self, model: str) -> Iterator[str]:
        from json import loads

        url = f"{self.url}/chat/completions"
        body = {"model": model, "messages": MESSAGES, "stream": True}
        with self.connect(self.client, "POST", url, json=body) as source:
            source.response.raise_for_status()
            for event in source.iter_sse():
                if event.data != "[DONE]":
                    yield loads(event.data)["choices"][0]["delta"].get("content") or ""


class Floor(Requests):
    """http.client and json.loads: no errors handled, no retries, no proxies."""

    packages = ()

    def ready(self) -> Any:
        import http.client
        import json

        self.loads, self.dumps = json.loads, json.dumps
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        host, _, self.path = self.url.removeprefix("http://").partition("/")
        return http.client.HTTPConnection(host)

    def response(self, path: str, body: dict[str, Any]) -> Any:
        self.client.request("POST", f"/{self.path}{path}", self.dumps(body).encode(), self.headers)
        return self.client.getresponse()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.loads(self.response(path, body).read())

    def stream(self, model: str) -> Iterator[str]:
        body = {"model": model, "messages": MESSAGES, "stream": True}
        response = self.response("/chat/completions", body)
        rest = b""
        while data := response.read1(65536):
            *events, rest = (rest + data).split(b"\n\n")
            for event in events:
                if event != b"data: [DONE]":
                    yield self.loads(event[6:])["choices"][0]["delta"].get("content") or ""


class Ollama(Client):
    """Ollama's own package, on Ollama's own routes: lines of JSON, not events."""

    packages = ("ollama", "httpx")
    encodings = ("float",)

    def ready(self) -> Any:
        import ollama

        return ollama.Client(host=self.url.removesuffix("/v1"))

    def chat(self, model: str) -> str:
        return self.client.chat(model=f"ollama-{model}", messages=MESSAGES).message.content or ""

    def stream(self, model: str) -> Iterator[str]:
        for part in self.client.chat(model=f"ollama-{model}", messages=MESSAGES, stream=True):
            yield part.message.content or ""

    def embed(self, texts: list[str], encoding: str) -> list[list[float]]:
        assert encoding == "float"  # the route has no other
        vectors: list[list[float]] = self.client.embed(model="ollama-embed", input=texts).embeddings
        return vectors


_ALL: tuple[type[Client], ...] = (Rawllm, Floor, Import, Requests, Httpx, Openai, Litellm, Ollama)
CLIENTS = {client.__name__.lower(): client for client in _ALL}

#: By client and job, why the one is not made to do the other.
LEFT_OUT = {
    **dict.fromkeys(
        [("import", job) for job in ("chat", "stream", "delay", "embeddings", "threads", "memory")],
        "only its start is of interest; the rest is requests' own",
    ),
    ("litellm", "memory"): "so long a stream would take it ten minutes or more",
}
