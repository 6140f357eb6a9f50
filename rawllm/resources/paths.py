"""Any path: `client.get`, `client.post`, `client.request`, for what has no resource."""

from typing import TYPE_CHECKING, Any

from rawllm.payloads import OPTIONS
from rawllm.raw import RawResponse

if TYPE_CHECKING:
    from rawllm.client import Client


class Paths:
    """Requests of any path, answered with the HTTP answer as it came."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def request(
        self, method: str, path: str, *, body: Any = None, **options: Any
    ) -> RawResponse[Any]:
        """The answer to `method` on `path`; `parse()` gives its JSON, `None` where it is empty."""
        if unknown := options.keys() - set(OPTIONS):
            raise TypeError(f"unknown options: {', '.join(sorted(unknown))}; JSON goes into body=")
        return self._client.call(method, path, _json, body=body, options=options)

    def get(self, path: str, **options: Any) -> RawResponse[Any]:
        """`request("GET", path)`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> RawResponse[Any]:
        """`request("POST", path)`."""
        return self.request("POST", path, **options)


def _json(raw: RawResponse[Any]) -> Any:
    # quirk(ollama): /api/copy and /api/delete answer 200 with an empty body.
    return raw.json() if raw.content.strip() else None
