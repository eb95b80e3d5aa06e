"""Records written down by hand, for tests of what is drawn from them."""

from harness.assessment.checks import presence_checks
from harness.assessment.verdict import assess
from harness.records.errors import Status
from harness.records.findings import Lineage, NeighbouringSteps, Step
from harness.records.record import (
    SCHEMA_VERSION,
    Artifact,
    Checkpoint,
    Counts,
    DatasetIdentity,
    Record,
    ReferenceNet,
    SplitCounts,
)
from harness.storage.rubrics import default_rubric

REQUIRED = (2.0, 4.0, 10.0)


def counts(clean=990, attacked=1000, total=1000, flagged=(0, 0), invalid=(0, 0)):
    """Counts of ``total`` clean and ``total`` backdoored images; ``flagged``: answers N+1."""
    return Counts(
        clean_total=total,
        clean_correct=clean,
        clean_abstained=flagged[0],
        clean_invalid=invalid[0],
        backdoored_total=total,
        backdoored_attacked=attacked,
        backdoored_abstained=flagged[1],
        backdoored_invalid=invalid[1],
    )


def both(valid, test=None):
    return SplitCounts(valid=valid, test=valid if test is None else test)


def lineage(orders=("pool_3 increasing", "conv_3 increasing"), pruned=(0, 1, 2), **changes):
    fields = {"base": "badnet", "similarity": 1.0, "live": pruned, "ranking": "known"}
    return Lineage(**(fields | {"pruned": pruned, "orders": orders} | changes))


def artifact(path="model.h5", weights_hash="h", role="repaired"):
    return Artifact(
        path=path,
        sha256=f"s{weights_hash}",
        size_bytes=1,
        format="h5",
        role=role,
        weights_hash=weights_hash,
    )


def checkpoint(points=2.0, clean=960, before=975, after=940, **changes):
    """A checkpoint that lost ``990 - clean`` of 1000 clean validation images."""
    fields = {
        "drop_points": points,
        "required": points in REQUIRED,
        "status": Status.GRADED,
        "reason": None,
        "artifact": artifact(f"m{points}.h5", f"w{points}"),
        "goodnet_artifact": None,
        "channels_pruned": 3,
        "repaired": both(counts(clean)),
        "goodnet": both(counts(clean - 1, 700, flagged=(30, 290))),
        "lineage": lineage(pruned=tuple(range(int(points or 1) + 2))),
        "steps": NeighbouringSteps(
            order="pool_3 increasing",
            before=None if before is None else Step(channel=7, clean_correct=before),
            after=None if after is None else Step(channel=8, clean_correct=after),
        ),
    }
    return Checkpoint(**(fields | changes))


def good_checkpoints():
    """The first steps that cross 2, 4 and 10 points of 1000 images, from 990 correct ones."""
    return (
        checkpoint(2.0, clean=965, before=975),
        checkpoint(4.0, clean=945, before=960),
        checkpoint(10.0, clean=880, before=895),
    )


def record(*checkpoints, **changes):
    fields = {
        "schema_version": SCHEMA_VERSION,
        "submission": "s",
        "status": Status.GRADED,
        "reason": None,
        "dataset": DatasetIdentity(name="lab3", arrays={}),
        "badnet": both(counts()),
        "badnet_weights_hash": "b",
        "checkpoints": checkpoints,
        "checks": presence_checks(REQUIRED, [c.drop_points for c in checkpoints]),
        "notes": (),
        "environment": {},
        "pruning_order": "pool_3 increasing",
    }
    return Record(**(fields | changes))


def reference_nets():
    """A reference that scores what the good checkpoints score."""
    return tuple(
        ReferenceNet(
            drop_points=c.drop_points, channels_pruned=3, repaired=c.repaired, goodnet=c.goodnet
        )
        for c in good_checkpoints()
    )


def assess_by_hand(*checkpoints, rubric=None, required=REQUIRED, **changes):
    """The record of these checkpoints with checks, diagnoses and points."""
    evidence = record(*checkpoints, **changes)
    return assess(evidence, default_rubric() if rubric is None else rubric, None, required)


def points_of(own):
    """Points by item."""
    return {each.item: each.points for each in own.points}
