"""Points from a rubric: a pure function of a record, so that a new rubric needs no inference.

Every point that is not given has its reason. Points of a checkpoint that is undecided are
pending: they are not among the points given until an instructor settles it. An override
replaces the points of one item, a verdict or the status, and stays in the record with its
reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.lineage.family import PRUNED, TUNED
from harness.records.errors import Status
from harness.records.findings import Deduction, ItemScore, Override
from harness.records.record import ATTACK, BUDGET, CONTRACT, FIRST_CROSSING
from harness.records.traversal import checkpoint_name, required_checkpoints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.records.findings import Diagnosis
    from harness.records.record import Checkpoint, Counts, Record, ReferenceNet
    from harness.records.rubric import Item, Rubric

VOID = frozenset({"OTHER_BASE", "IS_BADNET", "NOT_A_FUNCTION", "NEAR_CHANCE"})
"""Diagnoses with which a checkpoint never passes, and keeps no points of its own or of its G."""

_ROUNDING = 1e-9  # a difference of exactly the tolerance must not fail on the last bit of a float


@dataclass(slots=True)
class _Tally:
    """What one item loses, and what of it waits for a decision."""

    losses: list[Deduction]
    pending: float = 0.0

    def lose(self, points: float, reason: str) -> None:
        if points > 0:
            self.losses.append(Deduction(points=points, reason=reason))

    @property
    def lost(self) -> float:
        return sum(loss.points for loss in self.losses)


def score(record: Record, rubric: Rubric) -> Record:
    """``record`` with points and overrides; those of the rubric replace those it already has."""
    overrides = merge_overrides(record, rubric)
    points = [_score_item(record, item, rubric) for item in rubric.items]
    points = _cap(record, points, rubric)

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


def void_codes(checkpoint: Checkpoint, rubric: Rubric) -> list[str]:
    """The diagnoses that leave nothing of a checkpoint."""
    codes = {each.code for each in checkpoint.diagnoses if each.certain}
    return sorted(codes & (VOID | set(rubric.lineage.void)))


# --- overrides --------------------------------------------------------------------------------


def merge_overrides(record: Record, rubric: Rubric) -> tuple[Override, ...]:
    """One override for each item, verdict and status; the rubric's are the newer ones."""
    newer = [each for each in rubric.overrides if each.submission == record.submission]
    merged = {}
    for override in (*record.overrides, *newer):
        merged[override.item, override.drop_points, override.status is not None] = override
    return tuple(merged.values())


def _apply_override(points: ItemScore, overrides: Iterable[Override]) -> ItemScore:
    for override in overrides:
        if override.item == points.item and override.points is not None:
            losses = points.losses if override.points < points.maximum else ()
            return replace(
                points, points=override.points, override=override, losses=losses, pending=0.0
            )
    return points


# --- items ------------------------------------------------------------------------------------


def _score_item(record: Record, item: Item, rubric: Rubric) -> ItemScore:
    tally = _Tally([])
    if item.kind == "loading":
        _take_for_loading(record, item, tally)
    elif item.kind == "checkpoint":
        _take_for_checkpoint(record, item, rubric, tally)
    else:
        _take_for_goodnets(record, item, rubric, tally)

    given = max(0.0, item.points - tally.lost - tally.pending)
    return ItemScore(
        item=item.name,
        title=item.title,
        kind=item.kind,
        maximum=item.points,
        points=given,
        losses=tuple(tally.losses),
        uses_test=item.kind in ("goodnet", "metrics"),
        pending=max(0.0, min(tally.pending, item.points - tally.lost)),
    )


def _reason(record: Record, checkpoint: Checkpoint | None, otherwise: str) -> str:
    """Why there is nothing to grade: what the checkpoint says, or without one the record."""
    reason = checkpoint.reason if checkpoint else record.reason
    return reason or otherwise


def _take_for_loading(record: Record, item: Item, tally: _Tally) -> None:
    required = required_checkpoints(record)
    if not required:
        tally.lose(item.points, record.reason or "nothing could be graded")
        return

    share = item.points / len(required)
    for points, checkpoint in required.items():
        name = checkpoint_name(points)
        if checkpoint is None:
            tally.lose(share, record.reason or f"no model for {name}")
        elif checkpoint.status is not Status.GRADED:
            tally.lose(share, f"{name}: {checkpoint.reason}")


# --- checkpoints ------------------------------------------------------------------------------


