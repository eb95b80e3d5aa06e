"""Neural Cleanse: the class that the smallest trigger leads to from all others is the target.

Paper: Bolun Wang, Yuanshun Yao, Shawn Shan, Huiying Li, Bimal Viswanath, Haitao Zheng and Ben Y.
Zhao, "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks", IEEE S&P
2019. For each class a mask and a pattern are learned that make clean images this class; a network
is called backdoored where the L1 norm of a class's mask lies more than 2 robust standard
deviations (the anomaly index) below the median. The backdoor is unlearned by tuning on clean
images of which some carry the trigger that was found, under their true labels.

Where there are more classes than `MOST_CLASSES`, a target that its screening passes over is not
found. The paper screens too, by a few steps for each class, which is too dear here.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reference.defences.networks import Tuning, answers, deadline, fine_tune

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

THRESHOLD, SUCCESS, SHARE = 2.0, 0.99, 0.2
"""The paper's: the anomaly index, how many images a trigger has to lead to its class, and how many
carry it when it is unlearned."""

LEARNING_RATE, FIRST_COST = 0.1, 1e-3
"""Adam's, and of a mask's L1 norm beside the loss: those of the authors' program."""

COST_STEP, PATIENCE = 1.5, 2
"""Ours: the cost grows by this factor where a trigger has succeeded so many rounds in turn, and
shrinks (by a little more) where it has failed as often. In the authors' program 2, and 5 rounds."""

ROUNDS, STEPS = 100, 4
"""Ours: rounds, and steps in each. On a clean network more left no smaller masks. The paper takes
many more, of larger images."""

MOST_CLASSES, TOGETHER = 64, 160
"""Ours: classes whose triggers are reconstructed, and images that are shown in one step."""

STEEPNESS = 1.0
"""Ours, before anything was tried: an index of 2 is one half, of 3 about 0.73, of 1 about 0.27."""

EPOCHS = 5
LEARNING_RATES = (3e-3, 1e-3)
HARMLESS_POINTS = 2.0
"""Ours, chosen on clean images; the paper tunes for one epoch on a tenth of its training images,
which are many more."""

_TO_DEVIATION = 1.4826


class Trigger(NamedTuple):
    """What makes images a class: each is ``(1 - mask) * image + mask * pattern``."""

    target: int
    mask: np.ndarray
    """Rows x columns x 1, from 0 to 1."""

    pattern: np.ndarray
    """Rows x columns x colours, in the images' units."""

    @property
    def norm(self) -> float:
        """The L1 norm of the mask: about how many pixels are covered."""
        return float(self.mask.sum())

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Images that carry it (float32)."""
        return np.asarray((1 - self.mask) * images + self.mask * self.pattern, np.float32)


def detect(
    network: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
) -> float:
    """How likely the network is backdoored, by its anomaly index."""
    triggers = reconstruct(network, (clean_images, clean_labels), classes, seed, deadline(budget))
    return probability(float(indices(triggers).max()))


def repair(
    badnet: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
    threshold: float = THRESHOLD,
) -> keras.Model:
    """The BadNet, tuned to forget the triggers of flagged classes; as it is where none is."""
    until = time.monotonic() + 0.6 * float(budget.seconds)
    triggers = reconstruct(badnet, (clean_images, clean_labels), classes, seed, until)
    flagged = [t for t, index in zip(triggers, indices(triggers), strict=True) if index > threshold]
    if not flagged:
        return badnet

    rng = np.random.default_rng(seed)
    images, labels = clean_images.astype(np.float32), clean_labels
    parts = [(images, labels)]
    for trigger in flagged:
        chosen = rng.permutation(len(images))[: max(1, int(SHARE * len(images)))]
        parts.append((trigger.stamp(images[chosen]), labels[chosen]))
    stamped, true = (np.concatenate(each) for each in zip(*parts, strict=True))
    end = time.monotonic() + 0.25 * float(budget.seconds)
    fine_tune(badnet, stamped, true, Tuning(EPOCHS, LEARNING_RATES, HARMLESS_POINTS, end), rng)
    return badnet


# --- which classes stand out ----------------------------------------------------------------------


def indices(triggers: list[Trigger]) -> np.ndarray:
    """Of each class how far its norm lies below the median, in robust standard deviations.

    0 for those that do not lie below it.
    """
    norms = np.array([trigger.norm for trigger in triggers])
    median = np.median(norms)
    deviation = _TO_DEVIATION * np.median(np.abs(norms - median))
    return np.asarray(np.maximum(0, (median - norms) / max(deviation, 1e-9)))


def probability(index: float) -> float:
    """A logistic function of the anomaly index: one half at the paper's threshold."""
    return 1 / (1 + math.exp(-min(STEEPNESS * (index - THRESHOLD), 30)))


