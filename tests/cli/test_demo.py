"""`rawllm demo`: all that went over the socket, and what the client made of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from rawllm.cli import demo
from rawllm.cli.lessons import LESSONS, text
from rawllm.testing import Server, Site
from tests.cli.conftest import Run
from tests.cli.processes import environment, started, terminal
from tests.cli.recorder import Recorder, recording
from tests.servers import PATIENCE

TITLE = re.compile(r"-- \d+\. (.*?) -+")

#: A row of the wire: its gutter's time, size and mark, and its text, if that is not a remark.
WIRE = re.compile(r"([ \d]{5}) ([ \da-f]{4}) ([<>|])(?: (?! *=> )(.*)| .*)?")


def sections(shown: str) -> dict[str, str]:
    """What is shown, by title."""
    _, *parts = re.split(rf"^{TITLE.pattern}$", shown, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def remarks(section: str) -> list[str]:
    """What the client made, in rows."""
    return re.findall(r"=> (.*)", section)


# --- back to bytes ----------------------------------------------------------


def lines(shown: str) -> Iterator[tuple[str, str, str]]:
    """Each line of the wire: its mark, its chunk's size, and its text, put together again."""
    mark, size, line = "", "", ""
    for row in shown.splitlines():
        found = WIRE.fullmatch(row)
        if found and found[3] == "|":
            line += found[4]
            continue
        if mark:
            yield mark, size, line
        mark, size, line = (found[3], found[2].strip(), found[4] or "") if found else ("", "", "")
    if mark:
        yield mark, size, line


