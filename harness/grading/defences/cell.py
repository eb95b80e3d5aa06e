"""A cell: one defence on one BadNet, from its code to a record with counts."""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.zoos import split_name, split_settings
from harness.grading.competition.entry import grade_entry_for
from harness.grading.context import Budget
from harness.grading.defences.code import declared_defence
from harness.grading.models import read_model, required_sandbox
from harness.grading.submission import fit_to_store
from harness.inference.defences import worker
from harness.inference.defences.running import Left, RepairTask, repair
from harness.inference.identification import Failed, ReadOptions
from harness.intake.staging import stage_repository
from harness.records.errors import SubmissionError
from harness.records.submission import Candidate, Submission

if TYPE_CHECKING:
    from pathlib import Path

    from harness.grading.competition.networks import PreparedNetwork
    from harness.grading.context import RunContext
    from harness.inference.identification import Identified
    from harness.records.benchmark import Datasets
    from harness.records.record import Record
    from harness.records.submission import DeclaredDefence

_FILES = {worker.MODEL: ("repaired.keras", "keras"), worker.ARRAYS: ("repaired.h5", "h5")}
_PROGRAM, _STATE = "answers_of_the_defence.py", "state_of_the_defence"

_PREDICT = f'''"""What a defence answers, from the state that its repair left."""

from pathlib import Path

import numpy as np

from harness.inference.defences.states import load_state
from harness.inference.loading import import_file

_FOLDER = Path(__file__).parent
_DEFENCE = import_file(_FOLDER / {{file!r}})
_STATE = load_state(_FOLDER / "{_STATE}")


def predict(images):
    """Class ids; N for "backdoored"."""
    if {{scale!r}} != 1.0:
        images = images * np.float32({{scale!r}})
    return _DEFENCE.predict(_STATE, images)
'''


def grade_cell(
    folder: Path, name: str, scratch: Path, network: PreparedNetwork, run: RunContext
) -> Record:
    """Have a defence repair a BadNet and grade what it leaves. Raises SubmissionError.

    ``name`` is the cell's, ``folder`` the defence's.
    """
    budget = run.options.budget or Budget()
    declared = declared_defence(folder)
    code = stage_repository(folder, scratch).path
    run.progress.stage(name, "repairing")
    chosen = split_settings(split_name(name)[0])[1]
    left = repair(replace(_task(code, declared, network, run, budget), chosen=chosen))

    left_folder = scratch / "left"
    candidate = _write(left, left_folder, code, declared, network)
    submission = Submission(name=name, folder=str(left_folder), candidates=(candidate,))
    try:
        how = _read_options(network, run)
        model: Identified | Failed = read_model(left_folder, candidate, scratch / "read", how)
    except SubmissionError as error:
        model = Failed(candidate=candidate, error=error)
    deadline = time.monotonic() + run.options.submission_seconds
    record = grade_entry_for(network, [model], submission, run, deadline)
    return fit_to_store(replace(record, repair=left.cost))


# --- what it is handed --------------------------------------------------------------------------


def _task(
    code: Path,
    declared: DeclaredDefence,
    network: PreparedNetwork,
    run: RunContext,
    budget: Budget,
) -> RepairTask:
    sandbox = required_sandbox(run.options.isolation, "a defence")
    seed = seed_of(network.name, budget.seed)
    images, labels = handed_images(network.datasets, budget, seed)
    return RepairTask(
        code=code,
        file=declared.file,
        takes=declared.badnet,
        network=network.network,
        weights=network.badnet,
        images=images,
        labels=labels,
        seed=seed,
        seconds=budget.seconds,
        sandbox=sandbox,
        memory_bytes=run.options.model_memory_bytes,
    )


def seed_of(network: str, seed: int) -> int:
    """What every defence is told to begin its random numbers with on this BadNet: 31 bits."""
    digest = hashlib.sha256(f"{seed} {network}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


def handed_images(datasets: Datasets, budget: Budget, seed: int) -> tuple[np.ndarray, np.ndarray]:
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


# --- what it leaves -----------------------------------------------------------------------------


def _write(
    left: Left, folder: Path, code: Path, declared: DeclaredDefence, network: PreparedNetwork
) -> Candidate:
    """Put what a defence left into ``folder``, as if it had been handed in."""
    if left.kind == worker.STATE:
        shutil.copytree(code, folder)
        scale = network.datasets.benchmark.pixel_scale
        (folder / _PROGRAM).write_text(_PREDICT.format(file=declared.file, scale=scale))
        (folder / _STATE).write_bytes(left.content)
        return _candidate(_PROGRAM, "program", len(left.content), "goodnet")
    name, form = _FILES[left.kind]
    folder.mkdir()
    (folder / name).write_bytes(left.content)
    return _candidate(name, form, len(left.content), "repaired")


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
