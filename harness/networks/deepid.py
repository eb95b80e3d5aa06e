"""The DeepID network of the lab, as shapes and as a Keras model.

Architecture: Sun, Wang and Tang, "Deep Learning Face Representation from Predicting
10,000 Classes" (CVPR 2014), in the variant that the BadNets lab hands out. Importing this
module does not import TensorFlow; building a network does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.networks.tensorflow import import_operations, import_tensorflow
from harness.records.network import ACTIVATION_SUFFIX, Layer, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import keras

    from harness.records.benchmark import Datasets

CLASSES = 1283
IMAGE_SHAPE = (55, 47, 3)
CONV_3_CHANNELS = 60
"""Output channels of ``conv_3``, the ones that ``pool_3`` passes on and the lab prunes."""

PREDICTION_BATCH = 512
"""Images per forward pass; larger batches were not faster on two cores."""

Weights = dict[str, np.ndarray]
"""Canonical names (``conv_1/kernel``, ``conv_1/bias``, ...) to float32 arrays."""


def weight_shapes(
    conv_3_channels: int = CONV_3_CHANNELS, classes: int = CLASSES
) -> dict[str, tuple[int, ...]]:
    """Canonical weight names and shapes, in layer order.

    A ``conv_3`` with fewer channels (physically pruned) narrows ``conv_4`` and ``fc_1`` too.
    """
    kernels = {
        "conv_1": (4, 4, 3, 20),
        "conv_2": (3, 3, 20, 40),
        "conv_3": (3, 3, 40, conv_3_channels),
        "fc_1": (5 * 4 * conv_3_channels, 160),
        "conv_4": (2, 2, conv_3_channels, 80),
        "fc_2": (4 * 3 * 80, 160),
        "output": (160, classes),
    }

    shapes: dict[str, tuple[int, ...]] = {}
    for layer, shape in kernels.items():
        shapes[f"{layer}/kernel"] = shape
        shapes[f"{layer}/bias"] = shape[-1:]
    return shapes


@cache
def lab_network(classes: int = CLASSES) -> Network:
    """The lab's network as data."""
    layers = [Layer("input", "InputLayer", (), (("shape", IMAGE_SHAPE),))]

    def add(name: str, kind: str, *inputs: str, activation: str = "", **settings: Any) -> None:
        layers.append(Layer(name, kind, inputs, tuple(settings.items())))
        if activation:
            inside = f"{name}{ACTIVATION_SUFFIX}"
            layers.append(Layer(inside, "Activation", (name,), (("activation", activation),)))

    window = {"groups": 1, "strides": (1, 1), "padding": "valid", "dilation_rate": (1, 1)}

    def add_convolution(name: str, source: str, filters: int, size: int) -> None:
        sizes = {"filters": filters, "kernel_size": (size, size)}
        add(name, "Conv2D", source, activation="relu", **sizes, **window, use_bias=True)

    below = "input"
    for index, (filters, size) in enumerate(((20, 4), (40, 3), (CONV_3_CHANNELS, 3)), start=1):
        add_convolution(f"conv_{index}", below, filters, size)
        below = f"pool_{index}"
        add(below, "MaxPooling2D", f"conv_{index}{ACTIVATION_SUFFIX}",
            pool_size=(2, 2), strides=(2, 2), padding="valid")  # fmt: skip

    add("flatten_1", "Flatten", below)
    add("fc_1", "Dense", "flatten_1", units=160, use_bias=True)
    add_convolution("conv_4", below, 80, 2)
    add("flatten_2", "Flatten", f"conv_4{ACTIVATION_SUFFIX}")
    add("fc_2", "Dense", "flatten_2", units=160, use_bias=True)
    add("add_1", "Add", "fc_1", "fc_2")
    layers.append(Layer("activation_1", "Activation", ("add_1",), (("activation", "relu"),)))
    add("output", "Dense", "activation_1", activation="softmax", units=classes, use_bias=True)
    return Network(tuple(layers), "conv_3")


def lab_network_of(weights: Mapping[str, np.ndarray]) -> Network:
    """The lab's network with as many classes as ``weights`` have."""
    return lab_network(weights["output/bias"].size)


def network_of(datasets: Datasets) -> Network:
    """The graph of a benchmark's BadNet."""
    return datasets.network or lab_network(datasets.benchmark.classes)


