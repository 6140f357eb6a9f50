"""The page on testing an application: its tests pass, and its scenarios are some."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from rawllm.testing.scenarios import found
from tests.test_docs import DOCS, ROOT, blocks, rows

PAGE = DOCS / "howto/test-your-app.md"


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    sources = [block.text for block in blocks(PAGE) if block.language == "python"]
    (conftest,) = (source for source in sources if source.startswith("pytest_plugins"))
    (tmp_path / "conftest.py").write_text(conftest)
    tests = "\n\n".join(source for source in sources if source != conftest)
    (tmp_path / "test_page.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [*command, "."],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    functions = len(re.findall(r"^ *def test_", tests, re.MULTILINE))
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= functions > 0
    assert done.stderr == ""


def test_the_scenarios_of_the_page_are_some() -> None:
    names = [name for row in rows(PAGE) for name in re.findall(r"`([^`]+)`", row[1])]
    unknown = {name for name in names if found(name) is None}
    assert unknown == {"max_tokens"}
    assert len(names) > 15
