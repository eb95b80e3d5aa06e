"""From a candidate to its predictions: stage, identify, run or take what is stored.

A stage is a type: a `Candidate` is staged, then it is a `KnownModel` or an `OtherModel`, then it
is `Predicted`; or it has `Failed` on the way, with a reason.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.fresh import fresh_sets
from harness.grading.context import ModelClock
from harness.inference.identification import (
    Failed,
    KnownModel,
    OtherModel,
    ReadOptions,
    identify,
)
from harness.inference.known_network import predict_known_network
from harness.inference.readings import Evidence
from harness.inference.runtimes.catalogue import missing_runtime, system_calls
from harness.inference.sandboxed import SandboxedRun, predict_sandboxed
from harness.inference.sharing.prediction import predict_from_features
from harness.intake.staging import stage
from harness.networks.deepid import network_of
from harness.records.benchmark import SETS
from harness.records.errors import Status, SubmissionError
from harness.records.predictions import Predictions
from harness.sandbox.availability import NONE, find_sandbox, sandbox_problem
from harness.sandbox.launch import Limits
from harness.storage.hashing import array_hash
from harness.storage.results import answers_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.grading.context import GradingBasis, Options, RunContext
    from harness.inference.identification import Identified
    from harness.inference.opening import OpenedSubmission
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Datasets
    from harness.records.predictions import Answers
    from harness.records.record import Probe
    from harness.records.submission import Candidate, Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A model that has answered on all sets."""

    model: Identified
    predictions: Predictions

    stored_as: str
    """The folder of its stored predictions."""

    probe: Probe | None = None
    """What was found when a model of another architecture was asked again."""

    fresh: Mapping[str, Answers] = field(default_factory=dict)
    """What it answered on fresh images, by the names of their sets, if that was asked."""

    @property
    def candidate(self) -> Candidate:
        """The file that it is."""
        return self.model.candidate


def predict_models(
    opened: OpenedSubmission, datasets: Datasets, run: RunContext, deadline: float
) -> list[Predicted | Failed]:
    """Predict an opened submission's models by ``deadline``; a failure stays with its model.

    The known network goes first: it takes seconds, and what others take should not be its loss.
    """
    results: dict[str, Predicted | Failed] = {}
    for model in sorted(opened.models, key=lambda model: isinstance(model, OtherModel)):
        results[model.candidate.path] = (
            model
            if isinstance(model, Failed)
            else _try_to_predict(model, opened.submission, datasets, run, deadline)
        )
    return [results[model.candidate.path] for model in opened.models]


def run_until(deadline: float, run: RunContext) -> RunContext:
    """The same run, in which a model has no more time than its submission has left."""
    seconds = min(run.options.model_seconds, max(0.0, deadline - time.monotonic()))
    return replace(run, options=replace(run.options, model_seconds=seconds))


# --- what is it? ------------------------------------------------------------------------------


def read_model(
    folder: Path, candidate: Candidate, scratch: Path, how: ReadOptions
) -> Identified:  # fmt: skip
    """Stage a candidate in the new folder ``scratch`` and find out what it is.

    Raises SubmissionError.
    """
    scratch.mkdir()
    staged = stage(folder, candidate, scratch)
    return identify(candidate, staged, how)


def read_options(
    basis: GradingBasis, datasets: Datasets, run: RunContext, clock: ModelClock | None = None
) -> ReadOptions:
    """How submitted files are read in a run; what has to be predicted for it is on ``clock``.

    Settling how a file is meant raises SubmissionError(TIMED_OUT) where time is up.
    """
    models_clock = clock or ModelClock()

    def shares_right(nets: Sequence[Weights]) -> list[float]:
        labels = datasets.sets["valid"].labels
        with models_clock.running() as deadline:
            answers = [
                predict_weights(weights, datasets, run, ("valid",), deadline).answers["valid"]
                for weights in nets
            ]
        return [float((each.class_ids == labels).mean()) for each in answers]

    inactive = basis.predictions.inactive
    dormant = frozenset() if inactive is None else frozenset(map(int, np.flatnonzero(inactive)))
    return ReadOptions(
        network=basis.network,
        isolation=run.options.isolation,
        secret_number=run.store.secret_number,
        most_models=run.options.most_models,
        badnet=basis.badnet,
        evidence=Evidence(shares_right, dormant),
    )


