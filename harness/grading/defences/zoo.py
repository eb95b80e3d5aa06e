"""What is made ready before the first cell: a zoo, whose BadNets are read when they are needed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from harness.datasets.cache import DatasetCache
from harness.datasets.zoos import cell_name, load_zoo, split_name, split_settings
from harness.grading.competition.networks import empty_record
from harness.grading.competition.setup import prepare_network
from harness.grading.context import RunContext, Untimed
from harness.grading.defences.cell import grade_cell
from harness.grading.fingerprint import hash_of_inputs, limits_of
from harness.grading.robustness.cells import changed_triggers_file, with_changed_triggers
from harness.grading.submission import record_in_any_case
from harness.intake.entries import Entry
from harness.records.errors import HarnessError, Status
from harness.records.record import DatasetIdentity
from harness.records.text import one_line
from harness.storage.results import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.grading.competition.networks import PreparedNetwork
    from harness.grading.context import Options, Progress
    from harness.records.benchmark import CompetingNetwork, Competition
    from harness.records.record import Record


DETECTORS = "detectors"
"""The folder of the results in which the code of detectors is kept: it tells both kinds apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedZoo(Untimed):
    """A zoo, and how defences are run on it."""

    code: ClassVar[str] = "defences"
    """The folder of the results in which their code is kept."""

    zoo: Competition
    folder: Path
    run: RunContext
    cache: DatasetCache

    read: dict[str, PreparedNetwork] = field(default_factory=dict)
    """The BadNet that was used last, by its name."""

    @property
    def name(self) -> str:
        """Of the zoo."""
        return self.zoo.name

    def grade(self, folder: Path, name: str) -> Record:
        """Grade a cell. Raises HarnessError where the zoo's files are damaged."""
        network = self._network(split_name(name)[1])

        def grade(scratch: Path) -> Record:
            return grade_cell(folder, name, scratch, network, self.run)

        def fail(status: Status, reason: str) -> Record:
            return network.record(name, status, reason)

        return record_in_any_case(folder, name, grade, fail, self.run)

    def ungraded(self, name: str, status: Status, reason: str | None) -> Record:
        """The record of a cell of which nothing was counted."""
        network = self._described(split_name(name)[1])
        dataset = DatasetIdentity(name=f"{self.name}/{network.name}", arrays={})
        return replace(
            empty_record(name, status, reason, dataset),
            badnet_weights_hash=network.badnet_weights_hash,
            classes=self.zoo.classes,
        )

    def circumstances(self) -> str:
        """What all cells have in common."""
        stated = (
            self.zoo.name,
            self.zoo.pixel_scale,
            self.zoo.files,
            sorted(self.zoo.hashes.items()),
        )
        return repr((stated, self.zoo.networks, self._limits()))

    def inputs_hash(self, entry: Entry) -> str | None:
        """Hash of a defence's code and settings, of the BadNet and its data, and of the budget."""
        defence, name = split_name(entry.name)
        network = self._described(name)
        files = [*self.zoo.clean_files(network).values(), *(t.file for t in network.triggers)]
        hashes = [self.zoo.hashes.get(file) for file in files]
        settings = split_settings(defence)[1]
        given = (network, hashes, self._limits(), *([settings] if settings else []))
        return hash_of_inputs(entry.path, repr(given))

    def is_complete(self, record: Record) -> bool:
        """Whether a cell holds all that is asked for; one that failed has no robustness."""
        if not self.run.options.robustness or record.status is not Status.GRADED:
            return True
        network = split_name(record.submission)[1]
        return record.robustness is not None or not self._has_changed_triggers(network)

    def without_changed_triggers(self) -> list[str]:
        """The BadNets of which nothing shows how far a repair holds."""
        return [n.name for n in self.zoo.networks if not self._has_changed_triggers(n.name)]

    def _has_changed_triggers(self, network: str) -> bool:
        return changed_triggers_file(self.folder, network).is_file()

    def _limits(self) -> tuple[object, ...]:
        return *limits_of(self.run.options), self.run.options.budget

    def _described(self, name: str) -> CompetingNetwork:
        return next(network for network in self.zoo.networks if network.name == name)

    def _network(self, name: str) -> PreparedNetwork:
        if name not in self.read:
            self.read.clear()
            described = self._described(name)
            network = prepare_network(self.zoo, described, self.folder, self.cache, self.run)
            if self.run.options.robustness:
                network = with_changed_triggers(network, self.folder, self.cache)
            self.read[name] = network
        return self.read[name]


