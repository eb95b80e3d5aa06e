"""What a repaired net shares with the BadNet: the BadNet's ``pool_3`` maps, computed once.

A B' whose ``conv_1`` to ``conv_3`` are the BadNet's, but for channels zeroed, removed or
reordered, has the BadNet's ``pool_3`` maps, so only the layers above need to run. The
predicted classes are the full network's on every image: those that rounding could decide
(:mod:`harness.networks.numpy_tail`) are left to it, and so are nets of very small or large weights.

The maps are stored in the results folder: one file per trunk (the layers up to ``pool_3``) and
set, of the channels that are active on any image, memory-mapped when read.
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
from harness.networks.deepid import (
    CONV_3_CHANNELS,
    PREDICTION_BATCH,
    Weights,
    forward_batches,
)
from harness.networks.numpy_tail import (
    SAMPLE,
    TailClassifier,
    are_moderate,
    is_moderate,
    map_blocks,
)
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
    """The BadNet's ``pool_3`` maps of one set, as far as they are not 0."""

    maps: np.ndarray
    """N x 5 x 4 x A, float32."""

    channels: np.ndarray
    """The A channels that are not 0 on every image."""


@dataclass(frozen=True, slots=True)
class ChannelOrigins:
    """Where each ``conv_3`` channel of a B' comes from."""

    source: np.ndarray
    """The BadNet's channel with the same filter; -1 for a channel whose kernel is 0."""

    constant: np.ndarray
    """The value of the whole map of a channel whose kernel is 0: its bias, but not below 0."""


def trace_channels(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray]
) -> ChannelOrigins | None:
    """Find out how ``pool_3`` of ``weights`` follows from the BadNet's; None where it does not."""
    if not all(np.isfinite(array).all() for array in weights.values()):
        return None
    if not all(np.array_equal(weights[name], badnet[name]) for name in _BELOW):
        return None

    filters, badnet_filters = _filters(weights), _filters(badnet)
    same = (filters[:, None, :] == badnet_filters[None]).all(axis=2)
    without_kernel = ~filters[:, :-1].any(axis=1)
    if not (without_kernel | same.any(axis=1)).all():
        return None

    return ChannelOrigins(
        source=np.where(without_kernel, -1, same.argmax(axis=1)),
        constant=np.where(without_kernel, np.maximum(filters[:, -1], 0), 0),
    )


