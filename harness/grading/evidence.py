"""Evidence about one checkpoint: everything that needs weights, predictions or inference.

What is gathered here is stored with the record; :mod:`harness.assessment` then draws checks,
diagnoses and points from it without opening a model again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.metrics import counts_on, memory_gap, near_chance_limit, split_counts
from harness.assessment.statistics import paired_tests, split_originals
from harness.datasets.fresh import FRESH
from harness.grading.models import Predicted, draw_fresh, predict_model, predict_weights
from harness.inference.identification import Failed, KnownModel, OtherModel
from harness.lineage import lineage
from harness.lineage.channel_groups import fold, kernel_name
from harness.lineage.family import TUNED, family_of
from harness.lineage.goodnet_rule import compare_with_rule
from harness.lineage.normal_form import normal_form
from harness.lineage.rankings import OTHER, followed_order, shared_order
from harness.networks.deepid import Weights
from harness.records.errors import Status, SubmissionError
from harness.records.findings import NeighbouringSteps, Step
from harness.records.predictions import Answers, compose_goodnet
from harness.records.record import Artifact, Checkpoint, FreshCounts, Probe, ReferenceNet
from harness.records.text import storable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from harness.grading.context import GradingBasis, RunContext
    from harness.intake.matching import CheckpointSlot
    from harness.records.benchmark import Datasets, LabeledSet
    from harness.records.findings import GoodNetRule, Lineage, McNemarResult
    from harness.records.submission import Candidate

AnswersBySet = Mapping[str, Answers]
CountClean = Callable[[Weights], int]
"""How many clean validation images a net of these weights gets right."""

_SCALED = 1 / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionModels:
    """The models of a submission and where they come from."""

    models: Mapping[str, Predicted | Failed]
    """By path."""

    lineages: Mapping[str, Lineage]
    """Of those that hold the known network, by path."""

    order: str | None
    """The pruning order that all masks share; None without masks."""


def trace_lineages(
    models: Sequence[Predicted | Failed], slots: Sequence[CheckpointSlot], basis: GradingBasis
) -> SubmissionModels:
    """Look up where every model of the known network comes from, before any further inference."""
    lineages = {
        model.candidate.path: lineage.trace_lineage(
            model.model.weights,
            basis.badnet,
            basis.rankings,
            basis.kernel_hashes,
            basis.network,
        )
        for model in models
        if isinstance(model.model, KnownModel)
    }
    repaired = [slot.repaired.path for slot in slots if slot.repaired]
    pruned = [path for path in repaired if path in lineages and _is_pruned(lineages[path])]
    return SubmissionModels(
        models={model.candidate.path: model for model in models},
        lineages=lineages,
        order=shared_order([lineages[path].orders for path in pruned]),
    )


def gather_checkpoint(
    slot: CheckpointSlot,
    given: SubmissionModels,
    basis: GradingBasis,
    datasets: Datasets,
    run: RunContext,
) -> Checkpoint:
    """One X with what its nets are and scored; checks and diagnoses come later."""
    repaired, goodnet = _model_of(slot.repaired, given), _model_of(slot.goodnet, given)
    own = repaired if isinstance(repaired, Predicted) else None
    submitted = goodnet if isinstance(goodnet, Predicted) else None
    answers = own.predictions.answers if own else None
    if goodnet is not None or "goodnet" in slot.questions:
        combined = submitted.predictions.answers if submitted else None
    else:
        combined = _compose(basis, answers) if answers else None

    count = partial(_count_clean, basis=basis, datasets=datasets, run=run)
    reference = None
    if slot.drop_points is not None and slot.drop_points in basis.reference_masks:
        reference = _reference_answers(slot.drop_points, basis, datasets, run)

    sets = datasets.sets
    identity = _identity(slot, repaired, goodnet, given, basis)
    return replace(
        identity,
        required=slot.drop_points in datasets.benchmark.checkpoints,
        repaired=split_counts(answers, sets) if answers else None,
        goodnet=split_counts(combined, sets) if combined else None,
        repaired_originals=split_originals(answers, sets) if answers else None,
        goodnet_originals=split_originals(combined, sets) if combined else None,
        contract=_compare_with_rule(submitted, answers, basis),
        probe=_join_probes([each for each in (own, submitted) if each], basis, datasets, run),
        steps=_neighbouring_steps(own, given, basis, count),
        changed_answers=_changed_answers(answers or combined, basis),
        scaled_clean_correct=_scaled_clean_correct(
            own or submitted, identity.family, basis, datasets, run
        ),
        paired=_compare_with_reference(answers, combined, reference, basis, datasets),
    )


def _model_of(candidate: Candidate | None, given: SubmissionModels) -> Predicted | Failed | None:
    return given.models[candidate.path] if candidate else None


def _is_pruned(traced: Lineage) -> bool:
    return traced.base == lineage.THIS_BADNET and bool(traced.pruned)


# --- what the files are -----------------------------------------------------------------------


def _identity(
    slot: CheckpointSlot,
    repaired: Predicted | Failed | None,
    goodnet: Predicted | Failed | None,
    given: SubmissionModels,
    basis: GradingBasis,
) -> Checkpoint:
    """The checkpoint before anything was measured."""
    both = [model for model in (repaired, goodnet) if model is not None]
    failures = [model for model in both if isinstance(model, Failed)]
    status, reason, failed_on_images = Status.GRADED, None, False
    if failures:
        status, reason = failures[0].error.status, _reason(failures[0])
        failed_on_images = failures[0].error.saw_images
    elif slot.questions:
        status, reason = Status.REJECTED, "; ".join(slot.questions.values())

    own = repaired if isinstance(repaired, Predicted) else None
    traced = given.lineages.get(own.candidate.path) if own else None
    pruned = traced.pruned if traced else None
    identified = both[0].model if both else None
    checkpoint = Checkpoint(
        drop_points=slot.drop_points,
        required=False,
        status=status,
        reason=reason,
        artifact=_artifact(repaired, "repaired"),
        goodnet_artifact=_artifact(goodnet, "goodnet"),
        channels_pruned=None if pruned is None else len(pruned),
        channels_silent=_inactive_channels(own, basis),
        isolation=identified.isolation if identified else None,
        stream_seed=f"{identified.seed:016x}" if isinstance(identified, OtherModel) else None,
        named_points=slot.named_points,
        lineage=traced,
        failed_on_images=failed_on_images,
    )
    return replace(checkpoint, family=family_of(checkpoint))


def _reason(failed: Failed) -> str:
    return f"{failed.candidate.path}: {failed.error.reason}"


def _artifact(model: Predicted | Failed | None, role: str) -> Artifact | None:
    if model is None:
        return None
    staged = model.staged if isinstance(model, Failed) else model.model.staged
    if staged is None:
        return None
    identified = model.model
    return Artifact(
        path=storable(model.candidate.path),
        sha256=staged.sha256,
        size_bytes=staged.size_bytes,
        format=identified.format if identified else model.candidate.format,
        role=role,
        weights_hash=identified.key if isinstance(identified, KnownModel) else None,
        predictions=model.stored_as if isinstance(model, Predicted) else None,
    )


def _inactive_channels(model: Predicted | None, basis: GradingBasis) -> int | None:
    """Pruned-layer channels that are never active on clean validation, removed ones included."""
    if model is None or model.predictions.inactive is None:
        return None
    inactive = model.predictions.inactive
    removed = basis.network.channels - len(inactive)
    return int(removed + np.count_nonzero(inactive))


# --- GoodNet ----------------------------------------------------------------------------------


def _compose(basis: GradingBasis, repaired: AnswersBySet) -> dict[str, Answers]:
    badnet = basis.predictions.answers
    return {name: compose_goodnet(badnet[name], answers) for name, answers in repaired.items()}


def _compare_with_rule(
    goodnet: Predicted | None, repaired: AnswersBySet | None, basis: GradingBasis
) -> GoodNetRule | None:
    """A submitted G against the GoodNet rule; None where none was submitted."""
    if goodnet is None:
        return None
    predictions = goodnet.predictions
    badnet = basis.predictions.answers
    return compare_with_rule(predictions.answers, badnet, repaired, predictions.output_count)


# --- further inference ------------------------------------------------------------------------


def _neighbouring_steps(
    model: Predicted | None, given: SubmissionModels, basis: GradingBasis, count: CountClean
) -> NeighbouringSteps | None:
    """Clean validation images correct one channel earlier and one later.

    Without a recognised order the most active pruned channel is put back: if even then the
    drop is too large, the net was saved too late in any order.
    """
    if model is None:
        return None
    if not isinstance(model.model, KnownModel):
        return NeighbouringSteps(reason="the steps of this model's pruning are not known")

    traced = given.lineages[model.candidate.path]
    mask = set(traced.pruned or ())
    if not _is_pruned(traced) or traced.changes:
        layer = basis.network.pruned_layer
        reason = f"not a mask of this BadNet's {layer} alone, so the step before is not known"
        return NeighbouringSteps(reason=reason)

    name = followed_order(traced, given.order)
    order = basis.rankings.order(name) or basis.rankings.orders[0]
    last, following = order.last_channel(mask), order.next_channel(mask)
    biases = _pruned_biases(model.model.weights, traced, basis)

    def count_masked(channels: Collection[int]) -> int:
        values = {channel: biases[channel] for channel in channels}
        return count(lineage.flatten_channels(basis.badnet, values, basis.network))

    before = after = None
    if last is not None:
        before = Step(channel=last, clean_correct=count_masked(mask - {last}))
    if following is not None and name != OTHER:
        after = Step(channel=following, clean_correct=count_masked(mask | {following}))

    reason = "" if before else "no active channel was pruned"
    return NeighbouringSteps(order=name, before=before, after=after, reason=reason)


def _pruned_biases(weights: Weights, traced: Lineage, basis: GradingBasis) -> np.ndarray:
    """The bias of each channel once it is pruned: as the net left it, or would leave it."""
    network, badnet = basis.network, basis.badnet
    bias = f"{network.pruned_layer}/bias"
    own = fold(network, badnet)[bias]
    full = normal_form(weights, badnet, network)
    left = own if full is None else full[bias]
    is_pruned = np.isin(np.arange(len(own)), list(traced.pruned or ()))
    return np.where(is_pruned, left, own * bool(traced.biases_kept))


def _count_clean(weights: Weights, basis: GradingBasis, datasets: Datasets, run: RunContext) -> int:
    """Clean validation images that a net gets right."""
    swept = _swept_count(weights, basis) if run.features is not None else None
    if swept is not None:
        return swept
    predictions = predict_weights(weights, datasets, run, ("valid",))
    return _clean_correct(predictions.answers["valid"], datasets.sets["valid"])


def _swept_count(weights: Weights, basis: GradingBasis) -> int | None:
    """What the reference's sweep counted for this very net, if it came by it."""
    kernel = weights[kernel_name(basis.network, basis.network.pruned_layer)]
    mask = np.flatnonzero(~kernel.reshape(-1, kernel.shape[-1]).any(axis=0))
    pruned = lineage.zero_channels(basis.badnet, mask, network=basis.network)
    if not all(np.array_equal(weights[name], pruned[name]) for name in pruned):
        return None
    live = max(basis.swept_counts, key=len, default=frozenset())
    return basis.swept_counts.get(live.intersection(mask.tolist()))


