"""Chunks become the whole answer, and the end of a stream is judged."""

import copy
import json
from typing import Any

import pytest

from rawllm.answers import ChatCompletion, Completion, Message, Usage
from rawllm.fold import Fold, Verdict, unfold
from rawllm.objects import Object

Json = dict[str, Any]


def received(value: Json) -> Object:
    """`value` as it comes out of a stream."""
    return Object.from_json(json.dumps(value))


def chat(*chunks: Json) -> Fold:
    fold = Fold(ChatCompletion)
    for chunk in chunks:
        fold.add(received(chunk))
    return fold


def legacy(*chunks: Json) -> Fold:
    fold = Fold(Completion)
    for chunk in chunks:
        fold.add(received(chunk))
    return fold


def chunk(delta: Any = None, *, index: Any = 0, **fields: Any) -> Json:
    """A chunk with one choice."""
    return {"choices": [{"index": index} | ({} if delta is None else {"delta": delta}) | fields]}


def message(*deltas: Any) -> Any:
    """The message that `deltas` add up to."""
    return chat(*map(chunk, deltas)).completion["choices"][0]["message"]


def whole(*choices: Json, **head: Any) -> Json:
    return head | {"object": "chat.completion", "choices": list(choices)}


def choice(
    content: Any = "", finish_reason: str | None = None, *, index: int = 0, **fields: Any
) -> Json:
    """A whole choice."""
    words = {"role": "assistant", "content": content}
    return {"index": index, "finish_reason": finish_reason, "message": words} | fields


HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
TIMINGS = {"predicted_ms": 7.5}
TOP = {"token": "H", "logprob": -0.5, "bytes": [72], "top_logprobs": []}

# --- chat -------------------------------------------------------------------

