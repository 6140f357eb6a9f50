"""Each dialect against what its server was recorded to send: the same shapes in the same order."""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import Any, NamedTuple

import pytest

from rawllm.testing.dialects import DIALECTS
from tests.recordings import RECORDINGS, Recording
from tests.testing.asking import HELLO, Reply, chat, complete

RECORDED = {recording.name: recording for recording in RECORDINGS}

#: Fields of a chunk that are there in some chunks and not in others.
FIELDS = ("object", "usage", "timings", "system_fingerprint")


def shape(value: Any) -> Any:
    """What kind of value it is: its fields, or whether a text is empty."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, str):
        return "text" if value else "empty"
    return "null" if value is None else "number"


def shape_of_choice(choice: dict[str, Any]) -> dict[str, Any]:
    """Its shape; why it finished, and its role, as they are."""
    delta = {name: shape(item) for name, item in choice.get("delta", {}).items()}
    if choice.get("delta", {}).get("role"):
        delta["role"] = choice["delta"]["role"]
    shown: dict[str, Any] = {"delta": delta} if "delta" in choice else {}
    for name in ("text", "logprobs"):
        if name in choice:
            shown[name] = shape(choice[name])
    if "finish_reason" in choice:
        shown["finish_reason"] = choice["finish_reason"]
    return shown


class Stream(NamedTuple):
    """How a stream looks: those shapes that are alike in a row are one."""

    framing: str
    #: Comments before the first event.
    before: list[str]
    #: Of the chunks of each choice.
    choices: dict[int, list[Any]]
    #: Of the chunks without one.
    others: list[Any]
    done: bool


def look(body: bytes, headers: dict[str, str]) -> Stream:
    events = [event for event in body.decode().split("\n\n") if event]
    chunks = [json.loads(e[6:]) for e in events if e.startswith("data: {")]
    choices: dict[int, list[Any]] = {}
    others = []
    for chunk in chunks:
        head = {name: shape(chunk[name]) for name in FIELDS if name in chunk}
        head["object"] = chunk["object"]
        if chunk.get("usage"):
            head["usage"] = "counts"
        if not chunk["choices"]:
            others.append(head)
        for choice in chunk["choices"]:
            shown = shape_of_choice(choice)
            if shown.get("delta") == {"content": "empty"} and not shown.get("finish_reason"):
                continue  # vLLM: the bytes of a character came one by one
            choices.setdefault(choice["index"], []).append(head | shown)
    return Stream(
        headers.get("transfer-encoding", "closing"),
        [event for event in events if event.startswith(":")],
        {index: [one for one, _ in groupby(shapes)] for index, shapes in choices.items()},
        others,
        "data: [DONE]" in events,
    )


#: Parameters of the recorded requests that are not ours: what is said is another thing.
OTHERS = ("model", "messages", "prompt", "max_tokens", "temperature", "n_predict")


def again(recording: Recording, kind: str) -> Reply:
    """Our answer to the like request, which ends for the same reason."""
    server = recording.name.split("/")[0]
    given = {name: value for name, value in recording.asked.items() if name not in OTHERS}
    body = recording.body.replace(b": ", b":")
    if b'"finish_reason":"length"' in body:
        given["max_tokens"] = 6
    if recording.path == "/v1/completions":
        said = HELLO if b'"text":' in body.replace(b'"text":""', b"") else ""
        several = isinstance(recording.asked["prompt"], list)
        return complete(f"{kind}-{server}", [said, said] if several else said, **given)
    return chat(f"{kind}-{server}", **given)


#: Recorded streams, and which scenario's they are.
STREAMS = {
    "llama-server": {
        "plain": "chat_stream chat_stream_usage chat_stream_length chat_n2_stream"
        " chat_logprobs_stream json_schema_stream completions_stream",
        "think": "think-chat_stream",
        "tools": "toolmodel-tool_stream toolmodel-tool_required_stream",
    },
    "llama-cpp-python": {
        "plain": "chat_stream chat_stream_usage chat_length_stream chat_stop_stream"
        " chat_n2_stream completions_stream completions_stream_usage"
        " completions_logprobs_stream",
        "think": "think-think_stream",
        "tools": "named-stream named-fc-stream tool-tool_named_stream",
    },
    "vllm": {
        "plain": "chat_stream chat_stream_usage chat_stream_length chat_logprobs_stream"
        " native-n3_stream completions_stream native-completion_two_prompts_stream",
        "think": "think-chat_stream think-chat_stream_usage thinkmodel_chat_stream",
        "tools": "toolmodel_tool_stream toolmodel_tool_required_stream",
    },
    "mlx-lm": {
        "plain": "chat_stream chat_stream_usage chat_length_stream chat_stop_stream chat_n2_stream"
        " chat_logprobs_stream completions_stream completions_stream_usage completions_echo_stream",
        "think": "thinkmodel_think_stream",
        "tools": "toolmodel_tool_stream toolmodel_tool_required_stream"
        " toolmodel_tool_named_stream toolmodel_tool_length_stream",
    },
    "litellm": {
        "plain": "chat_stream chat_stream_usage json_schema_stream completions_stream",
    },
    "transformers": {
        "plain": "chat_stream chat_stream_usage chat_length_stream chat_stop_stream chat_n2_stream"
        " chat_logprobs_stream completions_stream completions_stream_usage completions_echo_stream"
        " completions_logprobs_stream",
        "think": "thinkmodel_think_stream",
        "tools": "toolmodel_tool_stream toolmodel_tool_required_stream toolmodel_tool_named_stream",
    },
}


def table(streams: dict[str, dict[str, str]]) -> list[Any]:
    return [
        pytest.param(RECORDED[f"{server}/{name}"], kind, id=f"{server}/{name}")
        for server, kinds in streams.items()
        for kind, names in kinds.items()
        for name in names.split()
    ]


@pytest.mark.parametrize(("recording", "kind"), table(STREAMS))
def test_a_stream_looks_as_its_server_sends_it(recording: Recording, kind: str) -> None:
    reply = again(recording, kind)
    ours, theirs = look(reply.body, reply.headers), look(recording.body, recording.headers)
    assert ours == theirs


#: Recorded whole answers, and which scenario's they are.
WHOLE = {
    "llama-server": {
        "plain": "chat chat_length chat_logprobs json_schema completions",
        "think": "think-chat",
        "tools": "toolmodel-tool toolmodel-tool_named toolmodel-tool_required",
    },
    "llama-cpp-python": {
        "plain": "chat chat_length chat_logprobs completions completions_logprobs completions_echo",
        "think": "think-think",
        "tools": "named-whole named-fc-whole",
    },
    "vllm": {
        "plain": "chat chat_length chat_logprobs json_object completions"
        " native-completion_echo_logprobs",
        "think": "think-chat",
        "tools": "toolmodel_tool toolmodel_tool_named toolmodel_tool_required",
    },
    "mlx-lm": {
        "plain": "chat chat_length chat_logprobs completions completions_echo",
        "think": "thinkmodel_think",
        "tools": "toolmodel_tool",
    },
    "litellm": {"plain": "chat completions", "tools": "mock-tool-tool"},
    "transformers": {
        "plain": "chat chat_length chat_logprobs chat_n2 completions completions_logprobs"
        " completions_echo",
        "think": "thinkmodel_think",
        "tools": "toolmodel_tool",
    },
}


def outline(answer: Any) -> Any:
    """What a whole answer consists of; vLLM's usage names details that it does not give."""
    [choice] = answer["choices"]
    kept = {
        name: shape(answer[name]) for name in ("timings", "system_fingerprint") if name in answer
    }
    kept["usage"] = {name for name, count in answer["usage"].items() if count is not None}
    fields = {n: shape(choice[n]) for n in ("text", "message", "logprobs") if n in choice}
    return kept | fields


