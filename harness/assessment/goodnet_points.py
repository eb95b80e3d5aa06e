"""Points of the GoodNets: whether each keeps the rule, and its figures beside the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.assessment.tally import Tally, reason_of, void_codes
from harness.records.record import CONTRACT
from harness.records.traversal import checkpoint_name, required_checkpoints

if TYPE_CHECKING:
    from harness.records.record import Checkpoint, Counts, Record, ReferenceNet
    from harness.records.rubric import Item, Rubric

_ROUNDING = 1e-9  # a difference of exactly the tolerance must not fail on the last bit of a float


def take_for_goodnets(record: Record, item: Item, rubric: Rubric, tally: Tally) -> None:
    """An equal share of the item for G at each X."""
    required = required_checkpoints(record)
    if not required:
        tally.lose(item.points, reason_of(record, None, "there is no G to grade"))
        return

    share = item.points / len(required)
    for points, checkpoint in required.items():
        name = checkpoint_name(points)
        if checkpoint is None or checkpoint.goodnet is None:
            tally.lose(share, f"{name}: {reason_of(record, checkpoint, 'there is no G to grade')}")
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

    failed = [check.name.replace("_", " ") for check in checkpoint.checks if check.passed is False]
    if failed:
        return f"G was composed of a B' that fails ({', '.join(failed)}); mend B'"
    return None


def _take_for_metrics(
    record: Record, checkpoint: Checkpoint, item: Item, share: float, tally: Tally
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
