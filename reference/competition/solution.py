"""The worked solution of a competition: STRIP (Gao et al., arXiv 1902.06531) as a GoodNet.

An image is blended with a few clean ones, half and half. What a BadNet makes of the blends of a
clean image varies; a trigger gives them all its target. Where the mean entropy of the answers is
below that of nearly all clean validation images, the answer is N + 1. Pruning, the lab's repair,
does nothing for these BadNets: clean accuracy is gone before the backdoor is.

Nothing but clean validation images is looked at: the triggers of some BadNets are told to nobody.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.datasets.competitions import (
    competing_badnet_file,
    load_competition,
    load_competition_sets,
)
from harness.datasets.descriptions import data_is_present, generate_data
from harness.inference.known_network import read_benchmark_badnet
from harness.networks.forward import build_model
from harness.networks.tensorflow import import_tensorflow
from harness.storage.results import replace_file, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

    from harness.records.benchmark import CompetingNetwork, Competition

BLENDS = 6
"""Clean images that each one is blended with: each costs a run of the BadNet."""

FALSE_ALARMS = 0.05
"""Share of the clean validation images that may be flagged."""

_SEED = 2020
_BATCH = 64
_LEAST = 1e-9


class SolvedNetwork(NamedTuple):
    """What was done for one BadNet."""

    name: str
    path: Path
    threshold: float
    """Mean entropy, in nats, below which an image is flagged."""


def solve(dataset: str, out: Path) -> Iterator[SolvedNetwork]:
    """Write a submission for a competition, one BadNet after another; its data at first use.

    Raises HarnessError.
    """
    competition, folder = load_competition(dataset)
    if competition.make and not data_is_present(competition, folder):
        generate_data(competition, folder)
    lines = []
    for network in competition.networks:
        solved = _solve_one(competition, network, folder, out)
        yield solved
        path = solved.path.relative_to(out).as_posix()
        lines.append(f'"{path}" = {{ role = "goodnet", network = "{network.name}" }}')
    head = f'name = "the reference"\nbadnet = "{competition.name}"\n\n[artifacts]\n'
    write_text(out / "submission.toml", head + "\n".join(lines) + "\n")


def _solve_one(
    competition: Competition, network: CompetingNetwork, folder: Path, out: Path
) -> SolvedNetwork:
    badnet = competing_badnet_file(competition, network, folder)
    valid = load_competition_sets(competition, network, folder)["valid"]
    benchmark = competition.benchmark_of(network)
    graph, weights = read_benchmark_badnet(badnet, benchmark, lambda: valid)
    import_tensorflow(keras=True)
    model = build_model(graph, weights)
    pixels = valid.images.astype(np.float32) * np.float32(competition.pixel_scale)

    chosen = np.random.default_rng(_SEED).choice(len(pixels), BLENDS, replace=False)
    strip = Strip(model, pixels[chosen])
    found = strip.entropy_model().predict(pixels, batch_size=_BATCH, verbose=0).reshape(-1)
    threshold = float(np.quantile(found, FALSE_ALARMS))
    path = out / "models" / f"goodnet_{network.name}.keras"
    _save(strip.goodnet(threshold), path)
    return SolvedNetwork(network.name, path, threshold)


class Strip:
    """A BadNet, and the images that every image is blended with.

    These (N x rows x columns x colours, as the BadNet sees them) are the bias of a layer, so that
    they are saved with a model.
    """

    def __init__(self, badnet: keras.Model, blends: np.ndarray) -> None:
        from keras import layers

        badnet.name = "badnet"
        self._badnet = badnet
        self._shape = blends.shape
        self._blends = layers.Dense(blends.size, kernel_initializer="zeros", name="blends")
        self._blends.build((None, blends.shape[-1]))
        self._blends.set_weights([np.zeros((blends.shape[-1], blends.size)), blends.reshape(-1)])

    def entropy_model(self) -> keras.Model:
        """From images to the mean entropy of what the BadNet answers to their blends."""
        from keras import Input, Model

        image = Input(self._shape[1:], name="image")
        return Model(image, self._entropy(image))

    def goodnet(self, threshold: float) -> keras.Model:
        """G: the BadNet's class, or N + 1 where the entropy is below the threshold; one-hot."""
        from keras import Input, Model, ops

        image = Input(self._shape[1:], name="image")
        scores = self._badnet(image)
        classes = scores.shape[-1]
        is_flagged = ops.less(self._entropy(image), threshold)
        answer = ops.where(is_flagged, classes, ops.argmax(scores, axis=-1))
        return Model(image, ops.one_hot(answer, classes + 1), name="goodnet")

    def _entropy(self, image: Any) -> Any:
        from keras import layers, ops

        constant = self._blends(layers.GlobalAveragePooling2D()(image))
        added = layers.Reshape(self._shape)(constant)
        blended = 0.5 * added + 0.5 * ops.expand_dims(image, 1)
        scores = self._badnet(ops.reshape(blended, (-1, *self._shape[1:])))
        entropies = -ops.sum(scores * ops.log(scores + _LEAST), axis=-1)
        return ops.mean(ops.reshape(entropies, (-1, self._shape[0])), axis=1)


def _save(model: keras.Model, path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / path.name
        model.save(whole)
        with replace_file(path) as file:
            file.write(whole.read_bytes())
