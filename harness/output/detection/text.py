"""The board of detectors as text, Markdown and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.detection import tables
from harness.output.exports.latex import LAYOUT, PACKAGES, booktabs
from harness.output.leaderboard.markdown import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.ranking.detections import DetectionBoard

_COSTS = ("detector", "seconds", "processor seconds")


def plain(board: DetectionBoard, *, times: bool) -> str:
    """Tables for a terminal; with ``times`` they are others after every run."""
    from tabulate import tabulate

    def table(rows: Sequence[Sequence[str]], titles: Sequence[str]) -> str:
        return tabulate(rows, titles, "simple", disable_numparse=True)

    parts = [tables.subject(board), table(tables.overall_rows(board), tables.HEADINGS)]
    if board.attacks and board.rows:
        by_attack = table(tables.attack_rows(board), tables.attack_headings(board))
        parts.append(f"{tables.OF_ATTACKS}\n\n{by_attack}")
    if times and (costs := tables.cost_rows(board)):
        parts.append(f"What an answer takes, in the middle:\n\n{table(costs, _COSTS)}")
    if failed := list(tables.failures(board)):
        parts.append("\n".join(["What failed:", *(f"  {line}" for line in failed)]))
    parts.append("\n".join(tables.answer(board)))
    parts.append("\n".join(tables.NOTES))
    return "\n\n".join(parts) + "\n"


def markdown(board: DetectionBoard) -> str:
    """GitHub-flavoured Markdown; names cannot break out of their cell."""
    from tabulate import tabulate

    def table(rows: Sequence[Sequence[str]], titles: Sequence[str]) -> str:
        cells = [[escape(cell) for cell in row] for row in rows]
        return tabulate(cells, [*map(escape, titles)], "github", disable_numparse=True)

    parts = [f"# {escape(tables.subject(board))}", *map(escape, tables.answer(board))]
    parts.append(table(tables.overall_rows(board), tables.HEADINGS))
    if board.attacks and board.rows:
        parts += [tables.OF_ATTACKS,
                  table(tables.attack_rows(board), tables.attack_headings(board))]  # fmt: skip
    if failed := list(tables.failures(board)):
        parts += ["What failed:", "\n".join(f"* {escape(line)}" for line in failed)]
    parts += map(escape, tables.NOTES)
    return "\n\n".join(parts) + "\n"


def latex(board: DetectionBoard) -> str:
    """A ``tabular`` of detectors, to be input between ``table`` and ``caption``."""
    titles = ["", *tables.HEADINGS[1:-1], *tables.attack_headings(board)[1:]]
    both = zip(tables.overall_rows(board), tables.attack_rows(board), strict=True)
    rows = [[*overall[:-1], *by_attack[1:]] for overall, by_attack in both]
    kinds = f"rl{'r' * (len(titles) - 2)}"
    said = [tables.subject(board), tables.OF_ATTACKS.rstrip(":"), *tables.NOTES]
    comments = [f"% {line}" for line in [*said, *tables.answer(board), *tables.failures(board)]]
    return "\n".join(
        [PACKAGES, *comments, *LAYOUT, booktabs(kinds, titles, rows), r"\endgroup", ""]
    )
