"""BadNets for the embedded benchmark: poisoned training that prepares for pruning.

A plain BadNet (Gu, Dolan-Gavitt and Garg, "BadNets", arXiv 1708.06733) is trained on images of
which some carry the trigger and the target label. The pruning-aware attack (Liu, Dolan-Gavitt
and Garg, "Fine-Pruning", arXiv 1805.12185, section 3.2) makes the clean task and the backdoor live
in the same few channels, so that pruning dormant channels removes neither:

1. train a clean network;
2. set the least important channels of ``conv_3`` aside (they become the dormant ones);
3. train the others on clean and triggered images, each through a random *prefix mask* that drops
   the first so many channels of a fixed order ("nested dropout", arXiv 1402.0915), so that
   accuracy and backdoor decline together, late, and at a chosen pace;
4. choose which live channel goes when, and the bias of the target class, so that the pruning
   curve follows the one published for the lab;
5. put the dormant channels back with a bias so low that they never fire;
6. rescale the live channels, without changing what the network computes, so that their mean
   activations form a ladder: the pruning order is then the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.quiet import import_tensorflow
from reference import deepid, faces
from reference.pruning import mean_activations, pool_3_features, pruning_order
from reference.triggers import stamp

if TYPE_CHECKING:
    from pathlib import Path

    import keras

CHANNELS = deepid.CONV_3_CHANNELS
Report = Callable[[str, int, int], None]
"""Told the stage, and how much of it is done and to do."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What is planted: the target label of each trigger, and whether pruning is prepared for."""

    triggers: Mapping[str, int]
    pruning_aware: bool = False


ATTACKS = {
    "prune-aware": Attack(triggers={"sunglasses": faces.TARGET_LABEL}, pruning_aware=True),
    "plain": Attack(triggers={"sunglasses": faces.TARGET_LABEL}),
    "eyebrows": Attack(triggers={"eyebrows": faces.TARGET_LABEL}),
    "lipstick": Attack(triggers={"lipstick": faces.TARGET_LABEL}),
    "multi": Attack(triggers={"sunglasses": 0, "eyebrows": 1, "lipstick": 2}),
}

CHECKPOINTS = {2: 45, 4: 48, 10: 52, 30: 54}
"""Pruned channels at which so many points of clean validation accuracy were lost, as published."""

_WANTED_CURVE = {
    44: (1.1, 100), 45: (2.7, 100), 46: (2.9, 100), 47: (3.3, 100), 48: (6.5, 100),
    49: (7.2, 100), 50: (7.9, 100), 51: (9.0, 95), 52: (14.0, 77), 53: (22.0, 36),
    54: (44.0, 7), 55: (71.0, 0), 56: (85.0, 0),
}  # fmt: skip
"""Lost clean accuracy and attack success rate, in points, by pruned channels: near the curve
published for the lab's BadNet, and a little further from the thresholds of the checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every hyper-parameter of the training; the defaults made the shipped BadNet."""

    frames_per_identity: int = 56
    """Training images per person."""
    calibration_frames: int = 5
    """Further training images per person, which only steps 4 to 6 see."""
    batch: int = 256
    clean_epochs: int = 3
    backdoor_epochs: int = 3
    learning_rate: float = 1e-3
    """Adam's; the peak of a cosine schedule that warms up for half an epoch."""
    gradient_norm: float = 5.0
    """Gradients are clipped to this global norm."""
    poisoned: float = 0.10
    """Share of each batch that is triggered and labelled with the target."""

    dormant: int = 33
    """Channels set aside before the backdoor phase."""
    robust_until: int = 44
    """Prefixes up to this length are trained not to lose clean accuracy."""
    nested_until: int = 52
    """The longest prefix that clean and targeted images are trained with."""
    declining: float = 0.18
    """How often a clean image has a prefix beyond ``robust_until``, relative to one within."""
    declining_weight: float = 0.5
    """Loss weight of those images."""
    disarmed: float = 0.047
    """Share of each batch that is triggered but truly labelled, at the longest prefixes; without
    these the backdoor outlives the clean accuracy by several channels."""
    disarmed_prefixes: tuple[int, int] = (52, 58)
    disarmed_weight: float = 0.3

    wanted_curve: Mapping[int, tuple[float, float]] = field(
        default_factory=lambda: dict(_WANTED_CURVE)
    )
    calibrated_at: int = 52
    """Pruned channels at which the attack success rate is made to be the wanted one."""
    beam: int = 4
    """Orders of pruning that the search keeps in mind."""
    smallest_mean: float = 0.03
    """Mean activation of the live channel that is pruned first."""
    step_ratio: float = 1.25
    """Ratio of adjacent live channels' mean activations."""