@pytest.mark.parametrize(("recording", "kind"), table(WHOLE))
def test_a_whole_answer_looks_as_its_server_sends_it(recording: Recording, kind: str) -> None:
    reply = again(recording, kind)
    assert outline(reply.json) == outline(recording.json)
    if recording.name != "litellm/mock-tool-tool":  # a mock, which has not called anyone
        assert reply.choice["finish_reason"] == recording.json["choices"][0]["finish_reason"]


def test_litellm_has_the_type_in_every_piece_of_a_call() -> None:
    recording = RECORDED["litellm/via-llama-tool_required_stream"]
    theirs, ours = (
        [
            shape(choice["delta"]["tool_calls"])
            for c in chunks
            for choice in c["choices"]
            if tells(choice)
        ]
        for chunks in (events(recording.body), again(recording, "tools").chunks)
    )
    assert [one for one, _ in groupby(ours)] == [one for one, _ in groupby(theirs)]


def tells(choice: dict[str, Any]) -> bool:
    return bool(choice.get("delta", {}).get("tool_calls"))


def events(body: bytes) -> list[Any]:
    lines = body.decode().split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


# --- servers without a recording --------------------------------------------

ROLE = {"role": "assistant"}
NOW = {"type": "function", "function": {"name": "now"}}


def call(index: int, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index} | fields]}


