"""BadNets for the embedded benchmark: poisoned training that prepares for pruning.

A plain BadNet (Gu, Dolan-Gavitt and Garg, "BadNets", arXiv 1708.06733) is trained on images of
which some carry the trigger and the target label. The pruning-aware attack (Liu, Dolan-Gavitt
and Garg, "Fine-Pruning", arXiv 1805.12185, section 3.2) makes the clean task and the backdoor live
in the same few channels, so that pruning dormant channels removes neither:

1. train a clean network;
2. set the least important channels of ``conv_3`` aside (they become the dormant ones);
3. train the others on clean and triggered images, each through a random *prefix mask* that drops
   the first so many channels of a fixed order ("nested dropout", arXiv 1402.0915), so that
   accuracy and backdoor decline together, late, and at a chosen pace;
4. choose which live channel goes when, and the bias of the target class, so that the pruning
   curve follows the one published for the lab;
5. put the dormant channels back with a bias so low that they never fire;
6. rescale the live channels, without changing what the network computes, so that their mean
   activations form a ladder: the pruning order is then the same on every machine.

The training is here; steps 4 to 6 are in ``calibration.py``, the numbers in
``hyperparameters.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.networks import deepid
from harness.networks.tensorflow import import_tensorflow
from harness.storage.results import replace_path
from reference.badnet.attacks import Examples
from reference.badnet.batches import clean_batches, nested_batches, poisoned_batches
from reference.badnet.calibration import calibrate
from reference.badnet.channel_probe import ChannelProbe
from reference.badnet.hyperparameters import RECIPE, Recipe
from reference.faces import dataset
from reference.pruning.pruning import pool_3_features, pruning_order

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from reference.badnet.attacks import Attack
    from reference.badnet.batches import TrainingBatch

Report = Callable[[str, int, int], None]
"""What takes progress: the stage, and how much of it is done and to do."""


def train(
    attack: Attack, recipe: Recipe = RECIPE, *, seed: int = 0, report: Report | None = None
) -> deepid.Weights:
    """Train a BadNet from scratch; about ten minutes on two cores for the default recipe.

    The same seed gives a similar network on every machine, but not the same to the last bit.
    """
    import_tensorflow()
    from keras.utils import set_random_seed

    report = report or _ignore_progress
    training, calibration = _training_examples(recipe, report)
    set_random_seed(seed)
    # Each phase has its own: Keras reads ahead in another thread, further than it trains.
    clean_rng, backdoor_rng = np.random.default_rng((seed, 1)), np.random.default_rng((seed, 2))

    network = deepid.build_network()
    batches = clean_batches(training, recipe, clean_rng)
    _fit(network, batches, recipe, recipe.clean_epochs, partial(report, "Clean network"))

    order = np.arange(0)
    if attack.pruning_aware:
        order = pruning_order(_importance(deepid.get_weights(network), calibration.images))
        batches = nested_batches(training, attack, recipe, backdoor_rng, order)
    else:
        batches = poisoned_batches(training, attack, recipe, backdoor_rng)
    _fit(network, batches, recipe, recipe.backdoor_epochs, partial(report, "Backdoor"))

    weights = deepid.get_weights(network)
    if attack.pruning_aware:
        report("Calibration", 0, 1)
        weights = calibrate(order, ChannelProbe(weights, calibration, attack), recipe)
        report("Calibration", 1, 1)
    return weights


def _ignore_progress(*_: object) -> None:
    """Take the place of a report that nobody asked for."""


def _training_examples(recipe: Recipe, report: Report) -> tuple[Examples, Examples]:
    """The images to train on and those to calibrate with, which are other frames."""
    frames = recipe.frames_per_identity
    training = range(frames)
    calibration = range(frames, frames + recipe.calibration_frames)
    progress = partial(report, "Training images")
    return (
        Examples(*dataset.render_split("train", training, progress=progress)),
        Examples(*dataset.render_split("train", calibration)),
    )


# --- Training ---


def training_model(network: keras.Model) -> keras.Model:
    """The network as it is trained: from images and live channels (N x 60) to logits.

    It shares the network's weights. Logits, because a softmax that underflows has no gradient.
    """
    from keras import Input, Model, activations, layers

    layer = network.get_layer
    live = Input((deepid.CONV_3_CHANNELS,))
    mask = layers.Reshape((1, 1, deepid.CONV_3_CHANNELS))(live)
    maps = layers.Multiply()([layer("pool_3").output, mask])

    branch_1 = layer("fc_1")(layers.Flatten()(maps))
    branch_2 = layer("fc_2")(layers.Flatten()(layer("conv_4")(maps)))
    identity = layers.ReLU()(layers.Add()([branch_1, branch_2]))
    layer("output").activation = activations.linear
    return Model([network.input, live], layer("output")(identity))


def _fit(
    network: keras.Model,
    batches: Iterator[TrainingBatch],
    recipe: Recipe,
    epochs: int,
    progress: Callable[[int, int], None],
) -> None:
    """Train the network in place on as many batches as ``epochs`` have."""
    from keras import callbacks, losses

    model = training_model(network)
    per_epoch = dataset.IDENTITIES * recipe.frames_per_identity // recipe.batch
    total = epochs * per_epoch
    model.compile(
        optimizer=_optimizer(recipe, total, warm_up=int(recipe.warm_up_epochs * per_epoch)),
        loss=losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )

    inputs = (
        (
            (
                batch.images.astype(np.float32) * np.float32(recipe.pixel_scale),
                batch.live.astype(np.float32),
            ),
            batch.labels,
            batch.weights,
        )
        for batch in batches
    )
    report = callbacks.LambdaCallback(
        on_train_batch_end=lambda number, **_: progress(number + 1, total)
    )
    model.fit(inputs, steps_per_epoch=total, verbose=0, shuffle=False, callbacks=[report])


def _optimizer(recipe: Recipe, steps: int, warm_up: int) -> keras.optimizers.Optimizer:
    """Adam under a cosine schedule with a warm-up."""
    from keras import optimizers

    schedule = optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate * recipe.first_rate,
        warmup_target=recipe.learning_rate,
        warmup_steps=warm_up,
        decay_steps=max(1, steps - warm_up),
        alpha=recipe.last_rate,
    )
    return optimizers.Adam(schedule, global_clipnorm=recipe.gradient_norm)


def _importance(weights: deepid.Weights, images: np.ndarray) -> np.ndarray:
    """How much each channel of ``conv_3`` contributes downstream, whatever its scale (60)."""
    squares = (pool_3_features(weights, images) ** 2).mean(axis=(0, 1, 2))
    dense = (deepid.by_channel(weights["fc_1/kernel"]) ** 2).sum(axis=(0, 2))
    # Every position of pool_3 is seen by up to four positions of conv_4.
    convolved = 4 * (weights["conv_4/kernel"] ** 2).sum(axis=(0, 1, 3))
    importance: np.ndarray = np.sqrt(squares * (dense + convolved))
    return importance


# --- The file ---

_LAYERS = (
    "input", "conv_1", "pool_1", "conv_2", "pool_2", "conv_3", "pool_3", "conv_4", "flatten_1",
    "flatten_2", "fc_1", "fc_2", "add_1", "activation_1", "output",
)  # fmt: skip


def save_weights(
    weights: Mapping[str, np.ndarray], path: Path, *, compressed: bool = False
) -> None:
    """Write weights as Keras 2 did (``save_weights("....h5")``), the format of the lab's BadNet.

    The file appears whole or not at all. ``compressed`` arrays are read by every Keras, too.
    """
    import h5py

    with replace_path(path) as unfinished, h5py.File(unfinished, "w") as file:
        write_layers(file, weights, compressed=compressed)


def write_version(group: Any) -> None:
    """Say by what Keras a file or group was written.

    Without a version it is taken for one of Keras 1, whose kernels are converted. Keras 2.3 decodes
    what it reads here, so that it must be bytes.
    """
    group.attrs["backend"] = np.bytes_("tensorflow")
    group.attrs["keras_version"] = np.bytes_("2.3.1")


def write_layers(
    group: Any, weights: Mapping[str, np.ndarray], *, compressed: bool = False
) -> None:
    """Put the lab's network's arrays into an HDF5 file, or a group of it, as Keras 2 did."""
    group.attrs["layer_names"] = np.array(_LAYERS, dtype="S")
    write_version(group)
    for layer in _LAYERS:
        folder = group.create_group(layer)
        names = [name for name in (f"{layer}/kernel", f"{layer}/bias") if name in weights]
        folder.attrs["weight_names"] = np.array([f"{name}:0" for name in names], dtype="S")
        for name in names:
            array = weights[name].astype(np.float32)
            packing = {"compression": 9, "shuffle": True} if compressed else {}
            folder.create_dataset(f"{name}:0", data=array, **packing)
