"""Archives unpacked on the harness's terms: read in a child, written name by name here.

The child (``archive_reader.py``, in the sandbox where there is one) inflates and answers bytes.
Which of them are written where, how many and how often is decided on this side: no name leads
out, no link or device is made, no two names meet in one file on any file system, real bytes are
counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.intake.archives import archive_reader
from harness.intake.file_rules import (
    HIDDEN_PREFIXES,
    IS_A_LINK,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_MODEL_BYTES,
    NOT_REGULAR,
    rejection,
)
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.text import one_line
from harness.sandbox import launch
from harness.sandbox.availability import find_sandbox
from harness.sandbox.seccomp import READER

if TYPE_CHECKING:
    from collections.abc import Generator

SUFFIXES = (
    ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".tar",
)  # fmt: skip
MAX_TOTAL_BYTES = 2 << 30

_READER = Path(archive_reader.__file__)
_SUBMISSION_LIMITS = launch.Limits(
    start_seconds=60, wall_seconds=300, cpu_seconds=300, memory_bytes=512 << 20, runtime=READER
)
_MAX_NAME_BYTES = 255
_SHOWN_CHARACTERS = 120  # of a name or reason from an archive
_DRIVE = re.compile(r"[A-Za-z]:")
_REASONS = {
    archive_reader.LINK: IS_A_LINK,
    archive_reader.ENCRYPTED: "encrypted; pack it without a password",
}


@dataclass(frozen=True, slots=True)
class Caps:
    """What one submission may hold."""

    files: int = MAX_ENTRIES

    depth: int = MAX_DEPTH
    """Levels of folders."""

    file_bytes: int = MAX_MODEL_BYTES
    """Of each file."""

    total_bytes: int = MAX_TOTAL_BYTES


class Member:
    """A file in an archive that is being read."""

    def __init__(self, name: str, kind: int, child: launch.Child) -> None:
        self.name = name
        """What the archive says, unchecked."""

        self._kind = kind
        self._child = child

    def chunks(self) -> Generator[bytes]:
        """The file's bytes; SubmissionError for anything but a readable regular file.

        They can be read until the next member is asked for.
        """
        if self._kind != archive_reader.FILE:
            raise _member_rejection(self.name, _REASONS.get(self._kind, NOT_REGULAR))
        while True:
            kind, content = _ask(self._child, archive_reader.DATA, archive_reader.CHUNK_BYTES)
            if kind == archive_reader.END:
                return
            if kind != archive_reader.FILE:
                reason = one_line(content, _SHOWN_CHARACTERS)
                raise _member_rejection(self.name, f"damaged ({reason}); pack it again")
            yield content


def unpack(archive: Path, folder: Path, caps: Caps = Caps()) -> None:
    """Unpack a submission into the new ``folder``; raises SubmissionError(REJECTED)."""
    unpacked = UnpackedFolder(folder, caps)
    with contextlib.closing(read_members(archive)) as members:
        for member in members:
            parts = safe_parts(member.name)
            if parts:
                unpacked.add(parts, member)


def read_members(archive: Path, limits: launch.Limits = _SUBMISSION_LIMITS) -> Generator[Member]:
    """The files in an archive, in its order; SubmissionError where it cannot be read."""
    inside = "/submission/archive"
    with launch.start(
        _READER,
        (inside,),
        inputs=launch.Inputs(readable={inside: archive.resolve()}),
        limits=limits,
        sandbox=find_sandbox(),
    ) as child:
        while (member := _read_member(child)) is not None:
            yield member


def _read_member(child: launch.Child) -> Member | None:
    kind, text = _ask(child, archive_reader.NEXT, archive_reader.MAX_TEXT_BYTES)
    if kind == archive_reader.END:
        return None
    if kind == archive_reader.BROKEN:
        raise _unreadable(one_line(text, _SHOWN_CHARACTERS))
    return Member(text.decode("utf-8", "surrogateescape"), kind, child)


def _ask(child: launch.Child, request: bytes, limit: int) -> tuple[int, bytes]:
    """The kind and the text that the child answers, of at most ``limit`` bytes."""
    try:
        header = child.ask(request, archive_reader.HEADER.size)
        kind, size = archive_reader.HEADER.unpack(header)
        if size > limit:
            raise _unreadable("a name in it is too long")
        text = child.ask(archive_reader.TEXT, size) if size else b""
    except launch.ChildFailure as failure:
        error = _unreadable(f"reading it failed: {failure.reason}")
        error.out_of_memory = failure.kind == "out_of_memory"
        raise error from None
    return kind, text


class UnpackedFolder:
    """A folder that is being filled with one submission's files."""

    def __init__(self, folder: Path, caps: Caps = Caps()) -> None:
        self.folder = folder
        self._caps = caps
        self._spellings: dict[str, tuple[str, bool]] = {}
        """By folded name: the name as the archive spells it, and whether it is a file's."""

        self._bytes = self._files = 0
        folder.mkdir(mode=0o700, parents=True)

    def add(self, parts: tuple[str, ...], member: Member) -> None:
        """Write a member at these ``safe_parts``; raises SubmissionError."""
        self._files += 1
        if self._files > self._caps.files or len(parts) > self._caps.depth + 1:
            raise _too_much(f"more than {self._caps.files} files or {self._caps.depth} levels")
        for depth in range(1, len(parts)):
            self._claim_name("/".join(parts[:depth]), is_file=False)
        self._claim_name("/".join(parts), is_file=True)

        path = self.folder.joinpath(*parts)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(path, member)
        except OSError as error:
            raise HarnessError(f"{path}: cannot be written: {error.strerror}") from None

    def _claim_name(self, name: str, *, is_file: bool) -> None:
        """Refuse a name that is taken, also where a file system folds case or accents."""
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        spelling, is_taken = self._spellings.get(folded, (name, False))
        if spelling != name:
            shown = one_line(spelling, _SHOWN_CHARACTERS)
            raise _member_rejection(name, f"differs from {shown} only by case or accents")
        if is_taken or (is_file and folded in self._spellings):
            raise _member_rejection(name, "twice in the archive")
        self._spellings[folded] = (name, is_file)

    def _write(self, path: Path, member: Member) -> None:
        """Write a member and count real bytes as they are inflated: headers may lie about sizes."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        size = 0
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            for chunk in member.chunks():
                size += len(chunk)
                self._bytes += len(chunk)
                if size > self._caps.file_bytes:
                    mebibytes = self._caps.file_bytes >> 20
                    raise _member_rejection(member.name, f"more than {mebibytes} MiB")
                if self._bytes > self._caps.total_bytes:
                    raise _too_much(f"more than {self._caps.total_bytes >> 20} MiB unpacked")
                file.write(chunk)

    def clear(self) -> None:
        """Delete what was written."""
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)


# --- names --------------------------------------------------------------------------------------


def is_archive(name: str) -> bool:
    """Whether a file of this name is taken for an archive."""
    return name.lower().endswith(SUFFIXES)


def without_suffix(name: str) -> str:
    """An archive's name without ``.zip``, ``.tar.gz`` ...; other names as they are."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] or name
    return name


def safe_parts(name: str) -> tuple[str, ...]:
    """A member's name as folders and file; empty when it is left out (hidden, ``__MACOSX``).

    Backslashes separate too, as Windows writes them. Raises SubmissionError for a name that
    leads out of the archive or that no file can have.
    """
    slashed = name.replace("\\", "/")
    parts = tuple(part for part in slashed.split("/") if part not in ("", "."))
    if slashed.startswith("/") or _DRIVE.match(slashed) or ".." in parts:
        raise _member_rejection(name, "leads out of the archive")
    if any(part.startswith(HIDDEN_PREFIXES) for part in parts):
        return ()
    if "\0" in name or any(len(os.fsencode(part)) > _MAX_NAME_BYTES for part in parts):
        raise _member_rejection(name, "no name that a file can have")
    return parts


# --- errors -------------------------------------------------------------------------------------


def _member_rejection(name: str, reason: str) -> SubmissionError:
    return rejection(one_line(name, _SHOWN_CHARACTERS), reason)


def _too_much(what: str) -> SubmissionError:
    return SubmissionError(Status.REJECTED, f"the archive holds {what}")


def _unreadable(why: str) -> SubmissionError:
    return SubmissionError(Status.REJECTED, f"not a readable zip or tar archive ({why})")