def _clean_correct(answers: Answers, labeled: LabeledSet) -> int:
    return int(np.count_nonzero(answers.class_ids == labeled.labels))


def _changed_answers(answers: AnswersBySet | None, basis: GradingBasis) -> int | None:
    """Images of all sets that a net answers otherwise than the BadNet."""
    if answers is None:
        return None
    badnet = basis.predictions.answers
    return sum(
        int(np.count_nonzero(own.class_ids != badnet[name].class_ids))
        for name, own in answers.items()
    )


def _scaled_clean_correct(
    model: Predicted | None,
    family: str | None,
    basis: GradingBasis,
    datasets: Datasets,
    run: RunContext,
) -> int | None:
    """Clean validation images right on pixels / 255.

    Tried where a net was tuned, perhaps on such pixels, or is near chance on raw ones.
    """
    if model is None or datasets.benchmark.pixel_scale != 1.0:
        return None
    valid = datasets.sets["valid"]
    share, commonest = basis.rubric.thresholds.near_chance_accuracy, np.bincount(valid.labels).max()
    near_chance = near_chance_limit(share, int(commonest), len(valid.labels))
    is_near_chance = _clean_correct(model.predictions.answers["valid"], valid) <= near_chance
    if family != TUNED and not is_near_chance:
        return None

    scaled = replace(datasets, benchmark=replace(datasets.benchmark, pixel_scale=_SCALED))
    try:
        predictions = predict_model(model.model, scaled, run, ("valid",))
    except SubmissionError:
        return None
    return _clean_correct(predictions.answers["valid"], valid)