def prepare_zoo(zoo: str, output: Path, options: Options, progress: Progress) -> PreparedZoo:
    """Make a zoo ready. Raises HarnessError with one line that says what to do."""
    described, folder = load_zoo(zoo)
    if (output / DETECTORS).is_dir():
        raise HarnessError(f"{output}: holds what detectors answered; choose another --out")
    store = results_of(described, output)
    prepared = PreparedZoo(
        zoo=described,
        folder=folder,
        run=RunContext(store=store, options=options, progress=progress),
        cache=DatasetCache(output / "sets"),
    )
    if options.robustness and len(prepared.without_changed_triggers()) == len(described.networks):
        raise HarnessError(
            f"{folder}: no BadNet has changed triggers, which --robustness needs; the command that "
            "made this zoo draws them with --changed-triggers (python -m reference zoo ...)"
        )
    return prepared


def results_of(described: Competition, output: Path) -> Store:
    """The store of a zoo's results. Raises HarnessError where it holds those of another."""
    store = Store(output)
    found = store.any_record()
    if found is not None and found.dataset.name.partition("/")[0] != described.name:
        raise HarnessError(
            f"{output}: holds results of {found.dataset.name}, not of the zoo {described.name}; "
            "choose another --out"
        )
    store.secret_number("")  # made before several processes could each make one
    return store


def chosen_part(zoo: Competition, only: str | None) -> Competition:
    """The zoo with no BadNets but those of ``only``: names of attacks and BadNets, with commas.

    Raises HarnessError for a name that is neither.
    """
    if only is None:
        return zoo
    named = [name.strip() for name in only.split(",") if name.strip()]
    networks = [network.name for network in zoo.networks]
    attacks = list(dict.fromkeys(network.attack for network in zoo.networks if network.attack))
    unknown = [one_line(name, 60) for name in named if name not in {*networks, *attacks}]
    if unknown or not named:
        wrong = f"{zoo.name} has no {', '.join(map(repr, unknown))}" if unknown else "no name"
        raise HarnessError(
            f"--only: {wrong}; its attacks are {', '.join(attacks)}; its BadNets "
            f"{', '.join(networks)}"
        )
    chosen = [each for each in zoo.networks if {each.name, each.attack} & {*named}]
    return replace(zoo, networks=tuple(chosen))


def cells(defences: Sequence[Entry], zoo: Competition) -> list[Entry]:
    """The cells to grade, seed by seed: what is stopped early has something of every attack."""
    networks = sorted(zoo.networks, key=lambda network: network.seed or 0)
    return [
        Entry(cell_name(defence.name, network.name), defence.path)
        for network in networks
        for defence in defences
    ]


def standing_cells(results: Path, prepared: PreparedZoo) -> list[Record]:
    """The stored cells of all defences in the results on which nothing has changed since."""
    return [record for record, stands in _stored_cells(results, prepared) if stands]


def outdated_cells(results: Path, prepared: PreparedZoo) -> dict[str, list[str]]:
    """By defence the names of its other stored cells: of other code, budget or zoo."""
    outdated: dict[str, list[str]] = {}
    for record, stands in _stored_cells(results, prepared):
        if not stands:
            outdated.setdefault(split_name(record.submission)[0], []).append(record.submission)
    return outdated


def _stored_cells(results: Path, prepared: PreparedZoo) -> Iterator[tuple[Record, bool]]:
    """The stored cells, and whether nothing has changed since that they depend on."""
    stored = {record.submission: record for record in prepared.run.store.records()}
    folders = {folder.name: folder for folder in (results / prepared.code).glob("*/")}
    for name in sorted({split_name(submission)[0] for submission in stored}):
        folder = folders.get(split_settings(name)[0])
        if folder is None:
            continue
        for entry in cells([Entry(name, folder)], prepared.zoo):
            record = stored.get(entry.name)
            if record is not None:
                yield record, record.fingerprint == prepared.inputs_hash(entry)
