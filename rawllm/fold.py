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

from rawllm.answers import ChatCompletion, Completion, Delta
from rawllm.deltas import CHOICE, MESSAGE, Fields, fill, is_finish
from rawllm.objects import Object

Verdict = Literal["whole", "cut"]

_SAID_ONCE = frozenset({"id", "object", "created", "model"})
_WORDS = ("delta", "message")
_CUT_SHORT = ("length", "content_filter")  # reasons to finish, but not the model's own


class Fold:
    """One answer under way. `whole` is the class it will have."""

    def __init__(self, whole: type[ChatCompletion] | type[Completion]) -> None:
        self._whole = whole
        self._head: dict[str, Any] = {}
        self._settled: set[str] = set()  # names of `_SAID_ONCE` that have been
        self._choices: dict[int, _Choice] = {}
        #: The choice that ended with a finish_reason of "error".
        self.failed: Object | None = None
        self._last = Object()
        #: Bytes kept so far: text as UTF-8; an event that brings more counts whole, once.
        self.size: int = 0

    def add(self, chunk: Object, event_bytes: int = 0) -> None:
        """Take one chunk, whose event was `event_bytes` long."""
        text, more, known = 0, False, len(self._choices) or 1
        head, settled = self._head, self._settled
        for name, value in chunk.items():
            if name in settled:
                continue
            if name == "choices":
                for place, choice in enumerate(value if isinstance(value, list) else ()):
                    if isinstance(choice, Object):
                        size, other = self._choice(choice, place).add(choice)
                        text += size
                        more = more or other
            elif value is not None:
                more = more or not (name in head or name in self._whole._fields)
                # Usage is the last one (vLLM's continuous counts grow), and so is
                # any field of a server's own (llama-server's `timings`).
                head[name] = value
                if value and name in _SAID_ONCE:
                    settled.add(name)
        self._last = chunk
        if more or len(self._choices) > known:
            text = max(text, event_bytes)
        self.size += text

    def _choice(self, choice: Object, place: int) -> "_Choice":
        """What is known of this choice so far."""
        if choice.get("finish_reason") == "error":
            # quirk(openrouter): the error's words stand beside the choices, or in it.
            self.failed = choice
        index = choice.get("index")
        key = index if isinstance(index, int) else place
        kept = self._choices.get(key)
        if kept is None:
            kept = self._choices[key] = _Choice()
        return kept

    @property
    def nameless(self) -> bool:
        """Whether the last chunk named no model.

        # quirk(ollama): a failed generation arrives as a chunk with model "".
        """
        return bool(self._last.get("model") == "")

    @property
    def completion(self) -> Any:
        """The answer so far, of the class `whole`."""
        chat = self._whole is ChatCompletion
        whole = [choice.value(key, chat=chat) for key, choice in sorted(self._choices.items())]
        kind = {"object": "chat.completion" if chat else "text_completion"}
        return self._whole.declare(Object(self._head | kind | {"choices": whole}))

    @property
    def finished(self) -> int:
        """How many choices have finished."""
        return sum(choice.finished for choice in self._choices.values())

    def verdict(self, *, done: bool, framed: bool, expected: int, prompts: int = 1) -> Verdict:
        """Whether an answer that has not `failed` is all there, now that the bytes have ended.

        `done`: `[DONE]` came. `framed`: the body ended by its own framing.
        `expected`: how many choices were asked for, by how many `prompts`.
        """
        finished = self.finished
        if len(self._choices) < prompts:
            # quirk(litellm): several prompts are answered by one choice, their texts mixed.
            return "cut"
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

    def add(self, choice: Object) -> tuple[int, bool]:
        """Take a piece. How many bytes of text that adds, and whether it adds anything else."""
        text, more = 0, False
        said: Object | None = None
        for name, value in choice.items():
            if value is None or name == "index":
                continue
            if name in _WORDS:
                if isinstance(value, Object):
                    said = value if said is None or name == "delta" else said
                    continue
                name = "delta"  # which is no object and says nothing, but is kept
            size = self._fields.add(name, value)
            if size is None:
                more = True
            else:
                text += size
        for name, value in said.items() if said else ():
            # quirk(vllm): older ones send `tool_calls: []` always, which OpenAI
            # refuses in a message that is sent back.
            if value == []:
                continue
            size = self._message.add(name, value)
            if size is None:
                more = True
            else:
                text += size
        return text, more

    @property
    def finished(self) -> bool:
        return is_finish(self._fields.get("finish_reason"))

    def value(self, index: int, *, chat: bool) -> Object:
        fields = {"index": index, "finish_reason": None} | self._fields.values()
        said = self._message.values()
        # quirk(llama-server): parses the arguments that are sent back, and answers
        # 500 to the empty text of a call without any. Of a call that is cut nobody knows.
        ended = self.finished and fields["finish_reason"] not in _CUT_SHORT
        fill(said, "{}" if ended else "")
        if not chat:
            return Object({"text": ""} | fields | ({"message": Object(said)} if said else {}))
        # "" and not null where no content came: mlx-lm and llama-cpp-python
        # refuse nulls, and the message is to be sent back to any server.
        return Object(fields | {"message": Object({"role": "assistant", "content": ""} | said)})


def unfold(whole: Object) -> Object:
    """The one chunk that says what a whole answer says, for a server that ignored `stream`."""
    pieces = []
    for choice in choices(whole):
        piece = Object(choice)
        if "message" in piece:
            piece["delta"] = _delta(piece.pop("message"))
        pieces.append(piece)
    chunk = Object(whole | {"choices": pieces})
    if chunk.get("object") == "chat.completion":
        chunk["object"] = "chat.completion.chunk"
    return chunk


def _delta(message: Any) -> Any:
    """The one piece of a message that has all of it: the same, but its calls have an index."""
    if not isinstance(message, Object):
        return Object() if message is None else message
    delta, calls = Object(message), message.get("tool_calls")
    if isinstance(calls, list):
        delta["tool_calls"] = [
            Object({"index": place} | call) if isinstance(call, Object) else call
            for place, call in enumerate(calls)
        ]
    return delta


def choices(chunk: Object) -> list[Object]:
    """The choices of a chunk, or of a whole answer: all that are objects."""
    listed = chunk.get("choices")
    return [item for item in listed if isinstance(item, Object)] if isinstance(listed, list) else []


def words(choice: Object) -> Object:
    """What the model said in `choice`: its delta, or its message where it has none."""
    for name in _WORDS:
        value = choice.get(name)
        if isinstance(value, Object):
            return value
    return Object()


def text_of(choice: Object) -> str:
    """The text that `choice` brings, "" for none.

    >>> text_of(Object.from_json('{"delta": {"content": "He"}}'))
    'He'
    """
    content = Delta(words(choice)).text or choice.get("text")
    return content if isinstance(content, str) else ""


def says_something(choice: Object) -> bool:
    """Whether `choice` brings content, reasoning, a tool call or anything else of an answer."""
    said = words(choice)
    return bool(choice.get("text")) or any(said[name] for name in said if name != "role")
