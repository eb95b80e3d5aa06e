"""What every attack script does: it waits for a request, tries, and reports in one reply.

The parent's side, `harness.sandbox.layers.escape_tests`, does not rely on the report alone.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REPORT_BYTES = 200
REQUEST_BYTES = 65_536
"""At the most, so that a request comes in one piece: a pipe holds as much."""

MANAGED = "managed:"
STOPPED = "stopped:"


def attempt(attack: Callable[..., object]) -> None:
    """When asked, try the attack with the script's own arguments and report what it returned.

    An attack ends with an exception when it is stopped.
    """
    _answer(lambda _request: attack(*sys.argv[4:]))


def attempt_on(attack: Callable[[list[str]], object]) -> None:
    """When asked, try the attack on what is asked, texts separated by null characters."""
    _answer(lambda request: attack(request.decode(errors="surrogateescape").split("\0")))


def _answer(attack: Callable[[bytes], object]) -> None:
    """Wait for the request, try, and report."""
    requests, replies = map(int, sys.argv[1:3])
    request = os.read(requests, REQUEST_BYTES)
    try:
        report = f"{MANAGED} {attack(request)}"
    except Exception as error:  # noqa: BLE001 - whatever stopped it is the report
        report = f"{STOPPED} {type(error).__name__}: {error}"
    os.write(replies, report.encode(errors="replace")[:REPORT_BYTES].ljust(REPORT_BYTES))
