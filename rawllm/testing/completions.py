"""The objects of the protocol: completions whole, and in chunks.

What was said (`turns.py`) is written down as a server's dialect has it
(`dialects.py`). All of it is made from the request alone: the same request
has the same answer, with the same id.

Specification: https://platform.openai.com/docs/api-reference
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from rawllm.testing import chances, tokens
from rawllm.testing.dialects import Dialect
from rawllm.testing.scripts import Json
from rawllm.testing.turns import Turn
from rawllm.testing.usages import Put

#: A constant: answers do not depend on the time (2025-01-01).
CREATED = 1735689600


class Answer(NamedTuple):
    """What is to be written down: the request's parameters, what is said to them, and how."""

    given: Mapping[str, Any]
    turns: Sequence[Turn]
    dialect: Dialect
    prompt_tokens: int

    @property
    def key(self) -> str:
        """32 hexadecimal digits, the same whether it is streamed or not."""
        asked = {k: v for k, v in self.given.items() if k not in ("stream", "stream_options")}
        return digest(asked)

    @property
    def usage(self) -> Json:
        """The counts."""
        said = sum(turn.tokens for turn in self.turns)
        thought = sum(tokens.count(turn.reasoning) for turn in self.turns)
        counts = {"prompt_tokens": self.prompt_tokens, "completion_tokens": said}
        total = {"total_tokens": self.prompt_tokens + said}
        return counts | total | self.dialect.details(thought)


