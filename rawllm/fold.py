"""Chunks in, the whole answer out, by one explicit rule a field; and the verdict.

A stream says the same as a whole answer, in pieces. `Fold.add` takes each
chunk, `Fold.completion` is what the server would have sent without `stream`,
nothing dropped, and `Fold.verdict` says whether it is all there. What is left
out: reading events and raising errors, which `streams.py` does.

>>> fold = Fold(ChatCompletion)
>>> for text in '{"content":"He"}', '{"content":"y"}':
...     fold.add(Object.from_json('{"choices":[{"index":0,"delta":%s}]}' % text))
>>> fold.completion.choices[0].message
{'role': 'assistant', 'content': 'Hey'}
>>> fold.verdict(done=True, framed=True, expected=1)
'cut'

Source: the `chat.completion.chunk` object of OpenAI's API reference, and the
servers named at each quirk.
"""

from typing import Any, Literal

from rawllm.answers import ChatCompletion, Completion
from rawllm.deltas import CHOICE, MESSAGE, Fields
from rawllm.objects import Object

Verdict = Literal["whole", "cut", "error"]

_SAID_ONCE = ("id", "created", "model")


class Fold:
    """One answer under way. `whole` is the class it will have."""

    def __init__(self, whole: type[ChatCompletion] | type[Completion]) -> None:
        self._whole = whole
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        #: The choice that ended with a finish_reason of "error".
        self.failed: Object | None = None
        #: Whether the last chunk named no model, which is how Ollama says that it failed.
        self.nameless: bool = False
        #: Bytes kept so far: text as UTF-8, of anything else the whole event.
        self.size: int = 0

    def add(self, chunk: Object, event_bytes: int = 0) -> None:
        """Take one chunk, whose event was `event_bytes` long."""
        for name, value in chunk.items():
            if name == "choices":
                for place, choice in enumerate(_objects(value)):
                    self._add_choice(choice, place, event_bytes)
            elif value is not None and not (name in _SAID_ONCE and self._head.get(name)):
                # Usage is the last one (vLLM's continuous counts grow), and so is
                # any field of a server's own (llama-server's `timings`).
                self._head[name] = value
        # quirk(ollama): a failed generation arrives as a chunk with model "".
        self.nameless = chunk.get("model") == ""

    def _add_choice(self, choice: Object, place: int, event_bytes: int) -> None:
        index = choice.get("index")
        key = index if isinstance(index, int) else place
        if key not in self._choices:
            self._choices[key] = _Choice()
        self._choices[key].add(choice)
        if choice.get("finish_reason") == "error":
            # quirk(openrouter): the error's words stand beside the choices, or in it.
            self.failed = choice
        self.size += _weight(choice, event_bytes) + _weight(_words(choice), event_bytes)

    @property
    def completion(self) -> Any:
        """The answer so far, of the class `whole`."""
        chat = self._whole is ChatCompletion
        choices = [choice.value(key, chat=chat) for key, choice in sorted(self._choices.items())]
        kind = {"object": "chat.completion" if chat else "text_completion"}
        return self._whole.declare(Object(self._head | kind | {"choices": choices}))

    def verdict(self, *, done: bool, framed: bool, expected: int) -> Verdict:
        """Whether the answer is all there, now that the bytes have ended.

        `done`: `[DONE]` came. `framed`: the body ended by its own framing.
        `expected`: how many choices were asked for.
        """
        if self.failed is not None:
            return "error"
        finished = sum(choice.finished for choice in self._choices.values())
        if done:
            # quirk(litellm): of several choices only index 0 ever finishes.
            # quirk(llama-cpp-python): an interrupted answer ends with [DONE]
            # and no finish_reason, so that [DONE] alone proves nothing.
            return "whole" if finished else "cut"
        if not finished or finished < len(self._choices):
            return "cut"
        # quirk(llama-server): with two prompts choice 0 has finished before
        # choice 1 appears. quirk(transformers): never [DONE], and `n` is ignored.
        return "whole" if framed or finished >= expected else "cut"


class _Choice:
    """One choice: what stands beside the message, and the message."""

    def __init__(self) -> None:
        self._fields = Fields(CHOICE)
        self._message = Fields(MESSAGE)

    def add(self, choice: Object) -> None:
        for name, value in choice.items():
            if name not in ("index", "delta"):
                self._fields.add(name, value)
        for name, value in _words(choice).items():
            # quirk(vllm): older ones send `tool_calls: []` always, which OpenAI
            # refuses in a message that is sent back.
            if value != []:
                self._message.add(name, value)

    @property
    def finished(self) -> bool:
        # quirk(vllm): "abort" says that nothing will follow, not that all is there.
        return self._fields.get("finish_reason") not in (None, "", "abort")

    def value(self, index: int, *, chat: bool) -> Object:
        fields = {"index": index, "finish_reason": None} | self._fields.values()
        if not chat:
            return Object({"text": ""} | fields)
        # "" and not null where no content came: mlx-lm and llama-cpp-python
        # refuse nulls, and the message is to be sent back to any server.
        words = {"role": "assistant", "content": ""} | self._message.values()
        return Object(fields | {"message": Object(words)})


def unfold(whole: Object) -> Object:
    """The one chunk that says what a whole answer says, for a server that ignored `stream`."""
    choices = []
    for choice in _objects(whole["choices"]):
        fields = {name: value for name, value in choice.items() if name != "message"}
        if "message" in choice:
            delta = Object(_words(choice))
            if calls := delta.get("tool_calls"):
                indexed = enumerate(_objects(calls))
                delta["tool_calls"] = [Object({"index": place} | call) for place, call in indexed]
            fields["delta"] = delta
        choices.append(Object(fields))
    chunk = Object(whole | {"choices": choices})
    if chunk.get("object") == "chat.completion":
        chunk["object"] = "chat.completion.chunk"
    return chunk


def _objects(value: Any) -> list[Object]:
    """The objects of the list that `value` should be."""
    listed = value if isinstance(value, list) else ()
    return [item for item in listed if isinstance(item, Object)]


def _words(choice: Object) -> Object:
    """What the model said in `choice`: its delta, or its message where it has none."""
    for name in ("delta", "message"):
        value = choice.get(name)
        if isinstance(value, Object):
            return value
    return Object()


def _weight(fields: Object, event_bytes: int) -> int:
    """How many bytes keeping `fields` takes: text its own, anything else the whole event."""
    weight = 0
    for name, value in fields.items():
        if isinstance(value, str):
            weight += len(value.encode(errors="replace"))
        elif isinstance(value, (dict, list)) and value and name not in ("delta", "message"):
            weight += event_bytes
    return weight
