"""Arrays of other frameworks as the benchmarks' networks: layouts, flat orders, names and order."""

import numpy as np
import pytest
from models import random_weights
from other_formats import torch_state, write_legacy_torch, write_safetensors, write_torch

from harness.datasets.descriptions import badnet_file, load_benchmark
from harness.networks.deepid import lab_network
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.network import weight_shapes
from harness.networks.weight_files import read_model, read_network
from harness.storage.hashing import array_hash


def benchmark_network(name):
    benchmark, folder = load_benchmark(name)
    return read_network(badnet_file(benchmark, folder), benchmark.pruned_layer)


NETWORKS = {
    "lab": lab_network,
    "digits": lambda: benchmark_network("digits"),
    "signs": lambda: benchmark_network("signs"),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return NETWORKS[request.param]()


def drawn(network, channels=None, seed=0):
    """Weights of a network, of all channels of its pruned layer or of fewer."""
    rng = np.random.default_rng(seed)
    shapes = weight_shapes(network, {network.pruned_layer: channels or network.channels})
    return {name: rng.normal(0, 0.1, shape).astype("f4") for name, shape in shapes.items()}


def hashes(path, network):
    """The hashes of all readings of a file, the first first."""
    found = read_model(path, network)
    return [array_hash(each.weights) for each in found.readings or (found,)]


def torch_name(name):
    """A layer's name in a style of PyTorch, which says what it is: ``net.block1_1_conv``."""
    return f"net.{name.replace('_', '', 1)}"


@pytest.mark.parametrize("share", [1, 0.6])
def test_every_format_holds_the_same_net(tmp_path, network, share):
    weights = drawn(network, int(share * network.channels))
    state = torch_state(weights)
    np.savez(tmp_path / "names.npz", **weights)
    np.savez_compressed(tmp_path / "order.npz", *weights.values())
    files = [
        tmp_path / "names.npz",
        tmp_path / "order.npz",
        write_torch(tmp_path / "a.pt", state),
        write_torch(tmp_path / "b.pt", torch_state(weights, torch_name)),
        write_torch(tmp_path / "c.pt", {"epoch": 3, "state_dict": state, "optimizer": {"x": 1.0}}),
        write_legacy_torch(tmp_path / "d.pt", state),
        write_safetensors(tmp_path / "e.safetensors", state),
        write_safetensors(tmp_path / "f.safetensors", weights),
    ]
    for path in files:
        assert hashes(path, network)[0] == array_hash(weights), path.name


def test_the_other_flat_order_is_another_reading(tmp_path):
    weights = random_weights()
    rows_first = write_torch(tmp_path / "a.pt", torch_state(weights, flat="HWC"))
    first, second = hashes(rows_first, lab_network())
    assert (first, second) != (array_hash(weights), first)
    assert second == array_hash(weights)
    labels = [each.label for each in read_model(rows_first, lab_network()).readings]
    assert labels == ["flattened as C, H, W", "flattened as H, W, C"]


def test_global_pooling_leaves_nothing_open(tmp_path):
    network = NETWORKS["signs"]()
    state = torch_state(drawn(network))
    assert read_model(write_torch(tmp_path / "a.pt", state), network).readings == ()


TORCH_RESNET = (
    ("stem_conv", "conv1"), ("stem_norm", "bn1"),
    ("block_1_1_conv", "layer1.0.conv1"), ("block_1_1_norm", "layer1.0.bn1"),
    ("block_1_2_conv", "layer1.0.conv2"), ("block_1_2_norm", "layer1.0.bn2"),
    ("block_2_1_conv", "layer2.0.conv1"), ("block_2_1_norm", "layer2.0.bn1"),
    ("block_2_2_conv", "layer2.0.conv2"), ("block_2_2_norm", "layer2.0.bn2"),
    ("block_2_shortcut_conv", "layer2.0.downsample.0"),
    ("block_2_shortcut_norm", "layer2.0.downsample.1"),
    ("last_conv", "layer3.conv"), ("last_norm", "layer3.bn"),
    ("output", "linear"),
)  # fmt: skip
"""The layers of signs as a ResNet of PyTorch calls and orders them: the shortcut comes last."""


@pytest.mark.parametrize("write", [write_torch, write_safetensors])
def test_names_and_order_of_a_residual_network(tmp_path, write):
    network = NETWORKS["signs"]()
    weights = drawn(network)
    names = dict(TORCH_RESNET)
    state = torch_state(weights, names.get)
    order = {name: each for own, other in TORCH_RESNET for name, each in state.items()
             if name.startswith(f"{other}.")}  # fmt: skip
    assert hashes(write(tmp_path / "a.pt", order), network)[0] == array_hash(weights)


def test_layers_that_only_order_tells_apart_are_read_by_every_order(tmp_path):
    weights = random_weights(channels=48)  # fc_1 and fc_2 have one shape
    odd = {"fc_1": "b", "fc_2": "a"}
    state = torch_state(weights, lambda name: odd.get(name, name))
    found = read_model(write_torch(tmp_path / "a.pt", state), lab_network())
    assert len(found.readings) == 4
    assert array_hash(found.weights) == array_hash(weights)
    by_names = write_safetensors(tmp_path / "b.safetensors", state)
    assert array_hash(weights) not in hashes(by_names, lab_network())  # its order is gone


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("f8", 0), ("f4", 0), ("f2", 1e-3)]
)  # fmt: skip
def test_precisions_are_read_as_float32(tmp_path, dtype, tolerance):
    weights = random_weights()
    state = {name: each.astype(dtype) for name, each in torch_state(weights).items()}
    np.savez(tmp_path / "c.npz", **{name: each.astype(dtype) for name, each in weights.items()})
    for path in (
        write_torch(tmp_path / "a.pt", state),
        write_safetensors(tmp_path / "b.safetensors", state),
        tmp_path / "c.npz",
    ):
        found = read_model(path, lab_network()).weights
        assert all(each.dtype == np.float32 for each in found.values())
        assert all(np.allclose(found[name], weights[name], 0, tolerance) for name in weights)


