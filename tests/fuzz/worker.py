"""One target under atheris, in a process of its own: it never comes back.

`python -m tests.fuzz.worker TARGET LIBFUZZER_OPTION...`
"""

from __future__ import annotations

import sys


def main(name: str, *options: str) -> None:
    import atheris

    # What is to be covered is loaded for the first time here.
    with atheris.instrument_imports(include=["rawllm", "http.client"]):
        import rawllm.transport  # noqa: F401  # a client imports it when it is made
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *options], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
