"""What a notebook shows in place of text: a page of ours in a frame of its own.

In the frame the page keeps its style and its policy, and changes nothing of the notebook's.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from harness.output.html import assets
from harness.records.text import one_line

if TYPE_CHECKING:
    from harness.lineage.pruning_curve import Curve
    from harness.records.board import Row
    from harness.records.record import Record
    from harness.records.submission import DryRun

_MOST_PIXELS = 720
_NEXT = "complete; `grade` tells what it is worth"


def show_submission(record: Record, row: Row, curve: Curve | None, audience: str) -> str | None:
    """The summary of a view of a record; None where the packages for pages are missing."""
    if assets.missing_packages():
        return None
    from harness.output.html.submission import Subject, render_summary

    return _frame(
        render_summary(Subject(record, row, curve), audience), record.submission, _MOST_PIXELS
    )


def show_check(found: DryRun) -> str | None:
    """A dry run; None where the packages for pages are missing."""
    if assets.missing_packages():
        return None
    context = {
        "title": f"{found.submission}, before handing in",
        "audience": "student",
        "hidden": (),
        "found": found,
        "steps": found.problems or (_NEXT,),
    }
    height = 300 + 32 * (len(found.models) + len(found.notes) + len(found.problems))
    return _frame(assets.render_page("check.html", context), found.submission, height)


def _frame(page: str, title: str, height: int) -> str:
    # Without permissions nothing in the frame runs, whatever the notebook's own policy is.
    return (
        f'<iframe sandbox="" title="{escape(one_line(title))}" srcdoc="{escape(page)}" '
        f'style="width: 100%; height: {min(height, _MOST_PIXELS)}px; border: 0"></iframe>'
    )
