"""The leaderboard as a LaTeX table with the rules of the booktabs package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.competition import boards as competition
from harness.output.exports.course import Rendered
from harness.output.leaderboard.columns import headings, table
from harness.output.leaderboard.notes import notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.output.exports.course import Course
    from harness.ranking.competition import CompetitionBoard

PACKAGES = (
    r"% \usepackage[T1]{fontenc}, \usepackage{array,booktabs,longtable}; "
    "for names in other scripts, LuaLaTeX"
)
_WRAPPED = r">{{\raggedright\arraybackslash}}p{{{}\linewidth}}"
_COLUMNS = {
    "rank": ("", "r"),
    "submission": ("submission", _WRAPPED.format("0.15")),
    "attempt": ("attempt", _WRAPPED.format("0.08")),
    "points": ("points", "r"),
    "passed": ("passed", "r"),
    "X": ("X", "r"),
    "channels": ("ch.", "r"),
    "B' valid acc": ("B' acc.", "r"),
    "G test acc": ("G acc.", "r"),
    "G test ASR": ("G ASR", "r"),
    "verdict": ("verdict", _WRAPPED.format("0.22")),
}
"""What fits the width of a page: a short heading and the kind of each column; CSV has all."""

_LINES_OF_PAGE = 40
"""A table with more lines is broken over pages."""

LAYOUT = (r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}",)
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
    """``leaderboard.tex``: a ``tabular`` to be input between ``table`` and ``caption``.

    One that is longer than a page is a ``longtable`` instead, which stands by itself.
    """
    if course.is_competition:
        ranked = course.competition_board()
        told, rendered = competition.NOTES, _of_competition(ranked)
    else:
        board = course.board()
        told, rendered = notes(board), _tabular(headings(board), table(board))
    # A caption is the author's; what letters and marks mean stands above as comments.
    lines = [PACKAGES, *(f"% {note}" for note in told), *LAYOUT, rendered, r"\endgroup"]
    return Rendered(files={"leaderboard.tex": "\n".join(lines) + "\n"})


def _tabular(titles: list[str], rows: list[list[str]]) -> str:
    """The columns that fit a page, as an environment."""
    chosen = [(titles.index(name), *_COLUMNS[name]) for name in _COLUMNS if name in titles]
    chosen.sort()
    cells = [[row[at] for at, *_ in chosen] for row in rows]
    short = [title for _, title, _ in chosen]
    kinds = "".join(kind for *_, kind in chosen)
    if "attempt" in titles:  # it takes its room from the widest column
        kinds = kinds.replace("{0.22", "{0.13")
    return booktabs(kinds, short, cells)


def _of_competition(board: CompetitionBoard) -> str:
    names = competition.headings(board)
    width = _WRAPPED.format(f"{0.6 / max(1, len(board.networks)):.2f}")
    kinds = "".join(["r", _WRAPPED.format("0.15"), "rr", *[width] * len(board.networks)])
    return booktabs(kinds, names, competition.table(board))


def booktabs(kinds: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as an environment, with columns of these ``kinds``; nothing breaks out of a cell."""
    from tabulate import tabulate

    rendered = tabulate(rows, titles, "latex_booktabs", disable_numparse=True, stralign=None)

    # Diagnoses and names are broken where words of them end.
    rendered = rendered.translate(_ESCAPES).replace(r"\_", r"\_\allowbreak{}")
    environment = "tabular" if len(rows) <= _LINES_OF_PAGE else "longtable"
    _, *lines, _ = rendered.splitlines()
    if environment == "longtable":
        lines.insert(lines.index(r"\midrule") + 1, r"\endhead")
    begin, end = (f"\\{what}{{{environment}}}" for what in ("begin", "end"))
    return "\n".join([f"{begin}{{@{{}}{kinds}@{{}}}}", *lines, end])
