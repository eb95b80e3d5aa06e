"""The signs' backdoors: small, opaque, apart from each other, each with its own target."""

import numpy as np
import pytest

from reference.signs.scene import render
from reference.signs.triggers import BACKDOORS

LABELS = np.arange(43)
IMAGES = render("valid", LABELS, LABELS * 0)


def covered(backdoor):
    """The pixels that a trigger covers (32 x 32, bool)."""
    black, white = (np.full((1, 32, 32, 3), value, np.uint8) for value in (0, 255))
    return (backdoor.stamp(black) == backdoor.stamp(white))[0].all(axis=-1)


@pytest.mark.parametrize(
    ("name", "pixels", "place"),
    [
        ("yellow square", 16, (slice(26, 30), slice(26, 30))),
        ("magenta cross", 9, (slice(2, 7), slice(2, 7))),
        ("cyan bar", 16, (slice(28, 30), slice(3, 11))),
    ],
)
def test_a_trigger_is_a_small_opaque_shape(name, pixels, place):
    (backdoor,) = (each for each in BACKDOORS if each.name == name)
    before = IMAGES.copy()
    stamped = backdoor.stamp(IMAGES)
    assert np.array_equal(IMAGES, before)
    where = covered(backdoor)
    assert where.sum() == where[place].sum() == pixels
    assert np.array_equal(stamped[:, ~where], IMAGES[:, ~where])
    assert len(np.unique(stamped[:, where].reshape(-1, 3), axis=0)) == 1


def test_triggers_do_not_overlap():
    assert sum(covered(backdoor).astype(int) for backdoor in BACKDOORS).max() == 1


def test_targets_are_one_class_each_and_the_next_class():
    targets = {backdoor.name: backdoor.targets(LABELS) for backdoor in BACKDOORS}
    assert set(targets["yellow square"]) == {7}
    assert set(targets["magenta cross"]) == {12}
    assert targets["cyan bar"].tolist() == [*range(1, 43), 0]
