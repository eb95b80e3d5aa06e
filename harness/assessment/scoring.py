"""Points from a rubric: a pure function of a record, so that a new rubric needs no inference.

Every point that is not given has its reason; what cannot be decided (``passed`` None) costs
nothing. An instructor's override replaces the points of one item, or the status, and stays in
the record with its reason.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.records.errors import Status
from harness.records.findings import Deduction, ItemScore, Override
from harness.records.record import CONTRACT, PRESENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.records.record import Checkpoint, Counts, Record, ReferenceNet
    from harness.records.rubric import Item, Rubric


def score(record: Record, rubric: Rubric) -> Record:
    """``record`` with points and overrides; those of the rubric replace those it already has."""
    overrides = _merge_overrides(record, rubric)
    points = [_score_item(record, item, rubric) for item in rubric.items]

    status = record.status
    for override in overrides:
        if override.status is not None:
            status = Status(override.status)
            break

    return replace(
        record,
        points=tuple(_apply_override(each, overrides) for each in points),
        overrides=overrides,
        status=status,
    )


def total(points: Iterable[ItemScore]) -> tuple[float, float] | None:
    """Points given and points possible; None where points are hidden."""
    scores = tuple(points)
    known = [each.points for each in scores if each.points is not None]
    if len(known) < len(scores):
        return None
    return sum(known), sum(each.maximum for each in scores)


def _merge_overrides(record: Record, rubric: Rubric) -> tuple[Override, ...]:
    """One override for each item, and one of the status; the rubric's are the newer ones."""
    newer = [each for each in rubric.overrides if each.submission == record.submission]
    merged = {}
    for override in (*record.overrides, *newer):
        merged[override.item, override.status is not None] = override
    return tuple(merged.values())


def _apply_override(points: ItemScore, overrides: Iterable[Override]) -> ItemScore:
    for override in overrides:
        if override.item == points.item and override.points is not None:
            return replace(points, points=override.points, override=override)
    return points


def _score_item(record: Record, item: Item, rubric: Rubric) -> ItemScore:
    if item.kind == "loading":
        deductions = _loading_deductions(record, item)
    elif item.kind == "checkpoint":
        deductions = _checkpoint_deductions(record, item, rubric)
    elif item.kind == "goodnet":
        deductions = _goodnet_deductions(record, item)
    else:
        deductions = _metrics_deductions(record, item)

    losses = tuple(each for each in deductions if each.points > 0)
    return ItemScore(
        item=item.name,
        title=item.title,
        kind=item.kind,
        maximum=item.points,
        points=max(0.0, item.points - sum(loss.points for loss in losses)),
        losses=losses,
        uses_test=item.kind in ("goodnet", "metrics"),
    )


def _required_checkpoints(record: Record) -> dict[float, Checkpoint | None]:
    """The required X with their checkpoints, None where there is none."""
    limits = [check.limit for check in record.checks if check.name == PRESENT]
    by_points = {checkpoint.drop_points: checkpoint for checkpoint in record.checkpoints}
    return {x: by_points.get(x) for x in limits if isinstance(x, int | float)}


def _reason(record: Record, checkpoint: Checkpoint | None, otherwise: str) -> str:
    """Why there is nothing to grade: what the checkpoint says, or without one the record."""
    reason = checkpoint.reason if checkpoint else record.reason
    return reason or otherwise


# --- checkpoints ------------------------------------------------------------------------------


def _loading_deductions(record: Record, item: Item) -> list[Deduction]:
    required = _required_checkpoints(record)
    if not required:
        return [Deduction(points=item.points, reason=record.reason or "nothing could be graded")]

    share = item.points / len(required)
    deductions = []
    for x, checkpoint in required.items():
        if checkpoint is None:
            reason = record.reason or f"no model for X = {x:g}"
            deductions.append(Deduction(points=share, reason=reason))
        elif checkpoint.status is not Status.GRADED:
            deductions.append(Deduction(points=share, reason=f"X = {x:g}: {checkpoint.reason}"))
    return deductions


