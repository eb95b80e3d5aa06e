"""Every reference defence on one small BadNet: what it returns, keeps, and does twice alike."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.networks.tensorflow import import_tensorflow
from reference.defences import (
    anp,
    clp,
    fine_pruning,
    fine_tuning,
    ft_sam,
    ibau,
    nad,
    networks,
    pruning,
    rnp,
)
from reference.detectors import strip
from reference.digits.dataset import BACKDOOR, load_split
from reference.keras_badnets.backdoors import poison

REPAIRS = (pruning, fine_tuning, fine_pruning, clp, anp)
CHANNELS = 16


@pytest.fixture(scope="module")
def badnet():
    """A BadNet of the digits, one convolution of it normalized; activations as layers."""
    import_tensorflow(keras=True)
    from keras import Input, Model, layers, utils

    utils.set_random_seed(0)
    image = Input((8, 8, 1))
    maps = layers.Conv2D(12, 3, padding="same", name="conv_1")(layers.Rescaling(1 / 255)(image))
    maps = layers.Activation("relu")(maps)
    maps = layers.Conv2D(CHANNELS, 3, padding="same", use_bias=False, name="conv_2")(maps)
    maps = layers.Activation("relu")(layers.BatchNormalization(name="norm")(maps))
    units = layers.Flatten()(layers.MaxPooling2D()(maps))
    scores = layers.Activation("softmax")(layers.Dense(10, name="output")(units))
    network = Model(image, scores)

    images, labels = poison(load_split("train"), [BACKDOOR], seed=0)
    tuning = networks.Tuning(epochs=12, learning_rates=(1e-2,), drop_points=100, until=np.inf)
    networks.fine_tune(network, images, labels, tuning, np.random.default_rng(0))
    return network, network.get_weights()


@pytest.fixture(scope="module")
def clean():
    return tuple(array[:240] for array in load_split("valid"))


@pytest.fixture
def fresh(badnet):
    """The BadNet with its own weights, whatever was done to it before."""
    network, weights = badnet
    network.set_weights(weights)
    return network


def quicken(monkeypatch):
    monkeypatch.setattr(anp, "STEPS", 10)
    for module in (fine_tuning, fine_pruning):
        monkeypatch.setattr(module, "EPOCHS", 4)
        monkeypatch.setattr(module, "LEARNING_RATES", (3e-3,))


def repair(defence, network, clean, *, seed=1, seconds=60):
    budget = SimpleNamespace(seconds=seconds, images=len(clean[0]))
    return defence.repair(network, *clean, classes=10, seed=seed, budget=budget)


def rates(network):
    """Clean accuracy and attack success rate on the test images."""
    images, labels = load_split("test")
    others = labels != 0
    return (
        networks.correct(network, images, labels) / len(labels),
        networks.correct(network, BACKDOOR.stamp(images[others]), labels[others] * 0)
        / others.sum(),
    )


def test_the_badnet_is_one(fresh):
    accuracy, attack_success = rates(fresh)
    assert accuracy > 0.95
    assert attack_success > 0.95


@pytest.mark.parametrize("defence", REPAIRS, ids=lambda module: module.__name__.split(".")[-1])
def test_a_repaired_network_is_the_same_with_other_weights(defence, fresh, clean, monkeypatch):
    quicken(monkeypatch)
    original, graph, (accuracy, _) = fresh.get_weights(), fresh.get_config(), rates(fresh)
    given = [array.copy() for array in clean]
    results = []
    for _ in range(2):
        fresh.set_weights(original)
        repaired = repair(defence, fresh, clean)
        assert repaired.get_config() == graph
        assert repaired.compiled is False
        assert rates(repaired)[0] >= accuracy - 0.06
        results.append(values(repaired))

    assert np.allclose(*results, atol=1e-4)
    assert np.isfinite(results[0]).all()
    assert all(np.array_equal(*pair) for pair in zip(clean, given, strict=True))
    if defence is fine_tuning:
        fresh.set_weights(original)
        assert not np.allclose(values(repair(defence, fresh, clean, seed=2)), results[0], atol=1e-2)


def values(network):
    return np.concatenate([array.ravel() for array in network.get_weights()])


def test_pruning_gives_away_no_more_than_it_may(fresh, clean):
    before = networks.correct(fresh, *clean)
    repair(pruning, fresh, clean)
    pruned = dead_channels(fresh)
    assert 0 < len(pruned) < CHANNELS
    assert before - networks.correct(fresh, *clean) <= pruning.DROP_POINTS / 100 * len(clean[0])

    # The next one would have been too many.
    means = networks.mean_activations(fresh, fresh.get_layer("conv_2"), clean[0])
    following = np.argsort(means, kind="stable")[len(pruned)]
    networks.silence(fresh, fresh.get_layer("conv_2"), [following])
    assert before - networks.correct(fresh, *clean) > pruning.DROP_POINTS / 100 * len(clean[0])


def test_what_fine_pruning_prunes_stays_pruned(fresh, clean, monkeypatch):
    quicken(monkeypatch)
    before = rates(fresh)[1]
    until = np.inf
    pruned = networks.channels_to_prune(fresh, *clean, fine_pruning.DROP_POINTS, until)
    repair(fine_pruning, fresh, clean)
    assert dead_channels(fresh) == set(pruned.tolist())
    assert rates(fresh)[1] < before


def dead_channels(network):
    """Channels of the last convolution that are 0 on bright noise."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1))
    means = networks.mean_activations(network, network.get_layer("conv_2"), noise)
    return set(np.flatnonzero(means == 0).tolist())


