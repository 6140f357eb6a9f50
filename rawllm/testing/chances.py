"""Logprobs: how likely each token was, and which others there were.

No model computed them. The longer a token is, the less likely it was; its
rivals are single letters, each less likely than the one before. What is left
out: which server writes down what of a token, which `dialects.py` says.

>>> of_text(["Hi", "!"], 1)["token_logprobs"]
[-0.125, -0.0625]
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from string import ascii_lowercase

from rawllm.testing import tokens
from rawllm.testing.scripts import Json

#: What is written down of a token and its logprob.
Write = Callable[[str, float], Json]

#: What is written down of all tokens of a legacy completion: the tokens, how many are ranked,
#: and whether the prompt is among them.
WriteText = Callable[[Sequence[str], int, bool], Json]


def openai(token: str, logprob: float) -> Json:
    """Of a token its text, its logprob and its bytes."""
    coded = list(token.encode(errors="surrogatepass"))
    return {"token": token, "logprob": logprob, "bytes": coded}


def with_id(token: str, logprob: float) -> Json:
    """llama-server: its id too."""
    return {"id": tokens.encode(token)[0], **openai(token, logprob)}


def without_bytes(token: str, logprob: float) -> Json:
    """mlx-lm: its id and no bytes."""
    return {"id": tokens.encode(token)[0], "token": token, "logprob": logprob}


def with_null(token: str, logprob: float) -> Json:
    """llama-cpp-python: no bytes, which are null."""
    return openai(token, logprob) | {"bytes": None}


def of_chat(pieces: Sequence[str], most: int, write: Write) -> list[Json]:
    """As chats have them: an object for each token, with the likeliest ones there."""
    return [
        write(piece, _chance(piece, 0))
        | {"top_logprobs": [write(*ranked) for ranked in _ranked(piece, most).items()]}
        for piece in pieces
    ]


def of_text(pieces: Sequence[str], most: int, echoed: bool = False) -> Json:
    """As legacy completions have them: lists side by side.

    Of the first token of a prompt that is `echoed` nothing is known.
    """
    chances: list[float | None] = [_chance(piece, 0) for piece in pieces]
    ranked: list[Json | None] = [_ranked(piece, most) for piece in pieces]
    if echoed:
        chances[0] = ranked[0] = None
    offsets = list(accumulate(map(len, pieces), initial=0))[:-1]
    return {
        "tokens": list(pieces),
        "token_logprobs": chances,
        "top_logprobs": ranked,
        "text_offset": offsets,
    }


def of_text_as_of_chat(pieces: Sequence[str], most: int, echoed: bool = False) -> Json:
    """llama-server, whose legacy completions have them as chats do."""
    return {"content": of_chat(pieces, most, with_id)}


def _ranked(piece: str, most: int) -> dict[str, float]:
    """The likeliest tokens, the one that was taken first."""
    others = [letter for letter in ascii_lowercase if letter != piece]
    return {token: _chance(piece, rank) for rank, token in enumerate([piece, *others][:most])}


def _chance(piece: str, rank: int) -> float:
    return -(len(piece) + rank) / 16