def messages(shown: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each message: its mark, and its lines with the sizes of their chunks."""
    begin = re.compile(r"[A-Z]+ /\S* HTTP/1.1|HTTP/1.1 \d{3} .*")
    found: tuple[str, list[tuple[str, str]]] | None = None
    for mark, size, line in lines(shown):
        if begin.fullmatch(line):
            if found:
                yield found
            found = (mark, [])
        assert found is not None
        assert found[0] == mark
        found[1].append((size, line))
    if found:
        yield found


def wire(message: list[tuple[str, str]]) -> bytes:
    """The bytes of a message."""
    split = message.index(("", ""))
    head = "".join(f"{line}\r\n" for _, line in message[: split + 1])
    if "Transfer-Encoding: chunked" not in head:
        return (head + "\n".join(line for _, line in message[split + 1 :])).encode()
    chunks: list[tuple[str, list[str]]] = []
    for size, line in message[split + 1 :]:
        if size:
            chunks.append((size, []))
        chunks[-1][1].append(line)
    return (head + "".join(chunk(size, lines) for size, lines in chunks)).encode()


def chunk(size: str, lines: list[str]) -> str:
    data = "\n".join(lines)
    data += "\n" * (int(size, 16) - len(data))  # a last line need not have an end
    return f"{size}\r\n{data}\r\n"


@pytest.fixture(scope="module", params=[60, 80, 120])
def relayed(request: pytest.FixtureRequest) -> tuple[Recorder, str, int]:
    """What passed between the two, and what was shown of it in so many columns."""
    shown: list[str] = []
    width: int = request.param
    tape = demo.Tape(Site(keys={"sk-demo"}, strict=True).answer)
    with Server(tape.answer, seen=tape.exchanges.append) as server, recording(server.url) as relay:
        demo.show(relay.base_url, tape, shown.append, width=width, colours=False)
    return relay, "".join(shown), width


def test_every_byte_that_was_sent_is_shown(relayed: tuple[Recorder, str, int]) -> None:
    relay, shown, _ = relayed
    asked = b"".join(
        wire(message) for mark, message in messages(shown[shown.index("-- 1.") :]) if mark == ">"
    )
    assert asked == relay.asked


def test_every_byte_that_came_back_is_shown(relayed: tuple[Recorder, str, int]) -> None:
    relay, shown, _ = relayed
    came = b"".join(
        wire(message) for mark, message in messages(shown[shown.index("-- 1.") :]) if mark == "<"
    )
    assert came == relay.answered


def test_no_line_is_longer_than_the_screen_or_more_than_ascii(
    relayed: tuple[Recorder, str, int],
) -> None:
    _, shown, width = relayed
    assert max(map(len, shown.splitlines())) <= width
    assert shown.isascii()
    assert "\x1b" not in shown
    assert not re.search(" $", shown, re.MULTILINE)


def test_the_address_that_is_shown_is_the_one_that_was_asked(
    relayed: tuple[Recorder, str, int],
) -> None:
    relay, shown, _ = relayed
    assert f'base_url="{relay.base_url}"' in shown


# --- what it shows ----------------------------------------------------------


@pytest.fixture(scope="module")
def shown() -> str:
    said: list[str] = []
    tape = demo.Tape(Site(keys={"sk-demo"}, strict=True).answer)
    with Server(tape.answer, seen=tape.exchanges.append) as server:
        demo.show(server.url, tape, said.append, width=80, colours=False)
    return "".join(said)


def test_each_lesson_is_shown_with_its_code(shown: str) -> None:
    parts = sections(shown)
    assert list(parts) == list(LESSONS)
    for title, lesson in LESSONS.items():
        assert " ".join(parts[title].split()).startswith(text(lesson).about)
        assert "".join(f"    {line}\n" for line in text(lesson).code.splitlines()) in parts[title]


#: By title, what the client made; of the errors the beginnings.
REMARKS = {
    "A question and its answer": [
        '"Good morning!"',
        '{"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}',
    ],
    "A stream": [
        'role "assistant"',
        '"Hi"',
        '" there"',
        '"!"',
        'finish_reason "stop"',
        "6 tokens",
        '{"role": "assistant", "content": "Hi there!"}',
    ],
    "A stream that was cut": [
        'role "assistant"',
        '"Good"',
        "IncompleteStreamError: ",
        '{"role": "assistant", "content": "Good"}',
    ],
    "A tool": [
        r'{"name": "get_weather", "arguments": "{\"city\": \"Paris\"}"}',
        '"Sunny, 21 C"',
    ],
    "An embedding": ["[0."],
    "Two errors": ["NotFoundError: POST", "AuthenticationError: POST"],
    "A second try": ["asked again 0.", '"Good morning!"'],
}


@pytest.mark.parametrize("title", LESSONS)
def test_what_the_client_made_of_it(shown: str, title: str) -> None:
    said = remarks(sections(shown)[title])
    assert len(said) == len(REMARKS[title])
    for remark, expected in zip(said, REMARKS[title], strict=True):
        assert remark.startswith(expected)


def test_the_events_of_the_stream_come_one_after_the_other(shown: str) -> None:
    times = re.findall(r"^ *(\d+) +[\da-f]+ < data: ", sections(shown)["A stream"], re.MULTILINE)
    assert len(times) == 7
    assert all(int(time) >= 30 * place for place, time in enumerate(times, 1))


def test_the_cut_stream_shows_where_it_was_cut(shown: str) -> None:
    rows = sections(shown)["A stream that was cut"].splitlines()
    place = rows.index("           x the connection was closed here")
    assert rows[place + 1].startswith("           => IncompleteStreamError: ")
    assert "x the connection" not in shown.replace(sections(shown)["A stream that was cut"], "")


def test_the_errors_are_shown_with_their_hints(shown: str) -> None:
    assert sections(shown)["Two errors"].count("              Hint: ") == 2


def test_the_client_asked_again_as_late_as_it_says(shown: str) -> None:
    gap = re.search(r"asked again (.*) s later", shown)
    assert gap is not None
    assert float(gap[1]) >= 0.37  # half a second, less a quarter


def test_it_ends_with_what_to_try_next(shown: str) -> None:
    _, _, end = shown.partition("-- What next ")
    assert re.findall(r"^    (rawllm \w+|rawllm --help)", end, re.MULTILINE) == [
        "rawllm serve",
        "rawllm ask",
        "rawllm --help",
    ]


# --- the command ------------------------------------------------------------


def test_the_command_shows_it_on_stdout_in_80_columns_without_colours(run: Run) -> None:
    code, out, err = run("demo")
    assert (code, err) == (0, "")
    assert list(sections(out)) == list(LESSONS)
    assert max(map(len, out.splitlines())) == 80
    assert "\x1b" not in out


def test_it_is_soon_over(run: Run) -> None:
    seconds = []
    for _ in range(3):  # others use this machine too
        start = time.monotonic()
        run("demo")
        seconds.append(time.monotonic() - start)
        if seconds[-1] < 3:
            break
    assert min(seconds) < 3


def test_a_terminal_has_colours() -> None:
    with terminal("demo") as screen:
        assert screen.end() == 0
        plain = re.sub(r"\x1b\[\d*m", "", screen.seen)
    assert list(sections(plain)) == list(LESSONS)
    assert '\x1b[32m=> "Hi"\x1b[0m' in screen.seen
    assert '"content":\x1b[32m"Hi"\x1b[0m}' in screen.seen


def test_it_works_where_there_is_only_ascii() -> None:
    with started("demo", env=environment(LC_ALL="C", PYTHONUTF8="0")) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, b"")
    assert list(sections(out.decode("ascii"))) == list(LESSONS)


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    with started("demo") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 141
        process.stdout = None
