"""What every attack script does: it waits for a request, tries, and reports in one reply.

The parent's side, `harness.sandbox.escape_tests`, does not rely on the report alone.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REPORT_BYTES = 200
MANAGED = "managed:"
STOPPED = "stopped:"


def attempt(attack: Callable[..., object]) -> None:
    """When asked, try the attack with the script's own arguments and report what it returned.

    An attack ends with an exception when it is stopped.
    """
    requests, replies = map(int, sys.argv[1:3])
    os.read(requests, 1)
    try:
        report = f"{MANAGED} {attack(*sys.argv[4:])}"
    except Exception as error:  # noqa: BLE001 - whatever stopped it is the report
        report = f"{STOPPED} {type(error).__name__}: {error}"
    os.write(replies, report.encode(errors="replace")[:REPORT_BYTES].ljust(REPORT_BYTES))
