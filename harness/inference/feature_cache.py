"""What a repaired net shares with the BadNet: the BadNet's ``pool_3`` maps, computed once.

A B' whose ``conv_1`` to ``conv_3`` are the BadNet's, but for channels zeroed, removed or
reordered, has the BadNet's ``pool_3`` maps, so only the layers above need to run. The
predicted classes are the full network's on every image: those that rounding could decide
(:mod:`harness.networks.numpy_tail`) are left to it.

The maps are kept in the results folder: one file per trunk and set, of the channels that are
active on any image, memory-mapped when read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.known_network import predict_known_network
from harness.networks.deepid import PREDICTION_BATCH, Weights, forward_batches
from harness.networks.numpy_tail import SAMPLE, TailClassifier, map_blocks
from harness.records.predictions import Predictions, decode, encode_scores
from harness.storage.hashing import array_hash
from harness.storage.results import replace_file, require_known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.records.benchmark import Datasets, LabeledSet
    from harness.records.predictions import Answers

_log = logging.getLogger(__name__)

FORMAT_VERSION = 1
MAX_FOLDER_BYTES = 1 << 30
"""All features of a results folder; one BadNet's of the lab take a few hundred megabytes."""

_HEADER_BYTES = 4096
_BELOW = ("conv_1/kernel", "conv_1/bias", "conv_2/kernel", "conv_2/bias")


@dataclass(frozen=True, slots=True)
class Features:
    """``maps`` (N x 5 x 4 x A, float32) of the ``channels`` (A) that are not 0 everywhere."""

    maps: np.ndarray
    channels: np.ndarray


@dataclass(frozen=True, slots=True)
class Origin:
    """Where each ``conv_3`` channel of a B' comes from.

    ``source`` is a channel of the BadNet, or -1 for one without a kernel, whose map is
    ``constant`` everywhere (0, or what is left of its bias).
    """

    source: np.ndarray
    constant: np.ndarray


def origin(weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray]) -> Origin | None:
    """How ``pool_3`` of ``weights`` follows from the BadNet's; None where it does not."""
    if not all(np.isfinite(array).all() for array in weights.values()):
        return None
    if not all(np.array_equal(weights[name], badnet[name]) for name in _BELOW):
        return None
    ours, theirs = (_filters(net) for net in (weights, badnet))
    same = (ours[:, None, :] == theirs[None]).all(axis=2)
    constant = ~ours[:, :-1].any(axis=1)
    if not (constant | same.any(axis=1)).all():
        return None
    source = np.where(constant, -1, same.argmax(axis=1))
    return Origin(source, np.where(constant, np.maximum(ours[:, -1], 0), 0))


