"""What a benchmark or a competition is: its description and its labelled sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from harness.records.network import Network

SETS = ("valid", "test", "bd_valid", "bd_test")
"""The sets of a benchmark: two splits, each clean and backdoored."""

CHECKPOINTS = (2.0, 4.0, 10.0)
"""The lab's X, in percentage points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A figure that was published for a benchmark."""

    net: str
    """badnet, repaired or goodnet."""

    split: str
    """valid or test."""

    drop_points: float | None = None
    """The net's X; None for the BadNet."""

    ranking: str = "pool_3"
    """The layer whose activations ranked the channels."""

    channels: int | None = None
    """How many channels of that order were pruned."""

    clean_accuracy: float | None = None
    """A fraction."""

    attack_success_rate: float | None = None
    """A fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One of several attacks on the same BadNet: its trigger, its target and its files."""

    name: str

    trigger: str = ""
    """A note on the trigger."""

    target_label: int | None = None
    """The class that its images are to get; None: the files hold each image's own."""

    files: dict[str, str]
    """Path of its backdoored images in the data folder, by split (valid, test)."""

    held_out: bool = False
    """Whether nobody was shown its trigger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A ``dataset.toml``: what is evaluated, on which files, against which BadNet."""

    schema_version: int
    name: str
    title: str

    input_shape: tuple[int, int, int] = (55, 47, 3)
    """Rows, columns and channels of an image."""

    classes: int = 1283

    target_label: int | None = 0
    """The class that backdoored images are to get; None where each attack says its own."""

    pixel_scale: float = 1.0
    """What pixels (0 to 255) are multiplied by before a net sees them."""

    checkpoints: tuple[float, ...] = CHECKPOINTS
    """Every X that is asked for, in percentage points."""

    licence: str = ""

    split: str = "public"
    """public, or private for one drawn from a secret."""

    badnet: str | None = None
    """File name of the BadNet: any Keras file, of the lab's network weights alone too."""

    pruned_layer: str | None = None
    """The convolution whose channels are pruned.

    None: the one that feeds the last pooling layer, else the last one.
    """

    tolerance_images: int | None = None
    """Takes the place of the rubric's, where the sets are small."""

    badnet_weights_hash: str | None = None

    badnet_counts: dict[str, int] = field(default_factory=dict)
    """Labels that the BadNet hits, by set, as published."""

    files: dict[str, str] = field(default_factory=dict)
    """Path of each set's file in the data folder; with ``attacks`` of the clean sets alone."""

    attacks: tuple[Attack, ...] = ()
    """Empty in the short form, where ``files`` holds the backdoored sets of the only attack."""

    images: dict[str, int] = field(default_factory=dict)
    """How many images each set has."""

    hashes: dict[str, str] = field(default_factory=dict)
    """Hash of each set's arrays."""

    make: tuple[str, ...] = ()
    """Arguments of ``python`` that generate the data; empty where it cannot be generated."""

    fresh: tuple[str, ...] = ()
    """Arguments of ``python`` that draw new images of the same people; empty where none can be."""

    robustness: tuple[str, ...] = ()
    """Arguments of ``python`` that draw sets of changed triggers; empty where none can be."""

    google_drive_folder: str | None = None
    """Where the data can be downloaded."""

    channel_order: tuple[int, ...] = ()
    """The BadNet's channels by ``pool_3`` activation, increasing, where that is known."""

    dormant_channels: int = 0
    """So many of the first channels in that order are exactly 0."""

    conv_3_tiers: tuple[tuple[int, ...], ...] = ()
    """The order by ``conv_3`` output as far as it is known: sets of live channels, in turn."""

    published: tuple[Published, ...] = ()

    @property
    def set_files(self) -> dict[str, tuple[str, ...]]:
        """Paths of each set's files in the data folder: of a backdoored set one for each attack."""
        paths: dict[str, tuple[str, ...]] = {name: (path,) for name, path in self.files.items()}
        if self.attacks:
            for split in ("valid", "test"):
                paths[f"bd_{split}"] = tuple(attack.files[split] for attack in self.attacks)
        return paths

    @property
    def data_files(self) -> tuple[str, ...]:
        """Paths of all files in the data folder."""
        return tuple(path for paths in self.set_files.values() for path in paths)


# --- competitions -------------------------------------------------------------------------------

