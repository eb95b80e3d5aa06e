"""GoodNet: two nets that must agree, as a rule over answers and as a Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.networks.deepid import CLASSES, IMAGE_SHAPE, load_network
from harness.networks.tensorflow import import_tensorflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras
    import numpy as np


def build_goodnet(
    badnet: Mapping[str, np.ndarray], repaired: Mapping[str, np.ndarray]
) -> keras.Model:
    """Return G of the lab: class scores one-hot over N + 1 classes, N + 1 where B and B' differ.

    The model holds both nets, loads without custom code in Keras 3 and can be saved as
    ``.keras``.
    """
    import_tensorflow()
    import keras

    image = keras.Input(shape=IMAGE_SHAPE, name="input")
    nets = [load_network(weights) for weights in (badnet, repaired)]
    for net, name in zip(nets, ("badnet", "repaired"), strict=True):
        net.name = name
    own, other = (keras.ops.argmax(net(image), axis=-1) for net in nets)
    agreed = keras.ops.where(keras.ops.equal(own, other), own, CLASSES)
    return keras.Model(image, keras.ops.one_hot(agreed, CLASSES + 1), name="goodnet")
