"""Many submissions: what is finished already, and a record for each whatever happens to others.

A second run of the same command repeats nothing: a record whose fingerprint is unchanged
stands, predictions are taken from the store, and timing is done where it is still missing.
Timing comes last, one submission at a time, so that nothing else disturbs it.
"""

from __future__ import annotations

import logging
import tempfile
from collections import deque
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.datasets.descriptions import from_anywhere
from harness.execution.console import set_log_level, show_log
from harness.execution.local import InThisProcess, Processes, UnusableError, WorkerLostError
from harness.execution.progress import ProgressSender
from harness.execution.scratch import scratch_folder
from harness.grading.setup import Prepared, prepare
from harness.grading.submission import grade_folder, ungraded
from harness.grading.timing import time_models
from harness.intake.entries import entries, folder_of
from harness.people.pseudonyms import pseudonyms
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.traversal import statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from harness.execution.dask import Cluster
    from harness.execution.local import PreparedExecutor
    from harness.execution.progress import Display
    from harness.grading.context import Options
    from harness.intake.entries import Entry
    from harness.records.record import Record

_SECONDS_BETWEEN_LOOKS = 5.0
_SECONDS_BETWEEN_REMOTE_EVENTS = 1.0


DEFAULT_FOLDER = Path("submissions")


def find_submissions(
    paths: Sequence[Path], each: Path | None, output: Path, key_file: Path | None
) -> list[Entry]:
    """What to grade, ``submissions/`` by default; under pseudonyms where there is a key file.

    A bulk download is unpacked in the results, or beside the key file: it is full of names.
    """
    unpacked = key_file.with_name(f"{key_file.name}.intake") if key_file else output / "intake"
    found = entries(paths, each if paths or each else DEFAULT_FOLDER, unpacked)
    if key_file is None:
        return found
    names = pseudonyms([entry.name for entry in found], key_file)
    hidden = (replace(entry, name=names[entry.name]) for entry in found)
    # In the order of names, the times of the results' files would tell who is who.
    return sorted(hidden, key=lambda entry: entry.name)


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker needs to make itself ready: the same for all submissions of a batch."""

    dataset: str
    """Name of a benchmark, or a folder."""

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
            dataset=from_anywhere(self.dataset),
            badnet=self.badnet and self.badnet.absolute(),
            output=self.output.absolute(),
        )


@contextmanager
def connect_cluster(
    scheduler: str | None, entries: Sequence[Entry], config: WorkerConfig
) -> Iterator[Cluster | None]:
    """The cluster to grade ``entries`` on; None without a scheduler. Raises HarnessError."""
    if scheduler is None:
        yield None
        return
    from harness.execution.compatibility import worker_requirements
    from harness.execution.dask import connect

    paths = [entry.path for entry in entries]
    sandboxed = config.options.isolation != "none"
    require = partial(worker_requirements, config.output, paths, sandboxed=sandboxed)
    with connect(scheduler, require) as cluster:
        yield cluster


class Batch:
    """One run over ``entries``; ``records`` and ``problems`` hold what there is so far.

    With a ``cluster`` its workers grade, and this process times. ``kept`` is called after each
    record that is stored.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        config: WorkerConfig,
        prepared: Prepared,
        cluster: Cluster | None = None,
        kept: Callable[[], None] = lambda: None,
    ) -> None:
        if cluster is not None:  # its workers run in other folders
            entries = [replace(entry, path=entry.path.absolute()) for entry in entries]
            config = config.absolute()
        self.entries, self.config, self.cluster = entries, config, cluster
        self.prepared = prepared
        self._kept = kept
        self.records: dict[str, Record] = {}
        self.problems: list[str] = []

    def grade(self, display: Display, jobs: int) -> None:
        """Grade what is not finished, retry alone what ran out of memory, then time."""
        pending = list(self._pending(display))
        display.begin(len(self.entries), len(self.entries) - len(pending))
        if pending and self.cluster is not None and not self.cluster.workers():
            display.message("no workers yet; waiting for the first")
        with scratch_folder() as scratch:
            run = replace(self.prepared.run, scratch=scratch)
            self.prepared = replace(self.prepared, run=run)
            self._grade(pending, max(1, min(jobs, len(pending))), display)
            if self.config.options.timing:
                self._time()

    def _grade(self, pending: Sequence[Entry], jobs: int, display: Display) -> None:
        lost = self._graded(pending, jobs, display) if pending else []
        if lost:
            display.message(f"once more, alone: {', '.join(entry.name for entry in lost)}")
            for entry in self._graded(lost, 1, display, fresh=True):
                reason = "the process that graded it was ended, most likely for want of memory"
                basis, datasets = self.prepared.basis, self.prepared.datasets
                self._keep(ungraded(entry.name, Status.NOT_GRADED, reason, basis, datasets))
                display.finish(entry.name)

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.config.output

    def in_order(self) -> list[Record]:
        """The records there are so far, by submission."""
        return sorted(self.records.values(), key=lambda record: record.submission)

    def _pending(self, display: Display) -> Iterator[Entry]:
        stored = {record.submission: record for record in self.prepared.run.store.records()}
        if stored:
            display.stage(
                self.prepared.datasets.benchmark.name, "looking for what is graded already"
            )
        for entry in self.entries:
            found = stored.get(entry.name)
            if found is not None and not self.config.options.force and self._stands(entry, found):
                self.records[entry.name] = found
            else:
                yield entry

    def _stands(self, entry: Entry, record: Record) -> bool:
        if record.fingerprint is None or any(status.is_ours for status in statuses(record)):
            return False
        return entry.path.exists() and record.fingerprint == self.prepared.inputs_hash(entry.path)

    def _graded(
        self, entries: Sequence[Entry], jobs: int, display: Display, *, fresh: bool = False
    ) -> list[Entry]:
        """Grade and store each; returns those that ran out of memory beside others."""
        again: list[Entry] = []
        with self._executor(jobs, display, fresh=fresh) as pool:
            for entry, future in in_flight(pool, entries, self._width(jobs, alone=fresh)):
                try:
                    record = future.result()
                    if record.out_of_memory and not fresh:
                        again.append(entry)
                        continue
                    self._keep(record)
                except WorkerLostError:
                    again.append(entry)
                    continue
                except UnusableError:
                    raise
                except HarnessError as error:
                    self.problems.append(str(error))
                display.finish(entry.name)
        return again

    def _width(self, jobs: int, *, alone: bool) -> Callable[[], int]:
        cluster = self.cluster
        return lambda: jobs if cluster is None or alone else max(1, cluster.workers())

    @contextmanager
    def _executor(self, jobs: int, display: Display, *, fresh: bool) -> Iterator[PreparedExecutor]:
        if jobs == 1 and not fresh and self.cluster is None:
            yield InThisProcess(self.prepared)
            return
        with self._processes(jobs, display) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            pool.shutdown()

    @contextmanager
    def _processes(self, jobs: int, display: Display) -> Iterator[PreparedExecutor]:
        """An executor of other processes, which prepare themselves and tell how far they are."""
        if self.cluster is None:
            with display.receive_events() as wire:
                yield Processes(jobs, prepare_worker, (self.config, wire))
            return
        from harness.execution.dask import Workers

        expected = self.prepared.circumstances()
        with self.cluster.receive_events(display.show_event) as topic:
            arguments = (self.config, topic, expected)
            yield Workers(self.cluster, prepare_remote_worker, arguments)

    def _keep(self, record: Record) -> None:
        self.prepared.run.store.put_record(record)
        self.records[record.submission] = record
        self._kept()

    def _time(self) -> None:
        prepared = self.prepared
        basis, datasets, run = prepared.basis, prepared.datasets, prepared.run
        for entry in self.entries:
            record = self.records.get(entry.name)
            if record is None or record.timed or not any(c.repaired for c in record.checkpoints):
                continue
            with unpacked(entry, run.scratch) as folder:
                if isinstance(folder, Path):
                    self._keep(time_models(record, folder, basis, datasets, run))


