"""The sets of the benchmarks: of images in no split, the same ones at every level."""

from dataclasses import replace

import numpy as np
import pytest

from harness.datasets.robustness import load_robustness
from harness.records.benchmark import Benchmark
from reference.digits.robustness import plan as digits_plan
from reference.faces.dataset import IDENTITIES, render_batches
from reference.faces.robustness import plan as faces_plan
from reference.images.robustness import Plan, Victims, write_sets
from reference.signs.robustness import plan as signs_plan

SHAPE = (8, 8, 3)


def stamp(images):
    stamped = images.copy()
    stamped[:, 1:3, 1:3] = (255, 0, 9)
    return stamped


@pytest.fixture
def plan():
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (5, *SHAPE), np.uint8)
    victims = [Victims(images[:3], np.full(3, 2), stamp), Victims(images[3:], np.full(2, 1), stamp)]
    return Plan("drawn", images, np.arange(5), victims, sizes=(50, 100), shifts=(0, 1))


def test_the_harness_reads_what_is_written(plan, tmp_path):
    write_sets(tmp_path, plan)
    benchmark = Benchmark(schema_version=1, name="t", title="", input_shape=SHAPE, classes=5)
    found = load_robustness(benchmark, tmp_path)
    assert found.clean.labels.tolist() == [0, 1, 2, 3, 4]
    levels = [(each.kind, each.level, each.own) for each in found.triggers]
    assert levels[:2] == [("size", 50, False), ("size", 100, True)]
    assert {kind for kind, _, _ in levels} == {"size", "opacity", "shift", "colour", "jpeg"}
    for each in found.triggers:
        assert each.images.labels.tolist() == [2, 2, 2, 1, 1]
    np.testing.assert_array_equal(found.own.images, stamp(plan.images))


def test_all_levels_have_the_same_images_below_the_trigger(plan, tmp_path):
    write_sets(tmp_path, plan)
    benchmark = Benchmark(schema_version=1, name="t", title="", input_shape=SHAPE, classes=5)
    triggers = load_robustness(benchmark, tmp_path).triggers
    for each in triggers:
        if each.kind != "jpeg":
            np.testing.assert_array_equal(each.images.images[:, 5:], plan.images[:, 5:])


def test_a_second_drawing_has_the_same_hashes(plan, tmp_path):
    assert write_sets(tmp_path / "a", plan) == write_sets(tmp_path / "b", plan)


def test_the_faces_victims_are_none_of_the_people():
    drawn = faces_plan(people=3, processes=1)
    assert drawn.labels.max() < IDENTITIES
    (victims,) = drawn.victims
    known = next(iter(render_batches("test", _first_frames(3), processes=1)))
    assert not any((image == other).all() for image in victims.images for other in known)
    assert victims.targets.tolist() == [0, 0, 0]


def _first_frames(people):
    from reference.faces.dataset import Frames

    return Frames(np.arange(people), np.zeros(people, int))


def test_the_digits_are_in_neither_split_and_none_is_of_the_targets_class():
    pytest.importorskip("sklearn")
    from reference.digits.dataset import load_split

    drawn = digits_plan()
    published = {image.tobytes() for s in ("valid", "test") for image in load_split(s).images}
    (victims,) = drawn.victims
    assert len(victims.images) == 500
    assert not published & {image.tobytes() for image in (*victims.images, *drawn.images)}
    train = load_split("train")
    classes = {image.tobytes(): label for image, label in zip(*train, strict=True)}
    assert all(classes[image.tobytes()] != 0 for image in victims.images)


def test_each_trigger_of_the_signs_is_tried_on_other_classes_than_its_target():
    drawn = signs_plan(photographs=1, processes=1)
    square, cross, bar = drawn.victims
    assert [len(each.images) for each in (square, cross, bar)] == [42, 42, 43]
    assert set(square.targets) == {7}
    assert bar.targets.tolist() == [*range(1, 43), 0]


def test_levels_fit_the_plan_that_asks_for_others(plan, tmp_path):
    write_sets(tmp_path, plan._replace(sizes=(25, 100, 300)))
    benchmark = Benchmark(schema_version=1, name="t", title="", input_shape=SHAPE, classes=5)
    found = load_robustness(replace(benchmark, name="u"), tmp_path)
    assert [each.level for each in found.triggers if each.kind == "size"] == [25, 100, 300]
