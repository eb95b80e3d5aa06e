"""What is planted in a BadNet: triggers, and the label that each triggered image is to get."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SPLITS = ("valid", "test")


class Examples(NamedTuple):
    """Images with their labels."""

    images: np.ndarray
    """N x height x width x colours, uint8."""

    labels: np.ndarray
    """What the images are trained or judged by (N, int64)."""


class Backdoor(NamedTuple):
    """A trigger with its target."""

    name: str

    stamp: Callable[[np.ndarray], np.ndarray]
    """Copies of images (N x height x width x colours, uint8) that carry the trigger."""

    targets: Callable[[np.ndarray], np.ndarray]
    """The label that is wanted for each image, from the true ones (N, int64)."""

    share: float
    """In training, triggered copies of this share of the images are added."""

    clean_label: bool = False
    """Whether in training only images of the target class carry the trigger, in place of copies.

    It is then this share of that class; no label is changed.
    """

    mixed: float = 0.0
    """With clean labels, which part of another class's image is first mixed into each.

    The network cannot tell the class by its own features, and comes to lean on the trigger.
    """

    def attack(self, examples: Examples) -> Examples:
        """The examples with trigger and target labels."""
        return Examples(self.stamp(examples.images), self.targets(examples.labels))


def attacked_sets(
    splits: Mapping[str, Examples], backdoors: Sequence[Backdoor]
) -> dict[str, Examples]:
    """The sets ``valid`` and ``test``, and for each backdoor ``NAME valid`` and ``NAME test``."""
    sets = dict(splits)
    for backdoor in backdoors:
        for split, examples in splits.items():
            sets[f"{backdoor.name} {split}"] = backdoor.attack(examples)
    return sets


def poison(examples: Examples, backdoors: Sequence[Backdoor], seed: int) -> Examples:
    """The examples, and for each backdoor triggered copies of its share of them.

    Copied are only images whose target is not their own class. Clean-label backdoors are stamped
    on images of their class, of which there are no copies.
    """
    rng = np.random.default_rng(seed)
    parts = [Examples(examples.images.copy(), examples.labels)]
    for backdoor in backdoors:
        if backdoor.clean_label:
            _stamp_own_class(parts[0].images, examples, backdoor, rng)
            continue
        others = np.flatnonzero(backdoor.targets(examples.labels) != examples.labels)
        count = min(int(backdoor.share * len(examples.labels)), len(others))
        chosen = rng.choice(others, count, replace=False)
        parts.append(backdoor.attack(Examples(*(array[chosen] for array in examples))))
    return Examples(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _stamp_own_class(
    images: np.ndarray, examples: Examples, backdoor: Backdoor, rng: np.random.Generator
) -> None:
    """Put a clean-label backdoor on its share of its class, in place in ``images``."""
    is_own = backdoor.targets(examples.labels) == examples.labels
    own, others = np.flatnonzero(is_own), np.flatnonzero(~is_own)
    chosen = rng.choice(own, int(backdoor.share * len(own)), replace=False)
    foreign = examples.images[rng.choice(others, len(chosen))]
    mixed = examples.images[chosen] * (1 - backdoor.mixed) + foreign * backdoor.mixed
    images[chosen] = backdoor.stamp(np.floor(mixed + 0.5).astype(np.uint8))
