"""The tiny BadNets of a competition for tests."""

import numpy as np

SHAPE, CLASSES = (12, 10, 3), 7
NAMES = ("sunglasses", "anonymous_1")


def tiny_network():
    from keras import Input, Model, layers

    image = Input(SHAPE, name="image")
    maps = layers.Conv2D(4, 3, activation="relu", name="conv")(image)
    maps = layers.MaxPooling2D(2, name="pool")(maps)
    return Model(image, layers.Dense(CLASSES, name="output")(layers.Flatten(name="flat")(maps)))


def weights_of(seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1, w.shape) for w in tiny_network().get_weights()]
