"""The leaderboard as a LaTeX table with the rules of the booktabs package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.exports.course import Rendered
from harness.output.leaderboard.columns import headings, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.output.exports.course import Course

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "`": r"\textasciigrave{}",
        '"': r"\textquotedbl{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        # Straight after the end of a line these would be read as its options.
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        **{character: f"\\{character}" for character in "#$%&_{}"},
    }
)


def render(course: Course) -> Rendered:
    """``leaderboard.tex``: a ``tabular`` to be input between ``table`` and ``caption``."""
    board = course.board()
    titles = headings(board)
    lines = [
        r"% \usepackage[T1]{fontenc}, \usepackage{booktabs}; for names in other scripts, LuaLaTeX",
        rf"\begin{{tabular}}{{{'l' * len(titles)}}}",
        r"\toprule",
        _row(titles),
        r"\midrule",
        *map(_row, table(board)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return Rendered(files={"leaderboard.tex": "\n".join(lines) + "\n"})


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cell.translate(_ESCAPES) for cell in cells) + r" \\"
