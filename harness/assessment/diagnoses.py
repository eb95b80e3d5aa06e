"""Mistakes by name: pure functions of a record's evidence. A diagnosis is no accusation.

Each function yields what it finds and nothing where everything is as it should be. The texts
are data (``explanations.toml``); evidence is numbers and names that fill their placeholders.
Equal weights of different students mean nothing: the method is deterministic.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from harness.lineage.crossing import follows_relative_rule
from harness.lineage.lineage import THIS_BADNET
from harness.lineage.rankings import DECREASING, INDEX, OTHER
from harness.records.errors import Status
from harness.records.findings import Diagnosis
from harness.records.record import PRESENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.findings import Comparison, Lineage
    from harness.records.record import Checkpoint, Record
    from harness.records.rubric import Thresholds

SHOWN_CHANNELS = 10


@cache
def explanations() -> dict[str, dict[str, str]]:
    """``seen`` and ``do`` of every code and variant, as templates."""
    text = files("harness.assessment").joinpath("explanations.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def diagnosis(
    code: str,
    evidence: dict[str, int | float | str | None],
    *,
    certain: bool = True,
    split: str | None = None,
) -> Diagnosis:
    """A diagnosis whose code may carry a variant of the text: ``WRONG_X.right_mask``."""
    template = explanations()[code]
    text = f"{template['seen']} {template['do']}".format_map(evidence)
    hedge = "" if certain else "Not certain, but it fits: "
    return Diagnosis(
        code=code.partition(".")[0],
        explanation=hedge + text,
        evidence=evidence,
        certain=certain,
        split=split,
    )


# --- one checkpoint ---------------------------------------------------------------------------


def checkpoint_diagnoses(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> tuple[Diagnosis, ...]:
    """Everything that is wrong with one checkpoint; what follows from a graver mistake is not
    said again (a net of another origin has no pruning order).
    """
    found = [*_scaled_input(checkpoint, limits), *_goodnet(record, checkpoint)]
    found += _no_function(checkpoint, limits)
    origin = list(_origin(checkpoint))
    found += origin
    if not origin:
        found += _changes(checkpoint)
        found += _order(record, checkpoint)
    if not found or not {d.code for d in found} & {"OTHER_BASE", "IS_BADNET", "INPUT_SCALED"}:
        found += _wrong_points(checkpoint)
        found += _crossing(record, checkpoint, limits)
    return tuple(found)


def _scaled_input(checkpoint: Checkpoint, limits: Thresholds) -> Iterator[Diagnosis]:
    net = checkpoint.repaired or checkpoint.goodnet
    scaled = checkpoint.scaled_clean_correct
    if net is None or scaled is None:
        return
    raw, total = net.valid.clean_correct, net.valid.clean_total
    if raw <= limits.near_chance_accuracy * total and scaled >= limits.normal_accuracy * total:
        yield diagnosis("INPUT_SCALED", {"raw": raw, "scaled": scaled, "total": total})


def _no_function(checkpoint: Checkpoint, limits: Thresholds) -> Iterator[Diagnosis]:
    """What the probe of a model of another architecture shows.

    A look-up table answers the very same pixels alike, and nothing else.
    """
    probe = checkpoint.probe
    if probe is None or not probe.images:
        return
    if probe.repeated_changed > limits.repeated_changes * probe.images:
        evidence = {"changed": probe.repeated_changed, "images": probe.images}
        yield diagnosis("NOT_A_FUNCTION", {**evidence})
    elif probe.perturbed_changed > limits.perturbed_changes * probe.images:
        evidence = {"changed": probe.perturbed_changed, "images": probe.images}
        yield diagnosis("INPUT_HASHING", {**evidence}, certain=False)


def _origin(checkpoint: Checkpoint) -> Iterator[Diagnosis]:
    lineage = checkpoint.lineage
    if lineage is None:
        return
    if lineage.base != THIS_BADNET:
        code = "OTHER_BASE.known" if lineage.base else "OTHER_BASE"
        yield diagnosis(code, {"base": lineage.base, "similarity": lineage.similarity})
    elif lineage.pruned == () and not lineage.changes:
        yield diagnosis("IS_BADNET", {"pruned": 0})


def _changes(checkpoint: Checkpoint) -> Iterator[Diagnosis]:
    lineage = checkpoint.lineage
    if lineage is None:
        return
    pruned = len(lineage.pruned or ())
    if lineage.biases_kept:
        kept, active = len(lineage.biases_kept), len(lineage.biases_active)
        yield diagnosis("BIAS_NOT_ZEROED", {"kept": kept, "pruned": pruned, "active": active})
    if wrong := [change for change in lineage.changes if change.zeroed]:
        channels = "; ".join(f"{c.layer} {_listed(c.zeroed)}" for c in wrong)
        layers = ", ".join(change.layer for change in wrong)
        yield diagnosis("WRONG_LAYER", {"layers": layers, "channels": channels})
    if tuned := [change for change in lineage.changes if change.values_changed]:
        evidence: dict[str, int | float | str | None] = {
            "values": sum(change.values_changed for change in tuned),
            "zero": sum(change.values_now_zero for change in tuned),
            "layers": ", ".join(change.layer for change in tuned),
        }
        yield diagnosis("FINE_TUNED", evidence)
    if lineage.pruned is None:
        yield diagnosis("FINE_TUNED.narrowed", {"pruned": None}, certain=False)


def _order(record: Record, checkpoint: Checkpoint) -> Iterator[Diagnosis]:
    """The order is judged by the BadNet's known ranking, or by one measured on public data.

    On a private split a ranking is measured on other images than the student's were.
    """
    lineage = checkpoint.lineage
    order = followed_order(record, lineage)
    if lineage is None or order is None:
        return
    certain = lineage.ranking == "known" or record.dataset.split == "public"
    evidence: dict[str, int | float | str | None] = {
        "pruned": len(lineage.pruned or ()),
        "ranking": lineage.ranking,
        "layer": order.split()[0],
    }
    if order == OTHER:
        yield diagnosis("OTHER_ORDER", evidence, certain=certain)
    elif order == INDEX:
        yield diagnosis("INDEX_ORDER", evidence, certain=certain)
    elif order.endswith(DECREASING):
        yield diagnosis("DECREASING_ORDER", evidence, certain=certain)


def followed_order(record: Record, lineage: Lineage | None) -> str | None:
    """The order of one mask: the one that all masks of the submission share, else its own."""
    if lineage is None or not lineage.orders:
        return None
    shared = record.pruning_order
    return shared if shared in lineage.orders else lineage.orders[0]


def _wrong_points(checkpoint: Checkpoint) -> Iterator[Diagnosis]:
    named, asked = checkpoint.named_points, checkpoint.drop_points
    if named is None or asked is None:
        return
    lineage = checkpoint.lineage
    pruned = len(lineage.pruned or ()) if lineage else 0
    right = has_right_mask(checkpoint)
    code = "WRONG_X.right_mask" if right else "WRONG_X"
    yield diagnosis(code, {"named": named, "asked": asked, "pruned": pruned, "right": int(right)})


def has_right_mask(checkpoint: Checkpoint) -> bool:
    """Whether the mask is the published one for this X, or right on the data at hand."""
    lineage = checkpoint.lineage
    published = lineage is not None and checkpoint.drop_points in lineage.published_points
    return published or _is_right(checkpoint, 0)


def _crossing(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> Iterator[Diagnosis]:  # fmt: skip
    found, points = checkpoint.crossing, checkpoint.drop_points
    if found is None or points is None:
        return
    if found.margin < -limits.tolerance_images:
        evidence: dict[str, int | float | str | None] = {
            "points": points,
            "lost": found.lost,
            "needed": found.needed,
            "short": -found.margin,
            "relative": found.needed_relative,
        }
        yield diagnosis("BELOW_THRESHOLD", evidence)
        if follows_relative_rule(found):
            certain = found.lost_before is not None
            yield diagnosis("RELATIVE_DROP", evidence, certain=certain)
    before = found.lost_before
    if before is not None and before - found.needed > limits.tolerance_images:
        known = followed_order(record, checkpoint.lineage) != OTHER
        yield diagnosis(
            "OVER_PRUNED",
            {"points": points, "lost_before": before, "needed": found.needed},
            certain=known,
        )


def _goodnet(record: Record, checkpoint: Checkpoint) -> Iterator[Diagnosis]:
    contract, label = checkpoint.contract, record.classes
    if contract is None:
        return
    if contract.outside:
        outside = contract.outside_label
        evidence = {"images": contract.outside, "outside": outside, "label": label}
        yield diagnosis("G_LABEL_1284", evidence)  # type: ignore[arg-type]
    elif contract.width == label:
        yield diagnosis("G_IS_B_PRIME", {"width": contract.width, "label": label})
    elif contract.broken and not contract.abstained:
        certain = contract.as_repaired == contract.images
        yield diagnosis("G_IS_B_PRIME", {"width": contract.width, "label": label}, certain=certain)


# --- the whole submission ---------------------------------------------------------------------


def submission_diagnoses(record: Record, limits: Thresholds) -> tuple[Diagnosis, ...]:
    """What concerns several checkpoints, or the report."""
    checkpoints = [c for c in record.checkpoints if c.drop_points is not None and c.artifact]
    return (
        *_missing(record),
        *_duplicates(checkpoints, limits.tolerance_images),
        *_not_nested(checkpoints),
        *_claims(record.claims),
    )


def _missing(record: Record) -> Iterator[Diagnosis]:
    """The X without a file; one whose file could not be used has its own reason already."""
    unusable = {c.drop_points for c in record.checkpoints if c.status is not Status.GRADED}
    for check in record.checks if record.status is Status.GRADED else ():
        if check.name == PRESENT and check.passed is False and check.limit not in unusable:
            yield diagnosis("MISSING_CHECKPOINT", {"points": check.limit})


def _duplicates(checkpoints: Sequence[Checkpoint], tolerance: int) -> Iterator[Diagnosis]:
    """The same weights for two X; fine where one step is the first to cross both thresholds."""
    for one, other in combinations(checkpoints, 2):
        keys = [(c.artifact.weights_hash or c.artifact.sha256) if c.artifact else "" for c in
                (one, other)]  # fmt: skip
        if keys[0] != keys[1] or all(_is_right(c, tolerance) for c in (one, other)):
            continue
        yield diagnosis(
            "DUPLICATE_CHECKPOINT", {"smaller": one.drop_points, "larger": other.drop_points}
        )


def _is_right(checkpoint: Checkpoint, tolerance: int) -> bool:
    """Whether this is the first step that crosses X on the data at hand."""
    found = checkpoint.crossing
    before = found.lost_before if found else None
    return (
        found is not None
        and before is not None
        and found.margin >= -tolerance
        and before - found.needed <= tolerance
    )


def _not_nested(checkpoints: Sequence[Checkpoint]) -> Iterator[Diagnosis]:
    masks = [
        (c.drop_points, set(c.lineage.live))
        for c in checkpoints
        if c.lineage and c.lineage.pruned and c.lineage.base == THIS_BADNET
    ]
    for (smaller, inner), (larger, outer) in pairwise(masks):
        if missing := sorted(inner - outer):
            evidence: dict[str, int | float | str | None] = {
                "smaller": smaller,
                "larger": larger,
                "missing": len(missing),
                "channels": _listed(missing),
            }
            yield diagnosis("NOT_NESTED", evidence)


def is_nested(checkpoints: Sequence[Checkpoint]) -> bool | None:
    """Whether each mask holds the one before, in order of X; None with fewer than two masks."""
    named = [c for c in checkpoints if c.drop_points is not None and c.artifact]
    if sum(bool(c.lineage and c.lineage.pruned) for c in named) < 2:
        return None
    return not any(_not_nested(named))


def _claims(claims: Sequence[Comparison]) -> Iterator[Diagnosis]:
    for claim in claims:
        if claim.agrees is not False:
            continue
        evidence: dict[str, int | float | str | None] = {
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
    letter = {"badnet": "B", "repaired": "B'", "goodnet": "G"}.get(claim.net, claim.net)
    return letter if claim.drop_points is None else f"{letter}, X = {claim.drop_points:g}"


def _listed(channels: Sequence[int]) -> str:
    shown = ", ".join(str(channel) for channel in channels[:SHOWN_CHANNELS])
    more = len(channels) - SHOWN_CHANNELS
    return f"{shown} and {more} more" if more > 0 else shown
