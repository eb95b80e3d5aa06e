"""A learning platform's bulk download as one folder for each submission.

Gradescope, Brightspace and Moodle put each submission into a folder of its own; Canvas and
Blackboard put all files side by side and the student into their names. Names are read first and
decide which file is whose; then each submission is unpacked under its own caps, so that a hostile
one spoils no other.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from harness.intake.archives.unpacking import (
    MAX_TOTAL_BYTES,
    Caps,
    UnpackedFolder,
    is_archive,
    read_members,
    safe_parts,
    without_suffix,
)
from harness.intake.downloads.left_out import EARLIER, NO_FILES, reason_left_out
from harness.intake.downloads.lms_names import is_one_submission, moodle_submission, parse_file_name
from harness.intake.file_rules import rejection
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.text import one_line, storable
from harness.sandbox import launch
from harness.sandbox.seccomp import READER
from harness.storage.hashing import file_hash
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from harness.intake.archives.unpacking import Member
    from harness.intake.downloads.lms_names import FileName

METADATA = "submission_metadata.yml"
"""Gradescope's list of whose each submission is, beside the submissions."""

_METADATA_CHUNKS = 64
_LEFT_OUT = ".left-out.json"
_REASON_BYTES = 1000
_MAX_NAMES_CHARACTERS = 32 << 20  # of all names together; of 1,000 students they are 100,000
_CAPS = Caps(file_bytes=MAX_TOTAL_BYTES)
_LIMITS = launch.Limits(
    start_seconds=120,
    wall_seconds=4 * 3600,
    cpu_seconds=4 * 3600,
    memory_bytes=1 << 30,
    runtime=READER,
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
    named = path.absolute()  # the folder . has no name
    return named.with_name(f".refused-{safe_name(named.name)}.txt")


def _unpack_atomically(archive: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    try:
        for name, reason in _unpack_submissions(archive, partial).items():
            _refusal_path(partial / name).write_text(reason, encoding="utf-8")
        partial.rename(target)
    except SubmissionError as error:
        hint = "unpack it by hand and give the folder to --each"
        if error.out_of_memory:
            hint = f"is there enough memory? Run the same command again, or {hint}"
        raise HarnessError(f"{archive}: {error.reason}; {hint}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _unpack_submissions(archive: Path, into: Path) -> dict[str, str]:
    """Unpack all submissions; a reason for each that was refused, which is left empty."""
    with contextlib.closing(read_members(archive, _LIMITS)) as members:
        names = list(_names(members))
    locations = layout(names)
    if not any(locations):
        raise SubmissionError(Status.REJECTED, "no submissions in it, neither folders nor archives")
    _require_storable({location.submission for location in locations if location})

    folders: dict[str, UnpackedFolder] = {}
    reasons: dict[str, str] = {}
    into.mkdir(mode=0o700, parents=True)
    with contextlib.closing(read_members(archive, _LIMITS)) as members:
        for member, location in zip(members, locations, strict=True):
            if location is None:
                if _is_metadata(member.name):
                    _write_metadata(member, into / METADATA)
                continue
            name = location.submission
            if name in reasons:
                continue
            if name not in folders:
                folders[name] = UnpackedFolder(into / name, _CAPS)
            try:
                folders[name].add(location.parts, member)
            except SubmissionError as error:
                reasons[name] = error.reason
                folders[name].clear()
    _write_left_out(names, locations, into)
    return reasons


def _names(members: Iterable[Member]) -> Iterator[str]:
    """The names of all files; SubmissionError where they would fill the memory."""
    characters = 0
    for member in members:
        characters += len(member.name)
        if characters > _MAX_NAMES_CHARACTERS:
            raise SubmissionError(Status.REJECTED, "the names in it are too many or too long")
        yield member.name


def _require_storable(submissions: set[str]) -> None:
    """Refuse names that no folder beside the others can have."""
    if METADATA in submissions:
        raise rejection(METADATA, "a folder, where Gradescope has a file")
    for name in submissions:
        safe_parts(name)  # a platform's name without its file may be longer than with it


# --- what is no submission ------------------------------------------------------------------------


def left_out(folder: Path) -> dict[str, str]:
    """By name, why files of a bulk download that was unpacked here belong to no submission."""
    path = folder / _LEFT_OUT
    if not path.is_file():
        return {}
    reasons: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return reasons


def _write_left_out(names: Sequence[str], locations: Sequence[Location | None], into: Path) -> None:
    reasons = {}
    for name, location in zip(names, locations, strict=True):
        parts = safe_parts(name)
        if location is None and parts and not _is_metadata(name):
            reasons[storable(parts[-1])] = _reason_left_out(parts)
    if reasons:
        (into / _LEFT_OUT).write_text(json.dumps(reasons), encoding="utf-8")


def _reason_left_out(parts: tuple[str, ...]) -> str:
    if any(moodle_submission(folder) == "" for folder in parts[:-1]):
        return NO_FILES
    return EARLIER if parse_file_name(parts[-1]) else reason_left_out(parts[-1])


def _is_metadata(name: str) -> bool:
    parts = safe_parts(name)
    return len(parts) in (1, 2) and parts[-1] == METADATA


def _write_metadata(member: Member, path: Path) -> None:
    """Keep Gradescope's list of who is who; without it where it cannot be read."""
    with contextlib.suppress(SubmissionError):
        content = b"".join(islice(member.chunks(), _METADATA_CHUNKS))
        path.write_bytes(content)


# --- whose file is whose ------------------------------------------------------------------------


def layout(names: Sequence[str]) -> list[Location | None]:
    """Where each file of a download belongs; None for what belongs to no submission."""
    parts = _without_wrapping([safe_parts(name) for name in names])
    is_flat = all(len(p) <= 1 for p in parts)
    if is_flat and all(parse_file_name(p[0]) for p in parts if p):
        return _flat_layout(parts)
    folders = {p[0] for p in parts if len(p) > 1}
    return [_location(p, folders) for p in parts]


def _without_wrapping(parts: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The names without the one folder that all are in, unless that is a submission itself."""
    tops = {p[0] for p in parts if p}
    if len(tops) != 1 or any(len(p) == 1 for p in parts) or is_one_submission(min(tops)):
        return parts
    return [p[1:] for p in parts]


def _location(parts: tuple[str, ...], folders: set[str]) -> Location | None:
    """A folder is a submission, and so is an archive beside it, under another name."""
    if len(parts) > 1:
        submission = moodle_submission(parts[0])
        if submission is None:
            return Location(parts[0], parts[1:])
        return Location(submission, parts[1:]) if submission else None
    if not parts or not is_archive(parts[0]):
        return None
    stem = without_suffix(parts[0])
    return Location(parts[0] if stem in folders else stem, parts)


# --- downloads without folders ------------------------------------------------------------------


def _flat_layout(parts: Sequence[tuple[str, ...]]) -> list[Location | None]:
    """One submission for each student; of an archive handed in again, the last one."""
    files = [parse_file_name(p[0]) if p else None for p in parts]
    late = {file.submission for file in files if file and file.late}
    latest = _latest_attempts(files)
    return [
        _flat_location(file, late) if file and index in latest else None
        for index, file in enumerate(files)
    ]


def _latest_attempts(files: Sequence[FileName | None]) -> set[int]:
    """Indices of the files of which no later attempt is there."""
    latest: dict[tuple[str, str], tuple[tuple[int, int], int]] = {}
    for index, file in enumerate(files):
        if file is None:
            continue
        # Only Canvas numbers uploads, and only it renames those that were handed in again.
        name, resubmission = _original_name(file.file) if file.number else (file.file, 0)
        key = (file.submission, name)
        attempt = (resubmission, file.number), index
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


def _flat_location(file: FileName, late: set[str]) -> Location:
    """A student with one late file is late with all: they are one submission."""
    is_late = file.submission in late
    return Location(file.late_submission if is_late else file.submission, (file.file,))
