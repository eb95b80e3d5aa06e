"""Detectors on a zoo: of each BadNet and of its clean twin, how likely is it backdoored?

A detector is run exactly as a defence is. What it is handed of a BadNet and of its twin differs in
nothing but their weights: no name, no path, no order tells which is which, and all networks come
with the same seed and the same images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from harness.datasets.cache import DatasetCache
from harness.datasets.competitions import competing_badnet_file, load_competition_sets
from harness.datasets.zoos import load_zoo, require_twins, split_name, with_twins
from harness.grading.context import RunContext
from harness.grading.defences.cell import Subject, call_stack_kept, task_of
from harness.grading.defences.code import declared_defence
from harness.grading.defences.zoo import DETECTORS, PreparedZoo, results_of
from harness.grading.submission import record_in_any_case
from harness.inference.defences import worker
from harness.inference.defences.probabilities import ProbabilityError, read_probability
from harness.inference.defences.running import repair
from harness.inference.known_network import read_benchmark_badnet
from harness.intake.staging import stage_repository
from harness.records.benchmark import Datasets
from harness.records.errors import HarnessError, Status, SubmissionError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.grading.context import Options, Progress
    from harness.inference.defences.running import RepairTask
    from harness.records.benchmark import CompetingNetwork
    from harness.records.record import Record

ANY_NETWORK = ""
"""In place of a name, from which the seed would follow that a detector is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDetection(PreparedZoo):
    """A zoo whose networks are its BadNets and their clean twins, and how detectors are run."""

    code: ClassVar[str] = DETECTORS

    def grade(self, folder: Path, name: str) -> Record:
        """Ask a detector about a network. Raises HarnessError where the zoo's files are damaged."""
        network = self._described(split_name(name)[1])

        def ask(scratch: Path) -> Record:
            self.run.progress.stage(name, "asking")
            with call_stack_kept(name, self.run):
                left = repair(self._task(folder, scratch, network))
            try:
                probability = read_probability(left.content)
            except ProbabilityError as error:
                raise SubmissionError(Status.REJECTED, str(error)) from None
            empty = self.ungraded(name, Status.GRADED, None)
            return replace(empty, probability=probability, repair=left.cost)

        def fail(status: Status, reason: str) -> Record:
            return self.ungraded(name, status, reason)

        return record_in_any_case(folder, name, ask, fail, self.run)

    def _task(self, folder: Path, scratch: Path, network: CompetingNetwork) -> RepairTask:
        declared = declared_defence(folder, worker.DETECT)
        benchmark = self.zoo.benchmark_of(network)
        path = competing_badnet_file(self.zoo, network, self.folder)
        graph, weights = read_benchmark_badnet(path, benchmark)
        unattacked = replace(network, triggers=())
        sets = load_competition_sets(self.zoo, unattacked, self.folder, self.cache)

        datasets = Datasets(benchmark=benchmark, sets=sets, network=graph)
        subject = Subject(ANY_NETWORK, graph, weights, datasets)
        code = stage_repository(folder, scratch).path
        return task_of(code, declared, subject, self.run, worker.DETECT)


def prepare_detection(
    zoo: str, output: Path, options: Options, progress: Progress
) -> PreparedDetection:
    """Make a zoo with its clean twins ready. Raises HarnessError that says what to do."""
    described, folder = load_zoo(zoo)
    require_twins(described, folder)
    if (output / PreparedZoo.code).is_dir():
        raise HarnessError(f"{output}: holds what defences repaired; choose another --out")
    return PreparedDetection(
        zoo=with_twins(described),
        folder=folder,
        run=RunContext(store=results_of(described, output), options=options, progress=progress),
        cache=DatasetCache(output / "sets"),
    )
