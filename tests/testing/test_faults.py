"""What goes wrong: chunks, bytes, and answers that are none."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from rawllm import envelopes
from rawllm.envelopes import SHAPES, Envelope
from rawllm.testing import faults
from rawllm.testing.faults import Instead, Memory, Moment
from rawllm.testing.parameters import RefusedError
from rawllm.testing.scripts import End, Pause, Request, Script
from rawllm.testing.turns import Ask, Call, Turn
from tests.testing.asking import Reply, read

REQUEST = Request("POST", "/v1/chat/completions", {}, b"{}")


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def moment(
    argument: str = "",
    *,
    model: str = "m",
    request: Request = REQUEST,
    streamed: bool = False,
    memory: Memory | None = None,
) -> Moment:
    return Moment(request, model, argument, streamed, memory or Memory())


def played(instead: Instead, at: Moment) -> Reply:
    script = instead(at)
    assert script is not None
    return read(script)


# --- chunks -----------------------------------------------------------------

CHUNKS: list[dict[str, Any]] = [
    {"id": "x", "choices": [{"delta": {"content": text}}]} for text in ("a", "b", "c", "d", "e")
]


def test_half_of_the_chunks() -> None:
    assert faults.half(CHUNKS) == CHUNKS[:2]
    assert faults.half(CHUNKS[:1]) == CHUNKS[:1]


def test_half_of_the_chunks_and_an_end() -> None:
    error = {"error": {"message": "no"}}
    assert faults.half_then(error)(CHUNKS) == [*CHUNKS[:2], error]
    assert faults.half_then(b"data: oops\n\n")(CHUNKS) == [*CHUNKS[:2], b"data: oops\n\n"]


def test_an_end_that_is_a_chunk_has_the_fields_of_all() -> None:
    end: dict[str, Any] = {"error": {"message": "no"}, "choices": []}
    assert faults.half_then(end)(CHUNKS)[-1] == {"id": "x"} | end


def test_an_event_before_each_chunk() -> None:
    assert faults.between(b":\n\n")(CHUNKS[:2]) == [b":\n\n", CHUNKS[0], b":\n\n", CHUNKS[1]]


def test_another_reason_to_finish() -> None:
    ask = Ask({"messages": [{"role": "user", "content": "Hi"}]})
    assert faults.finishing("abort")(ask) == Turn("Hi", finish="abort")


def test_calls_whose_arguments_are_not_json() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]
    turn = faults.broken_calls(
        Ask({"messages": [{"role": "user", "content": "Hi"}], "tools": tools})
    )
    assert turn.calls == (Call("a", "{"), Call("b", "{"))
    assert turn.finish == "tool_calls"


# --- bytes ------------------------------------------------------------------

STEPS: Script = [b"data: one\n\n", b"data: two\n\n"]


def test_nothing_is_done() -> None:
    assert faults.none(STEPS, "") == STEPS


@pytest.mark.parametrize(("argument", "seconds"), [("", 0.05), ("200", 0.2), ("0", 0)])
def test_a_pause_before_each(argument: str, seconds: float) -> None:
    pause = Pause(seconds)
    assert faults.slow(STEPS, argument) == [pause, STEPS[0], pause, STEPS[1]]


@pytest.mark.parametrize("end", End)
def test_half_of_the_bytes_and_an_end(end: End) -> None:
    assert faults.cut(end)(STEPS, "") == [b"data: one\n\n", end]
    assert faults.cut(end)([b"12345", b"6", b"7"], "") == [b"123", end]
    assert faults.cut(end)([b"1"], "") == [end]


def test_each_byte_alone() -> None:
    assert faults.bytewise([b"ab", b"c"], "") == [b"a", b"b", b"c"]


def test_several_steps_in_one() -> None:
    assert faults.packed([b"a", b"b", b"c", b"d"], "") == [b"abc", b"d"]


def test_characters_are_cut_behind_their_first_byte() -> None:
    data = "aé東😀b".encode()
    pieces = faults.inside_characters([data, b"c"], "")
    assert b"".join(piece for piece in pieces if isinstance(piece, bytes)) == data + b"c"
    assert pieces == [b"a\xc3", b"\xa9\xe6", b"\x9d\xb1\xf0", b"\x9f\x98\x80b", b"c"]


# --- memory -----------------------------------------------------------------


def test_how_often_a_model_was_asked_the_same_before() -> None:
    memory = Memory()
    asked = [("m", b"1"), ("m", b"1"), ("m", b"2"), ("n", b"1"), ("m", b"1")]
    assert [memory.times(*question) for question in asked] == [0, 1, 0, 0, 2]


def test_threads_are_counted_one_by_one() -> None:
    memory = Memory()
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.extend(memory.times("m", b"") for _ in range(1000)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(4000))


def test_how_long_ago_a_model_was_asked_first() -> None:
    memory = Memory(clock := Clock())
    assert memory.seconds("m") == 0
    clock.now += 2
    assert [memory.seconds("m"), memory.seconds("n")] == [2, 0]


# --- in place of an answer --------------------------------------------------


def test_nothing_is_played_where_there_is_to_be_an_answer() -> None:
    nothing: Instead = faults.nothing
    assert nothing(moment()) is None


def test_only_whole_answers_are_replaced() -> None:
    instead = faults.unless_streamed(faults.status(500))
    assert instead(moment(streamed=True)) is None
    assert played(instead, moment()).status == 500


@pytest.mark.parametrize("status", faults.WORDS)
def test_every_status_has_words_and_a_type(status: int) -> None:
    reply = played(faults.status(status), moment())
    words = faults.WORDS[status]
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert reply.error == {
        "message": words.message,
        "type": words.type,
        "param": None,
        "code": words.code,
    }


def test_a_status_may_say_something_else() -> None:
    reply = played(faults.status(429, type="insufficient_quota", message="no money"), moment())
    assert (reply.error["type"], reply.error["message"]) == ("insufficient_quota", "no money")
    assert reply.error["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("shape", SHAPES)
def test_every_envelope_is_to_be_had(shape: str) -> None:
    reply = played(faults.status(400), moment(shape))
    assert reply.json == envelopes.serialize(faults.WORDS[400], 400, shape)
    kind = "application/problem+json" if shape == "problem" else "application/json"
    assert reply.headers["content-type"] == kind
    assert envelopes.envelope(reply.json).message == faults.WORDS[400].message


def test_an_unknown_envelope_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(RefusedError, match="no shape 'x'; there are: openai, llama") as caught:
        faults.status(400)(moment("x"))
    assert caught.value.envelope.param == "model"


@pytest.mark.parametrize(
    ("argument", "seconds"), [("", "1"), ("0", "0"), ("30", "30"), ("vllm", "1")]
)
def test_too_many_requests_say_when_to_come_back(argument: str, seconds: str) -> None:
    assert played(faults.status(429), moment(argument)).headers["retry-after"] == seconds


def test_no_other_status_does_so() -> None:
    assert "retry-after" not in played(faults.status(503), moment()).headers
    quota = faults.status(429, code="insufficient_quota")
    assert "retry-after" not in played(quota, moment()).headers


@pytest.mark.parametrize("argument", ["999999", "٣"])
def test_a_time_that_is_none_is_refused(argument: str) -> None:
    with pytest.raises(RefusedError, match="must be a number"):
        faults.status(429)(moment(argument))


def test_a_body_of_any_kind() -> None:
    reply = played(faults.body("text/html", b"<p>", 502), moment())
    assert (reply.status, reply.headers["content-type"], reply.body) == (502, "text/html", b"<p>")
    assert played(faults.body("text/html", b"<p>"), moment()).status == 200


@pytest.mark.parametrize("end", [End.FIN, End.SILENCE], ids=lambda end: end.name)
def test_not_a_byte(end: End) -> None:
    assert faults.ending(end)(moment()) == [end]


def test_a_body_of_no_bytes() -> None:
    reply = played(faults.empty, moment())
    assert (reply.headers["content-type"], reply.headers["content-length"]) == (
        "application/json",
        "0",
    )
    reply = played(faults.empty, moment(streamed=True))
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.script[-1] == b"0\r\n\r\n"
    old = REQUEST._replace(version="HTTP/1.0")
    assert played(faults.empty, moment(request=old, streamed=True)).ends == [End.FIN]


def test_a_redirect() -> None:
    reply = played(faults.redirect(301, "{target}"), moment())
    assert (reply.status, reply.headers["location"]) == (301, "/v1/chat/completions")
    elsewhere = faults.redirect(307, "http://other.invalid/")
    assert played(elsewhere, moment()).headers["location"] == "http://other.invalid/"


def test_a_redirect_that_is_answered_then() -> None:
    location = played(faults.redirect_once, moment()).headers["location"]
    assert location == "/v1/chat/completions?redirected=1"
    assert faults.redirect_once(moment(request=REQUEST._replace(target=location))) is None


def test_a_model_is_loading_for_a_while_from_the_first_request_on() -> None:
    memory = Memory(clock := Clock())
    reply = played(faults.loading, moment("5", memory=memory))
    assert reply.status == 503
    assert reply.error == {"code": 503, "message": "Loading model", "type": "unavailable_error"}
    clock.now += 4.9
    assert faults.loading(moment("5", memory=memory)) is not None
    clock.now += 0.1
    assert faults.loading(moment("5", memory=memory)) is None
    assert faults.loading(moment("5", model="other", memory=memory)) is not None


def test_a_model_loads_for_a_second_if_nothing_else_is_said() -> None:
    memory = Memory(clock := Clock())
    assert faults.loading(moment(memory=memory)) is not None
    clock.now += 1
    assert faults.loading(moment(memory=memory)) is None


@pytest.mark.parametrize(
    ("argument", "statuses"),
    [("", [503, None] * 3), ("2", [503, 503, None] * 2), ("0", [None, None])],
)
def test_so_many_failures_before_each_answer(argument: str, statuses: list[int | None]) -> None:
    memory = Memory()
    scripts = [faults.failing_first(moment(argument, memory=memory)) for _ in statuses]
    assert [read(script).status if script else None for script in scripts] == statuses


# --- errors and ids ---------------------------------------------------------


def test_an_error_is_openais_unless_said_otherwise() -> None:
    reply = read(faults.error(404, Envelope("gone", type="t", code="c", param="p")))
    assert reply.status == 404
    assert reply.error == {"message": "gone", "type": "t", "param": "p", "code": "c"}
    assert reply.headers == {
        "content-type": "application/json",
        "content-length": str(len(reply.body)),
    }


def test_an_error_has_the_headers_that_it_is_given() -> None:
    reply = read(faults.error(405, Envelope("no"), headers={"Allow": "GET"}))
    assert reply.headers["allow"] == "GET"


def test_an_error_may_be_of_text_that_is_no_unicode() -> None:
    reply = read(faults.error(404, Envelope("no model \ud83d")))
    assert json.loads(reply.body)["error"]["message"] == "no model \ud83d"


def asked(**headers: str) -> Request:
    return REQUEST._replace(headers={name.replace("_", "-"): headers[name] for name in headers})


def test_the_id_of_a_request_is_the_callers() -> None:
    assert faults.request_id(asked(x_request_id="mine-1")) == {"X-Request-Id": "mine-1"}


@pytest.mark.parametrize("id_", ["", "two words", "a\rb", "é", "x" * 201])
def test_an_id_that_no_header_should_hold_is_not_repeated(id_: str) -> None:
    made = faults.request_id(REQUEST)["X-Request-Id"]
    assert made.startswith("req_")
    assert faults.request_id(asked(x_request_id=id_)) == {"X-Request-Id": made}


def test_other_requests_have_other_ids() -> None:
    others = [REQUEST, REQUEST._replace(body=b"[]"), REQUEST._replace(target="/v1/\ud83d")]
    assert len({faults.request_id(request)["X-Request-Id"] for request in others}) == 3


@pytest.mark.parametrize("instead", [faults.status(500), faults.loading, faults.failing_first])
def test_errors_of_the_protocol_have_the_id(instead: Instead) -> None:
    at = moment(request=asked(x_request_id="mine"))
    assert played(instead, at).headers["x-request-id"] == "mine"
