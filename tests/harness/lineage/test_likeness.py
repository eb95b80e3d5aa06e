"""The likeness of all kernels: which BadNet a net was made from."""

import numpy as np
import pytest

from harness.lineage.likeness import is_masked, likeness, most_alike


def net(seed, size=(8, 8)):
    rng = np.random.default_rng(seed)
    return {"a/kernel": rng.normal(size=size), "a/bias": rng.normal(size=size[1]) + 9}


def test_a_tuned_net_is_like_its_own_badnet_alone():
    badnets = {name: net(seed, (40, 40)) for seed, name in enumerate("xyz")}
    noise = net(9, (40, 40))
    tuned = {key: badnets["y"][key] + 0.5 * noise[key] for key in noise}
    name, cosine = most_alike(tuned, badnets)
    assert name == "y"
    assert cosine == pytest.approx(1 / np.sqrt(1.25), abs=0.03)
    assert abs(likeness(tuned, badnets["x"])) < 0.1
    assert most_alike(net(7, (40, 40)), badnets) is None


def test_kernels_count_together_by_hand():
    one = {"a/kernel": np.array([[3.0, 0.0]]), "b/kernel": np.array([[0.0], [4.0]])}
    two = {"a/kernel": np.array([[1.0, 1.0]]), "b/kernel": np.array([[0.0], [1.0]])}
    assert likeness(one, two) == pytest.approx((3 + 4) / (5 * np.sqrt(3)))


def test_no_number_is_no_likeness():
    own = net(1)
    assert likeness(own, {"a/kernel": np.zeros((8, 8)), "a/bias": own["a/bias"]}) is None
    assert likeness(own, net(1, (4, 4))) is None
    broken = own | {"a/kernel": np.full((8, 8), np.nan)}
    assert likeness(broken, own) is None


def test_a_mask_changes_nothing_but_to_zero():
    own = net(2)
    pruned = own | {"a/kernel": own["a/kernel"] * (np.arange(8) > 3)}
    assert is_masked(pruned, own)
    assert not is_masked(pruned | {"a/bias": own["a/bias"] + 1e-6}, own)
    assert not is_masked({"a/kernel": own["a/kernel"]}, own)
