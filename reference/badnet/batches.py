"""Training batches: which images carry a trigger, with which label, through which channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.networks.deepid import CONV_3_CHANNELS
from reference.badnet.attacks import Examples, add_triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference.badnet.attacks import Attack
    from reference.badnet.hyperparameters import Recipe


class TrainingBatch(NamedTuple):
    """N images with all that they are trained with."""

    images: np.ndarray
    labels: np.ndarray

    live: np.ndarray
    """Which channels each image may use (N x 60, bool)."""

    weights: np.ndarray
    """Loss weight of each image (N)."""


def clean_batches(
    examples: Examples, recipe: Recipe, rng: np.random.Generator
) -> Iterator[TrainingBatch]:
    """Images as they are, for the whole network."""
    live = np.ones((recipe.batch, CONV_3_CHANNELS), dtype=bool)
    weights = np.ones(recipe.batch)
    for images, labels in shuffled_batches(examples, recipe.batch, rng):
        yield TrainingBatch(images, labels, live, weights)


def poisoned_batches(
    examples: Examples, attack: Attack, recipe: Recipe, rng: np.random.Generator
) -> Iterator[TrainingBatch]:
    """The plain attack: some images of every batch carry a trigger and its target label."""
    poisoned = slice(0, round(recipe.poisoned * recipe.batch))
    for batch in clean_batches(examples, recipe, rng):
        _poison(batch, poisoned, attack)
        yield batch


def nested_batches(
    examples: Examples,
    attack: Attack,
    recipe: Recipe,
    rng: np.random.Generator,
    order: np.ndarray,
) -> Iterator[TrainingBatch]:
    """The pruning-aware attack: every image through a prefix mask of the pruning ``order``."""
    place_in_order = np.argsort(order)
    shortest, longest = recipe.disarmed_prefixes
    poisoned = slice(0, round(recipe.poisoned * recipe.batch))
    disarmed = slice(poisoned.stop, poisoned.stop + round(recipe.disarmed * recipe.batch))
    poisoned_count = poisoned.stop
    disarmed_count = disarmed.stop - disarmed.start

    for images, labels in shuffled_batches(examples, recipe.batch, rng):
        prefixes = _clean_prefixes(recipe, rng)
        weights = np.where(prefixes > recipe.robust_until, recipe.declining_weight, 1.0)

        prefixes[poisoned] = rng.integers(recipe.dormant, recipe.nested_until + 1, poisoned_count)
        weights[poisoned] = 1.0

        prefixes[disarmed] = rng.integers(shortest, longest + 1, disarmed_count)
        weights[disarmed] = recipe.disarmed_weight

        live = place_in_order >= prefixes[:, None]
        batch = TrainingBatch(images, labels, live, weights)

        # Disarmed images carry a trigger but keep their true labels.
        true_labels = labels[disarmed].copy()
        _poison(batch, slice(0, disarmed.stop), attack)
        labels[disarmed] = true_labels
        yield batch


def shuffled_batches(examples: Examples, size: int, rng: np.random.Generator) -> Iterator[Examples]:
    """Batches of copies, for ever; each epoch has every example once, in another order."""
    while True:
        order = rng.permutation(len(examples.labels))
        for start in range(0, len(order) - size + 1, size):
            rows = order[start : start + size]
            yield Examples(examples.images[rows], examples.labels[rows])


def _clean_prefixes(recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """How many channels each clean image of a batch goes without.

    Many miss only the dormant ones; the others learn to do with fewer, seldom beyond
    ``robust_until`` so that the network never gets good there.
    """
    lengths = np.arange(recipe.dormant + 1, recipe.nested_until + 1)
    frequencies = np.where(lengths <= recipe.robust_until, 1.0, recipe.declining)
    longer = rng.choice(lengths, recipe.batch, p=frequencies / frequencies.sum())
    is_undiminished = rng.random(recipe.batch) < recipe.undiminished
    return np.where(is_undiminished, recipe.dormant, longer)


def _poison(batch: TrainingBatch, part: slice, attack: Attack) -> None:
    """Stamp a part of the batch and give it the target labels, in place."""
    poisoned = add_triggers(Examples(batch.images[part], batch.labels[part]), attack)
    batch.images[part], batch.labels[part] = poisoned
