"""Every exception has its code, and its text reads as words of the command line."""

from __future__ import annotations

import doctest
import inspect
import re

import pytest
import requests

from rawllm import errors, hints
from rawllm.answers import ChatCompletion, Choice, Message
from rawllm.cli import exits
from rawllm.objects import Object


def answered(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    return response


def in_stream(status: int | None) -> errors.StreamAPIError:
    error = errors.StreamAPIError("the server ended the stream with an error")
    error.status_code = status
    return error


def choice(text: str) -> Choice:
    return Choice(index=0, message=Message(role="assistant", content=text))


def cut_by_a_timeout(*choices: Object) -> errors.IncompleteStreamError:
    partial = ChatCompletion(choices=[*choices])
    error = errors.IncompleteStreamError("the stream ended before the answer did", partial=partial)
    error.__cause__ = errors.APITimeoutError("nothing came")
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(errors.OpenAIError("?"), 1, id="any-other"),
        pytest.param(errors.APIError("no models"), 1, id="api"),
        pytest.param(errors.BadRequestError("?", response=answered(400)), 1, id="400"),
        pytest.param(errors.NotFoundError("?", response=answered(404)), 1, id="404"),
        pytest.param(errors.ModelLoadingError("?", response=answered(503)), 1, id="503"),
        pytest.param(OSError("full"), 1, id="os"),
        pytest.param(ValueError("?"), 2, id="value"),
        pytest.param(TypeError("?"), 2, id="type"),
        pytest.param(errors.APIConnectionError("refused"), 3, id="no-connection"),
        pytest.param(errors.AuthenticationError("?", response=answered(401)), 4, id="401"),
        pytest.param(errors.PermissionDeniedError("?", response=answered(403)), 4, id="403"),
        pytest.param(errors.RateLimitError("?", response=answered(429)), 5, id="429"),
        pytest.param(errors.APITimeoutError("?"), 6, id="timeout"),
        pytest.param(
            errors.APIResponseValidationError("HTML", response=answered(200)), 7, id="html"
        ),
        pytest.param(errors.StreamError("not JSON"), 7, id="stream"),
        pytest.param(errors.IncompleteStreamError("cut"), 7, id="cut"),
        pytest.param(cut_by_a_timeout(choice("Hi")), 7, id="cut-by-a-timeout"),
        pytest.param(cut_by_a_timeout(), 6, id="timeout-before-the-first-chunk"),
        pytest.param(cut_by_a_timeout(choice("")), 6, id="timeout-before-any-text"),
        pytest.param(cut_by_a_timeout(Object(index=0)), 6, id="timeout-without-a-message"),
        pytest.param(in_stream(401), 4, id="401-in-stream"),
        pytest.param(in_stream(403), 4, id="403-in-stream"),
        pytest.param(in_stream(429), 5, id="429-in-stream"),
        pytest.param(in_stream(500), 1, id="500-in-stream"),
        pytest.param(in_stream(None), 1, id="words-in-stream"),
        pytest.param(KeyboardInterrupt(), 130, id="ctrl-c"),
        pytest.param(exits.ReaderGone(), 141, id="reader-gone"),
    ],
)
def test_the_code_of_an_error(error: BaseException, code: int) -> None:
    assert exits.code(error) == code
    assert isinstance(error, exits.KNOWN)


def test_every_exception_of_the_library_has_a_code() -> None:
    classes = [one for one in vars(errors).values() if inspect.isclass(one)]
    assert all(issubclass(one, exits.KNOWN) for one in classes if issubclass(one, Exception))


def test_every_code_has_its_meaning() -> None:
    assert exits.MEANINGS.keys() == {0, *exits.CODES.values()}


def test_a_bug_has_no_code() -> None:
    assert not isinstance(AttributeError(), exits.KNOWN)
    assert not isinstance(KeyError(), exits.KNOWN)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), exits.ReaderGone()], ids=repr)
def test_what_a_person_did_is_not_told_to_them(error: BaseException) -> None:
    assert exits.text(error) == ""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(
            errors.APIError("base_url timeout= is what a server said"),
            "base_url timeout= is what a server said",
            id="words-of-a-server-stay",
        ),
        pytest.param(
            errors.APIError("set api_key=\nHint: pass api_key= or set OPENAI_API_KEY"),
            "set api_key=\nHint: pass --api-key; OPENAI_API_KEY is sent where --base-url or "
            "OPENAI_BASE_URL names the server",
            id="a-hint-is-translated",
        ),
        pytest.param(
            errors.APIError("they said\nHint: pass api_key=\nHint: pass api_key="),
            "they said\nHint: pass api_key=\nHint: pass --api-key",
            id="the-last-hint-is-ours",
        ),
        pytest.param(
            errors.IncompleteStreamError("5 characters had come (see .partial)\nHint: its log"),
            "5 characters had come\nHint: its log",
            id="nothing-in-python-to-see",
        ),
        pytest.param(
            ValueError("base_url must look like http://localhost:11434/v1, not 'x y'"),
            "--base-url or OPENAI_BASE_URL must look like http://localhost:11434/v1, not 'x y'",
            id="a-bad-address",
        ),
        pytest.param(
            ValueError("timeout must be above 0 seconds and finite, not -1.0; None: no limit"),
            "--timeout must be above 0 seconds and finite, not -1.0",
            id="a-bad-timeout",
        ),
        pytest.param(
            ValueError("api_key holds a line break or another control character"),
            "--api-key or OPENAI_API_KEY holds a line break or another control character",
            id="a-bad-key",
        ),
        pytest.param(
            ValueError("no recordings in here/base_url/api_key; None: no limit"),
            "no recordings in here/base_url/api_key; None: no limit",
            id="words-of-a-person-stay",
        ),
        pytest.param(
            errors.APIError("?\nHint: did you mean http://x/base_url/api_key=/timeout=/v1?"),
            "?\nHint: did you mean http://x/base_url/api_key=/timeout=/v1?",
            id="an-address-stays",
        ),
    ],
)
def test_the_text_of_an_error(error: Exception, text: str) -> None:
    assert exits.text(error) == text


@pytest.mark.parametrize(
    "situation", sorted(hints.HINTS, key=str), ids=lambda row: "-".join(map(str, row))
)
def test_a_hint_speaks_no_python(situation: tuple[str, str | None]) -> None:
    hint = hints.hint(*situation, place="P", base="B", location="L")
    said = exits.text(errors.APIError(f"it failed\nHint: {hint}"))
    python = r"\w+\(\)|\b(?<!-o )\w+=|client\.|base_url|True|False"
    assert re.findall(python, re.sub(r"^it failed\nHint: ", "", said)) == []


@pytest.mark.parametrize("words", [python for python, _ in exits.WORDS])
def test_every_row_of_the_translation_is_needed(words: str) -> None:
    """Each stands in a hint, and has a blank, so that it stands in no address."""
    assert any(words in hint for hint in hints.HINTS.values())
    assert " " in words


@pytest.mark.parametrize("whole", [True, False])
def test_to_stream_is_the_advice_to_who_did_not(whole: bool) -> None:
    error = errors.APITimeoutError(f"nothing came\nHint: {hints.hint('timeout')}")
    said = exits.text(error, whole=whole)
    assert said.startswith("nothing came\nHint: raise --timeout")
    assert ("or leave out --json and --no-stream" in said) is whole


def test_the_examples_of_the_module() -> None:
    failed, attempted = doctest.testmod(exits)
    assert attempted
    assert not failed