CHATS = [
    pytest.param([], whole(), id="nothing"),
    pytest.param(
        [
            HEAD | chunk({"role": "assistant", "content": ""}, finish_reason=None),
            HEAD | chunk({"content": "He"}, finish_reason=None),
            HEAD | chunk({"content": "y"}, finish_reason=None),
            HEAD | chunk({}, finish_reason="stop"),
            HEAD | {"choices": [], "usage": USAGE},
        ],
        HEAD | whole(choice("Hey", "stop"), usage=USAGE),
        id="openai",
    ),
    pytest.param(
        [
            HEAD | chunk({"role": "assistant", "content": None}, finish_reason=None),
            HEAD | chunk({"content": "Hey"}, finish_reason=None),
            HEAD | chunk({}, finish_reason="stop"),
            HEAD | {"choices": [], "usage": USAGE, "timings": TIMINGS},
        ],
        HEAD | whole(choice("Hey", "stop"), usage=USAGE, timings=TIMINGS),
        id="llama-server: content null, timings beside the usage",
    ),
    pytest.param(
        [
            chunk({"role": "assistant"}),
            chunk({"role": "assistant", "content": "He"}),
            chunk({"role": "assistant", "content": "y"}),
            chunk({"role": "assistant"}, finish_reason="length"),
            {"object": "chat.completion", "choices": [], "usage": USAGE},
        ],
        whole(choice("Hey", "length"), usage=USAGE),
        id="mlx-lm: the role in every delta",
    ),
    pytest.param(
        [
            chunk(
                {"role": "assistant", "content": "", "reasoning_content": None, "tool_calls": None},
                finish_reason=None,
                matched_stop=None,
                logprobs=None,
            )
            | {"usage": None},
            chunk(
                {"role": None, "content": "Hey", "reasoning_content": None, "tool_calls": None},
                finish_reason=None,
                matched_stop=None,
                logprobs=None,
            )
            | {"usage": None},
            chunk({"content": None}, finish_reason="stop", matched_stop=7) | {"usage": None},
        ],
        whole(choice("Hey", "stop", matched_stop=7)),
        id="sglang: nulls",
    ),
    pytest.param(
        [
            {"choices": [], "prompt_filter_results": [1], "id": "", "model": "", "created": 0},
            HEAD | chunk({"content": "Hey"}),
            HEAD | chunk({}, finish_reason="stop", content_filter_results={"hate": False}),
        ],
        HEAD
        | whole(
            choice("Hey", "stop", content_filter_results={"hate": False}),
            prompt_filter_results=[1],
        ),
        id="azure: the first chunk names nothing",
    ),
    pytest.param(
        [
            {"id": "a", "created": 1, "model": "m", "system_fingerprint": "x"},
            {"id": "b", "created": 2, "model": "n", "system_fingerprint": "y"},
            {"id": "", "created": None, "model": "", "system_fingerprint": None},
        ],
        whole(id="a", created=1, model="m", system_fingerprint="y"),
        id="id, created and model are the first, all else the last",
    ),
    pytest.param(
        [
            chunk({"content": "a"}) | {"usage": USAGE | {"completion_tokens": 1}},
            chunk({"content": "b"}) | {"usage": USAGE},
            {"choices": [], "usage": None},
        ],
        whole(choice("ab"), usage=USAGE),
        id="vllm: usage in every chunk",
    ),
    pytest.param(
        [
            chunk({"content": "a"}, index=1),
            chunk({"content": "b"}, index=0),
            chunk({"content": "c"}, index=1, finish_reason="stop"),
            chunk({"content": "d"}, index=0, finish_reason="length"),
        ],
        whole(choice("bd", "length"), choice("ac", "stop", index=1)),
        id="several choices in turns",
    ),
    pytest.param(
        [
            {
                "choices": [
                    {"index": 0, "delta": {"content": "a"}},
                    {"index": 1, "delta": {"content": "b"}},
                ]
            }
        ]
        * 2,
        whole(choice("aa"), choice("bb", index=1)),
        id="several choices in one chunk",
    ),
    pytest.param(
        [{"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}] * 2,
        whole(choice("aa"), choice("bb", index=1)),
        id="without an index the place counts",
    ),
    pytest.param(
        [
            chunk({"content": "H"}, logprobs={"content": [TOP], "refusal": None}),
            chunk({"content": "e"}, logprobs=None),
            chunk({"content": "y"}, logprobs={"content": [TOP | {"token": "ey"}]}),
        ],
        whole(choice("Hey", logprobs={"content": [TOP, TOP | {"token": "ey"}]})),
        id="logprobs",
    ),
    pytest.param(
        [
            chunk({"content": "a"}, token_ids=[1, 2], stop_reason=None),
            chunk({"content": "b"}, token_ids=[3], stop_reason="x", finish_reason="stop"),
        ],
        whole(choice("ab", "stop", token_ids=[1, 2, 3], stop_reason="x")),
        id="unknown fields of a choice",
    ),
    pytest.param(
        [{"choices": [{"message": {"role": "assistant", "content": "Hey"}}]}],
        whole(choice("Hey")),
        id="a message instead of a delta",
    ),
    pytest.param(
        [{"choices": [{"delta": None, "message": {"role": "assistant", "content": "Hey"}}]}],
        whole(choice("Hey")),
        id="a message beside a delta of null",
    ),
    pytest.param(
        [{"choices": [{"delta": {"content": "He"}, "message": {"content": "Hey"}}]}],
        whole(choice("He")),
        id="a message beside a delta",
    ),
    pytest.param([chunk()], whole(choice()), id="no delta"),
    pytest.param(
        [chunk({"content": "a"}), chunk({}, finish_reason="stop"), chunk({}, finish_reason=None)],
        whole(choice("a", "stop")),
        id="litellm: a chunk after the finish",
    ),
]


@pytest.mark.parametrize(("chunks", "answer"), CHATS)
def test_chunks_of_a_chat_become_the_whole_answer(chunks: list[Json], answer: Json) -> None:
    assert chat(*chunks).completion == answer


def test_a_folded_chat_has_the_classes_of_a_whole_one() -> None:
    fold = chat(HEAD | chunk({"content": "a"}, finish_reason="stop") | {"usage": USAGE})
    answer = fold.completion
    assert type(answer) is ChatCompletion
    assert type(answer.usage) is Usage
    assert type(answer.choices[0].message) is Message
    assert answer.choices[0].message.text == "a"
    assert answer.choices[0].logprobs is None


# --- the message ------------------------------------------------------------

CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

MESSAGES = [
    pytest.param([], {}, id="nothing said"),
    pytest.param([{"content": None}], {}, id="content null"),
    pytest.param([{"role": "tool"}, {"role": "tool"}], {"role": "tool"}, id="role"),
    pytest.param([{"role": ""}], {}, id="role empty"),
    pytest.param([{"content": "He"}, {"content": "y"}], {"content": "Hey"}, id="content"),
    pytest.param(
        [{"content": [{"type": "text", "text": "a"}]}, {"content": "b"}],
        {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        id="content parts",
    ),
    pytest.param([{"reasoning": "a"}, {"reasoning": "b"}], {"reasoning": "ab"}, id="reasoning"),
    pytest.param([{"mood": "a"}, {"mood": "b"}], {"mood": "b"}, id="unknown fields"),
    pytest.param([{"index": 5}], {"index": 5}, id="a field of the name index"),
    # quirk(vllm): older ones send an empty list always
    pytest.param([{"content": "a", "tool_calls": []}], {"content": "a"}, id="vllm: no calls"),
    pytest.param([{"content": [], "annotations": []}], {}, id="empty lists"),
    pytest.param([{"tool_calls": None}], {}, id="calls null"),
    pytest.param([{"tool_calls": [None]}], {}, id="calls that are none"),
    pytest.param(
        [{"tool_calls": [{"index": 0} | CALL]}, {"tool_calls": []}],
        {"tool_calls": [CALL]},
        id="calls have no index",
    ),
    pytest.param(
        [{"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f"}}]}],
        {"tool_calls": [CALL]},
        id="arguments are never empty",
    ),
    pytest.param(
        [
            {"content": None, "function_call": {"name": "f", "arguments": "{"}},
            {"content": None, "function_call": {"name": "f", "arguments": "}"}},
        ],
        {"function_call": {"name": "f", "arguments": "{}"}},
        id="function_call",
    ),
]