# --- models that were run -------------------------------------------------------------------


def _join_probes(
    models: Sequence[Predicted], basis: GradingBasis, datasets: Datasets, run: RunContext
) -> Probe | None:
    """What was found when models were asked again: of a B' and a G, the worse of each finding."""
    probes = [model.probe for model in models if model.probe is not None]
    if not probes:
        return None
    counted = [_fresh_counts(model, basis, datasets, run) for model in models if model.fresh]
    return Probe(
        images=probes[0].images,
        repeated_changed=max(probe.repeated_changed for probe in probes),
        perturbed_changed=max(probe.perturbed_changed for probe in probes),
        fresh=max(counted, key=memory_gap, default=None),
    )


def _fresh_counts(
    model: Predicted, basis: GradingBasis, datasets: Datasets, run: RunContext
) -> FreshCounts:
    fresh = draw_fresh(datasets, run)
    in_full = replace(run.unforced(), features=None)  # they are no set that nets share features of
    badnet = predict_weights(basis.badnet, fresh, in_full, tuple(fresh.sets))
    return FreshCounts(
        fresh=counts_on(FRESH, model.fresh, fresh.sets),
        public=counts_on("test", model.predictions.answers, datasets.sets),
        badnet_fresh=counts_on(FRESH, badnet.answers, fresh.sets),
    )


