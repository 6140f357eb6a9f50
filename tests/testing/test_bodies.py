"""The bodies of answers: JSON, or events, as the dialect and the scenario have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rawllm.testing import bodies, faults
from rawllm.testing.dialects import DIALECTS
from rawllm.testing.rows import OPENAI, Scenario
from rawllm.testing.scripts import End, Pause, Request
from tests.recordings import STREAMS
from tests.testing.asking import Reply, read

REQUEST = Request("POST", "/v1/chat/completions", {"x-request-id": "mine"}, b"{}")
CHUNKS: list[dict[str, Any]] = [
    {"id": "x", "choices": [{"index": 0, "delta": {"content": text}}]} for text in ("a\n", "b")
]


def streamed(scenario: Scenario, argument: str = "", chunks: Any = None) -> Reply:
    return read(bodies.stream(REQUEST, chunks or CHUNKS, scenario, argument))


def spoken(dialect: Any = OPENAI, **fields: Any) -> Scenario:
    return Scenario("a test", dialect=dialect, **fields)


# --- JSON -------------------------------------------------------------------


def test_a_value_is_json_without_blanks() -> None:
    reply = read(bodies.whole(REQUEST, {"text": "é", "list": [1, None]}))
    assert reply.body == '{"text":"é","list":[1,null]}'.encode()
    assert (reply.status, reply.ends) == (200, [])
    assert reply.headers == {
        "content-type": "application/json",
        "x-request-id": "mine",
        "content-length": str(len(reply.body)),
    }


def test_half_of_a_surrogate_pair_is_escaped() -> None:
    reply = read(bodies.whole(REQUEST, {"text": "é\ud83d"}))
    assert reply.body == b'{"text":"\\u00e9\\ud83d"}'
    assert reply.json == {"text": "é\ud83d"}


def test_a_scenario_plays_the_value() -> None:
    value = {"text": "Hi"}
    slow = spoken(steps=faults.slow, after=(End.NEXT,))
    pause, _head, body, end = bodies.whole(REQUEST, value, slow, "20")
    assert [pause, body, end] == [Pause(0.02), b'{"text":"Hi"}', End.NEXT]
    cut = read(bodies.whole(REQUEST, value, spoken(steps=faults.cut(End.FIN))))
    assert (cut.body, cut.headers["content-length"], cut.ends) == (b'{"text', "13", [End.FIN])


# --- events -----------------------------------------------------------------


def test_a_stream_is_an_event_a_chunk_and_done() -> None:
    reply = streamed(spoken())
    assert reply.chunks == CHUNKS
    assert reply.data[-1] == "[DONE]"
    assert reply.headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-request-id": "mine",
        "transfer-encoding": "chunked",
    }
    assert len(reply.script) == 1 + 3 + 1  # the head, the events, the last chunk


def test_the_content_type_is_that_of_the_recorded_streams() -> None:
    kinds = {(one.name.partition("/")[0], one.headers["content-type"]) for one in STREAMS}
    assert len(kinds) == 6  # each server has one
    for server, kind in kinds:
        assert streamed(spoken(DIALECTS[server])).headers["content-type"] == kind


def test_a_stream_may_end_with_its_connection() -> None:
    reply = streamed(spoken(OPENAI._replace(framing="closing")))
    assert reply.body == streamed(spoken()).body
    assert reply.headers["connection"] == "close"
    assert reply.ends == [End.FIN]


def test_a_client_of_http_1_0_gets_no_chunks() -> None:
    old = REQUEST._replace(version="HTTP/1.0")
    reply = read(bodies.stream(old, CHUNKS, spoken(), ""))
    assert reply.body == streamed(spoken()).body
    assert "transfer-encoding" not in reply.headers
    assert reply.ends == [End.FIN]


def test_not_every_server_says_that_it_is_done() -> None:
    assert streamed(spoken(OPENAI._replace(done=False))).data == [json_of(c) for c in CHUNKS]


def json_of(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def test_a_dialect_has_its_own_field_and_line_ends() -> None:
    body = streamed(spoken(OPENAI._replace(field="data:", line_end="\r\n"))).body
    assert body == b"".join(
        b"data:%s\r\n\r\n" % data.encode() for data in [*map(json_of, CHUNKS), "[DONE]"]
    )


@pytest.mark.parametrize("before", [b": hello\n\n", b"\xef\xbb\xbf"])
def test_bytes_before_the_first_event_are_sent_as_they_are(before: bytes) -> None:
    body = streamed(spoken(OPENAI._replace(before=(before,)))).body
    assert body == before + streamed(spoken()).body


def test_a_chunk_before_the_first_has_its_head() -> None:
    first, *others = streamed(spoken(DIALECTS["azure"])).chunks
    assert first == {"id": "x", "choices": [], "prompt_filter_results": []}
    assert others == CHUNKS


def test_a_chunk_before_nothing_but_bytes_has_no_head() -> None:
    alone = spoken(DIALECTS["azure"], chunks=lambda _: [b": nothing\n\n"])
    assert streamed(alone).chunks == [{"choices": [], "prompt_filter_results": []}]


def test_a_scenario_changes_chunks_then_bytes_then_the_connection() -> None:
    scenario = spoken(chunks=faults.half, steps=faults.slow, after=(End.NEXT,))
    reply = streamed(scenario, "20")
    assert reply.chunks == CHUNKS[:1]
    assert [step for step in reply.script if isinstance(step, Pause)] == [Pause(0.02)] * 2
    assert reply.ends == [End.NEXT]
