"""From a folder to a :class:`Submission`, by file names alone; no model is opened.

Names only give hints of role and X. ``submission.toml`` overrides them; what a model really
is (its outputs) is decided when it runs.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.submission import Candidate, Claim, Submission

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 8
MAX_ENTRIES = 5_000
MAX_MODEL_BYTES = 512 << 20
MAX_TOML_BYTES = 64 << 10
ROLES = ("repaired", "goodnet")

_MODEL_SUFFIXES = {".h5": "h5", ".hdf5": "h5", ".keras": "keras"}
_DATA_NAME = re.compile(
    r"^(bd_)?(valid|test)$|^(clean|bd|sunglasses|anonymous|eyebrows|lipstick|multi).*_(data|poisoned.*)$"
)
_BADNET_NAME = re.compile(
    r"^(?!.*(prun|repair|fix|good|prime|fine|clean))"
    r"(b|bad_?net|(anonymous_\d_|[a-z_]*)bd_?(net|model|weights)s?(_weights)?)$"
)
_MEASUREMENT = re.compile(r"(acc|accuracy|asr|loss|val|cda)\s*[=_:\- ]?\s*\d+(\.\d+)?")
_COPY_MARK = re.compile(r"\(\d+\)|\bv\d+\b|\bcopy\b|-\s*copy")
_EXPLICIT_X = (
    re.compile(r"(?<![a-z])x\s*[=_\- ]?\s*(\d+(?:\.\d+)?)"),
    re.compile(r"(\d+(?:\.\d+)?)[\s_\-]*(?:percent|per|pct|%)(?![a-z])"),
    re.compile(r"(?:prime|b')[\s_\-]*(\d+(?:\.\d+)?)"),
)
_NUMBER = re.compile(r"(?<![\d.])\d+(?:\.\d+)?(?![\d.])")
_GOODNET_NAME = re.compile(r"(?<![a-z])(good_?net|gn|g)(?![a-z])|goodnet")


def discover(folder: Path, required: tuple[float, ...] = (2.0, 4.0, 10.0)) -> Submission:
    """Return the submission in ``folder`` with the files that may be models.

    Raises HarnessError when the folder does not exist and SubmissionError when nothing in it
    can be graded or its ``submission.toml`` is not usable.
    """
    if not folder.is_dir():
        raise HarnessError(f"{folder}: no such folder; a submission is a folder with model files")
    table = _submission_table(folder)
    notes: list[str] = []
    if table.get("artifacts") or table.get("program"):
        candidates = [*_declared(folder, table), *_program(folder, table)]
    else:
        candidates = list(_named(folder, required, notes))
    if not candidates:
        raise SubmissionError(
            Status.REJECTED,
            f"no model in it (*.h5, *.hdf5, *.keras, a SavedModel folder){_hint(folder)}",
        )
    return Submission(
        name=folder.resolve().name,
        title=table.get("name"),
        folder=str(folder),
        candidates=tuple(sorted(candidates, key=lambda c: c.path)),
        claims=tuple(_claims(table)),
        benchmark=table.get("badnet"),
        notes=tuple(notes),
    )


def drop_points_in_name(path: str, required: tuple[float, ...]) -> float | None:
    """The X that a file name tells, or None when it tells none or several.

    ``pruned_bd_net_by_10_acc=84.4_asr=77.0.h5`` tells 10. The parent folder is asked when the
    file name is silent.
    """
    pure = PurePosixPath(path)
    stem = _stem(pure.name)
    own = _explicit_points(stem)
    if own is None:
        own = _single_number(stem, required)
    return own if own is not None else _folder_points(pure.parent.name.strip().lower())


def _stem(name: str) -> str:
    stem = name.strip().lower()
    for suffix in (".h5", ".hdf5", ".keras", ".weights"):
        stem = stem.removesuffix(suffix)
    return _COPY_MARK.sub(" ", _MEASUREMENT.sub(" ", stem)).strip()


def _explicit_points(text: str) -> float | None:
    for pattern in _EXPLICIT_X:
        found = set(pattern.findall(text))
        if len(found) == 1:
            return float(found.pop())
    return None


def _single_number(stem: str, required: tuple[float, ...]) -> float | None:
    numbers = {float(number) for number in _NUMBER.findall(stem)}
    if len(numbers) > 1:
        numbers &= set(required)
    return numbers.pop() if len(numbers) == 1 else None


def _folder_points(name: str) -> float | None:
    explicit = _explicit_points(name)
    return float(name) if explicit is None and _NUMBER.fullmatch(name) else explicit


def _named(folder: Path, required: tuple[float, ...], notes: list[str]) -> Iterator[Candidate]:
    for path, kind, size in _model_files(folder):
        pure = PurePosixPath(path)
        stem = _stem(pure.name)
        if _DATA_NAME.match(stem):
            notes.append(f"{path}: a data set by its name; left alone")
            continue
        if _BADNET_NAME.match(stem):
            notes.append(f"{path}: the BadNet by its name; left alone")
            continue
        points = drop_points_in_name(path, required)
        role = "goodnet" if _GOODNET_NAME.search(stem) else None
        yield Candidate(path=path, format=kind, size_bytes=size, role=role, drop_points=points)


def _model_files(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Yield (relative path, format, bytes); links and special files are rejected, not followed."""
    for path, information in entries_below(folder):
        relative = path.relative_to(folder).as_posix()
        if path.name == "saved_model.pb":
            parent = path.parent.relative_to(folder).as_posix()
            yield parent, "savedmodel", information.st_size
        elif (kind := _MODEL_SUFFIXES.get(path.suffix.lower())) is not None:
            check_regular(relative, information)
            yield relative, kind, information.st_size


