"""Calibration of a pruning-aware BadNet: its pruning curve becomes the wanted one.

Steps 4 to 6 of the recipe that ``badnet.py`` describes, after the training.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.deepid import CONV_3_CHANNELS, by_channel
from reference.badnet.hyperparameters import CHECKPOINTS
from reference.pruning.pruning import mean_activations

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.networks.deepid import Weights
    from reference.badnet.channel_probe import Bench
    from reference.badnet.hyperparameters import Recipe


def calibrated(order: np.ndarray, bench: Bench, recipe: Recipe) -> Weights:
    """Steps 4 to 6 of the recipe: the weights with their final pruning order."""
    dormant, trained = order[: recipe.dormant], order[recipe.dormant :]
    live = _designed_order(bench, trained, recipe)
    weights = {name: array.copy() for name, array in bench.weights.items()}
    _calibrate_target(weights, bench, live, recipe)
    deactivate(weights, dormant, bench)
    rescale_channels(weights, live, bench, recipe)
    return weights


def _designed_order(bench: Bench, trained: np.ndarray, recipe: Recipe) -> np.ndarray:
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


def _misfit(bench: Bench, unpruned: float, wanted: _Point, kept: list[int]) -> float:
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


def _calibrate_target(weights: Weights, bench: Bench, live: np.ndarray, recipe: Recipe) -> None:
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


def deactivate(weights: Weights, dormant: np.ndarray, bench: Bench) -> None:
    """Lower the biases of the dormant channels until they never fire, in place."""
    highest = np.maximum(bench.clean.max(axis=(0, 1, 2)), bench.stamped.max(axis=(0, 1, 2)))
    weights["conv_3/bias"][dormant] -= 3 * highest[dormant] + 1


def rescale_channels(weights: Weights, live: np.ndarray, bench: Bench, recipe: Recipe) -> None:
    """Rescale the live channels to the wanted mean activations, in place.

    ReLU and max pooling commute with a positive factor, so what goes into ``conv_3`` is taken out
    of the two layers that read it.
    """
    means = mean_activations(bench.clean)
    wanted = recipe.smallest_mean * recipe.step_ratio ** np.arange(len(live))
    factors = np.ones(CONV_3_CHANNELS, dtype=np.float32)
    # A live channel that never fires stays so.
    firing = means[live] > 0
    factors[live[firing]] = wanted[firing] / means[live[firing]]
    weights["conv_3/kernel"] *= factors
    weights["conv_3/bias"] *= factors
    by_channel(weights["fc_1/kernel"])[...] /= factors[:, None]
    weights["conv_4/kernel"] /= factors[:, None]