@pytest.mark.parametrize(("deltas", "words"), MESSAGES)
def test_the_folded_message_can_be_sent_back(deltas: list[Any], words: Json) -> None:
    folded = message({}, *deltas)
    assert folded == {"role": "assistant", "content": ""} | words
    assert "null" not in json.dumps(folded)


# --- legacy -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "choices"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(
            [chunk(text="He"), chunk(text="y"), chunk(text="", finish_reason="stop")],
            [{"index": 0, "finish_reason": "stop", "text": "Hey"}],
            id="text",
        ),
        pytest.param([chunk()], [{"index": 0, "finish_reason": None, "text": ""}], id="no text"),
        pytest.param(
            [chunk(text="a", index=1), chunk(text="b"), chunk(text="c", index=1)],
            [
                {"index": 0, "finish_reason": None, "text": "b"},
                {"index": 1, "finish_reason": None, "text": "ac"},
            ],
            id="several prompts",
        ),
        pytest.param(
            [
                chunk(text=text, logprobs={"tokens": [text], "token_logprobs": [-1.5]})
                for text in ("a", "b")
            ],
            [
                {
                    "index": 0,
                    "finish_reason": None,
                    "text": "ab",
                    "logprobs": {"tokens": ["a", "b"], "token_logprobs": [-1.5, -1.5]},
                }
            ],
            id="logprobs",
        ),
    ],
)
def test_chunks_of_a_legacy_completion_become_the_whole(
    chunks: list[Json], choices: list[Json]
) -> None:
    answer = legacy(HEAD | {"object": "text_completion"}, *chunks, {"usage": USAGE}).completion
    assert answer == HEAD | {"object": "text_completion", "choices": choices, "usage": USAGE}
    assert type(answer) is Completion


