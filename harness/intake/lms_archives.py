"""A learning platform's bulk download as one folder for each submission.

Gradescope and Brightspace put each submission into a folder of its own; Canvas puts all files
side by side and the student into their names. Names are read first and decide which file is
whose; then each submission is unpacked under its own caps, so that a hostile one spoils no other.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
from typing import TYPE_CHECKING

from harness.intake.unpacking import (
    MAX_TOTAL_BYTES,
    Caps,
    Unpacked,
    is_archive,
    members,
    safe_parts,
    without_suffix,
)
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.text import one_line
from harness.sandbox import launch
from harness.storage.hashing import file_hash
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CheckpointSlot = tuple[str, tuple[str, ...]]
"""The submission that a file belongs to, and where in it."""

_REASON_BYTES = 1000
_CAPS = Caps(file_bytes=MAX_TOTAL_BYTES)
_LIMITS = launch.Limits(
    start_seconds=120, wall_seconds=4 * 3600, cpu_seconds=4 * 3600, memory_bytes=1 << 30
)
_ONE_SUBMISSION = re.compile(r"submission_\d+$|\d+-\d+ - ")
_CANVAS = re.compile(
    r"(?P<student>.+?)(?P<late>_LATE)?_(?P<user>\d+)_"
    r"(?:(?P<attachment>\d+)_(?P<file>.+)|(?P<page>text\.html|link\.html))"
)
_AGAIN = re.compile(r"-(\d+)$")


def bulk_folder(archive: Path, into: Path) -> Path:
    """Unpack a bulk download once, below ``into``; the folder with a child for each submission.

    The folder is named for the archive's bytes and appears when it is complete. Raises
    HarnessError for what is no bulk download.
    """
    if not archive.is_file():
        raise HarnessError(f"{archive}: no such file; --each takes a folder or a bulk download")
    target = into / file_hash(archive)[:16]
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(into):
        if not target.is_dir():
            _unpack_whole(archive, target)
    return target


def refusal(path: Path) -> SubmissionError | None:
    """Why a submission of a bulk download was not unpacked, if it was not."""
    said = _refusal_path(path)
    if not said.is_file():
        return None
    with said.open("rb") as file:
        return SubmissionError(Status.REJECTED, one_line(file.read(_REASON_BYTES)))


def _refusal_path(path: Path) -> Path:
    return path.with_name(f".refused-{safe_name(path.name)}.txt")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second run from unpacking the same download at the same time."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unpack_whole(archive: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    try:
        for name, reason in _unpack_each(archive, partial).items():
            _refusal_path(partial / name).write_text(reason, encoding="utf-8")
        partial.rename(target)
    except SubmissionError as error:
        hint = "unpack it by hand and give the folder to --each"
        raise HarnessError(f"{archive}: {error.reason}; {hint}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _unpack_each(archive: Path, into: Path) -> dict[str, str]:
    """Unpack all submissions; a reason for each that was refused, which is left empty."""
    with contextlib.closing(members(archive, _LIMITS)) as found:
        places = layout([member.name for member in found])
    if not any(places):
        raise SubmissionError(Status.REJECTED, "no submissions in it, neither folders nor archives")
    children: dict[str, Unpacked] = {}
    refused: dict[str, str] = {}
    with contextlib.closing(members(archive, _LIMITS)) as found:
        for member, place in zip(found, places, strict=True):
            if place is None or place[0] in refused:
                continue
            child = children.get(place[0]) or Unpacked(into / place[0], _CAPS)
            children[place[0]] = child
            try:
                child.add(place[1], member)
            except SubmissionError as error:
                refused[place[0]] = error.reason
                child.empty()
    return refused


def layout(names: Sequence[str]) -> list[CheckpointSlot | None]:
    """Where each file of a download belongs; None for what belongs to no submission."""
    parts = _unwrapped([safe_parts(name) for name in names])
    if all(len(p) <= 1 for p in parts) and all(_CANVAS.fullmatch(p[0]) for p in parts if p):
        return _canvas(parts)
    tops = {p[0] for p in parts if len(p) > 1}
    return [_place(p, tops) for p in parts]


def _unwrapped(parts: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The names without the one folder that all are in, unless that is a submission itself."""
    tops = {p[0] for p in parts if p}
    if len(tops) != 1 or any(len(p) == 1 for p in parts) or _ONE_SUBMISSION.match(min(tops)):
        return parts
    return [p[1:] for p in parts]


def _place(parts: tuple[str, ...], tops: set[str]) -> CheckpointSlot | None:
    if len(parts) > 1:
        return parts[0], parts[1:]
    if not parts or not is_archive(parts[0]):
        return None
    stem = without_suffix(parts[0])
    return (parts[0] if stem in tops else stem), parts


def _canvas(parts: Sequence[tuple[str, ...]]) -> list[CheckpointSlot | None]:
    """One child for each student; of an archive handed in again, the last one."""
    found = [_CANVAS.fullmatch(p[0]) if p else None for p in parts]
    late = {(m["student"], m["user"]) for m in found if m and m["late"]}
    last: dict[tuple[str, ...], tuple[tuple[int, int], int]] = {}
    for index, match in enumerate(found):
        if match:
            name, again = _original(match["file"] or match["page"])
            key = (match["student"], match["user"], name)
            attempt = (again, int(match["attachment"] or 0)), index
            last[key] = max(last.get(key, attempt), attempt)
    kept = {index for _, index in last.values()}
    return [_canvas_place(m, late) if i in kept and m else None for i, m in enumerate(found)]


def _original(name: str) -> tuple[str, int]:
    """An archive's name without Canvas's ``-1``, ``-2`` for a resubmission, and that number.

    Other files keep their number: it may be the student's own (``repaired-2.h5``).
    """
    stem = without_suffix(name)
    again = _AGAIN.search(stem) if is_archive(name) else None
    return (stem[: again.start()] + name[len(stem) :], int(again[1])) if again else (name, 0)


def _canvas_place(match: re.Match[str], late: set[tuple[str, str]]) -> CheckpointSlot:
    student, user = match["student"], match["user"]
    mark = "_LATE" if (student, user) in late else ""
    return f"{student}{mark}_{user}", (match["file"] or match["page"],)
