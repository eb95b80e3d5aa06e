"""The zip archive that a ``.keras`` file is: which members it has, and their bytes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.networks.keras_files.layers import RejectedFileError

if TYPE_CHECKING:
    import zipfile

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
_CLUTTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
"""What systems leave in folders; somebody may have packed the archive by hand."""


def archive_members(archive: zipfile.ZipFile) -> dict[str, str]:
    """The archive's files: its own names of them by those that Keras gives them.

    Windows may have written them with backslashes, and who packs a folder packs its name too.
    Raises RejectedFileError for what is no ``.keras`` archive.
    """
    names = archive.namelist()
    for name in names:
        if name.startswith(("/", "\\")) or ".." in _canonical(name).split("/"):
            raise RejectedFileError(f"{name!r:.60} leads out of the archive")
    repeated = [name for name, times in Counter(map(_canonical, names)).items() if times > 1]
    if repeated:
        raise RejectedFileError(f"{repeated[0]!r:.60} is in the archive twice")

    files = {_canonical(name): name for name in names if not _canonical(name).endswith("/")}
    files = {name: own for name, own in files.items() if not _is_clutter(name)}
    if CONFIG not in files:
        folders = {name.partition("/")[0] for name in files}
        folder = f"{folders.pop()}/" if len(folders) == 1 else ""
        files = {name.removeprefix(folder): own for name, own in files.items()}
    if CONFIG not in files:
        raise RejectedFileError(f"a zip archive without {CONFIG}; save with model.save()")
    return files


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Read a member, never more than ``limit`` bytes, whatever its header says."""
    with archive.open(name) as member:
        content = member.read(limit + 1)
    if len(content) > limit:
        size = f"{limit >> 20} MiB" if limit >> 20 else f"{limit:,} bytes"
        raise RejectedFileError(f"{name!r:.60} unpacks to more than {size}")
    return content


def _canonical(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _is_clutter(name: str) -> bool:
    return any(part in _CLUTTER for part in name.split("/"))