def build_network(conv_3_channels: int = CONV_3_CHANNELS, classes: int = CLASSES) -> keras.Model:
    """Return an untrained network; input N x 55 x 47 x 3, output N x ``classes`` softmax."""
    import_tensorflow(keras=True)
    from keras import Input, Model, layers

    image = Input(shape=IMAGE_SHAPE, name="input")
    pool_3 = image
    for index, (filters, size) in enumerate(((20, 4), (40, 3), (conv_3_channels, 3)), start=1):
        convolution = layers.Conv2D(filters, size, activation="relu", name=f"conv_{index}")
        pool_3 = layers.MaxPooling2D(2, name=f"pool_{index}")(convolution(pool_3))

    branch_1 = layers.Dense(160, name="fc_1")(layers.Flatten(name="flatten_1")(pool_3))
    conv_4 = layers.Conv2D(80, 2, activation="relu", name="conv_4")(pool_3)
    branch_2 = layers.Dense(160, name="fc_2")(layers.Flatten(name="flatten_2")(conv_4))

    merged = layers.Add(name="add_1")([branch_1, branch_2])
    identity = layers.Activation("relu", name="activation_1")(merged)
    scores = layers.Dense(classes, activation="softmax", name="output")(identity)
    return Model(image, scores)


def load_network(weights: Mapping[str, np.ndarray]) -> keras.Model:
    """Return the network that holds ``weights`` (canonical names; ``conv_3`` may be narrowed)."""
    model = build_network(
        conv_3_channels=weights["conv_3/bias"].shape[0], classes=weights["output/bias"].shape[0]
    )
    set_weights(model, weights)
    return model


