"""Many submissions: what is finished already, and a record for each whatever happens to others.

A second run of the same command repeats nothing: a record whose fingerprint is unchanged
stands, predictions are taken from the store, and timing is done where it is still missing.
Timing comes last, one submission at a time, so that nothing else disturbs it.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import FIRST_COMPLETED, as_completed, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.console import show_warnings
from harness.errors import HarnessError, Status, SubmissionError
from harness.executors import InThisProcess, Processes, WorkerLostError
from harness.fingerprints import fingerprint
from harness.grade import grade_folder, rejected
from harness.intake import entries, folder_of
from harness.preparation import prepare
from harness.pseudonyms import pseudonyms
from harness.reporting import Relay
from harness.scratch import scratch_folder
from harness.speed import timed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor, Future

    from harness.bench import Bench, Options
    from harness.intake import Entry
    from harness.records import Record
    from harness.reporting import Display

_OURS = (Status.NOT_GRADED, Status.HARNESS_ERROR)


DEFAULT_FOLDER = Path("submissions")


def submissions(
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
class Setup:
    """What a worker needs to prepare its bench: the same for all submissions of a batch."""

    dataset: str
    badnet: Path | None
    output: Path
    options: Options


class Batch:
    """One run over ``entries``; ``records`` and ``problems`` hold what there is so far."""

    def __init__(self, entries: Sequence[Entry], setup: Setup, bench: Bench) -> None:
        self.entries, self.setup, self.bench = entries, setup, bench
        self.records: dict[str, Record] = {}
        self.problems: list[str] = []

    def grade(self, display: Display, jobs: int) -> None:
        """Grade what is not finished, retry alone what ran out of memory, then time."""
        pending = list(self._pending(display))
        display.starts(len(self.entries), len(self.entries) - len(pending))
        with scratch_folder():
            self._grade(pending, max(1, min(jobs, len(pending))), display)
            if self.setup.options.timing:
                self._time()

    def _grade(self, pending: Sequence[Entry], jobs: int, display: Display) -> None:
        lost = self._graded(pending, jobs, display) if pending else []
        if lost:
            display.says(f"once more, alone: {', '.join(entry.name for entry in lost)}")
            for entry in self._graded(lost, 1, display, fresh=True):
                reason = "the process that graded it was ended, most likely for want of memory"
                self._keep(rejected(entry.name, (Status.NOT_GRADED, reason), self.bench))

    def in_order(self) -> list[Record]:
        """The records there are so far, by submission."""
        return sorted(self.records.values(), key=lambda record: record.submission)

    def _pending(self, display: Display) -> Iterator[Entry]:
        stored = {record.submission: record for record in self.bench.store.records()}
        if stored:
            display.stage(self.bench.benchmark.name, "looking for what is graded already")
        for entry in self.entries:
            found = stored.get(entry.name)
            if found is not None and not self.setup.options.force and self._stands(entry, found):
                self.records[entry.name] = found
            else:
                yield entry

    def _stands(self, entry: Entry, record: Record) -> bool:
        if record.fingerprint is None or record.status in _OURS:
            return False
        if any(checkpoint.status in _OURS for checkpoint in record.checkpoints):
            return False
        return entry.path.exists() and record.fingerprint == fingerprint(entry.path, self.bench)

    def _graded(
        self, entries: Sequence[Entry], jobs: int, display: Display, *, fresh: bool = False
    ) -> list[Entry]:
        """Grade and store each; returns those that ran out of memory beside others."""
        again: list[Entry] = []
        with _executor(jobs, self.setup, self.bench, display, fresh=fresh) as pool:
            for entry, future in in_flight(pool, entries, jobs):
                try:
                    record = future.result()
                    if record.out_of_memory and not fresh:
                        again.append(entry)
                        continue
                    self._keep(record)
                except WorkerLostError:
                    again.append(entry)
                    continue
                except HarnessError as error:
                    self.problems.append(str(error))
                display.finished(entry.name)
        return again

    def _keep(self, record: Record) -> None:
        self.bench.store.put_record(record)
        self.records[record.submission] = record

    def _time(self) -> None:
        for entry in self.entries:
            record = self.records.get(entry.name)
            if record is None or record.timed or not any(c.repaired for c in record.checkpoints):
                continue
            with unpacked(entry) as folder:
                if isinstance(folder, Path):
                    self._keep(timed(record, folder, self.bench))


def in_flight(
    pool: Executor, entries: Sequence[Entry], width: int
) -> Iterator[tuple[Entry, Future[Record]]]:
    """Submit ``width`` at a time and yield each as it is done, so that little is lost or held."""
    running: dict[Future[Record], Entry] = {}
    for entry in entries:
        running[pool.submit(graded, entry)] = entry
        if len(running) >= width:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future
    for future in as_completed(running):
        yield running[future], future


# --- in a worker ------------------------------------------------------------------------------

_benches: list[Bench] = []


@contextmanager
def _executor(
    jobs: int, setup: Setup, bench: Bench, display: Display, *, fresh: bool
) -> Iterator[Executor]:
    if jobs == 1 and not fresh:
        _benches[:] = [bench]
        yield InThisProcess()
        return
    with display.relayed() as queue:
        pool = Processes(jobs, prepare_worker, (setup, queue))
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        pool.shutdown()


def prepare_worker(setup: Setup, queue: Any) -> None:
    """Make this process ready to grade."""
    progress = Relay(queue)
    show_warnings(progress.says)
    bench = prepare(setup.dataset, setup.badnet, setup.output, setup.options, progress)
    _benches[:] = [bench]


def graded(entry: Entry) -> Record:
    """Grade one submission in this process. Raises HarnessError where it is not there."""
    (bench,) = _benches
    before = fingerprint(entry.path, bench)
    with unpacked(entry) as folder:
        if isinstance(folder, SubmissionError):
            record = rejected(entry.name, (folder.status, folder.reason), bench)
        else:
            record = replace(grade_folder(folder, bench, entry.name), submission=entry.name)
    return replace(record, fingerprint=before)


@contextmanager
def unpacked(entry: Entry) -> Iterator[Path | SubmissionError]:
    """The folder to grade, an archive unpacked for as long as this lasts, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
        try:
            folder: Path | SubmissionError = folder_of(entry, Path(scratch))
        except SubmissionError as error:
            folder = error
        yield folder
