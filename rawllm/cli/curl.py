r"""A request as a curl command, to paste into a shell.

Pure. The key is named and not shown. What is left out: sending it.

>>> print(command("http://localhost:8000/v1/chat/completions", '{"model":"m"}', streamed=True))
curl -sS -g -N --noproxy '*' http://localhost:8000/v1/chat/completions \
  -H 'Content-Type: application/json' \
  -d '{"model":"m"}'
"""

import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

from rawllm import urls

#: In double quotes, where a shell puts the variable's value.
_KEY = '"Authorization: Bearer $OPENAI_API_KEY"'

#: Bytes of a body that fit into an argument: Linux takes 128 KiB in one.
_MOST = 100_000


def command(
    url: str,
    body: str,
    *,
    streamed: bool,
    headers: Mapping[str, str] | None = None,
    has_key: bool = False,
) -> str:
    """The command, for a POSIX shell.

    `body` is a line of JSON. `-N` is for streams: curl then prints what comes
    as it comes. `-g` takes brackets in the URL as they are, and `--noproxy` is
    for hosts of this machine, for which this client uses no proxy either.
    """
    fields = {"Content-Type": "application/json", **(headers or {})}
    flags = ["-sS", "-g"] + ["-N"] * streamed
    if urls.is_loopback(urlsplit(url).hostname or ""):
        flags += ["--noproxy '*'"]
    lines = [" ".join(["curl", *flags, shlex.quote(url)])]
    lines += ["-H " + shlex.quote(f"{name}: {value}") for name, value in fields.items()]
    lines += [f"-H {_KEY}"] if has_key else []
    if len(body.encode()) > _MOST:
        lines += [f"--data-binary @- <<'JSON'\n{body}\nJSON"]
    else:
        lines += [f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(lines)
