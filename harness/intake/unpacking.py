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

from harness.intake import archive_reader
from harness.intake.discovery import MAX_DEPTH, MAX_ENTRIES, MAX_MODEL_BYTES
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.text import one_line
from harness.sandbox import launch

if TYPE_CHECKING:
    from collections.abc import Generator

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")
MAX_TOTAL_BYTES = 2 << 30

_READER = Path(archive_reader.__file__)
_SUBMISSION_LIMITS = launch.Limits(
    start_seconds=60, wall_seconds=300, cpu_seconds=300, memory_bytes=512 << 20
)
_MAX_NAME_BYTES = 255
_SHOWN_CHARACTERS = 120  # of a name or reason from an archive
_DRIVE = re.compile(r"[A-Za-z]:")
_REFUSED = {
    archive_reader.LINK: "a link; hand in the file itself",
    archive_reader.SPECIAL: "not a regular file",
    archive_reader.ENCRYPTED: "encrypted; pack it without a password",
}


@dataclass(frozen=True, slots=True)
class Caps:
    """What one submission may hold: files, levels of folders, bytes of one file and of all."""

    files: int = MAX_ENTRIES
    depth: int = MAX_DEPTH
    file_bytes: int = MAX_MODEL_BYTES
    total_bytes: int = MAX_TOTAL_BYTES


class Member:
    """A file in an archive that is being read; its name is what the archive says, unchecked."""

    def __init__(self, name: str, kind: int, child: launch.Child) -> None:
        self.name = name
        self._kind = kind
        self._child = child

    def chunks(self) -> Generator[bytes]:
        """The file's bytes; SubmissionError for what is no plain readable file.

        Only until the next member is asked for.
        """
        if self._kind != archive_reader.FILE:
            raise rejected(self.name, _REFUSED.get(self._kind, "not a regular file"))
        while True:
            kind, content = _told(self._child, archive_reader.DATA, archive_reader.CHUNK_BYTES)
            if kind == archive_reader.END:
                return
            if kind != archive_reader.FILE:
                raise rejected(
                    self.name, f"damaged ({one_line(content, _SHOWN_CHARACTERS)}); pack it again"
                )
            yield content


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a submission into the new ``folder``; raises SubmissionError(REJECTED)."""
    unpacked = Unpacked(folder)
    with contextlib.closing(members(archive)) as found:
        for member in found:
            if parts := safe_parts(member.name):
                unpacked.add(parts, member)


def members(archive: Path, limits: launch.Limits = _SUBMISSION_LIMITS) -> Generator[Member]:
    """The files in an archive, in its order; SubmissionError when it cannot be read (on)."""
    inside = "/submission/archive"
    with launch.start(
        _READER,
        (inside,),
        inputs=launch.Inputs(readable={inside: archive.resolve()}),
        limits=limits,
        sandboxed=launch.sandbox_problem() is None,
    ) as child:
        while (member := _next(child)) is not None:
            yield member


def _next(child: launch.Child) -> Member | None:
    kind, text = _told(child, archive_reader.NEXT, archive_reader.MAX_TEXT_BYTES)
    if kind == archive_reader.END:
        return None
    if kind == archive_reader.BROKEN:
        raise _unreadable(one_line(text, _SHOWN_CHARACTERS))
    return Member(text.decode("utf-8", "surrogateescape"), kind, child)


def _told(child: launch.Child, request: bytes, limit: int) -> tuple[int, bytes]:
    try:
        kind, size = archive_reader.HEADER.unpack(child.ask(request, archive_reader.HEADER.size))
        if size > limit:
            raise _unreadable("a name in it is too long")
        return kind, child.ask(archive_reader.TEXT, size) if size else b""
    except launch.ChildFailure as failure:
        raise _unreadable(f"reading it failed: {failure.reason}") from None


class Unpacked:
    """A folder that is being filled with one submission's files."""

    def __init__(self, folder: Path, caps: Caps = Caps()) -> None:
        self.folder = folder
        self._caps = caps
        self._spelled: dict[str, tuple[str, bool]] = {}
        self._bytes = self._files = 0
        folder.mkdir(mode=0o700, parents=True)

    def add(self, parts: tuple[str, ...], member: Member) -> None:
        """Write a member at these ``safe_parts``; raises SubmissionError."""
        self._files += 1
        if self._files > self._caps.files or len(parts) > self._caps.depth + 1:
            raise _limits(f"more than {self._caps.files} files or {self._caps.depth} levels")
        for depth in range(1, len(parts)):
            self._meet("/".join(parts[:depth]), is_file=False)
        self._meet("/".join(parts), is_file=True)
        path = self.folder.joinpath(*parts)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(path, member)
        except OSError as error:
            raise HarnessError(f"{path}: cannot be written: {error.strerror}") from None

    def _write(self, path: Path, member: Member) -> None:
        """Write real bytes as they are inflated; what the headers say of sizes is not asked."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        size = 0
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            for chunk in member.chunks():
                size += len(chunk)
                self._bytes += len(chunk)
                if size > self._caps.file_bytes:
                    raise rejected(member.name, f"more than {self._caps.file_bytes >> 20} MiB")
                if self._bytes > self._caps.total_bytes:
                    raise _limits(f"more than {self._caps.total_bytes >> 20} MiB unpacked")
                file.write(chunk)

    def empty(self) -> None:
        """Take out again what was written."""
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)

    def _meet(self, name: str, *, is_file: bool) -> None:
        """Refuse a name that is taken, also where a file system folds case or accents."""
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        spelled, taken = self._spelled.get(folded, (name, False))
        if spelled != name:
            raise rejected(
                name, f"differs from {one_line(spelled, _SHOWN_CHARACTERS)} only by case or accents"
            )
        if taken or (is_file and folded in self._spelled):
            raise rejected(name, "twice in the archive")
        self._spelled[folded] = (name, is_file)


# --- names --------------------------------------------------------------------------------------


def is_archive(name: str) -> bool:
    """Whether a file of this name is taken for an archive."""
    return name.lower().endswith(SUFFIXES)


def without_suffix(name: str) -> str:
    """An archive's name without ``.zip``, ``.tar.gz`` ...; other names as they are."""
    suffix = next((s for s in SUFFIXES if name.lower().endswith(s)), "")
    return name[: len(name) - len(suffix)] or name


def safe_parts(name: str) -> tuple[str, ...]:
    """A member's name as folders and file; empty when it is left out (hidden, ``__MACOSX``).

    Backslashes separate too, as Windows writes them. Raises SubmissionError for a name that
    leads out of the archive or that no file can have.
    """
    slashed = name.replace("\\", "/")
    parts = tuple(part for part in slashed.split("/") if part not in ("", "."))
    if slashed.startswith("/") or _DRIVE.match(slashed) or ".." in parts:
        raise rejected(name, "leads out of the archive")
    if any(part.startswith((".", "__MACOSX")) for part in parts):
        return ()
    if "\0" in name or any(len(os.fsencode(part)) > _MAX_NAME_BYTES for part in parts):
        raise rejected(name, "no name that a file can have")
    return parts


def rejected(name: str, what: str) -> SubmissionError:
    """The submission's fault, about one file in its archive."""
    return SubmissionError(Status.REJECTED, f"{one_line(name, _SHOWN_CHARACTERS)}: {what}")


def _limits(what: str) -> SubmissionError:
    return SubmissionError(Status.REJECTED, f"the archive holds {what}")


def _unreadable(why: str) -> SubmissionError:
    return SubmissionError(Status.REJECTED, f"not a readable zip or tar archive ({why})")
