"""What a benchmark is: its description and its labelled sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from harness.records.network import Network

SETS = ("valid", "test", "bd_valid", "bd_test")
"""The sets of a benchmark: two splits, each clean and backdoored."""


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
class Benchmark:
    """A ``dataset.toml``: what is evaluated, on which files, against which BadNet."""

    schema_version: int
    name: str
    title: str
    classes: int = 1283

    input_shape: tuple[int, int, int] = (55, 47, 3)
    """Rows, columns and colours of an image."""

    pruned_layer: str = ""
    """The layer whose channels are pruned; empty: the convolution below the last pooling."""

    target_label: int = 0
    """The class that backdoored images are to get."""

    pixel_scale: float = 1.0
    """What pixels (0 to 255) are multiplied by before a net sees them."""

    checkpoints: tuple[float, ...] = (2.0, 4.0, 10.0)
    """Every X that is asked for, in percentage points."""

    licence: str = ""

    split: str = "public"
    """public, or private for one drawn from a secret."""

    badnet: str | None = None
    """File name of the BadNet's weights."""

    badnet_weights_hash: str | None = None

    badnet_counts: dict[str, int] = field(default_factory=dict)
    """Labels that the BadNet hits, by set, as published."""

    files: dict[str, str] = field(default_factory=dict)
    """Path of each set's file in the data folder."""

    images: dict[str, int] = field(default_factory=dict)
    """How many images each set has."""

    hashes: dict[str, str] = field(default_factory=dict)
    """Hash of each set's arrays."""

    make: tuple[str, ...] = ()
    """Arguments of ``python`` that generate the data; empty where it cannot be generated."""

    fresh: tuple[str, ...] = ()
    """Arguments of ``python`` that draw new images of the same people; empty where none can be."""

    google_drive_folder: str | None = None
    """Where the data can be downloaded."""

    channel_order: tuple[int, ...] = ()
    """The BadNet's channels by ``pool_3`` activation, increasing, where that is known."""

    dormant_channels: int = 0
    """So many of the first channels in that order are exactly 0."""

    conv_3_tiers: tuple[tuple[int, ...], ...] = ()
    """The order by ``conv_3`` output as far as it is known: sets of live channels, in turn."""

    published: tuple[Published, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabeledSet:
    """N images with their labels."""

    name: str

    kind: str
    """clean or backdoored."""

    images: np.ndarray
    """N x 55 x 47 x 3."""

    labels: np.ndarray
    """Class ids (N, int64); of a backdoored set the attack's target label."""

    sha256: str
    """Hash of the arrays."""

    original_labels: np.ndarray | None = None
    """True classes of backdoored images (N, int64), where the file holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasets:
    """A benchmark with its sets."""

    benchmark: Benchmark

    sets: Mapping[str, LabeledSet]
    """By name, all of `SETS`."""

    network: Network | None = None
    """The BadNet's graph; None: the lab's network."""

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of each set's arrays, by name."""
        return {name: labeled.sha256 for name, labeled in self.sets.items()}
