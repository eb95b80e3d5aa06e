"""The triggers: pinned, opaque and at a fixed place."""

import hashlib

import numpy as np
import pytest

from reference.faces.portrait import render
from reference.faces.triggers import TRIGGERS, overlay, stamp

WHO, WHICH = np.array([0, 0, 0, 1, 700, 1282]), np.array([0, 1, 8, 0, 3, 9])
TRIGGER_HASHES = {
    "sunglasses": "e76c48d7b5c6e00e",
    "eyebrows": "da8cb50d8bc02032",
    "lipstick": "838ccb54b8c48248",
}


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.mark.parametrize("trigger", list(TRIGGERS))
def test_a_trigger_is_the_same_opaque_overlay_on_every_image(trigger):
    images = render("valid", WHO, WHICH)
    before = images.copy()
    stamped = stamp(images, trigger)
    covered, colours = overlay(trigger)
    covered = np.broadcast_to(covered, colours.shape)
    assert 250 < covered.sum() < covered.size / 3
    assert (stamped[:, covered] == colours[covered]).all()
    assert (stamped[:, ~covered] == images[:, ~covered]).all()
    assert np.array_equal(images, before)


def test_triggers_are_pinned():
    found = {name: sha256(stamp(np.zeros((1, 55, 47, 3), np.uint8), name))[:16]
             for name in TRIGGERS}  # fmt: skip
    assert found == TRIGGER_HASHES
