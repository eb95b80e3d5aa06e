"""What a CodaBench scoring program writes for one submission.

Format: docs.codabench.org, Competition Bundle Structure and Detailed Results. Everybody sees the
scores, so they hold no points; a participant sees the details, which hold what the rubric shows.
"""

from __future__ import annotations

import json
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from harness.output.explain import story
from harness.output.exports.course import Rendered
from harness.output.exports.feedback import lone_page
from harness.output.exports.scores import scores
from harness.output.html.assets import missing_packages
from harness.records.text import one_line

if TYPE_CHECKING:
    from harness.output.exports.course import Course
    from harness.records.record import Record

SCORES, DETAILS = "scores.json", "detailed_results.html"
_TEXT_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>pre {{ overflow-x: auto; }}</style>
</head>
<body>
<h1>{title}</h1>
{notes}
<pre>
{story}</pre>
</body>
</html>
"""
"""Where the packages for pages are missing."""


def render(course: Course) -> Rendered:
    """``scores.json`` and ``detailed_results.html``: the submission's page by itself."""
    view = course.view(course.only())
    figures = json.dumps(scores(view), indent=2, allow_nan=False) + "\n"
    return Rendered(files={SCORES: figures, DETAILS: _details(course, view)})


def _details(course: Course, view: Record) -> str:
    if missing_packages():
        return _text_page(course, view)
    return lone_page(course, replace(view, notes=(*view.notes, *course.options.notes)))


def _text_page(course: Course, view: Record) -> str:
    notes = "\n".join(f"<p>{escape(one_line(note))}</p>" for note in course.options.notes)
    return _TEXT_PAGE.format(
        title=escape(f"Submission graded on {one_line(view.dataset.name)}"),
        notes=notes,
        story=escape(story(view)),
    )
