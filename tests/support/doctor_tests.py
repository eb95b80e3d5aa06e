"""Runs some of doctor's tests on the ``harness`` that PYTHONPATH names, and prints what they found.

``python doctor_tests.py SANDBOX NAME...``; JSON of the names and whether each passed.
"""

import json
import sys
import tempfile
from pathlib import Path

from harness.records.errors import HarnessError
from harness.sandbox.child import ChildFailure
from harness.sandbox.layers.catalogue import LAYER_TESTS
from harness.sandbox.layers.escape_tests import ESCAPE_TESTS, TestSite

TESTS = {**ESCAPE_TESTS, **LAYER_TESTS}


def outcome(test, sandbox):
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        try:
            found = test(TestSite(folder=Path(folder), sandbox=sandbox))
        except (ChildFailure, HarnessError, OSError) as error:
            return [False, f"did not try: {error}"]
    return [found.passed, found.detail]


if __name__ == "__main__":
    print(json.dumps({name: outcome(TESTS[name], sys.argv[1]) for name in sys.argv[2:]}))