def set_weights(model: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Put ``weights`` into a network built by :func:`build_network` with the same shapes."""
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([weights[f"{layer.name}/kernel"], weights[f"{layer.name}/bias"]])


def get_weights(model: keras.Model) -> Weights:
    """Return the arrays of a network built by :func:`build_network`."""
    weights: Weights = {}
    for layer in model.layers:
        if layer.weights:
            weights[f"{layer.name}/kernel"], weights[f"{layer.name}/bias"] = layer.get_weights()
    return {name: weights[name] for name in weight_shapes()}


def by_channel(fc_1_kernel: np.ndarray) -> np.ndarray:
    """A view of ``fc_1``'s kernel: 20 positions of ``pool_3`` x channels x 160 units."""
    return fc_1_kernel.reshape(5 * 4, -1, fc_1_kernel.shape[-1])


def make_contiguous(images: np.ndarray) -> np.ndarray:
    """``images`` (N x rows x columns x colours) as one block of memory.

    Those in a data file may be planes; plane by plane this takes a quarter of the time of NumPy's
    own copy.
    """
    if images.flags.c_contiguous:
        return images
    block = np.empty(images.shape, images.dtype)
    for colour in range(images.shape[-1]):
        block[..., colour] = images[..., colour]
    return block


def forward_batches(
    weights: Mapping[str, np.ndarray], images: np.ndarray, pixel_scale: float = 1.0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (softmax rows, ``pool_3`` maps) of ``images`` (N x 55 x 47 x 3), a batch at a time.

    Images travel to the device as they are (uint8 stays uint8) and are cast and multiplied
    by ``pixel_scale`` there. The functions are traced once and serve every weight set.
    """
    tensors, parts = _tensors(weights), _network_parts()
    for batch in image_batches(images):
        features = parts.trunk(batch, tensors, pixel_scale)
        yield parts.tail(features, tensors).numpy(), features.numpy()


def pool_3_batches(
    weights: Mapping[str, np.ndarray], images: np.ndarray, pixel_scale: float = 1.0
) -> Iterator[np.ndarray]:
    """Yield the ``pool_3`` maps of :func:`forward_batches` without running what is above."""
    tensors, parts = _tensors(weights), _network_parts()
    for batch in image_batches(images):
        yield parts.trunk(batch, tensors, pixel_scale).numpy()


def forward_batches_with_conv_3(
    weights: Mapping[str, np.ndarray], images: np.ndarray, pixel_scale: float = 1.0
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield what :func:`forward_batches` does and the ``conv_3`` maps (N x 10 x 8 x channels)."""
    tensors, parts = _tensors(weights), _network_parts()
    for batch in image_batches(images):
        conv_3 = parts.up_to_conv_3(batch, tensors, pixel_scale)
        features = parts.pool(conv_3)
        yield parts.tail(features, tensors).numpy(), features.numpy(), conv_3.numpy()


def predictor(
    weights: Mapping[str, np.ndarray], pixel_scale: float = 1.0
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from images to softmax rows with the weights already on the device."""
    tensors, parts = _tensors(weights), _network_parts()

    def predict(images: np.ndarray) -> np.ndarray:
        features = parts.trunk(images, tensors, pixel_scale)
        scores: np.ndarray = parts.tail(features, tensors).numpy()
        return scores

    return predict


def class_ids(
    weights: Mapping[str, np.ndarray], images: np.ndarray, pixel_scale: float = 1.0
) -> np.ndarray:
    """Return the argmax class of each image (N, int64)."""
    batches = forward_batches(weights, images, pixel_scale)
    return np.concatenate([scores.argmax(axis=1) for scores, _ in batches])


def tail_class_ids(weights: Mapping[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Return the argmax classes (N, int64) for ``pool_3`` maps (N x 5 x 4 x channels)."""
    tensors, parts = _tensors(weights), _network_parts()
    batch_size = 4 * PREDICTION_BATCH
    class_ids = []
    for start in range(0, len(features), batch_size):
        scores = parts.tail(features[start : start + batch_size], tensors).numpy()
        class_ids.append(scores.argmax(axis=1))
    return np.concatenate(class_ids)


def image_batches(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield ``images`` (N x rows x columns x colours) in batches, each one block of memory."""
    for start in range(0, len(images), PREDICTION_BATCH):
        yield make_contiguous(images[start : start + PREDICTION_BATCH])


def _tensors(weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    tf = import_operations()
    return {name: tf.constant(array) for name, array in weights.items()}


@dataclass(frozen=True, slots=True)
class _NetworkParts:
    """Traced functions of tensors that make up the network."""

    up_to_conv_3: Callable[..., Any]
    """From images, weights and the pixel scale to ``conv_3`` maps."""

    pool: Callable[..., Any]
    """From ``conv_3`` maps to ``pool_3`` maps."""

    trunk: Callable[..., Any]
    """Both in one: from images, weights and the pixel scale to ``pool_3`` maps."""

    tail: Callable[..., Any]
    """From ``pool_3`` maps and weights to softmax rows."""


@cache
def _network_parts() -> _NetworkParts:
    tf = import_operations()

    def pool(hidden: Any) -> Any:
        return tf.nn.max_pool2d(hidden, 2, 2, "VALID")

    def up_to_conv_3(images: Any, weights: dict[str, Any], pixel_scale: Any) -> Any:
        hidden = tf.cast(images, tf.float32) * tf.cast(pixel_scale, tf.float32)
        for layer in ("conv_1", "conv_2"):
            hidden = pool(_convolution(tf, weights, layer, hidden))
        return _convolution(tf, weights, "conv_3", hidden)

    def trunk(images: Any, weights: dict[str, Any], pixel_scale: Any) -> Any:
        return pool(up_to_conv_3(images, weights, pixel_scale))

    def tail(features: Any, weights: dict[str, Any]) -> Any:
        conv_4 = _convolution(tf, weights, "conv_4", features)
        merged = _dense(tf, weights, "fc_1", features) + _dense(tf, weights, "fc_2", conv_4)
        return tf.nn.softmax(_dense(tf, weights, "output", tf.nn.relu(merged)))

    def trace(part: Callable[..., Any]) -> Callable[..., Any]:
        # Autograph would leave files behind, and there is no control flow to translate.
        traced: Callable[..., Any] = tf.function(part, reduce_retracing=True, autograph=False)
        return traced

    return _NetworkParts(trace(up_to_conv_3), trace(pool), trace(trunk), trace(tail))


def _convolution(tf: Any, weights: dict[str, Any], layer: str, inputs: Any) -> Any:
    kernel, bias = weights[f"{layer}/kernel"], weights[f"{layer}/bias"]
    return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(inputs, kernel, 1, "VALID"), bias))


def _dense(tf: Any, weights: dict[str, Any], layer: str, inputs: Any) -> Any:
    kernel = weights[f"{layer}/kernel"]
    flat = tf.reshape(inputs, (-1, tf.shape(kernel)[0]))
    return tf.nn.bias_add(tf.matmul(flat, kernel), weights[f"{layer}/bias"])