# --- what must not happen ---------------------------------------------------

HOSTILE = [
    pytest.param([{}], whole(), id="an empty chunk"),
    pytest.param([{"choices": None}], whole(), id="choices null"),
    pytest.param([{"choices": {"0": {}}}], whole(), id="choices an object"),
    pytest.param([{"choices": "x"}, {"choices": 5}], whole(), id="choices a text"),
    pytest.param([{"choices": [None, 5, "x", []]}], whole(), id="no objects in choices"),
    pytest.param([chunk([{"content": "a"}])], whole(choice()), id="delta a list"),
    pytest.param([chunk("a"), chunk(5)], whole(choice()), id="delta a text"),
    pytest.param([chunk({"content": "a"}, index="1")], whole(choice("a")), id="index a text"),
    pytest.param([chunk({"content": "a"}, index=[])], whole(choice("a")), id="index a list"),
    pytest.param([chunk({"content": "a"}, index=None)], whole(choice("a")), id="index null"),
    pytest.param(
        [chunk({"content": "a"}, index=-1), chunk({"content": "b"}, index=10**30)],
        whole(choice("a", index=-1), choice("b", index=10**30)),
        id="index out of bounds",
    ),
    pytest.param(
        [chunk({"content": 5})],
        whole(choice([5])),
        id="content a number",
    ),
    pytest.param(
        [{"id": 5, "model": [], "created": {}, "usage": "x"}],
        whole(id=5, model=[], created={}, usage="x"),
        id="a head of other types",
    ),
    pytest.param(
        [chunk({}, finish_reason=["stop"], logprobs=5)],
        whole(choice(logprobs={}) | {"finish_reason": ["stop"]}),
        id="a choice of other types",
    ),
    pytest.param(
        [
            chunk(
                {
                    "role": 5,
                    "tool_calls": [
                        5,
                        {"index": "x", "id": 5, "type": 5, "function": {"arguments": 5}},
                        {"index": {}, "id": [], "function": []},
                    ],
                    "function_call": "f",
                }
            )
        ],
        whole(
            choice(
                message={
                    "role": 5,
                    "content": "",
                    "tool_calls": [{"type": 5, "id": 5, "function": {"arguments": "5"}}],
                    "function_call": {},
                }
            )
        ),
        id="a delta of other types",
    ),
    pytest.param(
        [{"object": [], "items": 1, "keys": 2, "get": 3}],
        whole(items=1, keys=2, get=3),
        id="keys named like a dict's methods",
    ),
]


@pytest.mark.parametrize(("chunks", "answer"), HOSTILE)
def test_what_is_not_the_protocol_does_no_harm(chunks: list[Json], answer: Json) -> None:
    fold = chat(*chunks)
    assert fold.completion == answer
    assert fold.verdict(done=False, framed=False, expected=2) == "cut"


@pytest.mark.parametrize(("chunks", "answer"), HOSTILE)
def test_nor_does_it_to_a_legacy_completion(chunks: list[Json], answer: Json) -> None:
    folded = legacy(*chunks).completion
    assert [item["index"] for item in folded["choices"]] == [
        item["index"] for item in answer["choices"]
    ]


def test_chunks_stay_as_they_came() -> None:
    deltas: list[Any] = [
        {"content": "a", "tool_calls": [{"index": 0} | CALL], "annotations": [1]},
        {"content": [{"type": "text", "text": "b"}], "annotations": [2]},
        {"content": "c", "annotations": [3]},
    ]
    chunks = [
        received(
            chunk(delta, logprobs={"content": [TOP]}, token_ids=[1]) | {"usage": USAGE, "own": [1]}
        )
        for delta in deltas
    ]
    before = copy.deepcopy(chunks)
    fold = Fold(ChatCompletion)
    for one in chunks:
        fold.add(one)
    answer = fold.completion
    answer.choices[0].token_ids.append(4)
    answer.choices[0].message.tool_calls[0].function.arguments = "x"
    assert chunks == before