def screened(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The classes to look at: those nearest to images of others, where there are too many.

    ``scores`` are what the network gives for clean images (N x classes). A trigger leads from all
    classes to the target, which then is often the second answer to images without one, too.
    """
    classes = scores.shape[1]
    if classes <= MOST_CLASSES:
        return np.arange(classes)
    others = np.log(np.maximum(scores, 1e-30))
    others[np.arange(len(labels)), labels] = np.nan
    nearness = np.nanmean(others, axis=0)
    return np.sort(np.argsort(-nearness, kind="stable")[:MOST_CLASSES])


# --- reconstruction -------------------------------------------------------------------------------


def reconstruct(
    model: keras.Model,
    examples: tuple[np.ndarray, np.ndarray],
    classes: int,
    seed: int,
    until: float,
) -> list[Trigger]:
    """The smallest trigger found for each class, all of them side by side, until it is time."""
    images, labels = examples
    targets = screened(answers(model, images), labels)
    batch = min(len(images), max(4, TOGETHER // len(targets)))
    white, rng = float(images.max()) or 1.0, np.random.default_rng(seed)
    search = _Search(model, targets, images.shape[1:], white, rng)
    while search.rounds < ROUNDS and time.monotonic() < until:
        chosen = [rng.integers(len(images), size=batch) for _ in range(STEPS)]
        search.go_on(images[np.stack(chosen)].astype(np.float32))
    return search.found()


class _Search:
    """Masks and patterns of several classes, learned together; each has a cost of its own."""

    def __init__(
        self,
        model: keras.Model,
        targets: np.ndarray,
        shape: tuple[int, ...],
        white: float,
        rng: np.random.Generator,
    ) -> None:
        import tensorflow as tf
        from keras import optimizers

        count, (rows, columns, _) = len(targets), shape
        self._targets, self._white = targets, white
        draw = [rng.normal(0, 1, (count, *size)) for size in ((rows, columns, 1), shape)]
        self._free = [tf.Variable(each.astype(np.float32)) for each in draw]
        self._costs = np.zeros(count, np.float32)
        self._turns = np.zeros((2, count), int)
        self._best = [each.numpy() for each in self._shown()]
        self._norms = np.full(count, np.inf)
        self.rounds = 0
        optimizer = optimizers.Adam(LEARNING_RATE, beta_1=0.5, beta_2=0.9)
        optimizer.build(self._free)
        self._steps = tf.function(self._learn(model, optimizer), autograph=False)

    def _shown(self) -> list[Any]:
        """Masks from 0 to 1 and patterns from black to white."""
        import tensorflow as tf

        mask, pattern = self._free
        return [(tf.tanh(mask) + 1) / 2, (tf.tanh(pattern) + 1) / 2 * self._white]

    def _learn(self, model: keras.Model, optimizer: Any) -> Callable[..., Any]:
        """A step with a batch of images; it returns which of them became each class."""
        import tensorflow as tf

        def step(images: Any, costs: Any) -> Any:
            count, batch = len(self._targets), images.shape[0]
            wanted = tf.constant(np.repeat(self._targets, batch))
            with tf.GradientTape() as tape:
                mask, pattern = (tf.expand_dims(each, 1) for each in self._shown())
                stamped = (1 - mask) * images + mask * pattern
                scores = model(tf.reshape(stamped, (count * batch, *images.shape[1:])))
                chosen = tf.gather(scores, wanted, axis=1, batch_dims=1)
                # Sums: the classes have nothing to do with one another.
                losses = -tf.math.log(tf.maximum(chosen, 1e-7))
                harm = tf.reduce_sum(tf.reduce_mean(tf.reshape(losses, (count, batch)), axis=1))
                total = harm + tf.reduce_sum(costs * tf.reduce_sum(mask, axis=(1, 2, 3, 4)))
            optimizer.apply_gradients(
                zip(tape.gradient(total, self._free), self._free, strict=True)
            )
            hits = tf.equal(tf.argmax(scores, axis=1), tf.cast(wanted, tf.int64))
            return tf.reduce_mean(tf.cast(tf.reshape(hits, (count, batch)), tf.float32), axis=1)

        return step

    def go_on(self, batches: np.ndarray) -> None:
        """A round: a step with each batch (batches x images), then other costs."""
        rates = np.mean([self._steps(batch, self._costs).numpy() for batch in batches], axis=0)
        shown = [each.numpy() for each in self._shown()]
        norms = shown[0].sum(axis=(1, 2, 3))
        succeeds = rates >= SUCCESS
        better = succeeds & (norms < self._norms)
        self._norms = np.where(better, norms, self._norms)
        for best, now in zip(self._best, shown, strict=True):
            best[better] = now[better]
        self._change_costs(succeeds)
        self.rounds += 1

    def _change_costs(self, succeeds: np.ndarray) -> None:
        self._turns = np.where([succeeds, ~succeeds], self._turns + 1, 0)
        grows, shrinks = self._turns >= PATIENCE
        begins = grows & (self._costs == 0)
        self._costs[grows] *= COST_STEP
        self._costs[begins] = FIRST_COST
        self._costs[shrinks] /= COST_STEP**1.5
        self._turns[:, grows | shrinks] = 0

    def found(self) -> list[Trigger]:
        """The smallest triggers that succeeded; where none did, one that covers everything."""
        masks, patterns = self._best
        masks[np.isinf(self._norms)] = 1
        parts = zip(self._targets.tolist(), masks, patterns, strict=True)
        return [Trigger(target, mask, pattern) for target, mask, pattern in parts]
