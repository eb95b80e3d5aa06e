"""What is wrong with a submission as a whole: missing, equal or inconsistent files, the report.

Each generator yields what it finds, and nothing where everything is as it should be.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from harness.assessment.diagnoses import channel_list, diagnosis
from harness.lineage.lineage import THIS_BADNET
from harness.lineage.thresholds import crosses_first
from harness.records.errors import Status
from harness.records.record import PRESENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.assessment.diagnoses import Evidence
    from harness.records.findings import Comparison, Diagnosis
    from harness.records.record import Checkpoint, Record
    from harness.records.rubric import Thresholds

_NETS = {"badnet": "B", "repaired": "B'", "goodnet": "G"}


def submission_diagnoses(record: Record, limits: Thresholds) -> tuple[Diagnosis, ...]:
    """What concerns several checkpoints, or the report."""
    checkpoints = _submitted(record.checkpoints)
    return (
        *_diagnose_missing(record),
        *_diagnose_duplicates(checkpoints, limits.tolerance_images),
        *_diagnose_nesting(checkpoints),
        *_diagnose_claims(record.claims),
    )


def is_nested(checkpoints: Sequence[Checkpoint]) -> bool | None:
    """Whether each mask holds the one before, in order of X; None with fewer than two masks."""
    submitted = _submitted(checkpoints)
    masks = [c for c in submitted if c.lineage and c.lineage.pruned]
    if len(masks) < 2:
        return None
    return not any(_diagnose_nesting(submitted))


def _submitted(checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """The checkpoints that have an X and a file."""
    return [c for c in checkpoints if c.drop_points is not None and c.artifact]


def _diagnose_missing(record: Record) -> Iterator[Diagnosis]:
    """The X without a file; one whose file could not be used has its own reason already."""
    if record.status is not Status.GRADED:
        return

    unusable = {c.drop_points for c in record.checkpoints if c.status is not Status.GRADED}
    for check in record.checks:
        if check.name == PRESENT and check.passed is False and check.limit not in unusable:
            yield diagnosis("MISSING_CHECKPOINT", {"points": check.limit})


def _diagnose_duplicates(checkpoints: Sequence[Checkpoint], tolerance: int) -> Iterator[Diagnosis]:
    """The same weights for two X; fine where one step is the first to cross both thresholds."""
    for first, second in combinations(checkpoints, 2):
        if _weights_key(first) != _weights_key(second):
            continue
        if all(crosses_first(each.crossing, tolerance) for each in (first, second)):
            continue
        evidence = {"smaller": first.drop_points, "larger": second.drop_points}
        yield diagnosis("DUPLICATE_CHECKPOINT", evidence)


def _weights_key(checkpoint: Checkpoint) -> str:
    """What tells these weights from others: their own hash, or that of the file."""
    if checkpoint.artifact is None:
        return ""
    return checkpoint.artifact.weights_hash or checkpoint.artifact.sha256


def _diagnose_nesting(checkpoints: Sequence[Checkpoint]) -> Iterator[Diagnosis]:
    masks = [
        (c.drop_points, set(c.lineage.live))
        for c in checkpoints
        if c.lineage and c.lineage.pruned and c.lineage.base == THIS_BADNET
    ]
    for (smaller, inner), (larger, outer) in pairwise(masks):
        missing = sorted(inner - outer)
        if missing:
            evidence = {
                "smaller": smaller,
                "larger": larger,
                "missing": len(missing),
                "channels": channel_list(missing),
            }
            code = "NOT_NESTED.misnamed" if outer < inner else "NOT_NESTED"
            yield diagnosis(code, evidence)


def _diagnose_claims(claims: Sequence[Comparison]) -> Iterator[Diagnosis]:
    for claim in claims:
        if claim.agrees is not False:
            continue
        evidence: Evidence = {
            "stated": claim.stated,
            "figure": claim.figure.replace("_", " "),
            "net": _net_name(claim),
            "split": claim.split,
            "measured_images": claim.measured_images,
            "total": claim.total,
            "difference": (claim.stated_images or 0) - (claim.measured_images or 0),
            "slip": claim.slip,
        }
        code = "CLAIM_MISMATCH.slip" if claim.slip else "CLAIM_MISMATCH"
        yield diagnosis(code, evidence, split=claim.split)


def _net_name(claim: Comparison) -> str:
    letter = _NETS.get(claim.net, claim.net)
    return letter if claim.drop_points is None else f"{letter}, X = {claim.drop_points:g}"
