"""An exchange as rows: all of its bytes, when they came, and what became of them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Sequence

import pytest

from rawllm.cli.exchanges import GUTTER, Made, answer, is_cut, request, wrapped
from rawllm.cli.screen import Row, painted
from rawllm.testing.scripts import chunk

POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
JSON = b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def text(rows: Iterable[Row]) -> str:
    return "".join(painted(row, colours=False) + "\n" for row in rows)


def shown(picture: str) -> str:
    return inspect.cleandoc(picture.replace("|\n", "\n")) + "\n"


def event(data: str) -> bytes:
    return chunk(f"data: {data}\n\n".encode())


def client_s(rows: Iterable[Row]) -> list[str]:
    """The texts that are painted as the client's."""
    return [text for row in rows for text, role in row if role == "client"]


# --- the wire ---------------------------------------------------------------


def test_a_request_is_its_lines() -> None:
    assert text(request(POST, 80)) == (
        "           > POST /v1/chat/completions HTTP/1.1\n"
        "           > Host: localhost\n"
        "           > Content-Length: 2\n"
        "           >\n"
        "           > {}\n"
    )


def test_a_request_without_a_body_ends_with_the_empty_line() -> None:
    assert text(request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 80)).endswith(
        "> Host: x\n           >\n"
    )


def test_an_answer_is_its_lines_and_when_they_came() -> None:
    assert text(answer([(0.0004, JSON), (0.0126, b'{"a":"b","c":"d"}\n')], [], 80)) == (
        "   ms size\n"
        "    0      < HTTP/1.1 200 OK\n"
        "           < Content-Length: 18\n"
        "           <\n"
        '   13      < {"a":"b","c":"d"}\n'
    )


def test_a_body_that_came_with_its_head_has_no_time_of_its_own() -> None:
    assert text(answer([(0.5, JSON + b'{"a":"b","c":"de"}')], [], 80)) == (
        "   ms size\n"
        "  500      < HTTP/1.1 200 OK\n"
        "           < Content-Length: 18\n"
        "           <\n"
        '           < {"a":"b","c":"de"}\n'
    )


def test_a_chunk_is_its_size_and_its_lines() -> None:
    sent = [
        (0.0, EVENTS),
        (0.03, event("1")),
        (12.345, chunk(b": ping\n\nid: 1\n")),
        (99.999, LAST),
    ]
    assert text(answer(sent, [], 80)) == (
        "   ms size\n"
        "    0      < HTTP/1.1 200 OK\n"
        "           < Transfer-Encoding: chunked\n"
        "           <\n"
        "   30    9 < data: 1\n"
        "           <\n"
        "12345    e < : ping\n"
        "           <\n"
        "           < id: 1\n"
        "99999    0 <\n"
    )


def test_bytes_that_are_not_ascii_are_escaped() -> None:
    rows = answer([(0.0, JSON + "é\x1b".encode())], [], 80)
    assert text(rows).splitlines()[4] == "           < \\xc3\\xa9\\x1b"


def test_an_answer_of_no_byte_is_cut() -> None:
    assert text(answer([], [], 80)) == "   ms size\n           x the connection was closed here\n"


