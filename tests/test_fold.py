"""Chunks become the whole answer, and the end of a stream is judged."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from rawllm.answers import ChatCompletion, ChatCompletionChunk, Completion, Message, Usage
from rawllm.fold import Fold, Verdict, choices, says_something, text_of, unfold, words
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
    end = chunk(finish_reason="stop")
    return chat(*map(chunk, deltas), end).completion["choices"][0]["message"]


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


@pytest.mark.parametrize(
    ("reason", "arguments"),
    [
        ("stop", "{}"),
        ("tool_calls", "{}"),
        ("of its own", "{}"),
        (None, ""),
        ("", ""),
        ("abort", ""),
        ("length", ""),
        ("content_filter", ""),
    ],
)
def test_arguments_that_have_not_come_are_made_up_only_for_a_call_that_is_over(
    reason: str | None, arguments: str
) -> None:
    function: Json
    for function in (
        {"name": "f"},
        {"name": "f", "arguments": ""},
        {"name": "f", "arguments": None},
    ):
        calls = {"tool_calls": [{"function": function}], "function_call": function}
        said = chat(chunk(calls), chunk(finish_reason=reason)).completion.choices[0].message
        assert said.tool_calls[0].function == {"name": "f", "arguments": arguments}
        assert said.function_call == {"name": "f", "arguments": arguments}


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
            [chunk({"content": "He"}), chunk(message={"content": "y"})],
            [{"index": 0, "finish_reason": None, "text": "", "message": {"content": "Hey"}}],
            id="what a chat says",
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
    pytest.param(
        [chunk(["a"]), chunk([{"content": "b"}])],
        whole(choice(delta=["a", {"content": "b"}])),
        id="delta a list",
    ),
    pytest.param([chunk("a"), chunk("hi")], whole(choice(delta="hi")), id="delta a text"),
    pytest.param(
        [chunk("hi", message={"content": "a"})], whole(choice("a", delta="hi")), id="both"
    ),
    pytest.param([chunk(message="hi")], whole(choice(delta="hi")), id="message a text"),
    pytest.param([chunk(message=None)], whole(choice()), id="message null"),
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
        whole(choice(logprobs=5) | {"finish_reason": ["stop"]}),
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
                    "tool_calls": [{"type": 5, "id": 5, "function": {"arguments": "5"}}, 5],
                    "function_call": "f",
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
    "finished, then empty": ([finish("stop"), finish("")], 1, "whole whole whole whole"),
    "finished, then abort": ([finish("stop"), finish("abort")], 1, "whole whole whole whole"),
    "abort, then finished": ([finish("abort"), finish("stop")], 1, "whole whole whole whole"),
    "no text as a reason": ([finish(False), finish(5), finish(["stop"])], 1, "cut cut cut cut"),
    "an unknown reason": ([finish("repetition")], 1, "whole whole whole whole"),
    "abort": ([text(), finish("abort")], 1, "cut cut cut cut"),
    "empty reason": ([text(), finish("")], 1, "cut cut cut cut"),
    "abort of one of two": ([finish("stop"), finish("abort", 1)], 2, "whole whole cut cut"),
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
    # a chunk, what it adds the first time, the second time: its event has 1000 bytes
    pytest.param({}, 0, 0, id="nothing"),
    pytest.param(HEAD | {"choices": [], "usage": None}, 0, 0, id="the head"),
    pytest.param(HEAD | {"usage": USAGE}, 0, 0, id="usage"),
    pytest.param({"timings": TIMINGS, "more": 1}, 1000, 0, id="a server's own"),
    pytest.param({"timings": None}, 0, 0, id="null"),
    pytest.param(chunk({"content": "Hey"}), 3, 3, id="content"),
    pytest.param(chunk({"content": "hé你🎉"}), 10, 10, id="bytes of UTF-8"),
    pytest.param(chunk({"content": "ab", "reasoning": "cde"}), 5, 5, id="all texts of a delta"),
    pytest.param(chunk(text="Hey"), 3, 3, id="legacy text"),
    pytest.param({"choices": [{"text": "Hey", "finish_reason": "a"}]}, 3, 3, id="text, then more"),
    pytest.param(chunk({"tool_calls": [], "content": "Hey"}), 3, 3, id="after no calls"),
    pytest.param(
        {"choices": [{"message": {"content": "Hello"}, "delta": {"content": "Hey"}}]},
        3,
        3,
        id="a delta after a message",
    ),
    pytest.param(chunk({"role": "assistant", "content": "a"}), 1, 1, id="the role"),
    pytest.param(chunk({}, finish_reason="stop", logprobs=None), 0, 0, id="finish_reason"),
    pytest.param(chunk({"content": "Hey"}, stop_reason=7), 1000, 3, id="a number of its own"),
    pytest.param(chunk({"content": "Hey", "mood": "x" * 99}), 1000, 3, id="a text of its own"),
    pytest.param(chunk("Hey"), 1000, 0, id="a delta that is a text"),
    pytest.param({"choices": [{"message": {"content": "Hey"}}]}, 3, 3, id="a message"),
    pytest.param(chunk({"content": "Hey"}, message={"own": "x"}), 3, 3, id="a message beside it"),
    pytest.param(chunk({"tool_calls": [{"index": 0}]}), 1000, 1000, id="calls"),
    pytest.param(chunk({"content": [{"type": "text"}]}), 1000, 1000, id="parts"),
    pytest.param(chunk({"content": "Hey"}, logprobs={"content": [1]}), 1000, 1000, id="logprobs"),
    pytest.param(chunk({"audio": {"data": "AA"}}), 1000, 1000, id="audio"),
    pytest.param(chunk({"content": "x" * 2000, "audio": {}}), 2000, 2000, id="more than was said"),
    pytest.param(chunk({"content": "x" * 2000}, token_ids=[1]), 2000, 2000, id="and a list"),
    pytest.param(chunk({"tool_calls": []}, logprobs={}), 0, 0, id="empty ones"),
    pytest.param(
        {"choices": [{"delta": {"content": "ab"}}, {"delta": {"content": "c"}}]},
        1000,
        3,
        id="several choices",
    ),
    pytest.param(
        {"choices": [{"delta": {"content": "ab", "tool_calls": [{}]}}] * 8},
        1000,
        1000,
        id="several choices with more than text",
    ),
]


@pytest.mark.parametrize(("one", "first", "second"), SIZES)
def test_the_size_is_that_of_texts_and_of_events_with_more_than_text(
    one: Json, first: int, second: int
) -> None:
    fold = Fold(ChatCompletion)
    assert fold.size == 0
    fold.add(received(one), 1000)
    assert fold.size == first
    fold.add(received(one), 1000)
    assert fold.size == first + second


def test_a_long_stream_of_tiny_texts_is_as_long_as_its_texts() -> None:
    fold = Fold(ChatCompletion)
    for number in range(1000):
        delta = {"role": "assistant", "content": "a"}
        usage = USAGE | {"completion_tokens": number}
        one = HEAD | chunk(delta, finish_reason=None, logprobs=None) | {"usage": usage}
        fold.add(received(one), 300)
    fold.add(received(finish("stop")), 300)
    assert fold.size == 1000


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(lambda number: {f"x{number}": 1}, id="of a chunk"),
        pytest.param(lambda number: chunk({}, **{f"x{number}": ""}), id="of a choice"),
        pytest.param(lambda number: chunk({f"x{number}": 1}), id="of a delta"),
        pytest.param(lambda number: chunk(index=number - 1), id="choices"),
    ],
)
def test_ever_new_names_and_choices_count(one: Callable[[int], Json]) -> None:
    fold = chat(chunk())
    for number in range(1, 101):
        fold.add(received(one(number)), 50)
    assert 50 * 99 <= fold.size <= 50 * 100


def test_a_whole_answer_counts_once() -> None:
    answer = whole(
        *(choice("Hey", "tool_calls", index=index) for index in range(8)), usage=USAGE, own=[1]
    )
    for item in answer["choices"]:
        item["message"]["tool_calls"] = [CALL]
    fold = Fold(ChatCompletion)
    fold.add(unfold(received(answer)), 1500)
    assert fold.size == 1500


def test_an_event_whose_size_is_not_said_counts_its_texts() -> None:
    assert chat(chunk({"content": "Hey", "tool_calls": [{"index": 0}]})).size == 3
    assert chat(chunk({"tool_calls": [{"index": 0}]})).size == 0


# --- words and choices ------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"delta": {"content": "a"}}, {"content": "a"}, id="a delta"),
        pytest.param({"message": {"content": "a"}}, {"content": "a"}, id="a message"),
        pytest.param({"message": {"a": 1}, "delta": {"b": 2}}, {"b": 2}, id="both"),
        pytest.param({"message": {"a": 1}, "delta": {}}, {}, id="an empty delta"),
        pytest.param({"message": {"a": 1}, "delta": None}, {"a": 1}, id="a delta of null"),
        pytest.param({"message": 5, "delta": "x"}, {}, id="no objects"),
        pytest.param({}, {}, id="neither"),
    ],
)
def test_words_are_the_delta_or_the_message(given: Json, said: Json) -> None:
    one = received(given)
    found = words(one)
    assert found == said
    assert type(found) is Object
    assert not said or any(found is value for value in one.values())


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param({"choices": [{"index": 0}, {}]}, [{"index": 0}, {}], id="choices"),
        pytest.param({"choices": [None, 5, "x", [], {"a": 1}]}, [{"a": 1}], id="odd ones"),
        pytest.param({"choices": {"0": {}}}, [], id="an object"),
        pytest.param({"choices": None}, [], id="null"),
        pytest.param({}, [], id="none"),
    ],
)
def test_choices_are_those_that_are_objects(given: Json, found: list[Json]) -> None:
    assert choices(received(given)) == found


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
            {"choices": [{"delta": {"tool_calls": [5, None]}}, {"delta": {"tool_calls": 5}}]},
            id="no objects in calls",
        ),
        pytest.param(
            {
                "choices": [
                    {"message": {"tool_calls": [5, CALL]}},
                    {"message": {"tool_calls": CALL}},
                ]
            },
            {
                "choices": [
                    {"delta": {"tool_calls": [5, {"index": 1} | CALL]}},
                    {"delta": {"tool_calls": CALL}},
                ]
            },
            id="odd calls",
        ),
        pytest.param(
            {"choices": [{"message": {"content": "a"}, "delta": {"content": "b"}}]},
            {"choices": [{"delta": {"content": "a"}}]},
            id="a message beside a delta",
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


def test_a_message_that_is_no_object_is_kept() -> None:
    given = received({"choices": [{"message": "hi"}, {"message": {"tool_calls": CALL}}]})
    unfolded = unfold(given)
    assert unfolded == {"choices": [{"delta": "hi"}, {"delta": {"tool_calls": CALL}}]}
    assert chat(unfolded).completion["choices"] == [
        choice(delta="hi"),
        choice(index=1, message={"role": "assistant", "content": "", "tool_calls": [CALL]}),
    ]


@pytest.mark.parametrize(("prompts", "verdict"), [(1, "whole"), (2, "whole"), (3, "cut")])
def test_several_prompts_have_a_choice_each(prompts: int, verdict: Verdict) -> None:
    # LiteLLM mixes the texts of all prompts into one choice.
    fold = chat(finish("stop", 0), finish("stop", 1))
    for done in (True, False):
        said = fold.verdict(done=done, framed=True, expected=prompts, prompts=prompts)
        assert said == verdict


#: name: (a choice, its text, whether it says something)
SAID: dict[str, tuple[dict[str, Any], str, bool]] = {
    "nothing": ({}, "", False),
    "a role": ({"delta": {"role": "assistant", "content": ""}}, "", False),
    "a piece of text": ({"delta": {"content": "He"}}, "He", True),
    "a whole message": ({"message": {"role": "assistant", "content": "He"}}, "He", True),
    "parts of text": ({"delta": {"content": [{"type": "text", "text": "He"}]}}, "He", True),
    "reasoning": ({"delta": {"reasoning": "Hm"}}, "", True),
    "a tool call": ({"delta": {"tool_calls": [{}]}}, "", True),
    "a legacy text": ({"text": "He"}, "He", True),
    "no legacy text": ({"text": ""}, "", False),
    "a legacy text that is none": ({"text": 7}, "", True),
    "content before a legacy text": ({"text": "no", "delta": {"content": "He"}}, "He", True),
}


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "as it came"])
@pytest.mark.parametrize(("choice", "said", "something"), SAID.values(), ids=SAID)
def test_what_a_choice_says(
    choice: dict[str, Any], said: str, something: bool, declared: bool
) -> None:
    one = Object.from_json(json.dumps(choice))
    if declared:
        ChatCompletionChunk.declare(Object({"choices": [one]}))
    assert text_of(one) == said
    assert says_something(one) is something
