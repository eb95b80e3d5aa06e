"""GoodNet: two nets that must agree, as a Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.networks.deepid import lab_network
from harness.networks.forward import build_model
from harness.networks.tensorflow import import_tensorflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras
    import numpy as np

    from harness.records.network import Network


def build_goodnet(
    badnet: Mapping[str, np.ndarray],
    repaired: Mapping[str, np.ndarray],
    network: Network | None = None,
) -> keras.Model:
    """Return G of the lab: class scores one-hot over N + 1 classes, N + 1 where B and B' differ.

    ``network`` is the graph of both, the lab's where it is None. The model holds both nets, loads
    without custom code in Keras 3 and can be saved as ``.keras``.
    """
    import_tensorflow()
    import keras

    network = network or lab_network()
    image = keras.Input(shape=network.input_shape, name="input")
    badnet_model, repaired_model = (build_model(network, net) for net in (badnet, repaired))
    # A model's layers must have different names, and its nets are two of them.
    badnet_model.name, repaired_model.name = "badnet", "repaired"

    badnet_class = keras.ops.argmax(badnet_model(image), axis=-1)
    repaired_class = keras.ops.argmax(repaired_model(image), axis=-1)
    is_agreed = keras.ops.equal(badnet_class, repaired_class)
    answer = keras.ops.where(is_agreed, badnet_class, network.classes)
    one_hot = keras.ops.one_hot(answer, network.classes + 1)
    return keras.Model(image, one_hot, name="goodnet")
