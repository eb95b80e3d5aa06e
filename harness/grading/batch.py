"""Many submissions: what is finished already, and a record for each whatever happens to others.

A second run of the same command repeats nothing: a record stands whose files, data and options
are unchanged, predictions are taken from the store, and timing is done where it is still
missing. Timing comes last, one submission at a time, so that nothing else disturbs it.
"""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.execution.local import InThisProcess, Processes, UnusableError
from harness.execution.scratch import scratch_folder
from harness.execution.worker_process import WorkerLostError
from harness.grading.worker import (
    grade_entry,
    prepare_remote_worker,
    prepare_worker,
    unpack_entry,
)
from harness.intake.entries import take_in
from harness.people.pseudonyms import assign_pseudonyms
from harness.records.errors import HarnessError, Status
from harness.records.traversal import statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from harness.execution.dask import Cluster
    from harness.execution.local import PreparedExecutor
    from harness.execution.progress import Display
    from harness.grading.worker import Grader, WorkerConfig
    from harness.intake.entries import Entry, Intake
    from harness.records.record import Record

_SECONDS_BETWEEN_LOOKS = 5.0

TIMED = "timed"
"""What a submission is at the end of the second round, which times the models."""

_log = logging.getLogger(__name__)


def find_submissions(
    paths: Sequence[Path], each: Path | None, output: Path, key_file: Path | None
) -> Intake:
    """What to grade, ``submissions/`` by default; under pseudonyms where there is a key file.

    A bulk download is unpacked in the results, or beside the key file: it is full of names.
    """
    unpacked = output / "intake"
    if key_file is not None:
        unpacked = key_file.with_name(f"{key_file.name}.intake")
    found = take_in(paths, each, unpacked)
    if key_file is None:
        return found

    names = assign_pseudonyms([entry.name for entry in found.entries], key_file)
    hidden = [replace(entry, name=names[entry.name]) for entry in found.entries]
    # In the order of names, the times of the results' files would tell who is who.
    return replace(found, entries=sorted(hidden, key=lambda entry: entry.name))


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
    isolation = config.options.isolation
    requirements = partial(worker_requirements, config.output, paths, isolation=isolation)
    with connect(scheduler, requirements) as cluster:
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
        prepared: Grader,
        cluster: Cluster | None = None,
        kept: Callable[[], None] = lambda: None,
    ) -> None:
        if cluster is not None:  # its workers run in other folders
            entries = [replace(entry, path=entry.path.absolute()) for entry in entries]
            config = config.absolute()
        self.entries, self.config, self.cluster = entries, config, cluster
        self.prepared = prepared
        self.records: dict[str, Record] = {}
        self.problems: list[str] = []
        self._kept = kept

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.config.output

    def in_order(self) -> list[Record]:
        """The records there are so far, by submission."""
        return sorted(self.records.values(), key=lambda record: record.submission)

    def grade(self, display: Display, jobs: int) -> None:
        """Grade what is not finished, retry alone what ran out of memory, then time."""
        pending = list(self._find_pending(display))
        display.begin(len(self.entries), len(self.entries) - len(pending))
        if pending and self.cluster is not None and not self.cluster.workers():
            display.message("no workers yet; waiting for the first")

        with scratch_folder() as scratch:
            run = replace(self.prepared.run, scratch=scratch)
            self.prepared = replace(self.prepared, run=run)
            if pending:
                self._grade(pending, max(1, min(jobs, len(pending))), display)
            if self.config.options.timing:
                self._time(display)

    # --- what is finished already

    def _find_pending(self, display: Display) -> Iterator[Entry]:
        """The entries that have to be graded; the records of the others are taken."""
        stored = {record.submission: record for record in self.prepared.run.store.records()}
        if stored:
            display.stage(self.prepared.name, "looking for what is graded already")

        for entry in self.entries:
            record = stored.get(entry.name)
            if record is not None and self._stands(entry, record):
                _log.info("%s: its record stands", entry.name)
                self.records[entry.name] = record
            else:
                yield entry

    def _stands(self, entry: Entry, record: Record) -> bool:
        """Whether nothing has changed that a stored record depends on."""
        if self.config.options.force or record.fingerprint is None:
            return False
        if any(status.is_ours for status in statuses(record)):
            return False
        if not entry.path.exists():
            return False
        if record.fingerprint != self.prepared.inputs_hash(entry):
            return False
        return self.prepared.is_complete(record)

    # --- grading

    def _grade(self, pending: Sequence[Entry], jobs: int, display: Display) -> None:
        """Grade the pending entries; those whose process ran out of memory once more, alone."""
        lost = self._grade_each(pending, jobs, display)
        if not lost:
            return
        display.message(f"once more, alone: {', '.join(entry.name for entry in lost)}")
        for entry in self._grade_each(lost, 1, display, fresh=True):
            reason = "the process that graded it was ended, most likely for want of memory"
            self._keep(self.prepared.ungraded(entry.name, Status.NOT_GRADED, reason))
            display.finish(entry.name, reason)

    def _grade_each(
        self, entries: Sequence[Entry], jobs: int, display: Display, *, fresh: bool = False
    ) -> list[Entry]:
        """Grade and store each; returns those that ran out of memory beside others."""
        again: list[Entry] = []
        with self._executor(jobs, display, fresh=fresh) as pool:
            for entry, future in in_flight(pool, entries, self._width(jobs, display, alone=fresh)):
                failure = None
                try:
                    record = future.result()
                    if record.out_of_memory and not fresh:
                        again.append(entry)
                        continue
                    self._keep(record)
                    failure = failure_of(record)
                except WorkerLostError:
                    again.append(entry)
                    continue
                except UnusableError:
                    raise
                except HarnessError as error:  # also of keeping it, at a far address
                    self.problems.append(str(error))
                    failure = str(error)
                display.finish(entry.name, failure)
        return again

    def _width(self, jobs: int, display: Display, *, alone: bool) -> Callable[[], int]:
        """How many entries are graded at a time; on a cluster as many as it has workers."""
        cluster, before = self.cluster, 0
        if cluster is None:
            return lambda: jobs

        def width() -> int:
            nonlocal before
            now = cluster.workers()
            if before and not now:
                display.message("no workers left; waiting for another")
            before = now
            return 1 if alone else max(1, now)

        return width

    @contextmanager
    def _executor(self, jobs: int, display: Display, *, fresh: bool) -> Iterator[PreparedExecutor]:
        if jobs == 1 and not fresh and self.cluster is None:
            yield InThisProcess(self.prepared)
            return
        with self._other_processes(jobs, display) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            pool.shutdown()

    @contextmanager
    def _other_processes(self, jobs: int, display: Display) -> Iterator[PreparedExecutor]:
        """An executor of other processes, which prepare themselves and tell how far they are."""
        if self.cluster is None:
            with display.receive_events() as wire:
                yield Processes(jobs, prepare_worker, (self.config, wire), [wire.fileno()])
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

    # --- timing

    def _time(self, display: Display) -> None:
        prepared = self.prepared
        untimed = [
            (entry, self.records[entry.name])
            for entry in self.entries
            if entry.name in self.records and prepared.may_time(self.records[entry.name])
        ]
        if untimed:
            display.begin(len(untimed), 0, TIMED)
        for entry, record in untimed:
            with unpack_entry(entry, prepared.run.scratch) as folder:
                if isinstance(folder, Path):
                    self._keep(prepared.time(record, folder))
            display.finish(entry.name)


def failure_of(record: Record) -> str | None:
    """Why there is nothing of a submission to count; None where there is something."""
    if record.status is Status.GRADED:
        return None
    return record.reason or record.status.value.replace("_", " ")


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
        done = wait(running, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done
        if not done:
            width()  # which tells where there are no workers left
        for future in done:
            yield running.pop(future), future
