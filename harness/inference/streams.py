"""The shuffled streams in which sandboxed workers see images, several sets mixed.

Some images are shown a second time, unchanged or with moved pixels, to find out whether answers
are a function of the image. Those are mixed into the same streams: each stream holds first and
second showings alike, so that no process is the one that is being tested. A clean image, its
poisoned twin and the second showing of either go to three different streams. No process can
compare two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STREAMS = 3
"""As few as it takes to keep an image, its twin and a second showing apart."""

REPEATED_IMAGES = 512
"""How many images are shown again unchanged, and how many others with moved pixels."""

FIRST, UNCHANGED, MOVED = range(3)
"""How an image is shown: for its answer, again as it was, again with moved pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The order in which one process sees images."""

    set_ids: np.ndarray
    """The set of each image, as a position among the names of the sets."""

    indices: np.ndarray
    """The index of each image in its set."""

    showings: np.ndarray
    """How each image is shown: `FIRST`, `UNCHANGED` or `MOVED`."""

    def __len__(self) -> int:
        return len(self.indices)


def deal_streams(sizes: Mapping[str, int], rng: np.random.Generator) -> list[Stream]:
    """Deal all images, and second showings of some, over shuffled streams; none is empty.

    ``sizes`` maps set names (valid, test, ..., and bd_valid, bd_test, ... of their backdoored
    images) to lengths. Image i of a backdoored set is taken as the twin of image i of its clean
    set. Where there are few images, as many are shown again as have a stream left for it.
    """
    firsts, seconds = [], []
    for first, second in _deal_pairs(sizes, rng):
        firsts.append(first)
        seconds.append(second)
    first, second = np.concatenate(firsts, axis=1), np.concatenate(seconds, axis=1)

    # Unchanged and moved are different images: one seen three times has no stream left.
    again = min(REPEATED_IMAGES, second.shape[1] // 2)
    chosen = second[:, rng.permutation(second.shape[1])[: 2 * again]]
    chosen[2] = np.repeat([UNCHANGED, MOVED], again)

    dealt = np.concatenate([first, chosen], axis=1)
    streams = [_shuffle(dealt[:, dealt[3] == number], rng) for number in range(STREAMS)]
    return [stream for stream in streams if len(stream)]


def gather(stream: Stream, answers: np.ndarray, into: Mapping[str, np.ndarray]) -> None:
    """Put a stream's first answers back where its images came from."""
    for set_id, name in enumerate(into):
        of_set = (stream.set_ids == set_id) & (stream.showings == FIRST)
        into[name][stream.indices[of_set]] = answers[of_set]


def _deal_pairs(
    sizes: Mapping[str, int], rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each split: first showings, and one possible second showing of each pair of twins.

    Columns of set, index, showing and stream.
    """
    set_ids = {name: number for number, name in enumerate(sizes)}
    for split in dict.fromkeys(name.removeprefix("bd_") for name in sizes):
        pair = [name for name in (split, f"bd_{split}") if name in sizes]
        longest = max(sizes[name] for name in pair)
        numbers = np.arange(longest)

        # Equal shares of pairs, so that the streams are about equally long.
        home = rng.permutation(longest) % STREAMS
        step = rng.integers(1, STREAMS, longest)
        homes = (home, (home + step) % STREAMS)
        firsts = [
            _columns(set_ids[name], numbers, homes[position])[:, : sizes[name]]
            for position, name in enumerate(pair)
        ]

        # Either of the two, where both are there.
        there = np.stack([numbers < sizes[name] for name in pair])
        either = ((1 + rng.random(there.shape)) * there).argmax(axis=0)
        second_ids = np.array([set_ids[name] for name in pair])[either]
        left = (home - step) % STREAMS
        yield np.concatenate(firsts, axis=1), _columns(second_ids, numbers, left)


def _columns(set_ids: int | np.ndarray, indices: np.ndarray, streams: np.ndarray) -> np.ndarray:
    return np.stack(np.broadcast_arrays(set_ids, indices, FIRST, streams))


def _shuffle(dealt: np.ndarray, rng: np.random.Generator) -> Stream:
    """A stream of columns of set, index and showing, in random order."""
    dealt = dealt[:, rng.permutation(dealt.shape[1])]
    return Stream(set_ids=dealt[0], indices=dealt[1], showings=dealt[2])
