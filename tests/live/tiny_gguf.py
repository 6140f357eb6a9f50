"""Three tiny language models, made by hand, whose answers are known in advance.

    python -m tests.live.tiny_gguf OUTDIR   # tiny.gguf, tiny-think.gguf, tiny-tool.gguf

Nothing is downloaded and nothing is trained. A token's embedding is one-hot, attention and
feed-forward put out zeros, so what the last layer sees is exactly the last token; the output
matrix then holds, for each token, a ranking of all tokens that may follow. The ranks lie so far
apart that sampling finds the first at any temperature: every token of the reply is followed by
the next one, its last by the end of the turn, and any other token by the reply's first. So
the answer is the same whatever was asked; a grammar (``json_schema``) forces the next in rank.
(But a legacy prompt that ends in a token of the reply, such as "!", is continued from there.)

Prompts are read byte by byte; words are tokens only in the answer. As embedding models
(``--embeddings --pooling mean``) they count bytes: texts of the same bytes are neighbours.

Needs ``gguf`` and ``numpy``. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np

END_OF_TEXT, _, END_OF_TURN = CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>")

# The reply of each model, token by token. No token comes twice in one: each has one successor.
# Those of one byte (é is two of them, 😀 four) show a client UTF-8 split over tokens.
REPLIES: dict[str, list[bytes]] = {
    "tiny": [
        *(b"Hello", b" there", b"!", b" I", b" am", b" a", b" tiny", b" model", b",", b" caf"),
        *(bytes([byte]) for byte in "é 😀.".encode()),
    ],
    "tiny-think": [
        *(b"<think>", b"Let", b" me", b" see", b" first", b"</think>"),
        *(b"The", b" answer", b" is", b" four", b"."),
    ],
    "tiny-tool": [
        *(b"<tool_call>", b'\n{"name": "get', b'_weather", ', b'"arguments": ', b'{"city": "'),
        *(b"Paris", b'"}}\n', b"</tool_call>"),
    ],
}

# What follows where a grammar forbids the reply: whatever ends a string, an object, an array.
CLOSING = b'"}],'
BLANKS = b" \t\n\r"

BYTES = [bytes([byte]) for byte in range(256)]
CONTEXT_LENGTH = 4096
WIDTH = 320  # of an embedding: one place for each token, rounded up to a multiple of 32
HEAD = 32

# The chat template: tools, then turns, then the start of the answer.
TOOLS = """\
{%- if tools %}
{{- '<|im_start|>system\n# Tools\n<tools>' }}
{%- for tool in tools %}{{- '\n' + (tool | tojson) }}{%- endfor %}
{{- '\n</tools>\nTo call one, answer with:\n' }}
{{- '<tool_call>\n{"name": <name>, "arguments": <arguments>}\n</tool_call><|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' }}
"""
# Only in the thinking model's: it is how the server learns that there are thoughts to tell apart.
THOUGHTS = """\
{%- if message.reasoning_content %}
{{- '<think>' + message.reasoning_content + '</think>' }}
{%- endif %}
"""
WORDS = """\
{{- message.content or '' }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- (call.function.arguments | tojson) + '}\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}
"""


def byte_level(raw: bytes) -> str:
    """The GPT-2 spelling of bytes: printable ones are themselves, the others U+0100 onwards.

    >>> byte_level("a caf\u00e9".encode())
    'a\u0120caf\u00c3\u00a9'
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return "".join(chr(b) if b in printable else chr(0x100 + others.index(b)) for b in raw)


def vocabulary(reply: list[bytes]) -> list[bytes]:
    """All tokens; their position is their id."""
    special = [token.encode() for token in (*CONTROL, *MARKS)]
    words = [token for token in reply if token not in special and token not in BYTES]
    two_blanks = [b"  "]  # the one merge in the table: GGUF cannot hold an empty one
    return [*BYTES, *special, *words, *two_blanks]


def ranking(tokens: list[bytes], reply: list[bytes]) -> list[list[int]]:
    """For each token, the ids of all tokens in the order in which they may follow it."""
    ids = {token: place for place, token in enumerate(tokens)}
    control = {ids[token.encode()] for token in CONTROL}
    blanks = {place for place, token in enumerate(tokens) if not token.strip(BLANKS)}
    closing = [ids[bytes([byte])] for byte in CLOSING]
    ordinary = [place for place in ids.values() if place not in control | blanks | {*closing}]
    successor = dict(zip(reply, [*reply[1:], END_OF_TURN.encode()], strict=True))
    rows = []
    for token in tokens:
        first = ids[successor.get(token, reply[0])]
        others = [*closing, *ordinary, *sorted(blanks), *sorted(control)]
        rows.append([first, *(place for place in others if place != first)])
    return rows


def weights(ranks: list[list[int]]) -> dict[str, Any]:
    """The tensors by their GGUF names: all but the first and the last do nothing."""
    size = len(ranks)
    logits = np.zeros((size, WIDTH), np.float32)
    for token, followers in enumerate(ranks):
        logits[followers, token] = -12.0 * np.arange(size)
    norm = np.ones(WIDTH, np.float32)
    return {
        "token_embd.weight": np.eye(size, WIDTH, dtype=np.float32),
        "blk.0.attn_norm.weight": norm,
        "blk.0.attn_q.weight": np.zeros((HEAD, WIDTH), np.float32),
        "blk.0.attn_k.weight": np.zeros((HEAD, WIDTH), np.float32),
        "blk.0.attn_v.weight": np.zeros((HEAD, WIDTH), np.float32),
        "blk.0.attn_output.weight": np.zeros((WIDTH, HEAD), np.float32),
        "blk.0.ffn_norm.weight": norm,
        "blk.0.ffn_gate.weight": np.zeros((HEAD, WIDTH), np.float32),
        "blk.0.ffn_up.weight": np.zeros((HEAD, WIDTH), np.float32),
        "blk.0.ffn_down.weight": np.zeros((WIDTH, HEAD), np.float32),
        "output_norm.weight": norm,
        # The norm before it stretches a one-hot vector to length sqrt(WIDTH).
        "output.weight": logits / np.float32(np.sqrt(WIDTH)),
    }


def token_type(token: bytes) -> Any:
    """Controls are never text; marks are text, but are read whole from the prompt."""
    if token.decode(errors="replace") in CONTROL:
        return gguf.TokenType.CONTROL
    if token.decode(errors="replace") in MARKS:
        return gguf.TokenType.USER_DEFINED
    return gguf.TokenType.NORMAL


def write(path: Path, reply: list[bytes]) -> None:
    """A Llama of one layer that says this reply, as a GGUF file."""
    tokens = vocabulary(reply)
    names = [byte_level(token) for token in tokens]
    writer: Any = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HEAD)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_dimension_count(HEAD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(names)
    writer.add_token_types([token_type(token) for token in tokens])
    writer.add_token_merges([f"{byte_level(b' ')} {byte_level(b' ')}"])
    writer.add_bos_token_id(names.index(END_OF_TEXT))
    writer.add_eos_token_id(names.index(END_OF_TURN))
    writer.add_pad_token_id(names.index(END_OF_TEXT))
    writer.add_add_bos_token(value=False)
    thoughts = THOUGHTS if b"<think>" in reply else ""
    writer.add_chat_template(TOOLS + thoughts + WORDS)
    for name, tensor in weights(ranking(tokens, reply)).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make(folder: Path) -> list[Path]:
    """Write all three models into a folder, which is made when missing; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.gguf" for name in REPLIES]
    for path, reply in zip(paths, REPLIES.values(), strict=True):
        write(path, reply)
    return paths


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} OUTDIR")
    for made in make(Path(sys.argv[1])):
        print(made, made.stat().st_size, "bytes")