def _filters(weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """The kernel of each ``conv_3`` channel with its bias at the end: channels x 361."""
    kernel = weights["conv_3/kernel"]
    flat = kernel.reshape(-1, kernel.shape[-1])
    return np.concatenate([flat, weights["conv_3/bias"][None]]).T


def tail_over_channels(
    weights: Mapping[str, np.ndarray], origins: ChannelOrigins, channels: np.ndarray
) -> Weights:
    """The layers of ``weights`` above ``pool_3``, rewritten to take the BadNet's ``channels``.

    Constant maps become part of the biases. A channel whose source is not among ``channels``
    counts as 0.
    """
    place = (origins.source[:, None] == channels[None]).astype(np.float32)
    constant = origins.constant.astype(np.float32)

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

    A file that was read and was undamaged is not read again while the store lives.
    """

    def __init__(self, results: Path, badnet: Weights, pixel_scale: float) -> None:
        self.folder = results / "features"
        self.badnet = badnet
        self.pixel_scale = pixel_scale
        self._opened: dict[str, Features] = {}
        trunk = {name: badnet[name] for name in (*_BELOW, "conv_3/kernel", "conv_3/bias")}
        self.key = array_hash(trunk | {"pixel_scale": np.array(pixel_scale)})[:32]

    def path(self, set_hash: str) -> Path:
        """The file with the features of a set."""
        return self.folder / f"{self.key}-{set_hash[:32]}.f32"

    def get(self, labeled: LabeledSet) -> Features | None:
        """Stored features of a set; None where there are none, or only damaged ones."""
        if labeled.sha256 not in self._opened:
            features = self._read(labeled)
            if features is None:
                return None
            self._opened[labeled.sha256] = features
        return self._opened[labeled.sha256]

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
            os.utime(path)  # what was used last is removed last
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            intact = False
        if not intact:
            _log.warning("%s: damaged; computing again", path)
            return None
        _log.debug("%s: features of %s taken from here", path, labeled.name)
        return Features(maps, channels)

    def put(self, labeled: LabeledSet, maps: np.ndarray) -> None:
        """Store the ``pool_3`` maps (N x 5 x 4 x channels) of a set.

        Where the disk is full they are not stored: that costs time later, and nothing else.
        """
        channels = np.flatnonzero(maps.any(axis=(0, 1, 2)))
        active_maps = np.ascontiguousarray(maps[..., channels], np.float32)
        if not active_maps.size or active_maps.nbytes > MAX_FOLDER_BYTES:
            return

        header = {
            "version": FORMAT_VERSION,
            "shape": active_maps.shape,
            "channels": channels.tolist(),
            "sha256": hashlib.sha256(active_maps.data).hexdigest(),
        }
        try:
            self._make_room(active_maps.nbytes)
            with replace_file(self.path(labeled.sha256)) as file:
                file.write(json.dumps(header).encode().ljust(_HEADER_BYTES))
                file.write(active_maps.data)
        except OSError as error:
            _log.warning("%s: features not kept (%s)", self.folder, error)

    def _make_room(self, needed_bytes: int) -> None:
        """Remove what was used longest ago until ``needed_bytes`` more fit."""
        files = [(path.stat(), path) for path in self.folder.glob("*.f32")]
        used_bytes = sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda pair: pair[0].st_mtime):
            if used_bytes + needed_bytes + _HEADER_BYTES <= MAX_FOLDER_BYTES:
                return
            path.unlink(missing_ok=True)
            used_bytes -= status.st_size


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
    origins = trace_channels(weights, store.badnet)
    if origins is None or not _can_stand_in(weights, origins):
        _log.debug("a net that does not share the BadNet's features is run in full")
        return predict_known_network(weights, datasets, progress)

    features = {name: store.get(labeled) for name, labeled in datasets.sets.items()}
    if any(set_features is None for set_features in features.values()):
        _log.debug("no stored features for all sets: the BadNet is run in full")
        badnet_predictions = predict_known_network(store.badnet, datasets, progress, store.put)
        if array_hash(weights) == array_hash(store.badnet):
            return badnet_predictions
        features = {name: store.get(labeled) for name, labeled in datasets.sets.items()}

    answers: dict[str, Answers] = {}
    inactive, done = None, 0
    for name, set_features in features.items():
        if set_features is None:  # it could not be stored
            return predict_known_network(weights, datasets, progress)
        answers[name] = _predict_set(weights, origins, set_features, datasets, name)
        if name == "valid":
            inactive = _inactive_channels(origins, set_features)
        done += len(set_features.maps)
        if progress:
            progress(done)

    output_count = weights["output/bias"].shape[0]
    return Predictions(answers=answers, output_count=output_count, inactive=inactive)


def _can_stand_in(weights: Weights, origins: ChannelOrigins) -> bool:
    """Whether TensorFlow and NumPy take the same numbers for 0, constant maps included."""
    if not are_moderate(origins.constant):
        return False
    every_channel = np.arange(CONV_3_CHANNELS)
    return is_moderate(tail_over_channels(weights, origins, every_channel))


def _inactive_channels(origins: ChannelOrigins, features: Features) -> np.ndarray:
    """Which channels of a B' are 0 on every image (channels, bool)."""
    # Maps come out of a rectifier: what is stored is positive on some image.
    active = np.isin(origins.source, features.channels)
    return np.asarray(~active & (origins.constant <= 0))


def _predict_set(
    weights: Weights, origins: ChannelOrigins, features: Features, datasets: Datasets, name: str
) -> Answers:
    """Predict one set; images that rounding could decide go through the full network."""
    used = np.isin(features.channels, origins.source)
    used |= not used.any()  # a matrix product needs one channel at least
    maps, channels = features.maps, features.channels[used]

    def used_maps(block: slice) -> np.ndarray:
        return maps[block] if used.all() else maps[block][..., used]

    tail_weights = tail_over_channels(weights, origins, channels)
    tail = TailClassifier(tail_weights, used_maps(slice(0, SAMPLE)))
    calls = map_blocks(lambda block: tail.classify(used_maps(block)), len(maps))
    encoded = np.concatenate([call.class_ids for call in calls]).astype(np.uint16)

    uncertain = np.flatnonzero(np.concatenate([call.uncertain for call in calls]))
    _log.debug("%s: %d of %d images go through the full network", name, len(uncertain), len(maps))
    images, scale = datasets.sets[name].images, datasets.benchmark.pixel_scale
    for number in np.unique(uncertain // PREDICTION_BATCH):
        # The batch in which the full network would have met these images: rounding depends on it.
        batch = slice(number * PREDICTION_BATCH, (number + 1) * PREDICTION_BATCH)
        scores, _ = next(forward_batches(weights, images[batch], scale))
        rows = uncertain[uncertain // PREDICTION_BATCH == number]
        encoded[rows] = encode_scores(scores)[rows - batch.start]
    return decode(encoded, datasets.benchmark.classes)
