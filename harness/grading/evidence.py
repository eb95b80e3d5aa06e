"""Evidence about one checkpoint: everything that needs weights, predictions or inference.

What is gathered here is stored with the record; :mod:`harness.assessment` then draws checks,
diagnoses and points from it without opening a model again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.statistics import original_counts, paired_test
from harness.grading.context import SETS, Bench, Model, split_counts
from harness.grading.models import model_answers, network_answers
from harness.lineage import lineage
from harness.lineage.goodnet_rule import contract
from harness.lineage.rankings import OTHER, shared_order
from harness.records.errors import Status, SubmissionError
from harness.records.findings import Lineage, NeighbouringSteps, SplitOriginals, Step
from harness.records.predictions import compose_goodnet, decode
from harness.records.record import Artifact, Checkpoint, ReferenceNet
from harness.records.text import storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.intake.matching import CheckpointSlot
    from harness.networks.deepid import Weights
    from harness.records.findings import McNemarResult, OriginalCounts

    Encoded = Mapping[str, np.ndarray]

_SCALED = 1 / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionModels:
    """A submission whose models were opened: by path, with their lineages and shared order."""

    models: Mapping[str, Model]
    lineages: Mapping[str, Lineage]
    order: str | None


def opened(
    models: Sequence[Model], places: Sequence[CheckpointSlot], bench: Bench
) -> SubmissionModels:
    """Look up where every model of the known network comes from, before any further inference."""
    lineages = {
        m.candidate.path: lineage.lineage(
            m.weights, bench.badnet, bench.rankings, bench.fingerprints
        )
        for m in models
        if m.weights is not None
    }
    repaired = [place.repaired.path for place in places if place.repaired]
    masks = [lineages[p].orders for p in repaired if p in lineages and _is_pruned(lineages[p])]
    return SubmissionModels(
        models={m.candidate.path: m for m in models},
        lineages=lineages,
        order=shared_order(masks),
    )


def _is_pruned(found: Lineage) -> bool:
    return found.base == lineage.THIS_BADNET and bool(found.pruned)


def checkpoint(place: CheckpointSlot, given: SubmissionModels, bench: Bench) -> Checkpoint:
    """One X with what its nets are and scored; checks and diagnoses come later."""
    repaired = given.models[place.repaired.path] if place.repaired else None
    goodnet = given.models[place.goodnet.path] if place.goodnet else None
    failed = next((m for m in (repaired, goodnet) if m is not None and m.failure), None)
    failure = failed.failure if failed else None
    usable = repaired if repaired is not None and not repaired.failure else None
    found = given.lineages.get(usable.candidate.path) if usable else None
    asked = next((m for m in (repaired, goodnet) if m is not None), None)
    basis = Checkpoint(
        drop_points=place.drop_points,
        required=place.drop_points in bench.benchmark.checkpoints,
        status=failure.status if failure else Status.GRADED,
        reason=f"{failed.candidate.path}: {failure.reason}" if failed and failure else None,
        artifact=_artifact(repaired, "repaired"),
        goodnet_artifact=_artifact(goodnet, "goodnet"),
        channels_pruned=None if found is None or found.pruned is None else len(found.pruned),
        channels_silent=_silent_channels(usable, bench),
        isolation=asked.isolation if asked else None,
        stream_seed=f"{asked.seed:016x}" if asked and asked.seed else None,
        probe=next((m.probe for m in (repaired, goodnet) if m is not None and m.probe), None),
        named_points=place.named_points,
        lineage=found,
    )
    return _with_measurements(basis, usable, goodnet, given, bench)


def _with_measurements(
    basis: Checkpoint,
    repaired: Model | None,
    goodnet: Model | None,
    given: SubmissionModels,
    bench: Bench,
) -> Checkpoint:
    composed = _goodnet_answers(repaired, goodnet, bench)
    answers = repaired.answers if repaired else None
    submitted = goodnet is not None and not goodnet.failure and goodnet.width is not None
    return replace(
        basis,
        repaired=split_counts(answers, bench) if answers else None,
        goodnet=split_counts(composed, bench) if composed else None,
        repaired_originals=originals(answers, bench) if answers else None,
        goodnet_originals=originals(composed, bench) if composed else None,
        contract=contract(
            goodnet.answers, bench.badnet_answers, answers, bench.benchmark.classes,
            goodnet.width,
        ) if goodnet is not None and submitted and goodnet.width is not None else None,
        steps=_steps(repaired, basis.lineage, given.order, bench),
        scaled_clean_correct=_scaled_clean_correct(repaired or goodnet, bench),
        paired=_paired(basis.drop_points, answers, composed, bench),
    )  # fmt: skip


def _goodnet_answers(
    repaired: Model | None, goodnet: Model | None, bench: Bench
) -> Encoded | None:  # fmt: skip
    """Answers of the submitted G, else of GoodNet(B, B')."""
    if goodnet is not None:
        return None if goodnet.failure else goodnet.answers
    return None if repaired is None else _composed(repaired.answers, bench)


def _composed(repaired: Encoded, bench: Bench) -> dict[str, np.ndarray]:
    classes = bench.benchmark.classes
    return {
        name: compose_goodnet(bench.badnet_answers[name], repaired[name], classes) for name in SETS
    }


# --- what the files are -----------------------------------------------------------------------


def _artifact(model: Model | None, role: str) -> Artifact | None:
    if model is None or model.staged is None:
        return None
    return Artifact(
        path=storable(model.candidate.path),
        sha256=model.staged.sha256,
        size_bytes=model.staged.size_bytes,
        format=model.format or model.candidate.format,
        role=role,
        weights_hash=model.key if model.weights is not None else None,
        predictions=model.stored_as,
    )


def _silent_channels(model: Model | None, bench: Bench) -> int | None:
    """Channels of conv_3 that are never active on clean validation, removed ones included."""
    if model is None or model.silent is None:
        return None
    removed = bench.badnet["conv_3/bias"].shape[0] - len(model.silent)
    return int(removed + np.count_nonzero(model.silent))


def originals(answers: Encoded, bench: Bench) -> SplitOriginals | None:
    """Counts against the true classes of backdoored images, where the data holds them."""
    found: dict[str, OriginalCounts | None] = {}
    for split in ("valid", "test"):
        labels = bench.sets[f"bd_{split}"].original_labels
        decoded = decode(answers[f"bd_{split}"], bench.benchmark.classes)
        target = bench.benchmark.target_label
        found[split] = None if labels is None else original_counts(decoded, labels, target)
    return SplitOriginals(**found) if any(found.values()) else None


# --- further inference ------------------------------------------------------------------------


def _steps(
    model: Model | None, found: Lineage | None, shared: str | None, bench: Bench
) -> NeighbouringSteps | None:
    """Clean validation images correct one channel earlier and one later.

    Without a recognised order the most active pruned channel is put back: if even then the
    drop is too large, the net was saved too late in any order.
    """
    if model is None or model.weights is None or found is None:
        return (
            NeighbouringSteps(reason="the steps of this model's pruning are not known")
            if model
            else None
        )
    full = lineage.widened(model.weights, bench.badnet)
    if full is None or not _is_pruned(found) or found.changes:
        reason = "not a mask of this BadNet's conv_3 alone, so the step before is not known"
        return NeighbouringSteps(reason=reason)
    name = shared if shared in found.orders else found.orders[0]
    order = bench.rankings.order(name) or bench.rankings.orders[0]
    last, following = (pick(found.pruned or ()) for pick in (order.last_taken, order.next_taken))
    before = after = None
    if last is not None:
        before = _step(last, lineage.restored(full, bench.badnet, last), bench)
    if following is not None and name != OTHER:
        keep = bool(found.biases_kept)
        after = _step(following, lineage.zeroed(full, [following], keep_biases=keep), bench)
    reason = "" if before else "no active channel was pruned"
    return NeighbouringSteps(order=name, before=before, after=after, reason=reason)


def _step(channel: int, weights: Weights, bench: Bench) -> Step:
    correct = _swept(weights, bench)
    if correct is None:
        correct = _clean_correct(network_answers(weights, bench, ("valid",)).encoded, bench)
    return Step(channel=channel, clean_correct=correct)


def _swept(weights: Weights, bench: Bench) -> int | None:
    """What the reference's sweep counted for this very net, if it came by it."""
    kernel = weights["conv_3/kernel"]
    mask = np.flatnonzero(~kernel.reshape(-1, kernel.shape[-1]).any(axis=0))
    pruned = lineage.zeroed(bench.badnet, mask)
    if bench.features is None or not all(
        np.array_equal(weights[name], pruned[name]) for name in pruned
    ):
        return None
    live = max(bench.swept, key=len, default=frozenset())
    return bench.swept.get(live.intersection(mask.tolist()))


def _clean_correct(encoded: Encoded, bench: Bench) -> int:
    decoded = decode(encoded["valid"], bench.benchmark.classes)
    return int(np.count_nonzero(decoded.class_ids == bench.sets["valid"].labels))


def _scaled_clean_correct(model: Model | None, bench: Bench) -> int | None:
    """Clean validation images right on pixels / 255; tried only near chance on raw pixels."""
    if model is None or model.failure or bench.benchmark.pixel_scale != 1.0:
        return None
    near_chance = bench.rubric.thresholds.near_chance_accuracy * len(bench.sets["valid"].labels)
    if _clean_correct(model.answers, bench) > near_chance:
        return None
    scaled = replace(bench, benchmark=replace(bench.benchmark, pixel_scale=_SCALED))
    try:
        return _clean_correct(model_answers(model, scaled, ("valid",)).encoded, bench)
    except SubmissionError:
        return None


# --- the reference ----------------------------------------------------------------------------


def reference_nets(bench: Bench) -> tuple[ReferenceNet, ...]:
    """What the reference's own B'_X and G_X score on this data."""
    nets = []
    for points, mask in bench.reference_masks.items():
        repaired = _reference_answers(points, bench)
        nets.append(
            ReferenceNet(
                drop_points=points,
                channels_pruned=len(mask),
                repaired=split_counts(repaired, bench),
                goodnet=split_counts(_composed(repaired, bench), bench),
            )
        )
    return tuple(nets)


def _reference_answers(points: float, bench: Bench) -> Encoded:
    weights = lineage.zeroed(bench.badnet, bench.reference_masks[points])
    # --force predicts submissions again; the reference's nets would be run for each of them.
    unforced = replace(bench, options=replace(bench.options, force=False))
    return network_answers(weights, unforced).encoded


def _paired(
    points: float | None, repaired: Encoded | None, goodnet: Encoded | None, bench: Bench
) -> tuple[McNemarResult, ...]:
    """The exact paired tests of B' and G against the reference's on the test split."""
    if points not in bench.reference_masks or points is None:
        return ()
    reference = _reference_answers(points, bench)
    pairs = {"repaired": (repaired, reference), "goodnet": (goodnet, _composed(reference, bench))}
    return tuple(
        paired_test(net, name, _won(own, name, bench), _won(theirs, name, bench))
        for net, (own, theirs) in pairs.items()
        if own is not None
        for name in ("test", "bd_test")
    )


def _won(answers: Encoded, name: str, bench: Bench) -> np.ndarray:
    """Clean images that got their class; backdoored ones that did not get the target."""
    labels = bench.sets[name].labels
    right = decode(answers[name], bench.benchmark.classes).class_ids == labels
    return np.asarray(~right if name.startswith("bd_") else right)
