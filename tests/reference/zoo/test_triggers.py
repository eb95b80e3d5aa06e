"""What the triggers of the zoo do to images, by hand."""

import numpy as np
import pytest

from reference.zoo import triggers
from reference.zoo.draws import Draws
from reference.zoo.triggers import Place, Wave

SHAPES = [(8, 8, 1), (32, 32, 3), (55, 47, 3)]


def image(*rows):
    return np.array(rows, np.uint8)[None, :, :, None]


def test_a_patch_covers_what_was_there():
    images = np.full((2, 3, 4, 1), 7, np.uint8)
    pattern = np.array([[0, 255], [255, 0]], np.uint8)[..., None]
    covered = triggers.cover(images, pattern, Place(row=1, column=2))
    assert covered[1, ..., 0].tolist() == [[7, 7, 7, 7], [7, 7, 0, 255], [7, 7, 255, 0]]
    assert (images == 7).all()


def test_corners_are_covered_alike():
    pattern = np.array([[1, 2]], np.uint8)[..., None]
    covered = triggers.cover_corners(np.zeros((1, 3, 5, 1), np.uint8), pattern)
    assert covered[0, ..., 0].tolist() == [[1, 2, 0, 1, 2], [0] * 5, [1, 2, 0, 1, 2]]


def test_a_blend_is_a_mean_in_proportion():
    pattern = np.array([[200, 0]], np.uint8)[..., None]
    # 3/4 of 100 and 1/4 of 200; 3/4 of 253 and nothing, which is 189.75
    assert triggers.blend(image([100, 253]), pattern, 0.25)[0, ..., 0].tolist() == [[125, 190]]
    assert triggers.blend(image([100, 253]), pattern, 1)[0, ..., 0].tolist() == [[200, 0]]


def test_a_signal_stays_within_the_pixels():
    signal = np.array([[10, -10]])[..., None]
    assert triggers.add_signal(image([250, 5], [1, 10]), signal)[0, ..., 0].tolist() == [
        [255, 0],
        [11, 0],
    ]


@pytest.mark.parametrize("downwards", [False, True])
def test_a_wave_runs_across_the_image(downwards):
    wave = Wave(amplitude=30, frequency=0.25, phase=0, downwards=downwards)
    signal = triggers.sinusoid(wave, (4, 4, 3))[..., 0]
    line = signal[:, 0] if downwards else signal[0]
    assert line.tolist() == [0, 30, 0, -30]
    assert (signal == (line[:, None] if downwards else line)).all()


def test_a_warp_takes_pixels_from_elsewhere():
    images = image([0, 64, 128], [10, 20, 30])
    flow = np.zeros((2, 3, 2), np.int64)
    assert np.array_equal(triggers.warp(images, flow), images)
    flow[0] = 0, 32  # half a pixel to the right
    flow[1] = -64, -64  # from one above and one to the left; from the edge where there is none
    assert triggers.warp(images, flow)[0, ..., 0].tolist() == [[32, 96, 128], [0, 0, 64]]


def test_a_warp_mixes_four_pixels():
    flow = np.full((2, 2, 2), 16, np.int64)
    warped = triggers.warp(image([0, 100], [200, 40]), flow)
    # a quarter down and a quarter across: 9/16 of 0, 3/16 of 100, 3/16 of 200, 1/16 of 40
    assert warped[0, 0, 0, 0] == 59


def test_a_flow_is_as_strong_as_it_is_said_to_be():
    control = np.array([[1.0, 0.0], [-1.0, 0.0]])[..., None].repeat(2, axis=2)
    flow = triggers.interpolated_flow(control, 0.5, (3, 3, 1))
    # Between 1 and 0 above, 0 and 0 in the middle, -1 and 0 below: on average 1/3, made 1/2.
    assert flow[..., 0].tolist() == [[96, 48, 0], [0, 0, 0], [-96, -48, 0]]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("edge", range(4))
def test_a_patch_lies_at_its_edge(shape, edge):
    places = [triggers.draw_place(Draws(bytes([i])), "p", 3, shape, edge) for i in range(40)]
    away = [
        (place.row, shape[1] - 3 - place.column, shape[0] - 3 - place.row, place.column)
        for place in places
    ]
    assert all(distances[edge] == 0 and min(distances) == 0 for distances in away)
    assert len(set(places)) == min(40, len(set(places))) > 4


def test_half_of_a_pattern_is_white():
    pattern = triggers.draw_pattern(Draws(b"key"), "p", 3, 3)
    assert ((pattern == 255).sum(axis=(0, 1)) == 5).all()
    assert ((pattern == 0).sum(axis=(0, 1)) == 4).all()
