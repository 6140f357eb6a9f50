"""All faults, each as often as there is any point in, and the page that tells of it.

`python -m tests.faults` takes about an hour; what pytest takes may follow, such as
`tests/faults/test_hostile.py` for one chapter alone.
"""

import sys
from pathlib import Path

import pytest

chosen = sys.argv[1:]
where = [] if any(not word.startswith("-") for word in chosen) else [str(Path(__file__).parent)]
sys.exit(pytest.main(["--thorough", "--write-page", "-q", *where, *chosen]))
