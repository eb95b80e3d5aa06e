"""The shuffled streams in which sandboxed workers see images, several sets mixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records.benchmark import AttackedImages


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The order in which one process sees images."""

    set_ids: np.ndarray
    """The set of each image, as a position among the names of the sets."""

    indices: np.ndarray
    """The index of each image in its set."""

    def __len__(self) -> int:
        return len(self.indices)


def deal_streams(
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    attacks: Mapping[str, Sequence[AttackedImages]] | None = None,
) -> tuple[Stream, Stream]:
    """Deal all images over two shuffled streams; no clean image meets its poisoned twins.

    ``sizes`` maps set names (some of valid, test, bd_valid, bd_test) to lengths, ``attacks``
    those of backdoored sets to where each attack's images lie. Image i of an attack is taken as
    the twin of image i of its clean set and goes to the other stream, so that no process can
    compare the two.
    """
    halves: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    twins = {name: _twins(size, (attacks or {}).get(name, ())) for name, size in sizes.items()}
    coins = {}
    for split in ("valid", "test"):
        of_split = [twins[name] for name in (split, f"bd_{split}") if name in twins]
        longest = max((int(twin.max(initial=-1)) + 1 for twin in of_split), default=0)
        coins[split] = rng.random(longest) < 0.5

    for set_id, name in enumerate(sizes):
        # A coin decides where a clean image goes, and its twins go to the other stream.
        in_first = coins[name.removeprefix("bd_")][twins[name]] ^ name.startswith("bd_")
        for half, in_half in zip(halves, (in_first, ~in_first), strict=True):
            indices = np.flatnonzero(in_half)
            half.append(np.stack([np.full(len(indices), set_id), indices]))

    return _shuffle(halves[0], rng), _shuffle(halves[1], rng)


def _twins(size: int, attacks: Sequence[AttackedImages]) -> np.ndarray:
    """For each image of a set the clean image that it is taken to show."""
    if not attacks:
        return np.arange(size)
    return np.concatenate([np.arange(attack.stop - attack.start) for attack in attacks])


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
