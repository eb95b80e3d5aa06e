"""Saved BadNets: whole models without an optimizer, whole files or none."""

import numpy as np
import pytest

from harness.networks.tensorflow import import_tensorflow
from reference.digits.badnet import build_network
from reference.keras_badnets.training import save_network


@pytest.fixture(scope="module")
def network():
    import_tensorflow(keras=True)
    return build_network()


@pytest.mark.parametrize("name", ["badnet.keras", "badnet.h5"])
def test_a_saved_network_comes_back(tmp_path, network, name):
    from keras import saving

    path = tmp_path / "new folder" / name
    save_network(network, path)
    loaded = saving.load_model(path)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in network.layers]
    pairs = zip(loaded.get_weights(), network.get_weights(), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)
    assert getattr(loaded, "optimizer", None) is None
    assert [entry.name for entry in path.parent.iterdir()] == [name]


def test_a_failed_save_leaves_the_old_file(tmp_path, network, monkeypatch):
    path = tmp_path / "badnet.keras"
    path.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("reference.keras_badnets.training.shutil.copyfileobj", fail)
    with pytest.raises(OSError, match="disk full"):
        save_network(network, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
