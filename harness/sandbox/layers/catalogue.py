"""Which layers each sandbox has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.sandbox.launch import LANDLOCK
from harness.sandbox.layers.calls import CALL_TESTS
from harness.sandbox.layers.facts import FACT_TESTS, NAMESPACE_TESTS
from harness.sandbox.layers.surrender import LANDLOCK_TESTS
from harness.sandbox.layers.watches import WATCH_TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.sandbox.layers.escape_tests import Outcome, TestSite

LAYER_TESTS = {**FACT_TESTS, **NAMESPACE_TESTS, **LANDLOCK_TESTS, **CALL_TESTS, **WATCH_TESTS}
"""All of them, by name."""


def layer_tests(sandbox: str | None) -> dict[str, Callable[[TestSite], Outcome]]:
    """Return the tests of a sandbox's layers; without one, those of bubblewrap's."""
    others = NAMESPACE_TESTS if sandbox == LANDLOCK else LANDLOCK_TESTS
    return {name: test for name, test in LAYER_TESTS.items() if name not in others}
