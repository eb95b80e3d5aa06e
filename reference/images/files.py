"""A benchmark's files: clean images, and for each attack the same images with its trigger."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.storage.hashing import array_hash
from harness.storage.results import replace_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import h5py

Layout = tuple[int, ...]
"""The axes of a batch (0 image, 1 row, 2 column, 3 colour) in the order the file has them."""

CHANNELS_FIRST: Layout = (0, 3, 1, 2)
CHANNELS_LAST: Layout = (0, 1, 2, 3)


class CleanFile(NamedTuple):
    """The file of a split's clean images."""

    path: Path

    labels: np.ndarray
    """Of its N images, in order (int64)."""

    image_shape: tuple[int, int, int]
    """Height, width, colours."""

    layout: Layout = CHANNELS_LAST


class AttackFile(NamedTuple):
    """The file of an attack on a split's images."""

    path: Path

    targets: np.ndarray
    """The label that the attacker wants for each image (N, int64)."""

    stamp: Callable[[np.ndarray], np.ndarray]
    """Images (n x height x width x colours) with the trigger."""


def write_split(
    clean: CleanFile,
    attacks: Sequence[AttackFile],
    batches: Iterable[np.ndarray],
    report: Callable[[int], None],
) -> None:
    """Write a split's files from one drawing of its images; each appears whole or not at all.

    Images are uint8, labels int64; an attack's file has the true ones as ``original_label``.
    ``report`` is told how many images were written, each attack's among them.
    """
    with ExitStack() as stack:
        file = _open(stack, clean.path)
        _prepare(file, clean, {"label": clean.labels})
        attacked = []
        for attack in attacks:
            attacked.append(_open(stack, attack.path))
            labels = {"label": attack.targets, "original_label": clean.labels}
            _prepare(attacked[-1], clean, labels)

        start = 0
        for images in batches:
            part = slice(start, start + len(images))
            file["data"][part] = images.transpose(clean.layout)
            for attack, attacked_file in zip(attacks, attacked, strict=True):
                attacked_file["data"][part] = attack.stamp(images).transpose(clean.layout)
            start = part.stop
            report((1 + len(attacks)) * len(images))


def running_total(progress: Callable[[int, int], None] | None, total: int) -> Callable[[int], None]:
    """A function to tell how many more images were written; ``progress`` gets (done, total)."""
    done = 0

    def report(written: int) -> None:
        nonlocal done
        done += written
        if progress:
            progress(done, total)

    return report


def file_hashes(files: Mapping[str, Path]) -> dict[str, str]:
    """The canonical hash of all arrays of each HDF5 file, by name."""
    return {name: _hash_arrays(path) for name, path in files.items()}


def _open(stack: ExitStack, path: Path) -> h5py.File:
    import h5py

    unfinished = stack.enter_context(replace_path(path))
    return stack.enter_context(h5py.File(unfinished, "w"))


def _prepare(file: h5py.File, clean: CleanFile, labels: dict[str, np.ndarray]) -> None:
    """Store the labels and make room for the images."""
    for name, values in labels.items():
        file.create_dataset(name, data=values.astype(np.int64))
    shape = (len(clean.labels), *clean.image_shape)
    file.create_dataset("data", [shape[axis] for axis in clean.layout], dtype=np.uint8)


def _hash_arrays(path: Path) -> str:
    import h5py

    with h5py.File(path, "r") as file:
        return array_hash({name: file[name][:] for name in file})
