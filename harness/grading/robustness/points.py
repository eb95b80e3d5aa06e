"""Predictions of B, each B' and each G where the trigger is changed, and what they count to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.grading.models import Predicted, predict_model, predict_weights
from harness.grading.robustness.reactivation import RepairedNet, measure_reactivation
from harness.inference.identification import KnownModel, OtherModel
from harness.records.errors import SubmissionError
from harness.records.findings import Robustness, RobustnessPoint
from harness.records.predictions import Answers, compose_goodnet
from harness.records.traversal import checkpoint_name
from harness.storage.hashing import array_hash
from harness.storage.results import answers_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.grading.context import RunContext
    from harness.grading.evidence import SubmissionModels
    from harness.intake.matching import CheckpointSlot
    from harness.networks.deepid import Weights
    from harness.records.benchmark import ChangedTrigger, Datasets

AnswersByHash = Mapping[str, Answers]

_NO_WEIGHTS = (
    "no re-activation: B' is not this BadNet's network, so that there are no weights to train in "
    "the harness's own graph"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """A net with its answers on all sets."""

    net: str
    drop_points: float | None
    predictions: str | None
    answers: AnswersByHash


class _Nets:
    """The nets of a submission on all sets; each model is asked once."""

    def __init__(
        self, given: SubmissionModels, badnet: Weights, shown: Datasets, run: RunContext
    ) -> None:
        self._given, self._shown, self._run = given, shown, run
        self._known: dict[str, AnswersByHash] = {}
        key = answers_key(array_hash(badnet), shown.benchmark.pixel_scale)
        predictions = predict_weights(badnet, shown, run.unforced(), tuple(shown.sets))
        self.badnet = _Measured(
            net="badnet", drop_points=None, predictions=key, answers=predictions.answers
        )

    def model(self, slot: CheckpointSlot, role: str) -> Predicted | None:
        """The model that was graded as B' or G of a checkpoint."""
        candidate = getattr(slot, role)
        model = self._given.models[candidate.path] if candidate else None
        return model if isinstance(model, Predicted) else None

    def repaired(self, slot: CheckpointSlot) -> _Measured | None:
        """B' of a checkpoint. Raises SubmissionError where it fails."""
        return self._measured(slot, "repaired")

    def goodnet(self, slot: CheckpointSlot, repaired: _Measured | None) -> _Measured | None:
        """G of a checkpoint, as it is graded: handed in, or composed of B and B'."""
        if slot.goodnet is not None or "goodnet" in slot.questions:
            return self._measured(slot, "goodnet")
        if repaired is None:
            return None
        composed = {
            sha256: compose_goodnet(self.badnet.answers[sha256], answers)
            for sha256, answers in repaired.answers.items()
        }
        return _Measured(
            net="goodnet", drop_points=slot.drop_points, predictions=None, answers=composed
        )

    def _measured(self, slot: CheckpointSlot, role: str) -> _Measured | None:
        model = self.model(slot, role)
        if model is None:
            return None
        path = model.candidate.path
        if path not in self._known:
            names = tuple(self._shown.sets)
            predictions = predict_model(model.model, self._shown, self._run, names)
            self._known[path] = predictions.answers
        return _Measured(
            net=role,
            drop_points=slot.drop_points,
            predictions=model.stored_as,
            answers=self._known[path],
        )


def measure_robustness(
    slots: Sequence[CheckpointSlot],
    given: SubmissionModels,
    badnet: Weights,
    datasets: Datasets,
    run: RunContext,
) -> Robustness | None:
    """Every point of a submission; None where the sets are not read.

    A model that fails on these sets has no points, and it is said why.
    """
    sets = datasets.robustness
    if sets is None:
        return None
    shown = replace(datasets, sets=sets.by_hash)
    in_full = replace(run, features=None)  # they are no sets that nets share features of
    nets = _Nets(given, badnet, shown, in_full)

    measured, unmeasured, trainable = [nets.badnet], [], []
    for slot in slots:
        name, repaired = checkpoint_name(slot.drop_points), None
        try:
            repaired = nets.repaired(slot)
            goodnet = nets.goodnet(slot, repaired)
            measured += [each for each in (repaired, goodnet) if each is not None]
        except SubmissionError as error:
            # What a model says of itself may tell of images; its status does not.
            status = error.status.value.replace("_", " ")
            unmeasured.append(f"{name}: {status} on changed triggers")

        own = nets.model(slot, "repaired")
        model = own.model if own is not None else None
        if isinstance(model, OtherModel):
            unmeasured.append(f"{name}: {_NO_WEIGHTS}")
        elif own is not None and isinstance(model, KnownModel) and repaired is not None:
            answers = repaired.answers
            trainable.append(RepairedNet(slot.drop_points, model.weights, own.stored_as, answers))

    reactivation, failures = measure_reactivation(trainable, datasets, sets, in_full)
    return Robustness(
        points=tuple(_points(measured, sets.triggers)),
        reactivation=reactivation,
        unmeasured=(*unmeasured, *failures),
    )


def _points(
    nets: Sequence[_Measured], triggers: Sequence[ChangedTrigger]
) -> Iterator[RobustnessPoint]:
    for trigger in triggers:
        labels = trigger.images.labels
        for each in nets:
            answers = each.answers[trigger.images.sha256]
            yield RobustnessPoint(
                kind=trigger.kind,
                level=trigger.level,
                unit=trigger.unit,
                own=trigger.own,
                net=each.net,
                drop_points=each.drop_points,
                images=trigger.images.sha256,
                predictions=each.predictions,
                total=len(labels),
                attacked=int(np.count_nonzero(answers.class_ids == labels)),
                abstained=int(np.count_nonzero(answers.abstained)),
                invalid=int(np.count_nonzero(answers.invalid)),
            )
