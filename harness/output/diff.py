"""Two results folders side by side: who moved on the leaderboard, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.scoring import total
from harness.output.boards import shown_records
from harness.output.flips import Flip, flips
from harness.output.leaderboard.columns import in_points
from harness.output.ranked import evidence_of, ranked_board
from harness.people.choice import choose
from harness.records.errors import HarnessError
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name, diagnoses, require_single
from harness.storage.goodnets import GoodNetAnswers
from harness.storage.results import Store
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.records.findings import ItemScore
    from harness.records.record import Check, Record


@dataclass(frozen=True, slots=True)
class Ranked:
    """A record and its rank."""

    rank: int | None
    record: Record


@dataclass(frozen=True, slots=True)
class Difference:
    """One submission in both folders, and how it differs."""

    name: str
    before: Ranked | None
    after: Ranked | None

    reasons: tuple[str, ...]
    """What differs; nothing where all is the same."""

    new_losses: tuple[str, ...] = ()
    """What costs points only after."""

    flips: tuple[Flip, ...] = ()
    """Images that its G answers otherwise."""


def differences(before: Path, after: Path) -> list[str]:
    """One line for each submission that differs, and a summary. Raises HarnessError."""
    return lines_of(compare_folders(before, after))


def lines_of(found: Sequence[Difference]) -> list[str]:
    """One line for each that differs, and a summary."""
    lines = [one_line(f"{each.name}: {'; '.join(each.reasons)}") for each in found if each.reasons]
    return [*lines, f"{len(lines)} differ, {len(found) - len(lines)} are the same"]


def compare_folders(before: Path, after: Path) -> list[Difference]:
    """Every submission of two results folders, by name. Raises HarnessError.

    Where each folder holds one, these two are compared, whatever they are called: two defences.
    """
    old, new = _rank_records(before), _rank_records(after)
    pairs: list[tuple[str, Ranked | None, Ranked | None]]
    if len(old) == len(new) == 1 and old.keys() != new.keys():
        ((first, one),), ((second, other),) = old.items(), new.items()
        pairs = [(f"{first} -> {second}", one, other)]
    else:
        pairs = [(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())]

    stores = GoodNetAnswers(Store(before)), GoodNetAnswers(Store(after))
    labels = Store(after)
    return [
        Difference(
            name=name,
            before=one,
            after=other,
            reasons=tuple(_reasons(one, other)),
            new_losses=tuple(_new_losses(one, other)),
            flips=tuple(flips((stores[0], one.record), (stores[1], other.record), labels))
            if one and other
            else (),
        )
        for name, one, other in pairs
    ]


def _rank_records(results: Path) -> dict[str, Ranked]:
    records = {record.submission: record for record in Store(results).records()}
    if not records:
        raise HarnessError(f"{results}: no records in it; grade something first")
    require_single(records.values(), "diff")
    rubric, (people, which) = rubric_of(results), choose(results, None, None)
    judged = shown_records(list(records.values()), people, "all", rubric)
    shown = shown_records(judged, people, which)
    rows = ranked_board(results, shown, rubric, evidence_of(results, shown)).rows
    ranks = {row.submission: row.rank for row in rows}
    return {each.submission: Ranked(ranks.get(each.submission), each) for each in judged}


def _reasons(before: Ranked | None, after: Ranked | None) -> Iterator[str]:
    if before is None:
        yield "is new"
        return
    if after is None:
        yield "is gone"
        return

    old, new = before.record, after.record
    yield from _change("rank", before.rank, after.rank)
    yield from _change("status", old.status.value, new.status.value)
    yield from _change("points", _points(old), _points(new))
    yield from _item_changes(old, new)
    if old.dataset != new.dataset:
        yield "data changed"
    yield from _checkpoint_changes(old, new)
    yield from _change("diagnoses", _codes(old), _codes(new))


def _item_changes(old: Record, new: Record) -> Iterator[str]:
    """Where points were won and lost, item by item."""
    known = {item.item: item for item in old.points}
    for item in new.points:
        before = known.get(item.item)
        if before is not None:
            yield from _change(f"{item.title}:", _of_maximum(before), _of_maximum(item))


def _new_losses(before: Ranked | None, after: Ranked | None) -> Iterator[str]:
    """What costs points only now, item by item."""
    old = {item.item: item.losses for item in before.record.points} if before else {}
    for item in after.record.points if after else ():
        known = {loss.reason for loss in old.get(item.item, item.losses)}
        for loss in item.losses:
            if loss.reason not in known:
                yield f"{item.title}: -{in_points(loss.points)}: {loss.reason}"


def _of_maximum(item: ItemScore) -> str:
    points = "hidden" if item.points is None else in_points(item.points)
    return f"{points} of {in_points(item.maximum)}"


def _checkpoint_changes(old: Record, new: Record) -> Iterator[str]:
    added = {checkpoint.drop_points: checkpoint for checkpoint in new.checkpoints}
    for before in old.checkpoints:
        name = checkpoint_name(before.drop_points)
        after = added.pop(before.drop_points, None)
        if after is None:
            yield f"{name} is gone"
            continue

        if before.artifact != after.artifact:
            yield f"{name} file changed"
        if before.repaired != after.repaired:
            yield f"{name} counts of B' changed"
        if before.goodnet != after.goodnet:
            yield f"{name} counts of G changed"
        yield from _change(
            f"{name} checks failed", _failures(before.checks), _failures(after.checks)
        )

    for drop_points in added:
        yield f"{checkpoint_name(drop_points)} is new"


def _change(what: str, old: object, new: object) -> Iterator[str]:
    if old != new:
        yield f"{what} {_in_words(old)} -> {_in_words(new)}"


def _in_words(value: object) -> str:
    return "none" if value in (None, "") else str(value)


def _points(record: Record) -> str | None:
    points = total(record.points)
    return f"{in_points(points[0])} of {in_points(points[1])}" if points else None


def _codes(record: Record) -> str:
    return ", ".join(sorted({diagnosis.code for diagnosis in diagnoses(record)}))


def _failures(checks: tuple[Check, ...]) -> str:
    return ", ".join(check.name for check in checks if check.passed is False)
