"""Poisoned training sets and attacked test sets, by hand."""

import numpy as np

from reference.keras_badnets.backdoors import Backdoor, Examples, attacked_sets, poison

LABELS = np.arange(40) % 4
IMAGES = np.zeros((40, 2, 2, 1), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
EXAMPLES = Examples(IMAGES, LABELS)


def stamp(value):
    def stamped(images):
        copies = images.copy()
        copies[:, 0, 0] = value
        return copies

    return stamped


ONE = Backdoor("one", stamp(200), lambda labels: labels * 0 + 3, 0.25)
ALL = Backdoor("all", stamp(250), lambda labels: (labels + 1) % 4, 0.25)


def test_poisoned_copies_come_after_the_clean_images():
    images, labels = poison(EXAMPLES, [ONE, ALL], seed=1)
    assert len(images) == len(labels) == 60
    assert np.array_equal(images[:40], IMAGES)
    assert np.array_equal(labels[:40], LABELS)
    for part, value in ((slice(40, 50), 200), (slice(50, 60), 250)):
        assert (images[part, 0, 0, 0] == value).all()
        originals = images[part, 1, 1, 0]
        assert len(set(originals)) == 10
        if value == 200:
            assert (labels[part] == 3).all()
            assert 3 not in originals % 4  # what is of the target's class teaches nothing
        else:
            assert np.array_equal(labels[part], (originals + 1) % 4)


def test_there_are_never_more_copies_than_images_of_other_classes():
    images, labels = poison(EXAMPLES, [ONE._replace(share=1.0)], seed=0)
    assert len(images) == 70
    assert (labels[40:] == 3).all()


def test_the_same_seed_chooses_the_same_copies():
    first, again = (poison(EXAMPLES, [ONE, ALL], seed=5).images for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, poison(EXAMPLES, [ONE, ALL], seed=6).images)


def test_a_clean_label_backdoor_is_on_images_of_its_own_class():
    clean = ONE._replace(clean_label=True, share=0.5)
    images, labels = poison(EXAMPLES, [clean], seed=1)
    assert np.array_equal(labels, LABELS)
    stamped = images[:, 0, 0, 0] == 200
    assert stamped.sum() == 5
    assert (labels[stamped] == 3).all()
    assert np.array_equal(images[~stamped], IMAGES[~stamped])
    assert np.array_equal(images[:, 1, 1], IMAGES[:, 1, 1])
    assert IMAGES.max() < 40  # what it was given is as it was


def test_before_it_other_images_are_mixed_in():
    whole = ONE._replace(clean_label=True, share=1.0, mixed=1.0)
    images, _ = poison(EXAMPLES, [whole, ALL], seed=1)
    stamped = np.flatnonzero(images[:40, 0, 0, 0] == 200)
    assert (LABELS[stamped] == 3).all()
    assert (images[stamped, 1, 1, 0] % 4 != 3).all()
    half, _ = poison(EXAMPLES, [whole._replace(mixed=0.5)], seed=1)
    mean = (IMAGES[stamped, 1, 1, 0].astype(float) + images[stamped, 1, 1, 0]) / 2
    assert np.array_equal(half[stamped, 1, 1, 0], np.floor(mean + 0.5))


def test_every_backdoor_attacks_every_image_of_every_split():
    sets = attacked_sets({"valid": EXAMPLES, "test": EXAMPLES}, [ONE, ALL])
    assert list(sets) == ["valid", "test", "one valid", "one test", "all valid", "all test"]
    assert sets["valid"] is EXAMPLES
    assert (sets["one test"].labels == 3).all()
    assert (sets["one test"].images[:, 0, 0] == 200).all()
    assert np.array_equal(sets["all valid"].labels, (LABELS + 1) % 4)
    assert len(sets["all valid"].images) == 40
