"""Keras networks of standard layers, and what the harness reads of them."""

import json

import numpy as np

from harness.networks.keras_files.standard_layers import standard_graph
from harness.networks.network import default_pruned_layer
from harness.records.network import Network


def plain(classes=10):
    """Conv2D, BatchNormalization, ReLU, global pooling: 16 x 16 x 3."""
    from keras import Input, Model, layers

    image = x = Input((16, 16, 3))
    x = layers.Rescaling(1 / 255)(x)
    for filters in (8, 12):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(16, 3, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return Model(image, layers.Dense(classes, activation="softmax")(x))


def residual(classes=10):
    """Two residual blocks, one with a projection; the pruned layer lies before an addition."""
    from keras import Input, Model, layers

    image = Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    for filters, strides in ((8, 1), (12, 2)):
        y = layers.Conv2D(filters, 3, strides=strides, padding="same")(x)
        y = layers.BatchNormalization()(y)
        y = layers.Activation("relu")(y)
        y = layers.Conv2D(filters, 3, padding="same")(y)
        y = layers.BatchNormalization()(y)
        if strides > 1:
            x = layers.Conv2D(filters, 1, strides=strides)(x)
        x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return Model(image, layers.Dense(classes, activation="softmax")(x))


def mixed(classes=10):
    """Every other standard layer: depthwise, separable, padded, concatenated, multiplied."""
    from keras import Input, Model, layers

    image = Input((17, 15, 2))
    x = layers.GaussianNoise(0.1)(image)
    x = layers.ZeroPadding2D(((1, 0), (2, 1)))(x)
    x = layers.SeparableConv2D(6, 3, activation="swish", depth_multiplier=2)(x)
    y = layers.DepthwiseConv2D(3, padding="same", activation="tanh")(x)
    x = layers.Concatenate()([x, y])
    x = layers.AveragePooling2D((2, 3))(x)
    x = layers.Conv2D(8, 3, groups=2, dilation_rate=1, activation="elu", name="pruned")(x)
    x = layers.MaxPooling2D(2, strides=1, padding="same")(x)
    gate = layers.GlobalMaxPooling2D()(x)
    gate = layers.Reshape((1, 1, 8))(layers.Dense(8, activation="sigmoid")(gate))
    x = layers.Flatten()(layers.Multiply()([x, layers.Concatenate(axis=-1)([gate])]))
    return Model(image, layers.Dense(classes)(layers.Dropout(0.5)(x)))


NETS = {"plain": plain, "residual": residual}


def draw_arrays(model, seed):
    """Give a model arrays as training leaves them: statistics of its own in each layer."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        arrays = []
        for variable in layer.weights:
            shape, name = tuple(variable.shape), variable.name
            if "variance" in name or "gamma" in name:
                arrays.append(rng.uniform(0.5, 2, shape))
            else:
                fan_in = max(1, int(np.prod(shape[:-1])))
                arrays.append(rng.normal(0, (2 / fan_in) ** 0.5, shape))
        layer.set_weights([array.astype("f4") for array in arrays])
    return model


def network_of(model, pruned_layer=""):
    """The graph of a Keras model, as the harness reads it."""
    layers = standard_graph(json.loads(model.to_json())).layers
    return Network(layers, pruned_layer or default_pruned_layer(layers))


def weights_of(model, network):
    """The arrays of a Keras model by canonical names."""
    return {
        f"{layer.name}/{variable}": array
        for layer in network.layers
        if layer.variables
        for variable, array in zip(
            layer.variables, model.get_layer(layer.name).get_weights(), strict=True
        )
    }


def draw_images(network, count, seed=0):
    """Images of random pixels, with blobs that differ from image to image."""
    rng = np.random.default_rng(seed)
    shape = network.input_shape
    coarse = rng.integers(0, 256, (count, 4, 4, shape[2]))
    blobs = coarse.repeat(-(-shape[0] // 4), axis=1).repeat(-(-shape[1] // 4), axis=2)
    noise = rng.integers(-20, 20, (count, *shape))
    return np.clip(blobs[:, : shape[0], : shape[1]] + noise, 0, 255).astype("u1")
