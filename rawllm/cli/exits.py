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

from rawllm import envelopes, errors


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

#: How the hints, which speak of Python, read on the command line. The first rows go first.
WORDS = (
    (
        "or use stream=True, which sends something sooner",
        "or leave out --json and --no-stream: a stream sends something sooner",
    ),
    ("raise deadline=, or ask for less with max_tokens=", "ask for less with -o max_tokens=100"),
    ("loading_timeout= says how long to wait for it", "try again in a while"),
    ("give its authority's file as verify=", "name its authority's file in REQUESTS_CA_BUNDLE"),
    (", or pass proxies=", ""),
    ("max_response_bytes= says how much is accepted", "so much is not accepted"),
    ("strict_streams=False accepts that", "--no-stream asks for the whole answer at once"),
    ("client.models.list()", "`rawllm models`"),
    ("timeout must", "--timeout must"),
    ("; None: no limit", ""),
    ("timeout=", "--timeout"),
    ("api_key=", "--api-key"),
    ("api_key", "--api-key"),
    ("base_url", "--base-url"),
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
        # Of an answer that never began there is nothing to be incomplete.
        kind = type(error) if error.partial["choices"] else type(cause)
    return next(CODES[parent] for parent in kind.__mro__ if parent in CODES)


def text(error: BaseException) -> str:
    """The text of `error` for stderr, "" for what ends quietly."""
    if isinstance(error, KeyboardInterrupt | ReaderGone):
        return ""
    if not isinstance(error, errors.OpenAIError):
        return _in_words_of_the_shell(str(error))
    # Before the hint stand the server's words, which stay as they are.
    said, *hint = str(error).replace(" (see .partial)", "").rsplit(_HINT, 1)
    return _HINT.join([said, *map(_in_words_of_the_shell, hint)])


def _in_words_of_the_shell(words: str) -> str:
    for python, shell in WORDS:
        words = words.replace(python, shell)
    return words
