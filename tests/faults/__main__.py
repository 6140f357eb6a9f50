"""All faults, each as often as there is any point in, and the page that tells of it.

`python -m tests.faults` takes two hours; what pytest takes may follow, such as
`tests/faults/test_hostile.py` for one chapter alone. A chapter of which not all tests
have passed stays on the page as it was, and all do where any test fails.
"""

import sys

import pytest

from tests.faults import ledger

sys.exit(pytest.main(ledger.options(sys.argv[1:])))
