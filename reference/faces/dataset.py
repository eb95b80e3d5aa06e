"""Procedural faces: the images of the embedded benchmark, the trigger and the files.

There are 1,283 people, each with many frames: ``traits.py`` says what is seen on a frame,
``portrait.py`` draws it and ``triggers.py`` covers it with a trigger.

The same images must come out on every machine, whatever its NumPy, SIMD width, batch size or
number of processes. So randomness is integer hashing, and the drawing uses only operations
that IEEE 754 rounds correctly, one image at a time: ``+ - * / sqrt min max floor``. A sine,
an exponential, a matrix product or a floating-point sum over an axis would break that.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.execution.local import Processes
from harness.execution.worker_process import WorkerLostError
from harness.records.errors import HarnessError
from harness.storage.hashing import array_hash
from harness.storage.results import replace_path
from reference.faces.portrait import render
from reference.faces.randomness import keys_of
from reference.faces.shapes import HEIGHT, WIDTH
from reference.faces.triggers import TRIGGERS, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    import h5py

IDENTITIES = 1283
TARGET_LABEL = 0
FRAMES = {"train": 56, "valid": 9, "test": 10}
"""Frames per person in each split; valid and test are as large as the lab's."""

BATCH = 64
"""Images drawn at a time; the planes of a batch then fit into the processor's cache."""


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
    identities, numbers = frames
    slices = [slice(start, start + BATCH) for start in range(0, len(identities), BATCH)]
    jobs = ((split, identities[part], numbers[part], secret) for part in slices)

    processes = min(processes or os.cpu_count() or 1, len(slices))
    if processes <= 1:
        yield from (render(*job) for job in jobs)
    else:
        yield from _render_in_parallel(jobs, processes)


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

    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)


# --- Several processes ---

_Job = tuple[str, np.ndarray, np.ndarray, bytes | None]


def _render_in_parallel(jobs: Iterator[_Job], processes: int) -> Generator[np.ndarray]:
    """Render ``jobs`` in order, never more than a few batches ahead of the reader."""
    pool = Processes(processes, _prepare_nothing)
    try:
        pending = deque(pool.submit(_render, *job) for job in islice(jobs, 4 * processes))
        while pending:
            batch = pending.popleft().result()
            pending.extend(pool.submit(_render, *job) for job in islice(jobs, 1))
            yield batch
    except WorkerLostError:
        raise HarnessError(
            "a process that draws faces was killed; is there enough memory?"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare_nothing() -> None:
    """Get a process ready that draws: images need nothing but what is asked for."""


def _render(_context: None, *job: Any) -> np.ndarray:
    return render(*job)


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
    total = 2 * IDENTITIES * (FRAMES["valid"] + FRAMES["test"])
    done = 0

    def report(written: int) -> None:
        nonlocal done
        done += written
        if progress:
            progress(done, total)

    hashes = {}
    for split in ("valid", "test"):
        files = _SplitFiles(folder / "cl" / f"{split}.h5", folder / "bd" / f"bd_{split}.h5")
        frames = frames_of(split)
        drawing = render_batches(split, frames, secret=secret, processes=processes)
        with closing(drawing) as batches:
            _write_split(files, frames.identities, batches, report)
        hashes[split] = _hash_arrays(files.clean)
        hashes[f"bd_{split}"] = _hash_arrays(files.backdoored)
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
    files = _SplitFiles(folder / "fresh.h5", folder / "bd_fresh.h5")
    batches = render_batches("test", frames, secret=seed, processes=1)
    _write_split(files, identities, batches, lambda _: None)


class _SplitFiles(NamedTuple):
    """The two files of a split."""

    clean: Path
    backdoored: Path


def _write_split(
    files: _SplitFiles,
    labels: np.ndarray,
    batches: Iterable[np.ndarray],
    report: Callable[[int], None],
) -> None:
    """Write a split's clean and backdoored file from one drawing of its images."""
    import h5py

    with (
        replace_path(files.clean) as clean_path,
        replace_path(files.backdoored) as backdoored_path,
        h5py.File(clean_path, "w") as clean,
        h5py.File(backdoored_path, "w") as backdoored,
    ):
        _prepare(clean, {"label": labels})
        _prepare(backdoored, {"label": labels * 0 + TARGET_LABEL, "original_label": labels})

        start = 0
        for images in batches:
            part = slice(start, start + len(images))
            clean["data"][part] = images.transpose(0, 3, 1, 2)
            backdoored["data"][part] = stamp(images).transpose(0, 3, 1, 2)
            start = part.stop
            report(2 * len(images))


def _prepare(file: h5py.File, labels: dict[str, np.ndarray]) -> None:
    """Store the labels and make room for the images."""
    for name, values in labels.items():
        file.create_dataset(name, data=values.astype(np.int64))
    file.create_dataset("data", (len(labels["label"]), 3, HEIGHT, WIDTH), dtype=np.uint8)


def _hash_arrays(path: Path) -> str:
    """The canonical hash of all arrays of an HDF5 file."""
    import h5py

    with h5py.File(path, "r") as file:
        return array_hash({name: file[name][:] for name in file})
