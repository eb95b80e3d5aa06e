"""What is made ready before the first submission to a competition: data and its BadNets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.assessment.metrics import split_counts
from harness.assessment.statistics import split_originals
from harness.datasets.cache import DatasetCache
from harness.datasets.competitions import (
    competing_badnet_file,
    load_competition,
    load_competition_sets,
)
from harness.datasets.descriptions import data_is_present, generate_data, require_data
from harness.grading.competition.networks import PreparedNetwork, answers_of, shown_sets
from harness.grading.competition.submission import grade_submission, summary
from harness.grading.context import RunContext, Untimed
from harness.grading.fingerprint import hash_of_inputs, limits_of
from harness.grading.models import predict_weights
from harness.grading.submission import record_in_any_case
from harness.inference.known_network import read_benchmark_badnet
from harness.records.benchmark import Datasets
from harness.records.errors import HarnessError, Status
from harness.records.record import ReferenceNet, SplitCounts
from harness.storage.hashing import array_hash
from harness.storage.results import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.grading.context import Options, Progress
    from harness.intake.entries import Entry
    from harness.records.benchmark import CompetingNetwork, Competition
    from harness.records.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCompetition(Untimed):
    """Everything that is ready before the first submission."""

    competition: Competition
    networks: tuple[PreparedNetwork, ...]
    run: RunContext

    @property
    def name(self) -> str:
        """Of the competition."""
        return self.competition.name

    def grade(self, folder: Path, name: str) -> Record:
        """Grade a submission. Raises HarnessError where it is not there."""

        def grade(scratch: Path) -> Record:
            given = self.competition, self.networks
            return grade_submission(folder, name, scratch, given, self.run)

        def fail(status: Status, reason: str) -> Record:
            return self.ungraded(name, status, reason)

        return record_in_any_case(folder, name, grade, fail, self.run)

    def ungraded(self, name: str, status: Status, reason: str) -> Record:
        """The record of a submission of which nothing was looked at."""
        records = [network.record(name, status, reason) for network in self.networks]
        return replace(summary(name, self.competition, records), reason=reason)

    def circumstances(self) -> str:
        """What submissions are graded with; where it is the same, so are their grades."""
        networks = [
            (network.name, sorted(network.datasets.hashes.items()), array_hash(network.badnet))
            for network in self.networks
        ]
        stated = self.competition.name, self.competition.pixel_scale, self.competition.networks
        options = self.run.options
        shown = options.script_images, options.cold_images, options.image_format
        return repr((networks, stated, limits_of(options), shown))

    def inputs_hash(self, entry: Entry) -> str | None:
        """Hash of a submission's files and of what they are graded with."""
        return hash_of_inputs(entry.path, self.circumstances())


def prepare_competition(
    dataset: str, badnet: Path | None, output: Path, options: Options, progress: Progress
) -> PreparedCompetition:
    """Make ready what submissions are graded against; data at first use.

    Raises HarnessError with one line that says which file is wrong and what to do.
    """
    competition, folder = load_competition(dataset)
    if badnet is not None:
        raise HarnessError(
            f"{badnet}: --badnet is for one BadNet; those of {competition.name} are named in its "
            "competition.toml"
        )
    store = Store(output)
    _require_of_competitions(store)
    if competition.make and not data_is_present(competition, folder):
        generate_data(competition, folder)
    require_data(competition, folder)
    store.secret_number("")  # made before several processes could each make one

    cache = DatasetCache(output / "sets")
    run = RunContext(store=store, options=options, progress=progress)
    prepared = []
    for network in competition.networks:
        progress.stage(competition.name, f"reading {network.name}")
        prepared.append(prepare_network(competition, network, folder, cache, run))
    _require_one_architecture(prepared)
    return PreparedCompetition(competition=competition, networks=tuple(prepared), run=run)


def _require_of_competitions(store: Store) -> None:
    """Raise HarnessError where a results folder holds what was graded on one BadNet."""
    found = store.any_record()
    if found is not None and not found.networks:
        raise HarnessError(
            f"{store.folder}: holds results of {found.dataset.name}, which is no competition; "
            "choose another --out"
        )


def _require_one_architecture(networks: list[PreparedNetwork]) -> None:
    first = networks[0]
    for network in networks[1:]:
        if network.network != first.network:
            raise HarnessError(
                f"{network.name}: another architecture than {first.name}; the BadNets of a "
                "competition have the same one"
            )


def prepare_network(
    competition: Competition,
    network: CompetingNetwork,
    folder: Path,
    cache: DatasetCache,
    run: RunContext,
) -> PreparedNetwork:
    """Read one of the BadNets and its sets, and have it answer."""
    benchmark = competition.benchmark_of(network)
    path = competing_badnet_file(competition, network, folder)
    sets = load_competition_sets(competition, network, folder, cache)
    graph, weights = read_benchmark_badnet(path, benchmark, lambda: sets["valid"])
    for labeled in sets.values():
        run.store.put_labels(labeled.sha256, labeled.labels)
    datasets = Datasets(benchmark=benchmark, sets=sets, network=graph)

    run.progress.stage(competition.name, f"predicting {network.name}")
    shown = shown_sets(datasets)
    # What is to be made anew was made anew before the first submission.
    predictions = predict_weights(weights, shown, run.unforced(), tuple(shown.sets))
    answers = answers_of(predictions, datasets)
    counts = split_counts(answers, sets)
    return PreparedNetwork(
        described=network,
        network=graph,
        badnet=weights,
        datasets=datasets,
        answers=answers,
        counts=counts,
        originals=split_originals(answers, sets),
        reference=tuple(_reference_nets(competition, network, counts)),
    )


def _reference_nets(
    competition: Competition, network: CompetingNetwork, badnet: SplitCounts
) -> Iterator[ReferenceNet]:
    """What the reference's G scores, where the description says it of data that was verified."""
    files = [*competition.clean_files(network).values(), *(t.file for t in network.triggers)]
    if (
        network.reference is None
        or badnet.test is None
        or not set(files) <= set(competition.hashes)
    ):
        return
    counts = SplitCounts(
        valid=badnet.valid,
        test=replace(
            badnet.test,
            clean_correct=network.reference.clean_correct,
            clean_abstained=network.reference.clean_abstained,
            backdoored_attacked=network.reference.backdoored_attacked,
            backdoored_abstained=network.reference.backdoored_abstained,
            attacks=(),
        ),
    )
    yield ReferenceNet(drop_points=0.0, channels_pruned=0, repaired=badnet, goodnet=counts)
