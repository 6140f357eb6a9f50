r"""Exit codes, and what is said of an error on the command line: two tables.

Pure. What is left out: saying it, and ending, which `main` does.

>>> from rawllm.errors import APITimeoutError
>>> error = APITimeoutError("GET /models: nothing came\nHint: raise timeout=, or ask for less")
>>> code(error)
6
>>> print(text(error))
GET /models: nothing came
Hint: raise --timeout, or ask for less
"""

import re
from collections.abc import Iterable

from rawllm import envelopes, errors
from rawllm.answers import Choice, Message


class ReaderGone(Exception):  # noqa: N818  # no error: `head` has what it wants
    """Nobody reads stdout any more, as after `| head -1`."""


#: What each code says of a run.
MEANINGS = {
    0: "the answer is whole",
    1: "the server answered with an error, or the command failed in another way",
    2: "the command was not understood, or cannot be asked so",
    3: "there is no connection to a server",
    4: "the key was refused, or is missing (401, 403)",
    5: "too many requests, or the account is used up (429)",
    6: "nothing came in time",
    7: "the answer came in part, or is none of the protocol",
    130: "Ctrl-C",
    141: "the reader of stdout has gone, as a shell says of SIGPIPE",
}

#: The code of each exception. One that is not here has that of its nearest parent.
CODES: dict[type[BaseException], int] = {
    errors.OpenAIError: 1,
    OSError: 1,
    ValueError: 2,
    TypeError: 2,
    errors.APIConnectionError: 3,
    errors.AuthenticationError: 4,
    errors.PermissionDeniedError: 4,
    errors.RateLimitError: 5,
    errors.APITimeoutError: 6,
    errors.APIResponseValidationError: 7,
    # Also where a timeout cut the stream after its begin: what had come has been printed.
    errors.StreamError: 7,
    KeyboardInterrupt: 130,
    ReaderGone: 141,
}

#: The exceptions that have a code. Any other is a bug, whose traceback is of use.
KNOWN: tuple[type[BaseException], ...] = tuple(CODES)

_SOONER = "raise timeout=, or use stream=True, which sends something sooner"

#: The same for who asked for a whole answer.
_WHOLE = (
    _SOONER,
    "raise --timeout, or leave out --json and --no-stream: a stream sends something sooner",
)

#: How the hints, which speak of Python, read on the command line. The first rows go first.
#: Their addresses and names stay as they are: each row has a blank, which no address has.
WORDS = (
    (_SOONER, "raise --timeout"),
    (
        "pass api_key= or set OPENAI_API_KEY",
        "pass --api-key; OPENAI_API_KEY is sent where --base-url or OPENAI_BASE_URL names the "
        "server",
    ),
    ("pass api_key=", "pass --api-key"),
    ("check api_key=,", "check --api-key,"),
    ("raise deadline=, or ask for less with max_tokens=", "ask for less with -o max_tokens=100"),
    ("loading_timeout= says how long to wait for it", "try again in a while"),
    ("give its authority's file as verify=", "name its authority's file in REQUESTS_CA_BUNDLE"),
    (
        "the server wants a certificate of yours: give its file as cert=",
        "the server wants a certificate of yours, which `rawllm` cannot give: ask it from Python",
    ),
    (", or pass proxies=", ""),
    ("max_response_bytes= says how much is accepted", "so much is not accepted"),
    ("strict_streams=False accepts that", "--no-stream asks for the whole answer at once"),
    ("client.models.list() shows", "`rawllm models` shows"),
    ("for it in client.models.list()", "for it in `rawllm models`"),
    ("raise timeout=", "raise --timeout"),
    ("raise first_token_timeout=, or shorten", "shorten"),
    ("raise idle_timeout= if the server is slow; if it", "if the server"),
    (" in base_url", " in --base-url"),
    ("there as base_url", "there as --base-url"),
)

#: How the texts about what a person gave begin, and end, in Python and here.
FAULTS = (
    (re.compile(r"^base_url\b"), "--base-url or OPENAI_BASE_URL"),
    (re.compile(r"^api_key\b"), "--api-key or OPENAI_API_KEY"),
    (re.compile(r"^timeout (.*); None: no limit$"), r"--timeout \1"),
)

_HINT = "\nHint: "


def code(error: BaseException) -> int:
    """The exit code for `error`, one of `KNOWN`."""
    kind = type(error)
    if isinstance(error, errors.StreamAPIError):
        # It is what the server would have answered, had it known sooner.
        kind = envelopes.STATUSES.get(error.status_code or 0, errors.APIStatusError)
    cause = error.__cause__
    if isinstance(error, errors.IncompleteStreamError) and isinstance(
        cause, errors.APITimeoutError
    ):
        # Where no text was printed there is nothing to be incomplete.
        kind = type(error) if any(map(_has_text, error.partial["choices"])) else type(cause)
    return next(CODES[parent] for parent in kind.__mro__ if parent in CODES)


def _has_text(choice: Choice) -> bool:
    message = choice.get("message")
    return isinstance(message, Message) and bool(message.text)


def text(error: BaseException, *, whole: bool = False) -> str:
    """The text of `error` for stderr, "" for what ends quietly.

    `whole`: the answer was asked for in one piece, and could be streamed.
    """
    if isinstance(error, KeyboardInterrupt | ReaderGone):
        return ""
    if not isinstance(error, errors.OpenAIError):
        said = str(error)
        for pattern, shell in FAULTS:
            said = pattern.sub(shell, said)
        return said
    # Before the hint stand the server's words, which stay as they are.
    said, *hint = str(error).replace(" (see .partial)", "").rsplit(_HINT, 1)
    rows = (_WHOLE, *WORDS) if whole else WORDS
    return _HINT.join([said, *(_in_words_of_the_shell(words, rows) for words in hint)])


def _in_words_of_the_shell(words: str, rows: Iterable[tuple[str, str]]) -> str:
    for python, shell in rows:
        words = words.replace(python, shell)
    return words