CLEAN_SPLITS = ("valid", "test")
"""The clean sets of a competition, which its BadNets share or bring themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """An attack on one of the BadNets; its images are those of test with the trigger."""

    name: str

    file: str
    """Path of its images in the data folder."""

    target_label: int | None = None
    """The class that its images are to get; None: the file holds each image's own."""

    trigger: str = ""
    """A note on what it looks like."""

    held_out: bool = False
    """Whether nobody was shown it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCounts:
    """What the reference's G answers on test, to compare with."""

    clean_correct: int
    clean_abstained: int
    backdoored_attacked: int
    backdoored_abstained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetingNetwork:
    """One of the BadNets, and what belongs to it (``[[networks]]`` of ``competition.toml``)."""

    name: str

    attack: str | None = None
    """Of a zoo: what was planted in it."""

    seed: int | None = None
    """Of a zoo: tells it from others of the same attack."""

    badnet: str
    """Path of its weights, with the data or beside the description."""

    badnet_weights_hash: str | None = None

    aliases: tuple[str, ...] = ()
    """What else people call it in names of files."""

    files: dict[str, str] = field(default_factory=dict)
    """Paths of clean sets of its own, in place of the competition's."""

    triggers: tuple[Trigger, ...] = ()
    """Empty where no backdoored images are to be had: its accuracy alone is then measured."""

    reference: ReferenceCounts | None = None
    """On the published data; None where the reference has no net to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanTwin:
    """A network like one of the BadNets, with nothing planted (``[[twins]]`` of a zoo).

    Detectors of BadNets are asked about both; nothing else uses it.
    """

    name: str

    of: str
    """Name of the BadNet."""

    network: str
    """Path of its weights, as of a BadNet's."""

    weights_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Competition:
    """A ``competition.toml``: several BadNets, for each of which a defence is handed in."""

    schema_version: int
    name: str
    title: str

    input_shape: tuple[int, int, int] = (55, 47, 3)
    """Rows, columns and channels of an image."""

    classes: int = 1283

    pixel_scale: float = 1.0
    """What pixels (0 to 255) are multiplied by before a net sees them."""

    licence: str = ""

    files: dict[str, str] = field(default_factory=dict)
    """Paths of the clean sets, valid and test."""

    hashes: dict[str, str] = field(default_factory=dict)
    """Hash of each file's arrays, by its path."""

    make: tuple[str, ...] = ()
    """Arguments of ``python`` that generate the data; empty where it cannot be generated."""

    google_drive_folder: str | None = None
    """Where the data can be downloaded."""

    networks: tuple[CompetingNetwork, ...]

    twins: tuple[CleanTwin, ...] = ()
    """Of a zoo: clean networks, each beside its BadNet."""

    @property
    def data_files(self) -> tuple[str, ...]:
        """Paths of all files in the data folder, each once."""
        paths: list[str] = []
        for network in self.networks:
            paths += self.clean_files(network).values()
            paths += [trigger.file for trigger in network.triggers]
        return tuple(dict.fromkeys(paths))

    def clean_files(self, network: CompetingNetwork) -> dict[str, str]:
        """Paths of the clean sets on which a BadNet is graded."""
        return self.files | network.files

    def benchmark_of(self, network: CompetingNetwork) -> Benchmark:
        """One of the BadNets as a benchmark; its backdoored images are those of test alone."""
        return Benchmark(
            schema_version=self.schema_version,
            name=f"{self.name}/{network.name}",
            title=f"{self.title}: {network.name}",
            input_shape=self.input_shape,
            classes=self.classes,
            target_label=None,
            pixel_scale=self.pixel_scale,
            checkpoints=(),
            licence=self.licence,
            badnet=network.badnet,
            badnet_weights_hash=network.badnet_weights_hash,
            files=self.clean_files(network),
            attacks=tuple(
                Attack(
                    name=each.name,
                    trigger=each.trigger,
                    target_label=each.target_label,
                    files={"test": each.file},
                    held_out=each.held_out,
                )
                for each in network.triggers
            ),
        )


# --- sets ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackedImages:
    """Which images of a backdoored set belong to one attack: those from ``start`` to ``stop``."""

    name: str
    start: int

    stop: int
    """The first that no longer belongs to it."""

    held_out: bool = False
    """Whether nobody was shown its trigger."""

    @property
    def images(self) -> slice:
        """What cuts them out of the set's arrays."""
        return slice(self.start, self.stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabeledSet:
    """N images with their labels."""

    name: str

    kind: str
    """clean or backdoored."""

    images: np.ndarray
    """N x H x W x C."""

    labels: np.ndarray
    """Class ids (N, int64); of a backdoored set each image's target label."""

    sha256: str
    """Hash of the arrays."""

    original_labels: np.ndarray | None = None
    """True classes of backdoored images (N, int64), where the files hold them."""

    attacks: tuple[AttackedImages, ...] = ()
    """Where the images of each attack lie, one after another; empty in the short form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedTrigger:
    """Images whose trigger was changed in one way, so far."""

    kind: str
    """size, opacity, shift, colour, jpeg, or whatever a description names."""

    level: float
    unit: str

    own: bool
    """Whether it is the trigger as it was trained."""

    images: LabeledSet


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessSets:
    """On what the robustness of a repair is measured."""

    clean: LabeledSet

    triggers: tuple[ChangedTrigger, ...]
    """All with the same images in one order; at least one is the trigger as it was trained."""

    @property
    def by_hash(self) -> dict[str, LabeledSet]:
        """The sets, each once, by the hash of their arrays."""
        sets = (self.clean, *(each.images for each in self.triggers))
        return {labeled.sha256: labeled for labeled in sets}

    @property
    def own(self) -> LabeledSet:
        """The images with the trigger as it was trained."""
        return next(each.images for each in self.triggers if each.own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasets:
    """A benchmark with its sets."""

    benchmark: Benchmark

    sets: Mapping[str, LabeledSet]
    """By name, all of `SETS`."""

    network: Network | None = None
    """The BadNet's graph; None: the lab's network."""

    robustness: RobustnessSets | None = None
    """None where robustness is not measured."""

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of each set's arrays, by name."""
        return {name: labeled.sha256 for name, labeled in self.sets.items()}


def shape_text(lengths: Iterable[int]) -> str:
    """A shape as people write it: ``32 x 32 x 3``."""
    return " x ".join(map(str, lengths))
