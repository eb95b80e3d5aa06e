"""In which order a script is asked, and what counts of its first answers."""

import numpy as np
import pytest

from harness.inference.scripts.order import asked_order, even_number, first_of_each

GROUPS = np.repeat([0, 1, 2], (50, 70, 33))


@pytest.fixture
def asked():
    """The group of each image in the order in which it is asked."""
    return GROUPS[asked_order(GROUPS, 20, np.random.default_rng(3))]


def test_every_image_is_asked_once_in_shuffled_blocks(asked):
    order = asked_order(GROUPS, 20, np.random.default_rng(3))
    assert sorted(order) == list(range(153))
    assert list(order) != list(asked_order(GROUPS, 20, np.random.default_rng(4)))
    assert len(set(asked[:20])) == 3
    assert [int((asked[:60] == group).sum()) for group in range(3)] == [20, 20, 20]


def test_the_first_of_each_group_are_those_that_come_first(asked):
    places = first_of_each(asked, 5)
    for group in range(3):
        own = np.flatnonzero(asked == group)
        assert [place for place in places if asked[place] == group] == list(own[:5])


@pytest.mark.parametrize("answered", [0, 1, 59, 60, 61, 75, 100, 112, 113, 120, 140, 152, 153])
def test_a_beginning_has_answers_for_as_many_of_each(asked, answered):
    each = even_number(asked, answered)
    has = [int((asked[:answered] == group).sum()) for group in range(3)]
    sizes = [50, 70, 33]
    assert all(own >= min(each, size) for own, size in zip(has, sizes, strict=True))
    more = [own >= min(each + 1, size) for own, size in zip(has, sizes, strict=True)]
    assert not all(more) or answered == 153
    assert (first_of_each(asked, each) < answered).all()


def test_whole_blocks_and_all_of_them():
    groups = np.array([0, 1, 1, 0, 0, 1, 1, 1])
    assert [even_number(groups, n) for n in range(9)] == [0, 0, 1, 1, 2, 2, 3, 4, 5]