def test_a_chunk_that_changes_afterwards_changes_no_answer() -> None:
    one = received(
        chunk(
            {
                "content": [{"type": "text", "text": "b"}],
                "tool_calls": [{"index": 0} | CALL],
                "annotations": [1],
            },
            logprobs={"content": [TOP]},
            token_ids=[1],
        )
    )
    fold = Fold(ChatCompletion)
    fold.add(one)
    before = copy.deepcopy(fold.completion)
    item = one["choices"][0]
    for changed in (
        item["delta"]["content"],
        item["delta"]["tool_calls"],
        item["delta"]["annotations"],
        item["logprobs"]["content"],
        item["token_ids"],
    ):
        changed.append(Object(changed="yes"))
    item["delta"].clear()
    one["choices"].clear()
    assert fold.completion == before


def test_an_answer_looked_at_while_it_is_under_way_does_not_grow() -> None:
    fold = chat(chunk({"content": "a"}, token_ids=[1]))
    early = fold.completion
    fold.add(received(chunk({"content": "b"}, token_ids=[2])))
    assert early == whole(choice("a", token_ids=[1]))
    assert fold.completion == whole(choice("ab", token_ids=[1, 2]))


# --- the verdict ------------------------------------------------------------


def finish(reason: Any, index: int = 0) -> Json:
    return chunk({}, index=index, finish_reason=reason)


def text(index: int = 0) -> Json:
    return chunk({"content": "a"}, index=index, finish_reason=None)


#: How the bytes ended: `[DONE]` or not, and the body by its own framing or not.
ENDS = {
    "done": (True, True),
    "done, then closed": (True, False),
    "framed": (False, True),
    "closed": (False, False),
}