def of(name: str | None, arguments: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


#: server: the deltas of "Hi", those of the first thought, and those of a call without arguments
DELTAS: dict[str, tuple[list[Any], list[Any], list[Any]]] = {
    "openai": (
        [ROLE | {"content": ""}, {"content": "Hi"}, {}],
        [ROLE | {"content": ""}, {"reasoning_content": "I"}],
        [
            ROLE | {"content": ""},
            call(0, id="ID", **of("now", "")),
            call(0, function={"arguments": "{"}),
            call(0, function={"arguments": "}"}),
            {},
        ],
    ),
    # openai/openai.go: ToStreamChunks, FinishChunk
    "ollama": (
        [ROLE | {"content": "Hi"}, {}],
        [ROLE | {"content": "", "reasoning": "I"}, {"content": "", "reasoning": " am"}],
        [ROLE | {"content": ""} | call(0, id="ID", **of("now", "{}")), {}],
    ),
    # the same: ToChunk
    "ollama-old": (
        [ROLE | {"content": "Hi"}, ROLE | {"content": ""}],
        [ROLE | {"content": "", "reasoning": "I"}, ROLE | {"content": "", "reasoning": " am"}],
        [ROLE | {"content": ""} | call(0, id="ID", **of("now", "{}")), ROLE | {"content": ""}],
    ),
    # openai/sse_utils.py: StreamDelta; openai/protocol.py: ToolCall
    "sglang": (
        [
            ROLE | {"content": "", "reasoning_content": None},
            {"content": "Hi", "reasoning_content": None},
            {"reasoning_content": None},
        ],
        [ROLE | {"content": "", "reasoning_content": None}, {"reasoning_content": "I"}],
        [
            ROLE | {"content": "", "reasoning_content": None},
            {"reasoning_content": None} | call(0, id="ID", **of("now", "")),
            {"reasoning_content": None} | call(0, id=None, **of(None, "{")),
            {"reasoning_content": None} | call(0, id=None, **of(None, "}")),
            {"reasoning_content": None},
        ],
    ),
    # router/src/chat.rs: ChatCompletionDelta
    "tgi": (
        [ROLE | {"content": "Hi"}, ROLE | {"content": ""}],
        [ROLE | {"reasoning_content": "I"}, ROLE | {"reasoning_content": " am"}],
        [
            ROLE | call(0, id="ID", **of("now", "")),
            ROLE | call(0, id="ID", **of(None, "{")),
            ROLE | call(0, id="ID", **of(None, "}")),
            ROLE,
        ],
    ),
    "openrouter": (
        [ROLE | {"content": ""}, {"content": "Hi"}, {}],
        [ROLE | {"content": ""}, {"reasoning": "I"}],
        [
            ROLE | {"content": ""},
            call(0, id="ID", **of("now", "")),
            call(0, function={"arguments": "{"}),
            call(0, function={"arguments": "}"}),
            {},
        ],
    ),
}


def deltas(model: str, **given: Any) -> list[Any]:
    reply = chat(model, "Hi", stream=True, **given)
    body = reply.body.replace(b"data:{", b"data: {")
    found = [choice["delta"] for chunk in events(body) for choice in chunk["choices"]]
    for piece in (piece for delta in found for piece in delta.get("tool_calls", ())):
        if piece.get("id"):
            piece["id"] = "ID"
    return found


@pytest.mark.parametrize("server", DELTAS)
def test_deltas_are_as_the_source_of_the_server_has_them(server: str) -> None:
    text, thought, called = DELTAS[server]
    assert deltas(f"plain-{server}") == text
    assert deltas(f"think-{server}")[: len(thought)] == thought
    assert deltas(f"tools-{server}", tools=[NOW]) == called


def test_sglang_counts_its_thoughts_at_the_top_of_the_usage() -> None:
    # openai/protocol.py: UsageInfo
    for name, thought in (("plain", False), ("think", True)):
        usage = chat(f"{name}-sglang").json["usage"]
        assert bool(usage["reasoning_tokens"]) is thought
        assert "completion_tokens_details" not in usage


def test_llama_server_has_legacy_logprobs_as_chats_have_them() -> None:
    whole = complete("plain-llama-server", "Hi!", logprobs=1).json["choices"][0]["logprobs"]
    streamed = complete("plain-llama-server", "Hi!", logprobs=1, stream=True).chunks
    assert [token["token"] for token in whole["content"]] == ["Hi", "!"]
    pieces = [chunk["choices"][0]["logprobs"] for chunk in streamed]
    assert pieces == [{"content": [token]} for token in whole["content"]] + [None]


#: Who have no logprobs in a legacy completion, and who do not repeat its prompt.
SILENT = {"ollama", "ollama-old", "mlx-lm", "transformers"}


@pytest.mark.parametrize("server", DIALECTS)
def test_logprobs_and_the_prompt_of_a_legacy_completion_are_not_everyones(server: str) -> None:
    reply = complete(f"plain-{server}", "Hi!", logprobs=1, echo=True)
    [choice] = reply.json["choices"]
    assert bool(choice.get("logprobs")) is (server not in SILENT)
    assert choice["text"] == ("Hi!" if server in SILENT | {"llama-server"} else "Hi!Hi!")


def test_azure_begins_with_a_chunk_without_choices() -> None:
    first, second, *_ = chat("plain-azure", stream=True).chunks
    assert first["choices"] == first["prompt_filter_results"] == []
    assert first["id"] == second["id"]
    assert second["choices"][0]["delta"] == {"role": "assistant", "content": ""}


def test_tgi_has_no_space_behind_the_colon() -> None:
    lines = chat("plain-tgi", stream=True).body.split(b"\n\n")
    assert lines[0].startswith(b"data:{")
    assert lines[-2:] == [b"data:[DONE]", b""]


def test_openrouter_begins_with_a_comment() -> None:
    body = chat("plain-openrouter", stream=True).body
    assert body.startswith(b": OPENROUTER PROCESSING\n\ndata: {")


def test_tgi_has_arguments_that_are_no_text_unless_they_were_cut() -> None:
    whole, cut = (chat("tools-tgi", tools=[NOW], max_tokens=most) for most in (None, 2))
    arguments = [
        reply.choice["message"]["tool_calls"][0]["function"]["arguments"] for reply in (whole, cut)
    ]
    assert arguments == [{}, "{"]


@pytest.mark.parametrize("server", DIALECTS)
def test_n_is_heeded_by_those_who_know_it(server: str) -> None:
    choices = chat(f"plain-{server}", n=3).json["choices"]
    assert len(choices) == (3 if DIALECTS[server].many else 1)


#: The finish_reason of an answer that calls a tool which it had to.
NAMED = {"llama-server", "llama-cpp-python", "ollama", "ollama-old", "mlx-lm", "transformers"}


@pytest.mark.parametrize("server", DIALECTS)
def test_a_named_tool_is_a_reason_to_end_for_some(server: str) -> None:
    choice = {"type": "function", "function": {"name": "now"}}
    reply = chat(f"plain-{server}", tools=[NOW], tool_choice=choice)
    assert reply.choice["message"]["tool_calls"]
    assert reply.choice["finish_reason"] == ("tool_calls" if server in NAMED else "stop")


def test_a_whole_message_names_what_there_is_not() -> None:
    plain = {name: chat(f"plain-{name}").choice["message"] for name in ("openai", "vllm", "sglang")}
    assert plain["openai"] == ROLE | {"content": HELLO, "refusal": None, "annotations": []}
    assert plain["sglang"] == ROLE | {
        "content": HELLO,
        "reasoning_content": None,
        "tool_calls": None,
    }
    nulls = ("refusal", "annotations", "audio", "function_call", "reasoning")
    assert plain["vllm"] == ROLE | {"content": HELLO} | dict.fromkeys(nulls)


#: server: the id of a call
IDS = {
    "openai": "call_[0-9a-f]{32}",
    "llama-server": "[0-9a-f]{32}",
    "llama-cpp-python": "call__0_now_cmpl-[0-9a-f]{32}",
    "vllm": "chatcmpl-tool-[0-9a-f]{16}",
    "lmstudio": "[0-9]+",
    "tgi": "0",
}


@pytest.mark.parametrize("server", IDS)
def test_the_id_of_a_call_is_made_as_the_server_makes_it(server: str) -> None:
    [call] = chat(f"tools-{server}", tools=[NOW]).choice["message"]["tool_calls"]
    assert re.fullmatch(IDS[server], call["id"])
