"""Every diagnosis once, as the harness itself makes it: no text on the page is typed twice.

Each scenario spoils a copy of a real record (``record.example.json``: the worked example on the
embedded benchmark) and lets the harness judge it again by the default rubric. Masks are those of
really changed weights, accuracies those of the benchmark's own pruning curve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from worked_example import badnet, benchmark, correct, example, order, rankings

from harness.assessment.verdict import reassess
from harness.lineage.lineage import kernel_hashes, remove_channels, trace_lineage, zero_channels
from harness.lineage.thresholds import first_crossing
from harness.records.findings import GoodNetRule, NeighbouringSteps, Step
from harness.records.record import Counts, FreshCounts, Probe
from harness.records.submission import Claim
from harness.storage.rubrics import default_rubric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.networks.deepid import Weights
    from harness.records.findings import Diagnosis
    from harness.records.record import Checkpoint, Record

X = {2.0: 0, 4.0: 1, 10.0: 2}
"""Where a checkpoint stands in the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A mistake as the harness sees it."""

    record: Record
    """The example's record with the mistake, judged."""

    diagnosis: Diagnosis
    """What the mistake was diagnosed as."""

    checkpoint: Checkpoint | None
    """Where it was made; None where it is one of the whole submission."""

    weights: Weights | None = None
    """The weights with the mistake, where a picture shows them."""

    @property
    def mask(self) -> tuple[int, ...]:
        """The channels that are pruned in it."""
        if self.checkpoint is None or self.checkpoint.lineage is None:
            raise ValueError(f"{self.diagnosis.code}: its scenario has no mask")
        return self.checkpoint.lineage.pruned or ()

    @property
    def failed(self) -> list[str]:
        """Names of the checks that say no."""
        checks = list(self.record.checks)
        for checkpoint in self.record.checkpoints:
            checks += checkpoint.checks
        return sorted({check.name for check in checks if check.passed is False})


def _checkpoint(points: float, weights: Weights | None = None, **changes: object) -> Checkpoint:
    """The example's checkpoint for X, with the lineage of other weights."""
    original = example().checkpoints[X[points]]
    if weights is None:
        return replace(original, **changes)
    lineage = trace_lineage(weights, badnet(), rankings(), {})
    count = None if lineage.pruned is None else len(lineage.pruned)
    return replace(original, **({"lineage": lineage, "channels_pruned": count} | changes))


def _at_step(points: float, step: int, curve: Sequence[int] = (), **changes: object) -> Checkpoint:
    """The checkpoint saved after ``step`` channels of the right order."""
    hits = curve or correct()
    original = example().checkpoints[X[points]]
    counts = original.repaired
    if counts is None:
        raise ValueError("the example's nets were graded")
    steps = NeighbouringSteps(
        order="pool_3 increasing",
        before=Step(channel=order()[step - 1], clean_correct=hits[step - 1]),
        after=Step(channel=order()[step], clean_correct=hits[step + 1]),
    )
    repaired = replace(counts, valid=replace(counts.valid, clean_correct=hits[step]))
    weights = zero_channels(badnet(), order()[:step])
    return _checkpoint(points, weights, repaired=repaired, steps=steps, **changes)


def _reassess(
    code: str, *checkpoints: Checkpoint, weights: Weights | None = None, **changes: object
) -> Scenario:
    """The example with these checkpoints in the place of its own."""
    by_points = {checkpoint.drop_points: checkpoint for checkpoint in example().checkpoints}
    by_points |= {checkpoint.drop_points: checkpoint for checkpoint in checkpoints}
    spoilt = replace(example(), **({"checkpoints": tuple(by_points.values())} | changes))
    record = reassess(spoilt, default_rubric(), None)

    diagnosis, checkpoint = _find_diagnosis(record, code.partition(".")[0])
    if checkpoint is None and checkpoints:
        reassessed = {each.drop_points: each for each in record.checkpoints}
        checkpoint = reassessed[checkpoints[0].drop_points]
    return Scenario(record=record, diagnosis=diagnosis, checkpoint=checkpoint, weights=weights)


def _find_diagnosis(record: Record, code: str) -> tuple[Diagnosis, Checkpoint | None]:
    """The first diagnosis of that code, and the checkpoint that has it; KeyError without one."""
    for checkpoint in record.checkpoints:
        for diagnosis in checkpoint.diagnoses:
            if diagnosis.code == code:
                return diagnosis, checkpoint
    for diagnosis in record.diagnoses:
        if diagnosis.code == code:
            return diagnosis, None
    raise KeyError(code)


def _mask(code: str, channels: Iterable[int], pruning_order: str) -> Scenario:
    checkpoint = _checkpoint(2.0, zero_channels(badnet(), channels))
    return _reassess(code, checkpoint, pruning_order=pruning_order)


def _random_weights() -> Weights:
    rng = np.random.default_rng(1)
    return {name: rng.normal(0, 0.05, a.shape).astype(a.dtype) for name, a in badnet().items()}


# --- one for each code ------------------------------------------------------------------------