# --- the reference ----------------------------------------------------------------------------


def score_reference_nets(
    basis: GradingBasis, datasets: Datasets, run: RunContext
) -> tuple[ReferenceNet, ...]:
    """What the reference's own B'_X and G_X score on this data."""
    nets = []
    for points, mask in basis.reference_masks.items():
        repaired = _reference_answers(points, basis, datasets, run)
        nets.append(
            ReferenceNet(
                drop_points=points,
                channels_pruned=len(mask),
                repaired=split_counts(repaired, datasets.sets),
                goodnet=split_counts(_compose(basis, repaired), datasets.sets),
            )
        )
    return tuple(nets)


def _reference_answers(
    points: float, basis: GradingBasis, datasets: Datasets, run: RunContext
) -> AnswersBySet:
    mask = basis.reference_masks[points]
    weights = lineage.zero_channels(basis.badnet, mask, network=basis.network)
    # --force predicts submissions again; the reference's nets would be run for each of them.
    return predict_weights(weights, datasets, run.unforced()).answers


def _compare_with_reference(
    repaired: AnswersBySet | None,
    goodnet: AnswersBySet | None,
    reference: AnswersBySet | None,
    basis: GradingBasis,
    datasets: Datasets,
) -> tuple[McNemarResult, ...]:
    """The exact paired tests of B' and G against the reference's on the test split."""
    if reference is None:
        return ()
    results: list[McNemarResult] = []
    if repaired is not None:
        results += paired_tests("repaired", repaired, reference, datasets.sets)
    if goodnet is not None:
        results += paired_tests("goodnet", goodnet, _compose(basis, reference), datasets.sets)
    return tuple(results)