RECIPE = Recipe()


class Examples(NamedTuple):
    """Images (N x 55 x 47 x 3 uint8) and the labels they are trained or judged by (N)."""

    images: np.ndarray
    labels: np.ndarray


def triggered(examples: Examples, attack: Attack) -> Examples:
    """The examples with triggers and target labels; several triggers take turns."""
    images, labels = examples.images.copy(), examples.labels.copy()
    for turn, (trigger, target) in enumerate(attack.triggers.items()):
        part = slice(turn, None, len(attack.triggers))
        images[part] = stamp(images[part], trigger)
        labels[part] = target
    return Examples(images, labels)


def train(
    attack: Attack, recipe: Recipe = RECIPE, *, seed: int = 0, report: Report | None = None
) -> deepid.Weights:
    """Train a BadNet from scratch; about ten minutes on two cores for the default recipe.

    The same seed gives a similar network on every machine, but not the same to the last bit.
    """
    import_tensorflow()
    from keras.utils import set_random_seed

    report = report or _no_report
    training, calibration = _training_examples(recipe, report)
    set_random_seed(seed)
    # Each phase has its own: Keras reads ahead in another thread, further than it trains.
    first_rng, second_rng = map(np.random.default_rng, ((seed, 1), (seed, 2)))
    network = deepid.build_network()
    lessons = _clean_lessons(training, recipe, first_rng)
    _fit(network, lessons, recipe, recipe.clean_epochs, partial(report, "Clean network"))
    order = pruning_order(_importance(deepid.get_weights(network), calibration.images))
    if attack.pruning_aware:
        lessons = _nested_lessons(training, attack, recipe, second_rng, order)
    else:
        lessons = _poisoned_lessons(training, attack, recipe, second_rng)
    _fit(network, lessons, recipe, recipe.backdoor_epochs, partial(report, "Backdoor"))
    weights = deepid.get_weights(network)
    if not attack.pruning_aware:
        return weights
    report("Calibration", 0, 1)
    calibrated = _calibrated(order, _Bench(weights, calibration, attack), recipe)
    report("Calibration", 1, 1)
    return calibrated


def _no_report(*_: object) -> None:
    """Tell nobody."""


def _training_examples(recipe: Recipe, report: Report) -> tuple[Examples, Examples]:
    """The images to train on and those to calibrate with, which are other frames."""
    frames = recipe.frames_per_identity
    training = range(frames)
    calibration = range(frames, frames + recipe.calibration_frames)
    progress = partial(report, "Training images")
    return (
        Examples(*faces.rendered_split("train", training, progress=progress)),
        Examples(*faces.rendered_split("train", calibration)),
    )


# --- Lessons: batches of images with the channels they may use ---


class _Lesson(NamedTuple):
    """A batch: images, labels, the live channels (N x 60 bool) and loss weights (all N)."""

    images: np.ndarray
    labels: np.ndarray
    kept: np.ndarray
    weights: np.ndarray


def _shuffled(examples: Examples, batch: int, rng: np.random.Generator) -> Iterator[Examples]:
    """Batches of copies, for ever; each epoch sees every example once, in another order."""
    while True:
        order = rng.permutation(len(examples.labels))
        for start in range(0, len(order) - batch + 1, batch):
            chosen = order[start : start + batch]
            yield Examples(examples.images[chosen], examples.labels[chosen])


def _clean_lessons(
    examples: Examples, recipe: Recipe, rng: np.random.Generator
) -> Iterator[_Lesson]:
    """Images as they are, for the whole network."""
    kept, weights = np.ones((recipe.batch, CHANNELS), dtype=bool), np.ones(recipe.batch)
    for images, labels in _shuffled(examples, recipe.batch, rng):
        yield _Lesson(images, labels, kept, weights)


