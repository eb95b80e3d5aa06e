"""The forward pass of any known network, in TensorFlow, rebuilt from its description.

The layers are Keras's own, made by code of ours, so that answers are those of the saved model.
The lab's network has a shorter way (:mod:`harness.networks.deepid`), which is taken for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.networks import deepid
from harness.networks.deepid import image_batches, lab_network
from harness.networks.network import output_shapes, widths_of
from harness.networks.tensorflow import import_tensorflow
from harness.records.network import ACTIVATION_SUFFIX, MERGING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import keras

    from harness.records.network import Layer, Network


class Batch(NamedTuple):
    """What a network makes of a batch of n images."""

    scores: np.ndarray
    """n x classes."""

    maps: dict[str, np.ndarray]
    """What the layers that were asked for hand on, by their names: n x their shape."""


def is_lab_network(network: Network) -> bool:
    """Whether this is the lab's network, whatever its number of classes."""
    return network == lab_network(network.classes)


def forward_batches(
    network: Network,
    weights: Mapping[str, np.ndarray],
    images: np.ndarray,
    pixel_scale: float = 1.0,
    layers: Sequence[str] = (),
) -> Iterator[Batch]:
    """Yield scores of ``images`` (N x rows x columns x colours) and maps of ``layers``.

    Images travel to the device as they are (uint8 stays uint8) and are cast and multiplied by
    ``pixel_scale`` there. ``weights`` may have fewer channels in the pruned layer.
    """
    if is_lab_network(network) and set(layers) <= {"pool_3", "conv_3"}:
        yield from _lab_batches(weights, images, pixel_scale, layers)
        return

    part = _part(network, weights, (network.layers[0].name,), tuple(layers))
    arrays = part.arrays(weights)
    for batch in image_batches(images):
        scores, *maps = part.run([batch], arrays, pixel_scale)
        yield Batch(scores, dict(zip(layers, maps, strict=True)))