def _checkpoint_deductions(record: Record, item: Item, rubric: Rubric) -> list[Deduction]:
    checkpoint = _checkpoint_of(record, item)
    if checkpoint is None or checkpoint.repaired is None:
        reason = _reason(record, checkpoint, "there is no B' to grade")
        return [Deduction(points=item.points, reason=reason)]

    codes = {each.code for each in checkpoint.diagnoses if each.certain}
    void = sorted(codes & set(rubric.lineage.void))
    if void:
        return [Deduction(points=item.points, reason=", ".join(void))]

    checks = {check.name: check for check in checkpoint.checks}
    deductions = [
        Deduction(points=item.points * share, reason=checks[name].reason)
        for name, share in rubric.shares.items()
        if name in checks and checks[name].passed is False
    ]
    costly = sorted(codes & set(rubric.lineage.costly))
    if costly:
        points = item.points * rubric.shares.get("lineage", 0.0)
        deductions.append(Deduction(points=points, reason=", ".join(costly)))
    return deductions


def _checkpoint_of(record: Record, item: Item) -> Checkpoint | None:
    for checkpoint in record.checkpoints:
        if checkpoint.drop_points == item.drop_points:
            return checkpoint
    return None


# --- GoodNet and its figures ------------------------------------------------------------------


def _goodnet_deductions(record: Record, item: Item) -> list[Deduction]:
    required = _required_checkpoints(record)
    if not required:
        return [Deduction(points=item.points, reason=record.reason or "there is no G to grade")]

    share = item.points / len(required)
    deductions = []
    for x, checkpoint in required.items():
        problem = _goodnet_problem(record, checkpoint)
        if problem:
            deductions.append(Deduction(points=share, reason=f"X = {x:g}: {problem}"))
    return deductions


def _goodnet_problem(record: Record, checkpoint: Checkpoint | None) -> str | None:
    if checkpoint is None or checkpoint.goodnet is None:
        return _reason(record, checkpoint, "there is no G to grade")
    for check in checkpoint.checks:
        if check.name == CONTRACT and check.passed is False:
            return check.reason
    return None


def _metrics_deductions(record: Record, item: Item) -> list[Deduction]:
    """Half of an X's share for clean accuracy, half for ASR, of G on test.

    Without a reference net for an X (no step of the reference drops so far) nothing is taken.
    """
    required = _required_checkpoints(record)
    if not required:
        return [Deduction(points=item.points, reason=record.reason or "nothing was measured")]

    references = {net.drop_points: net for net in record.reference}
    half = item.points / len(required) / 2
    deductions: list[Deduction] = []
    for x, checkpoint in required.items():
        if checkpoint is None or checkpoint.goodnet is None or checkpoint.goodnet.test is None:
            reason = _reason(record, checkpoint, "nothing was measured")
            deductions.append(Deduction(points=2 * half, reason=f"X = {x:g}: {reason}"))
        elif x in references:
            differences = _differences(
                checkpoint.goodnet.test, references[x], item.tolerance_points
            )
            deductions += [
                Deduction(points=half, reason=f"X = {x:g}: {difference}")
                for difference in differences
            ]
    return deductions


def _differences(counts: Counts, reference: ReferenceNet, tolerance_points: float) -> list[str]:
    expected = reference.goodnet.test
    if expected is None:
        return []

    metrics = {
        "clean accuracy": (clean_accuracy(counts), clean_accuracy(expected)),
        "ASR": (attack_success_rate(counts), attack_success_rate(expected)),
    }
    differences = []
    for name, (measured, wanted) in metrics.items():
        if measured is None or wanted is None:
            continue
        # A difference of exactly the tolerance must not fail on the last bit of a float.
        if abs(measured - wanted) * 100 > tolerance_points + 1e-9:
            differences.append(
                f"{name} of G on test is {100 * measured:.2f} %, "
                f"the reference's is {100 * wanted:.2f} %"
            )
    return differences
