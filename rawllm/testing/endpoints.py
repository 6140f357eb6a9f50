"""The endpoints: a request in, a script out. No I/O.

A `Site` is one server: its keys, its models, what it remembers. What is left
out: sockets (`server.py`), and what a model says (`turns.py`).

>>> site = Site(keys={"secret"})
>>> site.answer(Request("GET", "/v1/models", {}, b""))[0][:25]
b'HTTP/1.1 401 Unauthorized'
"""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from rawllm.envelopes import Envelope
from rawllm.testing import completions, faults, histories, parameters, tokens, vectors
from rawllm.testing.bodies import stream, whole
from rawllm.testing.completions import Answer
from rawllm.testing.faults import Memory, Moment, request_id
from rawllm.testing.parameters import RefusedError, check
from rawllm.testing.rows import Scenario
from rawllm.testing.scenarios import SCENARIOS, checked, found
from rawllm.testing.scripts import Json, Request, Script
from rawllm.testing.turns import Ask, Turn

#: No prompt has more tokens, and no answer with all its choices; no text to embed.
MOST_TOKENS, MOST_EMBEDDED = 250_000, 8192


class Site:
    """What one server answers.

    Without `keys` any key is good. A model's name that is not in the table
    behaves as `scenario` says, or is a 404 if `strict`. Raises `ValueError`
    for a scenario that is not in the table, or with an argument that it does
    not take, and `TypeError` for `keys` that are one text.
    """

    def __init__(
        self,
        scenario: str = "plain",
        *,
        keys: Collection[str] = (),
        strict: bool = False,
        memory: Memory | None = None,
    ) -> None:
        if isinstance(keys, str):
            raise TypeError("keys must be a collection of keys: write {key} for a single one")
        self._default = checked(scenario)
        self._keys = frozenset(keys)
        self._strict = strict
        self._memory = memory or Memory()

    def answer(self, request: Request) -> Script:
        """What is played for a request, however wrong it is.

        A HEAD has the answer of a GET; whoever sends it leaves out the body.
        """
        try:
            return self._route(request, _path(request))
        except RefusedError as refused:
            return faults.error(refused.status, refused.envelope, headers=request_id(request))
        except RecursionError:  # Python's own limit, wherever it was reached
            words = Envelope("the body is nested too deep", type="invalid_request_error")
            return faults.error(400, words, headers=request_id(request))

    def _route(self, request: Request, path: str) -> Script:
        if path.startswith("/v1/"):
            self._check_key(request.headers.get("authorization", ""))
        methods = ROUTES.get(_ONE_MODEL if re.fullmatch(_ONE_MODEL, path) else path)
        if methods is None:
            raise RefusedError(f"Invalid URL ({request.method} {path})", status=404)
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            words = f"Not allowed to make {request.method} requests to {path}"
            allowed = {"Allow": ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])}
            envelope = Envelope(words, type="invalid_request_error")
            return faults.error(405, envelope, headers=request_id(request) | allowed)
        return methods[method](self, request)

    def _check_key(self, authorization: str) -> None:
        scheme, _, key = authorization.partition(" ")
        if self._keys and not (scheme.lower() == "bearer" and key.strip() in self._keys):
            words = "Incorrect API key provided." if key else "You didn't provide an API key."
            raise RefusedError(words, status=401, code="invalid_api_key")

    def scenario(self, model: str) -> tuple[Scenario, str]:
        """How a model behaves, and the argument in its name. `RefusedError`: it is unknown."""
        known = found(model)
        if known is None and self._strict:
            words = f"The model `{model}` does not exist"
            raise RefusedError(words, status=404, param="model", code="model_not_found")
        return known or self._default

    def instead(self, request: Request, given: Mapping[str, Any]) -> Script | None:
        """What is played in place of an answer, `None` for nothing."""
        scenario, argument = self.scenario(given["model"])
        model = given["model"] if found(given["model"]) else ""
        streamed = given.get("stream", False)
        return scenario.instead(Moment(request, model, argument, streamed, self._memory))

    def loading(self, request: Request) -> Script | None:
        """What is played while the server's own model is being loaded, `None` afterwards."""
        scenario, argument = self._default
        if scenario.instead is not faults.loading:
            return None
        return scenario.instead(Moment(request, "", argument, streamed=False, memory=self._memory))


def _path(request: Request) -> str:
    try:
        return request.path
    except ValueError:  # as for "//[", which begins like an address and is none
        raise RefusedError(f"Invalid URL ({request.target})", status=404) from None


# --- answers of generation --------------------------------------------------


def _chat(site: Site, request: Request) -> Script:
    given = check(_json(request), parameters.CHAT)
    asks = [Ask(given, None, choice) for choice in range(given.get("n", 1))]
    count = len(histories.tokens_of(given["messages"]))
    return _generated(site, request, asks, count, completions.chat, completions.chat_chunks)


def _completion(site: Site, request: Request) -> Script:
    given = check(_json(request), parameters.COMPLETION)
    prompts = _texts(given["prompt"], "prompt")
    asks = [Ask(given, prompt, n) for prompt, _ in prompts for n in range(given.get("n", 1))]
    count = sum(count for _, count in prompts)
    return _generated(site, request, asks, count, completions.text, completions.text_chunks)


def _generated(
    site: Site,
    request: Request,
    asks: Sequence[Ask],
    prompt_tokens: int,
    write: Callable[[Answer], Json],
    chunks: Callable[[Answer], list[Json]],
) -> Script:
    given = asks[0].given
    if (script := site.instead(request, given)) is not None:
        return script
    _check_length("prompt" if "prompt" in given else "messages", prompt_tokens)
    scenario, argument = site.scenario(given["model"])
    dialect = scenario.dialect
    heard = [ask._replace(argument=argument) for ask in asks if dialect.many or not ask.choice]
    answer = Answer(given, _said(scenario, heard), dialect, prompt_tokens)
    if given.get("stream") and scenario.streams:
        return stream(request, chunks(answer), scenario, argument)
    return whole(request, write(answer), scenario, argument)