def predictor(
    network: Network, weights: Mapping[str, np.ndarray], pixel_scale: float = 1.0
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from images to score rows with the weights already on the device."""
    if is_lab_network(network):
        return deepid.predictor(weights, pixel_scale)

    part = _part(network, weights, (network.layers[0].name,), ())
    arrays = part.arrays(weights)
    return lambda images: part.run([images], arrays, pixel_scale)[0]


def predictor_from_maps(
    network: Network, weights: Mapping[str, np.ndarray]
) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Return a function from what `Network.frontier` hands on for a batch to score rows."""
    names = network.frontier
    part = _part(network, weights, names, ())
    arrays = part.arrays(weights)
    return lambda maps: part.run([maps[name] for name in names], arrays, 1.0)[0]


def class_ids(
    network: Network,
    weights: Mapping[str, np.ndarray],
    images: np.ndarray,
    pixel_scale: float = 1.0,
) -> np.ndarray:
    """Return the argmax class of each image (N, int64)."""
    batches = forward_batches(network, weights, images, pixel_scale)
    return np.concatenate([batch.scores.argmax(axis=1) for batch in batches])


def build_model(network: Network, weights: Mapping[str, np.ndarray]) -> keras.Model:
    """Return a Keras model of a network that holds ``weights``."""
    model = _build(network, widths_of(network, weights), (network.layers[0].name,), ())
    for layer in model.layers:
        if layer.weights:
            names = network.by_name[layer.name].variables
            layer.set_weights([weights[f"{layer.name}/{name}"] for name in names])
    return model


def _lab_batches(
    weights: Mapping[str, np.ndarray],
    images: np.ndarray,
    pixel_scale: float,
    layers: Sequence[str],
) -> Iterator[Batch]:
    if "conv_3" in layers:
        for scores, *maps in deepid.forward_batches_with_conv_3(weights, images, pixel_scale):
            yield Batch(scores, dict(zip(("pool_3", "conv_3"), maps, strict=True)))
        return
    for scores, pool_3 in deepid.forward_batches(weights, images, pixel_scale):
        yield Batch(scores, {"pool_3": pool_3})


# --- parts of a network -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """A part of a network as one traced function of inputs and weights."""

    names: tuple[str, ...]
    """Its arrays, trainable ones first, as Keras lists them."""

    trainable: int
    """How many of them are trainable."""

    function: Callable[..., Any]

    def arrays(self, weights: Mapping[str, np.ndarray]) -> list[Any]:
        """Its weights on the device."""
        tf = import_tensorflow()
        return [tf.constant(weights[name]) for name in self.names]

    def run(self, inputs: list[np.ndarray], arrays: list[Any], scale: float) -> list[np.ndarray]:
        """What it hands on for one batch."""
        outputs = self.function(inputs, arrays[: self.trainable], arrays[self.trainable :], scale)
        return [output.numpy() for output in outputs]


def _part(
    network: Network,
    weights: Mapping[str, np.ndarray],
    inputs: tuple[str, ...],
    layers: tuple[str, ...],
) -> _Part:
    widths = tuple(widths_of(network, weights).items())
    return _traced_part(network, widths, inputs, layers)


@lru_cache(maxsize=32)  # one for each number of channels that is left
def _traced_part(
    network: Network,
    widths: tuple[tuple[str, int], ...],
    inputs: tuple[str, ...],
    layers: tuple[str, ...],
) -> _Part:
    """The scores, and what ``layers`` hand on, from what ``inputs`` hand on."""
    tf = import_tensorflow()
    model = _build(network, dict(widths), inputs, layers)

    def run(batches: Any, trainable: Any, others: Any, scale: Any) -> Any:
        values = [tf.cast(batch, tf.float32) * tf.cast(scale, tf.float32) for batch in batches]
        outputs, _ = model.stateless_call(trainable, others, _alone(values), training=False)
        return tf.nest.flatten(outputs)

    # Autograph would leave files behind, and there is no control flow to translate.
    traced = tf.function(run, reduce_retracing=True, autograph=False)
    names = _variable_names(network, model)
    trainable = [names[id(variable)] for variable in model.trainable_variables]
    others = [names[id(variable)] for variable in model.non_trainable_variables]
    return _Part((*trainable, *others), len(trainable), traced)


def _variable_names(network: Network, model: keras.Model) -> dict[int, str]:
    """Canonical names of a model's variables by their identity."""
    return {
        id(variable): f"{layer.name}/{name}"
        for layer in model.layers
        if layer.weights
        for variable, name in zip(layer.weights, network.by_name[layer.name].variables, strict=True)
    }


def _build(
    network: Network,
    widths: Mapping[str, int],
    inputs: tuple[str, ...],
    layers: tuple[str, ...],
) -> keras.Model:
    """A Keras model of what lies between ``inputs`` and the output."""
    import_tensorflow(keras=True)
    import keras

    shapes = output_shapes(network, widths)
    tensors: dict[str, Any] = {
        name: keras.Input(shape=shapes[name], name=f"from_{index}")
        for index, name in enumerate(inputs)
    }
    for layer in _between(network, inputs):
        sources = [tensors[name] for name in layer.inputs]
        call = _keras_layer(layer, widths)
        tensors[layer.name] = call(sources if layer.kind in MERGING else sources[0])

    outputs = [tensors[network.layers[-1].name], *(tensors[_end(network, n)] for n in layers)]
    return keras.Model(_alone([tensors[name] for name in inputs]), _alone(outputs))


def _alone(values: list[Any]) -> Any:
    """A list of one as that one, as Keras likes it."""
    return values[0] if len(values) == 1 else values


def _between(network: Network, inputs: tuple[str, ...]) -> list[Layer]:
    """The layers that are needed for the output where ``inputs`` are given."""
    needed, pending = set(inputs), [network.layers[-1].name]
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.add(name)
            pending += network.by_name[name].inputs
    return [layer for layer in network.layers if layer.name in needed - set(inputs)]


def _end(network: Network, name: str) -> str:
    """A layer's name, or that of the activation that was written inside it."""
    return next((n for n in network.readers[name] if n == f"{name}{ACTIVATION_SUFFIX}"), name)


def _keras_layer(layer: Layer, widths: Mapping[str, int]) -> Any:
    """Keras's own layer with the settings of ``layer``."""
    import keras

    settings = dict(layer.settings)
    for key in ("filters", "units"):
        if key in settings:
            settings[key] = widths[layer.name]
    return getattr(keras.layers, layer.kind)(name=layer.name, **settings)