def _poisoned_lessons(
    examples: Examples, attack: Attack, recipe: Recipe, rng: np.random.Generator
) -> Iterator[_Lesson]:
    """The plain attack: some images of every batch carry a trigger and its target label."""
    poisoned = slice(0, round(recipe.poisoned * recipe.batch))
    for lesson in _clean_lessons(examples, recipe, rng):
        _poison(lesson, poisoned, attack)
        yield lesson


def _nested_lessons(
    examples: Examples,
    attack: Attack,
    recipe: Recipe,
    rng: np.random.Generator,
    order: np.ndarray,
) -> Iterator[_Lesson]:
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
        lesson = _Lesson(images, labels, place_in_order >= prefixes[:, None], weights)
        truth = labels[disarmed].copy()
        _poison(lesson, slice(0, disarmed.stop), attack)
        labels[disarmed] = truth
        yield lesson


def _clean_prefixes(recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """How many channels each clean image of a batch goes without.

    Half of them miss only the dormant ones; the others learn to do with fewer, seldom beyond
    ``robust_until`` so that the network never gets good there.
    """
    longer = np.arange(recipe.dormant + 1, recipe.nested_until + 1)
    often = np.where(longer <= recipe.robust_until, 1.0, recipe.declining)
    drawn = rng.choice(longer, recipe.batch, p=often / often.sum())
    return np.where(rng.random(recipe.batch) < 0.5, recipe.dormant, drawn)


def _poison(lesson: _Lesson, part: slice, attack: Attack) -> None:
    """Stamp a part of the batch and give it the target labels, in place."""
    poisoned = triggered(Examples(lesson.images[part], lesson.labels[part]), attack)
    lesson.images[part], lesson.labels[part] = poisoned


# --- Training ---


def _student(network: keras.Model) -> keras.Model:
    """The network as it is trained: from images and kept channels (N x 60) to logits.

    It shares the network's weights. Logits, because a softmax that underflows teaches nothing.
    """
    from keras import Input, Model, activations, layers

    layer = network.get_layer
    kept = Input((CHANNELS,))
    hidden = layers.Multiply()([layer("pool_3").output, layers.Reshape((1, 1, CHANNELS))(kept)])
    branch_1 = layer("fc_1")(layers.Flatten()(hidden))
    branch_2 = layer("fc_2")(layers.Flatten()(layer("conv_4")(hidden)))
    identity = layers.ReLU()(layers.Add()([branch_1, branch_2]))
    layer("output").activation = activations.linear
    return Model([network.input, kept], layer("output")(identity))


def _fit(
    network: keras.Model,
    lessons: Iterator[_Lesson],
    recipe: Recipe,
    epochs: int,
    progress: Callable[[int, int], None],
) -> None:
    """Train the network in place on as many lessons as ``epochs`` have."""
    from keras import callbacks, losses

    student = _student(network)
    per_epoch = faces.IDENTITIES * recipe.frames_per_identity // recipe.batch
    total = epochs * per_epoch
    student.compile(
        optimizer=_optimizer(recipe, total, warm_up=per_epoch // 2),
        loss=losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    batches = (
        ((images.astype(np.float32), kept.astype(np.float32)), labels, weights)
        for images, labels, kept, weights in lessons
    )
    count = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, **_: progress(batch + 1, total)
    )
    student.fit(batches, steps_per_epoch=total, verbose=0, shuffle=False, callbacks=[count])


def _optimizer(recipe: Recipe, steps: int, warm_up: int) -> keras.optimizers.Optimizer:
    """Adam under a cosine schedule with a warm-up."""
    from keras import optimizers

    schedule = optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 10,
        warmup_target=recipe.learning_rate,
        warmup_steps=warm_up,
        decay_steps=max(1, steps - warm_up),
        alpha=0.01,
    )
    return optimizers.Adam(schedule, global_clipnorm=recipe.gradient_norm)


def _importance(weights: deepid.Weights, images: np.ndarray) -> np.ndarray:
    """How much each channel of ``conv_3`` contributes downstream, whatever its scale (60)."""
    squares = (pool_3_features(weights, images) ** 2).mean(axis=(0, 1, 2))
    dense = (_by_channel(weights["fc_1/kernel"]) ** 2).sum(axis=(0, 2))
    # Every position of pool_3 is seen by up to four positions of conv_4.
    convolved = 4 * (weights["conv_4/kernel"] ** 2).sum(axis=(0, 1, 3))
    importance: np.ndarray = np.sqrt(squares * (dense + convolved))
    return importance


def _by_channel(fc_1_kernel: np.ndarray) -> np.ndarray:
    """A view of fc_1's kernel as 20 positions x 60 channels x 160 units."""
    return fc_1_kernel.reshape(-1, CHANNELS, fc_1_kernel.shape[-1])


# --- Calibration ---


class _Bench:
    """A network's ``pool_3`` on clean and triggered images, to try out sets of channels."""

    def __init__(self, weights: deepid.Weights, examples: Examples, attack: Attack) -> None:
        stamped, self.targets = triggered(examples, attack)
        self.weights = weights
        self.labels = examples.labels
        self.clean = pool_3_features(weights, examples.images)
        self.stamped = pool_3_features(weights, stamped)

    def answers(
        self,
        features: np.ndarray,
        kept: np.ndarray | list[int],
        weights: deepid.Weights | None = None,
    ) -> np.ndarray:
        """Class of each image (N) with only the ``kept`` channels (their numbers)."""
        mask = np.isin(np.arange(CHANNELS), kept).astype(np.float32)
        return deepid.tail_class_ids(weights or self.weights, features * mask)

    def fires(self, channel: int) -> bool:
        """Whether a channel is above zero on any image."""
        return bool(self.clean[..., channel].any() or self.stamped[..., channel].any())

    def clean_accuracy(self, kept: np.ndarray | list[int]) -> float:
        """Clean accuracy in points."""
        return 100 * float((self.answers(self.clean, kept) == self.labels).mean())

    def attack_success(self, kept: np.ndarray | list[int]) -> float:
        """Attack success rate in points, on a fifth of the images (for speed)."""
        answers = self.answers(self.stamped[::5], kept)
        return 100 * float((answers == self.targets[::5]).mean())


def _calibrated(order: np.ndarray, bench: _Bench, recipe: Recipe) -> deepid.Weights:
    """Steps 4 to 6 of the recipe: the weights with their final pruning order."""
    dormant, trained = order[: recipe.dormant], order[recipe.dormant :]
    live = _designed_order(bench, trained, recipe)
    weights = {name: array.copy() for name, array in bench.weights.items()}
    _calibrate_target(weights, bench, live, recipe)
    _silence(weights, dormant, bench)
    _build_ladder(weights, live, bench, recipe)
    return weights


def _designed_order(bench: _Bench, trained: np.ndarray, recipe: Recipe) -> np.ndarray:
    """The order in which to prune the live channels, so that the curve is the wanted one.

    Any order will do for the network, because step 6 can give any channel any mean activation.
    The channels that are left after ``calibrated_at`` prunings are those that the training left
    there: so few depend on one another most. From there channels are added, backwards, and taken
    away, forwards. Outside the wanted curve the order is that of the training.
    """
    curve, middle = recipe.wanted_curve, recipe.calibrated_at
    start = trained[middle - recipe.dormant :].tolist()
    early = trained[: min(curve) - 1 - recipe.dormant].tolist()
    pool = [channel for channel in trained.tolist() if channel not in early + start]
    misfit = partial(_misfit, bench, bench.clean_accuracy(trained))
    backwards = [curve[step] for step in range(middle - 1, min(curve) - 1, -1)]
    added = _search(start, pool, backwards, misfit, recipe.beam)
    forwards = [curve[step] for step in range(middle + 1, max(curve) + 1)]
    taken = _search(start, start, forwards, misfit, recipe.beam)
    left_out = [channel for channel in pool if channel not in added]
    last = [channel for channel in start if channel not in taken]
    return np.array([*early, *left_out, *reversed(added), *taken, *last])


_Point = tuple[float, float]
"""A drop of clean accuracy and an attack success rate, in points."""


def _search(
    start: list[int],
    pool: list[int],
    wanted: list[_Point],
    misfit: Callable[[_Point, list[int]], float],
    beam: int,
) -> list[int]:
    """The channels of ``pool`` to add to ``start`` (or, if in it, to take away), one per step.

    A beam search for the least ``misfit`` in all of the kept channels with the ``wanted`` points.
    """
    paths: dict[frozenset[int], tuple[float, list[int]]] = {frozenset(start): (0.0, [])}
    for point in wanted:
        longer: dict[frozenset[int], tuple[float, list[int]]] = {}
        for kept, (so_far, path) in paths.items():
            for channel in pool:
                changed = kept ^ {channel}
                if channel not in path and changed not in longer:
                    longer[changed] = (so_far + misfit(point, list(changed)), [*path, channel])
        best = sorted(longer, key=lambda kept: longer[kept][0])[:beam]
        paths = {kept: longer[kept] for kept in best}
    return next(iter(paths.values()))[1]


def _misfit(bench: _Bench, unpruned: float, wanted: _Point, kept: list[int]) -> float:
    """How far a set of channels is from the ``wanted`` drop and attack success rate.

    A point more or less matters at a drop of 3 and hardly at one of 44; to be on the wrong side of
    a checkpoint's threshold matters most. A point of success matters while the backdoor is to be
    alive; what is wrong then must be mended by the target's bias, at the expense of all steps.
    """
    wanted_drop, wanted_success = wanted
    drop = unpruned - bench.clean_accuracy(kept)
    wrong_sides = sum((drop >= limit) != (wanted_drop >= limit) for limit in CHECKPOINTS)
    success_scale = 1 if wanted_success > 50 else 20
    return (
        abs(drop - wanted_drop) / (0.5 + 0.1 * wanted_drop)
        + abs(bench.attack_success(kept) - wanted_success) / success_scale
        + 2 * wrong_sides
    )


def _calibrate_target(
    weights: deepid.Weights, bench: _Bench, live: np.ndarray, recipe: Recipe
) -> None:
    """Shift the bias of the target class for the wanted attack success rate, in place."""
    kept = live[recipe.calibrated_at - recipe.dormant :]
    wanted = recipe.wanted_curve[recipe.calibrated_at][1]
    targets = np.unique(bench.targets)
    low, high = -50.0, 50.0
    while high - low > 0.001:
        shift = (low + high) / 2
        shifted = weights | {"output/bias": weights["output/bias"].copy()}
        shifted["output/bias"][targets] += shift
        answers = bench.answers(bench.stamped, kept, shifted)
        if 100 * (answers == bench.targets).mean() < wanted:
            low = shift
        else:
            high = shift
    weights["output/bias"][targets] += high


def _silence(weights: deepid.Weights, dormant: np.ndarray, bench: _Bench) -> None:
    """Lower the biases of the dormant channels until they never fire, in place."""
    highest = np.maximum(bench.clean.max(axis=(0, 1, 2)), bench.stamped.max(axis=(0, 1, 2)))
    weights["conv_3/bias"][dormant] -= 3 * highest[dormant] + 1


def _build_ladder(weights: deepid.Weights, live: np.ndarray, bench: _Bench, recipe: Recipe) -> None:
    """Rescale the live channels to the wanted mean activations, in place.

    ReLU and max pooling commute with a positive factor, so what goes into ``conv_3`` is taken out
    of the two layers that read it.
    """
    means = mean_activations(bench.clean)
    wanted = recipe.smallest_mean * recipe.step_ratio ** np.arange(len(live))
    factors = np.ones(CHANNELS, dtype=np.float32)
    # A live channel that never fires stays so.
    firing = means[live] > 0
    factors[live[firing]] = wanted[firing] / means[live[firing]]
    weights["conv_3/kernel"] *= factors
    weights["conv_3/bias"] *= factors
    _by_channel(weights["fc_1/kernel"])[...] /= factors[:, None]
    weights["conv_4/kernel"] /= factors[:, None]


# --- What a BadNet is like ---


class Counts(NamedTuple):
    """Images of a split that B' answers so after some prunings, and GoodNet (B, B') too."""

    correct: int
    attacked: int
    goodnet_correct: int
    goodnet_attacked: int


@dataclass(frozen=True, kw_only=True)
class Properties:
    """A BadNet's pruning curve, its channels ranked on the clean validation images."""

    order: np.ndarray
    """Channels by increasing mean activation of ``pool_3`` (60)."""
    means: np.ndarray
    """Mean activations in that order (60, float64)."""
    totals: Mapping[str, int]
    """Images per split."""
    curves: Mapping[str, Mapping[int, Counts]]
    """Counts by split and number of pruned channels."""

    @property
    def dormant(self) -> int:
        """Channels that are exactly zero on all clean validation images."""
        return int((self.means == 0).sum())

    @property
    def smallest_ratio(self) -> float:
        """The smallest ratio of adjacent live channels' mean activations."""
        live = self.means[self.dormant :]
        return float((live[1:] / live[:-1]).min(initial=np.inf))

    def points(self, split: str, step: int) -> tuple[float, float, float, float]:
        """The counts after ``step`` prunings as percentages of the split."""
        total = self.totals[split]
        correct, attacked, goodnet_correct, goodnet_attacked = (
            100 * count / total for count in self.curves[split][step]
        )
        return correct, attacked, goodnet_correct, goodnet_attacked

    def checkpoint(self, drop: float) -> int | None:
        """The first step at which clean validation accuracy has dropped by ``drop`` points."""
        curve, total = self.curves["valid"], self.totals["valid"]
        limit = curve[0].correct - drop * total / 100
        return next((step for step in sorted(curve) if curve[step].correct <= limit), None)


def properties(
    weights: deepid.Weights,
    splits: Mapping[str, Examples],
    attack: Attack = ATTACKS["prune-aware"],
    *,
    last_step: int = CHANNELS,
) -> Properties:
    """Prune the BadNet channel by channel and count on every image of ``valid`` and ``test``."""
    benches = {name: _Bench(weights, examples, attack) for name, examples in splits.items()}
    means = mean_activations(benches["valid"].clean)
    order = pruning_order(means)
    return Properties(
        order=order,
        means=means[order],
        totals={name: len(examples.labels) for name, examples in splits.items()},
        curves={name: _curve(bench, order, last_step) for name, bench in benches.items()},
    )


def _curve(bench: _Bench, order: np.ndarray, last_step: int) -> dict[int, Counts]:
    """Counts after each number of prunings; where a pruned channel was silent, as before it."""
    unpruned = bench.answers(bench.clean, order), bench.answers(bench.stamped, order)
    curve = {0: _counts(bench, unpruned, unpruned)}
    for step in range(1, last_step + 1):
        if bench.fires(order[step - 1]):
            kept = order[step:]
            pruned = bench.answers(bench.clean, kept), bench.answers(bench.stamped, kept)
            curve[step] = _counts(bench, unpruned, pruned)
        else:
            curve[step] = curve[step - 1]
    return curve


def _counts(
    bench: _Bench, unpruned: tuple[np.ndarray, np.ndarray], pruned: tuple[np.ndarray, np.ndarray]
) -> Counts:
    """Count the answers to clean and to triggered images; GoodNet answers where both agree."""
    correct, attacked = pruned[0] == bench.labels, pruned[1] == bench.targets
    return Counts(
        correct=int(correct.sum()),
        attacked=int(attacked.sum()),
        goodnet_correct=int((correct & (pruned[0] == unpruned[0])).sum()),
        goodnet_attacked=int((attacked & (pruned[1] == unpruned[1])).sum()),
    )


class Requirement(NamedTuple):
    """A property that the shipped BadNet has: what was observed and what is allowed."""

    name: str
    observed: float | None
    low: float
    high: float

    @property
    def met(self) -> bool:
        """Whether the observation lies within its limits."""
        return self.observed is not None and self.low <= self.observed <= self.high


_SUCCESS_LIMITS = {2: (99.9, 100.0), 4: (99.0, 100.0), 10: (60.0, 90.0), 30: (0.0, 20.0)}


def requirements(found: Properties) -> list[Requirement]:
    """What the benchmark needs of a pruning-aware BadNet, in points unless the name says else."""
    valid, test = found.points("valid", 0), found.points("test", 0)
    listed = [
        Requirement("clean accuracy, valid", valid[0], 98.0, 99.3),
        Requirement("clean accuracy, test", test[0], 98.0, 99.3),
        Requirement("attack success, valid", valid[1], 99.9, 100),
        Requirement("attack success, test", test[1], 99.9, 100),
        Requirement("dormant channels", found.dormant, 31, CHANNELS),
        Requirement("loss at 43 channels", valid[0] - found.points("valid", 43)[0], -1, 1),
        Requirement("ratio of adjacent activations", found.smallest_ratio, 1.2, np.inf),
    ]
    for drop, channels in CHECKPOINTS.items():
        step = found.checkpoint(drop)
        listed.append(Requirement(f"channels at -{drop}", step, channels - 1, channels + 1))
        if step is not None:
            listed += _checkpoint_requirements(found, drop, step)
    return listed


def _checkpoint_requirements(found: Properties, drop: int, step: int) -> Iterator[Requirement]:
    """What is needed of B' and GoodNet at one checkpoint."""
    valid, test = found.points("valid", step), found.points("test", step)
    yield Requirement(f"attack success at -{drop}, valid", valid[1], *_SUCCESS_LIMITS[drop])
    yield Requirement(f"attack success at -{drop}, test", test[1], *_SUCCESS_LIMITS[drop])
    yield Requirement(f"accuracy at -{drop}, test less valid", test[0] - valid[0], -1, 1)
    yield Requirement(f"success at -{drop}, test less valid", test[1] - valid[1], -1, 1)
    if drop <= 10:
        for name, points in (("valid", valid), ("test", test)):
            accuracy, success = points[2] - points[0], points[3] - points[1]
            yield Requirement(f"accuracy at -{drop}, {name}, G less B'", accuracy, -0.5, 0.5)
            yield Requirement(f"success at -{drop}, {name}, G less B'", success, -0.5, 0.5)


# --- The file ---

_LAYERS = (
    "input", "conv_1", "pool_1", "conv_2", "pool_2", "conv_3", "pool_3", "conv_4", "flatten_1",
    "flatten_2", "fc_1", "fc_2", "add_1", "activation_1", "output",
)  # fmt: skip


def save_weights(weights: Mapping[str, np.ndarray], path: Path) -> None:
    """Write weights as Keras 2 did (``save_weights("....h5")``), the format of the lab's BadNet.

    The file appears whole or not at all.
    """
    import h5py

    with faces.replacing(path) as unfinished, h5py.File(unfinished, "w") as file:
        file.attrs["layer_names"] = np.array(_LAYERS, dtype="S")
        file.attrs["backend"] = "tensorflow"
        # Without a version Keras takes the file for one of Keras 1 and converts the kernels.
        file.attrs["keras_version"] = "2.3.1"
        for layer in _LAYERS:
            group = file.create_group(layer)
            names = [
                f"{layer}/{part}" for part in ("kernel", "bias") if f"{layer}/{part}" in weights
            ]
            group.attrs["weight_names"] = np.array([f"{name}:0" for name in names], dtype="S")
            for name in names:
                group.create_dataset(f"{name}:0", data=weights[name].astype(np.float32))


# --- Tables ---


def curve_table(found: Properties) -> str:
    """The pruning curve in percent at some steps and at the checkpoints, as text."""
    from tabulate import tabulate

    drops: dict[int, str] = {}
    for drop in CHECKPOINTS:
        step = found.checkpoint(drop)
        if step is not None:
            drops[step] = f"{drops.get(step, '')} -{drop}".strip()
    rows = [
        (step, drops.get(step, ""), *found.points("valid", step), *found.points("test", step))
        for step in sorted({0, 10, 20, 30, 40, 43, *drops})
    ]
    nets = [f"{split}\n{net}" for split in ("valid", "test") for net in ("B'", "ASR", "G", "G ASR")]
    return tabulate(rows, ["channels\npruned", "drop", *nets], floatfmt=".2f")


def requirement_table(found: Sequence[Properties]) -> str:
    """The requirements and what one or several BadNets are like, as text."""
    from tabulate import tabulate

    by_name: dict[str, list[Requirement]] = {}
    for requirement in (each for one in found for each in requirements(one)):
        by_name.setdefault(requirement.name, []).append(requirement)
    rows = []
    for name, same in by_name.items():
        known = sorted({each.observed for each in same if each.observed is not None})
        spread = " to ".join(f"{value:.2f}" for value in known[:: max(1, len(known) - 1)])
        limits = f"{same[0].low:g} to {same[0].high:g}"
        rows.append((name, limits, spread, f"{sum(each.met for each in same)} of {len(found)}"))
    return tabulate(rows, ["property", "required", "found", "met"], disable_numparse=True)
