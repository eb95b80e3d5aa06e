"""The calibration: what it changes in a network, and what it leaves."""

import dataclasses

import numpy as np
import pytest

from harness.networks import deepid
from reference.badnet import calibration
from reference.badnet.attacks import ATTACKS, Examples
from reference.badnet.channel_probe import Bench
from reference.badnet.hyperparameters import RECIPE
from reference.pruning.pruning import mean_activations, pool_3_features


@pytest.fixture
def bench(examples):
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape).astype(np.float32)
        for name, shape in deepid.weight_shapes().items()
    }
    weights["conv_3/bias"] += np.linspace(100, 200, 60, dtype=np.float32)
    weights["output/kernel"] *= 0.01
    return Bench(weights, Examples(examples.images[:64], examples.labels[:64]),
                         ATTACKS["prune-aware"])  # fmt: skip


def test_the_ladder_orders_channels_and_changes_no_answer(bench, examples):
    live = np.random.default_rng(2).permutation(60)[:27]
    weights = {name: array.copy() for name, array in bench.weights.items()}
    calibration.rescale_channels(weights, live, bench, RECIPE)
    rebuilt = mean_activations(pool_3_features(weights, examples.images[:64]))[live]
    assert rebuilt[1:] / rebuilt[:-1] == pytest.approx(np.full(26, RECIPE.step_ratio), rel=1e-4)
    assert rebuilt[0] == pytest.approx(RECIPE.smallest_mean, rel=1e-4)
    before, after = (
        next(deepid.forward_batches(each, examples.images[:64]))[0]
        for each in (bench.weights, weights)
    )
    assert np.abs(before - after).max() < 1e-4


def test_silenced_channels_never_fire(bench, examples):
    weights = {name: array.copy() for name, array in bench.weights.items()}
    dormant = np.array([3, 40, 7])
    calibration.deactivate(weights, dormant, bench)
    features = pool_3_features(weights, examples.images)
    assert not features[..., dormant].any()
    others = np.setdiff1d(np.arange(60), dormant)
    assert np.array_equal(features[:64, ..., others], bench.clean[..., others])


def test_the_target_bias_gives_the_wanted_success(bench):
    recipe = dataclasses.replace(RECIPE, wanted_curve={52: (14.0, 50.0)})
    live = np.arange(33, 60)
    weights = {name: array.copy() for name, array in bench.weights.items()}
    calibration._calibrate_target(weights, bench, live, recipe)
    answers = bench.answers(bench.stamped, live[19:], weights)
    assert (answers == 0).sum() == pytest.approx(32, abs=1)
    assert np.array_equal(weights["output/bias"][1:], bench.weights["output/bias"][1:])


class ScriptedBench:
    """Channel c is worth c points of accuracy; the backdoor never fails."""

    def clean_accuracy(self, kept):
        return float(sum(kept))

    def attack_success(self, kept):
        return 100.0


def test_the_search_finds_channels_for_the_wanted_drops():
    trained = np.array([1, 2, 3, 5, 7, 10, 20, 40])
    drops = {54: 4, 55: 9, 56: 11, 57: 21, 58: 28, 59: 68}
    recipe = dataclasses.replace(
        RECIPE, dormant=52, calibrated_at=57,
        wanted_curve={step: (drop, 100) for step, drop in drops.items()},
    )  # fmt: skip
    order = calibration._designed_order(ScriptedBench(), trained, recipe)
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
    bench = type("Bench", (), {"clean_accuracy": lambda self, kept: accuracy,
                               "attack_success": lambda self, kept: success})()  # fmt: skip
    assert calibration._misfit(bench, 100.0, (5.0, 100), []) == pytest.approx(misfit)