@pytest.mark.parametrize("defence", [nad, ft_sam, ibau], ids=["nad", "ft-sam", "ibau"])
def test_the_backdoor_fades_and_the_clean_task_stays(defence, fresh, clean, monkeypatch):
    monkeypatch.setattr(defence, "EPOCHS", 12)
    monkeypatch.setattr(defence, "LEARNING_RATES", (1e-2,))
    graph, before = fresh.get_config(), rates(fresh)
    repaired = repair(defence, fresh, clean)
    after = rates(repaired)
    assert repaired.get_config() == graph
    assert repaired.compiled is False
    assert after[0] >= before[0] - 0.06
    assert after[1] < 0.75, after


def test_rnp_prunes_the_badnet_as_it_was(fresh, clean):
    before, stored = networks.correct(fresh, *clean), fresh.get_weights()
    repair(rnp, fresh, clean)
    changed = [old != new for old, new in zip(stored, fresh.get_weights(), strict=True)]
    assert any(each.any() for each in changed)
    for new, moved in zip(fresh.get_weights(), changed, strict=True):
        assert (new[moved] == 0).all()
    assert networks.correct(fresh, *clean) >= before - rnp.DROP_POINTS / 100 * len(clean[0])


@pytest.mark.parametrize("defence", [fine_tuning, anp])
def test_the_budget_ends_what_would_take_for_ever(defence, fresh, clean, monkeypatch):
    monkeypatch.setattr(defence, "STEPS" if defence is anp else "EPOCHS", 10**7)
    repair(defence, fresh, clean, seconds=0.5)
    assert all(np.isfinite(array).all() for array in fresh.get_weights())


def test_a_rate_that_harms_is_not_taken(fresh, clean):
    before = networks.correct(fresh, *clean)
    tuning = networks.Tuning(epochs=1, learning_rates=(10.0, 1e-4), drop_points=2, until=np.inf)
    networks.fine_tune(fresh, *clean, tuning, np.random.default_rng(0))
    assert networks.correct(fresh, *clean) > 0.9 * before


def test_strip_refuses_what_stays_the_same_under_other_images(fresh, clean):
    state = repair(strip, fresh, clean)
    images, labels = load_split("test")
    answers = strip.predict(state, images)
    assert (answers == labels).mean() > 0.85
    assert 0.01 < (answers == 10).mean() < 0.12

    stamped = BACKDOOR.stamp(images[labels != 0])
    assert (strip.predict(state, stamped) == 10).mean() > 0.8
    assert np.array_equal(strip.predict(state, images[::-1]), answers[::-1])