def check_regular(relative: str, information: os.stat_result) -> None:
    """Raise SubmissionError unless ``lstat`` says a regular file of acceptable size."""
    if stat.S_ISLNK(information.st_mode):
        raise SubmissionError(Status.REJECTED, f"{relative}: a link; hand in the file itself")
    if not stat.S_ISREG(information.st_mode):
        raise SubmissionError(Status.REJECTED, f"{relative}: not a regular file")
    if information.st_size > MAX_MODEL_BYTES:
        raise SubmissionError(
            Status.REJECTED,
            f"{relative}: {information.st_size >> 20} MiB, more than the "
            f"{MAX_MODEL_BYTES >> 20} MiB that a model may have",
        )


def entries_below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield every file below ``folder`` with its ``lstat``; raises SubmissionError for too many."""
    pending = [(folder, 0)]
    seen = 0
    while pending:
        current, depth = pending.pop()
        for path in sorted(current.iterdir()):
            seen += 1
            if seen > MAX_ENTRIES or depth > MAX_DEPTH:
                raise SubmissionError(
                    Status.REJECTED,
                    f"more than {MAX_ENTRIES} files or {MAX_DEPTH} levels of folders",
                )
            if path.name.startswith((".", "__MACOSX")):
                continue
            information = path.lstat()
            if stat.S_ISDIR(information.st_mode):
                pending.append((path, depth + 1))
            else:
                yield path, information


def _hint(folder: Path) -> str:
    present = sorted(path.name for path, _ in entries_below(folder))
    shown = ", ".join(present[:5]) + (", ..." if len(present) > 5 else "")
    return f"; it holds {shown}" if present else "; the folder is empty"


# --- submission.toml --------------------------------------------------------------------------


def _submission_table(folder: Path) -> dict[str, Any]:
    path = folder / "submission.toml"
    if not os.path.lexists(path):
        return {}
    information = path.lstat()
    check_regular("submission.toml", information)
    if information.st_size > MAX_TOML_BYTES:
        raise _toml_error(f"larger than {MAX_TOML_BYTES >> 10} KiB")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise _toml_error(f"not valid TOML ({str(error)[:200]})") from None
    for key in ("name", "badnet"):
        if not isinstance(table.get(key, ""), str):
            raise _toml_error(f"{key} must be a text")
    return table


def _declared(folder: Path, table: dict[str, Any]) -> list[Candidate]:
    artifacts = table.get("artifacts", {})
    if not isinstance(artifacts, dict):
        raise _toml_error("[artifacts] must map files to { role, drop_points }")
    return [_declared_candidate(folder, path, entry) for path, entry in artifacts.items()]


def _program(folder: Path, table: dict[str, Any]) -> list[Candidate]:
    """``[program]``: a Python file whose ``predict(images)`` gives labels, N + 1st included."""
    program = table.get("program")
    if program is None:
        return []
    if not isinstance(program, dict) or not isinstance(program.get("file"), str):
        raise _toml_error('[program] needs file = "..."')
    entry = {"role": "goodnet", "drop_points": program.get("drop_points")}
    candidate = _declared_candidate(folder, program["file"], entry)
    if not candidate.path.endswith(".py"):
        raise _toml_error(f"{candidate.path!r} is no Python file")
    return [replace(candidate, format="program")]


def _declared_candidate(folder: Path, path: str, entry: object) -> Candidate:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise _toml_error(f"{path!r} leads out of the submission")
    if not isinstance(entry, dict) or entry.get("role", "repaired") not in ROLES:
        raise _toml_error(f"{path!r} needs a role, one of {', '.join(ROLES)}")
    points = entry.get("drop_points")
    if points is not None and (isinstance(points, bool) or not isinstance(points, int | float)):
        raise _toml_error(f"{path!r}: drop_points must be a number")
    kind, size = _declared_file(folder, pure)
    return Candidate(
        path=pure.as_posix(),
        format=kind,
        size_bytes=size,
        role=entry.get("role", "repaired"),
        drop_points=None if points is None else float(points),
        explicit=True,
    )


def _declared_file(folder: Path, pure: PurePosixPath) -> tuple[str, int]:
    path = folder
    for part in pure.parts:  # no component may be a link
        path = path / part
        if not os.path.lexists(path):
            raise _toml_error(f"{pure} is named there but is not in the submission")
        if path.is_symlink():
            raise SubmissionError(Status.REJECTED, f"{pure}: a link; hand in the file itself")
    if path.is_dir():
        return "savedmodel", 0
    check_regular(pure.as_posix(), path.lstat())
    return _MODEL_SUFFIXES.get(path.suffix.lower(), "h5"), path.lstat().st_size


def _claims(table: dict[str, Any]) -> Iterator[Claim]:
    import msgspec

    for entry in table.get("claims", ()):
        try:
            yield msgspec.convert(entry, type=Claim)
        except msgspec.ValidationError as error:
            raise _toml_error(f"[[claims]]: {error}") from None


def _toml_error(what: str) -> SubmissionError:
    return SubmissionError(Status.REJECTED, f"submission.toml: {what}")