def test_weights_under_a_mask_of_pytorch_are_their_product(tmp_path):
    weights = random_weights()
    state = torch_state(weights)
    mask = np.ones((60, 40, 3, 3), "f4")
    mask[[3, 7]] = 0
    state["conv_3.weight_orig"], state["conv_3.weight_mask"] = state.pop("conv_3.weight"), mask
    weights["conv_3/kernel"][..., [3, 7]] = 0
    for path in (
        write_torch(tmp_path / "a.pt", state),
        write_safetensors(tmp_path / "b.safetensors", state),
    ):
        assert hashes(path, lab_network())[0] == array_hash(weights)


REFUSED = {
    "a layer fewer": (lambda state: state.pop("fc_2.weight"), "no layer fits fc_2"),
    "another width": (
        lambda state: state.update({"conv_2.bias": np.zeros(41, "f4")}),
        "wrong shape: no layer fits conv_2",
    ),
    "wider than the BadNet": (
        lambda state: state.update({"conv_3.weight": np.zeros((61, 40, 3, 3), "f4")}),
        "a repaired net is no wider",
    ),
    "an array of another name": (
        lambda state: state.update({"loss_table": np.zeros((3, 3), "f4")}),
        "by its name is no layer's array",
    ),
    "whole numbers": (
        lambda state: state.update({"fc_1.bias": np.zeros(160, "i8")}),
        "holds int64, expected real numbers",
    ),
    "another network": (
        lambda state: state.update({"extra.weight": np.zeros((3, 3), "f4")}),
        "arrays of 8 layers, the known network has 7",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_where(tmp_path, case):
    change, reason = REFUSED[case]
    state = torch_state(random_weights())
    change(state)
    for path in (
        write_torch(tmp_path / "a.pt", state),
        write_safetensors(tmp_path / "b.safetensors", state),
    ):
        with pytest.raises(RejectedFileError, match=reason):
            read_model(path, lab_network())