def _said(scenario: Scenario, asks: Sequence[Ask]) -> list[Turn]:
    turns: list[Turn] = []
    left = MOST_TOKENS
    for ask in asks:
        turn = scenario.say(ask)
        left -= turn.tokens
        if left < 0:
            raise RefusedError(f"more than {MOST_TOKENS} tokens are not said at once", param="n")
        turns.append(turn._replace(echo=ask.said) if ask.given.get("echo") else turn)
    return turns


def _check_length(param: str, count: int, most: int = MOST_TOKENS) -> None:
    if count > most:
        words = (
            f"This model's maximum context length is {most} tokens. "
            f"However, your {param} resulted in {count} tokens."
        )
        raise RefusedError(words, param=param, code="context_length_exceeded")


# --- the other endpoints ----------------------------------------------------


def _embeddings(site: Site, request: Request) -> Script:
    given = check(_json(request), parameters.EMBEDDING)
    if (script := site.instead(request, given)) is not None:
        return script
    scenario, argument = site.scenario(given["model"])
    texts = _texts(given["input"], "input")
    counts = [count for _, count in texts]
    _check_length("input", max(counts), MOST_EMBEDDED)
    _check_length("input", count := sum(counts))
    dimensions = given.get("dimensions", vectors.DIMENSIONS)
    written = vectors.base64_of if given.get("encoding_format") == "base64" else list
    found = [written(vectors.embed(text, dimensions)) for text, _ in texts]
    data = [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(found)]
    usage = {"prompt_tokens": count, "total_tokens": count}
    value = {"object": "list", "data": data, "model": given["model"], "usage": usage}
    return whole(request, value, scenario, argument)


def _models(site: Site, request: Request) -> Script:
    listed = {"object": "list", "data": [_model(name) for name in SCENARIOS]}
    return site.loading(request) or whole(request, listed)


def _one_model(site: Site, request: Request) -> Script:
    return whole(request, _model(_named(site, request)))


def _deleted(site: Site, request: Request) -> Script:
    """As OpenAI says it of a model that was fine-tuned. The model stays."""
    deleted = {"id": _named(site, request), "object": "model", "deleted": True}
    return whole(request, deleted)


def _named(site: Site, request: Request) -> str:
    name = unquote(request.path.removeprefix("/v1/models/"))
    site.scenario(name)
    return name


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": completions.CREATED, "owned_by": "rawllm"}


def _input_tokens(site: Site, request: Request) -> Script:
    """As llama-server counts those of a chat, without answering it."""
    given = check(_json(request), parameters.CHAT)
    site.scenario(given["model"])
    count = len(histories.tokens_of(given["messages"]))
    return whole(request, {"object": "response.input_tokens", "input_tokens": count})


def _tokenize(site: Site, request: Request) -> Script:
    """As llama-server and vLLM do, which name their fields differently."""
    given = check(_json(request), parameters.TOKENIZE)
    text = given.get("content", given.get("prompt", ""))
    ids = tokens.encode(text) + histories.tokens_of(given.get("messages", ()))
    return whole(request, {"tokens": ids, "count": len(ids)})


def _detokenize(site: Site, request: Request) -> Script:
    given = check(_json(request), parameters.DETOKENIZE)
    try:
        text = tokens.decode(given["tokens"])
    except ValueError:
        words = "'tokens' must be tokens as /tokenize gives them"
        raise RefusedError(words, param="tokens") from None
    return whole(request, {"content": text, "prompt": text})


def _health(site: Site, request: Request) -> Script:
    return site.loading(request) or whole(request, {"status": "ok"})


_ONE_MODEL = "/v1/models/(.+)"

#: By path and method. No key is asked for outside of /v1, as with vLLM.
ROUTES: dict[str, dict[str, Callable[[Site, Request], Script]]] = {
    "/v1/chat/completions": {"POST": _chat},
    "/v1/completions": {"POST": _completion},
    "/v1/embeddings": {"POST": _embeddings},
    "/v1/models": {"GET": _models},
    _ONE_MODEL: {"GET": _one_model, "DELETE": _deleted},
    "/v1/chat/completions/input_tokens": {"POST": _input_tokens},
    "/tokenize": {"POST": _tokenize},
    "/detokenize": {"POST": _detokenize},
    "/health": {"GET": _health},
}


# --- requests ---------------------------------------------------------------


def _json(request: Request) -> Any:
    kind = request.headers.get("content-type", "application/json")  # vLLM and SGLang look at it
    if not kind.lower().startswith("application/json"):
        raise RefusedError(f"the Content-Type must be application/json, which {kind!r} is not")
    try:
        return json.loads(request.body, parse_float=_finite, parse_constant=_finite)
    except ValueError:
        raise RefusedError("the body is not JSON") from None


def _finite(text: str) -> float:
    """What Python reads besides JSON, NaN and Infinity, could not be written back."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"no number of JSON: {text}")
    return number


def _texts(value: Any, param: str) -> list[tuple[str, int]]:
    """Prompts or inputs in any of their four forms, as texts, and how many tokens each has."""
    if isinstance(value, str):
        return [(value, tokens.count(value))]
    if not isinstance(value[0], int):
        return [text for item in value for text in _texts(item, param)]
    if min(value) < 0:
        raise RefusedError(f"{param!r} must be tokens, of which none is negative", param=param)
    return [(tokens.read(value), len(value))]
