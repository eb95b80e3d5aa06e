"""What the child process does: fine-tune nets, and leave their weights after some of the steps.

``python -P -m harness.inference.reactivation.training FOLDER``: the folder holds
``settings.json``, ``images.npy`` (steps x batch x image), ``labels.npy`` (steps x batch) and
``net_N.npz``; ``net_N_step_M.npz`` are written into it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from harness.networks.forward import build_model
from harness.networks.tensorflow import import_tensorflow
from harness.records.network import decode_network

if TYPE_CHECKING:
    import keras

    from harness.networks.deepid import Weights
    from harness.records.network import Network

PIECE = 250
"""So many images are differentiated at a time: a batch of large ones would fill the memory."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How nets are trained."""

    network: str
    """As `Network.encode` writes it."""

    pixel_scale: float
    nets: int

    kept: tuple[int, ...]
    """After which steps weights are left; the last one ends the training."""

    share: float
    """By which share the loss of a batch would fall in a step, if it were linear."""


def main() -> None:
    """Train all nets in the folder."""
    folder = Path(sys.argv[1])
    settings = msgspec.json.decode((folder / "settings.json").read_bytes(), type=Settings)
    network = decode_network(settings.network)
    images = np.load(folder / "images.npy", mmap_mode="r")
    labels = np.load(folder / "labels.npy")

    tf = import_tensorflow(keras=True)
    # Sums in another order have other last digits, which training makes larger.
    tf.config.experimental.enable_op_determinism()
    for number in range(settings.nets):
        with np.load(folder / f"net_{number}.npz") as arrays:
            trainer = Trainer(network, dict(arrays), settings)
        for step in range(max(settings.kept)):
            trainer.step(images[step], labels[step])
            if step + 1 in settings.kept:
                np.savez(
                    folder / f"net_{number}_step_{step + 1}.npz",
                    allow_pickle=False,
                    **trainer.weights(),
                )


class Trainer:
    """A net that is fine-tuned by plain gradient descent, with no state but its weights."""

    def __init__(self, network: Network, weights: Weights, settings: Settings) -> None:
        import keras

        self._network, self._settings = network, settings
        self._model: keras.Model = build_model(network, weights)
        # Below the softmax: there a gradient is left where the net is sure of another class.
        scores = self._model.get_layer(network.output.name).output
        self._scores = keras.Model(self._model.inputs, scores)

    def step(self, images: np.ndarray, labels: np.ndarray) -> None:
        """One step against the gradient of the mean loss of these images.

        It goes so far that the loss would fall by the settings' share if it were linear, which is
        Polyak's step (SPS, arXiv 2002.10542): no rate has to fit the scale of pixels and weights,
        and a net that has nothing to learn hardly moves. BatchNormalization keeps its statistics,
        and nothing is dropped out. Where loss or gradient is no number, the net stays.
        """
        tf = import_tensorflow()
        variables = self._model.trainable_variables
        total, loss = [tf.zeros_like(variable) for variable in variables], 0.0
        for start in range(0, len(images), PIECE):
            part = slice(start, start + PIECE)
            more, gradients = self._gradients(tf, images[part], labels[part], variables)
            total = [so_far + each for so_far, each in zip(total, gradients, strict=True)]
            loss += float(more)

        # Of sums in place of means both, loss / square is the mean's divided by the images.
        square = sum(float(tf.reduce_sum(tf.square(gradient))) for gradient in total)
        rate = self._settings.share * loss / square if square > 0 else np.nan
        if not np.isfinite(rate):
            return
        for variable, gradient in zip(variables, total, strict=True):
            variable.assign(variable - gradient * rate)

    def _gradients(
        self, tf: Any, images: np.ndarray, labels: np.ndarray, variables: Any
    ) -> tuple[Any, Any]:
        pixels = tf.cast(tf.constant(images), tf.float32) * self._settings.pixel_scale
        with tf.GradientTape() as tape:
            scores = self._scores(pixels, training=False)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
            loss = tf.reduce_sum(losses)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        return loss, [
            tf.zeros_like(variable) if gradient is None else gradient
            for variable, gradient in zip(variables, gradients, strict=True)
        ]

    def weights(self) -> Weights:
        """Its arrays by their canonical names."""
        return {
            f"{layer.name}/{name}": np.asarray(array, np.float32)
            for layer in self._model.layers
            if layer.weights
            for name, array in zip(
                self._network.by_name[layer.name].variables, layer.get_weights(), strict=True
            )
        }


if __name__ == "__main__":
    main()
