"""From a folder to a :class:`Submission`, by file names alone; no model is opened.

Names only give hints of role and X. ``submission.toml`` overrides them; what a model really
is (its outputs) is decided when it runs.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.intake.declarations import (
    declared_candidates,
    declared_claims,
    declares_candidates,
    read_declaration,
)
from harness.intake.file_rules import (
    MODEL_FORMATS,
    check_regular,
    files_below,
    is_unpacked_keras,
)
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.submission import Candidate, Submission

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA_NAME = re.compile(
    r"^(bd_)?(valid|test)$|^(clean|bd|sunglasses|anonymous|eyebrows|lipstick|multi).*_(data|poisoned.*)$"
)
_BADNET_NAME = re.compile(
    r"^(?!.*(prun|repair|fix|good|prime|fine|clean))"
    r"(b|bad_?net|(anonymous_\d_|[a-z_]*)bd_?(net|model|weights)s?(_weights)?)$"
)
_MEASUREMENT = re.compile(r"(acc|accuracy|asr|loss|val|cda)\s*[=_:\- ]?\s*\d+(\.\d+)?")
_COPY_MARK = re.compile(r"\(\d+\)|\bv\d+\b|\bcopy\b|-\s*copy")
_EXPLICIT_X = (  # "x=10", "10 percent", "prime_10"
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

    table = read_declaration(folder)
    notes: list[str] = []
    if declares_candidates(table):
        candidates = declared_candidates(folder, table)
    else:
        candidates, notes = _candidates_by_name(folder, required)
    if not candidates:
        raise SubmissionError(
            Status.REJECTED,
            f"no model in it (*.h5, *.hdf5, *.keras, a SavedModel folder){_content_hint(folder)}",
        )

    return Submission(
        name=folder.resolve().name,
        title=table.get("name"),
        folder=str(folder),
        candidates=tuple(sorted(candidates, key=lambda candidate: candidate.path)),
        claims=tuple(declared_claims(table)),
        benchmark=table.get("badnet"),
        notes=tuple(notes),
    )


def _candidates_by_name(
    folder: Path, required: tuple[float, ...]
) -> tuple[list[Candidate], list[str]]:
    """The candidates, and a note for each file that is left alone."""
    candidates, notes = [], []
    for path, model_format, size in _model_files(folder):
        stem = _stem(PurePosixPath(path).name)
        if _DATA_NAME.match(stem):
            notes.append(f"{path}: a data set by its name; left alone")
        elif _BADNET_NAME.match(stem):
            notes.append(f"{path}: the BadNet by its name; left alone")
        else:
            candidate = Candidate(
                path=path,
                format=model_format,
                size_bytes=size,
                role="goodnet" if _GOODNET_NAME.search(stem) else None,
                drop_points=drop_points_in_name(path, required),
            )
            candidates.append(candidate)
    return candidates, notes


def _model_files(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Yield (relative path, format, bytes); links and special files are rejected, not followed."""
    for path, information in files_below(folder):
        relative = path.relative_to(folder).as_posix()
        model_format = MODEL_FORMATS.get(path.suffix.lower())
        if path.name == "saved_model.pb":
            parent = path.parent.relative_to(folder).as_posix()
            yield parent, "savedmodel", information.st_size
        elif path.name == "model.weights.h5" and is_unpacked_keras(path.parent):
            yield path.parent.relative_to(folder).as_posix(), "keras", information.st_size
        elif model_format is not None:
            check_regular(relative, information)
            yield relative, model_format, information.st_size


def _content_hint(folder: Path) -> str:
    present = sorted(path.name for path, _ in files_below(folder))
    if not present:
        return "; the folder is empty"
    shown = ", ".join(present[:5]) + (", ..." if len(present) > 5 else "")
    return f"; it holds {shown}"


# --- X in names -------------------------------------------------------------------------------


def drop_points_in_name(path: str, required: tuple[float, ...]) -> float | None:
    """The X that a file name tells, or None when it tells none or several.

    ``pruned_bd_net_by_10_acc=84.4_asr=77.0.h5`` tells 10. Where the file name tells nothing, the
    name of its folder decides.
    """
    pure = PurePosixPath(path)
    stem = _stem(pure.name)
    points = _explicit_points(stem)
    if points is None:
        points = _single_number(stem, required)
    if points is None:
        points = _points_of_folder(pure.parent.name.strip().lower())
    return points


def _stem(name: str) -> str:
    """A file name without suffixes, measurements (``acc=84.4``) and marks of copies (``(1)``)."""
    stem = name.strip().lower()
    for suffix in (*MODEL_FORMATS, ".weights"):
        stem = stem.removesuffix(suffix)
    return _COPY_MARK.sub(" ", _MEASUREMENT.sub(" ", stem)).strip()


def _explicit_points(text: str) -> float | None:
    for pattern in _EXPLICIT_X:
        values = set(pattern.findall(text))
        if len(values) == 1:
            return float(values.pop())
    return None


def _single_number(stem: str, required: tuple[float, ...]) -> float | None:
    numbers = {float(number) for number in _NUMBER.findall(stem)}
    if len(numbers) > 1:
        numbers &= set(required)
    return numbers.pop() if len(numbers) == 1 else None


def _points_of_folder(name: str) -> float | None:
    points = _explicit_points(name)
    if points is None and _NUMBER.fullmatch(name):
        points = float(name)
    return points
