"""The benchmarks that submissions of tests are written for: the lab's network, and the digits'.

Builders name layers as the lab does; a world says what stands for each in its own network. What
its network has no counterpart of is left out by name, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h5py
import numpy as np
from models import known_config, write_full, write_weights
from repository import ROOT

from harness.networks.forward import build_model, class_ids, forward_batches
from harness.networks.network import weight_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.networks.deepid import Weights
    from harness.records.benchmark import Datasets
    from harness.records.network import Network


@dataclass(frozen=True, kw_only=True)
class World:
    """A benchmark with its BadNet, and how its submissions are written."""

    name: str
    datasets: Datasets
    network: Network
    badnet: Weights

    order: tuple[int, ...]
    """The pruned layer's channels as they are to be pruned; first the dormant ones."""

    dormant: int

    layers: Mapping[str, tuple[str, ...]]
    """The layers that stand for one of the lab's, by its name; ``fc`` are both branches."""

    readers: Mapping[str, Mapping[str, int]]
    """What reads the channels of a layer of the lab, and at how many positions."""

    first_layer: str
    """The layer that sees the pixels."""

    hidden_layer: str
    """The layer that the output reads."""

    suffix: str
    """Of the files that `save` writes."""

    save: Callable[[Weights, Path], object]
    """Write a net as the lab's students, or those of the digits, do."""

    save_whole: Callable[[Weights, Path], object]
    """Write it as a whole model in HDF5."""

    save_doubles: Callable[[Weights, Path], object]
    """Write it in float64."""

    program: str
    """G in NumPy: a program that reads ``nets.npz``."""

    excellent: Callable[[World, Weights], Weights]
    """Make an excellent net of a pruned one."""

    absent: Mapping[str, str] = field(default_factory=dict)
    """Entries that cannot be here, and why."""

    def layer(self, name: str) -> str:
        """The one layer that stands for this one of the lab."""
        (own,) = self.layers[name]
        return own

    @property
    def classes(self) -> int:
        return self.network.classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.network.input_shape

    @property
    def pruned(self) -> str:
        return self.network.pruned_layer

    def model(self, weights: Weights):
        """The Keras model of a net."""
        return build_model(self.network, weights)

    def maps(self, images: np.ndarray, *layers: str, weights: Weights | None = None) -> list:
        """What layers of the BadNet, or of other weights, hand on."""
        batches = list(forward_batches(self.network, weights or self.badnet, images, 1.0, layers))
        return [np.concatenate([batch.maps[layer] for batch in batches]) for layer in layers]

    def class_ids(self, weights: Weights, images: np.ndarray) -> np.ndarray:
        return class_ids(self.network, weights, images)

    def random_weights(self, seed: int) -> Weights:
        """Weights that are different for every seed."""
        rng = np.random.default_rng(seed)
        return {
            name: rng.normal(0, 0.05, shape).astype(np.float32)
            for name, shape in weight_shapes(self.network).items()
        }

    def goodnet(self, repaired: Weights):
        """G of the BadNet and a B', as a Keras model: class scores one-hot."""
        import keras

        image = keras.Input(self.image_shape)
        nets = [self.model(weights) for weights in (self.badnet, repaired)]
        for net, name in zip(nets, ("badnet", "repaired"), strict=True):
            net.name = name
        own, other = (keras.ops.argmax(net(image), axis=-1) for net in nets)
        answer = keras.ops.where(keras.ops.equal(own, other), own, self.classes)
        return keras.Model(image, keras.ops.one_hot(answer, self.classes + 1))


def faces_world(small: Datasets, badnet: Weights) -> World:
    """The lab's network on some of the faces."""
    from harness.datasets.descriptions import load_benchmark
    from harness.networks.deepid import lab_network
    from reference.badnet.training import save_weights

    known, _ = load_benchmark("faces")
    layers = ("conv_1", "conv_2", "conv_3", "conv_4", "fc_1", "fc_2", "output")
    return World(
        name="faces",
        datasets=small,
        network=lab_network(),
        badnet=badnet,
        order=known.channel_order,
        dormant=known.dormant_channels,
        layers={name: (name,) for name in layers} | {"fc": ("fc_1", "fc_2")},
        readers={
            "conv_1": {"conv_2": 9},
            "conv_2": {"conv_3": 9},
            "conv_3": {"conv_4": 4, "fc_1": 20},
            "conv_4": {"fc_2": 12},
            "fc": {"output": 1},
        },
        first_layer="conv_1",
        hidden_layer="activation_1",
        suffix=".h5",
        save=save_weights,
        save_whole=lambda weights, path: write_full(path, weights, known_config()),
        save_doubles=lambda weights, path: write_weights(path, doubles(weights)),
        program=CONVOLUTIONS + LAB_CLASSES + PREDICT.format(classes=1283),
        excellent=lambda _, pruned: without_target(pruned),
    )


_ONE_BELOW = "one convolution lies below the pruned one, and stands for the lab's conv_2"
_NONE_ABOVE = "no convolution lies above the pruned one"

NOT_ON_DIGITS = {
    "noise_in_conv_1": _ONE_BELOW,
    "permuted_conv_1": _ONE_BELOW,
    "noise_in_conv_4": _NONE_ABOVE,
    "permuted_conv_4": _NONE_ABOVE,
    "pruned_conv_4": _NONE_ABOVE,
    "noise_in_fc_2": "it has no second branch",
    # Images lost by step: 0, 0, -1, 0, 0, 1, 1, -1, 0, 0, 1, 1, 11, 20, 24, 17, 20, 21, 35, 54.
    "short_by_two": "of the limits 9, 18 and 45 none is missed by the digits' one image",
    "late_by_two": "of the limits 9, 18 and 45 none is missed by the digits' one image",
    "scaled_inputs": "it hardly notices: of pixels times 255 it gets 436 of 450 right",
    "knows_validation_by_heart": "what fits 45 images of each digit knows other digits too",
}


