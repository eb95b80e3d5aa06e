"""Backdoored sets of several attacks: one set after another, and the targets they are to have."""

from __future__ import annotations

import hashlib
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.hdf5 import NullCache
from harness.records.benchmark import AttackedImages, LabeledSet
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.datasets.hdf5 import CacheProtocol
    from harness.records.benchmark import Attack, Benchmark


def join_attacks(
    name: str,
    attacks: Sequence[Attack],
    sets: Sequence[LabeledSet],
    cache: CacheProtocol | None = None,
) -> LabeledSet:
    """The set ``name`` of all attacks' images, one attack after another.

    The images of a single attack stay mapped as they are; those of several are copied once, into
    ``cache`` where there is one. True classes are known where all sets hold them.
    """
    ends = list(accumulate((len(each.labels) for each in sets), initial=0))
    ranges = tuple(
        AttackedImages(name=attack.name, start=start, stop=stop, held_out=attack.held_out)
        for attack, (start, stop) in zip(attacks, pairwise(ends), strict=True)
    )
    originals = [each.original_labels for each in sets if each.original_labels is not None]
    sha256 = _joined_hash([each.sha256 for each in sets])
    return LabeledSet(
        name=name,
        kind="backdoored",
        images=_joined_images(sets, sha256, cache or NullCache()),
        labels=np.concatenate([each.labels for each in sets]),
        sha256=sha256,
        original_labels=np.concatenate(originals) if len(originals) == len(sets) else None,
        attacks=ranges,
    )


def _joined_hash(hashes: Sequence[str]) -> str:
    """The hash of several sets, one after another; of a single one its own."""
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("|".join(hashes).encode()).hexdigest()


def _joined_images(sets: Sequence[LabeledSet], sha256: str, cache: CacheProtocol) -> np.ndarray:
    if len(sets) == 1:
        return sets[0].images
    kept = cache.converted_images(sha256)
    if kept is not None:
        return kept
    return cache.store_images(sha256, np.concatenate([each.images for each in sets]))


def require_targets(benchmark: Benchmark, folder: Path, sets: Mapping[str, LabeledSet]) -> None:
    """Raise HarnessError where a backdoored file holds another label than its stated target."""
    for split in ("valid", "test"):
        labeled = sets[f"bd_{split}"]
        if not benchmark.attacks:
            path = folder / benchmark.files[labeled.name]
            _require_target(labeled.labels, benchmark.target_label, path)
        for attack, part in zip(benchmark.attacks, labeled.attacks, strict=True):
            path = folder / attack.files[split]
            _require_target(labeled.labels[part.images], attack.target_label, path)


def _require_target(labels: np.ndarray, target: int | None, path: Path) -> None:
    if target is None:
        return
    other = np.flatnonzero(labels != target)
    if len(other):
        raise HarnessError(
            f"{path}: a label other than the target {target} ({labels[other[0]]}, image "
            f"{other[0]}); dataset.toml states the target, and label is each backdoored image's"
        )
