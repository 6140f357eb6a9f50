"""What the documentation says is so: its code runs, its output, links, tables and commands hold.

The blocks of a page run in order and share their names. A base URL such as
http://localhost:11434/v1 is the test's own server. An `http` block that is an
answer is what that server sends from then on (of several in a row each in its
turn); one that is a request must be what the server has just been asked. A
`text` block is what the `python` block before it prints.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import itertools
import json
import re
import runpy
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import rawllm
from rawllm import cli, errors, testing

from .servers import (
    CHAT,
    EVENTS,
    STREAM_HEAD,
    End,
    Script,
    Seen,
    Server,
    Step,
    answer,
    chunk,
    event,
    piece,
    serve,
    stream,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

#: What each page's server plays, an answer a request, over and over. Pages
#: that are not here say it themselves, in `http` blocks.
PLAYS: dict[str, list[bytes]] = {
    "README.md": [answer(CHAT), stream(*EVENTS), answer(CHAT)],
    "docs/howto/asyncio.md": [answer(CHAT), stream(*EVENTS)],
    "docs/howto/many-threads.md": [answer(CHAT)],
}

wire = runpy.run_path(str(DOCS / "examples/play.py"))["wire"]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# --- reading a page ---------------------------------------------------------


class Block(NamedTuple):
    """A fenced block. `line` is where its first line stands in the page."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    source = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", source, re.MULTILINE | re.DOTALL)
    return [Block(m[1], m[2], source.count("\n", 0, m.start(2)) + 1) for m in found]


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def rows(page: Path) -> list[list[str]]:
    """The cells of all tables, without their heads."""
    lines = [line for line in prose(page).splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = [place for place, row in enumerate(table) if set("".join(row)) <= set("-: ")]
    heads = {*rules, *(place - 1 for place in rules)}
    return [row for place, row in enumerate(table) if place not in heads]


def links(text: str) -> list[str]:
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)


def anchors(page: Path) -> set[str]:
    headings: list[str] = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


# --- running a page ---------------------------------------------------------


class Stage(list[Step]):
    """The script of a server that can be changed while it runs."""

    def play(self, answers: list[bytes]) -> None:
        self._answers = itertools.cycle(map(script, answers))

    def __iter__(self) -> Iterator[Step]:
        return iter(next(self._answers))


def script(sent: bytes) -> Script:
    """An answer, after which the server closes unless the answer says itself where it ends."""
    head, _, body = sent.partition(b"\r\n\r\n")
    ends_itself = b"content-length" in head.lower() or body.endswith(b"\r\n0\r\n\r\n")
    return [sent] if ends_itself else [sent, End.FIN]


BASE_URL = re.compile(r"http://localhost:\d+(?=/v1)")


class Reader:
    """One who does what a page says, from its top to its end."""

    def __init__(self, page: Path, server: Server, stage: Stage, capsys: Any) -> None:
        self.page = page
        self.server = server
        self.stage = stage
        self.capsys = capsys
        self.names: dict[str, Any] = {"__name__": "page"}
        self.answers: list[bytes] = []
        self.printed = ""

    def read(self, block: Block) -> None:
        text = BASE_URL.sub(f"http://localhost:{self.server.port}", block.text)
        place = f"{name_of(self.page)}:{block.line}"
        if block.language == "python":
            self.run("\n" * (block.line - 1) + text)  # so that tracebacks name the line
        elif block.language == "text":
            assert self.printed.rstrip() == text.rstrip(), place
        elif block.language == "http" and text.startswith("HTTP/"):
            self.answers.append(wire(text))
            self.stage.play(self.answers)
        elif block.language == "http":
            assert shown_of(self.server.requests[-1], text) == text.rstrip("\n"), place

    def run(self, source: str) -> None:
        exec(compile(source, str(self.page), "exec"), self.names)
        self.printed = self.capsys.readouterr().out
        self.answers = []


def shown_of(seen: Seen, like: str) -> str:
    """A request as a page would show it, with the headers that are named in `like`."""
    names = re.findall(r"^([\w-]+): ", like.partition("\n\n")[0], re.MULTILINE)
    fields = [f"{name}: {seen.headers.get(name.lower())}" for name in names]
    lines = [f"{seen.method} {seen.path} HTTP/1.1", *fields, "", seen.body.decode()]
    return "\n".join(lines).rstrip("\n")


