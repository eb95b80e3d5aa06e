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

from harness.datasets.hdf5 import release_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records.benchmark import AttackedImages, LabeledSet

STREAMS = 3
"""As few as it takes to keep an image, its twin and a second showing apart: of one attack."""

REPEATED_IMAGES = 512
"""How many images are shown again unchanged, and how many others with moved pixels."""

FIRST, UNCHANGED, MOVED = range(3)
"""How an image is shown: for its answer, again as it was, again with moved pixels."""


class NumberedImages:
    """The images of several sets, numbered through."""

    def __init__(self, sets: Mapping[str, LabeledSet]) -> None:
        self.sizes = {name: len(labeled.labels) for name, labeled in sets.items()}
        self.dtype = np.result_type(*(labeled.images.dtype for labeled in sets.values()))
        self._sets = list(sets.values())
        self.shape = self._sets[0].images.shape[1:]
        self._ends = np.cumsum(list(self.sizes.values()))

    def __len__(self) -> int:
        return int(self._ends[-1])

    def pixels(self, numbers: np.ndarray) -> np.ndarray:
        """Copies of the images (N x rows x columns x colours) with these numbers."""
        pixels = np.empty((len(numbers), *self.shape), self.dtype)
        set_ids = np.searchsorted(self._ends, numbers, side="right")
        for set_id in np.unique(set_ids):
            chosen = np.flatnonzero(set_ids == set_id)
            images = self._sets[set_id].images
            indices = numbers[chosen] - self._ends[set_id]  # counted from the set's end
            for colour in range(self.shape[-1]):  # a data file holds one colour after the other
                pixels[chosen, ..., colour] = images[..., colour][indices]
            release_pages(images)  # they are copied
        return pixels

    def by_set(self, answers: np.ndarray) -> dict[str, np.ndarray]:
        """Answers to all images, in the order of their numbers, by the names of the sets."""
        return dict(zip(self.sizes, np.split(answers, self._ends[:-1]), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The order in which one process sees images."""

    numbers: np.ndarray
    """Of the images."""

    showings: np.ndarray
    """How each image is shown: `FIRST`, `UNCHANGED` or `MOVED`."""

    def __len__(self) -> int:
        return len(self.numbers)

    def pieces(self, size: int) -> Iterator[Stream]:
        """So many images at a time, and at last what is left."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield Stream(numbers=self.numbers[part], showings=self.showings[part])


def deal_streams(
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    attacks: Mapping[str, Sequence[AttackedImages]] | None = None,
) -> list[Stream]:
    """Deal all images, and second showings of some, over shuffled streams; none is empty.

    ``sizes`` maps set names (valid, test, ..., and bd_valid, bd_test, ... of their backdoored
    images) to lengths; images are numbered in this order. ``attacks`` says where in a backdoored
    set each attack's images lie, if there are several. Image i of an attack is taken as the twin
    of image i of its clean set. Where there are few images, as many are shown again as have a
    stream left for it.
    """
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    splits: dict[str, list[np.ndarray]] = {}
    for name, size in sizes.items():
        numbers = starts[name] + np.arange(size)
        parts = [numbers[attack.images] for attack in (attacks or {}).get(name, ())]
        splits.setdefault(name.removeprefix("bd_"), []).extend(parts or [numbers])

    # With more twins it takes more streams to keep them and a second showing apart.
    count = max(STREAMS, *(len(sets) + 1 for sets in splits.values()))
    dealt = [_deal_split(sets, count, rng) for sets in splits.values()]
    first, second = (np.concatenate(each, axis=1) for each in zip(*dealt, strict=True))

    # Unchanged and moved are different images: one seen three times has no stream left.
    again = min(REPEATED_IMAGES, second.shape[1] // 2)
    chosen = rng.permutation(second.shape[1])[: 2 * again]
    shown, streams = np.concatenate([first, second[:, chosen]], axis=1)
    showings = np.repeat([FIRST, UNCHANGED, MOVED], [first.shape[1], again, again])

    order = rng.permutation(len(shown))
    own = [order[streams[order] == number] for number in range(count)]
    return [Stream(numbers=shown[each], showings=showings[each]) for each in own if len(each)]


def _deal_split(
    sets: Sequence[np.ndarray], count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Give each image of a clean and its backdoored sets one of ``count`` streams.

    And one of each family, a clean image and its twins, a second one.


    Returns first showings, and one possible second showing of each family: rows of the images'
    numbers and of their streams.
    """
    # Equal shares of families, so that the streams are about equally long.
    families = max(map(len, sets))
    home = rng.permutation(families) % count
    steps = 1 + np.argsort(rng.random((families, count - 1)), axis=1)
    homes = np.column_stack([home, (home[:, None] + steps) % count])

    numbers = np.concatenate(sets)
    family = np.concatenate([np.arange(len(each)) for each in sets])
    streams = np.concatenate([homes[: len(own), place] for place, own in enumerate(sets)])

    # Any of them, where there are several: whichever comes first in random order.
    order = rng.permutation(len(numbers))
    _, earliest = np.unique(family[order], return_index=True)
    chosen = numbers[order[earliest]]
    return np.stack([numbers, streams]), np.stack([chosen, homes[:, len(sets)]])
