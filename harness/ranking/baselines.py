"""What nobody handed in, to compare rows with: no defence, the reference, a G that flags all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment.metrics import defense_effectiveness
from harness.ranking.quality import record_quality
from harness.records.board import Baseline
from harness.records.errors import Status
from harness.records.record import Checkpoint, SplitCounts
from harness.records.traversal import required_checkpoints, required_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.findings import SplitOriginals
    from harness.records.record import Counts, Record
    from harness.records.rubric import Rubric

DO_NOTHING = "do nothing (BadNet)"
REFERENCE = "the reference"
FLAG_EVERYTHING = "flag everything"


def baselines(records: Sequence[Record], rubric: Rubric) -> tuple[Baseline, ...]:
    """The baselines of a board, by counts that the records hold; none where test is hidden."""
    # All records of a board hold the same counts, but not all of them hold the reference's.
    known = [r for r in records if r.badnet is not None and r.badnet.test is not None]
    if not known:
        return ()
    record = max(known, key=lambda each: (len(each.reference), len(required_points(each))))
    return tuple(_baselines(record, rubric))


def _baselines(record: Record, rubric: Rubric) -> Iterator[Baseline]:
    badnet = record.badnet
    if badnet is None or badnet.test is None:
        return

    required = required_points(record)
    own = [_as_goodnet(x, badnet, record.badnet_originals) for x in required]
    yield _baseline(DO_NOTHING, record, own, badnet.test, rubric)

    nets = {net.drop_points: net.goodnet for net in record.reference}
    reference = [_as_goodnet(x, nets[x]) for x in required if x in nets]
    if reference:
        # Of its answers no more than the official counts are kept: 1 - ASR stands for the share
        # of backdoored images answered with the true class or N + 1.
        yield _baseline(REFERENCE, record, reference, None, rubric)

    flagged = SplitCounts(valid=all_flagged(badnet.valid), test=all_flagged(badnet.test))
    everything = [_as_goodnet(x, flagged) for x in required]
    yield _baseline(FLAG_EVERYTHING, record, everything, flagged.test, rubric)


def _as_goodnet(
    drop_points: float, counts: SplitCounts, originals: SplitOriginals | None = None
) -> Checkpoint:
    return Checkpoint(
        drop_points=drop_points,
        required=True,
        status=Status.GRADED,
        reason=None,
        artifact=None,
        goodnet_artifact=None,
        goodnet=counts,
        goodnet_originals=originals,
    )


def all_flagged(counts: Counts) -> Counts:
    """Counts of a net that answers N + 1 to every image."""
    return replace(
        counts,
        clean_correct=0,
        clean_abstained=counts.clean_total,
        clean_invalid=0,
        backdoored_attacked=0,
        backdoored_abstained=counts.backdoored_total,
        backdoored_invalid=0,
        attacks=tuple(
            replace(attack, attacked=0, abstained=attack.total, invalid=0)
            for attack in counts.attacks
        ),
    )


def _baseline(
    name: str,
    record: Record,
    checkpoints: Sequence[Checkpoint],
    goodnet: Counts | None,
    rubric: Rubric,
) -> Baseline:
    # An X that the baseline has no net for is not asked of it.
    own_points = {checkpoint.drop_points for checkpoint in checkpoints}
    own = replace(
        record,
        checkpoints=tuple(checkpoints),
        checks=tuple(check for check in record.checks if check.limit in own_points),
        status=Status.GRADED,
        reason=None,
        overrides=(),
    )
    return Baseline(
        name=name,
        quality=record_quality(own, rubric),
        defense_effectiveness=mean_effectiveness(own),
        goodnet=goodnet,
    )


def mean_effectiveness(record: Record) -> float | None:
    """Mean DER on test over the required GoodNets; None unless it is known of all.

    A mean over those that are there would rise where somebody leaves out a worse one.
    """
    if record.badnet is None or record.badnet.test is None:
        return None

    values = []
    for checkpoint in required_checkpoints(record).values():
        if checkpoint is None or checkpoint.goodnet is None or checkpoint.goodnet.test is None:
            return None
        values.append(defense_effectiveness(record.badnet.test, checkpoint.goodnet.test))
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
