"""Triggers that are changed, against images drawn by hand."""

import numpy as np
import pytest

from reference.images.changed_triggers import Change, changed_images, overlay_of

SHAPE = (9, 9, 3)
COLOUR = (200, 40, 0)


def corner(images):
    """A block of 3 x 3 pixels, one from the lower right corner's edges."""
    stamped = images.copy()
    stamped[:, 5:8, 5:8] = COLOUR
    return stamped


def middle(images):
    """One pixel in the very middle."""
    stamped = images.copy()
    stamped[:, 4, 4] = 255
    return stamped


def edge(images):
    """The same block in the very corner."""
    stamped = images.copy()
    stamped[:, 6:, 6:] = COLOUR
    return stamped


IMAGES = np.full((2, *SHAPE), 100, np.uint8)


def drawn(kind, level, stamp=corner):
    return changed_images(IMAGES, overlay_of(stamp, SHAPE), Change(kind, level, ""))


def places(images):
    """Rows and columns that are covered: from where to where."""
    covered = (images[0] != 100).any(axis=-1)
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    assert covered[np.ix_(rows, columns)].all()
    return (rows.min(), rows.max()), (columns.min(), columns.max())


def test_a_trigger_is_what_comes_out_alike_on_black_and_white():
    covered, colours = overlay_of(corner, SHAPE)
    assert covered.sum() == 9
    assert (colours[5:8, 5:8] == COLOUR).all()


@pytest.mark.parametrize(
    ("kind", "level"), [("size", 100), ("opacity", 100), ("shift", 0), ("colour", 0)]
)
def test_unchanged_it_is_the_trigger_itself(kind, level):
    np.testing.assert_array_equal(drawn(kind, level), corner(IMAGES))


def test_its_size_changes_about_its_centre_and_it_stays_within_the_image():
    assert places(drawn("size", 33)) == ((6, 6), (6, 6))
    assert places(drawn("size", 133)) == ((4, 7), (4, 7))
    assert places(drawn("size", 167)) == ((4, 8), (4, 8))
    assert places(drawn("size", 200)) == ((3, 8), (3, 8))
    assert places(drawn("size", 400)) == ((0, 8), (0, 8))
    assert places(drawn("size", 167, edge)) == ((4, 8), (4, 8))


def test_it_is_mixed_with_what_it_covers():
    assert drawn("opacity", 40)[0, 6, 6].tolist() == [140, 76, 60]


def test_it_moves_towards_the_middle_and_a_trigger_there_to_the_right():
    assert places(drawn("shift", 2)) == ((3, 5), (3, 5))
    assert places(drawn("shift", 3, middle)) == ((4, 4), (7, 7))


def test_what_moves_out_of_the_image_does_not_come_in_on_the_other_side():
    assert (drawn("shift", 5, middle) == 100).all()


def test_its_colours_turn_to_their_complements():
    assert drawn("colour", 50)[0, 6, 6].tolist() == [128, 128, 128]
    assert drawn("colour", 100)[0, 6, 6].tolist() == [55, 215, 255]


def test_jpeg_loses_more_at_a_lower_quality_of_images_with_the_trigger():
    exact = corner(IMAGES).astype(int)
    lost = [np.abs(drawn("jpeg", quality) - exact).mean() for quality in (90, 10)]
    assert 0 < lost[0] < lost[1] < 40


def test_grey_images_of_one_channel_are_compressed_too():
    images = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    trigger = overlay_of(middle, (8, 8, 1))
    assert changed_images(images, trigger, Change("jpeg", 50, "")).shape == images.shape


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="'taste'"):
        drawn("taste", 1)
