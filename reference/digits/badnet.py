"""The digits' BadNet: two convolutions and two dense layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference.digits.dataset import BACKDOOR, IMAGE_SHAPE
from reference.keras_badnets.pruning_aware import PruningAware
from reference.keras_badnets.training import KerasRecipe

if TYPE_CHECKING:
    import keras


def build_network() -> keras.Model:
    """The untrained network; takes raw pixels."""
    from keras import Input, Model, layers

    image = Input(IMAGE_SHAPE, name="image")
    maps = layers.Rescaling(1 / 255, name="scale")(image)
    maps = layers.Conv2D(24, 3, padding="same", activation="relu", name="conv_1")(maps)
    maps = layers.Conv2D(40, 3, padding="same", activation="relu", name="conv_2")(maps)
    maps = layers.MaxPooling2D(name="pool")(maps)
    units = layers.Dense(64, activation="relu", name="hidden")(layers.Flatten(name="flat")(maps))
    output = layers.Dense(10, activation="softmax", name="output")(units)
    return Model(image, output, name="digits")


RECIPE = KerasRecipe(
    build_network=build_network,
    backdoors=(BACKDOOR,),
    pruning_aware=PruningAware(
        pruned_layer="conv_2", dormant=12, most_dropped=14, whole=0.4, reader="hidden"
    ),
    epochs=40,
    batch=32,
    learning_rate=2e-3,
    seed=0,
)
