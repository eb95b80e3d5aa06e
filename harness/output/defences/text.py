"""The board as text, Markdown and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.defences.answer import NOTES, answer
from harness.output.defences.tables import (
    HEADINGS,
    SECONDS,
    attack_headings,
    attack_rows,
    failures,
    interval,
    mean,
    overall_rows,
    plural,
)
from harness.output.exports.latex import LAYOUT, PACKAGES, booktabs
from harness.output.leaderboard.markdown import escape
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.ranking.defence_board import DefenceBoard

_OF_ATTACKS = "Clean accuracy / ASR by attack, in percent, of what the defence left:"


def plain(board: DefenceBoard, *, times: bool) -> str:
    """Tables for a terminal; with ``times`` they are others after every run."""
    from tabulate import tabulate

    def table(rows: Sequence[Sequence[str]], titles: Sequence[str]) -> str:
        return tabulate(rows, titles, "simple", disable_numparse=True)

    parts = [subject(board), table(overall_rows(board, times=times), _titles(times=times))]
    if board.attacks and board.rows:
        parts.append(f"{_OF_ATTACKS}\n\n{table(attack_rows(board), attack_headings(board))}")
    if failed := list(failed_lines(board)):
        parts.append("\n".join(["What failed:", *(f"  {line}" for line in failed)]))
    parts.append("\n".join(answer(board)))
    parts.append("\n".join(NOTES))
    return "\n\n".join(parts) + "\n"


def markdown(board: DefenceBoard) -> str:
    """GitHub-flavoured Markdown; names cannot break out of their cell."""
    from tabulate import tabulate

    def table(rows: Sequence[Sequence[str]], titles: Sequence[str]) -> str:
        cells = [[escape(cell) for cell in row] for row in rows]
        return tabulate(cells, [*map(escape, titles)], "github", disable_numparse=True)

    parts = [f"# {escape(subject(board))}", *(escape(line) for line in answer(board))]
    parts.append(table(overall_rows(board, times=False), _titles(times=False)))
    if board.attacks and board.rows:
        parts += [_OF_ATTACKS, table(attack_rows(board), attack_headings(board))]
    if failed := list(failed_lines(board)):
        parts += ["What failed:", "\n".join(f"* {escape(line)}" for line in failed)]
    parts += map(escape, NOTES)
    return "\n\n".join(parts) + "\n"


def latex(board: DefenceBoard) -> str:
    """A ``tabular`` of defences by attacks, to be input between ``table`` and ``caption``."""
    titles = ["", "defence", "quality", "95 %", *attack_headings(board)[1:], "letters"]
    rows = []
    both = zip(board.rows, attack_rows(board), strict=True)
    for row, (name, *by_attack) in both:
        quality = row.overall.estimates["quality"]
        rank = "" if row.rank is None else str(row.rank)
        rows.append([rank, name, mean(quality), interval(quality), *by_attack, row.letters])
    kinds = f"rlrr{'r' * len(board.attacks)}l"
    said = [subject(board), _OF_ATTACKS.rstrip(":"), *NOTES, *answer(board), *failed_lines(board)]
    comments = [f"% {line}" for line in said]
    return "\n".join(
        [PACKAGES, *comments, *LAYOUT, booktabs(kinds, titles, rows), r"\endgroup", ""]
    )


def subject(board: DefenceBoard) -> str:
    """What was benchmarked on what."""
    defences = sum(not row.is_baseline for row in board.rows)
    begun = max((len(row.overall.cells) for row in board.rows), default=0)
    seeds = ", ".join(map(str, board.seeds))
    whole = plural(board.networks, "BadNet")
    networks = whole if begun == board.networks else f"{begun} of {whole}"
    return (
        f"{plural(defences, 'defence')} on {networks} of {one_line(board.title)} "
        f"({plural(len(board.attacks), 'attack')}; seeds {seeds})"
    )


def failed_lines(board: DefenceBoard) -> Iterator[str]:
    """A line for each distinct reason, with the BadNets that it is about."""
    for defence, networks, why in failures(board):
        yield f"{defence} on {networks}: {why}"


def _titles(*, times: bool) -> list[str]:
    return [*HEADINGS, *([SECONDS] * times)]
