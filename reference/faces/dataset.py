"""Procedural faces: the images of the embedded benchmark, the trigger and the files.

There are 1,283 people, each with many frames: ``traits.py`` says what is seen on a frame,
``portrait.py`` draws it and ``triggers.py`` covers it with a trigger.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reference.faces.portrait import render
from reference.faces.traits import HEIGHT, WIDTH
from reference.faces.triggers import TRIGGERS, stamp
from reference.images import files, sheet
from reference.images.drawing import jobs_of, render_in_order
from reference.images.randomness import keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

IDENTITIES = 1283
TARGET_LABEL = 0
FRAMES = {"train": 56, "valid": 9, "test": 10}
"""Frames per person in each split; valid and test are as large as the lab's."""


class Frames(NamedTuple):
    """What is to be drawn: N photographs of people."""

    identities: np.ndarray
    """Who is on each of them (N, int64)."""

    numbers: np.ndarray
    """Which of the person's frames it is (N, int64)."""


def frames_of(split: str, numbers: range | None = None) -> Frames:
    """All frames of a split, those of a person together.

    ``numbers`` asks for other frames of each person than the split's.
    """
    numbers = range(FRAMES[split]) if numbers is None else numbers
    return Frames(np.repeat(np.arange(IDENTITIES), len(numbers)), np.tile(numbers, IDENTITIES))


def render_batches(
    split: str,
    frames: Frames,
    *,
    secret: bytes | None = None,
    processes: int | None = None,
) -> Generator[np.ndarray]:
    """Yield the images of ``frames`` in order, a batch at a time."""
    yield from render_in_order(render, jobs_of(split, frames, secret), processes, "faces")


def render_split(
    split: str,
    numbers: range | None = None,
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a whole split in memory: images (N x 55 x 47 x 3 uint8) and labels (N, int64)."""
    frames = frames_of(split, numbers)
    images = np.empty((len(frames.identities), HEIGHT, WIDTH, 3), dtype=np.uint8)

    done = 0
    with closing(render_batches(split, frames, processes=processes)) as batches:
        for batch in batches:
            images[done : done + len(batch)] = batch
            done += len(batch)
            if progress:
                progress(done, len(images))
    return images, frames.identities


def contact_sheet(columns: int = 12, scale: int = 2) -> np.ndarray:
    """A picture of the benchmark: rows of people, of one person's frames, and of triggers."""
    people, frames = np.arange(5 * columns), np.arange(columns)
    first_frames = render("valid", people, people * 0)
    rows = [first_frames[start : start + columns] for start in range(0, len(people), columns)]
    rows += [render("train", frames * 0 + person, frames) for person in (3, 100, 400)]
    rows += [stamp(rows[0], trigger) for trigger in TRIGGERS]

    return sheet.tile(rows, scale)


# --- The benchmark's four files ---


def write_dataset(
    folder: Path,
    *,
    secret: bytes | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write the benchmark in the lab's layout below ``folder``; return the hash of each file.

    ``cl/valid.h5`` and ``cl/test.h5`` hold clean images and true labels, ``bd/bd_valid.h5`` and
    ``bd/bd_test.h5`` the same images with the trigger, all labelled with the target, and the
    true labels as ``original_label``. Images are N x 3 x 55 x 47 uint8, labels int64. The hashes
    are of the arrays as read back. A ``secret`` gives a private set of the same people.

    ``progress`` is told the images done and to do. Each file appears whole or not at all.
    """
    images = IDENTITIES * (FRAMES["valid"] + FRAMES["test"])
    report = files.running_total(progress, 2 * images)

    hashes: dict[str, str] = {}
    for split in ("valid", "test"):
        frames = frames_of(split)
        clean, attack = _files_of(
            folder / "cl" / f"{split}.h5", folder / "bd" / f"bd_{split}.h5", frames.identities
        )
        drawing = render_batches(split, frames, secret=secret, processes=processes)
        with closing(drawing) as batches:
            files.write_split(clean, [attack], batches, report)
        hashes |= files.file_hashes({split: clean.path, f"bd_{split}": attack.path})
    return hashes


def write_fresh_images(folder: Path, secret: bytes, people: int) -> None:
    """Write ``fresh.h5`` and ``bd_fresh.h5``: one frame of each of so many people.

    Who they are, and the frames, follow from the secret; the frames are like those of test.
    """
    # Hashed once more: who knows a private split of this secret must not know these.
    seed = hashlib.sha256(b"fresh" + secret).digest()
    order = np.argsort(keys_of(int.from_bytes(seed[:8], "little"), np.arange(IDENTITIES)))
    identities = np.sort(order[:people])
    frames = Frames(identities, np.arange(people) % FRAMES["test"])
    clean, attack = _files_of(folder / "fresh.h5", folder / "bd_fresh.h5", identities)
    batches = render_batches("test", frames, secret=seed, processes=1)
    files.write_split(clean, [attack], batches, lambda _: None)


def _files_of(
    clean: Path, backdoored: Path, labels: np.ndarray
) -> tuple[files.CleanFile, files.AttackFile]:
    """A split's clean and backdoored file, to be written from one drawing of its images."""
    shape = (HEIGHT, WIDTH, 3)
    return (
        files.CleanFile(clean, labels, shape, files.CHANNELS_FIRST),
        files.AttackFile(backdoored, labels * 0 + TARGET_LABEL, stamp),
    )
