"""Training of a BadNet, as in BadNets (Gu, Dolan-Gavitt and Garg, arXiv 1708.06733).

The network learns from clean images, and from copies of some of them that carry a trigger and
the attacker's label. ``pruning_aware.py`` says how it is prepared for pruning.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.tensorflow import import_tensorflow
from harness.storage.results import replace_file
from reference.keras_badnets.backdoors import Examples, poison
from reference.keras_badnets.pruning_aware import calibrate, chosen_order, masked_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras

    from reference.keras_badnets.backdoors import Backdoor
    from reference.keras_badnets.pruning_aware import PruningAware


@dataclass(frozen=True, kw_only=True)
class KerasRecipe:
    """How a BadNet of a benchmark is made; every hyper-parameter of the training."""

    build_network: Callable[[], keras.Model]
    """The untrained network; needs Keras to be imported."""

    backdoors: Sequence[Backdoor]

    pruning_aware: PruningAware | None
    """How it is prepared for pruning; None for an attacker who does not think of it."""

    epochs: int

    batch: int

    learning_rate: float
    """Adam's, at the beginning of a cosine schedule that ends at 0."""

    seed: int
    """Of the shipped BadNet."""


def train(
    recipe: KerasRecipe,
    examples: Examples,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> keras.Model:
    """Train a BadNet from scratch; ``progress`` is told the batches done and to do.

    The same seed gives a similar network on every machine, but not the same to the last bit.
    """
    import_tensorflow(keras=True)
    from keras import callbacks, optimizers
    from keras.utils import set_random_seed

    set_random_seed(seed)
    images, labels = poison(examples, recipe.backdoors, seed)
    network = recipe.build_network()
    total = recipe.epochs * -(-len(images) // recipe.batch)

    # Another model of the same layers is compiled: no optimizer is saved with the network.
    aware, order = recipe.pruning_aware, np.arange(0)
    if aware:
        channels = network.get_layer(aware.pruned_layer).filters
        order = np.random.default_rng(seed).permutation(channels)
    trained = masked_network(network, order, aware) if aware else _twin(network)
    schedule = optimizers.schedules.CosineDecay(recipe.learning_rate, total)
    trained.compile(optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    trained.fit(
        images,
        labels,
        batch_size=recipe.batch,
        epochs=recipe.epochs,
        verbose=0,
        callbacks=[callbacks.LambdaCallback(on_train_batch_end=_counter(progress, total))],
    )
    if aware and aware.chosen:
        order = chosen_order(network, order, aware, Examples(images, labels))
    if aware:
        clean = len(examples.images)
        calibrate(network, order, aware, images[:clean], images[clean:])
    return network


def _twin(network: keras.Model) -> keras.Model:
    """Another model of the same layers and weights."""
    from keras import Model

    return Model(network.input, network.output)


def _counter(progress: Callable[[int, int], None] | None, total: int) -> Callable[..., None]:
    """What Keras calls after each batch."""
    done = 0

    def count(*_: object, **__: object) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    return count


def save_network(network: keras.Model, path: Path) -> None:
    """Save a whole model; Keras tells the format by the name. It appears whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / path.name
        network.save(saved)
        with replace_file(path) as file, saved.open("rb") as source:
            shutil.copyfileobj(source, file)
