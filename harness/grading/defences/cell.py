"""A cell: one defence on one BadNet, from its code to a record with counts."""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.datasets.zoos import split_name, split_settings
from harness.grading.competition.entry import record_of
from harness.grading.competition.networks import shown_sets
from harness.grading.context import Budget
from harness.grading.defences.code import declared_defence
from harness.grading.models import predict_models, read_model, required_sandbox
from harness.grading.robustness.cells import measure_cell
from harness.grading.submission import fit_to_store
from harness.inference.defences import worker
from harness.inference.defences.running import Left, RepairTask, repair
from harness.inference.identification import Failed, KnownModel, ReadOptions
from harness.inference.opening import OpenedSubmission
from harness.intake.staging import stage_repository
from harness.records.errors import Status, SubmissionError
from harness.records.submission import Candidate, Submission
from harness.records.text import one_line
from harness.storage.results import safe_name, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.grading.competition.networks import PreparedNetwork
    from harness.grading.context import Progress, RunContext
    from harness.grading.models import Predicted
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Datasets
    from harness.records.network import Network
    from harness.records.record import Record
    from harness.records.submission import DeclaredDefence

_FILES = {worker.MODEL: ("repaired.keras", "keras"), worker.ARRAYS: ("repaired.h5", "h5")}
_PROGRAM, _STATE = "answers_of_the_defence.py", "state_of_the_defence"

_PREDICT = f'''"""What a defence answers, from the state that its repair left."""

from pathlib import Path

from harness.inference.defences.answering import Detector, answering

_FOLDER = Path(__file__).parent
predict = answering(
    Detector(_FOLDER, {{file!r}}, _FOLDER / "{_STATE}", {{classes}}, {{scale!r}})
)
'''
_MOST_LINES, _LONGEST_LINE = 100, 300
"""Of a call stack that is kept."""


def grade_cell(
    folder: Path, name: str, scratch: Path, network: PreparedNetwork, run: RunContext
) -> Record:
    """Have a defence repair a BadNet and grade what it leaves. Raises SubmissionError.

    ``name`` is the cell's, ``folder`` the defence's.
    """
    declared = declared_defence(folder)
    run.progress.stage(name, "repairing")
    # A copy elsewhere: not every sandbox can hide from it where the results lie.
    code = stage_repository(folder, scratch).path
    chosen = split_settings(split_name(name)[0])[1]
    subject = Subject(network.name, network.network, network.badnet, network.datasets)
    task = replace(task_of(code, declared, subject, run), chosen=chosen)
    with call_stack_kept(name, run):
        left = repair(task)

    candidate = _write(left, scratch / "left", code, declared, network)
    submission = Submission(name=name, folder=str(scratch / "left"), candidates=(candidate,))
    try:
        with call_stack_kept(name, run):
            predicted = _predicted(submission, scratch / "read", network, run)
        record = record_of(network, [predicted], name)
        if network.datasets.robustness is not None:
            run.progress.stage(name, "trying changed triggers")
            record = replace(record, robustness=measure_cell(network, predicted, run))
    except SubmissionError as error:
        record = network.record(name, error.status, _reworded(error, left, run))
        record = replace(record, out_of_memory=error.out_of_memory)
    return fit_to_store(replace(record, repair=left.cost))


# --- what it is handed --------------------------------------------------------------------------


class Subject(NamedTuple):
    """A network that a defence repairs, or a detector is asked about."""

    name: str
    """From which the seed follows that is handed over."""

    network: Network
    weights: Weights
    datasets: Datasets


def task_of(
    code: Path, declared: DeclaredDefence, subject: Subject, run: RunContext,
    asks: str = worker.REPAIR,
) -> RepairTask:  # fmt: skip
    """What a defence, or a detector, is handed of a network. Raises SubmissionError."""
    what = "a detector" if asks == worker.DETECT else "a defence"
    sandbox = required_sandbox(run.options.isolation, what)
    budget = run.options.budget or Budget()
    seed = seed_of(subject.name, budget.seed)
    images, labels = _handed_images(subject.datasets, budget, seed)
    return RepairTask(
        code=code,
        file=declared.file,
        takes=declared.badnet,
        network=subject.network,
        weights=subject.weights,
        images=images,
        labels=labels,
        seed=seed,
        seconds=budget.seconds,
        sandbox=sandbox,
        memory_bytes=run.options.model_memory_bytes,
        asks=asks,
    )


