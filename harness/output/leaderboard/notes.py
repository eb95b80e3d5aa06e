"""What stands below a board: what its letters and marks mean, and how a row is verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.leaderboard.columns import NOTHING_DONE
from harness.ranking.baselines import REFERENCE
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.board import Board

_SETS = ("test", "bd_test")
_RANKED_BY = {
    "points": "points",
    "checkpoints_passed": "passed checkpoints",
    "quality": "quality (only where a test tells the rows apart)",
    "defense_effectiveness": "DER",
}


def notes(board: Board) -> list[str]:
    """The notes that a board needs, each one line."""
    return [*letters_note(board), *_effectiveness_note(board), *provenance(board)]


def ranking_note(board: Board) -> Iterator[str]:
    """By what rows are ordered, of what may be seen here."""
    known = [x for x in board.ranking if any(getattr(row, x) is not None for row in board.rows)]
    if known:
        yield f"Ranked by {', then by '.join(_RANKED_BY[name] for name in known)}."


def letters_note(board: Board) -> Iterator[str]:
    """What letters mean, and the smallest difference that they can show."""
    if not board.columns:
        return

    images = max(column.resolution_images for column in board.columns)
    rows = max(column.rows for column in board.columns)
    shares = []
    for name in _SETS:
        sizes = [column.images for column in board.columns if column.set == name and column.images]
        if sizes:
            shares.append(f"{100 * images / min(sizes):.2f} percentage points on {name}")
    yield (
        "Rows whose G share a letter in a column cannot be told apart there (McNemar's exact test "
        "on the same images for every pair, Holm's correction over each column, 5 %); among "
        f"{rows} rows the smallest difference that this data can resolve is {images} images"
        f"{''.join(f', {share}' for share in shares)}."
    )


def _effectiveness_note(board: Board) -> Iterator[str]:
    values = [row.defense_effectiveness for row in board.rows]
    values += [baseline.defense_effectiveness for baseline in board.baselines]
    if any(value is not None and value < NOTHING_DONE for value in values):
        yield "* A DER below 0.500 is below doing nothing."
    reference = [each for each in board.baselines if each.name == REFERENCE]
    if any((each.defense_effectiveness or 1) < NOTHING_DONE for each in reference):
        yield (
            "The reference is below it, too: pruning as the assignment asks hardly removes this "
            "attack at these X, and to pass is to do what was asked."
        )


def provenance(board: Board) -> Iterator[str]:
    """When and on what the rows were graded, and the command that verifies one."""
    if board.graded_on is None:
        return

    data = f"data {board.data}" if board.data else "several data sets"
    versions = one_line(", ".join(board.versions)) or "versions unknown"
    yield (
        f"Graded until {board.graded_on} on {one_line(board.dataset)} ({data}) by {versions}. "
        "A row is verified by: python -m harness verify RESULTS SUBMISSION PATH "
        f"--dataset {one_line(board.dataset)} (and --badnet FILE where it was graded with one)"
    )
