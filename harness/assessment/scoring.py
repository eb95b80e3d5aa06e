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
    from collections.abc import Iterable, Mapping

    from harness.records.record import Checkpoint, Counts, Record, ReferenceNet
    from harness.records.rubric import Item, Rubric


def score(record: Record, rubric: Rubric) -> Record:
    """``record`` with points and overrides; those of the rubric replace those it already has."""
    merged = {(o.item, o.status is not None): o for o in record.overrides}
    merged |= {
        (o.item, o.status is not None): o
        for o in rubric.overrides
        if o.submission == record.submission
    }
    overrides = tuple(merged.values())
    points = tuple(_overridden(_points(record, item, rubric), overrides) for item in rubric.items)
    status = next((o.status for o in overrides if o.status is not None), None)
    return replace(
        record,
        points=points,
        overrides=overrides,
        status=record.status if status is None else Status(status),
    )


def total(points: Iterable[ItemScore]) -> tuple[float, float] | None:
    """Points given and points possible; None where points are hidden."""
    given = [each.points for each in points]
    known = [value for value in given if value is not None]
    if len(known) != len(given):
        return None
    return sum(known), sum(each.maximum for each in points)


def _points(record: Record, item: Item, rubric: Rubric) -> ItemScore:
    if item.kind == "loading":
        losses = _loading(record, item)
    elif item.kind == "checkpoint":
        losses = _checkpoint(record, item, rubric)
    elif item.kind == "goodnet":
        losses = _goodnet(record, item)
    else:
        losses = _metrics(record, item)
    taken = tuple(loss for loss in losses if loss.points > 0)
    return ItemScore(
        item=item.name,
        title=item.title,
        kind=item.kind,
        maximum=item.points,
        points=max(0.0, item.points - sum(loss.points for loss in taken)),
        losses=taken,
        uses_test=item.kind in ("goodnet", "metrics"),
    )


def _overridden(points: ItemScore, overrides: Iterable[Override]) -> ItemScore:
    for override in overrides:
        if override.item == points.item and override.points is not None:
            return replace(points, points=override.points, override=override)
    return points


def _required(record: Record) -> dict[float, Checkpoint | None]:
    """The required X with their checkpoints, None where there is none."""
    wanted = [check.limit for check in record.checks if check.name == PRESENT]
    found = {c.drop_points: c for c in record.checkpoints}
    return {x: found.get(x) for x in wanted if isinstance(x, int | float)}


def _loading(record: Record, item: Item) -> list[Deduction]:
    required = _required(record)
    if not required:
        return [Deduction(points=item.points, reason=record.reason or "nothing could be graded")]
    share = item.points / len(required)
    losses = []
    for x, checkpoint in required.items():
        if checkpoint is None:
            losses.append(
                Deduction(points=share, reason=record.reason or f"no model for X = {x:g}")
            )
        elif checkpoint.status is not Status.GRADED:
            losses.append(Deduction(points=share, reason=f"X = {x:g}: {checkpoint.reason}"))
    return losses


# --- checkpoints ------------------------------------------------------------------------------


def _checkpoint(record: Record, item: Item, rubric: Rubric) -> list[Deduction]:
    checkpoint = next((c for c in record.checkpoints if c.drop_points == item.drop_points), None)
    if checkpoint is None or checkpoint.repaired is None:
        reason = (checkpoint.reason if checkpoint else record.reason) or "there is no B' to grade"
        return [Deduction(points=item.points, reason=reason)]
    codes = {d.code for d in checkpoint.diagnoses if d.certain}
    if void := sorted(codes & set(rubric.lineage.void)):
        return [Deduction(points=item.points, reason=", ".join(void))]
    outcomes = {check.name: check for check in checkpoint.checks}
    losses = [
        Deduction(points=item.points * share, reason=outcomes[name].reason)
        for name, share in rubric.shares.items()
        if name in outcomes and outcomes[name].passed is False
    ]
    if costly := sorted(codes & set(rubric.lineage.costly)):
        share = item.points * rubric.shares.get("lineage", 0.0)
        losses.append(Deduction(points=share, reason=", ".join(costly)))
    return losses


# --- GoodNet and its figures ------------------------------------------------------------------


def _goodnet(record: Record, item: Item) -> list[Deduction]:
    required = _required(record)
    share = item.points / max(1, len(required))
    losses = []
    for x, checkpoint in required.items():
        if reason := _goodnet_problem(record, checkpoint):
            losses.append(Deduction(points=share, reason=f"X = {x:g}: {reason}"))
    if not required:
        losses.append(
            Deduction(points=item.points, reason=record.reason or "there is no G to grade")
        )
    return losses


def _goodnet_problem(record: Record, checkpoint: Checkpoint | None) -> str | None:
    if checkpoint is None or checkpoint.goodnet is None:
        return (checkpoint.reason if checkpoint else record.reason) or "there is no G to grade"
    broken = [c for c in checkpoint.checks if c.name == CONTRACT and c.passed is False]
    return broken[0].reason if broken else None


def _metrics(record: Record, item: Item) -> list[Deduction]:
    """Half of an X's share for clean accuracy, half for ASR, of G on test.

    Without a reference net for an X (no step of the reference drops so far) nothing is taken.
    """
    required = _required(record)
    if not required:
        return [Deduction(points=item.points, reason=record.reason or "nothing was measured")]
    reference = {net.drop_points: net for net in record.reference}
    share = item.points / len(required) / 2
    losses: list[Deduction] = []
    for x, checkpoint in required.items():
        if checkpoint is None or checkpoint.goodnet is None or checkpoint.goodnet.test is None:
            reason = (checkpoint.reason if checkpoint else record.reason) or "nothing was measured"
            losses.append(Deduction(points=2 * share, reason=f"X = {x:g}: {reason}"))
        elif x in reference:
            pair = checkpoint.goodnet.test, reference[x]
            losses += [
                Deduction(points=share, reason=f"X = {x:g}: {reason}")
                for reason in _differences(*pair, item.tolerance_points)
            ]
    return losses


def _differences(counts: Counts, reference: ReferenceNet, tolerance_points: float) -> list[str]:
    if reference.goodnet.test is None:
        return []
    metrics: Mapping[str, tuple[float | None, float | None]] = {
        "clean accuracy": (clean_accuracy(counts), clean_accuracy(reference.goodnet.test)),
        "ASR": (attack_success_rate(counts), attack_success_rate(reference.goodnet.test)),
    }
    return [
        f"{name} of G on test is {100 * own:.2f} %, the reference's is {100 * theirs:.2f} %"
        for name, (own, theirs) in metrics.items()
        if own is not None
        and theirs is not None
        # A difference of exactly the tolerance must not fail on the last bit of a float.
        and abs(own - theirs) * 100 > tolerance_points + 1e-9
    ]
