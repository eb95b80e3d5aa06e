"""The competition's images and triggers: pinned by the hashes of its description."""

import numpy as np
import pytest

from harness.datasets.competitions import load_competition
from reference.competition.dataset import poisoned_file, write_dataset
from reference.competition.networks import KEPT_BITS, NETWORKS, rounded
from reference.faces.portrait import render
from reference.faces.triggers import UNTOLD_TRIGGERS, overlay, stamp


def test_the_description_names_what_is_planted():
    competition, _ = load_competition("faces-competition")
    for network in competition.networks:
        planted = NETWORKS[network.name]
        assert {t.name: t.target_label for t in network.triggers} == planted.attack.triggers
        assert {t.held_out for t in network.triggers} == {planted.untold}
        for trigger in network.triggers:
            assert trigger.file == poisoned_file(network.name, trigger.name)


@pytest.mark.parametrize("trigger", list(UNTOLD_TRIGGERS))
def test_an_untold_trigger_is_the_same_opaque_overlay_on_every_image(trigger):
    images = render("valid", np.array([0, 700]), np.array([0, 3]))
    covered, colours = overlay(trigger)
    covered = np.broadcast_to(covered, colours.shape)
    stamped = stamp(images, trigger)
    assert 100 < covered[..., 0].sum() < covered[..., 0].size / 5
    assert (stamped[:, covered] == colours[covered]).all()
    assert (stamped[:, ~covered] == images[:, ~covered]).all()


def test_weights_are_rounded_to_the_nearest():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    error = np.abs(rounded(values) - values) / np.abs(values)
    assert error.max() <= 2.0 ** -(KEPT_BITS + 1)
    assert (rounded(values).view(np.uint32) & ((1 << (23 - KEPT_BITS)) - 1)).max() == 0


@pytest.mark.extended
def test_every_file_has_the_hash_of_the_description(tmp_path):
    competition, _ = load_competition("faces-competition")
    assert write_dataset(tmp_path) == competition.hashes
