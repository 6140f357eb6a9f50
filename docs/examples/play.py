"""A server that answers with the bytes of a file, to see what a client makes of them.

    python docs/examples/play.py 8080 answer.http

A file holds an answer as `curl --raw -si` shows it; of several files each is sent in its turn.
It prints its address, and then each request.
"""

import itertools
import re
import socket
import sys
from pathlib import Path


def wire(shown):
    """The bytes of an answer, from what curl shows of it.

    A terminal shows CR LF as the end of a line. Here it is restored in the head
    and around each chunk; the lines within a body end as they are shown.
    """
    head, _, body = shown.encode().partition(b"\n\n")
    sent = head.replace(b"\n", b"\r\n") + b"\r\n\r\n"
    if length := re.search(rb"content-length: (\d+)", head, re.IGNORECASE):
        return sent + body[: int(length[1])]
    if not re.search(rb"transfer-encoding: chunked", head, re.IGNORECASE):
        return sent + body  # the end of the connection is its end
    while body:
        size, _, rest = body.partition(b"\n")
        end = int(size, 16)
        sent += size + b"\r\n" + rest[:end] + b"\r\n"
        body = rest[end:].removeprefix(b"\n")
    return sent


def play(port, answers):
    with socket.create_server(("127.0.0.1", port)) as listener:
        print(f"http://localhost:{listener.getsockname()[1]}/v1", flush=True)
        for answer in itertools.cycle(answers):
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as reader:
                lines = list(iter(reader.readline, b"\r\n"))
                length = re.search(rb"content-length: (\d+)", b"".join(lines), re.IGNORECASE)
                body = reader.read(int(length[1])) if length else b""
                print(b"".join([*lines, b"\r\n", body]).decode(), flush=True)
                connection.sendall(answer)


if __name__ == "__main__":
    port, *files = sys.argv[1:]
    play(int(port), [wire(Path(file).read_text(encoding="utf-8")) for file in files])
