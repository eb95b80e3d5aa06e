"""What Keras writes otherwise each time is not in the files of the zoo."""

import numpy as np
import pytest

from harness.networks.tensorflow import import_tensorflow
from reference.digits.badnet import build_network
from reference.zoo.archive import renumbered, save_alike


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
