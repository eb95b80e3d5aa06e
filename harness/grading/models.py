"""From a candidate to its predictions: stage, read, run or take what is stored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.grading.context import SETS, Bench, Model
from harness.inference import known_network
from harness.inference.feature_cache import shared_answers
from harness.inference.sandboxed import SandboxedRun, asked_again, sandboxed_answers
from harness.intake.staging import stage
from harness.records.environment import processors
from harness.records.errors import Status, SubmissionError
from harness.records.record import Candidate
from harness.sandbox.launch import Limits, sandbox_problem
from harness.storage.hashing import array_hash
from harness.storage.results import StoredAnswers, answers_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.networks.deepid import Weights
    from harness.records.record import Probe, Submission


def opened_models(submission: Submission, scratch: Path, bench: Bench) -> list[Model]:
    """Stage, read and predict a submission's candidates; a failure stays with its model.

    They are read side by side, each in its own child, as far as there are processors.
    """
    sandbox_problem()  # found out once, before several threads ask
    many = len(submission.candidates)
    bench.progress.stage(submission.name, f"reading {many} model{'s' if many != 1 else ''}")
    with ThreadPoolExecutor(processors()) as threads:
        places = [scratch / str(index) for index in range(len(submission.candidates))]
        read_one = partial(_read_model, Path(submission.folder), bench)
        models = list(threads.map(read_one, submission.candidates, places))
    for model in models:
        _predict(model, submission, bench)
    return models


def _read_model(folder: Path, bench: Bench, candidate: Candidate, scratch: Path) -> Model:
    model = Model(candidate)
    try:
        read(model, folder, scratch, bench)
    except SubmissionError as error:
        model.failure = error
    return model


def _predict(model: Model, submission: Submission, bench: Bench) -> None:
    if model.failure is not None:
        return
    bench.progress.stage(submission.name, f"predicting {model.candidate.path}")
    try:
        result, model.probe = _observed(model, bench)
        model.answers, model.width, model.silent = result.encoded, result.width, result.silent
        model.stored_as = _store_key(model, bench)
    except SubmissionError as error:
        model.failure = error


def _observed(model: Model, bench: Bench) -> tuple[known_network.NetAnswers, Probe | None]:
    """Answers on all sets and, of a model of another architecture, a probe."""
    if model.weights is not None:
        return model_answers(model, bench, SETS), None
    seed = bench.store.secret_number(f"probe of {model.key}")
    ask_again = partial(asked_again, sandboxed_run(model, bench), bench.sets, seed)
    if processors() == 1:
        result = model_answers(model, bench, SETS)
        return result, ask_again().compared(result.encoded)
    with ThreadPoolExecutor(1) as beside:
        repeats = beside.submit(ask_again)
        result = model_answers(model, bench, SETS)
        return result, repeats.result().compared(result.encoded)


def read(model: Model, folder: Path, scratch: Path, bench: Bench) -> None:
    """Stage a model in the new folder ``scratch`` and find out what it is.

    Raises SubmissionError.
    """
    scratch.mkdir()
    model.staged = stage(folder, model.candidate, scratch)
    sandboxed = _reads_sandboxed(bench.options.isolation)
    inspected = known_network.inspect(
        model.staged, model.candidate.format, bench.benchmark.classes, sandboxed=sandboxed
    )
    model.format, model.weights = inspected.format, inspected.weights
    if model.weights is not None:
        model.key = array_hash(model.weights)
        model.isolation = "sandbox" if sandboxed else "plain"
    else:
        model.key = f"file-{model.staged.identity}"
        model.seed = bench.store.secret_number(model.key)
        model.isolation = _isolation_outside_the_network(bench.options.isolation, inspected.differs)


def _reads_sandboxed(isolation: str) -> bool:
    if isolation == "none":
        return False
    problem = sandbox_problem()
    if isolation == "sandbox" and problem:
        raise SubmissionError(Status.NOT_GRADED, problem)
    return problem is None


def _isolation_outside_the_network(isolation: str, differs: str | None) -> str:
    if isolation == "none":
        return "none"
    if problem := sandbox_problem():
        raise SubmissionError(
            Status.NOT_GRADED,
            f"not the known network ({differs}), so it has to run in a sandbox: {problem}",
        )
    return "sandbox"


def network_answers(
    weights: Weights, bench: Bench, names: Sequence[str] = SETS
) -> known_network.NetAnswers:
    """Answers of the known network with ``weights``, stored ones where there are any."""
    model = Model(Candidate(path="", format="", size_bytes=0, role=None, drop_points=None))
    model.weights, model.key = weights, array_hash(weights)
    return model_answers(model, bench, names)


def model_answers(model: Model, bench: Bench, names: Sequence[str]) -> known_network.NetAnswers:
    """Answers of a model that was read, stored ones where there are any.

    Raises SubmissionError for a model of another architecture that fails.
    """
    key = _store_key(model, bench)
    stored = {} if bench.options.force else _stored(bench, key, names)
    if len(stored) == len(names):
        encoded = {name: answers.encoded for name, answers in stored.items()}
        first = stored[names[0]]
        return known_network.NetAnswers(encoded=encoded, width=first.width, silent=first.silent)
    result = _run(model, bench, names)
    known_network.keep_answers(bench.store, key, result, {name: bench.sets[name] for name in names})
    return result


def _store_key(model: Model, bench: Bench) -> str:
    isolated = "-none" if model.weights is None and model.isolation == "none" else ""
    return answers_key(model.key, bench.benchmark.pixel_scale) + isolated


def _stored(bench: Bench, key: str, names: Sequence[str]) -> dict[str, StoredAnswers]:
    found = {name: bench.store.answers(key, bench.sets[name].sha256) for name in names}
    return {
        name: answers
        for name, answers in found.items()
        if answers is not None and len(answers.encoded) == len(bench.sets[name].labels)
    }


def _run(model: Model, bench: Bench, names: Sequence[str]) -> known_network.NetAnswers:
    sets = {name: bench.sets[name] for name in names}
    total = sum(len(labeled.labels) for labeled in sets.values())

    def progress(done: int) -> None:
        bench.progress.images(done, total)

    if model.weights is not None:
        scale = bench.benchmark.pixel_scale
        if bench.features is not None and bench.features.pixel_scale == scale:
            return shared_answers(model.weights, bench.features, sets, progress)
        return known_network.known_network_answers(model.weights, sets, scale, progress)
    return sandboxed_answers(sandboxed_run(model, bench), sets, model.seed, progress)


def sandboxed_run(model: Model, bench: Bench) -> SandboxedRun:
    """How a model that was read is run."""
    if model.staged is None:
        raise ValueError("a model of another architecture must be staged before it runs")
    return SandboxedRun(
        staged=model.staged,
        format=model.format,
        benchmark=bench.benchmark,
        sandboxed=model.isolation == "sandbox",
        limits=Limits(
            start_seconds=min(180.0, bench.options.model_seconds),
            wall_seconds=bench.options.model_seconds,
            cpu_seconds=int(2 * bench.options.model_seconds) + 1,
            memory_bytes=bench.options.model_memory_bytes,
        ),
    )
