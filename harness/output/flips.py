"""Images that the G of one run answers otherwise than that of another, from stored predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.records.traversal import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.record import Checkpoint, Record
    from harness.storage.goodnets import GoodNetAnswers
    from harness.storage.results import Store

_SETS = ("test", "bd_test")
MOST_IMAGES = 4
"""So many images of each kind are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """How the answers of one G changed on one set."""

    checkpoint: str
    """Whose G it is, as in ``X = 2``."""

    set: str
    images: int

    changed: int
    """Images that are answered otherwise, right or wrong."""

    won: tuple[int, ...]
    """Indices of images that are right only now; of backdoored ones: not the target any more."""

    lost: tuple[int, ...]
    """Indices of those that were right only before."""


def flips(
    before: tuple[GoodNetAnswers, Record], after: tuple[GoodNetAnswers, Record], labels: Store
) -> Iterator[Flip]:
    """Every G and set on which answers differ; only where both were graded on the same images."""
    old = {each.drop_points: each for each in before[1].checkpoints}
    for checkpoint in after[1].checkpoints:
        other = old.get(checkpoint.drop_points)
        for name in _SETS if other is not None else ():
            found = _flip((before, other), (after, checkpoint), name, labels)
            if found is not None:
                yield found


def _flip(
    before: tuple[tuple[GoodNetAnswers, Record], Checkpoint | None],
    after: tuple[tuple[GoodNetAnswers, Record], Checkpoint],
    name: str,
    labels: Store,
) -> Flip | None:
    (old_answers, old_record), old_checkpoint = before
    (new_answers, new_record), checkpoint = after
    set_hash = new_record.dataset.arrays.get(name)
    if old_checkpoint is None or not set_hash or old_record.dataset.arrays.get(name) != set_hash:
        return None
    one = old_answers.of(old_record, old_checkpoint, name)
    other = new_answers.of(new_record, checkpoint, name)
    truth = labels.labels(set_hash)
    if one is None or other is None or truth is None or not len(one) == len(other) == len(truth):
        return None

    changed = int(np.count_nonzero(one.class_ids != other.class_ids))
    was_right, is_right = (
        answers.won(truth, backdoored=name == "bd_test") for answers in (one, other)
    )
    return (
        Flip(
            checkpoint=checkpoint_name(checkpoint.drop_points),
            set=name,
            images=len(truth),
            changed=changed,
            won=tuple(int(index) for index in np.flatnonzero(is_right & ~was_right)),
            lost=tuple(int(index) for index in np.flatnonzero(was_right & ~is_right)),
        )
        if changed
        else None
    )