def digest(value: Any) -> str:
    """32 hexadecimal digits that stand for a JSON value."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def chat(answer: Answer) -> Json:
    """A whole answer of `/chat/completions`."""
    return _whole(answer, "chatcmpl-", "chat.completion", [c.whole() for c in _choices(answer)])


def chat_chunks(answer: Answer) -> list[Json]:
    """The same answer in chunks, those of several choices in turn."""
    head = {**_head(answer, "chatcmpl-", "chat.completion.chunk"), **answer.dialect.chunk}
    chunks = _chunks(head, [choice.pieces() for choice in _choices(answer)])
    return _counted(answer, chunks, answer.dialect.usage)


def text(answer: Answer) -> Json:
    """A whole answer of `/completions`."""
    choices = [choice.whole_text() for choice in _choices(answer)]
    return _whole(answer, "cmpl-", "text_completion", choices)


def text_chunks(answer: Answer) -> list[Json]:
    """The same answer in chunks."""
    head = _head(answer, "cmpl-", "text_completion")
    chunks = _chunks(head, [choice.pieces_of_text() for choice in _choices(answer)])
    return _counted(answer, chunks, answer.dialect.text_usage or answer.dialect.usage)


# --- what stands around the choices -----------------------------------------


def _head(answer: Answer, prefix: str, kind: str) -> Json:
    head = {
        "id": prefix + answer.key[:8],
        "object": kind,
        "created": CREATED,
        "model": answer.given["model"],
    }
    return {**head, **answer.dialect.head}


def _whole(answer: Answer, prefix: str, kind: str, choices: list[Json]) -> Json:
    said = {"choices": choices, "usage": answer.usage}
    return {**_head(answer, prefix, kind), **said, **answer.dialect.ending}


def _chunks(head: Json, said: list[list[Json]]) -> list[Json]:
    rows = zip_longest(*said)
    return [head | {"choices": [piece]} for row in rows for piece in row if piece is not None]


def _counted(answer: Answer, chunks: list[Json], put: Put) -> list[Json]:
    """The chunks with the usage, and with the ending: in its chunk or in that of each finish."""
    asked = answer.given.get("stream_options", {}).get("include_usage", False)
    chunks = put(chunks, answer.usage, asked)
    for chunk in chunks if chunks[-1]["choices"] else chunks[-1:]:
        if all(choice.get("finish_reason") for choice in chunk["choices"]):
            chunk |= answer.dialect.ending
    return chunks


# --- choices ----------------------------------------------------------------


class _Choice(NamedTuple):
    """One choice of an answer."""

    given: Mapping[str, Any]
    key: str
    number: int
    turn: Turn
    dialect: Dialect

    def whole(self) -> Json:
        choice = {"index": self.number, "message": self._message(), **self.dialect.choice}
        return choice | {"finish_reason": self._finish} | self._logprobs(self.turn.text)

    def pieces(self) -> list[Json]:
        """The choices of the chunks that it makes."""
        ends = self.dialect.all_finish or not self.number
        deltas = self._deltas()
        if ends and not self._ends_beside:
            deltas.append({} if self.turn.calls else self.dialect.closing)
        every = {**self.dialect.every, **(self.dialect.every_calling if self.turn.calls else {})}
        pieces = []
        for delta in deltas:
            piece = {"index": self.number, "delta": {**every, **delta}, **self.dialect.choice}
            text = delta.get("content") or ""
            streamed = text and self.dialect.streams_logprobs
            pieces.append(piece | (self._logprobs(text) if streamed else {}))
        if ends:
            pieces[-1]["finish_reason"] = self._finish
        return pieces

    @property
    def _finish(self) -> str:
        named = self.turn.calls and self.turn.finish == "stop"
        return self.dialect.named if named else self.turn.finish

    @property
    def _ends_beside(self) -> bool:
        return self.dialect.cut_beside and self.turn.finish == "length"

    def _message(self) -> Json:
        turn = self.turn
        free = self.given.get("tool_choice", "auto") == "auto"
        silent = self.dialect.had_to if turn.calls and not free else None
        said = turn.text if turn.text or not (turn.calls or turn.refusal) else silent
        message: Json = {"role": "assistant", "content": said}
        if turn.refusal:
            message["refusal"] = turn.refusal
        if turn.reasoning:
            message[self.dialect.reasoning] = turn.reasoning
        if turn.calls:
            message["tool_calls"] = [
                {
                    "id": self._call_id(place),
                    "type": "function",
                    "function": call._asdict()
                    | {"arguments": self.dialect.arguments(call.arguments)},
                }
                for place, call in enumerate(turn.calls)
            ]
        return message | self.dialect.message(turn)

    def _deltas(self) -> list[Json]:
        """All but the one that closes it."""
        turn, name, beside = self.turn, self.dialect.reasoning, dict(self.dialect.beside)
        deltas = [beside | {name: piece} for piece in tokens.split(turn.reasoning)]
        deltas += [{"content": piece} for piece in tokens.split(turn.text)]
        deltas += [beside | {"refusal": piece} for piece in tokens.split(turn.refusal)]
        for place, call in enumerate(turn.calls):
            parts = self.dialect.deltas(place, self._call_id(place), call)
            deltas += [beside | delta for delta in parts]
        if self.dialect.opening is not None:
            return [self.dialect.opening, *deltas]
        first, *rest = deltas or [{"content": ""}]
        return [{"role": "assistant"} | first, *rest]

    def _call_id(self, place: int) -> str:
        key, name = digest([self.key, self.number, place]), self.turn.calls[place].name
        return self.dialect.call_id.format(hex=key, number=int(key[:8], 16), name=name)

    def _logprobs(self, text: str) -> Json:
        """Those of the tokens of `text`; nothing where they are not asked for."""
        if not self.given.get("logprobs") or self.dialect.logprob is None:
            return {}
        rivals = self.given.get("top_logprobs", 0)
        content = chances.of_chat(tokens.split(text), rivals, self.dialect.logprob)
        return {"logprobs": {"content": content, **self.dialect.logprobs}}

    # --- of legacy completions ---

    def whole_text(self) -> Json:
        nulls, logprobs = self.dialect.whole_text_choice, self._logprobs_of_text()
        choice: Json = {"index": self.number, "text": self.turn.echo + self.turn.text}
        choice |= self._nulls_of_text if nulls is None else nulls
        if logprobs is not None:
            choice["logprobs"] = logprobs
        return choice | {"finish_reason": self.turn.finish}

    @property
    def _nulls_of_text(self) -> Mapping[str, Any]:
        nulls = self.dialect.text_choice
        return self.dialect.choice if nulls is None else nulls

    def pieces_of_text(self) -> list[Json]:
        """The choices of the chunks that it makes."""
        pieces: list[Json] = []
        logprobs, nulls = self._logprobs_of_text(), self._nulls_of_text
        for place, token in enumerate(self._tokens):
            piece = {"index": self.number, "text": token, **nulls}
            if logprobs is not None:
                piece["logprobs"] = {k: row[place : place + 1] for k, row in logprobs.items()}
            pieces.append(piece)
        if not (pieces and self._ends_beside):
            pieces.append({"index": self.number, **self.dialect.text_closing, **nulls})
        pieces[-1]["finish_reason"] = self.turn.finish
        return pieces

    @property
    def _tokens(self) -> list[str]:
        return tokens.split(self.turn.echo) + tokens.split(self.turn.text)

    def _logprobs_of_text(self) -> Json | None:
        write = self.dialect.text_logprobs
        if "logprobs" not in self.given or write is None:
            return None
        return write(self._tokens, self.given["logprobs"], bool(self.turn.echo))


def _choices(answer: Answer) -> Iterator[_Choice]:
    """Its choices; their thoughts are text, where the dialect has no other place for them."""
    key = answer.key
    for number, turn in enumerate(answer.turns):
        if not answer.dialect.echoes:
            turn = turn._replace(echo="")
        if turn.reasoning and not answer.dialect.reasoning:
            tagged = f"<think>{turn.reasoning}</think>{turn.text}"
            turn = turn._replace(reasoning="", text=tagged)
        yield _Choice(answer.given, key, number, turn, answer.dialect)
