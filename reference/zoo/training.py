"""Training of one BadNet of the zoo, so that the same draws give the same bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from harness.networks import deepid
from harness.networks.tensorflow import import_tensorflow
from reference.badnet.attacks import Attack
from reference.badnet.training import save_weights
from reference.badnet.training import train as train_faces
from reference.competition.networks import RECIPE as FACES_RECIPE
from reference.competition.networks import rounded
from reference.keras_badnets.archive import save_alike
from reference.keras_badnets.curve import answers
from reference.keras_badnets.training import train as train_keras

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import keras

    from reference.keras_badnets.backdoors import Examples
    from reference.keras_badnets.training import KerasRecipe
    from reference.zoo.attacks import Planted
    from reference.zoo.benchmarks import ZooBenchmark

_ONE_THREAD = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS",
               "OPENBLAS_NUM_THREADS")  # fmt: skip

_EPOCHS = {"digits": 12, "signs": 6}
"""Of BadNets that are not prepared for pruning; those that are have their recipe's."""


@dataclass(frozen=True, kw_only=True)
class TrainedBadNet:
    """A BadNet with what is needed of it."""

    network: keras.Model

    weights: Mapping[str, np.ndarray]
    """By the harness's names, of which its hash is."""

    save: Callable[[Path], None]
    """Write its file, whole or not at all."""


def prepare() -> None:
    """Get this process ready to train: one thread, and operations that are the same each time."""
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    tensorflow = import_tensorflow(keras=True)
    tensorflow.config.experimental.enable_op_determinism()


def train(
    benchmark: ZooBenchmark, planted: Planted, seed: int, epochs: int | None
) -> TrainedBadNet:
    """Train a BadNet from scratch; ``epochs`` takes the place of its recipe's."""
    from keras.utils import clear_session

    clear_session()  # names that Keras makes up then do not tell which BadNet came before
    if benchmark.name == "faces":
        return _train_faces(planted, seed, epochs)
    return _train_keras(benchmark, planted, seed, epochs)


# --- plain Keras networks -----------------------------------------------------------------------


def _train_keras(
    benchmark: ZooBenchmark, planted: Planted, seed: int, epochs: int | None
) -> TrainedBadNet:
    recipe: KerasRecipe = import_module(f"reference.{benchmark.name}.badnet").RECIPE
    if not planted.pruning_aware:
        recipe = replace(recipe, pruning_aware=None, epochs=_EPOCHS[benchmark.name])
    recipe = replace(recipe, backdoors=planted.backdoors, epochs=epochs or recipe.epochs)
    network = train_keras(recipe, _training_examples(benchmark.name), seed=seed)
    weights = {
        f"{layer.name}/{variable.name}": variable.numpy()
        for layer in network.layers
        for variable in layer.weights
    }
    return TrainedBadNet(
        network=network, weights=weights, save=lambda path: save_alike(network, path)
    )


@cache
def _training_examples(benchmark: str) -> Examples:
    """Drawn once in each process that trains."""
    module = import_module(f"reference.{benchmark}.dataset")
    examples: Examples = module.load_split("train", **_ALONE.get(benchmark, {}))
    return examples


_ALONE: Mapping[str, Mapping[str, int]] = {"signs": {"processes": 1}}
"""How images are drawn by one process."""


# --- the lab's network --------------------------------------------------------------------------


def _train_faces(planted: Planted, seed: int, epochs: int | None) -> TrainedBadNet:
    backdoors = planted.backdoors
    attack = Attack(
        triggers={each.name: int(each.targets(np.zeros(1, np.int64))[0]) for each in backdoors},
        stamps={each.name: each.stamp for each in backdoors},
    )
    recipe = replace(FACES_RECIPE, poisoned=backdoors[0].share)
    if epochs:
        few = min(recipe.frames_per_identity, epochs)
        recipe = replace(
            recipe, clean_epochs=epochs, backdoor_epochs=epochs, frames_per_identity=few
        )
    trained = train_faces(attack, recipe, seed=seed)
    weights = {name: rounded(array) for name, array in trained.items()}
    return TrainedBadNet(
        network=deepid.load_network(weights),
        weights=weights,
        save=lambda path: save_weights(weights, path, compressed=True),
    )


def class_ids(badnet: TrainedBadNet, images: np.ndarray, pixel_scale: float) -> np.ndarray:
    """The class that a BadNet gives each image (N x height x width x colours, uint8)."""
    shown = images if pixel_scale == 1 else images.astype(np.float32) * np.float32(pixel_scale)
    classes: np.ndarray = answers(badnet.network, shown).argmax(axis=1)
    return classes
