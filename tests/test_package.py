"""The house's own rules: layers, exports, the core's independence, quirks with a test each."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rawllm
from rawllm import errors

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "rawllm"

#: The layers, lowest first. A module may import from lower layers and from
#: those named before it in its own.
LAYERS: list[list[str]] = [
    ["objects", "errors", "lazy"],
    [
        "sse",
        "ndjson",
        "heads",
        "chunks",
        "payloads",
        "answers",
        "deltas",
        "fold",
        "envelopes",
        "hints",
        "retries",
        "urls",
        "keys",
        "echoes",
        "failures",
        "checks",
        "settings",
    ],
    [
        "deadlines",
        "troubles",
        "connections",
        "pools",
        "bodies",
        "replies",
        "adapters",
        "sessions",
        "transport",
    ],
    [
        "streams",
        "raw",
        "resources.chat",
        "resources.completions",
        "resources.embeddings",
        "resources.models",
        "resources.paths",
        "client",
    ],
]
#: The other side, which uses nothing of the client but what layers 0 and 1 know of the protocol.
TESTING = [
    "testing.tokens",
    "testing.vectors",
    "testing.patterns",
    "testing.formats",
    "testing.schemas",
    "testing.ways",
    "testing.instances",
    "testing.scripts",
    "testing.reading",
    "testing.histories",
    "testing.parameters",
    "testing.turns",
    "testing.calls",
    "testing.chances",
    "testing.usages",
    "testing.dialects",
    "testing.completions",
    "testing.faults",
    "testing.rows",
    "testing.scenarios",
    "testing.bodies",
    "testing.endpoints",
    "testing.server",
    "testing.replay",
    "testing",
    "testing.fixtures",
]
#: The shell, which uses everything.
CLI = [
    "cli.exits",
    "cli.terminal",
    "cli.options",
    "cli.discovery",
    "cli.connection",
    "cli.curl",
    "cli.ask",
    "cli.models",
    "cli.screen",
    "cli.exchanges",
    "cli.lessons",
    "cli.serve",
    "cli.demo",
    "cli",
    "__main__",
]
CORE = [name for layer in LAYERS for name in layer]
ORDER = CORE + TESTING + CLI
CORE_LIMIT = 6550  # lines, docstrings and all
PACKAGES = ("testing", "cli")  # whose __init__ is a chapter of its own


def modules() -> list[tuple[str, Path]]:
    named = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    inits = {f"{name}.__init__": name for name in PACKAGES}
    return [
        (inits.get(name, name), path)
        for name, path in named.items()
        if name in inits or not name.endswith("__init__")
    ]


def imports(path: Path) -> Iterator[str]:
    """What a module imports when the program runs, `if TYPE_CHECKING:` left out."""
    tree = ast.parse(path.read_text())
    guarded = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in set(ast.walk(tree)) - guarded:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and _is_package(node.module):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (n if _exists(n) else str(node.module) for n in names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def _is_package(module: str | None) -> bool:
    return module in ("rawllm", *(f"rawllm.{name}" for name in PACKAGES))


def _exists(name: str) -> bool:
    return name.removeprefix("rawllm.") in ORDER or name.count(".") == 1


def test_every_module_has_its_layer() -> None:
    assert sorted(name for name, _ in modules()) == sorted(ORDER)


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_imports_run_one_way(name: str, path: Path) -> None:
    for imported in imports(path):
        module = imported.removeprefix("rawllm.")
        if imported.startswith("rawllm.") and module != "__version__":
            assert module in ORDER, f"{name} imports {imported}, which has no layer"
            assert ORDER.index(module) < ORDER.index(name), f"{name} imports {imported}"


@pytest.mark.parametrize("name", TESTING)
def test_the_reference_server_uses_nothing_of_the_client(name: str) -> None:
    pure = {f"rawllm.{module}" for module in (*LAYERS[0], *LAYERS[1])}
    own = {f"rawllm.{module}" for module in TESTING}
    used = {i for i in imports(dict(modules())[name]) if i.split(".")[0] == "rawllm"}
    assert used <= pure | own


@pytest.mark.parametrize("name", TESTING)
def test_the_reference_server_is_of_the_standard_library(name: str) -> None:
    used = {i.split(".")[0] for i in imports(dict(modules())[name])}
    outside = {"pytest"} if name == "testing.fixtures" else set()
    assert used <= {"rawllm", *sys.stdlib_module_names} | outside


def test_serving_loads_no_requests() -> None:
    code = (
        "import sys, urllib.request, rawllm.testing as testing\n"
        "with testing.serve() as url:\n"
        "    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f'{url}/models')\n"
        "print('requests' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


@pytest.mark.parametrize(
    ("library", "only"),
    [("requests", {"adapters", "sessions"}), ("urllib3", {"connections", "pools", "troubles"})],
)
def test_each_library_is_imported_in_its_own_place(library: str, only: set[str]) -> None:
    users = {
        name
        for name, path in modules()
        if any(i == library or i.startswith(f"{library}.") for i in imports(path))
    }
    assert users & {*CORE, *TESTING} == only


def test_layers_without_sockets_import_none() -> None:
    below = ORDER[: ORDER.index("deadlines")]
    for name, path in modules():
        if name in below:
            assert not {"socket", "threading", "http.client", "ssl", "os"} & set(imports(path)), (
                name
            )


def test_the_core_stays_small() -> None:
    lines = {name: len(path.read_text().splitlines()) for name, path in modules()}
    assert sum(lines[name] for name in CORE) < CORE_LIMIT
    assert max(lines.values()) <= 330, lines


def test_all_is_what_there_is() -> None:
    assert len(rawllm.__all__) == len(set(rawllm.__all__))
    for name in set(rawllm.__all__) - {"__version__"}:
        homes = [vars(importlib.import_module(f"rawllm.{file}")) for file in rawllm._FILES]
        assert {id(home[name]) for home in homes if name in home} == {id(getattr(rawllm, name))}
    assert set(rawllm.__all__) <= set(dir(rawllm))


def test_a_file_is_an_attribute_of_the_package_and_a_misspelled_name_is_none() -> None:
    assert rawllm.errors is errors
    with pytest.raises(AttributeError, match=r"module 'rawllm' has no attribute 'Cliemt'"):
        _ = rawllm.Cliemt  # type: ignore[attr-defined]


def test_importing_the_package_loads_none_of_its_files() -> None:
    code = "import sys, rawllm; print([name for name in sys.modules if name.startswith('rawllm.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_every_error_is_exported() -> None:
    classes = {
        n for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, Exception)
    }
    assert classes <= set(rawllm.__all__)


def test_every_exported_error_is_raised_by_a_test_of_the_library() -> None:
    """By name, in `pytest.raises` or an `except`, where the library was made to raise it."""
    # The two statuses without a test of their own are rows of `test_envelopes`.
    told = "\n".join(
        p.read_text() for p in (ROOT / "tests").glob("test_*.py") if p.name != "test_errors.py"
    )
    raised = set(re.findall(r"(?:raises\(|except |STATUSES.*?|: )rawllm\.(\w+Error)", told))
    classes = {
        n for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, Exception)
    }
    bases = {"OpenAIError", "ConflictError", "UnprocessableEntityError"}
    assert classes - raised <= bases


@pytest.mark.parametrize("name", [name for name, _ in modules()])
def test_every_public_name_has_a_docstring(name: str) -> None:
    module = importlib.import_module(f"rawllm.{name}")
    assert module.__doc__
    for key, value in vars(module).items():
        mine = getattr(value, "__module__", None) == module.__name__
        if (
            mine
            and not key.startswith("_")
            and (inspect.isclass(value) or inspect.isfunction(value))
        ):
            assert value.__doc__, f"{name}.{key}"


QUIRK = re.compile(r"quirk\(([^)]*)\)")


def quirks() -> list[tuple[str, str]]:
    """(server, file) of each tag."""
    return sorted(
        {
            (server.strip(), name)
            for name, path in modules()
            for tag in QUIRK.findall(path.read_text())
            for server in tag.split(",")
        }
    )


def test_there_are_quirks() -> None:
    assert len(quirks()) > 15


DOCTESTED = [name for name, path in modules() if ">>> " in path.read_text()]


@pytest.mark.parametrize("name", DOCTESTED)
def test_doctests(name: str) -> None:
    module = importlib.import_module(f"rawllm.{name}")
    names = {"Client": rawllm.Client}
    failed, attempted = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert attempted
    assert not failed
