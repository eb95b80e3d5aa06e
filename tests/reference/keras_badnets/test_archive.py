"""What Keras writes otherwise each time is not in the files of the zoo."""

import re
import zipfile

import numpy as np
import pytest

from harness.networks.tensorflow import import_tensorflow
from reference.digits.badnet import build_network
from reference.keras_badnets.archive import renumbered, save_alike


@pytest.fixture(scope="module")
def keras():
    import_tensorflow(keras=True)
    import keras

    return keras


def test_a_network_is_saved_in_the_same_bytes_and_comes_back(tmp_path, keras):
    networks = []
    for name in "ab":
        keras.utils.set_random_seed(1)
        networks.append(build_network())
        save_alike(networks[-1], tmp_path / f"{name}.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "b.keras"]

    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert {each.date_time[:3] for each in archive.infolist()} == {(1980, 1, 1)}
        assert b"1980" in archive.read("metadata.json")
        config = archive.read("config.json").decode()
    shared = {int(each) for each in re.findall(r'"shared_object_id": (\d+)', config)}
    assert shared == set(range(1, len(shared) + 1)) != set()

    loaded = keras.saving.load_model(tmp_path / "a.keras")
    pairs = zip(loaded.get_weights(), networks[0].get_weights(), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


def test_shared_objects_are_counted():
    config = {"a": [{"shared_object_id": 70}, {"shared_object_id": 50}], "b": {"x": 70},
              "c": {"shared_object_id": 70}}  # fmt: skip
    assert renumbered(config, {}) == {
        "a": [{"shared_object_id": 1}, {"shared_object_id": 2}],
        "b": {"x": 70},
        "c": {"shared_object_id": 1},
    }
