"""The lessons of `rawllm demo`: what is run in each is what is shown of it.

A lesson is a function of a client and of `show`, which takes what the client
made of an answer. Its docstring and the code below that are printed as they
stand here, so they are written to be read: no line of the code has more than
56 characters. What is left out: the bytes, which are the server's to tell.

>>> text(LESSONS["A second try"]).code
'show(client.chat("retry", "Good morning!"))'
"""

from collections.abc import Callable
from typing import NamedTuple

import rawllm

Show = Callable[[object], None]
Lesson = Callable[[rawllm.Client, Show], None]


class Text(NamedTuple):
    """What is printed of a lesson: a sentence or two, and its code."""

    about: str
    code: str


def text(lesson: Lesson) -> Text:
    """What is printed of `lesson`, read from its source."""
    import inspect  # here and not above: `rawllm --help` needs neither
    import textwrap

    _, about, code = inspect.getsource(lesson).split('"""')
    return Text(" ".join(about.split()), textwrap.dedent(code).strip())


def chat(client: rawllm.Client, show: Show) -> None:
    """The question goes out as JSON in a POST, and the answer comes back as JSON.
    This server has no model: it repeats what it is told.
    """
    answer = client.chat.completions.create(
        model="plain",
        messages=[
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Good morning!"},
        ],
    )
    show(answer.choices[0].message.content)
    show(answer.usage)


def stream(client: rawllm.Client, show: Show) -> None:
    """The answer comes while it is made: each chunk of the body holds an event,
    each event a piece of the answer. A finish_reason says that it is whole.
    """
    answer = client.chat.completions.create(
        model="slow:30",
        messages="Hi there!",
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in answer:
        show(chunk)
    show(answer.completion.choices[0].message)


def cut_stream(client: rawllm.Client, show: Show) -> None:
    """The server dies half-way. That is no short answer but an exception, which
    holds what had come.
    """
    answer = client.chat.completions.create(
        model="cut-fin",
        messages="Good morning!",
        stream=True,
    )
    try:
        for chunk in answer:
            show(chunk)
    except rawllm.IncompleteStreamError as error:
        show(error)
        show(error.partial.choices[0].message)


def tool_call(client: rawllm.Client, show: Show) -> None:
    """The model asks for a call; the program makes it, and sends the result with
    all that was said before, for the server remembers nothing.
    """
    weather = {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
    question = {
        "role": "user",
        "content": "How is the weather in Paris?",
    }
    answer = client.chat.completions.create(
        model="plain",
        messages=[question],
        tools=[{"type": "function", "function": weather}],
    )
    message = answer.choices[0].message
    results = []
    for call in message.tool_calls or []:
        show(call.function)
        result = {"role": "tool", "content": "Sunny, 21 C"}
        results.append({**result, "tool_call_id": call.id})
    said = [question, message, *results]
    show(client.chat("plain", said))


def embedding(client: rawllm.Client, show: Show) -> None:
    """A text becomes a list of numbers. Texts that are like each other have lists
    that are near each other.
    """
    answer = client.embeddings.create(
        model="plain",
        input="a black cat",
        dimensions=3,
    )
    show(answer.data[0].embedding)


def two_errors(client: rawllm.Client, show: Show) -> None:
    """An answer that is an error is an exception, whose class is chosen by the
    status. Its text has the server's words, and a hint what to do.
    """
    try:
        client.chat("llama3", "Good morning!")
    except rawllm.NotFoundError as error:
        show(error)
    stranger = client.with_options(api_key="sk-wrong")
    try:
        stranger.chat("plain", "Good morning!")
    except rawllm.AuthenticationError as error:
        show(error)


def second_try(client: rawllm.Client, show: Show) -> None:
    """What may pass by itself is tried again: after half a second or a little
    less, unless the server says when.
    """
    show(client.chat("retry", "Good morning!"))


#: By title, in the order in which they are shown.
LESSONS: dict[str, Lesson] = {
    "A question and its answer": chat,
    "A stream": stream,
    "A stream that was cut": cut_stream,
    "A tool": tool_call,
    "An embedding": embedding,
    "Two errors": two_errors,
    "A second try": second_try,
}
