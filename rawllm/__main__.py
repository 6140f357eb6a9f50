"""`python -m rawllm`: the command line, also where the script `rawllm` is not on the path."""

import sys

from rawllm.cli import main

if __name__ == "__main__":
    sys.exit(main())
