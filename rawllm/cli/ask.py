"""`rawllm ask`: one question, its answer on stdout as it comes.

stdout has the answer's text alone, or with `--json` one JSON document; all
that is said about the answer goes to stderr. What is left out: a conversation.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from rawllm import errors, payloads, urls
from rawllm.answers import ChatCompletion, Choice, Message
from rawllm.cli import connection, curl, discovery, exits, terminal
from rawllm.client import Client
from rawllm.deltas import is_finish
from rawllm.keys import address
from rawllm.raw import RawResponse
from rawllm.streams import ChatStream

_NO_END = "the answer may be cut: it has no finish_reason"

#: What is to be said of an answer that ended in another way than by its own end.
_ENDS = {
    "length": "the answer was cut at max_tokens, or where the context was full",
    "content_filter": "the answer was cut by a content filter",
    "stop": "",
    "tool_calls": "",
    "function_call": "",
    "None": _NO_END,
    "": _NO_END,
}


def run(arguments: argparse.Namespace) -> int:
    """Ask, and print what comes; the exit code."""
    streamed = not (arguments.json or arguments.no_stream)
    request: dict[str, Any] = {
        "messages": _messages(arguments.system, _prompt(arguments.question, terminal.piped())),
        "stream": streamed or None,
        "extra_body": dict(arguments.option),
    }
    if arguments.curl:
        _refuse_secrets(connection.named(arguments))
    with connection.client(arguments) as client:
        request["model"] = arguments.model or discovery.first_model(client)
        if arguments.curl:
            _show(client, payloads.chat(**request), streamed=streamed)
            return 0
        try:
            if streamed:
                return _print_stream(client.with_raw_response.chat.completions.create(**request))
            return _print_whole(_whole(client, request), as_json=arguments.json)
        except errors.APIError as error:
            terminal.note(exits.text(error, whole=not streamed))
            if advice := discovery.advice(client, error, request["model"]):
                terminal.note(advice)
            return exits.code(error)


# --- the question -----------------------------------------------------------


def _prompt(question: str, piped: str) -> str:
    parts = [part for part in (piped.rstrip("\r\n"), question) if part.strip()]
    if not parts:
        raise ValueError('no question: `rawllm ask "Why?"`, or pipe one in')
    return "\n\n".join(parts)


def _messages(system: str | None, prompt: str) -> list[dict[str, str]]:
    said = [{"role": "system", "content": system}] if system else []
    return [*said, {"role": "user", "content": prompt}]


# --- as curl ----------------------------------------------------------------


def _refuse_secrets(base_url: str) -> None:
    """Raise `ValueError` if curl would need to be told a secret of `base_url`."""
    place = address(base_url)
    if place.login or place.query.public() != place.query:
        raise ValueError("--curl shows no secrets, and the base URL holds one: use --api-key")


def _show(client: Client, body: dict[str, Any], *, streamed: bool) -> None:
    query = urlencode(client.default_query, doseq=True)
    path = f"/chat/completions?{query}" if query else "/chat/completions"
    sent = json.loads(payloads.serialize(body))
    text = curl.command(
        urls.joined(client.base_url, path),
        terminal.document(sent, indent=None),
        streamed=streamed,
        headers={k: v for k, v in client.default_headers.items() if k != "User-Agent"},
        has_key=bool(client.api_key),
    )
    terminal.write(text + "\n")


# --- the answer -------------------------------------------------------------


def _whole(client: Client, request: dict[str, Any]) -> RawResponse[ChatCompletion]:
    """The whole answer, as it came.

    Raises `APIResponseValidationError` if it breaks off: it has come in part.
    """
    raw = client.call(
        "POST",
        "/chat/completions",
        lambda raw: raw.answer(ChatCompletion, "choices"),
        body=payloads.chat(**request),
        options={"extra_headers": {"Accept": "application/json"}},
        streaming=True,  # so that its body is not read before it is known to have begun
    )
    try:
        raw.parse()
    except errors.APITimeoutError:
        raise
    except errors.APIConnectionError as error:
        raise errors.APIResponseValidationError(
            error.message, response=raw.http_response
        ) from error
    return raw


def _print_whole(raw: RawResponse[ChatCompletion], *, as_json: bool) -> int:
    """Print the answer, and say what is odd about it; the exit code."""
    choices = raw.parse().choices
    failed = [choice for choice in choices if choice.get("finish_reason") == "error"]
    unfinished = [choice for choice in choices if not _finished(choice)]
    if as_json:
        terminal.show(terminal.fitting(raw.text.strip()) + "\n")
        for choice in (failed + unfinished)[:1]:
            terminal.note(_end(choice))
    if not choices:
        raise raw.reply.invalid(b"", "an empty list of choices")
    if not as_json:
        _print_pieces([_message(choices[0]).text])
        _print_rest(choices[0], len(choices))
    if failed:
        return 1
    return 7 if unfinished else 0


def _print_stream(raw: RawResponse[ChatStream]) -> int:
    """Print the text as it comes, and say what is odd about the answer; the exit code."""
    stream = raw.parse()
    text = _print_pieces(stream.text)
    choices = stream.completion.choices
    if not choices:
        raise raw.reply.invalid(b"", "an empty list of choices")
    # The text was that of the choice which came first: any may be that.
    printed = next((c for c in choices if _message(c).text == text), choices[0])
    _print_rest(printed, len(choices))
    # The stream has judged its end, but not of a server that ignored `stream`.
    return 0 if any(map(_finished, choices)) else 7


def _print_rest(choice: Choice, count: int) -> None:
    """Print what comes after the text of a choice, one of `count`."""
    _print_pieces([_refusal(choice)])
    for note in _notes(choice):
        terminal.note(note)
    if count > 1:
        terminal.note(f"{count} choices; --json shows them")


def _print_pieces(pieces: Iterable[str]) -> str:
    """Print the pieces, and end the line even if they break off; the text of all."""
    text: list[str] = []
    try:
        for piece in filter(None, pieces):
            text.append(piece)  # first: Ctrl-C may come right after the piece was written
            terminal.show(piece)
    finally:
        if text and not text[-1].endswith("\n"):
            terminal.write("\n")
    return "".join(text)


def _finished(choice: Choice) -> bool:
    return is_finish(choice.get("finish_reason"))


def _end(choice: Choice) -> str:
    reason = str(choice.finish_reason)
    return _ENDS.get(reason, f"the answer ended with finish_reason {reason}")


def _message(choice: Choice) -> Message:
    message = choice.get("message")
    return message if isinstance(message, Message) else Message()


def _refusal(choice: Choice) -> str:
    refusal: object = _message(choice).refusal
    return refusal if isinstance(refusal, str) else ""


def _notes(choice: Choice) -> Iterator[str]:
    """What a reader of the text alone would not know."""
    message = _message(choice)
    if note := _end(choice):
        yield note
    if message.tool_calls or message.function_call:
        yield "the answer calls tools; --json shows them"
    elif not (message.text or _refusal(choice)):
        yield "the answer has no text; --json shows what it has"
