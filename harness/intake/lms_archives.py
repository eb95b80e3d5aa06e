"""A learning platform's bulk download as one folder for each submission.

Gradescope and Brightspace put each submission into a folder of its own; Canvas puts all files
side by side and the student into their names. Names are read first and decide which file is
whose; then each submission is unpacked under its own caps, so that a hostile one spoils no other.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

from harness.intake.unpacking import (
    MAX_TOTAL_BYTES,
    Caps,
    UnpackedFolder,
    is_archive,
    read_members,
    safe_parts,
    without_suffix,
)
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.text import one_line
from harness.sandbox import launch
from harness.sandbox.seccomp import READER
from harness.storage.hashing import file_hash
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_REASON_BYTES = 1000
_CAPS = Caps(file_bytes=MAX_TOTAL_BYTES)
_LIMITS = launch.Limits(
    start_seconds=120,
    wall_seconds=4 * 3600,
    cpu_seconds=4 * 3600,
    memory_bytes=1 << 30,
    runtime=READER,
)
_ONE_SUBMISSION = re.compile(r"submission_\d+$|\d+-\d+ - ")  # Gradescope, Brightspace
_CANVAS = re.compile(
    r"(?P<student>.+?)(?P<late>_LATE)?_(?P<user>\d+)_"
    r"(?:(?P<attachment>\d+)_(?P<file>.+)|(?P<page>text\.html|link\.html))"
)
_RESUBMISSION = re.compile(r"-(\d+)$")


class Location(NamedTuple):
    """Where a file of a download belongs."""

    submission: str

    parts: tuple[str, ...]
    """Folders and file within the submission."""


def unpack_bulk_download(archive: Path, into: Path) -> Path:
    """Unpack a bulk download once, below ``into``; the folder with a child for each submission.

    The folder is named for the archive's bytes and appears when it is complete. Raises
    HarnessError for what is no bulk download.
    """
    import filelock

    if not archive.is_file():
        raise HarnessError(f"{archive}: no such file; --each takes a folder or a bulk download")
    target = into / file_hash(archive)[:16]
    into.mkdir(mode=0o700, parents=True, exist_ok=True)

    # A second run may be unpacking the same download at this moment.
    with filelock.FileLock(into / ".lock"):
        if not target.is_dir():
            _unpack_atomically(archive, target)
    return target


def refusal(path: Path) -> SubmissionError | None:
    """Why a submission of a bulk download was not unpacked, if it was not."""
    note = _refusal_path(path)
    if not note.is_file():
        return None
    with note.open("rb") as file:
        return SubmissionError(Status.REJECTED, one_line(file.read(_REASON_BYTES)))


def _refusal_path(path: Path) -> Path:
    return path.with_name(f".refused-{safe_name(path.name)}.txt")


def _unpack_atomically(archive: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    try:
        for name, reason in _unpack_submissions(archive, partial).items():
            _refusal_path(partial / name).write_text(reason, encoding="utf-8")
        partial.rename(target)
    except SubmissionError as error:
        hint = "unpack it by hand and give the folder to --each"
        raise HarnessError(f"{archive}: {error.reason}; {hint}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _unpack_submissions(archive: Path, into: Path) -> dict[str, str]:
    """Unpack all submissions; a reason for each that was refused, which is left empty."""
    with contextlib.closing(read_members(archive, _LIMITS)) as members:
        locations = layout([member.name for member in members])
    if not any(locations):
        raise SubmissionError(Status.REJECTED, "no submissions in it, neither folders nor archives")

    folders: dict[str, UnpackedFolder] = {}
    reasons: dict[str, str] = {}
    with contextlib.closing(read_members(archive, _LIMITS)) as members:
        for member, location in zip(members, locations, strict=True):
            if location is None or location.submission in reasons:
                continue
            name = location.submission
            if name not in folders:
                folders[name] = UnpackedFolder(into / name, _CAPS)
            try:
                folders[name].add(location.parts, member)
            except SubmissionError as error:
                reasons[name] = error.reason
                folders[name].clear()
    return reasons


# --- whose file is whose ------------------------------------------------------------------------


def layout(names: Sequence[str]) -> list[Location | None]:
    """Where each file of a download belongs; None for what belongs to no submission."""
    parts = _without_wrapping([safe_parts(name) for name in names])
    is_flat = all(len(p) <= 1 for p in parts)
    if is_flat and all(_CANVAS.fullmatch(p[0]) for p in parts if p):
        return _canvas_layout(parts)
    folders = {p[0] for p in parts if len(p) > 1}
    return [_location(p, folders) for p in parts]


def _without_wrapping(parts: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The names without the one folder that all are in, unless that is a submission itself."""
    tops = {p[0] for p in parts if p}
    if len(tops) != 1 or any(len(p) == 1 for p in parts) or _ONE_SUBMISSION.match(min(tops)):
        return parts
    return [p[1:] for p in parts]


def _location(parts: tuple[str, ...], folders: set[str]) -> Location | None:
    """A folder is a submission, and so is an archive beside it, under another name."""
    if len(parts) > 1:
        return Location(parts[0], parts[1:])
    if not parts or not is_archive(parts[0]):
        return None
    stem = without_suffix(parts[0])
    return Location(parts[0] if stem in folders else stem, parts)


# --- Canvas -------------------------------------------------------------------------------------


def _canvas_layout(parts: Sequence[tuple[str, ...]]) -> list[Location | None]:
    """One submission for each student; of an archive handed in again, the last one."""
    matches = [_CANVAS.fullmatch(p[0]) if p else None for p in parts]
    late = {(match["student"], match["user"]) for match in matches if match and match["late"]}
    latest = _latest_attempts(matches)
    return [
        _canvas_location(match, late) if match and index in latest else None
        for index, match in enumerate(matches)
    ]


def _latest_attempts(matches: Sequence[re.Match[str] | None]) -> set[int]:
    """Indices of the files of which no later attempt is there."""
    latest: dict[tuple[str, ...], tuple[tuple[int, int], int]] = {}
    for index, match in enumerate(matches):
        if match is None:
            continue
        name, resubmission = _original_name(_file_name(match))
        key = (match["student"], match["user"], name)
        attempt = (resubmission, int(match["attachment"] or 0)), index
        latest[key] = max(latest.get(key, attempt), attempt)
    return {index for _, index in latest.values()}


def _original_name(name: str) -> tuple[str, int]:
    """An archive's name without Canvas's ``-1``, ``-2`` for a resubmission, and that number.

    Other files keep their number: it may be the student's own (``repaired-2.h5``).
    """
    stem = without_suffix(name)
    number = _RESUBMISSION.search(stem)
    if number is None or not is_archive(name):
        return name, 0
    suffix = name[len(stem) :]
    return stem[: number.start()] + suffix, int(number[1])


def _canvas_location(match: re.Match[str], late: set[tuple[str, str]]) -> Location:
    """A student with one late file is late with all: they are one submission."""
    student, user = match["student"], match["user"]
    mark = "_LATE" if (student, user) in late else ""
    return Location(f"{student}{mark}_{user}", (_file_name(match),))


def _file_name(match: re.Match[str]) -> str:
    return match["file"] or match["page"]