def _bias_not_zeroed(code: str) -> Scenario:
    weights = zero_channels(badnet(), order()[:45], keep_biases=True)
    return _reassess(code, _checkpoint(2.0, weights), weights=weights)


def _wrong_x(code: str) -> Scenario:
    step = first_crossing(correct(), benchmark().images["valid"], 3) or 0
    return _reassess(code, _at_step(2.0, step, named_points=3.0))


def _wrong_x_right_mask(code: str) -> Scenario:
    return _reassess(code, _checkpoint(4.0, named_points=5.0))


def _below_threshold(code: str) -> Scenario:
    return _reassess(code, _at_step(2.0, 44))


def _over_pruned(code: str) -> Scenario:
    return _reassess(code, _at_step(2.0, 46))


def _relative_drop(code: str) -> Scenario:
    # No step of this BadNet lies between the two rules; one is put there.
    curve = list(correct())
    curve[52] = curve[0] - 1150
    return _reassess(code, _at_step(10.0, 52, curve))


def _wrong_layer(code: str) -> Scenario:
    weights = {name: array.copy() for name, array in badnet().items()}
    for name in ("conv_4/kernel", "conv_4/bias"):
        weights[name][..., [3, 17, 40, 41, 66]] = 0
    return _reassess(code, _checkpoint(2.0, weights))


def _index_order(code: str) -> Scenario:
    return _mask(code, range(45), "index")


def _decreasing_order(code: str) -> Scenario:
    return _mask(code, order()[-12:], "pool_3 decreasing")


def _other_order(code: str) -> Scenario:
    channels = np.random.default_rng(5).permutation(60)[:30]
    return _mask(code, [int(c) for c in channels], "other")


def _not_nested(code: str) -> Scenario:
    channels = (*order()[:42], *order()[45:51])
    return _reassess(code, _checkpoint(4.0, zero_channels(badnet(), channels)))


def _misnamed(code: str) -> Scenario:
    nets = {x: zero_channels(badnet(), order()[:count]) for x, count in ((2.0, 48), (4.0, 45))}
    return _reassess(code, *(_checkpoint(x, weights) for x, weights in nets.items()))


def _tuned_weights() -> Weights:
    weights = zero_channels(badnet(), order()[:45])
    noise = np.random.default_rng(2).normal(0, 0.01, weights["fc_2/kernel"].shape)
    weights["fc_2/kernel"] = (weights["fc_2/kernel"] + noise).astype(np.float32)
    return weights


def _fine_tuned(code: str) -> Scenario:
    weights = _tuned_weights()
    return _reassess(code, _checkpoint(2.0, weights), weights=weights)


def _fine_tuned_narrowed(code: str) -> Scenario:
    weights = remove_channels(badnet(), order()[:45])
    kernel = np.random.default_rng(3).normal(0, 0.1, weights["conv_3/kernel"].shape)
    weights["conv_3/kernel"] = kernel.astype(np.float32)
    return _reassess(code, _checkpoint(2.0, weights))


def _other_base(code: str) -> Scenario:
    weights = _random_weights()
    return _reassess(code, _checkpoint(2.0, weights), weights=weights)


def _other_base_known(code: str) -> Scenario:
    weights = _random_weights()
    known = {"another-lab": kernel_hashes(weights)}
    lineage = trace_lineage(weights, badnet(), rankings(), known)
    return _reassess(code, _checkpoint(2.0, lineage=lineage))


def _is_badnet(code: str) -> Scenario:
    lineage = trace_lineage(badnet(), badnet(), rankings(), {})
    return _reassess(code, _at_step(2.0, 1, lineage=lineage))


def _is_badnet_answers(code: str) -> Scenario:
    weights = zero_channels(badnet(), order()[:1])
    return _reassess(code, _at_step(2.0, 1, changed_answers=1), weights=weights)


def _near_chance(code: str) -> Scenario:
    return _reassess(code, _with_correct(9, 10))


def _knows_validation(code: str) -> Scenario:
    lineage = trace_lineage(_tuned_weights(), badnet(), rankings(), {})
    return _reassess(code, _with_correct(11_300, 9_100, lineage=lineage))


def _with_correct(valid: int, test: int, **changes: object) -> Checkpoint:
    """The checkpoint for X = 2 with so many clean images right, of B' and of G."""
    original = example().checkpoints[0]
    if original.repaired is None or original.repaired.test is None:
        raise ValueError("the example's nets were graded")
    counts = replace(
        original.repaired,
        valid=replace(original.repaired.valid, clean_correct=valid),
        test=replace(original.repaired.test, clean_correct=test),
    )
    return replace(original, repaired=counts, goodnet=counts, **changes)


def _goodnet(code: str, width: int, outside: int, outside_label: int | None) -> Scenario:
    """A submitted G for X = 2, with as many flagged images as the right one has."""
    images = sum(benchmark().images.values())
    flagged = 834
    rule = GoodNetRule(
        against="B and B'",
        width=width,
        images=images,
        broken=flagged,
        abstained=0,
        outside=outside,
        outside_label=outside_label,
        as_repaired=images - outside,
    )
    return _reassess(code, _checkpoint(2.0, contract=rule))


