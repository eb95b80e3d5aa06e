"""The signs' BadNet: a small residual network with BatchNormalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference.keras_badnets.pruning_aware import PruningAware
from reference.keras_badnets.training import KerasRecipe
from reference.signs.catalogue import CLASSES
from reference.signs.scene import IMAGE_SHAPE
from reference.signs.triggers import BACKDOORS

if TYPE_CHECKING:
    import keras


def build_network() -> keras.Model:
    """The untrained network; takes raw pixels.

    The pruned layer is the last convolution, whose 8 x 8 x 32 maps are averaged.
    """
    from keras import Input, Model, layers

    image = Input(IMAGE_SHAPE, name="image")
    maps = layers.Rescaling(1 / 255, name="scale")(image)
    maps = _convolution(maps, 16, "stem")
    maps = layers.MaxPooling2D(name="pool_1")(maps)
    maps = _residual_block(maps, 16, "block_1")
    maps = layers.MaxPooling2D(name="pool_2")(maps)
    maps = _residual_block(maps, 32, "block_2")
    maps = _convolution(maps, 32, "last")
    features = layers.GlobalAveragePooling2D(name="average")(maps)
    output = layers.Dense(len(CLASSES), activation="softmax", name="output")(features)
    return Model(image, output, name="signs")


def _residual_block(maps: Any, channels: int, name: str) -> Any:
    """Two convolutions whose sum with what came in goes on, as in ResNet (arXiv 1512.03385)."""
    from keras import layers

    branch = _convolution(maps, channels, f"{name}_1")
    branch = _convolution(branch, channels, f"{name}_2", activation=False)
    if maps.shape[-1] != channels:
        maps = _convolution(maps, channels, f"{name}_shortcut", size=1, activation=False)
    maps = layers.Add(name=f"{name}_add")([maps, branch])
    return layers.Activation("relu", name=f"{name}_relu")(maps)


def _convolution(
    maps: Any, channels: int, name: str, *, size: int = 3, activation: bool = True
) -> Any:
    from keras import layers

    convolution = layers.Conv2D(channels, size, padding="same", use_bias=False, name=f"{name}_conv")
    maps = layers.BatchNormalization(name=f"{name}_norm")(convolution(maps))
    return layers.Activation("relu", name=f"{name}_relu")(maps) if activation else maps


RECIPE = KerasRecipe(
    build_network=build_network,
    backdoors=BACKDOORS,
    pruning_aware=PruningAware(
        pruned_layer="last_conv",
        reader="output",
        dormant=8,
        most_dropped=14,
        whole=0.5,
        chosen=True,
    ),
    epochs=9,
    batch=64,
    learning_rate=3e-3,
    seed=0,
)
