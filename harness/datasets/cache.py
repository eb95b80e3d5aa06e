"""What is known of a benchmark's files from an earlier run, in ``sets/`` of a results folder.

That is the hash of each file's arrays, images that had to be converted, and where the data was
found. A file counts as the one that was read before while its path, size, times and inode are the
same, as in git's index. A file that was written a moment ago is not trusted yet.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.storage.results import replace_file, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)

VERSION = 1
_SETTLED_SECONDS = 2.0


class DatasetCache:
    """A `CacheProtocol` in a local folder; a full disk costs speed only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def known_hash(self, path: Path) -> str | None:
        """The hash of a file's arrays; None when it is not known, or the file has changed."""
        note = _read_note(self._file_note(path))
        try:
            is_unchanged = note.get("file") == _identity(path)
        except OSError:
            return None
        return str(note["sha256"]) if is_unchanged and "sha256" in note else None

    def remember_hash(self, path: Path, sha256: str) -> None:
        """Keep the hash of a file's arrays."""
        identity = _identity(path)
        if time.time() - path.stat().st_mtime < _SETTLED_SECONDS:
            return  # its times would not tell another change within this moment
        self._write_note(self._file_note(path), {"file": identity, "sha256": sha256})

    def known_dataset(self, arrays: Mapping[str, str]) -> str | None:
        """The benchmark's name or folder whose sets have these hashes; None where not known."""
        note = _read_note(self._dataset_note(arrays))
        return str(note["dataset"]) if "dataset" in note else None

    def remember_dataset(self, arrays: Mapping[str, str], dataset: str) -> None:
        """Keep where the sets with these hashes were found."""
        if self.known_dataset(arrays) != dataset:
            self._write_note(self._dataset_note(arrays), {"dataset": dataset})

    def converted_images(self, sha256: str) -> np.ndarray | None:
        """Converted images (N x H x W x C) of the set with this hash, mapped."""
        path = self._images_file(sha256)
        if self.known_hash(path) != sha256:
            return None
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
        except (OSError, ValueError):
            return None

    def store_images(self, sha256: str, images: np.ndarray) -> np.ndarray:
        """Keep converted images; returns them, mapped where that worked."""
        path = self._images_file(sha256)
        try:
            with replace_file(path) as file:
                np.save(file, images, allow_pickle=False)
        except OSError as error:
            _log.warning("%s: images not kept (%s)", self.folder, error)
            return images
        # Nobody else writes here: no need to wait until the file's times tell changes.
        self._write_note(self._file_note(path), {"file": _identity(path), "sha256": sha256})
        mapped = self.converted_images(sha256)
        return images if mapped is None else mapped

    def _write_note(self, note: Path, content: dict[str, object]) -> None:
        try:
            write_text(note, json.dumps({"version": VERSION} | content) + "\n")
        except OSError as error:
            _log.warning("%s: not kept (%s)", self.folder, error)

    def _dataset_note(self, arrays: Mapping[str, str]) -> Path:
        sets = json.dumps(arrays, sort_keys=True).encode()
        return self.folder / f"dataset-{hashlib.sha256(sets).hexdigest()[:32]}.json"

    def _images_file(self, sha256: str) -> Path:
        return self.folder / f"{sha256[:32]}.npy"

    def _file_note(self, path: Path) -> Path:
        digest = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
        return self.folder / f"{digest[:32]}.json"


def _read_note(path: Path) -> dict[str, Any]:
    """What a note holds; empty for one that is not there, damaged or of another version."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(note, dict) or note.get("version") != VERSION:
        return {}
    return note


def _identity(path: Path) -> list[int]:
    """What changes when a file is written or replaced."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]
