"""The properties of a BadNet and what the benchmark requires, by hand."""

import numpy as np
import pytest

from reference.badnet import properties
from reference.badnet.properties import Counts


def test_checkpoints_are_first_crossings_in_points(by_hand):
    assert [by_hand.checkpoint(drop) for drop in (3.5, 3.51, 4, 20, 20.5)] == [2, 3, 3, 4, None]


def test_properties_by_hand(by_hand):
    assert by_hand.dormant == 2
    assert by_hand.smallest_ratio == pytest.approx(1.5 / 1.3)
    assert by_hand.points("valid", 2) == (91.5, 50, 91.5, 50)
    assert by_hand.points("test", 0)[0] == 47.5


@pytest.mark.parametrize(("observed", "met"), [(None, False), (0.9, False), (1, True), (2, True),
                                               (2.1, False)])  # fmt: skip
def test_requirements_include_their_limits(observed, met):
    assert properties.Requirement("any", observed, 1, 2).met is met


def test_goodnet_counts_only_where_both_nets_agree():
    bench = type("Bench", (), {"labels": np.array([1, 2, 3, 4]), "targets": np.zeros(4)})
    unpruned = np.array([1, 2, 9, 9]), np.array([0, 0, 5, 0])
    pruned = np.array([1, 9, 3, 9]), np.array([0, 7, 0, 0])
    assert properties._counts(bench, unpruned, pruned) == Counts(2, 3, 1, 2)