def _g_is_b_prime(code: str) -> Scenario:
    return _goodnet(code, benchmark().classes, 0, None)


def _g_label_1284(code: str) -> Scenario:
    return _goodnet(code, 0, 834, 1284)


def _input_scaled(code: str) -> Scenario:
    repaired = example().checkpoints[0].repaired
    if repaired is None:
        raise ValueError("the example's nets were graded")
    right = repaired.valid.clean_correct
    return _reassess(code, _with_correct(9, 10, scaled_clean_correct=right))


def _not_a_function(code: str) -> Scenario:
    probe = Probe(images=512, repeated_changed=131, perturbed_changed=134)
    return _reassess(code, _checkpoint(2.0, probe=probe))


def _input_hashing(code: str) -> Scenario:
    probe = Probe(images=512, repeated_changed=0, perturbed_changed=507)
    return _reassess(code, _checkpoint(2.0, probe=probe))


def _memorised(code: str, fresh: Counts) -> Scenario:
    repaired, badnet = example().checkpoints[0].repaired, example().badnet
    if repaired is None or repaired.test is None or badnet is None or badnet.test is None:
        raise ValueError("the example's nets were graded")
    public = replace(repaired.test, backdoored_attacked=0)
    same = replace(fresh, clean_correct=505, backdoored_attacked=512)
    counted = FreshCounts(fresh=fresh, public=public, badnet_fresh=same)
    probe = Probe(images=512, repeated_changed=0, perturbed_changed=3, fresh=counted)
    return _reassess(code, _checkpoint(2.0, probe=probe))


def _fresh_counts(clean_correct: int, backdoored_attacked: int) -> Counts:
    return Counts(
        clean_total=512,
        clean_correct=clean_correct,
        clean_abstained=0,
        clean_invalid=0,
        backdoored_total=512,
        backdoored_attacked=backdoored_attacked,
        backdoored_abstained=0,
        backdoored_invalid=0,
    )


def _memorised_images(code: str) -> Scenario:
    return _memorised(code, _fresh_counts(1, 0))


def _memorised_backdoored(code: str) -> Scenario:
    return _memorised(code, _fresh_counts(503, 512))


def _missing_checkpoint(code: str) -> Scenario:
    return _reassess(code, checkpoints=example().checkpoints[:2])


def _duplicate_checkpoint(code: str) -> Scenario:
    last = example().checkpoints[2]
    same = _at_step(4.0, 52, artifact=last.artifact)
    return _reassess(code, same)


def _claim(code: str, clean_accuracy: float) -> Scenario:
    claim = Claim(
        benchmark="faces",
        split="test",
        net="repaired",
        drop_points=2.0,
        clean_accuracy=clean_accuracy,
    )
    return _reassess(code, claimed=(claim,))


def _claim_mismatch(code: str) -> Scenario:
    return _claim(code, 0.9441)


def _claim_mismatch_slip(code: str) -> Scenario:
    return _claim(code, 0.9622)


SCENARIOS: dict[str, Callable[[str], Scenario]] = {
    "BIAS_NOT_ZEROED": _bias_not_zeroed,
    "WRONG_X": _wrong_x,
    "WRONG_X.right_mask": _wrong_x_right_mask,
    "BELOW_THRESHOLD": _below_threshold,
    "RELATIVE_DROP": _relative_drop,
    "OVER_PRUNED": _over_pruned,
    "WRONG_LAYER": _wrong_layer,
    "INDEX_ORDER": _index_order,
    "DECREASING_ORDER": _decreasing_order,
    "OTHER_ORDER": _other_order,
    "NOT_NESTED": _not_nested,
    "NOT_NESTED.misnamed": _misnamed,
    "FINE_TUNED": _fine_tuned,
    "FINE_TUNED.narrowed": _fine_tuned_narrowed,
    "OTHER_BASE": _other_base,
    "OTHER_BASE.known": _other_base_known,
    "IS_BADNET": _is_badnet,
    "IS_BADNET.answers": _is_badnet_answers,
    "NEAR_CHANCE": _near_chance,
    "KNOWS_VALIDATION": _knows_validation,
    "G_IS_B_PRIME": _g_is_b_prime,
    "G_LABEL_1284": _g_label_1284,
    "INPUT_SCALED": _input_scaled,
    "NOT_A_FUNCTION": _not_a_function,
    "INPUT_HASHING": _input_hashing,
    "MEMORISED_IMAGES": _memorised_images,
    "MEMORISED_IMAGES.backdoored": _memorised_backdoored,
    "MISSING_CHECKPOINT": _missing_checkpoint,
    "DUPLICATE_CHECKPOINT": _duplicate_checkpoint,
    "CLAIM_MISMATCH": _claim_mismatch,
    "CLAIM_MISMATCH.slip": _claim_mismatch_slip,
}


@cache
def scenario(code: str) -> Scenario:
    """The example of a code or variant; KeyError for one that has none."""
    return SCENARIOS[code](code)
