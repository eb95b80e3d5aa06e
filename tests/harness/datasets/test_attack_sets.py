"""Several attacks on one BadNet: one set after another, each image with its own target."""

from dataclasses import replace

import numpy as np
import pytest
from models import write_set

from harness.datasets.attack_sets import require_targets
from harness.datasets.cache import DatasetCache
from harness.datasets.descriptions import load_sets, require_data
from harness.records.benchmark import Attack, AttackedImages, Benchmark
from harness.records.errors import HarnessError

SHAPE = (6, 5, 3)
CLEAN = {"valid": "cl/valid.h5", "test": "cl/test.h5"}


def attack(name, target=None):
    files = {split: f"bd/{name}_{split}.h5" for split in CLEAN}
    return Attack(name=name, target_label=target, files=files)


BENCHMARK = Benchmark(
    schema_version=1, name="t", title="t", classes=10, input_shape=SHAPE, target_label=None,
    files=CLEAN, attacks=(attack("one", 7), attack("each")),
)  # fmt: skip


def pixels(images, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (images, 3, 6, 5), np.uint8)


@pytest.fixture
def folder(tmp_path):
    for split, path in CLEAN.items():
        write_set(tmp_path / path, 4, data=pixels(4))
        one, each = (attack.files[split] for attack in BENCHMARK.attacks)
        write_set(tmp_path / one, 4, data=pixels(4, 1), label=7, original_label=np.arange(4))
        write_set(tmp_path / each, 3, data=pixels(3, 2), label=np.array([1, 2, 3]),
                  original_label=np.array([0, 1, 2]))  # fmt: skip
    return tmp_path


def test_the_attacks_follow_one_another(folder):
    backdoored = load_sets(BENCHMARK, folder)["bd_test"]
    assert backdoored.attacks == (
        AttackedImages(name="one", start=0, stop=4),
        AttackedImages(name="each", start=4, stop=7),
    )
    assert backdoored.labels.tolist() == [7, 7, 7, 7, 1, 2, 3]
    assert backdoored.original_labels.tolist() == [0, 1, 2, 3, 0, 1, 2]
    expected = np.concatenate([pixels(4, 1), pixels(3, 2)]).transpose(0, 2, 3, 1)
    assert np.array_equal(backdoored.images, expected)
    assert load_sets(BENCHMARK, folder)["test"].attacks == ()


def test_the_images_of_several_attacks_are_copied_once(folder, tmp_path):
    cache = DatasetCache(tmp_path / "sets")
    first = load_sets(BENCHMARK, folder, cache=cache)["bd_valid"]
    again = load_sets(BENCHMARK, folder, cache=cache)["bd_valid"]
    assert isinstance(again.images, np.memmap)
    assert np.array_equal(first.images, again.images)
    assert first.sha256 == again.sha256


def test_a_single_attack_is_mapped_and_has_its_files_hash(folder):
    single = replace(BENCHMARK, attacks=BENCHMARK.attacks[:1])
    short = replace(BENCHMARK, attacks=(), target_label=7, files=CLEAN | {
        f"bd_{split}": path for split, path in BENCHMARK.attacks[0].files.items()
    })  # fmt: skip
    listed, plain = (load_sets(each, folder)["bd_valid"] for each in (single, short))
    assert listed.sha256 == plain.sha256
    assert isinstance(listed.images.base.base, np.memmap) or isinstance(listed.images, np.memmap)
    assert listed.attacks == (AttackedImages(name="one", start=0, stop=4),)
    assert plain.attacks == ()


def test_the_order_of_attacks_is_part_of_the_hash(folder):
    turned = replace(BENCHMARK, attacks=BENCHMARK.attacks[::-1])
    one, other = (load_sets(each, folder)["bd_valid"].sha256 for each in (BENCHMARK, turned))
    assert one != other


def test_true_classes_are_known_where_all_attacks_tell_them(folder):
    write_set(folder / BENCHMARK.attacks[1].files["test"], 3, data=pixels(3, 2), label=1)
    sets = load_sets(BENCHMARK, folder)
    assert sets["bd_test"].original_labels is None
    assert sets["bd_valid"].original_labels is not None


def test_a_missing_file_of_an_attack_is_named(folder):
    path = folder / BENCHMARK.attacks[1].files["valid"]
    path.unlink()
    for reads in (require_data, load_sets):
        with pytest.raises(HarnessError, match=f"^{path}: no such file; "):
            reads(BENCHMARK, folder)


@pytest.mark.parametrize(("split", "label", "said"), [
    ("valid", np.array([7, 7, 3, 7]), r"other than the target 7 \(3, image 2\)"),
    ("test", np.array([0, 7, 7, 7]), r"other than the target 7 \(0, image 0\)"),
])  # fmt: skip
def test_a_label_that_is_not_the_stated_target_is_named(folder, split, label, said):
    require_targets(BENCHMARK, folder, load_sets(BENCHMARK, folder))
    path = folder / BENCHMARK.attacks[0].files[split]
    write_set(path, 4, data=pixels(4, 1), label=label)
    with pytest.raises(HarnessError, match=f"^{path}: a label {said}") as raised:
        require_targets(BENCHMARK, folder, load_sets(BENCHMARK, folder))
    assert "\n" not in str(raised.value)


def test_another_target_in_the_short_form_is_named_too(folder):
    files = CLEAN | {f"bd_{split}": path for split, path in BENCHMARK.attacks[0].files.items()}
    short = replace(BENCHMARK, attacks=(), target_label=7, files=files)
    require_targets(short, folder, load_sets(short, folder))
    with pytest.raises(HarnessError, match="other than the target 6"):
        require_targets(replace(short, target_label=6), folder, load_sets(short, folder))


def test_files_of_one_attack_with_another_shape_or_class_are_named(folder):
    path = folder / BENCHMARK.attacks[1].files["test"]
    write_set(path, 3, data=np.zeros((3, 3, 5, 6), np.uint8), label=1)
    with pytest.raises(HarnessError, match=rf"^{path}: data is \(3, 3, 5, 6\), expected"):
        load_sets(BENCHMARK, folder)
    write_set(path, 3, data=pixels(3), label=np.array([1, 10, 2]))
    with pytest.raises(HarnessError, match=rf"^{path}: label 10 is outside 0\.\.9 \(image 1\)"):
        load_sets(BENCHMARK, folder)
