"""What a person can do: a table from what went wrong, on which server, to one sentence.

>>> hint("model", "ollama", model="llama3")
'pull it first: `ollama pull llama3`'
>>> hint("refused", server_at(11434), place="localhost:11434")
'nothing listens on localhost:11434; is Ollama running? `ollama serve`'
"""

import re
from collections.abc import Mapping

from rawllm.envelopes import MOST, Envelope, context_length, is_loading, is_quota

#: Default ports of the servers, from their sources.
PORTS = {11434: "ollama", 1234: "lmstudio", 8000: "vllm", 8080: "llama-server", 4000: "litellm"}

HINTS: dict[tuple[str, str | None], str] = {
    # The model is not there.
    ("model", "ollama"): "pull it first: `ollama pull {model}`",
    ("model", "lmstudio"): "load it first: `lms load {model}`; `lms ls` lists what there is",
    ("model", "vllm"): "vLLM knows a model by --served-model-name, else by the path it was "
    "started with; client.models.list() shows it",
    ("model", "llama-server"): "client.models.list() shows what llama-server has; it takes more "
    "with --models-dir",
    ("model", "litellm"): "add it to model_list in the proxy's configuration; "
    "client.models.list() shows what is in it",
    ("model", None): "client.models.list() shows the models this server has",
    # The path is not there.
    ("path", None): "this server has no such path",
    ("method", None): "this path does not take this method",
    ("v1", None): "the base URL has no /v1: did you mean {base}/v1?",
    ("retrieve", None): "llama-server, vLLM and llama-cpp-python cannot retrieve one model: "
    "look for it in client.models.list()",
    # The key.
    ("no key", None): "no key was sent: pass api_key= or set OPENAI_API_KEY",
    ("withheld", None): "OPENAI_API_KEY is set, but it goes only to OpenAI, to OPENAI_BASE_URL "
    "and to this machine; for {place} pass api_key=",
    ("refused key", None): "the key was refused: check api_key=, or OPENAI_API_KEY if it came "
    "from there",
    # The server is not ready, or the account is not.
    ("log", None): "the server's own log may say why",
    ("loading", None): "the model is still loading; loading_timeout= says how long to wait for it",
    (
        "quota",
        None,
    ): "the account has nothing left: waiting does not help, its plan or billing does",
    ("redirect", None): "it redirects to {location}: give the address there as base_url",
    ("context", None): "shorten the conversation, or start the server with a larger context",
    ("batch", None): "shorten each input, or start the server with a larger batch (llama-server: "
    "--ubatch-size)",
    ("context", "llama-server"): "shorten the conversation, or start llama-server with a larger "
    "--ctx-size (it is divided by --parallel)",
    ("context", "vllm"): "shorten the conversation, or start vLLM with a larger --max-model-len",
    ("context", "lmstudio"): "shorten the conversation, or load the model with a larger context: "
    "`lms load {model} --context-length N`",
    # There was no answer at all.
    ("refused", None): "nothing listens on {place}; is the server running, and is the port right?",
    ("refused", "ollama"): "nothing listens on {place}; is Ollama running? `ollama serve`",
    ("refused", "lmstudio"): "nothing listens on {place}; is LM Studio's server running? "
    "`lms server start`",
    ("refused", "vllm"): "nothing listens on {place}; is vLLM running, and has it loaded the "
    "model? `vllm serve MODEL`",
    ("refused", "llama-server"): "nothing listens on {place}; is llama-server running? "
    "`llama-server -m MODEL.gguf --port 8080`",
    ("refused", "litellm"): "nothing listens on {place}; is the LiteLLM proxy running? "
    "`litellm --config config.yaml`",
    ("dns", None): "no such host: check the spelling of {place} in base_url",
    ("tls", None): "the certificate is not trusted: give its authority's file as verify=",
    ("dates", None): "the server needs a new certificate, unless this machine's clock is wrong",
    ("name", None): "give the name that the certificate is for in base_url, not {place}",
    ("certificate", None): "the server wants a certificate of yours: give its file as cert=",
    ("no agreement", None): "the two found no TLS that both speak: the server's may be too old",
    ("plain", None): "{place} does not speak TLS: try http:// in base_url",
    ("https", None): "{place} speaks TLS: try https:// in base_url",
    ("proxy", None): "the request went through a proxy: check HTTP_PROXY and HTTPS_PROXY, add "
    "{place} to NO_PROXY, or pass proxies=",
    ("unreachable", None): "is {place} the right address, and does the network let you through?",
    (
        "timeout",
        None,
    ): "raise timeout=, or use stream=True, which sends something sooner",
    ("deadline", None): "raise deadline=, or ask for less with max_tokens=",
    ("first_token_timeout", None): "raise first_token_timeout=, or shorten the prompt: the model "
    "reads all of it first",
    (
        "idle_timeout",
        None,
    ): "raise idle_timeout= if the server is slow; if it is stuck, its own log may say why",
    ("dropped", None): "the server closed the connection; its own log may say why",
    ("closed", None): "it was closed, or had failed, before its end",
    # There was an answer, but not one of the protocol's.
    ("not the protocol", None): "is {base} the address of an OpenAI-compatible server?",
    ("long", None): "max_response_bytes= says how much is accepted",
    ("empty stream", None): "the server's log may say why; llama-cpp-python answers so when it "
    "fails before the first token, for example because the prompt is too long",
    ("interrupted", None): "[DONE] came without a finish_reason: llama-cpp-python ends an answer "
    "so when another request arrives, unless started with --interrupt_requests false",
    ("cut", None): "the server gave up, or something between cut the connection; its log may "
    "say which. If it never sends a finish_reason, strict_streams=False accepts that",
    ("failed generation", None): "Ollama ends a failed generation like this; its log says why",
}

