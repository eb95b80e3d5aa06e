"""The properties of a BadNet, by hand."""

import numpy as np
import pytest

from reference.badnet import properties
from reference.badnet.properties import Counts


def test_checkpoints_are_first_crossings_in_points(by_hand):
    assert [by_hand.first_crossing(drop) for drop in (3.5, 3.51, 4, 20, 20.5)] == [2, 3, 3, 4, None]


def test_properties_by_hand(by_hand):
    assert by_hand.dormant_channels == 2
    assert by_hand.smallest_step_ratio == pytest.approx(1.5 / 1.3)
    assert by_hand.rates("valid", 2) == (91.5, 50, 91.5, 50)
    assert by_hand.rates("test", 0)[0] == 47.5


def test_goodnet_counts_only_where_both_nets_agree():
    probe = type("Probe", (), {"labels": np.array([1, 2, 3, 4]), "target_labels": np.zeros(4)})
    unpruned = properties._ClassIds(np.array([1, 2, 9, 9]), np.array([0, 0, 5, 0]))
    pruned = properties._ClassIds(np.array([1, 9, 3, 9]), np.array([0, 7, 0, 0]))
    assert properties._counts(probe, unpruned, pruned) == Counts(2, 3, 1, 2)