def in_flight(
    pool: PreparedExecutor, entries: Sequence[Entry], width: Callable[[], int]
) -> Iterator[tuple[Entry, Future[Record]]]:
    """Submit ``width`` at a time and yield each as it is done, so that little is lost or held.

    The width is asked again every few seconds: a cluster grows and shrinks.
    """
    running: dict[Future[Record], Entry] = {}
    waiting = deque(entries)
    while waiting or running:
        while waiting and len(running) < width():
            entry = waiting.popleft()
            running[pool.submit(grade_entry, entry)] = entry
        for future in wait(running, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done:
            yield running.pop(future), future


# --- in a worker ------------------------------------------------------------------------------


def prepare_worker(config: WorkerConfig, wire: Any) -> Prepared:
    """Make this process ready to grade."""
    return _prepare(config, ProgressSender(wire))


def prepare_remote_worker(config: WorkerConfig, wire: Any, expected: str) -> Prepared:
    """The same on another machine, which may have other files. Raises HarnessError."""
    sender = ProgressSender(wire, seconds_between=_SECONDS_BETWEEN_REMOTE_EVENTS)
    prepared = _prepare(config, sender)
    if prepared.circumstances() != expected:
        raise HarnessError("it has other data or another BadNet; copy those of this machine")
    return prepared


def _prepare(config: WorkerConfig, progress: ProgressSender) -> Prepared:
    set_log_level(config.log_level)
    show_log(progress.message)
    # The process that started this one has begun anew already, where that was asked for.
    options = replace(config.options, force=False)
    prepared = prepare(config.dataset, config.badnet, config.output, options, progress)
    return replace(prepared, run=replace(prepared.run, options=config.options))


def grade_entry(prepared: Prepared, entry: Entry) -> Record:
    """Grade one submission in this process. Raises HarnessError where it is not there."""
    basis, datasets, run = prepared.basis, prepared.datasets, prepared.run
    before = prepared.inputs_hash(entry.path)
    with unpacked(entry, run.scratch) as folder:
        if isinstance(folder, SubmissionError):
            record = ungraded(entry.name, folder.status, folder.reason, basis, datasets)
        else:
            record = grade_folder(folder, basis, datasets, run, entry.name)
            record = replace(record, submission=entry.name)
    return replace(record, fingerprint=before)


@contextmanager
def unpacked(entry: Entry, scratch: Path | None) -> Iterator[Path | SubmissionError]:
    """The folder to grade, an archive unpacked for as long as this lasts, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="harness-", dir=scratch) as empty:
        try:
            folder: Path | SubmissionError = folder_of(entry, Path(empty))
        except SubmissionError as error:
            folder = error
        yield folder
