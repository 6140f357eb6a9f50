"""The exception classes: the tree they are drawn as, and that they travel."""

from __future__ import annotations

import copy
import io
import pickle
import re
import subprocess
import sys
from typing import Any

import pytest
import requests

import rawllm
from rawllm import errors
from rawllm.objects import Object

CLASSES: dict[str, type[errors.OpenAIError]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.OpenAIError)
}

# --- the tree ---------------------------------------------------------------

_LINE = re.compile(r"    (?P<indent>[ │├└─]*)(?P<name>\w+)(?:  +(?P<says>.*))?$")


def drawn() -> dict[str, tuple[str | None, str]]:
    """The tree in the docstring: each class, the one above it, and what stands beside it."""
    tree: dict[str, tuple[str | None, str]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := _LINE.match(line):
            path = [*path[: len(match["indent"]) // 4], match["name"]]
            tree[match["name"]] = (path[-2] if len(path) > 1 else None, match["says"])
    return tree


def test_the_tree_in_the_docstring_is_that_of_the_classes() -> None:
    bases = {name: value.__bases__[0].__name__ for name, value in CLASSES.items()}
    assert {name: above or "Exception" for name, (above, _) in drawn().items()} == bases


def test_no_class_has_two_above_it() -> None:
    assert all(len(value.__bases__) == 1 for value in CLASSES.values())


def test_every_class_is_exported() -> None:
    assert all(getattr(rawllm, name) is kind for name, kind in CLASSES.items())
    assert CLASSES.keys() <= set(rawllm.__all__)


#: The classes of the openai SDK that have a meaning here, and the one above each.
SDK = {
    "OpenAIError": "Exception",
    "APIError": "OpenAIError",
    "APIConnectionError": "APIError",
    "APITimeoutError": "APIConnectionError",
    "APIResponseValidationError": "APIError",
    "APIStatusError": "APIError",
    "BadRequestError": "APIStatusError",
    "AuthenticationError": "APIStatusError",
    "PermissionDeniedError": "APIStatusError",
    "NotFoundError": "APIStatusError",
    "ConflictError": "APIStatusError",
    "UnprocessableEntityError": "APIStatusError",
    "RateLimitError": "APIStatusError",
    "InternalServerError": "APIStatusError",
}


@pytest.mark.parametrize(("name", "above"), SDK.items(), ids=SDK)
def test_an_except_clause_for_the_openai_sdk_holds(name: str, above: str) -> None:
    assert CLASSES[name].__bases__[0].__name__ == above


# --- the attributes ---------------------------------------------------------

FIELDS: dict[str, Any] = {
    "body": Object(message="x", code=429),
    "code": "429",
    "param": "messages",
    "type": "tokens",
    "request_id": "req_1",
}

#: What is set after the making.
LATER: dict[str, dict[str, Any]] = {
    "ContextLengthExceededError": {"prompt_tokens": 9, "context_length": 8},
    "RateLimitError": {"retry_after": 1.5},
    "StreamAPIError": {"status_code": 500},
}


def answer(status: int = 429) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.url = "http://localhost/v1/models"
    response.headers["x-request-id"] = "req_1"
    response.raw = io.BytesIO(b'{"error":"x"}')
    response.request = requests.Request("GET", response.url).prepare()
    return response


def made(name: str) -> errors.OpenAIError:
    """An error with all it can hold."""
    kind = CLASSES[name]
    if not issubclass(kind, errors.APIError):
        error: errors.OpenAIError = kind("what happened")
    elif issubclass(kind, errors.APIStatusError | errors.APIResponseValidationError):
        error = kind("what happened", response=answer(), **FIELDS)
    elif issubclass(kind, errors.StreamError):
        error = kind("what happened", partial=Object(choices=[]), **FIELDS)
    else:
        error = kind("what happened", **FIELDS)
    for attribute, value in LATER.get(name, {}).items():
        setattr(error, attribute, value)
    return error


@pytest.mark.parametrize("name", CLASSES)
def test_an_error_has_the_attributes_that_stand_beside_it_in_the_tree(name: str) -> None:
    tree = drawn()
    above: str | None = name
    while above is not None:
        error = made(name)
        above, says = tree[above]
        for attribute in re.findall(r"\.(\w+)", says or ""):
            assert hasattr(error, attribute)


@pytest.mark.parametrize("name", CLASSES)
def test_an_error_is_its_message(name: str) -> None:
    error = made(name)
    assert str(error) == "what happened"
    assert error.args == ("what happened",)
    assert getattr(error, "message", "what happened") == "what happened"


def test_the_fields_are_those_given() -> None:
    error = errors.APIError("x", **FIELDS)
    assert {name: getattr(error, name) for name in FIELDS} == FIELDS


@pytest.mark.parametrize("name", [name for name in CLASSES if name != "OpenAIError"])
def test_a_field_that_is_not_given_is_none(name: str) -> None:
    kind = CLASSES[name]
    with_response = issubclass(kind, errors.APIStatusError | errors.APIResponseValidationError)
    error = kind("x", **({"response": answer()} if with_response else {}))
    unset = {*FIELDS, *LATER.get(name, {}), *(["partial"] if "Stream" in name else [])}
    assert {attribute: getattr(error, attribute) for attribute in unset} == dict.fromkeys(unset)


def test_the_status_is_the_responses() -> None:
    assert errors.APIStatusError("x", response=answer(418)).status_code == 418
    assert errors.APIResponseValidationError("x", response=answer(200)).status_code == 200


@pytest.mark.parametrize("kind", [errors.APIStatusError, errors.APIResponseValidationError])
def test_an_error_about_an_answer_needs_one(kind: type[errors.APIStatusError]) -> None:
    with pytest.raises(TypeError, match="response"):
        kind("x")  # type: ignore[call-arg]


# --- they travel ------------------------------------------------------------


def facts(error: BaseException) -> dict[str, Any]:
    """What an error holds, its response by what it says."""
    found = {"class": type(error), "args": error.args, **vars(error)}
    if response := found.pop("response", None):
        found["answer"] = (
            response.status_code,
            response.url,
            response.headers,
            response.content,
            response.request.method,
        )
    return found


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_pickles_with_all_it_holds(name: str, protocol: int) -> None:
    error = made(name)
    assert facts(pickle.loads(pickle.dumps(error, protocol))) == facts(error)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_an_error_copies_with_all_it_holds(name: str, copied: Any) -> None:
    error = made(name)
    assert facts(copied(error)) == facts(error)
    assert copied(error) is not error


def test_a_note_travels_too() -> None:
    error = made("APIError")
    error.__dict__["__notes__"] = ["in worker 3"]
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["in worker 3"]


def test_errors_come_back_from_another_process() -> None:
    sent = [made(name) for name in CLASSES]
    echo = (
        "import pickle, sys; e = pickle.load(sys.stdin.buffer); pickle.dump(e, sys.stdout.buffer)"
    )
    result = subprocess.run(
        [sys.executable, "-c", echo], input=pickle.dumps(sent), stdout=subprocess.PIPE, check=True
    )
    assert list(map(facts, pickle.loads(result.stdout))) == list(map(facts, sent))


def test_a_class_of_a_callers_own_travels_too() -> None:
    error = OwnError("x", response=answer(), extra=1)
    assert facts(pickle.loads(pickle.dumps(error))) == facts(error)


class OwnError(errors.APIStatusError):
    def __init__(self, message: str, *, response: requests.Response, extra: int) -> None:
        super().__init__(message, response=response)
        self.extra = extra
