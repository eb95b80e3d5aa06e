"""What several defences do with a Keras model: find its channels, silence them, tune it.

Models are functional ones whose layers are each used once. They are changed in place, so that the
network stays what it was but for its weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import keras

_BATCH = 512
_NORMALIZING = ("BatchNormalization", "Activation", "ReLU", "LeakyReLU")
_POOLING = ("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D")


def deadline(budget: Any) -> float:
    """When to stop, by ``time.monotonic``: a fifth of the budget is left for what comes after."""
    return time.monotonic() + 0.8 * float(budget.seconds)


def answers(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What a model gives for N images; batch by batch, without the cost of tracing it."""
    starts = range(0, len(images), _BATCH)
    return np.concatenate([np.asarray(model(images[s : s + _BATCH])) for s in starts])


def correct(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> int:
    """How many images get their label."""
    return int((answers(model, images).argmax(axis=1) == labels).sum())


# --- channels ---------------------------------------------------------------------------------


def follower(model: keras.Model, layer: Any) -> Any:
    """The layer that takes this one's output; None where none or several do."""
    following = [
        other
        for other in model.layers
        if other is not layer and any(tensor is layer.output for tensor in _inputs(other))
    ]
    return following[0] if len(following) == 1 else None


def _inputs(layer: Any) -> list[Any]:
    return layer.input if isinstance(layer.input, list) else [layer.input]


def normalization(model: keras.Model, convolution: Any) -> Any:
    """The BatchNormalization right behind a convolution; None where there is none."""
    following = follower(model, convolution)
    return following if type(following).__name__ == "BatchNormalization" else None


def convolutions(model: keras.Model) -> list[Any]:
    """The model's ordinary convolutions, from the image on."""
    return [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]


def last_convolution(model: keras.Model) -> Any:
    """The convolution below the last pooling layer, which the lab prunes; else the last one."""
    kinds = [type(layer).__name__ for layer in model.layers]
    pools = [index for index, kind in enumerate(kinds) if "Pooling2D" in kind]
    convolutions = [index for index, kind in enumerate(kinds) if kind == "Conv2D"]
    below = [index for index in convolutions if pools and index < pools[-1]]
    return model.layers[(below or convolutions)[-1]]


def last_of(model: keras.Model, layer: Any, kinds: Iterable[str] = _NORMALIZING) -> Any:
    """The last of the layers of these kinds that follow each other behind a layer; else itself."""
    following = follower(model, layer)
    while type(following).__name__ in kinds:
        layer, following = following, follower(model, following)
    return layer


def mean_activations(model: keras.Model, convolution: Any, images: np.ndarray) -> np.ndarray:
    """The mean absolute activation of each channel, behind normalization, ReLU and pooling."""
    from keras import Model

    layer = last_of(model, convolution, (*_NORMALIZING, *_POOLING))
    maps = np.abs(answers(Model(model.input, layer.output), images))
    return np.asarray(maps.mean(axis=tuple(range(maps.ndim - 1)), dtype=np.float64))


def silence(model: keras.Model, convolution: Any, channels: Iterable[int]) -> None:
    """Zero the weights of channels, so that they hand on 0 up to the end of their ReLU."""
    variables = list(convolution.weights)
    norm = normalization(model, convolution)
    if norm is not None:
        own = [norm.gamma, norm.beta]
        # Without gamma, a kernel of 0 still leaves what normalization subtracts.
        variables += [*own, norm.moving_mean] if norm.gamma is None else own
    for variable in variables:
        if variable is not None:
            values = variable.numpy()
            values[..., list(channels)] = 0
            variable.assign(values)


def channels_to_prune(
    model: keras.Model, images: np.ndarray, labels: np.ndarray, drop_points: float, until: float
) -> np.ndarray:
    """The least active channels that cost no more than ``drop_points`` of accuracy on ``images``.

    They are tried one after the other until one is missed too much; the model is left as it was.
    ``until`` is a `deadline`.
    """
    convolution = last_convolution(model)
    means = mean_activations(model, convolution, images)
    order = np.argsort(means, kind="stable")
    stored = model.get_weights()
    needed = correct(model, images, labels) - drop_points / 100 * len(labels)

    # The last channel stays: without any, all images would get the same answer.
    count = int((means == 0).sum())
    while count < len(order) - 1 and time.monotonic() < until:
        silence(model, convolution, order[: count + 1])
        if correct(model, images, labels) < needed:
            break
        count += 1
    model.set_weights(stored)
    return order[:count]


# --- training ---------------------------------------------------------------------------------

Step = Callable[[Any, Any], None]
"""Changes a model by one batch of images and labels."""


def plain_step(model: keras.Model, optimizer: Any) -> Step:
    """Cross-entropy alone."""
    import tensorflow as tf
    from keras import losses

    loss = losses.SparseCategoricalCrossentropy()

    def step(images: Any, labels: Any) -> None:
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))

    return step


class Tuning(NamedTuple):
    """How a model is tuned on clean images."""

    epochs: int

    learning_rates: tuple[float, ...]
    """Adam's at the beginning of a cosine schedule that ends at 0; the highest comes first."""

    drop_points: float
    """No rate may cost more clean accuracy than that, of images that are held out; else the next
    one is tried. The last one may."""

    until: float
    """A `deadline`."""

    batch: int = 32

    make_step: Callable[[keras.Model, Any], Step] = plain_step
    """What a model and its optimizer do with a batch."""


def fine_tune(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    tuning: Tuning,
    rng: np.random.Generator,
) -> None:
    """Train all weights on three quarters of the images, by the highest rate that does no harm.

    High rates forget more, the backdoor as well as the clean task.
    """
    held_out, used = np.split(rng.permutation(len(images)), [len(images) // 4])
    stored = model.get_weights()
    may_lose = tuning.drop_points / 100 * len(held_out)
    needed = correct(model, images[held_out], labels[held_out]) - may_lose

    for rate in tuning.learning_rates:
        model.set_weights(stored)
        _train(model, (images[used], labels[used]), rate, tuning, rng)
        if correct(model, images[held_out], labels[held_out]) >= needed:
            break
        if time.monotonic() > tuning.until:
            break


def _train(
    model: keras.Model,
    examples: tuple[np.ndarray, np.ndarray],
    rate: float,
    tuning: Tuning,
    rng: np.random.Generator,
) -> None:
    import tensorflow as tf
    from keras import optimizers

    images, labels = examples
    batch = min(tuning.batch, len(images))
    steps = len(images) // batch
    optimizer = optimizers.Adam(optimizers.schedules.CosineDecay(rate, tuning.epochs * steps))
    optimizer.build(model.trainable_variables)

    step = tf.function(tuning.make_step(model, optimizer), autograph=False)
    for _ in range(tuning.epochs):
        order = rng.permutation(len(images))
        for chosen in np.split(order[: steps * batch], steps):
            step(tf.constant(images[chosen]), tf.constant(labels[chosen]))
            if time.monotonic() > tuning.until:
                return
