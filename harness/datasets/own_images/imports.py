"""Somebody's own images as a benchmark folder: read, split, written; no model comes in.

Whoever calls writes into a folder beside the one that is wanted, and renames it in the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness.datasets.own_images.array_files import ArrayKeys, read_arrays
from harness.datasets.own_images.given_sets import require_one_shape
from harness.datasets.own_images.image_folders import ORDERS, read_image_folder
from harness.records.benchmark import Attack, shape_text
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.datasets.own_images.given_sets import GivenSet

SPLITS = ("valid", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAttack:
    """An attack as it is given on the command line."""

    name: str

    sets: tuple[Path, ...]
    """One set that is split, or valid and test."""

    target: int | None = None
    """The class that all its images are to get; None: the one that each is labelled with."""

    trigger: str = ""
    """A note on the trigger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files are read, and sets split."""

    keys: ArrayKeys = field(default_factory=ArrayKeys)
    input_shape: tuple[int, int, int] | None = None
    class_order: str = ORDERS[0]

    valid_share: float = 0.5
    """Of a set that is split."""

    seed: int = 0


class Report(Protocol):
    """Who is told how far reading has come."""

    def stage(self, submission: str, what: str) -> None:
        """Something is begun."""

    def images(self, done: int, total: int) -> None:
        """So many images of it are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitAttack:
    """An attack whose images are read and split."""

    name: str
    trigger: str

    target: int | None
    """None where images have targets of their own."""

    sets: Mapping[str, GivenSet]
    """By split; labels are the targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitImages:
    """All images of a benchmark, read and split."""

    clean: Mapping[str, GivenSet]
    attacks: tuple[SplitAttack, ...]

    remarks: tuple[str, ...]
    """What was made of the files where they could have been meant otherwise."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of every image."""
        height, width, channels = self.clean["valid"].images.shape[1:]
        return height, width, channels

    @property
    def classes_seen(self) -> int:
        """One more than the largest class, or as many as there are folders of classes."""
        most = max(int(given.labels.max()) for given in self.clean.values())
        return max(most + 1, len(self.clean["valid"].class_names))


def read_images(
    clean: Sequence[Path], attacks: Sequence[GivenAttack], reading: Reading, report: Report
) -> SplitImages:
    """Read and split everything that is given.

    Raises HarnessError with one line for what cannot be read, or does not go together.
    """
    reader = _Reader(reading, report)
    given = [reader.read(path) for path in clean]
    parts = _split(given, reading) if len(given) == 1 else None
    split = _in_parts(given, parts)

    read = [[reader.read(path) for path in attack.sets] for attack in attacks]
    require_one_shape([*given, *(each for sets in read for each in sets)])

    remarks = list(reader.remarks)
    done = []
    for attack, sets in zip(attacks, read, strict=True):
        own = parts if parts and len(sets) == 1 and _is_paired(given[0], sets[0]) else None
        if len(sets) == 1 and own is None:
            own = _split(sets, reading)
        elif len(sets) == 1:
            remarks.append(f"{attack.name}: image i is taken to be clean image i with the trigger")
        done.append(_with_targets(attack, _in_parts(sets, own), remarks))
    return SplitImages(clean=split, attacks=tuple(done), remarks=tuple(remarks))


class _Reader:
    """Reads files and folders; the first folder of images numbers the classes for all."""

    def __init__(self, reading: Reading, report: Report) -> None:
        self._reading, self._report = reading, report
        self._class_names: tuple[str, ...] = ()
        self.remarks: list[str] = []

    def read(self, path: Path) -> GivenSet:
        self._report.stage(str(path), "reading")
        if not path.is_dir():
            return read_arrays(path, self._reading.keys, self._reading.input_shape)

        shape = self._reading.input_shape
        given = read_image_folder(
            path,
            self._class_names,
            shape[2] if shape else None,
            self._report.images,
            self._reading.class_order,
        )
        if shape and given.images.shape[1:] != shape:
            raise HarnessError(
                f"{path}: images of {shape_text(given.images.shape[1:])}, but --input-shape says "
                f"{shape_text(shape)}"
            )
        self._remark(given)
        return given

    def _remark(self, given: GivenSet) -> None:
        if given.left_aside:
            self.remarks.append(f"{given.source}: {given.left_aside} files are no images")
        if not self._class_names:
            self._class_names = given.class_names
            if list(given.class_names) != [str(number) for number in range(len(given.class_names))]:
                numbers = [f"{number} = {name}" for number, name in enumerate(given.class_names)]
                shown = numbers if len(numbers) < 12 else [*numbers[:5], "...", numbers[-1]]
                self.remarks.append(f"classes are numbered {', '.join(shown)}")


