"""The leaderboard as GitHub-flavoured Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.exports.course import Rendered
from harness.output.leaderboard import markdown

if TYPE_CHECKING:
    from harness.output.exports.course import Course


def render(course: Course) -> Rendered:
    """``leaderboard.md``."""
    return Rendered(files={"leaderboard.md": markdown.render(course.board())})
