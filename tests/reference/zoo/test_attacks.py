"""Every attack of every benchmark: images stay images, and follow from the key alone."""

import numpy as np
import pytest

from harness.records.errors import HarnessError
from reference.zoo.benchmarks import BENCHMARKS
from reference.zoo.draws import Draws, badnet_key

EVERY = [(name, attack) for name, each in BENCHMARKS.items() for attack in each.attacks]


def images_of(benchmark):
    numbers = np.random.default_rng(0).integers(0, 256, (4, *benchmark.shape))
    return numbers.astype(np.uint8)


def planted(name, attack, secret=None, seed=0):
    return BENCHMARKS[name].plant(attack, Draws(badnet_key(secret, name, attack, seed)))


def stamped(name, plant):
    images = images_of(BENCHMARKS[name])
    return [backdoor.stamp(images) for backdoor in plant.backdoors]


@pytest.mark.parametrize(("name", "attack"), EVERY)
def test_a_trigger_is_on_every_image_and_follows_from_the_key(name, attack):
    plant = planted(name, attack)
    images, shown = images_of(BENCHMARKS[name]), stamped(name, plant)
    assert len(plant.notes) == len(plant.backdoors) == (3 if attack == "several-targets" else 1)
    for each in shown:
        assert each.dtype == np.uint8
        assert each.shape == images.shape
        assert (each != images).any(axis=(1, 2, 3)).all()
    assert np.array_equal(shown, stamped(name, planted(name, attack)))


@pytest.mark.parametrize(("name", "attack"), EVERY)
def test_another_seed_or_secret_draws_another_trigger_or_target(name, attack):
    keys = [(None, 0), (None, 1), (b"one", 0), (b"one", 1), (b"other", 0)]
    drawn = set()
    for secret, seed in keys:
        plant = planted(name, attack, secret, seed)
        targets = [int(each.targets(np.array([0]))[0]) for each in plant.backdoors]
        assert all(target < BENCHMARKS[name].classes for target in targets)
        drawn.add((np.array(stamped(name, plant)).tobytes(), *targets))
    assert len(drawn) == len(keys)


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_several_targets_are_different_ones(name):
    for seed in range(20):
        backdoors = planted(name, "several-targets", seed=seed).backdoors
        assert len({int(each.targets(np.array([0]))[0]) for each in backdoors}) == 3
        assert len({each.name for each in backdoors}) == 3


def test_only_the_pruning_aware_one_is_prepared_for_pruning():
    assert [a for a in BENCHMARKS["digits"].attacks if planted("digits", a).pruning_aware] == [
        "pruning-aware"
    ]


def test_attacks_are_asked_for_by_name():
    digits = BENCHMARKS["digits"]
    assert digits.attack_names(None) == list(digits.attacks)
    assert digits.attack_names("blended, patch,blended") == ["blended", "patch"]
    for wrong in ("sunglasses", "patch,", "", "Patch", "patch;blended"):
        with pytest.raises(HarnessError, match="there are patch, blended, sinusoidal") as raised:
            digits.attack_names(wrong)
        assert "\n" not in str(raised.value)


def test_every_attack_has_its_dose():
    for benchmark in BENCHMARKS.values():
        assert benchmark.doses.keys() == benchmark.attacks.keys()


def test_a_key_belongs_to_one_badnet():
    keys = {
        badnet_key(secret, benchmark, attack, seed)
        for secret in (None, b"a", b"b")
        for benchmark in ("digits", "signs")
        for attack in ("patch", "blended")
        for seed in (0, 1)
    }
    assert len(keys) == 24


def test_draws_by_other_names_are_others():
    draws = Draws(b"key")
    assert sorted(draws.order("a", 9)) == list(range(9))
    assert draws.order("a", 9) == Draws(b"key").order("a", 9) != draws.order("b", 9)
    assert {draws.below(str(i), 3) for i in range(50)} == {0, 1, 2}
    assert all(2 <= draws.between(str(i), 2, 5) < 5 for i in range(50))
    assert 0 <= draws.seed("a") < 2**31 != draws.seed("b")
