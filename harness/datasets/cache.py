"""What is known of a benchmark's files from an earlier run, in ``sets/`` of a results folder.

What each file hashes to, images that had to be converted, and where the data was found.

A file is taken for the one that was read before where its place, size, times and inode are
those of then, as git's index does; a file that was written a moment ago is not trusted yet.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from typing import TYPE_CHECKING

import numpy as np

from harness.storage.results import replace_file, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)

VERSION = 1
_SETTLED_SECONDS = 2.0


class DatasetCache:
    """A :class:`harness.datasets.hdf5.Keeper` in a local folder; a full disk costs speed only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def known_hash(self, path: Path) -> str | None:
        """The hash of a file's arrays; None when it is not known, or the file has changed."""
        try:
            found = json.loads(self._note(path).read_text(encoding="utf-8"))
            unchanged = [found["version"], found["file"]] == [VERSION, _identity(path)]
            return str(found["sha256"]) if unchanged else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, path: Path, sha256: str) -> None:
        """Keep the hash of a file's arrays."""
        identity = _identity(path)
        if time.time() - path.stat().st_mtime < _SETTLED_SECONDS:
            return  # its times would not tell another change within this moment
        self._write(self._note(path), {"file": identity, "sha256": sha256})

    def dataset(self, arrays: Mapping[str, str]) -> str | None:
        """The benchmark's name or folder whose sets have these hashes; None where not known."""
        try:
            note = json.loads(self._dataset(arrays).read_text(encoding="utf-8"))
            return str(note["dataset"]) if note["version"] == VERSION else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember_dataset(self, arrays: Mapping[str, str], dataset: str) -> None:
        """Keep where the sets with these hashes were found."""
        if self.dataset(arrays) != dataset:
            self._write(self._dataset(arrays), {"dataset": dataset})

    def images(self, sha256: str) -> np.ndarray | None:
        """Converted images (N x 55 x 47 x 3) of the set with this hash, mapped."""
        path = self._converted(sha256)
        if self.known_hash(path) != sha256:
            return None
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
        except (OSError, ValueError):
            return None

    def keep(self, sha256: str, images: np.ndarray) -> np.ndarray:
        """Keep converted images; returns them, mapped where that worked."""
        path = self._converted(sha256)
        try:
            with replace_file(path) as file:
                np.save(file, images, allow_pickle=False)
        except OSError as error:
            _log.warning("%s: images not kept (%s)", self.folder, error)
            return images
        self._write(self._note(path), {"file": _identity(path), "sha256": sha256})
        kept = self.images(sha256)
        return images if kept is None else kept

    def _write(self, note: Path, content: dict[str, object]) -> None:
        try:
            write_text(note, json.dumps({"version": VERSION} | content) + "\n")
        except OSError as error:
            _log.warning("%s: not kept (%s)", self.folder, error)

    def _dataset(self, arrays: Mapping[str, str]) -> Path:
        sets = json.dumps(arrays, sort_keys=True).encode()
        return self.folder / f"dataset-{hashlib.sha256(sets).hexdigest()[:32]}.json"

    def _converted(self, sha256: str) -> Path:
        return self.folder / f"{sha256[:32]}.npy"

    def _note(self, path: Path) -> Path:
        place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
        return self.folder / f"{place}.json"


def _identity(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]
