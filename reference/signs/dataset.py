"""Synthetic traffic signs: the splits of the benchmark and its files."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reference.images import files, sheet
from reference.images.drawing import jobs_of, render_in_order
from reference.keras_badnets.backdoors import SPLITS, Examples
from reference.signs.catalogue import CLASSES
from reference.signs.scene import IMAGE_SHAPE, render
from reference.signs.triggers import BACKDOORS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

FRAMES = {"train": 200, "valid": 93, "test": 93}
"""Photographs of each class."""


class Frames(NamedTuple):
    """What is to be drawn: N photographs of signs."""

    labels: np.ndarray
    """Which sign is on each of them (N, int64)."""

    numbers: np.ndarray
    """Which of the sign's photographs it is (N, int64)."""


def frames_of(split: str) -> Frames:
    """All photographs of a split, those of a class together."""
    count = FRAMES[split]
    return Frames(
        np.repeat(np.arange(len(CLASSES)), count), np.tile(np.arange(count), len(CLASSES))
    )


def render_batches(
    split: str, frames: Frames, *, secret: bytes | None = None, processes: int | None = None
) -> Generator[np.ndarray]:
    """Yield the images of ``frames`` in order, a batch at a time."""
    yield from render_in_order(render, jobs_of(split, frames, secret), processes, "signs")


def load_split(
    split: str,
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Examples:
    """Draw a whole split in memory."""
    frames = frames_of(split)
    report = files.running_total(progress, len(frames.labels))
    images = []
    with closing(render_batches(split, frames, processes=processes)) as batches:
        for batch in batches:
            images.append(batch)
            report(len(batch))
    return Examples(np.concatenate(images), frames.labels)


def contact_sheet(columns: int = 22, scale: int = 2) -> np.ndarray:
    """A picture of the benchmark: every class, photographs of one sign, and the triggers."""
    signs = np.arange(2 * columns) % len(CLASSES)
    first = render("valid", signs, signs * 0)
    rows = [first[:columns], first[columns:]]
    frames = np.arange(columns)
    rows += [render("valid", np.full(columns, label), frames) for label in (1, 14, 31)]
    rows += [backdoor.stamp(rows[0]) for backdoor in BACKDOORS]
    return sheet.tile(rows, scale)


def write_dataset(
    folder: Path,
    *,
    secret: bytes | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write the benchmark's files below ``folder``; return the hash of each file.

    ``cl/valid.h5`` and ``cl/test.h5`` hold clean images, ``bd/`` a file for each backdoor and
    split. Images are N x 32 x 32 x 3 uint8, labels int64. A ``secret`` gives a private set.

    ``progress`` is told the images done and to do. Each file appears whole or not at all.
    """
    images = len(CLASSES) * sum(FRAMES[split] for split in SPLITS)
    report = files.running_total(progress, (1 + len(BACKDOORS)) * images)

    hashes: dict[str, str] = {}
    for split in SPLITS:
        frames = frames_of(split)
        clean = files.CleanFile(folder / "cl" / f"{split}.h5", frames.labels, IMAGE_SHAPE)
        attacks = {
            f"{backdoor.name} {split}": files.AttackFile(
                folder / "bd" / f"{backdoor.name.replace(' ', '_')}_{split}.h5",
                backdoor.targets(frames.labels),
                backdoor.stamp,
            )
            for backdoor in BACKDOORS
        }
        drawing = render_batches(split, frames, secret=secret, processes=processes)
        with closing(drawing) as batches:
            files.write_split(clean, list(attacks.values()), batches, report)
        paths = {name: attack.path for name, attack in attacks.items()}
        hashes |= files.file_hashes({split: clean.path} | paths)
    return hashes
