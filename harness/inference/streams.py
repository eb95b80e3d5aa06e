"""The shuffled streams in which sandboxed workers see images, several sets mixed."""

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
    coins = {}
    for split in ("valid", "test"):
        longest = max(sizes.get(split, 0), sizes.get(f"bd_{split}", 0))
        coins[split] = rng.random(longest) < 0.5

    for set_id, (name, size) in enumerate(sizes.items()):
        # A coin decides where a clean image goes, and its twin goes to the other stream.
        in_first = coins[name.removeprefix("bd_")][:size] ^ name.startswith("bd_")
        for half, in_half in zip(halves, (in_first, ~in_first), strict=True):
            indices = np.flatnonzero(in_half)
            half.append(np.stack([np.full(len(indices), set_id), indices]))

    return _shuffle(halves[0], rng), _shuffle(halves[1], rng)


def gather(stream: Stream, answers: np.ndarray, into: Mapping[str, np.ndarray]) -> None:
    """Put a stream's answers back where its images came from."""
    for set_id, name in enumerate(into):
        of_set = stream.set_ids == set_id
        into[name][stream.indices[of_set]] = answers[of_set]


def _shuffle(parts: list[np.ndarray], rng: np.random.Generator) -> Stream:
    """A stream of parts (2 x n: set ids over indices) in random order."""
    images = np.concatenate(parts, axis=1)
    images = images[:, rng.permutation(images.shape[1])]
    return Stream(set_ids=images[0], indices=images[1])