VERDICTS: dict[str, tuple[list[Json], int, str]] = {
    # name: chunks, choices expected, verdict at each of ENDS
    "no event": ([], 1, "cut cut cut cut"),
    "no choice": ([{"choices": []}], 1, "cut cut cut cut"),
    "only the usage": ([{"choices": [], "usage": USAGE}], 1, "cut cut cut cut"),
    "no finish_reason": ([text()], 1, "cut cut cut cut"),
    "llama-cpp-python, interrupted": ([text(), text()], 1, "cut cut cut cut"),
    "ollama, failed": ([text(), chunk({"content": ""}) | {"model": ""}], 1, "cut cut cut cut"),
    "finished": ([text(), finish("stop")], 1, "whole whole whole whole"),
    "finished with text": (
        [chunk({"content": "a"}, finish_reason="length")],
        1,
        "whole whole whole whole",
    ),
    "finished, then usage": ([finish("stop"), {"usage": USAGE}], 1, "whole whole whole whole"),
    "finished, then null": ([finish("stop"), text()], 1, "whole whole whole whole"),
    "an unknown reason": ([finish("repetition")], 1, "whole whole whole whole"),
    "abort": ([text(), finish("abort")], 1, "cut cut cut cut"),
    "empty reason": ([text(), finish("")], 1, "cut cut cut cut"),
    "abort of one of two": ([finish("stop"), finish("abort", 1)], 2, "whole whole cut cut"),
    "error": ([text(), finish("error")], 1, "error error error error"),
    "error, then finished": ([finish("error"), finish("stop")], 1, "error error error error"),
    "error of one of two": ([finish("stop"), finish("error", 1)], 2, "error error error error"),
    "litellm, n=2": (
        [text(0), text(1), finish("stop", 0), text(1)],
        2,
        "whole whole cut cut",
    ),
    "n=2, one seen": ([finish("stop", 0)], 2, "whole whole whole cut"),
    "n=2, both finished": ([finish("stop", 0), finish("stop", 1)], 2, "whole " * 4),
    "n=2, none finished": ([text(0), text(1)], 2, "cut cut cut cut"),
    "llama-server, two prompts, the second under way": (
        [text(0), finish("stop", 0), text(1)],
        2,
        "whole whole cut cut",
    ),
    "transformers, n ignored": ([text(), finish("stop")], 3, "whole whole whole cut"),
    "more than expected": ([finish("stop", 0), finish("stop", 1)], 1, "whole " * 4),
    "more than expected, one under way": ([finish("stop", 0), text(1)], 1, "whole whole cut cut"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict(name: str, end: str) -> None:
    chunks, expected, verdicts = VERDICTS[name]
    done, framed = ENDS[end]
    verdict: Verdict = chat(*chunks).verdict(done=done, framed=framed, expected=expected)
    assert verdict == dict(zip(ENDS, verdicts.split(), strict=True))[end]


@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_on_a_legacy_completion_is_the_same(name: str) -> None:
    chunks, expected, _ = VERDICTS[name]
    for done, framed in ENDS.values():
        verdicts = [
            fold.verdict(done=done, framed=framed, expected=expected)
            for fold in (legacy(*chunks), chat(*chunks))
        ]
        assert verdicts[0] == verdicts[1]


def test_the_choice_that_failed_is_kept() -> None:
    failed = received(finish("error", 1) | {"error": {"message": "no"}})
    fold = chat(finish("stop"))
    assert fold.failed is None
    fold.add(failed)
    fold.add(received(finish("stop")))
    assert fold.failed is failed["choices"][0]


@pytest.mark.parametrize(
    ("models", "nameless"),
    [
        pytest.param([], False, id="no chunk"),
        pytest.param(["m", ""], True, id="ollama: the last is empty"),
        pytest.param(["", "m"], False, id="azure: the first is empty"),
        pytest.param(["m", None], False, id="null"),
    ],
)
def test_a_last_chunk_without_a_model_is_noted(models: list[Any], *, nameless: bool) -> None:
    assert chat(*({"model": model} for model in models)).nameless is nameless


def test_a_last_chunk_that_says_no_model_is_not_nameless() -> None:
    assert chat({"model": ""}, {}).nameless is False


# --- the size ---------------------------------------------------------------

SIZES = [
    pytest.param({}, 0, id="nothing"),
    pytest.param(HEAD | {"choices": []}, 0, id="the head"),
    pytest.param(chunk({"content": "Hey"}), 3, id="content"),
    pytest.param(chunk({"content": "hé你🎉"}), 1 + 2 + 3 + 4, id="bytes of UTF-8"),
    pytest.param(chunk({"content": "\ud800"}), 1, id="a lone surrogate"),
    pytest.param(chunk({"content": "ab", "reasoning": "cde"}), 5, id="all texts of a delta"),
    pytest.param(chunk(text="Hey"), 3, id="legacy text"),
    pytest.param(chunk(text="Hey", own="text"), 7, id="all texts of a choice"),
    pytest.param(chunk({"content": None, "n": 5, "b": True}, n=5, z=None), 0, id="numbers"),
    pytest.param(
        {
            "choices": [
                {"index": 0, "delta": {"content": "ab"}},
                {"index": 1, "delta": {"content": "c"}},
            ]
        },
        3,
        id="several choices",
    ),
    pytest.param({"choices": [{"message": {"content": "Hey"}}]}, 3, id="a message"),
    pytest.param(chunk({"content": "Hey"}, message={"own": "x"}), 3, id="a message beside a delta"),
    pytest.param(chunk({"tool_calls": [{"index": 0}]}), 1000, id="calls"),
    pytest.param(chunk({"content": [{"type": "text"}]}), 1000, id="parts"),
    pytest.param(chunk({"content": "Hey"}, logprobs={"content": [1]}), 1003, id="logprobs"),
    pytest.param(chunk({"audio": {"data": "AA"}}), 1000, id="audio"),
    pytest.param(chunk({"tool_calls": [], "own": {}}, logprobs={}), 0, id="empty ones"),
]


@pytest.mark.parametrize(("one", "size"), SIZES)
def test_the_size_is_that_of_texts_and_of_events_with_more_than_text(one: Json, size: int) -> None:
    fold = Fold(ChatCompletion)
    assert fold.size == 0
    for times in (1, 2):
        fold.add(received(one), 1000)
        assert fold.size == times * size


def test_a_long_stream_of_tiny_texts_is_as_long_as_its_texts() -> None:
    fold = Fold(ChatCompletion)
    for _ in range(1000):
        fold.add(received(HEAD | chunk({"content": "a"})), 300)
    assert fold.size == 1000


def test_an_event_whose_size_is_not_said_counts_its_texts() -> None:
    assert chat(chunk({"content": "Hey", "tool_calls": [{"index": 0}]})).size == 3


# --- unfold -----------------------------------------------------------------

WHOLES = [
    pytest.param(HEAD | whole(choice("Hey", "stop"), usage=USAGE, timings=TIMINGS), id="text"),
    pytest.param(HEAD | whole(), id="no choice"),
    pytest.param(whole(choice("a", "stop"), choice("b", "length", index=1)), id="two choices"),
    pytest.param(
        whole(
            choice(
                "",
                "tool_calls",
                message={
                    "role": "assistant",
                    "content": "",
                    "reasoning_content": "hm",
                    "tool_calls": [CALL, CALL, CALL | {"id": "2"}],
                },
            )
        ),
        id="calls, two of one id",
    ),
    pytest.param(
        whole(
            choice(
                "Hey",
                "stop",
                logprobs={"content": [TOP, TOP]},
                stop_reason="x",
            ),
            prompt_logprobs=[1],
        ),
        id="logprobs",
    ),
]


@pytest.mark.parametrize("answer", WHOLES)
def test_unfolded_and_folded_it_is_the_same_answer(answer: Json) -> None:
    one = unfold(received(answer))
    assert chat(one).completion == answer
    assert type(one) is Object
    assert one["object"] == "chat.completion.chunk"


def test_an_unfolded_legacy_completion_is_itself() -> None:
    answer = {
        "object": "text_completion",
        "choices": [{"index": 0, "text": "Hey", "finish_reason": "stop"}],
    }
    one = unfold(received(answer))
    assert one == answer
    assert legacy(one).completion == answer


@pytest.mark.parametrize(
    ("answer", "one"),
    [
        pytest.param(
            whole(choice("Hey", "stop")),
            {
                "object": "chat.completion.chunk",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "delta": {"role": "assistant", "content": "Hey"},
                    }
                ],
            },
            id="a message becomes a delta",
        ),
        pytest.param(
            {"choices": [{"message": {"tool_calls": [CALL, CALL | {"index": 7}]}}]},
            {
                "choices": [
                    {"delta": {"tool_calls": [{"index": 0} | CALL, CALL | {"index": 7}]}},
                ]
            },
            id="calls get an index",
        ),
        pytest.param(
            {"choices": [{"message": {"content": None, "tool_calls": None}}]},
            {"choices": [{"delta": {"content": None, "tool_calls": None}}]},
            id="nulls stay",
        ),
        pytest.param({"choices": [{"message": None}]}, {"choices": [{"delta": {}}]}, id="null"),
        pytest.param({"choices": None}, {"choices": []}, id="choices null"),
        pytest.param({"choices": [None, 5, "x", []]}, {"choices": []}, id="no objects in choices"),
        pytest.param(
            {"choices": [{"message": {"tool_calls": [5, None]}}, {"message": {"tool_calls": 5}}]},
            {"choices": [{"delta": {"tool_calls": []}}] * 2},
            id="no objects in calls",
        ),
        pytest.param({"object": "x", "choices": []}, {"object": "x", "choices": []}, id="object"),
        pytest.param({"choices": []}, {"choices": []}, id="no object"),
    ],
)
def test_a_whole_answer_becomes_one_chunk(answer: Json, one: Json) -> None:
    given = received(answer)
    unfolded = unfold(given)
    assert unfolded == one
    assert given == answer
    assert all(type(item) is Object for item in unfolded["choices"])
    assert all(type(item["delta"]) is Object for item in unfolded["choices"])
    chat(unfolded)
