"""The leaderboard as GitHub-flavoured Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.competition import boards as competition
from harness.output.exports.course import Rendered
from harness.output.leaderboard import markdown

if TYPE_CHECKING:
    from harness.output.exports.course import Course


def render(course: Course) -> Rendered:
    """``leaderboard.md``."""
    if course.is_competition:
        text = competition.markdown(course.competition_board())
    else:
        text = markdown.render(course.board())
    return Rendered(files={"leaderboard.md": text})
