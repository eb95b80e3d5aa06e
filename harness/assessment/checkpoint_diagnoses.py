"""What is wrong with one checkpoint, as a pure function of a record's evidence.

Each generator yields what it finds, and nothing where everything is as it should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.diagnoses import channel_list, diagnosis
from harness.assessment.metrics import clean_hits, near_chance_limit, repelled_hits
from harness.assessment.statistics import better_by_chance
from harness.lineage.family import PRUNED, TUNED
from harness.lineage.lineage import THIS_BADNET
from harness.lineage.rankings import DECREASING, INDEX, OTHER, followed_order
from harness.lineage.thresholds import crosses_first, follows_relative_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.assessment.diagnoses import Evidence
    from harness.records.findings import Diagnosis, LayerChange, Lineage
    from harness.records.record import Checkpoint, Record
    from harness.records.rubric import Thresholds

_EXPLAINS_THE_ACCURACY = {"OTHER_BASE", "IS_BADNET", "INPUT_SCALED", "NEAR_CHANCE"}
"""Where one of these is found, a drop that misses X is no mistake of its own."""


_CLEARLY_BETTER = 0.1
"""By this share of the images scaled pixels are right more often, where a net was tuned on them."""


def checkpoint_diagnoses(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> tuple[Diagnosis, ...]:
    """Everything that is wrong with one checkpoint, without what follows from a graver mistake.

    A net of another origin, for example, has no pruning order.
    """
    diagnoses = [
        *_diagnose_pixel_scale(record, checkpoint, limits),
        *_diagnose_goodnet(record, checkpoint),
        *_diagnose_probe(checkpoint, limits),
        *_diagnose_memory(record, checkpoint, limits),
        *_diagnose_accuracy(record, checkpoint, limits),
    ]

    origin = list(_diagnose_origin(checkpoint, limits))
    diagnoses += origin
    if not origin:
        diagnoses += _diagnose_changes(checkpoint.lineage)
        diagnoses += _diagnose_order(record, checkpoint.lineage)

    codes = {each.code for each in diagnoses}
    if not codes & _EXPLAINS_THE_ACCURACY:
        diagnoses += _diagnose_name(checkpoint)
        diagnoses += _diagnose_threshold(record, checkpoint, limits)
    return tuple(diagnoses)


# --- answers ----------------------------------------------------------------------------------


def _diagnose_pixel_scale(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> Iterator[Diagnosis]:
    net = checkpoint.repaired or checkpoint.goodnet
    scaled = checkpoint.scaled_clean_correct
    if net is None or scaled is None:
        return

    raw, total = net.valid.clean_correct, net.valid.clean_total
    is_better = scaled - raw >= _CLEARLY_BETTER * total
    chance = near_chance_limit(limits.near_chance_accuracy, _commonest(record, total), total)
    trained_so = raw <= chance and scaled >= limits.normal_accuracy * total and is_better
    if checkpoint.family == TUNED and is_better:
        trained_so = True
    if trained_so:
        yield diagnosis("INPUT_SCALED", {"raw": raw, "scaled": scaled, "total": total})


def _diagnose_goodnet(record: Record, checkpoint: Checkpoint) -> Iterator[Diagnosis]:
    rule, label = checkpoint.contract, record.classes
    if rule is None:
        return

    if rule.outside:
        yield diagnosis(
            "G_LABEL_1284",
            {"images": rule.outside, "outside": rule.outside_label, "label": label},
        )
        return

    never_abstains = rule.broken > 0 and not rule.abstained
    if rule.width == label or never_abstains:
        # A net without a score for N+1 cannot be a G; one that only never abstains may be
        # another mistake, unless its answers are B's own.
        certain = rule.width == label or rule.as_repaired == rule.images
        evidence = {"width": rule.width, "label": label}
        yield diagnosis("G_IS_B_PRIME", evidence, certain=certain)


def _diagnose_probe(checkpoint: Checkpoint, limits: Thresholds) -> Iterator[Diagnosis]:
    """What the probe of a model of another architecture shows.

    A look-up table answers the very same pixels alike, and nothing else.
    """
    probe = checkpoint.probe
    if probe is None or not probe.images:
        return

    if probe.repeated_changed > limits.repeated_changes * probe.images:
        evidence = {"changed": probe.repeated_changed, "images": probe.images}
        yield diagnosis("NOT_A_FUNCTION", evidence)
    elif probe.perturbed_changed > limits.perturbed_changes * probe.images:
        evidence = {"changed": probe.perturbed_changed, "images": probe.images}
        yield diagnosis("INPUT_HASHING", evidence, certain=False)


def _diagnose_memory(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> Iterator[Diagnosis]:
    """A model that does better on the public images than on others of the same people."""
    counted = checkpoint.probe.fresh if checkpoint.probe else None
    if counted is None or record.badnet is None or record.badnet.test is None:
        return
    for code, hits in (
        ("MEMORISED_IMAGES", clean_hits),
        ("MEMORISED_IMAGES.backdoored", repelled_hits),
    ):
        public, fresh, badnet = map(hits, (counted.public, counted.fresh, counted.badnet_fresh))
        # Fresh images may happen to be harder: what the BadNet loses costs nobody anything.
        excused = max(0, round(badnet.total * hits(record.badnet.test).share) - badnet.hits)
        right = min(fresh.total, fresh.hits + excused)
        gap = 100 * (public.share - right / fresh.total)
        by_chance = better_by_chance(right, fresh.total, public.hits, public.total)

        # A gap of exactly the limit must not be missed by the last bit of a float.
        is_large = gap >= limits.memory_points - 1e-9
        if is_large and by_chance < limits.memory_significance:
            evidence: Evidence = {
                "public": f"{100 * public.share:.1f}",
                "fresh": f"{100 * fresh.share:.1f}",
                "images": fresh.total,
                "badnet": f"{100 * badnet.share:.1f}",
            }
            yield diagnosis(code, evidence, split="test")
            return  # one is enough


def _diagnose_accuracy(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> Iterator[Diagnosis]:
    """A net that recognises nothing, and one that knows validation by heart."""
    net = checkpoint.repaired or checkpoint.goodnet
    if net is None or not net.valid.clean_total:
        return

    right, total = net.valid.clean_correct, net.valid.clean_total
    commonest = _commonest(record, total)
    if right <= commonest + limits.chance_margin_points * total / 100:
        evidence = {"right": right, "total": total, "commonest": commonest}
        yield diagnosis("NEAR_CHANCE", evidence)

    test = net.test
    if checkpoint.family == PRUNED or test is None or not test.clean_total:
        return  # who only prunes learns nothing
    gap = 100 * (right / total - test.clean_correct / test.clean_total)
    if gap >= limits.generalisation_gap_points:
        yield diagnosis("KNOWS_VALIDATION", {"gap": round(gap, 1)}, split="test")


def _commonest(record: Record, total: int) -> int:
    """Clean validation images of the commonest class."""
    if record.commonest_class_images is not None:
        return record.commonest_class_images
    # Older records do not say; the classes of the lab are equally common.
    return -(-total // record.classes)


# --- weights ----------------------------------------------------------------------------------


def _diagnose_origin(checkpoint: Checkpoint, limits: Thresholds) -> Iterator[Diagnosis]:
    lineage, changed = checkpoint.lineage, checkpoint.changed_answers
    if lineage is not None and lineage.base != THIS_BADNET:
        code = "OTHER_BASE.known" if lineage.base else "OTHER_BASE"
        yield diagnosis(code, {"base": lineage.base, "similarity": lineage.similarity})
    elif lineage is not None and lineage.pruned == () and not lineage.changes:
        yield diagnosis("IS_BADNET", {"pruned": 0})
    elif changed is not None and changed <= limits.tolerance_images:
        yield diagnosis("IS_BADNET.answers", {"changed": changed})


def _diagnose_changes(lineage: Lineage | None) -> Iterator[Diagnosis]:
    if lineage is None:
        return

    if lineage.biases_kept:
        evidence = {
            "kept": len(lineage.biases_kept),
            "pruned": len(lineage.pruned or ()),
            "active": len(lineage.biases_active),
        }
        yield diagnosis("BIAS_NOT_ZEROED", evidence)

    zeroed = [change for change in lineage.changes if change.zeroed]
    if zeroed:
        channels = "; ".join(f"{change.layer} {channel_list(change.zeroed)}" for change in zeroed)
        told = {"layers": _layers(zeroed), "channels": channels}
        yield diagnosis("WRONG_LAYER", told | _layers_of(lineage))

    tuned = [change for change in lineage.changes if change.values_changed]
    if tuned:
        values = sum(change.values_changed for change in tuned)
        zero = sum(change.values_now_zero for change in tuned)
        yield diagnosis("FINE_TUNED", {"values": values, "zero": zero, "layers": _layers(tuned)})

    if lineage.pruned is None:
        narrowed = {"pruned": None, **_layers_of(lineage)}
        yield diagnosis("FINE_TUNED.narrowed", narrowed, certain=False)


def _layers_of(lineage: Lineage) -> dict[str, str]:
    """Which layer is pruned, and by which ones its channels are ranked."""
    return {
        "pruned_layer": lineage.pruned_layer,
        "ranked_layers": " or ".join(lineage.ranked_layers),
    }


def _layers(changes: Sequence[LayerChange]) -> str:
    return ", ".join(change.layer for change in changes)


def _diagnose_order(record: Record, lineage: Lineage | None) -> Iterator[Diagnosis]:
    """The order is judged by the BadNet's known ranking, or by one measured on public data.

    On a private split a ranking is measured on other images than the student's were.
    """
    order = followed_order(lineage, record.pruning_order)
    if lineage is None or order is None:
        return

    certain = lineage.ranking == "known" or record.dataset.split == "public"
    evidence = {
        "pruned": len(lineage.pruned or ()),
        "ranking": lineage.ranking,
        "layer": order.split()[0],
        **_layers_of(lineage),
    }
    if order == OTHER:
        yield diagnosis("OTHER_ORDER", evidence, certain=certain)
    elif order == INDEX:
        yield diagnosis("INDEX_ORDER", evidence, certain=certain)
    elif order.endswith(DECREASING):
        yield diagnosis("DECREASING_ORDER", evidence, certain=certain)


# --- the threshold X --------------------------------------------------------------------------


def _diagnose_name(checkpoint: Checkpoint) -> Iterator[Diagnosis]:
    """A file that is named for another X than the one it stands in for."""
    named, asked = checkpoint.named_points, checkpoint.drop_points
    if named is None or asked is None:
        return

    lineage = checkpoint.lineage
    pruned = len(lineage.pruned or ()) if lineage else 0
    right = _has_right_mask(checkpoint)
    code = "WRONG_X.right_mask" if right else "WRONG_X"
    yield diagnosis(code, {"named": named, "asked": asked, "pruned": pruned, "right": int(right)})


def _has_right_mask(checkpoint: Checkpoint) -> bool:
    """Whether the mask is the published one for this X, or right on the data at hand."""
    lineage = checkpoint.lineage
    if lineage is not None and checkpoint.drop_points in lineage.published_points:
        return True
    return crosses_first(checkpoint.crossing, tolerance=0)


def _diagnose_threshold(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> Iterator[Diagnosis]:
    margin, points = checkpoint.crossing, checkpoint.drop_points
    if margin is None or points is None:
        return

    before = margin.lost_before
    if margin.margin < -limits.tolerance_images:
        evidence = {
            "points": points,
            "lost": margin.lost,
            "needed": margin.needed,
            "short": -margin.margin,
            "relative": margin.needed_relative,
        }
        yield diagnosis("BELOW_THRESHOLD", evidence)
        if follows_relative_rule(margin):
            yield diagnosis("RELATIVE_DROP", evidence, certain=before is not None)

    if before is not None and before - margin.needed > limits.tolerance_images:
        # In no known order the step before is a guess: the most active channel put back.
        certain = followed_order(checkpoint.lineage, record.pruning_order) != OTHER
        evidence = {"points": points, "lost_before": before, "needed": margin.needed}
        yield diagnosis("OVER_PRUNED", evidence, certain=certain)
