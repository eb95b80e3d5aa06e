"""Starts a child, tells its processes and waits to be killed.

Run as ``python -m harness.sandbox.layers.orphan FOLDER SANDBOX``.
"""

import sys
import time
from pathlib import Path

from harness.sandbox import process_tree
from harness.sandbox.layers.escape_tests import TestSite


def main(folder: str, sandbox: str) -> None:
    """Start a child that ignores what it can, and wait."""
    site = TestSite(folder=Path(folder), sandbox=None if sandbox == "none" else sandbox)
    with site.start("never_end") as child:
        if child.pid is not None:
            print(*process_tree.members(child.pid), flush=True)
        time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
