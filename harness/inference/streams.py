"""The shuffled streams in which sandboxed workers see the images of several sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The order in which one process sees images."""

    set_ids: np.ndarray
    """The set of each image, as a position among the names of the sets."""

    indices: np.ndarray
    """The index of each image in its set."""

    def __len__(self) -> int:
        return len(self.indices)


def deal_streams(sizes: Mapping[str, int], rng: np.random.Generator) -> tuple[Stream, Stream]:
    """Deal all images over two shuffled streams; no clean image meets its poisoned twin.

    ``sizes`` maps set names (some of valid, test, bd_valid, bd_test) to lengths. Image i of a
    backdoored set is taken as the twin of image i of its clean set and goes to the other
    stream, so that no process can compare the two.
    """
    halves: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    coins = {split: rng.random(max(sizes.get(split, 0), sizes.get(f"bd_{split}", 0))) < 0.5
             for split in ("valid", "test")}  # fmt: skip

    for set_id, (name, size) in enumerate(sizes.items()):
        first = coins[name.removeprefix("bd_")][:size] ^ name.startswith("bd_")
        for half, chosen in zip(halves, (first, ~first), strict=True):
            indices = np.flatnonzero(chosen)
            half.append(np.stack([np.full(len(indices), set_id), indices]))

    return _shuffle(halves[0], rng), _shuffle(halves[1], rng)


def gather(stream: Stream, answers: np.ndarray, into: Mapping[str, np.ndarray]) -> None:
    """Put a stream's answers back where its images came from."""
    for set_id, name in enumerate(into):
        chosen = stream.set_ids == set_id
        into[name][stream.indices[chosen]] = answers[chosen]


def _shuffle(parts: list[np.ndarray], rng: np.random.Generator) -> Stream:
    both = np.concatenate(parts, axis=1)
    both = both[:, rng.permutation(both.shape[1])]
    return Stream(set_ids=both[0], indices=both[1])