# --- splitting ----------------------------------------------------------------------------------


def _split(given: Sequence[GivenSet], reading: Reading) -> dict[str, np.ndarray]:
    """Which images of a set go to valid and to test: of every class the same share of each.

    The same images, share and seed give the same split.
    """
    labels = given[0].labels
    if given[0].original_labels is not None:
        labels = given[0].original_labels
    shuffled = np.random.default_rng(reading.seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]

    # Counted over all classes, the share is met by the whole set and nearly by every class.
    steps = np.floor(np.arange(len(labels) + 1) * reading.valid_share)
    is_valid = np.diff(steps) > 0
    parts = {"valid": np.sort(by_class[is_valid]), "test": np.sort(by_class[~is_valid])}
    if not all(len(part) for part in parts.values()):
        raise HarnessError(
            f"{given[0].source}: {len(labels)} images cannot be split into valid and test"
        )
    return parts


def _in_parts(
    given: Sequence[GivenSet], parts: Mapping[str, np.ndarray] | None
) -> dict[str, GivenSet]:
    """Two sets as they are, or one in two parts."""
    if parts is None:
        return dict(zip(SPLITS, given, strict=True))
    return {split: _take(given[0], part) for split, part in parts.items()}


def _take(given: GivenSet, indices: np.ndarray) -> GivenSet:
    originals = given.original_labels
    return replace(
        given,
        images=given.images[indices],
        labels=given.labels[indices],
        original_labels=None if originals is None else originals[indices],
    )


def _is_paired(clean: GivenSet, backdoored: GivenSet) -> bool:
    """Whether each backdoored image has a clean one of the same number, as far as can be told."""
    if len(clean.labels) != len(backdoored.labels):
        return False
    originals = backdoored.original_labels
    return originals is None or np.array_equal(originals, clean.labels)


# --- targets ------------------------------------------------------------------------------------


def _with_targets(
    attack: GivenAttack, sets: Mapping[str, GivenSet], remarks: list[str]
) -> SplitAttack:
    """The attack with targets as labels; labels that are not the stated target are true classes."""
    labels = np.concatenate([given.labels for given in sets.values()])
    target = attack.target
    if target is None and (labels == labels[0]).all():
        target = int(labels[0])
        remarks.append(f"{attack.name}: all its images are labelled {target}: that is its target")
    elif target is None:
        remarks.append(f"{attack.name}: the label of each image is taken as its own target")
    elif (labels != target).any():
        remarks.append(f"{attack.name}: labels other than {target} are taken as true classes")
        sets = {split: _retarget(given, target) for split, given in sets.items()}
    return SplitAttack(name=attack.name, trigger=attack.trigger, target=target, sets=sets)


def _retarget(given: GivenSet, target: int) -> GivenSet:
    originals = given.labels if given.original_labels is None else given.original_labels
    return replace(
        given, labels=np.full(len(given.labels), target, np.int64), original_labels=originals
    )


# --- writing ------------------------------------------------------------------------------------


def described_attacks(images: SplitImages) -> tuple[Attack, ...]:
    """The attacks with the files that `write_sets` writes."""
    described: list[Attack] = []
    for number, attack in enumerate(images.attacks, start=1):
        name = re.sub(r"[^a-z0-9]+", "_", attack.name.lower()).strip("_") or f"attack_{number}"
        if any(f"bd/{name}_valid.h5" in other.files.values() for other in described):
            name = f"{name}_{number}"
        files = {split: f"bd/{name}_{split}.h5" for split in SPLITS}
        described.append(
            Attack(
                name=attack.name, trigger=attack.trigger, target_label=attack.target, files=files
            )
        )
    return tuple(described)


def write_sets(folder: Path, files: Mapping[str, str], images: SplitImages, report: Report) -> None:
    """Write every set to its file below ``folder``; ``files`` are those of the clean sets."""
    for split, given in images.clean.items():
        report.stage(files[split], "writing")
        _write(folder / files[split], given)
    for attack, described in zip(images.attacks, described_attacks(images), strict=True):
        for split, given in attack.sets.items():
            report.stage(described.files[split], "writing")
            _write(folder / described.files[split], given)


def _write(path: Path, given: GivenSet) -> None:
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["data"] = np.ascontiguousarray(given.images.transpose(0, 3, 1, 2))
        file["label"] = given.labels
        if given.original_labels is not None:
            file["original_label"] = given.original_labels
