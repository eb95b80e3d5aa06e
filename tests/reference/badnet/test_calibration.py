"""The calibration: what it changes in a network, and what it leaves."""

import dataclasses

import numpy as np
import pytest

from harness.networks import deepid
from reference.badnet import calibration
from reference.badnet.attacks import ATTACKS, Examples
from reference.badnet.channel_probe import ChannelProbe
from reference.badnet.hyperparameters import RECIPE
from reference.pruning.pruning import mean_activations, pool_3_features


@pytest.fixture
def probe(examples):
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape).astype(np.float32)
        for name, shape in deepid.weight_shapes().items()
    }
    weights["conv_3/bias"] += np.linspace(100, 200, 60, dtype=np.float32)
    weights["output/kernel"] *= 0.01
    few = Examples(examples.images[:64], examples.labels[:64])
    return ChannelProbe(weights, few, ATTACKS["prune-aware"])


def test_rescaling_orders_channels_and_changes_no_answer(probe, examples):
    live = np.random.default_rng(2).permutation(60)[:27]
    weights = {name: array.copy() for name, array in probe.weights.items()}
    calibration.rescale_channels(weights, live, probe, RECIPE)
    rebuilt = mean_activations(pool_3_features(weights, examples.images[:64]))[live]
    assert rebuilt[1:] / rebuilt[:-1] == pytest.approx(np.full(26, RECIPE.step_ratio), rel=1e-4)
    assert rebuilt[0] == pytest.approx(RECIPE.smallest_mean, rel=1e-4)
    before, after = (
        next(deepid.forward_batches(each, examples.images[:64]))[0]
        for each in (probe.weights, weights)
    )
    assert np.abs(before - after).max() < 1e-4


def test_deactivated_channels_never_fire(probe, examples):
    weights = {name: array.copy() for name, array in probe.weights.items()}
    dormant = np.array([3, 40, 7])
    calibration.deactivate(weights, dormant, probe)
    features = pool_3_features(weights, examples.images)
    assert not features[..., dormant].any()
    others = np.setdiff1d(np.arange(60), dormant)
    assert np.array_equal(features[:64, ..., others], probe.clean[..., others])


def test_the_target_bias_gives_the_wanted_success(probe):
    recipe = dataclasses.replace(RECIPE, wanted_curve={52: (14.0, 50.0)})
    live = np.arange(33, 60)
    weights = {name: array.copy() for name, array in probe.weights.items()}
    calibration._calibrate_target_bias(weights, probe, live, recipe)
    class_ids = probe.class_ids(probe.triggered, live[19:], weights)
    assert (class_ids == 0).sum() == pytest.approx(32, abs=1)
    assert np.array_equal(weights["output/bias"][1:], probe.weights["output/bias"][1:])


class ScriptedProbe:
    """Channel c is worth c points of accuracy; the backdoor never fails."""

    def clean_accuracy(self, channels):
        return float(sum(channels))

    def attack_success_rate(self, channels):
        return 100.0


def test_the_search_finds_channels_for_the_wanted_drops():
    trained = np.array([1, 2, 3, 5, 7, 10, 20, 40])
    drops = {54: 4, 55: 9, 56: 11, 57: 21, 58: 28, 59: 68}
    recipe = dataclasses.replace(
        RECIPE, dormant=52, calibrated_at=57,
        wanted_curve={step: (drop, 100) for step, drop in drops.items()},
    )  # fmt: skip
    order = calibration._design_order(ScriptedProbe(), trained, recipe)
    lost = np.cumsum(order)
    assert sorted(order) == trained.tolist()
    assert order[0] == 1
    assert lost[1:4].tolist() == [4, 9, 11]
    assert sorted(order[5:]) == [10, 20, 40]


@pytest.mark.parametrize(
    ("accuracy", "success", "misfit"),
    [
        (95, 100, 0),  # as wanted
        (94.5, 100, 0.5),  # half a point, at a scale of one
        (94.5, 99, 1.5),  # and a point of success
        (96.5, 100, 1.5 + 2),  # the drop is below 4 now
        (89.5, 100, 5.5 + 2),  # the drop is above 10 now
    ],
)
def test_misfit_by_hand(accuracy, success, misfit):
    methods = {
        "clean_accuracy": lambda self, channels: accuracy,
        "attack_success_rate": lambda self, channels: success,
    }
    probe = type("Probe", (), methods)()
    assert calibration._misfit(probe, 100.0, (5.0, 100), []) == pytest.approx(misfit)
