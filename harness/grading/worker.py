"""What a process does that grades submissions for a batch: make itself ready, then grade each."""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.datasets.competitions import is_competition
from harness.datasets.descriptions import absolute_dataset
from harness.datasets.zoos import absolute_zoo
from harness.execution.console import set_log_level, show_log
from harness.execution.progress import ProgressSender
from harness.grading.competition.setup import PreparedCompetition, prepare_competition
from harness.grading.defences.detection import prepare_detection
from harness.grading.defences.zoo import PreparedZoo, prepare_zoo
from harness.grading.setup import Prepared, prepare
from harness.intake.entries import prepare_folder
from harness.records.errors import HarnessError, SubmissionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.grading.context import Options, Progress
    from harness.intake.entries import Entry
    from harness.records.record import Record

Grader = Prepared | PreparedCompetition | PreparedZoo
"""What grades submissions, once it is ready."""

_SECONDS_BETWEEN_REMOTE_EVENTS = 1.0


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker needs to make itself ready: the same for all submissions of a batch."""

    dataset: str
    """Name of a benchmark or a zoo, or a folder."""

    badnet: Path | None
    """The BadNet's weights, where the benchmark does not bring them."""

    output: Path
    """The results folder."""

    options: Options
    log_level: int = logging.WARNING

    def absolute(self) -> WorkerConfig:
        """The same for a process that runs in another folder."""
        return replace(
            self,
            dataset=absolute_zoo(self.dataset)
            if self.options.budget
            else absolute_dataset(self.dataset),
            badnet=self.badnet and self.badnet.absolute(),
            output=self.output.absolute(),
        )


def prepare_worker(config: WorkerConfig, wire: Any) -> Grader:
    """Make this process ready to grade; its progress goes to the ``wire``."""
    return _prepare(config, ProgressSender(wire))


def prepare_remote_worker(config: WorkerConfig, wire: Any, expected: str) -> Grader:
    """The same on another machine, which may have other files. Raises HarnessError."""
    sender = ProgressSender(wire, seconds_between=_SECONDS_BETWEEN_REMOTE_EVENTS)
    prepared = _prepare(config, sender)
    if prepared.circumstances() != expected:
        raise HarnessError("it has other data or another BadNet; copy those of this machine")
    return prepared


def _prepare(config: WorkerConfig, progress: ProgressSender) -> Grader:
    set_log_level(config.log_level)
    show_log(progress.message)

    # With --force, the process that started this one has made everything anew already.
    options = replace(config.options, force=False)
    prepared = prepare_grader(replace(config, options=options), progress)
    return replace(prepared, run=replace(prepared.run, options=config.options))


def prepare_grader(config: WorkerConfig, progress: Progress) -> Grader:
    """Make ready what grades on the benchmark, competition or zoo. Raises HarnessError."""
    if config.options.detects:
        return prepare_detection(config.dataset, config.output, config.options, progress)
    if config.options.budget is not None:
        return prepare_zoo(config.dataset, config.output, config.options, progress)
    what = config.dataset, config.badnet, config.output, config.options, progress
    if not is_competition(config.dataset):
        return prepare(*what)
    if config.options.robustness:
        raise HarnessError(
            f"{config.dataset}: a competition of several BadNets, which --robustness does not "
            "take; grade on a benchmark with one BadNet"
        )
    return prepare_competition(*what)


def grade_entry(prepared: Grader, entry: Entry) -> Record:
    """Grade one submission. Raises HarnessError where it is not there."""
    before = prepared.inputs_hash(entry)
    with unpack_entry(entry, prepared.run.scratch) as folder:
        if isinstance(folder, SubmissionError):
            record = prepared.ungraded(entry.name, folder.status, folder.reason)
            record = replace(record, out_of_memory=folder.out_of_memory)
        else:
            record = prepared.grade(folder, entry.name)
            record = replace(record, submission=entry.name)
    return replace(record, fingerprint=before)


@contextmanager
def unpack_entry(entry: Entry, scratch: Path | None) -> Iterator[Path | SubmissionError]:
    """The folder to grade, an archive unpacked for as long as this lasts, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="harness-", dir=scratch) as empty:
        try:
            folder: Path | SubmissionError = prepare_folder(entry, Path(empty))
        except SubmissionError as error:
            folder = error
        yield folder
