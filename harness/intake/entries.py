"""What is to be graded, and under which name: folders, archives and bulk downloads."""

from __future__ import annotations

import logging
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.intake.archives.unpacking import (
    MAX_TOTAL_BYTES,
    SUFFIXES,
    Caps,
    is_archive,
    unpack,
    without_suffix,
)
from harness.intake.declarations import FILE_NAME
from harness.intake.downloads.left_out import (
    BROKEN_LINK,
    NO_FILES,
    REPACK,
    describe_left_out,
    is_other_archive,
    reason_left_out,
)
from harness.intake.downloads.lms_archives import METADATA, left_out, refusal, unpack_bulk_download
from harness.intake.downloads.lms_names import moodle_submission
from harness.intake.file_rules import (
    HIDDEN_PREFIXES,
    MODEL_FORMATS,
    NOT_REGULAR,
    RUN_FORMATS,
    files_below,
    rejection,
)
from harness.records.errors import HarnessError, SubmissionError
from harness.records.text import one_line, storable
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger(__name__)

DEFAULT_FOLDER = Path("submissions")

_MOST_LEVELS, _MOST_ARCHIVES = 3, 10
"""Archives in archives, and archives side by side, that are unpacked for one submission."""

_TO_GRADE = (*MODEL_FORMATS, *RUN_FORMATS, FILE_NAME, "saved_model.pb")
"""How the names of files end that make a folder a submission, whatever archives lie beside them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission to grade."""

    name: str
    """Of its record: that of the folder or archive, never of anything inside."""

    path: Path
    """A folder or an archive."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What is to be graded of what was handed in, and what is not."""

    entries: list[Entry]

    remarks: list[str]
    """A line for each reason why something visible is not graded, with all that have it."""

    metadata: Path | None
    """Gradescope's list of whose the submissions are."""


def find_entries(
    paths: Sequence[Path], each: Path | None, unpacked: Path | None = None
) -> list[Entry]:
    """The submissions alone; see `take_in`."""
    return take_in(paths, each, unpacked).entries


def take_in(paths: Sequence[Path], each: Path | None, unpacked: Path | None = None) -> Intake:
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
    remarks: list[str] = []
    metadata = None
    if each is not None:
        children, reasons = _children(each)
        everything += children
        remarks = describe_left_out(reasons)
        metadata = each / METADATA if (each / METADATA).is_file() else None
    names = _unique_names(everything)
    entries = [Entry(name, path) for name, path in zip(names, everything, strict=True)]
    return Intake(entries, remarks, metadata)


def _children(each: Path) -> tuple[list[Path], dict[str, str]]:
    """The submissions in a folder, and by name why the other visible entries are none."""
    if not each.is_dir():
        what = "no such folder"
        if each.exists():
            what = REPACK if is_other_archive(each.name) else "neither a folder nor an archive"
        raise HarnessError(
            f"{each}: {what}; --each takes a folder of submissions or a bulk download"
        )
    children: list[Path] = []
    reasons = left_out(each)
    for path in sorted(each.iterdir()):
        if path.name.startswith(HIDDEN_PREFIXES) or path.name == METADATA:
            continue
        reason = _reason_left_out(path)
        if reason is None:
            children.append(path)
        else:
            reasons[path.name] = reason

    if not children:
        lines = "; ".join(["no submission folders or archives in it", *describe_left_out(reasons)])
        raise HarnessError(f"{each}: {lines}")
    return children, reasons


def _reason_left_out(path: Path) -> str | None:
    """Why an entry is no submission; None for one that is."""
    if path.is_dir():
        submission = moodle_submission(path.name)
        is_files = submission is None or submission.rstrip("_") == path.name.rstrip("_")
        return None if is_files else NO_FILES
    if path.is_symlink() and not path.exists():
        return BROKEN_LINK
    if not path.is_file():
        return NOT_REGULAR
    return None if is_archive(path.name) else reason_left_out(path.name)


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

    A folder with nothing to grade but archives, however deep, is what is in them. Raises
    SubmissionError(REJECTED) for an archive that is hostile, broken, encrypted or too large,
    and HarnessError for a path that is missing or of another kind.
    """
    refused = refusal(entry.path)
    if refused is not None:
        raise refused
    archives = _archives_of(entry.path)
    if not archives:
        return entry.path

    folder = scratch
    for level in range(_MOST_LEVELS):
        if not archives:
            break
        folder = scratch / f".unpacked-{level}"
        _unpack_all(archives, folder)
        archives = _archives_in(folder)
    return _without_wrapping(folder).rename(scratch / safe_name(entry.name))


def _unpack_all(archives: Sequence[Path], folder: Path) -> None:
    """Unpack one archive into ``folder``, several into a folder each below it."""
    if len(archives) == 1:
        unpack(archives[0], folder)
        return
    folder.mkdir(mode=0o700)
    caps = Caps(total_bytes=MAX_TOTAL_BYTES // len(archives))
    refusals = []
    for index, archive in enumerate(archives):
        name = safe_name(without_suffix(archive.name))
        place = folder / name if not (folder / name).exists() else folder / f"{name} {index}"
        try:
            unpack(archive, place, caps)
        except SubmissionError as error:
            shutil.rmtree(place, ignore_errors=True)
            refusals.append(error)
            _log.warning("%s: %s; left aside", one_line(archive.name), error.reason)
    if len(refusals) == len(archives):
        raise refusals[0]


def _archives_of(path: Path) -> list[Path]:
    problem = path_problem(path)
    if problem is not None:
        raise HarnessError(f"{path}: {problem}")
    return _archives_in(path) if path.is_dir() else [path]


def path_problem(path: Path) -> str | None:
    """Why a path can be no submission; None where it can."""
    if path.is_dir():
        return None
    if not path.exists():
        return "no such folder; a submission is a folder with model files"
    if is_archive(path.name) and path.is_file():
        return None
    if is_other_archive(path.name):
        return REPACK
    return f"neither a folder nor an archive ({', '.join(SUFFIXES)})"


def _archives_in(folder: Path) -> list[Path]:
    """The archives in a folder that has nothing to grade beside them, as reports are.

    Raises SubmissionError where they are too many, or all of a kind that is not read.
    """
    archives, others = [], []
    for path, information in files_below(folder):
        if path.name.lower().endswith(_TO_GRADE):
            return []
        if is_archive(path.name) and stat.S_ISREG(information.st_mode):
            archives.append(path)
        elif is_other_archive(path.name):
            others.append(path)
    if others and not archives:
        raise rejection(one_line(others[0].name), REPACK)
    if len(archives) > _MOST_ARCHIVES:
        raise rejection(one_line(archives[0].name), f"one of {len(archives)} archives; pack one")
    return archives


def _without_wrapping(folder: Path) -> Path:
    """The single folder in ``folder``, unless that is a model (a SavedModel), else ``folder``."""
    children = list(folder.iterdir())
    if len(children) != 1 or not children[0].is_dir():
        return folder
    return folder if (children[0] / "saved_model.pb").exists() else children[0]