_NO_MODEL = re.compile(
    r"cached snapshot folder|repo id must be|model\b.{0,300}?\b(not found|not exist|not available)"
    r"|invalid model name|no models? (is )?loaded",
    re.IGNORECASE | re.DOTALL,
)


#: What servers say of a path or a method that they do not have.
_NO_PATH = re.compile(
    r"|(file |404 page )?not found|(405 )?method not allowed|404.{0,100}"
    r"|invalid url \(.{0,300}\)",
    re.IGNORECASE,
)

#: What servers say when they say nothing.
_NO_WORDS = re.compile(r"|internal server error", re.IGNORECASE)


def hint(situation: str, server: str | None = None, **facts: object) -> str:
    """The sentence for `situation` on `server`, or on any where this one has none."""
    text = HINTS.get((situation, server)) or HINTS[situation, None]
    return text.format_map({"model": "MODEL", **facts})


def server_at(port: int | None) -> str | None:
    """The server whose default port this is."""
    return PORTS.get(port or 0)


def server_of(headers: Mapping[str, str]) -> str | None:
    """The server that has these headers, which tell it more surely than its port."""
    if headers.get("Server") == "llama.cpp":
        return "llama-server"
    if any(name.lower().startswith("x-litellm-") for name in headers):
        return "litellm"
    return None


def lacks_version(base_path: str) -> bool:
    """Whether a base URL's path names no version, as `/v1` does."""
    return re.search(r"/v\d", base_path) is None


def situation(status: int, found: Envelope, *, path: str, base_path: str) -> str | None:
    """Which row of the table an error answer is, `None` for none.

    `path` is the path asked for, `base_path` the base URL's own.
    """
    if is_quota(found):
        return "quota"
    if context_length(found):
        return "context"
    if "physical batch size" in found.message:
        return "batch"  # quirk(llama-server): the input of embeddings is bounded by the batch.
    if found.code == "model_not_found" or _NO_MODEL.search(found.message, 0, MOST):
        return "model"
    # quirk(mlx-lm): 404 is any failure of generation, whose words are then its own.
    if status in (404, 405) and _NO_PATH.fullmatch(found.message):
        if lacks_version(base_path):
            return "v1"
        if status == 405:
            return "method"
        return "retrieve" if path.startswith("/models/") else "path"
    if found.message.startswith("Unexpected endpoint"):
        return "v1" if lacks_version(base_path) else "path"
    if status == 503 and is_loading(found):
        return "loading"
    if status == 500 and _NO_WORDS.fullmatch(found.message):
        return "log"
    return {401: "key", 407: "proxy"}.get(status)
