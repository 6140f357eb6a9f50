"""docs/demo.svg is what docs/picture.py draws of what `rawllm demo` shows."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.processes import ROOT, environment

SCRIPT = ROOT / "docs" / "picture.py"
PICTURE = ROOT / "docs" / "demo.svg"
SVG = "{http://www.w3.org/2000/svg}"

excerpt = runpy.run_path(str(SCRIPT))["excerpt"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    picture = tmp_path_factory.mktemp("picture") / "demo.svg"
    command = [sys.executable, str(SCRIPT), str(picture)]
    subprocess.run(command, env=environment(NO_COLOR="1"), check=True)
    return picture


def masked(picture: Path) -> str:
    """The picture without what differs from run to run, and how much room that takes."""
    text = picture.read_text(encoding="utf-8")
    text = re.sub(r'textLength="\S+"(.*>)http://127\.0\.0\.1:\d+', r"\1http://127.0.0.1:N", text)
    # A time is the beginning of its run.
    return re.sub(r'x="\S+" textLength="\S+" (class="dim">)\d+(?=[^<]*&lt;)', r"\1N", text)


def test_the_picture_is_what_the_demo_shows(drawn: Path) -> None:
    assert masked(PICTURE) == masked(drawn)


def test_the_picture_is_of_a_stream_and_of_one_that_was_cut() -> None:
    texts = ET.parse(PICTURE).getroot().iter(f"{SVG}text")
    rows = ["".join(row.itertext()).replace("\xa0", " ") for row in texts]
    assert rows[0] == "$ rawllm demo"
    assert '<=> "Hi"' in rows
    assert "=> IncompleteStreamError: POST" in rows
    assert 40 <= len(rows) <= 50


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    assert re.findall(r"\w+://[^\s\"<]+", text) == [
        "http://www.w3.org/2000/svg",
        *re.findall(r"http://127\.0\.0\.1:\d+/v1/chat/completions:", text),
    ]
    tags = {element.tag for element in ET.fromstring(text).iter()}
    assert tags == {
        SVG + tag for tag in ("svg", "title", "style", "rect", "circle", "text", "tspan")
    }


def test_a_demo_without_the_parts_that_are_drawn_is_an_error() -> None:
    with pytest.raises(SystemExit, match="rawllm demo shows nothing like"):
        list(excerpt(iter(["something else"])))