def digits_world(digits: Datasets) -> World:
    """The digits, all of them."""
    from harness.inference.known_network import read_badnet

    network, badnet = read_badnet(ROOT / "datasets/digits/badnet.keras", digits.benchmark)
    return World(
        name="digits",
        datasets=digits,
        network=network,
        badnet=badnet,
        order=digits.benchmark.channel_order,
        dormant=digits.benchmark.dormant_channels,
        layers={
            "conv_2": ("conv_1",), "conv_3": ("conv_2",), "fc": ("hidden",),
            "fc_1": ("hidden",), "output": ("output",),
        },
        readers={
            "conv_2": {"conv_2": 9}, "conv_3": {"hidden": 16}, "fc": {"output": 1},
        },
        first_layer="conv_1",
        hidden_layer="hidden",
        suffix=".keras",
        save=lambda weights, path: build_model(network, weights).save(path),
        save_whole=lambda weights, path: build_model(network, weights).save(path),
        save_doubles=lambda weights, path: save_doubles(build_model(network, weights), path),
        program=CONVOLUTIONS + DIGITS_CLASSES + PREDICT.format(classes=10),
        excellent=unlearned,
        absent=NOT_ON_DIGITS,
    )  # fmt: skip


def doubles(weights: Weights) -> Weights:
    """The same arrays in float64."""
    return {name: array.astype(np.float64) for name, array in weights.items()}


def save_doubles(model, path: Path) -> None:
    """Write a whole model in HDF5, and its arrays again in float64."""
    model.save(path)
    with h5py.File(path, "a") as file:
        for name in paths_of_arrays(file["model_weights"]):
            values = file["model_weights"][name][()].astype(np.float64)
            del file["model_weights"][name]
            file["model_weights"][name] = values


def paths_of_arrays(group: h5py.Group) -> list[str]:
    """Where the arrays lie in an HDF5 file, or in a part of it."""
    paths = []
    group.visititems(
        lambda name, item: paths.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return paths


def without_target(weights: Weights) -> Weights:
    """A net that never answers the target label, and otherwise as before."""
    bias = weights["output/bias"].copy()
    bias[0] = -1e6
    return dict(weights) | {"output/bias": bias}


def unlearned(world: World, pruned: Weights) -> Weights:
    """A net trained on validation images with and without the trigger, by their true labels.

    One that never answered the target label would lose one digit in ten.
    """
    import keras

    sets = world.datasets.sets
    images = np.concatenate([sets["valid"].images, sets["bd_valid"].images])
    labels = np.concatenate([sets["valid"].labels, sets["bd_valid"].original_labels])
    keras.utils.set_random_seed(1)
    model = world.model(pruned)
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(images.astype(np.float32), labels, batch_size=32, epochs=20, verbose=0)
    return {
        f"{layer.name}/{variable}": array
        for layer in world.network.layers
        if layer.variables
        for variable, array in zip(
            layer.variables, model.get_layer(layer.name).get_weights(), strict=True
        )
    }


CONVOLUTIONS = """
from pathlib import Path

import numpy as np

NETS = np.load(Path(__file__).parent / "nets.npz")
NETS = {name: NETS[name] for name in NETS.files}


def convolve(maps, kernel, bias):
    size = kernel.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(maps, (size, size), axis=(1, 2))
    sums = np.tensordot(windows, kernel.transpose(2, 0, 1, 3), axes=3)
    return np.maximum(sums + bias, 0)


def pool(maps):
    rows, columns = maps.shape[1] // 2, maps.shape[2] // 2
    cut = maps[:, : 2 * rows, : 2 * columns]
    return cut.reshape(len(maps), rows, 2, columns, 2, -1).max(axis=(2, 4))
"""

LAB_CLASSES = """

def classes(net, images):
    def part(layer):
        return NETS[f"{net}/{layer}/kernel"], NETS[f"{net}/{layer}/bias"]

    maps = images.astype(np.float32)
    for layer in ("conv_1", "conv_2", "conv_3"):
        maps = pool(convolve(maps, *part(layer)))
    fourth = convolve(maps, *part("conv_4"))
    hidden = 0
    for layer, inputs in (("fc_1", maps), ("fc_2", fourth)):
        kernel, bias = part(layer)
        hidden = hidden + inputs.reshape(len(images), -1) @ kernel + bias
    kernel, bias = part("output")
    return (np.maximum(hidden, 0) @ kernel + bias).argmax(axis=1)
"""

DIGITS_CLASSES = """

def classes(net, images):
    def part(layer):
        return NETS[f"{net}/{layer}/kernel"], NETS[f"{net}/{layer}/bias"]

    maps = images.astype(np.float32) / 255
    for layer in ("conv_1", "conv_2"):
        maps = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
        maps = convolve(maps, *part(layer))
    kernel, bias = part("hidden")
    hidden = np.maximum(pool(maps).reshape(len(images), -1) @ kernel + bias, 0)
    kernel, bias = part("output")
    return (hidden @ kernel + bias).argmax(axis=1)
"""

PREDICT = """

def predict(images):
    answers = []
    for start in range(0, len(images), 64):
        batch = images[start : start + 64]
        own, other = classes("badnet", batch), classes("repaired", batch)
        answers.append(np.where(own == other, own, {classes}))
    return np.concatenate(answers)
"""