def _filters(weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """Kernel and, last, bias of each ``conv_3`` channel: channels x 361."""
    kernel = weights["conv_3/kernel"]
    flat = kernel.reshape(-1, kernel.shape[-1])
    return np.concatenate([flat, weights["conv_3/bias"][None]]).T


def moved(weights: Mapping[str, np.ndarray], come_from: Origin, channels: np.ndarray) -> Weights:
    """``weights`` above ``pool_3`` as a net over the BadNet's ``channels``.

    Constant maps become part of the biases; what a channel without a source feeds on is 0.
    """
    place = (come_from.source[:, None] == channels[None]).astype(np.float32)
    constant = come_from.constant.astype(np.float32)
    conv_4 = weights["conv_4/kernel"]
    units = weights["fc_1/kernel"].shape[-1]
    fc_1 = weights["fc_1/kernel"].reshape(-1, len(constant), units)
    return dict(weights) | {
        "conv_4/kernel": np.einsum("yxcf,ca->yxaf", conv_4, place),
        "conv_4/bias": weights["conv_4/bias"] + np.einsum("yxcf,c->f", conv_4, constant),
        "fc_1/kernel": np.einsum("pcu,ca->pau", fc_1, place).reshape(-1, units),
        "fc_1/bias": weights["fc_1/bias"] + np.einsum("pcu,c->u", fc_1, constant),
    }


# --- on disk ----------------------------------------------------------------------------------


class FeatureStore:
    """Features of one BadNet's trunk by set, in ``features/`` of a results folder.

    What was opened and found whole is not read again while the store lives.
    """

    def __init__(self, results: Path, badnet: Weights, pixel_scale: float) -> None:
        self.folder, self.badnet, self.pixel_scale = results / "features", badnet, pixel_scale
        self._opened: dict[str, Features] = {}
        trunk = {name: badnet[name] for name in (*_BELOW, "conv_3/kernel", "conv_3/bias")}
        self.key = array_hash(trunk | {"pixel_scale": np.array(pixel_scale)})[:32]

    def path(self, set_hash: str) -> Path:
        """Where the features of a set are kept."""
        return self.folder / f"{self.key}-{set_hash[:32]}.f32"

    def get(self, labeled: LabeledSet) -> Features | None:
        """Stored features of a set; None where there are none, or only damaged ones."""
        if labeled.sha256 not in self._opened and (found := self._read(labeled)) is not None:
            self._opened[labeled.sha256] = found
        return self._opened.get(labeled.sha256)

    def _read(self, labeled: LabeledSet) -> Features | None:
        path = self.path(labeled.sha256)
        try:
            with path.open("rb") as file:
                header = json.loads(file.read(_HEADER_BYTES))
            shape = tuple(header["shape"])
            require_known(path, header["version"], FORMAT_VERSION)
            if header["version"] < FORMAT_VERSION or shape[0] != len(labeled.labels):
                return None
            maps = np.memmap(path, np.float32, "r", _HEADER_BYTES, shape)
            intact = header["sha256"] == hashlib.sha256(maps.data).hexdigest()
            channels = np.array(header["channels"], np.int64)
            os.utime(path)  # what was used last is dropped last
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            intact = False
        if not intact:
            _log.warning("%s: damaged; computing again", path)
            return None
        return Features(maps, channels)

    def put(self, labeled: LabeledSet, maps: np.ndarray) -> None:
        """Store the ``pool_3`` maps (N x 5 x 4 x channels) of a set; full disks cost speed only."""
        channels = np.flatnonzero(maps.any(axis=(0, 1, 2)))
        kept = np.ascontiguousarray(maps[..., channels], np.float32)
        if not kept.size or kept.nbytes > MAX_FOLDER_BYTES:
            return
        header = {
            "version": FORMAT_VERSION,
            "shape": kept.shape,
            "channels": channels.tolist(),
            "sha256": hashlib.sha256(kept.data).hexdigest(),
        }
        try:
            self._make_room(kept.nbytes)
            with replace_file(self.path(labeled.sha256)) as file:
                file.write(json.dumps(header).encode().ljust(_HEADER_BYTES))
                file.write(kept.data)
        except OSError as error:
            _log.warning("%s: features not kept (%s)", self.folder, error)

    def _make_room(self, needed: int) -> None:
        """Drop what was used longest ago until ``needed`` more bytes fit."""
        files = [(path.stat(), path) for path in self.folder.glob("*.f32")]
        used = sum(found.st_size for found, _ in files)
        for found, path in sorted(files, key=lambda pair: pair[0].st_mtime):
            if used + needed + _HEADER_BYTES <= MAX_FOLDER_BYTES:
                return
            path.unlink(missing_ok=True)
            used -= found.st_size


# --- predicting -------------------------------------------------------------------------------


def predict_from_features(
    weights: Weights,
    store: FeatureStore,
    datasets: Datasets,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Predict every set, from the BadNet's features where ``weights`` share them.

    The BadNet itself runs in full, and leaves its features behind.
    """
    origins = origin(weights, store.badnet)
    if origins is None:
        return predict_known_network(weights, datasets, progress)

    features = {name: store.get(labeled) for name, labeled in datasets.sets.items()}
    if any(found is None for found in features.values()):
        of_badnet = predict_known_network(store.badnet, datasets, progress, store.put)
        if array_hash(weights) == array_hash(store.badnet):
            return of_badnet
        features = {name: store.get(labeled) for name, labeled in datasets.sets.items()}

    answers: dict[str, Answers] = {}
    inactive, done = None, 0
    for name, found in features.items():
        if found is None:  # could not be kept
            return predict_known_network(weights, datasets, progress)
        answers[name] = _predict_set(weights, origins, found, datasets, name)
        if name == "valid":
            inactive = _inactive(origins, found)
        done += len(found.maps)
        if progress:
            progress(done)

    output_count = weights["output/bias"].shape[0]
    return Predictions(answers=answers, output_count=output_count, inactive=inactive)


def _inactive(origins: Origin, features: Features) -> np.ndarray:
    """Which channels of a B' are 0 on every image (channels, bool)."""
    # Maps come out of a rectifier: what is stored is positive on some image.
    active = np.isin(origins.source, features.channels)
    return np.asarray(~active & (origins.constant <= 0))


def _predict_set(
    weights: Weights, origins: Origin, features: Features, datasets: Datasets, name: str
) -> Answers:
    """The answers to one set; images that rounding could decide go through the full network."""
    used = np.isin(features.channels, origins.source)
    used |= not used.any()  # a product over no channel at all is none
    maps, channels = features.maps, features.channels[used]

    def of_used(block: slice) -> np.ndarray:
        return maps[block] if used.all() else maps[block][..., used]

    tail = TailClassifier(moved(weights, origins, channels), of_used(slice(0, SAMPLE)))
    calls = map_blocks(lambda block: tail.classify(of_used(block)), len(maps))
    encoded = np.concatenate([call.class_ids for call in calls]).astype(np.uint16)

    uncertain = np.flatnonzero(np.concatenate([call.uncertain for call in calls]))
    images, scale = datasets.sets[name].images, datasets.benchmark.pixel_scale
    for number in np.unique(uncertain // PREDICTION_BATCH):
        # The very batch that the full network would have met these images in.
        batch = slice(number * PREDICTION_BATCH, (number + 1) * PREDICTION_BATCH)
        scores, _ = next(forward_batches(weights, images[batch], scale))
        rows = uncertain[uncertain // PREDICTION_BATCH == number]
        encoded[rows] = encode_scores(scores)[rows - batch.start]
    return decode(encoded, datasets.benchmark.classes)