# --- what does it answer? ---------------------------------------------------------------------


def predict_weights(
    weights: Weights,
    datasets: Datasets,
    run: RunContext,
    names: Sequence[str] = SETS,
    deadline: float = math.inf,
) -> Predictions:
    """Predict some sets with the known network, from what is stored where that is there.

    Raises SubmissionError(TIMED_OUT) at the first piece of the work that ends after ``deadline``.
    """
    key = answers_key(array_hash(weights), datasets.benchmark.pixel_scale)
    chosen = _only(datasets, names)
    stored = _stored_predictions(key, chosen, run)
    if stored is not None:
        return stored

    progress = _stop_at(deadline, _image_count(chosen), run)
    if run.features is not None and run.features.pixel_scale == datasets.benchmark.pixel_scale:
        predictions = predict_from_features(weights, run.features, chosen, progress)
    else:
        predictions = predict_known_network(weights, chosen, progress)
    run.store.put_predictions(key, predictions, chosen.hashes)
    return predictions


def _stop_at(deadline: float, total: int, run: RunContext) -> Callable[[int], None]:
    """What is told how many images are done, and stops the work where it is late."""

    def images(done: int) -> None:
        if done < total and time.monotonic() > deadline:
            raise SubmissionError(
                Status.TIMED_OUT, "stopped: the submission's models took all the time allowed"
            )
        run.progress.images(done, total)

    return images


def predict_model(
    model: Identified, datasets: Datasets, run: RunContext, names: Sequence[str] = SETS
) -> Predictions:
    """Predict some sets with a model, from what is stored where that is there.

    Raises SubmissionError for a model of another architecture that fails.
    """
    if isinstance(model, KnownModel):
        return predict_weights(model.weights, datasets, run, names)

    chosen = _only(datasets, names)
    stored = _stored_predictions(_key_of_answers(model, datasets), chosen, run)
    return stored if stored is not None else _run_model(model, chosen, run)[0]


def required_sandbox(isolation: str, what: str) -> str | None:
    """The sandbox for code that is run in any case; None where users want none.

    Raises SubmissionError where there is none here.
    """
    if isolation == NONE:
        return None
    sandbox = find_sandbox(isolation)
    if sandbox is None:
        problem = sandbox_problem(isolation)
        raise SubmissionError(Status.NOT_GRADED, f"{what} has to run in a sandbox: {problem}")
    return sandbox


def sandboxed_run(model: OtherModel, datasets: Datasets, options: Options) -> SandboxedRun:
    """How a model of another architecture is run."""
    return SandboxedRun(
        staged=model.staged,
        format=model.format,
        network=network_of(datasets),
        pixel_scale=datasets.benchmark.pixel_scale,
        sandbox=None if model.isolation == NONE else model.isolation,
        limits=Limits(
            start_seconds=min(180.0, options.model_seconds),
            wall_seconds=options.model_seconds,
            cpu_seconds=int(2 * options.model_seconds) + 1,
            memory_bytes=options.model_memory_bytes,
            runtime=system_calls(model.format),
        ),
    )


def _try_to_predict(
    model: Identified,
    submission: Submission,
    datasets: Datasets,
    run: RunContext,
    deadline: float,
) -> Predicted | Failed:
    run.progress.stage(submission.name, f"predicting {model.candidate.path}")
    try:
        if isinstance(model, OtherModel):
            return _predict_other(model, datasets, run_until(deadline, run))
        names = tuple(datasets.sets)
        predictions = predict_weights(model.weights, datasets, run, names, deadline)
    except SubmissionError as error:
        return Failed(
            candidate=model.candidate, error=error, staged=model.staged, model=model
        )  # fmt: skip
    return Predicted(
        model=model, predictions=predictions, stored_as=_key_of_answers(model, datasets)
    )


