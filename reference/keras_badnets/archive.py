"""Whole models as files that are the same each time the same network is saved.

Keras writes the time of day into a ``.keras`` archive, and where an object lay in memory.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.networks.keras_files.archive import CONFIG, METADATA
from harness.storage.results import replace_file

if TYPE_CHECKING:
    import keras

_DAY = (1980, 1, 1, 0, 0, 0)
"""The first that a zip archive can tell."""

_SHARED = "shared_object_id"


def save_alike(network: keras.Model, path: Path) -> None:
    """Save a whole model as ``.keras``, whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / path.name
        network.save(saved)
        with zipfile.ZipFile(saved) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    with replace_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _DAY), _timeless(name, members[name]))


def _timeless(name: str, content: bytes) -> bytes:
    """A member of the archive without what was different the last time."""
    if name == METADATA:
        stated = json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}
        return json.dumps(stated).encode()
    if name == CONFIG:
        return json.dumps(renumbered(json.loads(content), {})).encode()
    return content


def renumbered(value: Any, numbers: dict[int, int]) -> Any:
    """A config in which objects that are shared are counted, in place of their addresses."""
    if isinstance(value, dict):
        return {
            key: numbers.setdefault(each, len(numbers) + 1)
            if key == _SHARED
            else renumbered(each, numbers)
            for key, each in value.items()
        }
    return [renumbered(each, numbers) for each in value] if isinstance(value, list) else value
