"""Any path: `client.get`, `client.post`, ... for what has no resource; and `with_raw_response`."""

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rawllm.keys import guard, placed
from rawllm.lazy import lazy
from rawllm.raw import RawResponse
from rawllm.resources.chat import RawChat
from rawllm.resources.completions import RawCompletions
from rawllm.resources.embeddings import RawEmbeddings
from rawllm.resources.models import RawModels

if TYPE_CHECKING:
    from rawllm.client import Client

Answer = TypeVar("Answer")

_METHOD = re.compile("[A-Za-z-]+")


class Verbs(Generic[Answer]):
    """`request` by the names of its methods.

    Inherited, so that the client and its raw half need not both spell them out.
    """

    if TYPE_CHECKING:

        def request(self, method: str, path: str, **options: Any) -> Answer:
            """The answer to `method` on `path`."""
            ...

    def get(self, path: str, **options: Any) -> Answer:
        """`request("GET", path)`."""
        return self.request("GET", path := placed(path), **guard(options))

    def post(self, path: str, **options: Any) -> Answer:
        """`request("POST", path)`."""
        return self.request("POST", path := placed(path), **guard(options))

    def put(self, path: str, **options: Any) -> Answer:
        """`request("PUT", path)`."""
        return self.request("PUT", path := placed(path), **guard(options))

    def patch(self, path: str, **options: Any) -> Answer:
        """`request("PATCH", path)`."""
        return self.request("PATCH", path := placed(path), **guard(options))

    def delete(self, path: str, **options: Any) -> Answer:
        """`request("DELETE", path)`."""
        return self.request("DELETE", path := placed(path), **guard(options))


class Raw(Verbs[RawResponse[Any]]):
    """All that a client can do, answered with the HTTP answer as it came."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def request(
        self, method: str, path: str, *, body: Any = None, **options: Any
    ) -> RawResponse[Any]:
        """The answer to `method` on `path`; `parse()` gives its JSON, `None` where it is empty."""
        path = placed(path)
        guard(options)
        if not isinstance(path, str):
            raise TypeError(f"path must be a str, not {path.__name__}")
        if not isinstance(method, str):
            raise TypeError(f"method must be a str, not {type(method).__name__}")
        if not _METHOD.fullmatch(method):
            raise ValueError(f"method must be a word such as GET, not {method!r:.40}")
        return self._client.call(method, path, _json, body=body, options=options)

    @lazy
    def chat(self) -> RawChat:
        """`chat.completions.create(...)`."""
        return self._client.chat.with_raw_response

    @lazy
    def completions(self) -> RawCompletions:
        """Legacy completions."""
        return self._client.completions.with_raw_response

    @lazy
    def embeddings(self) -> RawEmbeddings:
        """Embeddings."""
        return self._client.embeddings.with_raw_response

    @lazy
    def models(self) -> RawModels:
        """The models of the server."""
        return self._client.models.with_raw_response


def _json(raw: RawResponse[Any]) -> Any:
    # quirk(ollama): /api/copy and /api/delete answer 200 with an empty body.
    return raw.json() if raw.content.strip() else None
