"""Grading and benchmark harness for backdoor defences.

``check``, ``grade`` and ``load_results`` are documented in docs/python.md. What is in ``__all__``
is versioned semantically; everything else may change at any time.
"""

import os
import sys

# `python -m` looks for modules in the working directory first, which may be a stranger's folder:
# it is looked at last where it is the harness's own, and else not at all. Nothing that could lie
# there is imported before: `os` and `sys` are there when Python starts.
if sys.argv[:1] == ["-m"] and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109
    _folder = sys.path.pop(0)
    if _folder == os.path.dirname(os.path.dirname(os.path.abspath(__file__))):  # noqa: PTH100, PTH120
        sys.path.append(_folder)

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api.calls import check, grade, load_results
    from harness.api.competition import CompetitionResults, CompetitionSubmission
    from harness.api.results import CheckResult, GradedSubmission, Results
    from harness.records.environment import __version__
    from harness.records.errors import HarnessError

__all__ = [
    "CheckResult",
    "CompetitionResults",
    "CompetitionSubmission",
    "GradedSubmission",
    "HarnessError",
    "Results",
    "__version__",
    "check",
    "grade",
    "load_results",
]

_MODULES = {
    "CheckResult": "harness.api.results",
    "CompetitionResults": "harness.api.competition",
    "CompetitionSubmission": "harness.api.competition",
    "GradedSubmission": "harness.api.results",
    "HarnessError": "harness.records.errors",
    "Results": "harness.api.results",
    "__version__": "harness.records.environment",
    "check": "harness.api.calls",
    "grade": "harness.api.calls",
    "load_results": "harness.api.calls",
}
"""Where each name comes from once it is asked for, so that importing this package is quick."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> "list[str]":  # any Python comes as far as this file
    return sorted({*globals(), *_MODULES})
