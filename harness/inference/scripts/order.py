"""The order in which a script is asked, of which any beginning can be counted.

A slow script answers no more than the beginning, and one that keeps a state is asked no more than
that: the same number of images of each set and trigger, the same for all submissions.
"""

from __future__ import annotations

import numpy as np


def asked_order(groups: np.ndarray, block: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of images in the order in which they are asked.

    ``groups`` says of each image which set and trigger it is from. Of each come ``block`` at a
    time, shuffled with those of the others, so that a place tells nothing of an image.
    """
    shuffled = rng.permutation(len(groups))
    blocks = _numbers_in_group(groups[shuffled]) // block
    return shuffled[np.argsort(blocks, kind="stable")]


def first_of_each(groups: np.ndarray, most: int) -> np.ndarray:
    """Places of the first ``most`` images of each group."""
    return np.flatnonzero(_numbers_in_group(groups) < most)


def even_number(groups: np.ndarray, answered: int) -> int:
    """Of how many images of each group there are answers, where there are for the first ones.

    Of a group with fewer images than that there are answers for all.
    """
    names, sizes = np.unique(groups, return_counts=True)
    has = [int((groups[:answered] == name).sum()) for name in names]
    lacking = [own for own, size in zip(has, sizes, strict=True) if own < size]
    return min(lacking, default=max(has, default=0))


def _numbers_in_group(groups: np.ndarray) -> np.ndarray:
    """The how manieth of its group each image is, from 0."""
    numbers = np.empty(len(groups), np.int64)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        numbers[own] = np.arange(len(own))
    return numbers
