"""What is to be graded, and under which name: folders, archives and bulk downloads."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.intake.declarations import FILE_NAME
from harness.intake.file_rules import HIDDEN_PREFIXES, MODEL_FORMATS, files_below
from harness.intake.lms_archives import refusal, unpack_bulk_download
from harness.intake.unpacking import SUFFIXES, is_archive, unpack, without_suffix
from harness.records.errors import HarnessError
from harness.records.text import storable
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_FOLDER = Path("submissions")

_TO_GRADE = (*MODEL_FORMATS, FILE_NAME, "saved_model.pb")
"""How the names of files end that make a folder a submission, whatever archives lie beside them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission to grade."""

    name: str
    """Of its record: that of the folder or archive, never of anything inside."""

    path: Path
    """A folder or an archive."""


def find_entries(
    paths: Sequence[Path], each: Path | None, unpacked: Path | None = None
) -> list[Entry]:
    """The submissions: ``paths``, then every child folder and archive of ``each``.

    Without either, those of ``submissions``. Where ``each`` is a bulk download it is unpacked
    below ``unpacked``. A path that is missing stays, for `prepare_folder` to say so. Raises
    HarnessError when ``each`` is missing or empty.
    """
    if not paths and each is None:
        each = DEFAULT_FOLDER
    if each is not None and unpacked is not None and is_archive(each.name) and not each.is_dir():
        each = unpack_bulk_download(each, unpacked)

    everything = list(paths)
    if each is not None:
        everything += _children(each)
    names = _unique_names(everything)
    return [Entry(name, path) for name, path in zip(names, everything, strict=True)]


def _children(each: Path) -> list[Path]:
    if not each.is_dir():
        raise HarnessError(
            f"{each}: no such folder; --each takes a folder of submissions or a bulk download"
        )
    children = [path for path in sorted(each.iterdir()) if _is_submission(path)]
    if not children:
        raise HarnessError(f"{each}: no submission folders or archives in it")
    return children


def _is_submission(path: Path) -> bool:
    if path.name.startswith(HIDDEN_PREFIXES):
        return False
    return path.is_dir() or (is_archive(path.name) and path.is_file())


def _unique_names(paths: Sequence[Path]) -> list[str]:
    """Names for the records; a repeated one gets a number, so that none is lost."""
    plain = [_name(path) for path in paths]
    taken = set(plain)
    names: list[str] = []
    for index, name in enumerate(plain):
        if name not in plain[:index]:
            names.append(name)
            continue

        number = 2
        while f"{name} ({number})" in taken:
            number += 1
        names.append(f"{name} ({number})")
        taken.add(names[-1])
    return names


def _name(path: Path) -> str:
    name = path.resolve().name
    return storable(name if path.is_dir() else without_suffix(name))


# --- from an entry to a folder ------------------------------------------------------------------


def prepare_folder(entry: Entry, scratch: Path) -> Path:
    """The folder to grade: the entry's own, or its archive unpacked into the empty ``scratch``.

    A folder with nothing to grade but one archive, however deep, is that archive. Raises
    SubmissionError(REJECTED) for an archive that is hostile, broken, encrypted or too large,
    and HarnessError for a path that is missing or of another kind.
    """
    refused = refusal(entry.path)
    if refused is not None:
        raise refused
    archive = _archive_of(entry.path)
    if archive is None:
        return entry.path

    raw = scratch / ".unpacked"
    unpack(archive, raw)
    folder = scratch / safe_name(entry.name)
    return _without_wrapping(raw).rename(folder)


def _archive_of(path: Path) -> Path | None:
    if path.is_dir():
        return _lone_archive(path)
    if not path.exists():
        raise HarnessError(f"{path}: no such folder; a submission is a folder with model files")
    if not is_archive(path.name) or not path.is_file():
        raise HarnessError(f"{path}: neither a folder nor an archive ({', '.join(SUFFIXES)})")
    return path


def _lone_archive(folder: Path) -> Path | None:
    """The only archive in a folder that has nothing to grade beside it, as reports are."""
    archives = []
    for path, information in files_below(folder):
        if path.name.lower().endswith(_TO_GRADE):
            return None
        if is_archive(path.name) and stat.S_ISREG(information.st_mode):
            archives.append(path)
    return archives[0] if len(archives) == 1 else None


def _without_wrapping(folder: Path) -> Path:
    """The single folder in ``folder``, unless that is a model (a SavedModel), else ``folder``."""
    children = list(folder.iterdir())
    if len(children) != 1 or not children[0].is_dir():
        return folder
    return folder if (children[0] / "saved_model.pb").exists() else children[0]
