"""GoodNet: two nets that must agree, as a Keras model."""

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
    badnet_model, repaired_model = load_network(badnet), load_network(repaired)
    # A model's layers must have different names, and its nets are two of them.
    badnet_model.name, repaired_model.name = "badnet", "repaired"

    badnet_class = keras.ops.argmax(badnet_model(image), axis=-1)
    repaired_class = keras.ops.argmax(repaired_model(image), axis=-1)
    is_agreed = keras.ops.equal(badnet_class, repaired_class)
    answer = keras.ops.where(is_agreed, badnet_class, CLASSES)
    return keras.Model(image, keras.ops.one_hot(answer, CLASSES + 1), name="goodnet")