def seed_of(network: str, seed: int) -> int:
    """What every defence is told to begin its random numbers with on this BadNet: 31 bits."""
    digest = hashlib.sha256(f"{seed} {network}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


def _handed_images(datasets: Datasets, budget: Budget, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clean validation images as the network takes them, and their labels (N, int64)."""
    valid, scale = datasets.sets["valid"], datasets.benchmark.pixel_scale
    images, labels = valid.images, valid.labels
    if budget.images is not None and budget.images < len(labels):
        drawn = np.random.default_rng(seed).choice(len(labels), budget.images, replace=False)
        chosen = np.sort(drawn)
        images, labels = images[chosen], labels[chosen]
    if scale != 1.0:
        images = images.astype(np.float32) * np.float32(scale)
    return np.ascontiguousarray(images), labels


# --- what goes wrong ----------------------------------------------------------------------------


@contextmanager
def call_stack_kept(name: str, run: RunContext) -> Iterator[None]:
    """Keep where the defence's own code failed in a file of the results' ``errors/``.

    What an earlier run kept there is gone once this one begins.
    """
    stack_file(run.store.folder, name).unlink(missing_ok=True)
    try:
        yield
    except SubmissionError as error:
        said = [one_line(line, _LONGEST_LINE) for line in error.said.splitlines()]
        if worker.STACK in said:
            begin = len(said) - said[::-1].index(worker.STACK) - 1
            text = "\n".join(said[begin : begin + _MOST_LINES]) + "\n"
            write_text(stack_file(run.store.folder, name), text)
        raise


def stack_file(results: Path, name: str) -> Path:
    """Where the call stack of a cell is kept whose defence failed in its own code."""
    defence, network = split_name(name)
    return results / "errors" / safe_name(defence) / f"{safe_name(network)}.log"


def _reworded(error: SubmissionError, left: Left, run: RunContext) -> str:
    """The reason in words of who wrote a defence, not of who hands in files."""
    subject = "predict()" if left.kind == worker.STATE else "what repair() returned"
    if error.status is Status.TIMED_OUT:
        return (
            f"{subject} was ended: it {error.reason} (--model-seconds sets this limit, "
            f"{run.options.model_seconds:g} s, and --seconds does not)"
        )
    if error.out_of_memory:
        return f"{subject} {error.reason} (--model-memory sets this limit)"
    is_told = error.reason.startswith(("predict()", "the "))
    return error.reason if is_told else f"{subject}: {error.reason}"


# --- what it leaves -----------------------------------------------------------------------------


def _write(
    left: Left, folder: Path, code: Path, declared: DeclaredDefence, network: PreparedNetwork
) -> Candidate:
    """Put what a defence left into ``folder``, as if it had been handed in."""
    if left.kind == worker.STATE:
        shutil.copytree(code, folder)
        scale = network.datasets.benchmark.pixel_scale
        program = _PREDICT.format(
            file=declared.file, classes=network.datasets.benchmark.classes, scale=scale
        )
        (folder / _PROGRAM).write_text(program)
        (folder / _STATE).write_bytes(left.content)
        return _candidate(_PROGRAM, "program", len(left.content), "goodnet")
    name, form = _FILES[left.kind]
    folder.mkdir()
    (folder / name).write_bytes(left.content)
    return _candidate(name, form, len(left.content), "repaired")


class _InWords:
    """Progress that does not tell names of files that are ours."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.images = progress.images

    def stage(self, submission: str, what: str) -> None:
        """A cell has entered a stage."""
        self._progress.stage(submission, what.replace(f"predicting {_PROGRAM}", "asking predict()"))


def _predicted(
    submission: Submission, scratch: Path, network: PreparedNetwork, run: RunContext
) -> Predicted:
    """What a network or a detector that was left answers. Raises SubmissionError."""
    (candidate,) = submission.candidates
    how = _read_options(network, run)
    model = read_model(Path(submission.folder), candidate, scratch, how)
    if isinstance(model, KnownModel):
        _require_finite(model.weights)
    opened = OpenedSubmission(submission, [model])
    deadline = time.monotonic() + run.options.submission_seconds
    told = replace(run, progress=_InWords(run.progress))
    (predicted,) = predict_models(opened, shown_sets(network.datasets), told, deadline)
    if isinstance(predicted, Failed):
        raise predicted.error
    _require_answers(predicted)
    return predicted


def _require_finite(weights: Weights) -> None:
    """Raise SubmissionError: what the defence's own process has found is not relied on."""
    for name, array in weights.items():
        if not np.isfinite(array).all():
            reason = f"weights of {name} are NaN or infinite"
            raise SubmissionError(Status.REJECTED, reason)


def _require_answers(predicted: Predicted) -> None:
    """Raise SubmissionError where there is no answer that counts among those on clean images."""
    answers = predicted.predictions.answers["test"]
    if len(answers) and answers.invalid.all():
        what = "outputs are NaN or infinite" if answers.not_finite.all() else "no class ids come"
        raise SubmissionError(Status.REJECTED, f"{what} on each of {len(answers):,} clean images")


def _candidate(path: str, form: str, size: int, role: str) -> Candidate:
    return Candidate(
        path=path, format=form, size_bytes=size, role=role, drop_points=None, explicit=True
    )


def _read_options(network: PreparedNetwork, run: RunContext) -> ReadOptions:
    return ReadOptions(
        network=network.network,
        isolation=run.options.isolation,
        secret_number=run.store.secret_number,
        badnet=network.badnet,
    )
