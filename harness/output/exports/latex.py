"""The leaderboard as a LaTeX table with the rules of the booktabs package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.exports.course import Rendered
from harness.output.leaderboard.columns import headings, table
from harness.output.leaderboard.notes import notes

if TYPE_CHECKING:
    from harness.output.exports.course import Course

_PACKAGES = (
    r"% \usepackage[T1]{fontenc}, \usepackage{booktabs}; for names in other scripts, LuaLaTeX"
)
_ESCAPES = str.maketrans(
    {
        "`": r"\textasciigrave{}",
        '"': r"\textquotedbl{}",
        "|": r"\textbar{}",
        # Straight after the end of a line these would be read as its options.
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
    }
)
"""What tabulate leaves as it is; none of these characters is in the LaTeX that it writes itself."""


def render(course: Course) -> Rendered:
    """``leaderboard.tex``: a ``tabular`` to be input between ``table`` and ``caption``."""
    from tabulate import tabulate

    board = course.board()
    rendered = tabulate(
        table(board), headings(board), "latex_booktabs", disable_numparse=True, stralign=None
    )
    # A caption is the author's; what letters and marks mean stands above as comments.
    lines = [_PACKAGES, *(f"% {note}" for note in notes(board)), rendered.translate(_ESCAPES)]
    return Rendered(files={"leaderboard.tex": "\n".join(lines) + "\n"})
