"""The sets on which a repair's robustness is measured: one trigger, changed in several ways.

All levels have the same images in the same order, so that curves over them are paired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.datasets.robustness import DESCRIPTION, FOLDER, SCHEMA_VERSION
from harness.storage.results import write_text
from reference.images import files
from reference.images.changed_triggers import Change, changed_images, overlay_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_OPACITIES = (20, 40, 60, 80, 100)
_COLOURS = (0, 25, 50, 75, 100)
_QUALITIES = (90, 70, 50, 30, 10)
_OWN = "own_trigger"
"""The file of the trigger as it was trained, which several kinds share."""


class Victims(NamedTuple):
    """Images that one attack is tried on."""

    images: np.ndarray
    """N x height x width x colours, uint8; none of the target's own class."""

    targets: np.ndarray
    """What the attacker wants for each (N, int64)."""

    stamp: Callable[[np.ndarray], np.ndarray]
    """Images with the trigger, opaque and at a fixed place."""


class Plan(NamedTuple):
    """What is drawn for a benchmark."""

    note: str
    """Whose images these are, and why nobody graded has seen them."""

    images: np.ndarray
    """Clean ones (N x height x width x colours, uint8), to see what a net still knows."""

    labels: np.ndarray
    """Of the clean images (N, int64)."""

    victims: Sequence[Victims]
    """For each attack, one after another in every file."""

    sizes: Sequence[int] = (50, 75, 100, 125, 150)
    """In per cent of the trigger's own."""

    shifts: Sequence[int] = (0, 1, 2, 4, 8)
    """In pixels."""

    layout: files.Layout = files.CHANNELS_LAST


def changes_of(plan: Plan) -> Iterator[Change]:
    """Every level that is drawn."""
    yield from (Change("size", size, "%", own=size == 100) for size in plan.sizes)
    yield from (Change("opacity", each, "%", own=each == 100) for each in _OPACITIES)
    yield from (Change("shift", pixels, "pixels", own=pixels == 0) for pixels in plan.shifts)
    yield from (Change("colour", each, "% to its complement", own=each == 0) for each in _COLOURS)
    yield from (Change("jpeg", quality, "quality") for quality in _QUALITIES)


def write_sets(
    folder: Path, plan: Plan, progress: Callable[[int, int], None] | None = None
) -> dict[str, str]:
    """Write ``robustness/`` below a benchmark's data folder; return the hash of each file."""
    import tomli_w

    inside = folder / FOLDER
    levels = [(change, _file_name(change)) for change in changes_of(plan)]
    names = dict.fromkeys(name for _, name in levels)
    total = len(plan.labels) + len(names) * sum(len(each.targets) for each in plan.victims)
    report = files.running_total(progress, total)

    hashes = _write_file(inside / "clean.h5", plan.images, plan.labels, plan, report)
    targets = np.concatenate([each.targets for each in plan.victims])
    for change, name in levels:
        if name not in hashes:
            hashes |= _write_file(inside / name, _drawn(plan, change), targets, plan, report)

    description = {
        "schema_version": SCHEMA_VERSION,
        "note": plan.note,
        "clean": {"file": "clean.h5", "hash": hashes["clean.h5"]},
        "levels": [
            {"kind": change.kind, "level": change.level, "unit": change.unit}
            | ({"own": True} if change.own else {})
            | {"file": name, "hash": hashes[name]}
            for change, name in levels
        ],
    }
    # Last: where it is, everything that it names is there, too.
    write_text(inside / DESCRIPTION, tomli_w.dumps(description))
    return hashes


def _file_name(change: Change) -> str:
    return f"{_OWN}.h5" if change.own else f"{change.kind}_{change.level}.h5"


def _drawn(plan: Plan, change: Change) -> np.ndarray:
    return np.concatenate(
        [
            changed_images(each.images, overlay_of(each.stamp, each.images.shape[1:]), change)
            for each in plan.victims
        ]
    )


def _write_file(
    path: Path, images: np.ndarray, labels: np.ndarray, plan: Plan, report: Callable[[int], None]
) -> dict[str, str]:
    file = files.CleanFile(path, labels, images.shape[1:], plan.layout)
    files.write_split(file, (), [images], report)
    return files.file_hashes({path.name: path})
