"""What the board says in words: who is best, by how much, and what cannot be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.defences.tables import all_of, interval, listed, mean, percent, plural
from harness.ranking.comparisons import SIGNIFICANCE
from harness.ranking.resampling import smallest_p
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.ranking.defence_board import DefenceBoard, DefenceRow

NOTES = (
    (
        "Quality, on test, ranks: the mean of clean accuracy and of the share of backdoored images "
        "that are given their true class or N + 1. All figures are means over BadNets; one at "
        "which a defence failed counts 0 in quality, and nowhere else."
    ),
    (
        "95 %: a bootstrap that draws BadNets anew within each attack, and their images. It says "
        "how sure a mean is on BadNets of these attacks from other seeds."
    ),
    (
        "Rows with a letter in common cannot be told apart by quality, BadNet by BadNet "
        "(permutation test, 5 % for the table as a whole by Holm's method)."
    ),
)


def answer(board: DefenceBoard) -> list[str]:
    """The sentences; the first one says who is best."""
    return list(_sentences(board))


def compared(board: DefenceBoard) -> str | None:
    """Why no rows can be told apart; None where some could be."""
    pairs = len(board.p_values)
    if not pairs:
        return None
    networks = max(len(row.overall.cells) for row in board.rows)
    if smallest_p(networks) * pairs < SIGNIFICANCE:
        return None
    return (
        f"{plural(networks, 'BadNet')} cannot tell any two of {len(_compared_rows(board))} rows "
        f"apart: the smallest p is {smallest_p(networks):.2g}, and there "
        f"{'is' if pairs == 1 else 'are'} {plural(pairs, 'pair')}. More seeds would."
    )


def _sentences(board: DefenceBoard) -> Iterator[str]:
    defences = [row for row in board.rows if not row.is_baseline]
    if not defences:
        yield "No defence has been run yet."
        return
    lost = [row for row in defences if _is_lost(row)]
    if len(lost) == len(defences):
        yield _all_lost(lost)
        return
    ranked = [row for row in defences if row.rank is not None]
    whole = [row for row in ranked if not row.overall.failed]
    if whole:
        yield from _best(board, whole)
    elif ranked:
        yield (
            f"No defence repaired every BadNet; {_name(ranked[0])} comes first, with 0 for what it "
            "failed at."
        )
    else:
        yield "No defence can be ranked yet."
    if (reason := compared(board)) is not None:
        yield reason
    yield from (_failed(row, has_whole=bool(whole)) for row in ranked if row.overall.failed)
    yield from (_unranked(row) for row in defences if row.rank is None)
    for row in defences:
        yield from _remarks(row)


def _is_lost(row: DefenceRow) -> bool:
    """Whether it failed on every BadNet, through nobody's fault but its own."""
    known = row.overall.estimates["quality"] is not None
    return known and row.overall.failed_everywhere and not row.missing


def _all_lost(lost: Sequence[DefenceRow]) -> str:
    who = {1: _name(lost[0]), 2: "Both defences"}.get(len(lost), f"All {len(lost)} defences")
    return f"{who} failed on {all_of(len(lost[0].overall.cells))}: there is nothing to rank."


def _best(board: DefenceBoard, whole: Sequence[DefenceRow]) -> Iterator[str]:
    first = [row for row in whole if row.rank == 1]
    others = [row for row in whole if row.rank != 1]
    best, names = first[0], listed([_name(row) for row in first])
    alike = [row for row in whole[1:] if _is_alike(board.p_value(best.defence, row.defence))]

    quality = best.overall.estimates["quality"]
    verb = "are equally good, and come first" if len(first) > 1 else "comes first"
    if others and not alike:
        verb = "is best"
    lead = f", {_points(best, others[0])} more than {_name(others[0])}" if others else ""
    if others and others[0] in alike:
        lead += ", which may be chance"
    yield f"{names} {verb}: quality {mean(quality)} % (95 %: {interval(quality)}){lead}."

    can_tell = bool(board.p_values) and compared(board) is None
    if can_tell and alike:
        yield f"{_name(best)} cannot be told apart from {listed([_name(row) for row in alike])}."
    elif can_tell and others:
        yield f"{_name(best)} is better beyond chance than all others that did not fail."
    baseline = next((row for row in board.rows if row.is_baseline), None)
    if baseline is not None:
        yield _against_nothing(board, best, baseline)


def _against_nothing(board: DefenceBoard, best: DefenceRow, baseline: DefenceRow) -> str:
    ours, theirs = (row.overall.estimates["quality"] for row in (best, baseline))
    if ours is None or theirs is None:
        return "How good doing nothing is, is not known."
    if ours.mean <= theirs.mean:
        return (
            f"No defence does better than nothing: the BadNets as they are have {mean(theirs)} %."
        )
    alike = _is_alike(board.p_value(best.defence, baseline.defence))
    sure = "which may be chance" if alike else "beyond chance"
    return (
        f"The BadNets as they are have {mean(theirs)} %: {_name(best)} is "
        f"{_points(best, baseline)} better than doing nothing, {sure}."
    )


def _failed(row: DefenceRow, *, has_whole: bool) -> str:
    share = _share(row.overall.failed, len(row.overall.cells))
    if row.overall.failed_everywhere:
        return f"{_name(row)} failed on {share}, and comes last, after doing nothing."
    after = "all that did not fail, and after doing nothing" if has_whole else "doing nothing"
    return f"{_name(row)} failed on {share}, and comes after {after}."


def _unranked(row: DefenceRow) -> str:
    if row.missing:
        return f"{_name(row)} is not ranked yet: {plural(len(row.missing), 'BadNet')} to go."
    if _is_lost(row):
        return f"{_name(row)} is not ranked: it failed on {all_of(len(row.overall.cells))}."
    ours = sum(cell.failed and cell.status.is_ours for cell in row.overall.cells)
    return (
        f"{_name(row)} is not ranked: it could not be run on {plural(ours, 'BadNet')}, "
        "which is not its fault."
    )


def _remarks(row: DefenceRow) -> Iterator[str]:
    """What no figure says of the nets that were left."""
    cells = row.overall.cells
    if unchanged := sum(cell.unchanged for cell in cells):
        yield f"{_name(row)} left {_share(unchanged, len(cells))} unchanged."
    if worthless := sum(cell.worthless for cell in cells):
        yield (
            f"What {_name(row)} left of {_share(worthless, len(cells))} recognises no more clean "
            "images than one class for all would, so it counts 0 in quality and has no DER."
        )


def _share(part: int, whole: int) -> str:
    return all_of(whole) if part == whole else f"{part} of {plural(whole, 'BadNet')}"


def _compared_rows(board: DefenceBoard) -> set[str]:
    return {name for both in board.p_values for name in both}


def _is_alike(p_value: float | None) -> bool:
    return p_value is None or p_value >= SIGNIFICANCE


def _points(row: DefenceRow, other: DefenceRow) -> str:
    ours, theirs = (each.overall.estimates["quality"] for each in (row, other))
    if ours is None or theirs is None:
        return "an unknown number of percentage points"
    return f"{percent(ours.mean - theirs.mean)} percentage points"


def _name(row: DefenceRow) -> str:
    return one_line(row.defence)
