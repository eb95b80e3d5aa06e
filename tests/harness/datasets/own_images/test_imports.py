"""Reading and splitting: reproducible, class by class, twins together, targets as meant."""

import numpy as np
import pytest
from image_files import put

from harness.datasets.own_images.imports import GivenAttack, Reading, described_attacks, read_images
from harness.execution.progress import Quiet
from harness.records.errors import HarnessError

LABELS = np.repeat(np.arange(10), 7)


def images(count=70, shape=(8, 9, 3)):
    return np.random.default_rng(count).integers(0, 256, (count, *shape), np.uint8)


def write(path, labels=LABELS, shape=(8, 9, 3), **more):
    np.savez(path, data=images(len(labels), shape), label=labels, **more)
    return path


def read(clean, *attacks, **reading):
    return read_images(clean, attacks, Reading(**reading), Quiet())


def attack(name, *sets, **more):
    return GivenAttack(name=name, sets=sets, **more)


@pytest.fixture
def clean(tmp_path):
    return write(tmp_path / "clean.npz")


@pytest.fixture
def bad(tmp_path):
    np.savez(tmp_path / "bad.npz", data=255 - images(), label=np.full(70, 7))
    return tmp_path / "bad.npz"


def bytes_of(given):
    return {image.tobytes() for image in given.images}


@pytest.mark.parametrize("share", [0.5, 0.3, 0.9])
def test_a_split_is_complete_disjoint_and_of_every_class(clean, bad, share):
    found = read([clean], attack("a", bad), valid_share=share).clean
    assert len(found["valid"].labels) == round(70 * share)
    assert bytes_of(found["valid"]) | bytes_of(found["test"]) == {
        image.tobytes() for image in images()
    }
    assert not bytes_of(found["valid"]) & bytes_of(found["test"])
    counts = np.bincount(found["valid"].labels, minlength=10)
    assert np.abs(counts - 7 * share).max() < 1


def test_the_same_seed_splits_alike_and_another_does_not(clean, bad):
    first, again, other = (
        read([clean], attack("a", bad), seed=seed).clean["valid"].images for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_backdoored_image_goes_where_its_clean_one_goes(clean, bad):
    found = read([clean], attack("a", bad))
    for split, given in found.attacks[0].sets.items():
        assert np.array_equal(given.images, 255 - found.clean[split].images)
    assert "a: image i is taken to be clean image i with the trigger" in found.remarks


def test_fewer_backdoored_images_are_split_by_themselves(tmp_path, clean):
    some = write(tmp_path / "some.npz", np.full(31, 7))
    sets = read([clean], attack("a", some)).attacks[0].sets
    assert {split: len(given.labels) for split, given in sets.items()} == {"valid": 15, "test": 16}


def test_sets_that_are_given_stay_as_they_are(tmp_path, clean):
    test = write(tmp_path / "test.npz", LABELS[:20])
    found = read([clean, test], attack("a", clean, test, target=3))
    assert np.array_equal(found.clean["test"].images, images(20))
    assert np.array_equal(found.attacks[0].sets["valid"].images, images(70))


def test_targets_are_stated_or_told_by_the_labels(tmp_path, clean, bad):
    each = write(tmp_path / "each.npz", (LABELS + 1) % 10)
    found = read(
        [clean], attack("same", bad), attack("each", each), attack("true", clean, target=4)
    )
    same, each, true = found.attacks
    assert [attack.target for attack in found.attacks] == [7, None, 4]
    assert same.sets["test"].original_labels is None
    assert np.array_equal(each.sets["test"].labels, (found.clean["test"].labels + 1) % 10)
    assert set(true.sets["test"].labels.tolist()) == {4}
    assert np.array_equal(true.sets["test"].original_labels, found.clean["test"].labels)
    assert "true: labels other than 4 are taken as true classes" in found.remarks


def test_true_classes_in_a_file_are_kept(tmp_path, clean):
    path = write(tmp_path / "bad.npz", np.full(70, 7), original_label=LABELS)
    found = read([clean], attack("a", path, target=7))
    originals = found.attacks[0].sets["valid"].original_labels
    assert np.array_equal(originals, found.clean["valid"].labels)


def test_files_of_attacks_have_names_of_their_own(clean, bad):
    names = ("Yellow square!", "yellow-square", "黄", "..")
    found = read([clean], *(attack(name, bad) for name in names))
    files = [path for each in described_attacks(found) for path in each.files.values()]
    assert files[:4] == [
        "bd/yellow_square_valid.h5", "bd/yellow_square_test.h5",
        "bd/yellow_square_2_valid.h5", "bd/yellow_square_2_test.h5",
    ]  # fmt: skip
    assert len(set(files)) == 8


def test_images_of_another_shape_are_named(tmp_path, clean):
    other = write(tmp_path / "other.npz", shape=(9, 9, 3))
    with pytest.raises(
        HarnessError, match=rf"^{other}: images of 9 x 9 x 3, but those of {clean} "
    ):
        read([clean], attack("a", other))
    grey = write(tmp_path / "grey.npz", shape=(8, 9, 1))
    with pytest.raises(HarnessError, match=rf"^{grey}: images of 8 x 9 x 1, but those of"):
        read([clean], attack("a", grey))
    with pytest.raises(
        HarnessError, match=rf"^{clean}: images are 8 x 9 x 3, expected 28 x 28 x 1"
    ):
        read([clean], attack("a", clean), input_shape=(28, 28, 1))


def test_one_image_cannot_be_split(tmp_path, clean):
    one = write(tmp_path / "one.npz", np.array([7]))
    with pytest.raises(
        HarnessError, match=rf"^{one}: 1 images cannot be split into valid and test"
    ):
        read([clean], attack("a", one))


def test_folders_number_the_classes_for_all(tmp_path):
    for name in ("halt", "yield"):
        for number in range(4):
            put(tmp_path / "clean" / name / f"{number}.png")
    for number in range(4):
        put(tmp_path / "bad" / "yield" / f"{number}.png")
    found = read([tmp_path / "clean"], attack("a", tmp_path / "bad"))
    assert found.classes_seen == 2
    assert found.attacks[0].target == 1
    assert "classes are numbered 0 = halt, 1 = yield" in found.remarks
    with pytest.raises(HarnessError, match="--input-shape says 6 x 8 x 3"):
        read([tmp_path / "clean"], attack("a", tmp_path / "bad"), input_shape=(6, 8, 3))
