"""Calibration of a pruning-aware BadNet: its pruning curve becomes the wanted one.

Steps 4 to 6 of the recipe that ``training.py`` describes, after the training.
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
    from reference.badnet.channel_probe import ChannelProbe
    from reference.badnet.hyperparameters import CurvePoint, Recipe


def calibrate(order: np.ndarray, probe: ChannelProbe, recipe: Recipe) -> Weights:
    """Return the trained weights with their final pruning order, from the trained ``order``."""
    dormant, trained = order[: recipe.dormant], order[recipe.dormant :]
    live = _design_order(probe, trained, recipe)

    weights = {name: array.copy() for name, array in probe.weights.items()}
    _calibrate_target_bias(weights, probe, live, recipe)
    deactivate(weights, dormant, probe)
    rescale_channels(weights, live, probe, recipe)
    return weights


def _design_order(probe: ChannelProbe, trained: np.ndarray, recipe: Recipe) -> np.ndarray:
    """The order in which to prune the live channels, so that the curve is the wanted one.

    Any order will do for the network, because step 6 can give any channel any mean activation.
    The channels that are left after ``calibrated_at`` prunings are those that the training left
    there: so few depend on one another most. From there channels are added, backwards, and taken
    away, forwards. Outside the wanted curve the order is that of the training.
    """
    curve, middle = recipe.wanted_curve, recipe.calibrated_at
    left_at_middle = trained[middle - recipe.dormant :].tolist()
    first = trained[: min(curve) - 1 - recipe.dormant].tolist()
    candidates = [c for c in trained.tolist() if c not in first + left_at_middle]
    misfit = partial(_misfit, probe, probe.clean_accuracy(trained))

    backwards = [curve[step] for step in range(middle - 1, min(curve) - 1, -1)]
    added = _search(left_at_middle, candidates, backwards, misfit, recipe.beam)
    forwards = [curve[step] for step in range(middle + 1, max(curve) + 1)]
    removed = _search(left_at_middle, left_at_middle, forwards, misfit, recipe.beam)

    never_added = [channel for channel in candidates if channel not in added]
    last = [channel for channel in left_at_middle if channel not in removed]
    return np.array([*first, *never_added, *reversed(added), *removed, *last])


def _search(
    start: list[int],
    candidates: list[int],
    wanted: list[CurvePoint],
    misfit: Callable[[CurvePoint, list[int]], float],
    beam: int,
) -> list[int]:
    """The channels to add to ``start`` (or, where they are in it, to take away), one per step.

    A beam search among the ``candidates`` for the least ``misfit``, summed over the steps, of the
    channels that are left with the ``wanted`` points.
    """
    paths: dict[frozenset[int], tuple[float, list[int]]] = {frozenset(start): (0.0, [])}
    for point in wanted:
        longer: dict[frozenset[int], tuple[float, list[int]]] = {}
        for channels, (misfit_so_far, path) in paths.items():
            for channel in candidates:
                changed = channels ^ {channel}
                if channel in path or changed in longer:
                    continue
                total = misfit_so_far + misfit(point, list(changed))
                longer[changed] = (total, [*path, channel])
        best = sorted(longer, key=lambda channels: longer[channels][0])[:beam]
        paths = {channels: longer[channels] for channels in best}

    # Dictionaries keep their order: the best path is the first.
    _, best_path = next(iter(paths.values()))
    return best_path


def _misfit(
    probe: ChannelProbe, unpruned_accuracy: float, wanted: CurvePoint, channels: list[int]
) -> float:
    """How far a network of these channels is from the ``wanted`` drop and attack success rate.

    A point more or less matters at a drop of 3 and hardly at one of 44; to be on the wrong side of
    a checkpoint's threshold matters most. A point of success matters while the backdoor is to be
    alive; what is wrong then must be mended by the target's bias, at the expense of all steps.
    """
    wanted_drop, wanted_success = wanted
    drop = unpruned_accuracy - probe.clean_accuracy(channels)
    wrong_sides = sum((drop >= limit) != (wanted_drop >= limit) for limit in CHECKPOINTS)
    success_scale = 1 if wanted_success > 50 else 20
    return (
        abs(drop - wanted_drop) / (0.5 + 0.1 * wanted_drop)
        + abs(probe.attack_success_rate(channels) - wanted_success) / success_scale
        + 2 * wrong_sides
    )


def _calibrate_target_bias(
    weights: Weights, probe: ChannelProbe, live: np.ndarray, recipe: Recipe
) -> None:
    """Shift the bias of the target class for the wanted attack success rate, in place."""
    channels = live[recipe.calibrated_at - recipe.dormant :]
    _, wanted_success = recipe.wanted_curve[recipe.calibrated_at]
    targets = np.unique(probe.target_labels)

    low, high = -50.0, 50.0
    while high - low > 0.001:
        shift = (low + high) / 2
        shifted = weights | {"output/bias": weights["output/bias"].copy()}
        shifted["output/bias"][targets] += shift
        class_ids = probe.class_ids(probe.triggered, channels, shifted)
        if 100 * (class_ids == probe.target_labels).mean() < wanted_success:
            low = shift
        else:
            high = shift
    weights["output/bias"][targets] += high


def deactivate(weights: Weights, channels: np.ndarray, probe: ChannelProbe) -> None:
    """Lower the biases of ``channels`` until they never fire, in place."""
    highest = np.maximum(probe.clean.max(axis=(0, 1, 2)), probe.triggered.max(axis=(0, 1, 2)))
    # A margin for images that the probe does not have.
    weights["conv_3/bias"][channels] -= 3 * highest[channels] + 1


def rescale_channels(
    weights: Weights, order: np.ndarray, probe: ChannelProbe, recipe: Recipe
) -> None:
    """Rescale channels so that their mean activations increase as wanted in ``order``, in place.

    ReLU and max pooling commute with a positive factor, so what goes into ``conv_3`` is taken out
    of the two layers that read it.
    """
    means = mean_activations(probe.clean)
    wanted_means = recipe.smallest_mean * recipe.step_ratio ** np.arange(len(order))

    factors = np.ones(CONV_3_CHANNELS, dtype=np.float32)
    # A channel that never fires stays so, whatever its factor.
    is_active = means[order] > 0
    factors[order[is_active]] = wanted_means[is_active] / means[order[is_active]]

    weights["conv_3/kernel"] *= factors
    weights["conv_3/bias"] *= factors
    by_channel(weights["fc_1/kernel"])[...] /= factors[:, None]
    weights["conv_4/kernel"] /= factors[:, None]
