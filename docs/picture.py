"""The picture of the README: draws a part of what `rawllm demo` shows in a terminal.

    python docs/picture.py            # writes docs/demo.svg
    python docs/picture.py FILE.svg

The command runs in a pseudo-terminal of 80 columns; its colours become those
of the picture, which needs no font or script from elsewhere.
"""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = 80

#: The parts of the output, in turn: what becomes of each, and what its last line looks like.
PARTS = (
    ("left out", r"=> .*total_tokens"),
    ("left out", r"^$"),
    ("drawn", r"^-- 2\."),
    ("drawn", r"^$"),
    ("left out", r"^$"),
    ("drawn", r"^    show"),
    ("dots", r'=> role "assistant"$'),
    ("drawn", r'=> "Hi"$'),
    ("dots", r'=> "!"$'),
    ("drawn", r"=> .*Hi there!"),
    ("drawn", r"^-- 3\."),
    ("drawn", r"what had come\.$"),
    ("dots", r'=> role "assistant"$'),
    ("drawn", r"=> .*Good.*\}$"),
)

#: An SGR parameter that the command sends, and how a text looks after it.
LOOKS = {
    "": "",
    "1": ' class="title"',
    "2": ' class="dim"',
    "31": ' class="lost"',
    "32": ' class="client"',
    "36": ' class="code"',
}

STYLE = """
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  fill: #c9d1d9 }
.title { fill: #f0f6fc; font-weight: bold }
.dim { fill: #7d8590 }
.lost { fill: #ff7b72 }
.client { fill: #7ee787 }
.code { fill: #79c0ff }
"""

ADVANCE, LINE = 8.4, 19  # of a character and of a line, in pixels
LEFT, TOP, BOTTOM = 20, 62, 16


def printed() -> str:
    """What `rawllm demo` writes to a terminal."""
    names = (name for name in os.environ if not name.startswith("OPENAI_") and name != "NO_COLOR")
    environ = {name: os.environ[name] for name in names} | {"TERM": "xterm-256color"}
    master, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "rawllm", "demo"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=terminal) as process:  # noqa: S603  # ours
        os.close(terminal)
        data = b"".join(iter(lambda: _read(master), b""))
    os.close(master)
    if process.returncode:
        raise SystemExit(f"rawllm demo ended with {process.returncode}")
    return data.decode().replace("\r\n", "\n")


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # how Linux says that the terminal's other side is closed
        return b""


def excerpt(lines: Iterator[str]) -> Iterator[str]:
    """The lines of the picture, with dots where some are missing."""
    yield "$ rawllm demo"
    yield ""
    for becomes, last in PARTS:
        for line in lines:
            if becomes == "drawn":
                yield line
            if re.search(last, plain(line)):
                break
        else:
            raise SystemExit(f"rawllm demo shows nothing like {last!r}")
        if becomes == "dots":
            yield f"{'':11}\x1b[2m...\x1b[0m"


def plain(line: str) -> str:
    """The line without its colours."""
    return re.sub(r"\x1b\[\d*m", "", line)


def drawn(lines: list[str]) -> Iterator[str]:
    """The picture, line by line."""
    width = round(COLUMNS * ADVANCE) + 2 * LEFT
    height = TOP + len(lines) * LINE + BOTTOM
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    yield "<title>A part of what rawllm demo shows</title>"
    yield f"<style>{STYLE}</style>"
    yield (
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9" '
        'fill="#0d1117" stroke="#30363d"/>'
    )
    for place, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        yield f'<circle cx="{LEFT + 4 + 20 * place}" cy="21" r="6" fill="{colour}"/>'
    for number, line in enumerate(lines):
        if runs := "".join(_runs(line)):
            yield f'<text y="{TOP + number * LINE}">{runs}</text>'
    yield "</svg>"


def _runs(line: str) -> Iterator[str]:
    """The runs of one colour. Each has its place, so that the columns hold in any font."""
    column, (first, *coloured) = 0, re.split(r"\x1b\[(\d*)m", line)
    for code, text in zip(["", *coloured[::2]], [first, *coloured[1::2]], strict=True):
        if said := escape(text.strip()).replace(" ", "\u00a0"):
            x = LEFT + (column + len(text) - len(text.lstrip())) * ADVANCE
            look, length = LOOKS["" if code == "0" else code], len(text.strip()) * ADVANCE
            yield f'<tspan x="{x:.1f}" textLength="{length:.1f}"{look}>{said}</tspan>'
        column += len(text)


def main(path: Path) -> None:
    """Run the command, and write the picture to `path`."""
    lines = list(excerpt(iter(printed().splitlines())))
    path.write_text("\n".join([*drawn(lines), ""]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or [ROOT / "docs" / "demo.svg"]))
