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
from rawllm.keys import address
from rawllm.raw import RawResponse
from rawllm.streams import ChatStream

#: What is to be said of an answer that ended in another way than by its own end.
_ENDS = {
    "length": "the answer was cut at max_tokens, or where the context was full",
    "content_filter": "the answer was cut by a content filter",
    "stop": "",
    "tool_calls": "",
    "function_call": "",
    "None": "",
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
            raw = client.with_raw_response.chat.completions.create(**request)
            if arguments.json:
                terminal.write(terminal.document(raw.parse()) + "\n")
            else:
                _print(raw)
        except errors.APIError as error:
            terminal.note(exits.text(error))
            if advice := discovery.advice(client, error, request["model"]):
                terminal.note(advice)
            return exits.code(error)
    return 0


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


def _print(raw: RawResponse[Any]) -> None:
    """Print the text as it comes, and say what is odd about it."""
    answer: ChatCompletion | ChatStream = raw.parse()
    if isinstance(answer, ChatStream):
        _print_pieces(answer.text)
        answer = answer.completion
    else:
        _print_pieces(_message(choice).text for choice in answer.choices[:1])
    if not answer.choices:
        raise raw.reply.invalid(b"", "an empty list of choices")
    choice = answer.choices[0]
    _print_pieces([_message(choice).refusal or ""])
    for note in _notes(choice):
        terminal.note(note)


def _print_pieces(pieces: Iterable[str]) -> None:
    """Print the pieces, and end the line even if they break off."""
    last = ""
    try:
        for piece in pieces:
            last = piece or last  # first: Ctrl-C may come right after the piece was written
            terminal.write(piece)
    finally:
        if last and not last.endswith("\n"):
            terminal.write("\n")


def _message(choice: Choice) -> Message:
    message = choice.get("message")
    return message if isinstance(message, Message) else Message()


def _notes(choice: Choice) -> Iterator[str]:
    """What a reader of the text alone would not know."""
    message, reason = _message(choice), str(choice.finish_reason)
    if note := _ENDS.get(reason, f"the answer ended with finish_reason {reason}"):
        yield note
    if message.tool_calls or message.function_call:
        yield "the answer calls tools; --json shows them"
    elif not (message.text or message.refusal):
        yield "the answer has no text; --json shows what it has"
