"""``submission.toml``: what students declare about their files, and what they claim."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.intake.file_rules import (
    IS_A_LINK,
    MODEL_FORMATS,
    check_regular,
    is_unpacked_keras,
    rejection,
)
from harness.records.submission import Candidate, Claim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.records.errors import SubmissionError

FILE_NAME = "submission.toml"
MAX_BYTES = 64 << 10
ROLES = ("repaired", "goodnet")


def read_declaration(folder: Path) -> dict[str, Any]:
    """The table in a folder's ``submission.toml``, empty where there is none.

    Raises SubmissionError for a file that is not TOML or too large.
    """
    path = folder / FILE_NAME
    if not os.path.lexists(path):
        return {}
    information = path.lstat()
    check_regular(FILE_NAME, information)
    if information.st_size > MAX_BYTES:
        raise _rejection(f"larger than {MAX_BYTES >> 10} KiB")

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise _rejection(f"not valid TOML ({str(error)[:200]})") from None

    for key in ("name", "badnet"):
        if not isinstance(table.get(key, ""), str):
            raise _rejection(f"{key} must be a text")
    return table


def declares_candidates(table: dict[str, Any]) -> bool:
    """Whether the table names the files to grade; names of other files then count for nothing."""
    return bool(table.get("artifacts") or table.get("program"))


def declared_candidates(folder: Path, table: dict[str, Any]) -> list[Candidate]:
    """The candidates that ``[artifacts]`` and ``[program]`` name; raises SubmissionError."""
    artifacts = table.get("artifacts", {})
    if not isinstance(artifacts, dict):
        raise _rejection("[artifacts] must map files to { role, drop_points }")
    candidates = [_candidate(folder, path, entry) for path, entry in artifacts.items()]

    program = table.get("program")
    if program is not None:
        candidates.append(_program(folder, program))
    return candidates


def declared_claims(table: dict[str, Any]) -> Iterator[Claim]:
    """The figures that ``[[claims]]`` states; raises SubmissionError."""
    import msgspec

    for entry in table.get("claims", ()):
        try:
            yield msgspec.convert(entry, type=Claim)
        except msgspec.ValidationError as error:
            raise _rejection(f"[[claims]]: {error}") from None


def _program(folder: Path, program: object) -> Candidate:
    """``[program]``: a Python file whose ``predict(images)`` gives labels, N + 1st included."""
    if not isinstance(program, dict) or not isinstance(program.get("file"), str):
        raise _rejection('[program] needs file = "..."')
    entry = {"role": "goodnet", "drop_points": program.get("drop_points")}
    candidate = _candidate(folder, program["file"], entry)
    if not candidate.path.endswith(".py"):
        raise _rejection(f"{candidate.path!r} is no Python file")
    return replace(candidate, format="program")


def _candidate(folder: Path, path: str, entry: object) -> Candidate:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise _rejection(f"{path!r} leads out of the submission")
    if not isinstance(entry, dict) or entry.get("role", "repaired") not in ROLES:
        raise _rejection(f"{path!r} needs a role, one of {', '.join(ROLES)}")

    points = entry.get("drop_points")
    if points is not None and (isinstance(points, bool) or not isinstance(points, int | float)):
        raise _rejection(f"{path!r}: drop_points must be a number")

    model_format, size = _format_and_size(folder, pure)
    return Candidate(
        path=pure.as_posix(),
        format=model_format,
        size_bytes=size,
        role=entry.get("role", "repaired"),
        drop_points=None if points is None else float(points),
        explicit=True,
    )


def _format_and_size(folder: Path, relative: PurePosixPath) -> tuple[str, int]:
    path = folder
    for part in relative.parts:  # a folder on the way may be the link that leads out
        path = path / part
        if not os.path.lexists(path):
            raise _rejection(f"{relative} is named there but is not in the submission")
        if path.is_symlink():
            raise rejection(str(relative), IS_A_LINK)

    if path.is_dir():
        return ("keras" if is_unpacked_keras(path) else "savedmodel"), 0
    information = path.lstat()
    check_regular(relative.as_posix(), information)
    return MODEL_FORMATS.get(path.suffix.lower(), "h5"), information.st_size


def _rejection(reason: str) -> SubmissionError:
    return rejection(FILE_NAME, reason)
