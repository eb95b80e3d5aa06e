"""Points of the net for one X: of a pruned net by its steps, of any other by its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.tally import Tally, reason_of, void_codes
from harness.lineage.family import TUNED
from harness.records.record import ATTACK, BUDGET, FIRST_CROSSING
from harness.records.traversal import checkpoint_name

if TYPE_CHECKING:
    from harness.records.findings import Diagnosis
    from harness.records.record import Checkpoint, Record
    from harness.records.rubric import Item, Rubric


def take_for_checkpoint(record: Record, item: Item, rubric: Rubric, tally: Tally) -> None:
    """Take off what the net for an item's X does not earn."""
    checkpoint = _checkpoint_of(record, item.drop_points)
    net = (checkpoint.repaired or checkpoint.goodnet) if checkpoint else None
    if checkpoint is None or net is None:
        tally.lose(item.points, reason_of(record, checkpoint, "there is no net to grade"))
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


def _take_for_checks(checkpoint: Checkpoint, item: Item, rubric: Rubric, tally: Tally) -> None:
    if any(check.name == ATTACK for check in checkpoint.checks):
        _take_for_budget(checkpoint, item, rubric, tally)
    else:
        _take_for_pruned(checkpoint, item, rubric, tally)


def _take_for_pruned(checkpoint: Checkpoint, item: Item, rubric: Rubric, tally: Tally) -> None:
    checks = {check.name: check for check in checkpoint.checks}
    if BUDGET in checks:  # it takes the place of the step before, which is not known
        checks[FIRST_CROSSING] = checks[BUDGET]
    for name, share in rubric.shares.items():
        if name in checks and checks[name].passed is False:
            tally.lose(item.points * share, checks[name].reason)
    _take_for_lineage(checkpoint, item, rubric, tally)


def _take_for_budget(checkpoint: Checkpoint, item: Item, rubric: Rubric, tally: Tally) -> None:
    """Half of the points for the budget, half for the attack that is pushed back within it."""
    checks = {check.name: check for check in checkpoint.checks}
    if BUDGET in checks and checks[BUDGET].passed is False:
        tally.lose(item.points, checks[BUDGET].reason)
    elif ATTACK in checks and checks[ATTACK].passed is False:
        tally.lose(item.points / 2, checks[ATTACK].reason)
    if TUNED not in rubric.families:
        _take_for_lineage(checkpoint, item, rubric, tally)


def _take_for_lineage(checkpoint: Checkpoint, item: Item, rubric: Rubric, tally: Tally) -> None:
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
            tally = Tally([])
            _take_for_checks(checkpoint, item, rubric, tally)
            return item.points - tally.lost
    return 0.0


def _identity(checkpoint: Checkpoint) -> str | None:
    artifact = checkpoint.artifact or checkpoint.goodnet_artifact
    return (artifact.weights_hash or artifact.sha256) if artifact else None
