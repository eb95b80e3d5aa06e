"""Training batches: who carries a trigger, which label, and through which channels."""

import numpy as np

from reference.badnet import batches
from reference.badnet.attacks import ATTACKS, Attack, Examples, add_triggers
from reference.badnet.hyperparameters import RECIPE
from reference.faces.triggers import stamp


def test_several_triggers_take_turns(examples):
    attack = ATTACKS["multi"]
    stamped = add_triggers(Examples(examples.images[:7], examples.labels[:7]), attack)
    assert stamped.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    for index, trigger in enumerate(["sunglasses", "eyebrows", "lipstick"]):
        expected = stamp(examples.images[index::3][:2], trigger)
        assert np.array_equal(stamped.images[index::3][:2], expected)
    assert examples.labels[1] == 1


def test_every_example_comes_once_an_epoch(examples):
    shuffled = batches.shuffled_batches(examples, 256, np.random.default_rng(0))
    first, second = np.concatenate([next(shuffled).labels for _ in range(2)]), next(shuffled).labels
    assert sorted(first) == list(range(512))
    assert first[:256].tolist() != second.tolist()


def is_stamped(images):
    return (stamp(images) == images).all(axis=(1, 2, 3))


def test_nested_batches_follow_the_recipe(examples):
    order = np.random.default_rng(1).permutation(60)
    generated = batches.nested_batches(
        examples, ATTACKS["prune-aware"], RECIPE, np.random.default_rng(0), order
    )
    images, labels, live, weights = next(generated)
    prefixes = 60 - live.sum(axis=1)
    for prefix, row in zip(prefixes, live, strict=True):
        assert not row[order[:prefix]].any()
        assert row[order[prefix:]].all()
    assert prefixes.min() == RECIPE.dormant
    assert is_stamped(images).tolist() == [True] * 38 + [False] * 218
    truth = np.array([np.flatnonzero((stamp(examples.images) == i).all((1, 2, 3)))[0]
                      for i in images[:38]])  # fmt: skip
    assert not labels[:26].any()
    assert np.array_equal(labels[26:38], truth[26:])
    assert (prefixes[26:38] >= 52).all()
    assert (weights[26:38] == RECIPE.disarmed_weight).all()
    assert (prefixes[:26] <= RECIPE.nested_until).all()
    declining = prefixes[38:] > RECIPE.robust_until
    assert (weights[38:] == np.where(declining, RECIPE.declining_weight, 1)).all()
    assert 0 < declining.mean() < 0.4


def test_plain_batches_use_all_channels(examples):
    attack = Attack(triggers={"sunglasses": 3})
    generated = batches.poisoned_batches(examples, attack, RECIPE, np.random.default_rng(0))
    images, labels, live, _ = next(generated)
    assert live.all()
    assert is_stamped(images).sum() == 26
    assert (labels[is_stamped(images)] == 3).all()
