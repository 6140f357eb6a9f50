"""A tool call in a stream: the deltas that it comes in, for each server that has its own.

What is left out: which server does so, which is the table of `dialects.py`.

>>> at_once(0, "call_1", Call("get_time", "{}"))
[{'tool_calls': [{'index': 0, 'id': 'call_1', ... {'name': 'get_time', 'arguments': '{}'}}]}]
"""

from collections.abc import Callable

from rawllm.testing import tokens
from rawllm.testing.scripts import Json
from rawllm.testing.turns import Call

#: The deltas of one call: its place among the calls, its id, and what it calls.
Deltas = Callable[[int, str, Call], list[Json]]


def in_pieces(place: int, id_: str, call: Call) -> list[Json]:
    """OpenAI: who is called first, with no arguments; then the arguments in pieces."""
    pieces = [{"index": place, "function": {"arguments": piece}} for piece in _split(call)]
    return _deltas([_whole(place, id_, call.name, ""), *pieces])


def name_alone(place: int, id_: str, call: Call) -> list[Json]:
    """vLLM: at first there are no `arguments` at all, and beside each piece a null."""
    deltas = in_pieces(place, id_, call)
    del deltas[0]["tool_calls"][0]["function"]["arguments"]
    return [{"content": None} | delta for delta in deltas]


def with_the_first(place: int, id_: str, call: Call) -> list[Json]:
    """llama-server: the first piece of the arguments comes with the name."""
    first, second, *rest = in_pieces(place, id_, call)
    first["tool_calls"][0]["function"] |= second["tool_calls"][0]["function"]
    return [first, *rest]


def typed(place: int, id_: str, call: Call) -> list[Json]:
    """LiteLLM: so too, and every piece has the type."""
    deltas = with_the_first(place, id_, call)
    for delta in deltas:
        delta["tool_calls"][0]["type"] = "function"
    return deltas


def with_nulls(place: int, id_: str, call: Call) -> list[Json]:
    """SGLang: what a later piece does not say is null."""
    return _later(place, id_, call, None)


def with_ids(place: int, id_: str, call: Call) -> list[Json]:
    """TGI: every piece has the id, and only the first the name."""
    return _later(place, id_, call, id_)


def _later(place: int, id_: str, call: Call, repeated: str | None) -> list[Json]:
    pieces = [_whole(place, repeated, None, piece) for piece in _split(call)]
    return _deltas([_whole(place, id_, call.name, ""), *pieces])


def repeated(place: int, id_: str, call: Call) -> list[Json]:
    """llama-cpp-python: id and name with every piece, and the old `function_call` beside it."""
    pieces = [_whole(place, id_, call.name, piece) for piece in [*_split(call), ""]]
    return [{"function_call": piece["function"], "tool_calls": [piece]} for piece in pieces]


def at_once(place: int, id_: str, call: Call) -> list[Json]:
    """Ollama, mlx-lm, transformers: the whole call in one delta."""
    return _deltas([_whole(place, id_, call.name, call.arguments)])


def _whole(place: int, id_: str | None, name: str | None, arguments: str) -> Json:
    function = {"name": name, "arguments": arguments}
    return {"index": place, "id": id_, "type": "function", "function": function}


def _deltas(pieces: list[Json]) -> list[Json]:
    return [{"tool_calls": [piece]} for piece in pieces]


def _split(call: Call) -> list[str]:
    return tokens.split(call.arguments)
