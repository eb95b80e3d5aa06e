"""Features of a BadNet on disk: what lies at the end of its pruned layer's chain, set by set.

They are kept in the results folder: one file for each trunk (the layers below), set and layer, of
the channels that are active on any image, memory-mapped when read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.deepid import lab_network_of
from harness.networks.network import output_shapes
from harness.storage.hashing import array_hash
from harness.storage.results import replace_file, require_known

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.networks.deepid import Weights
    from harness.records.benchmark import LabeledSet
    from harness.records.network import Network

_log = logging.getLogger(__name__)

FORMAT_VERSION = 1
MAX_FOLDER_BYTES = 1 << 30
"""All features of a results folder; one BadNet's of the lab take a few hundred megabytes."""

_HEADER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Features:
    """What one layer of the BadNet hands on for a set, as far as it is not 0."""

    maps: np.ndarray
    """N x ... x A, float32; of the lab's ``pool_3``: N x 5 x 4 x A."""

    channels: np.ndarray
    """The A channels that are not 0 on every image."""

    width: int
    """How many channels the layer has in all."""


class FeatureStore:
    """Features of one BadNet's trunk by set, in ``features/`` of a results folder.

    ``network`` is the BadNet's graph, the lab's where it is None. A file that was read and was
    undamaged is not read again while the store lives.
    """

    def __init__(
        self,
        results: Path,
        badnet: Weights,
        pixel_scale: float,
        network: Network | None = None,
    ) -> None:
        network = network or lab_network_of(badnet)
        self.folder = results / "features"
        self.network = network
        self.badnet = badnet
        self.pixel_scale = pixel_scale
        self._opened: dict[Path, Features] = {}
        shapes = output_shapes(network)
        self._widths = [shapes[layer][-1] for layer in network.frontier]
        trunk = {name: badnet[name] for name in network.trunk if name in badnet}
        self.key = array_hash(trunk | {"pixel_scale": np.array(pixel_scale)})[:32]

    def path(self, set_hash: str, layer: int = 0) -> Path:
        """The file with the features of a set, of one of the layers of `Network.frontier`."""
        number = f"-{layer}" if layer else ""
        return self.folder / f"{self.key}-{set_hash[:32]}{number}.f32"

    def get(self, labeled: LabeledSet) -> tuple[Features, ...] | None:
        """Stored features of a set, a layer each of `Network.frontier`.

        None where there are none for one of them, or only damaged ones.
        """
        found = []
        for layer in range(len(self.network.frontier)):
            path = self.path(labeled.sha256, layer)
            features = self._opened.get(path) or self._read(path, layer, labeled)
            if features is None:
                return None
            self._opened[path] = features
            found.append(features)
        return tuple(found)

    def _read(self, path: Path, layer: int, labeled: LabeledSet) -> Features | None:
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
        return Features(maps, channels, self._widths[layer])

    def put(self, labeled: LabeledSet, maps: Mapping[str, np.ndarray]) -> None:
        """Store what the layers of `Network.frontier` hand on for a set (N x ... x channels).

        Where the disk is full they are not stored: that costs time later, and nothing else.
        """
        active = [_active(maps[layer]) for layer in self.network.frontier]
        total = sum(features.maps.nbytes for features in active)
        if total > MAX_FOLDER_BYTES or not all(features.maps.size for features in active):
            return
        for layer, features in enumerate(active):
            self._write(self.path(labeled.sha256, layer), features)

    def _write(self, path: Path, features: Features) -> None:
        header = {
            "version": FORMAT_VERSION,
            "shape": features.maps.shape,
            "channels": features.channels.tolist(),
            "sha256": hashlib.sha256(features.maps.data).hexdigest(),
        }
        try:
            self._make_room(features.maps.nbytes)
            with replace_file(path) as file:
                file.write(json.dumps(header).encode().ljust(_HEADER_BYTES))
                file.write(features.maps.data)
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


def _active(maps: np.ndarray) -> Features:
    """The channels that are not 0 on every image."""
    channels = np.flatnonzero(maps.any(axis=tuple(range(maps.ndim - 1))))
    active = np.ascontiguousarray(maps[..., channels], np.float32)
    return Features(active, channels, maps.shape[-1])
