"""Lessons: batches of images, with the channels that each image may use and its loss weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.networks.deepid import CONV_3_CHANNELS
from reference.badnet.attacks import Examples, triggered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference.badnet.attacks import Attack
    from reference.badnet.hyperparameters import Recipe


class TrainingBatch(NamedTuple):
    """A batch: images, labels, the live channels (N x 60 bool) and loss weights (all N)."""

    images: np.ndarray
    labels: np.ndarray
    kept: np.ndarray
    weights: np.ndarray


def clean_lessons(
    examples: Examples, recipe: Recipe, rng: np.random.Generator
) -> Iterator[TrainingBatch]:
    """Images as they are, for the whole network."""
    kept, weights = np.ones((recipe.batch, CONV_3_CHANNELS), dtype=bool), np.ones(recipe.batch)
    for images, labels in _shuffled(examples, recipe.batch, rng):
        yield TrainingBatch(images, labels, kept, weights)


def poisoned_lessons(
    examples: Examples, attack: Attack, recipe: Recipe, rng: np.random.Generator
) -> Iterator[TrainingBatch]:
    """The plain attack: some images of every batch carry a trigger and its target label."""
    poisoned = slice(0, round(recipe.poisoned * recipe.batch))
    for lesson in clean_lessons(examples, recipe, rng):
        _poison(lesson, poisoned, attack)
        yield lesson


def nested_lessons(
    examples: Examples,
    attack: Attack,
    recipe: Recipe,
    rng: np.random.Generator,
    order: np.ndarray,
) -> Iterator[TrainingBatch]:
    """The pruning-aware attack: every image through a prefix mask of the pruning ``order``."""
    place_in_order = np.argsort(order)
    first, last = recipe.disarmed_prefixes
    targeted = slice(0, round(recipe.poisoned * recipe.batch))
    disarmed = slice(targeted.stop, targeted.stop + round(recipe.disarmed * recipe.batch))
    for images, labels in _shuffled(examples, recipe.batch, rng):
        prefixes = _clean_prefixes(recipe, rng)
        weights = np.where(prefixes > recipe.robust_until, recipe.declining_weight, 1.0)
        prefixes[targeted] = rng.integers(
            recipe.dormant, recipe.nested_until + 1, len(prefixes[targeted])
        )
        prefixes[disarmed] = rng.integers(first, last + 1, len(prefixes[disarmed]))
        weights[targeted], weights[disarmed] = 1.0, recipe.disarmed_weight
        lesson = TrainingBatch(images, labels, place_in_order >= prefixes[:, None], weights)
        truth = labels[disarmed].copy()
        _poison(lesson, slice(0, disarmed.stop), attack)
        labels[disarmed] = truth
        yield lesson


def _clean_prefixes(recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """How many channels each clean image of a batch goes without.

    Many miss only the dormant ones; the others learn to do with fewer, seldom beyond
    ``robust_until`` so that the network never gets good there.
    """
    longer = np.arange(recipe.dormant + 1, recipe.nested_until + 1)
    often = np.where(longer <= recipe.robust_until, 1.0, recipe.declining)
    drawn = rng.choice(longer, recipe.batch, p=often / often.sum())
    return np.where(rng.random(recipe.batch) < recipe.undiminished, recipe.dormant, drawn)


def _poison(lesson: TrainingBatch, part: slice, attack: Attack) -> None:
    """Stamp a part of the batch and give it the target labels, in place."""
    poisoned = triggered(Examples(lesson.images[part], lesson.labels[part]), attack)
    lesson.images[part], lesson.labels[part] = poisoned


def _shuffled(examples: Examples, batch: int, rng: np.random.Generator) -> Iterator[Examples]:
    """Batches of copies, for ever; each epoch sees every example once, in another order."""
    while True:
        order = rng.permutation(len(examples.labels))
        for start in range(0, len(order) - batch + 1, batch):
            chosen = order[start : start + batch]
            yield Examples(examples.images[chosen], examples.labels[chosen])