@pytest.mark.parametrize(
    ("raw", "cut"),
    [
        pytest.param(b"", True, id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", True, id="half-a-head"),
        pytest.param(JSON + b'{"a":"b","c":"de"}', False, id="as-long-as-it-says"),
        pytest.param(JSON + b'{"a":"b","c":', True, id="shorter"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length:1\r\n\r\n", True, id="no-space"),
        pytest.param(EVENTS + event("1") + LAST, False, id="a-last-chunk"),
        pytest.param(EVENTS + LAST, False, id="nothing-but-a-last-chunk"),
        pytest.param(EVENTS + event("1"), True, id="no-last-chunk"),
        pytest.param(EVENTS + b"10\r\n\r\n", True, id="a-size-that-ends-with-0"),
        pytest.param(EVENTS.upper() + event("1"), True, id="in-capitals"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\ndata", False, id="ends-with-its-connection"),
    ],
)
def test_an_answer_is_cut_if_it_is_not_as_long_as_its_head_says(raw: bytes, cut: bool) -> None:
    assert is_cut(raw) is cut


# --- what is too long -------------------------------------------------------

LONG = json.dumps({f"name{n}": "x" * n for n in range(1, 20)}, separators=(",", ":"))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(LONG, id="json"),
        pytest.param("x" * 500, id="no-comma"),
        pytest.param("Hello, you! " * 20, id="commas-of-a-text"),
        pytest.param("," * 200, id="nothing-but-commas"),
    ],
)
@pytest.mark.parametrize("width", [60, 61, 80, 120])
def test_a_line_goes_on_in_rows_that_join_to_it(line: str, width: int) -> None:
    first, *more = text(request(b"GET / HTTP/1.1\r\n\r\n" + line.encode(), width)).splitlines()[2:]
    assert first.startswith("           > ")
    assert {row[:GUTTER] for row in more} == {"           | "}
    assert "".join(row[GUTTER:] for row in (first, *more)) == line
    assert max(map(len, (first, *more))) <= width


@pytest.mark.parametrize(
    ("line", "pieces"),
    [
        pytest.param("x" * 40 + ",x" + "y" * 20, ["x" * 40 + ",", "x" + "y" * 20], id="comma"),
        pytest.param("x" * 46 + ",yy", ["x" * 46 + ",", "yy"], id="comma-at-the-end"),
        pytest.param("x" * 47 + ",y", ["x" * 47, ",y"], id="comma-too-late"),
        pytest.param("x,x" + "y" * 60, ["x,x" + "y" * 44, "y" * 16], id="comma-too-early"),
        pytest.param("x" * 40 + ", x" + "y" * 9, ["x" * 40 + ", x" + "y" * 4, "y" * 5], id="text"),
        pytest.param("x" * 47, ["x" * 47], id="it-just-fits"),
    ],
)
def test_a_line_is_cut_behind_a_comma_of_json_behind_the_first_third_of_a_row(
    line: str, pieces: list[str]
) -> None:
    rows = text(request(b"GET / HTTP/1.1\r\n\r\n" + line.encode(), 60)).splitlines()
    assert [row[GUTTER:] for row in rows[2:]] == pieces


def test_words_are_wrapped_and_lines_kept() -> None:
    assert wrapped("one two three\nfour-five", 9) == ["one two", "three", "four-five"]


# --- what the client made ---------------------------------------------------


def of_event(text: str, wire: str = "") -> Made:
    return Made(text, wire, of_event=True)


HEL, LO = '{"content":"Hel"}', '{"content":"lo"}'


def test_what_became_of_an_event_stands_beside_the_empty_line_that_ends_it() -> None:
    sent = [(0.0, EVENTS), (0.0, event(HEL)), (0.0, event(LO)), (0.0, event("[DONE]")), (0.0, LAST)]
    made = [of_event('"Hel"'), of_event('"lo"')]
    beside = " " * 39
    assert text(answer(sent, made, 80)).splitlines()[4:] == [
        '    0   19 < data: {"content":"Hel"}',
        f'           < {beside}=> "Hel"',
        '    0   18 < data: {"content":"lo"}',
        f'           < {beside}=> "lo"',
        "    0    e < data: [DONE]",
        "           <",
        "    0    0 <",
    ]


def test_an_event_that_nothing_became_of_has_nothing_beside_it() -> None:
    rows = text(answer([(0.0, EVENTS + b""), (0.0, event(HEL)), (0.0, LAST)], [], 80)).splitlines()
    assert rows[5:] == ["           <", "    0    0 <"]


def test_half_an_event_becomes_nothing() -> None:
    sent = [(0.0, EVENTS), (0.0, event(HEL)), (0.0, chunk(b'data: {"cont'))]
    assert text(answer(sent, [of_event('"Hel"'), Made("Error: cut")], 80)).splitlines()[6:] == [
        '    0    c < data: {"cont',
        "           x the connection was closed here",
        "           => Error: cut",
    ]


def test_what_does_not_fit_beside_an_event_goes_on_below() -> None:
    made = [of_event("one of the longer things that may be said")]
    rows = text(answer([(0.0, EVENTS), (0.0, event(HEL)), (0.0, LAST)], made, 60)).splitlines()
    assert rows[5:] == [
        "           <                    => one of the longer things",
        "                                   that may be said",
        "    0    0 <",
    ]


def test_what_became_of_the_answer_stands_below_it() -> None:
    made = [Made('"b"'), Made("Error: words " * 8 + "\nHint: more"), of_event("of no event")]
    rows = text(answer([(0.0, JSON + b'{"a":"b","c":"de"}')], made, 60)).splitlines()
    assert rows[5:] == [
        '           => "b"',
        "           => Error: words Error: words Error: words Error:",
        "              words Error: words Error: words Error: words",
        "              Error: words",
        "              Hint: more",
    ]


@pytest.mark.parametrize(
    ("made", "painted"),
    [
        pytest.param([Made("b", '"b"')], ['"b"', "=> b"], id="one"),
        pytest.param(
            [Made("b", '"b"'), Made("c", '"de"')], ['"b"', '"de"', "=> b", "=> c"], id="two"
        ),
        pytest.param([Made("b", '"b","c":"de"')], ['"b","c":"de"', "=> b"], id="long"),
        pytest.param([Made("x", "(.*)")], ["=> x"], id="not-there"),
        pytest.param([Made("x")], ["=> x"], id="nothing-to-point-at"),
    ],
)
def test_the_places_where_a_value_stands_are_painted_like_it(
    made: Sequence[Made], painted: list[str]
) -> None:
    assert client_s(answer([(0.0, JSON + b'{"a":"b","c":"de"}')], made, 80)) == painted


def test_in_an_event_only_its_own_value_is_painted() -> None:
    sent = [(0.0, EVENTS), (0.0, event(HEL)), (0.0, event(LO)), (0.0, LAST)]
    made = [of_event("Hel", '"Hel"'), of_event("lo", '"lo"'), Made("all", '"content"')]
    assert client_s(answer(sent, made, 80)) == ['"Hel"', "=> Hel", '"lo"', "=> lo", "=> all"]


def test_a_value_is_painted_also_where_it_is_cut() -> None:
    body = b'{"name":"%s"}' % (b"x" * 60)
    made = [Made("name", '"' + "x" * 60 + '"')]
    assert client_s(answer([(0.0, JSON + body)], made, 60)) == [
        '"' + "x" * 38,
        "x" * 22 + '"',
        "=> name",
    ]