def _take_for_checkpoint(record: Record, item: Item, rubric: Rubric, tally: _Tally) -> None:
    checkpoint = _checkpoint_of(record, item.drop_points)
    net = (checkpoint.repaired or checkpoint.goodnet) if checkpoint else None
    if checkpoint is None or net is None:
        tally.lose(item.points, _reason(record, checkpoint, "there is no net to grade"))
        return

    void = void_codes(checkpoint, rubric)
    if void:
        tally.lose(item.points, ", ".join(void))
        return
    twin = _counted_elsewhere(record, checkpoint, rubric)
    if twin is not None:
        tally.lose(item.points, f"the same net is graded as {checkpoint_name(twin.drop_points)}")
        return

    _take_for_checks(checkpoint, item, rubric, tally)
    if checkpoint.verdict == "undecided":
        tally.pending = max(0.0, item.points - tally.lost)


def _take_for_checks(checkpoint: Checkpoint, item: Item, rubric: Rubric, tally: _Tally) -> None:
    if checkpoint.family == PRUNED:
        _take_for_pruned(checkpoint, item, rubric, tally)
    else:
        _take_for_budget(checkpoint, item, rubric, tally)


def _take_for_pruned(checkpoint: Checkpoint, item: Item, rubric: Rubric, tally: _Tally) -> None:
    checks = {check.name: check for check in checkpoint.checks}
    if BUDGET in checks:  # it takes the place of the step before, which is not known
        checks[FIRST_CROSSING] = checks[BUDGET]
    for name, share in rubric.shares.items():
        if name in checks and checks[name].passed is False:
            tally.lose(item.points * share, checks[name].reason)
    _take_for_lineage(checkpoint, item, rubric, tally)


def _take_for_budget(checkpoint: Checkpoint, item: Item, rubric: Rubric, tally: _Tally) -> None:
    """Half of the points for the budget, half for the attack that is pushed back within it."""
    checks = {check.name: check for check in checkpoint.checks}
    if BUDGET in checks and checks[BUDGET].passed is False:
        tally.lose(item.points, checks[BUDGET].reason)
    elif ATTACK in checks and checks[ATTACK].passed is False:
        tally.lose(item.points / 2, checks[ATTACK].reason)
    if TUNED not in rubric.families:
        _take_for_lineage(checkpoint, item, rubric, tally)


def _take_for_lineage(checkpoint: Checkpoint, item: Item, rubric: Rubric, tally: _Tally) -> None:
    codes = {each.code for each in checkpoint.diagnoses if each.certain and _costs(each)}
    if TUNED in rubric.families:
        codes.discard("FINE_TUNED")
    costly = sorted(codes & set(rubric.lineage.costly))
    if costly:
        tally.lose(item.points * rubric.shares.get("lineage", 0.0), ", ".join(costly))


def _costs(diagnosis: Diagnosis) -> bool:
    """A bias that was kept and is not positive changes nothing: the channel is 0 all the same."""
    return diagnosis.code != "BIAS_NOT_ZEROED" or diagnosis.evidence.get("active") != 0


def _checkpoint_of(record: Record, points: float | None) -> Checkpoint | None:
    for checkpoint in record.checkpoints:
        if checkpoint.drop_points == points:
            return checkpoint
    return None


def _counted_elsewhere(record: Record, checkpoint: Checkpoint, rubric: Rubric) -> Checkpoint | None:
    """Where one net stands for several X: the checkpoint that gets its points instead of this.

    It earns them wherever it passes; where it passes nowhere, once: where it earns most. What is
    undecided may still pass.
    """
    if checkpoint.verdict != "failed":
        return None
    identity = _identity(checkpoint)
    twins = [
        each
        for each in record.checkpoints
        if each.required and identity is not None and _identity(each) == identity
    ]
    if len(twins) < 2:
        return None
    # max takes the first of equals.
    best = max(twins, key=lambda twin: (twin.verdict == "passed", _earned(twin, rubric)))
    return None if best is checkpoint else best


def _earned(checkpoint: Checkpoint, rubric: Rubric) -> float:
    """The points of a checkpoint, twins aside."""
    if void_codes(checkpoint, rubric):
        return 0.0
    for item in rubric.items:
        if item.kind == "checkpoint" and item.drop_points == checkpoint.drop_points:
            tally = _Tally([])
            _take_for_checks(checkpoint, item, rubric, tally)
            return item.points - tally.lost
    return 0.0


def _identity(checkpoint: Checkpoint) -> str | None:
    artifact = checkpoint.artifact or checkpoint.goodnet_artifact
    return (artifact.weights_hash or artifact.sha256) if artifact else None


# --- GoodNet and its figures ------------------------------------------------------------------


