r"""A request as a curl command, to paste into a shell.

Pure. The key is named and not shown. What is left out: sending it.

>>> print(command("http://localhost:8000/v1/chat/completions", '{"model":"m"}', streamed=True))
curl -N http://localhost:8000/v1/chat/completions \
  -H 'Content-Type: application/json' \
  -d '{"model":"m"}'
"""

import shlex
from collections.abc import Mapping

#: In double quotes, where a shell puts the variable's value.
_KEY = '"Authorization: Bearer $OPENAI_API_KEY"'


def command(
    url: str,
    body: str,
    *,
    streamed: bool,
    headers: Mapping[str, str] | None = None,
    has_key: bool = False,
) -> str:
    """The command, for a POSIX shell.

    `-N` is for streams: curl then prints what comes as it comes.
    """
    fields = {"Content-Type": "application/json", **(headers or {})}
    lines = [f"curl {'-N ' if streamed else ''}{shlex.quote(url)}"]
    lines += ["-H " + shlex.quote(f"{name}: {value}") for name, value in fields.items()]
    lines += [f"-H {_KEY}"] if has_key else []
    lines += [f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(lines)