@pytest.fixture(autouse=True)
def a_directory_without_a_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "no netrc"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(b.language == "python" for b in blocks(page))],
    ids=name_of,
)
def test_the_code_of_a_page_runs_and_prints_what_is_shown(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage()
    stage.play(PLAYS.get(name_of(page), []))
    with serve(stage) as server:
        reader = Reader(page, server, stage, capsys)
        for block in blocks(page):
            reader.read(block)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_fence_is_closed_and_of_a_language_that_is_checked(page: Path) -> None:
    fences = re.findall(r"^ *```.*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page))
    assert {block.language for block in blocks(page)} <= {"", "python", "text", "http", "console"}


def test_the_table_of_what_servers_play_names_pages() -> None:
    assert PLAYS.keys() <= set(map(name_of, PAGES))


def test_a_cancelled_task_of_the_page_on_asyncio_closes_its_connection() -> None:
    _, recipe = (b for b in blocks(DOCS / "howto/asyncio.md") if b.language == "python")
    hold: Script = [STREAM_HEAD, chunk(event(piece("Hello"))), End.HOLD]
    with serve(hold) as server, rawllm.Client(server.url) as client:

        async def main() -> None:
            loop, waits, calls = asyncio.get_running_loop(), asyncio.Event(), itertools.count(1)

            def next_(*arguments: Any) -> Any:
                if next(calls) == 2:  # the first chunk has come, no other will
                    loop.call_soon_threadsafe(waits.set)
                return next(*arguments)

            names: dict[str, Any] = {"asyncio": asyncio, "client": client, "next": next_}
            exec(recipe.text.partition("async def main")[0], names)

            async def read() -> None:
                async for _ in names["chunks"](model="llama3", messages="Say hello."):
                    pass

            task = asyncio.create_task(read())
            await waits.wait()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert server.left.wait(10)


# --- commands ---------------------------------------------------------------

COMMANDS = [
    command.removeprefix("$ ")
    for page in PAGES
    for block in blocks(page)
    if block.language == "console"
    for line in block.text.replace("\\\n", " ").splitlines()
    for command in line.split(" && ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_works(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *arguments = shlex.split(command)
    program = program.removeprefix(".venv/bin/")
    if program == "rawllm":
        with testing.serve() as url:
            monkeypatch.setenv("OPENAI_BASE_URL", url)
            monkeypatch.setattr("sys.stdin", io.StringIO())
            check_rawllm(arguments)
    else:
        CHECKS[program](arguments)


def check_rawllm(arguments: list[str]) -> None:
    """Run, with the reference server as the one that is found; `serve` would not end."""
    if arguments[0] == "serve":
        cli.make_parser().parse_args(arguments)
    else:
        assert cli.main(arguments) == 0


def check_venv(arguments: list[str]) -> None:
    assert arguments == ["-m", "venv", ".venv"]


def check_pip(arguments: list[str]) -> None:
    """`pip install .` or `'.[extra]'`."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    install, target = arguments
    named = re.fullmatch(r"\.(?:\[([\w,]+)\])?", target)
    assert install == "install"
    assert named is not None
    assert not named[1] or set(named[1].split(",")) <= extras.keys()


def check_pytest(arguments: list[str]) -> None:
    assert all((ROOT / argument).exists() for argument in arguments)


def check_python(arguments: list[str]) -> None:
    assert (ROOT / arguments[0]).is_file()


def check_curl(arguments: list[str]) -> None:
    """It asks for a path of the protocol, with JSON as its body."""
    assert any(re.fullmatch(r"http://localhost:\d+/v1/\w[\w/]+", one) for one in arguments)
    if "-d" in arguments:
        json.loads(arguments[arguments.index("-d") + 1])
        assert "Content-Type: application/json" in arguments


CHECKS = {
    "pip": check_pip,
    "pytest": check_pytest,
    "curl": check_curl,
    "python": check_python,
    "python3": check_venv,
}


# --- links and tables -------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in links(prose(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_leads_to_every_page() -> None:
    index = DOCS / "index.md"
    linked = {(DOCS / link).resolve() for link in links(prose(index))}
    assert {page for page in PAGES if page not in (index, ROOT / "README.md")} <= linked


def test_the_newcomers_map_names_every_file_of_the_package() -> None:
    linked = {(DOCS / link).resolve() for link in links(prose(DOCS / "design.md"))}
    files = {path for path in (ROOT / "rawllm").rglob("*.py") if path.name != "__init__.py"}
    assert files <= linked


def test_the_newcomers_map_is_in_the_order_of_imports() -> None:
    order = [(DOCS / link).resolve() for row in rows(DOCS / "design.md") for link in links(row[1])]
    for place, path in enumerate(order):
        assert imports(path) <= set(order[:place]), path.name


def imports(path: Path) -> set[Path]:
    """The package's files that `path` imports when it runs; `__init__.py` is none of them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    ignored = {id(inner) for node in for_types for inner in ast.walk(node)}
    modules = [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and id(node) not in ignored
        for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    ]
    files = (ROOT / f"{module.replace('.', '/')}.py" for module in modules if module)
    return {file for file in files if file.is_file()}


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (DOCS / "changelog.md").read_text(), re.MULTILINE)
    assert versions[0] == rawllm.__version__


# --- the tree of exceptions -------------------------------------------------


def tree_of_classes() -> dict[str, str]:
    """Each exception's name and its parent's."""
    classes = [one for one in vars(errors).values() if inspect.isclass(one)]
    return {
        one.__name__: one.__base__.__name__
        for one in classes
        if one.__base__ is not None and issubclass(one, errors.OpenAIError)
    }


def tree_of_text(text: str) -> dict[str, str]:
    """The same, from lines such as `    ├── APIError    what it is`, four columns a level."""
    path = ["Exception"]
    parents = {}
    for line in text.splitlines():
        if found := re.match(r"[│├└─ ]*(?=\w)", line):
            depth = len(found[0]) // 4
            name = line[len(found[0]) :].split()[0]
            parents[name] = path[depth]
            path[depth + 1 :] = [name]
    return parents


def docstrings_tree() -> str:
    lines = inspect.getdoc(errors) or ""
    tree = re.search(r"^    OpenAIError.*?(?=\n\n)", lines, re.MULTILINE | re.DOTALL)
    assert tree is not None
    return inspect.cleandoc(tree[0])


def test_the_tree_in_the_errors_docstring_is_that_of_the_classes() -> None:
    assert tree_of_text(docstrings_tree()) == tree_of_classes()


def test_the_page_of_errors_shows_the_docstrings_tree() -> None:
    shown = [block.text for block in blocks(DOCS / "reference/errors.md") if not block.language]
    assert [text.rstrip() for text in shown] == [docstrings_tree()]


def test_the_page_of_errors_has_a_row_for_each_class_in_the_trees_order() -> None:
    named = [row[0].strip("`") for row in rows(DOCS / "reference/errors.md")]
    assert named == list(tree_of_text(docstrings_tree()))


# --- quirks -----------------------------------------------------------------

QUIRKS = DOCS / "protocol/quirks.md"


def tags() -> Counter[tuple[str, str]]:
    """How many `quirk(servers): ...` each file has, by (servers, file)."""
    return Counter(
        (servers, path.relative_to(ROOT).as_posix())
        for path in (ROOT / "rawllm").rglob("*.py")
        for servers in re.findall(r"quirk\(([\w, -]+)\):", path.read_text(encoding="utf-8"))
    )


def test_each_quirk_in_the_code_has_a_row_and_each_row_a_quirk() -> None:
    listed: Counter[tuple[str, str]] = Counter()
    for servers, where, _, _ in rows(QUIRKS):
        (link,) = links(where)
        target = (QUIRKS.parent / link).resolve().relative_to(ROOT)
        listed[servers, target.as_posix()] += 1
    assert listed == tags()


def test_each_quirk_is_exercised_by_a_file_of_tests() -> None:
    named = {row[3].strip("`") for row in rows(QUIRKS)}
    assert {name for name in named if not (ROOT / "tests" / name).is_file()} == set()
