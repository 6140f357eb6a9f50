"""The lessons: what is shown of each is what is run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import rawllm
from rawllm import testing
from rawllm.answers import ChatCompletionChunk
from rawllm.cli.lessons import LESSONS, Lesson, text
from rawllm.testing.scripts import Script

NARROWEST = 60


@pytest.fixture
def client() -> Iterator[rawllm.Client]:
    with testing.serve(keys={"sk-1"}, strict=True) as url, rawllm.Client(url, "sk-1") as client:
        yield client


def run(lesson: Lesson, client: rawllm.Client) -> list[object]:
    values: list[object] = []
    lesson(client, values.append)
    return values


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_the_code_that_is_shown_does_what_the_lesson_does(
    lesson: Lesson, client: rawllm.Client
) -> None:
    values: list[object] = []
    exec(text(lesson).code, {"rawllm": rawllm, "client": client, "show": values.append})
    assert list(map(str, values)) == list(map(str, run(lesson, client)))


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_what_is_shown_fits_a_narrow_terminal(lesson: Lesson) -> None:
    assert max(map(len, text(lesson).code.splitlines())) <= NARROWEST - len("    ")
    assert (lesson.__name__ + text(lesson).about + text(lesson).code).isascii()


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_a_lesson_is_told_in_whole_sentences(lesson: Lesson) -> None:
    about = text(lesson).about
    assert about[0].isupper()
    assert about.endswith(".")
    assert len(about) <= 2 * 80


def test_a_lesson_shows_what_comes_and_not_what_should() -> None:
    site = testing.Site()

    def never_fails(request: testing.Request) -> Script:
        return site.answer(request._replace(body=request.body.replace(b"cut-fin", b"plain")))

    with testing.Server(never_fails) as server, rawllm.Client(server.url) as client:
        *_, last = run(LESSONS["A stream that was cut"], client)
        assert isinstance(last, ChatCompletionChunk)
        assert run(LESSONS["Two errors"], client) == []


def values_of(title: str, client: rawllm.Client) -> list[object]:
    return run(LESSONS[title], client)


def test_the_question_is_answered(client: rawllm.Client) -> None:
    assert values_of("A question and its answer", client)[0] == "Good morning!"


def test_the_stream_has_pieces_an_end_and_a_usage(client: rawllm.Client) -> None:
    *chunks, message = values_of("A stream", client)
    assert message == {"role": "assistant", "content": "Hi there!"}
    assert all(isinstance(chunk, ChatCompletionChunk) for chunk in chunks)
    assert len(chunks) == 6


def test_the_stream_is_cut_within_an_event(client: rawllm.Client) -> None:
    *_, error, partial = values_of("A stream that was cut", client)
    assert isinstance(error, rawllm.IncompleteStreamError)
    assert partial == {"role": "assistant", "content": "Good"}


def test_the_tool_is_called_and_its_result_understood(client: rawllm.Client) -> None:
    call, said = values_of("A tool", client)
    assert call == {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    assert said == "Sunny, 21 C"


def test_the_embedding_has_few_dimensions(client: rawllm.Client) -> None:
    (vector,) = values_of("An embedding", client)
    assert isinstance(vector, list)
    assert len(vector) == 3


def test_the_errors_have_hints(client: rawllm.Client) -> None:
    found = values_of("Two errors", client)
    assert list(map(type, found)) == [rawllm.NotFoundError, rawllm.AuthenticationError]
    assert all("\nHint: " in str(error) for error in found)


def test_the_second_try_is_answered(client: rawllm.Client) -> None:
    assert values_of("A second try", client) == ["Good morning!"]