def _predict_other(model: OtherModel, datasets: Datasets, run: RunContext) -> Predicted:
    """Predict all sets and fresh images, some of them twice, or take what is stored of that."""
    if run.options.model_seconds == 0:
        raise SubmissionError(
            Status.TIMED_OUT,
            "not run: the submission's other models took all the time allowed",
            saw_images=True,  # the others had, and how long they took may depend on it
        )
    if model.isolation is None:
        raise SubmissionError(
            Status.NOT_GRADED,
            f"not the known network ({model.differs}), so it has to run in a sandbox: "
            f"{sandbox_problem(run.options.isolation)}",
        )
    key, fresh = _key_of_answers(model, datasets), draw_fresh(datasets, run)
    shown = replace(datasets, sets={**datasets.sets, **fresh.sets})
    predictions, probe = _stored_predictions(key, shown, run), run.store.probe(key, shown.hashes)
    if predictions is None or probe is None:
        predictions, probe = _run_model(model, shown, run)

    answers = predictions.answers
    official = {name: answers[name] for name in datasets.sets}
    return Predicted(
        model=model,
        predictions=replace(predictions, answers=official),
        stored_as=key,
        probe=probe,
        fresh={name: answers[name] for name in fresh.sets},
    )


def draw_fresh(datasets: Datasets, run: RunContext) -> Datasets:
    """Images that nobody has seen; without any set where the benchmark cannot draw them."""
    secret = run.store.secret_number("fresh images")
    sets = fresh_sets(datasets.benchmark, run.store.folder, secret)
    return replace(datasets, sets=sets)


def _run_model(model: OtherModel, datasets: Datasets, run: RunContext) -> tuple[Predictions, Probe]:
    """Run a model on all sets, and store what it answered."""
    if (missing := missing_runtime(model.format)) is not None:
        raise SubmissionError(Status.NOT_GRADED, missing)
    key = _key_of_answers(model, datasets)
    progress = partial(run.progress.images, total=_image_count(datasets))
    how = sandboxed_run(model, datasets, run.options)
    predictions, probe = predict_sandboxed(how, datasets.sets, model.seed, progress)
    run.store.put_predictions(key, predictions, datasets.hashes)
    run.store.put_probe(key, datasets.hashes, probe)
    return predictions, probe


def _stored_predictions(key: str, datasets: Datasets, run: RunContext) -> Predictions | None:
    """Stored predictions of all these sets; None where one is missing or does not fit."""
    if run.options.force:
        return None
    classes = datasets.benchmark.classes
    stored = {
        name: run.store.answers(key, labeled.sha256, classes)
        for name, labeled in datasets.sets.items()
    }
    fitting = {
        name: found
        for name, found in stored.items()
        if found is not None and len(found.answers) == len(datasets.sets[name].labels)
    }
    if len(fitting) < len(datasets.sets):
        return None
    first = fitting[next(iter(datasets.sets))]
    return Predictions(
        answers={name: found.answers for name, found in fitting.items()},
        output_count=first.output_count,
        inactive=first.inactive,
    )


def _key_of_answers(model: Identified, datasets: Datasets) -> str:
    unprotected = "-none" if model.isolation == NONE else ""
    return answers_key(model.key, datasets.benchmark.pixel_scale) + unprotected


def _only(datasets: Datasets, names: Sequence[str]) -> Datasets:
    sets = {name: datasets.sets[name] for name in names}
    return replace(datasets, sets=sets)


def _image_count(datasets: Datasets) -> int:
    return sum(len(labeled.labels) for labeled in datasets.sets.values())