def _take_for_goodnets(record: Record, item: Item, rubric: Rubric, tally: _Tally) -> None:
    """An equal share of the item for G at each X."""
    required = required_checkpoints(record)
    if not required:
        tally.lose(item.points, record.reason or "there is no G to grade")
        return

    share = item.points / len(required)
    for points, checkpoint in required.items():
        name = checkpoint_name(points)
        if checkpoint is None or checkpoint.goodnet is None:
            tally.lose(share, f"{name}: {_reason(record, checkpoint, 'there is no G to grade')}")
            continue
        void = void_codes(checkpoint, rubric)
        if void:
            tally.lose(share, f"{name}: {', '.join(void)}")
            continue

        before = tally.lost
        if item.kind == "goodnet":
            problem = _goodnet_problem(checkpoint)
            if problem:
                tally.lose(share, f"{name}: {problem}")
        else:
            _take_for_metrics(record, checkpoint, item, share, tally)
        if checkpoint.verdict == "undecided":
            tally.pending += share - (tally.lost - before)


def _goodnet_problem(checkpoint: Checkpoint) -> str | None:
    """Why G does not earn its share: a submitted one by its answers, a composed one by its B'."""
    if checkpoint.goodnet_artifact is not None:
        if checkpoint.repaired is None:
            return None if checkpoint.verdict != "failed" else "its checkpoint is not passed"
        for check in checkpoint.checks:
            if check.name == CONTRACT and check.passed is False:
                return check.reason
        return None

    failed = [check.name for check in checkpoint.checks if check.passed is False]
    if failed:
        return f"G was composed of a B' that fails: {', '.join(failed)}"
    return None


def _take_for_metrics(
    record: Record, checkpoint: Checkpoint, item: Item, share: float, tally: _Tally
) -> None:
    """Half of an X's share for clean accuracy, half for ASR, of G on test.

    Only what is worse than the reference's costs, and a low ASR counts for nothing where the
    accuracy is not there. Without a reference net for an X nothing is taken.
    """
    name = checkpoint_name(checkpoint.drop_points)
    own = checkpoint.goodnet.test if checkpoint.goodnet else None
    if own is None:
        tally.lose(share, f"{name}: nothing was measured")
        return
    for reference in record.reference:
        if reference.drop_points == checkpoint.drop_points:
            accuracy, attack = _shortfalls(own, reference, item.tolerance_points)
            if accuracy:
                tally.lose(share, f"{name}: {accuracy}")
            elif attack:
                tally.lose(share / 2, f"{name}: {attack}")


def _shortfalls(
    counts: Counts, reference: ReferenceNet, tolerance_points: float
) -> tuple[str | None, str | None]:
    """How G falls short of the reference's in clean accuracy and in ASR; None where it does not."""
    expected = reference.goodnet.test
    if expected is None:
        return None, None
    accuracy, other_accuracy = clean_accuracy(counts), clean_accuracy(expected)
    rate, other_rate = attack_success_rate(counts), attack_success_rate(expected)

    allowed = tolerance_points + _ROUNDING
    lower = higher = None
    if _exceeds(other_accuracy, accuracy, allowed):
        lower = _difference("clean accuracy", accuracy, other_accuracy)
    if _exceeds(rate, other_rate, allowed):
        higher = _difference("ASR", rate, other_rate)
    return lower, higher


def _exceeds(higher: float | None, lower: float | None, points: float) -> bool:
    """Whether one share is above another by more than so many percentage points."""
    return higher is not None and lower is not None and 100 * (higher - lower) > points


def _difference(name: str, own: float | None, theirs: float | None) -> str:
    shown = f"{name} of G on test is {100 * (own or 0):.2f} %"
    return f"{shown}, the reference's is {100 * (theirs or 0):.2f} %"


# --- the cap ----------------------------------------------------------------------------------


def _cap(record: Record, points: list[ItemScore], rubric: Rubric) -> list[ItemScore]:
    """Where every required checkpoint failed, at most a share of all points is left."""
    required = required_checkpoints(record)
    verdicts = [each.verdict if each else "failed" for each in required.values()]
    if not verdicts or any(verdict != "failed" for verdict in verdicts):
        return points

    allowed = rubric.all_failed_share * sum(each.maximum for each in points)
    excess = sum(each.points or 0.0 for each in points) - allowed
    capped = []
    for each in reversed(points):
        taken = min(max(0.0, excess), each.points or 0.0)
        if taken > 0:
            reason = f"no required checkpoint passed: at most {allowed:g} points are given"
            loss = Deduction(points=taken, reason=reason)
            each = replace(  # noqa: PLW2901 - the item with less
                each, points=(each.points or 0.0) - taken, losses=(*each.losses, loss)
            )
            excess -= taken
        capped.append(each)
    return capped[::-1]
