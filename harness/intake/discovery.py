"""From a folder to a :class:`Submission`, by file names alone; no model is opened.

Names only give hints of role and X. ``submission.toml`` overrides them; what a model really
is (its outputs) is decided when it runs.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.intake.checkpoint_names import Reading, read_points, without_copy_marks
from harness.intake.declarations import (
    FILE_NAME,
    declared_claims,
    declared_files,
    declares_candidates,
    read_declaration,
)
from harness.intake.file_rules import (
    ARRAY_FORMATS,
    FOREIGN_FORMATS,
    MODEL_FORMATS,
    RUN_FORMATS,
    check_regular,
    files_below,
    graph_beside,
    is_unpacked_keras,
    model_format,
    without_suffixes,
)
from harness.networks.hdf5_errors import HDF5_MAGIC
from harness.networks.tensor_files.refusals import refusal
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.submission import Candidate, Submission

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from harness.records.submission import Declaration

_DATA_NAME = re.compile(
    r"^(bd_)?(valid|test)$|^(clean|bd|sunglasses|anonymous|eyebrows|lipstick|multi).*_(data|poisoned.*)$"
)
BADNET_NAME = re.compile(
    r"^(?!.*(prun|repair|fix|good|prime|fine|clean))"
    r"(b|bad_?net|(anonymous_\d_|[a-z_]*)bd_?(net|model|weights)s?(_weights)?)$"
)
_GOODNET_NAME = re.compile(r"(?<![a-z])(good_?net|gn|g)(?![a-z])|goodnet")
_GOODNET_FOLDER = re.compile(r"(good_?nets?|gn|g)(_?models?)?")
_MODELS = ("savedmodel", *MODEL_FORMATS.values())
_ALONE = (*ARRAY_FORMATS.values(), *RUN_FORMATS.values())
_NEVER_MODELS = (".mat", ".py", ".png", ".jpg", ".pdf", ".csv", ".md", ".ipynb")


def discover(folder: Path, required: tuple[float, ...] = (2.0, 4.0, 10.0)) -> Submission:
    """Return the submission in ``folder`` with the files that may be models.

    Raises HarnessError when the folder does not exist and SubmissionError when nothing in it
    can be graded or its ``submission.toml`` is not usable.
    """
    if not folder.is_dir():
        raise HarnessError(f"{folder}: no such folder; a submission is a folder with model files")

    declaration = read_declaration(folder)
    notes: list[str] = []
    if declares_candidates(declaration):
        candidates, notes = _declared_candidates(folder, declaration, required)
    else:
        candidates, notes = _candidates_by_name(folder, required)
    if not candidates:
        raise SubmissionError(
            Status.REJECTED,
            "no model in it (*.h5, *.keras, *.pt, *.safetensors, *.npz, *.onnx, a SavedModel "
            f"folder){content_hint(folder)}",
        )

    return Submission(
        name=folder.resolve().name,
        title=declaration.name,
        folder=str(folder),
        candidates=tuple(sorted(candidates, key=lambda candidate: candidate.path)),
        claims=tuple(declared_claims(declaration)),
        benchmark=declaration.badnet,
        notes=declaration.notes + tuple(notes),
    )


def _declared_candidates(
    folder: Path, declaration: Declaration, required: tuple[float, ...]
) -> tuple[list[Candidate], list[str]]:
    """What ``submission.toml`` names; where a file is gone, also what may have been renamed.

    The other files that may be models have a note, unless a program may read them.
    """
    declared = declared_files(folder, declaration)
    undeclared: list[Candidate] = []
    with suppress(SubmissionError):  # they need not be anything
        undeclared, _ = _candidates_by_name(folder, required)
    named = {candidate.path for candidate in declared.candidates}
    others = [each for each in undeclared if each.path not in named and not each.named_badnet]

    instead = [each for each in others if each.role is None and _may_be_one_of(each, declared.gone)]
    left = [each.path for each in others if each not in instead]
    notes = [*declared.notes]
    if left and not (declaration.program or declaration.programs):
        notes.append(f"{', '.join(left)}: left aside: {FILE_NAME} does not name it")
    return declared.candidates + instead, notes


def _may_be_one_of(candidate: Candidate, gone: Collection[float]) -> bool:
    """Whether it may be a repaired net that is not where ``submission.toml`` says it is."""
    return bool(gone) and (candidate.drop_points is None or candidate.drop_points in gone)


def _candidates_by_name(
    folder: Path, required: tuple[float, ...]
) -> tuple[list[Candidate], list[str]]:
    """The candidates, and a note for each file that is left alone."""
    files, notes, refusals = [], [], []
    for path, form, information in _model_files(folder):
        if _DATA_NAME.match(stem_of(path)):
            notes.append(f"{path}: a data set by its name; left alone")
            continue
        try:
            check_regular(path, information)
        except SubmissionError as error:
            refusals.append(error)
        else:
            files.append((path, form, information.st_size))
    if refusals and not files:
        raise refusals[0]
    notes += [f"{error.reason}; left alone" for error in refusals]

    others = [path for path, *_ in files if not BADNET_NAME.match(stem_of(path))]
    readings = read_points(others, required)
    files = _counting(files, readings)
    candidates = []
    for path, form, size in files:
        reading = readings.get(path, Reading(None))
        candidate = Candidate(
            path=path,
            format=form,
            size_bytes=size,
            role="goodnet" if _is_named_goodnet(path) else None,
            drop_points=reading.points,
            inferred=reading.inferred,
            named_badnet=path not in readings,
            graph=graph_beside(folder, path) if form == "h5" else None,
        )
        candidates.append(candidate)
    return candidates, notes


_File = tuple[str, str, int]
"""Path, format and size of a file that may be a model."""


def _counting(files: Sequence[_File], readings: Mapping[str, Reading]) -> list[_File]:
    """The files without those that are something else by all that names tell.

    Arrays and files of other frameworks may be anything. Beside models they count where they tell
    an X: an ``.npz`` always, others where no model tells it.
    """

    def is_model(file: _File) -> bool:
        return file[1] in _MODELS and file[0] in readings

    told = {readings[file[0]].points for file in files if is_model(file)}
    counting = []
    for file in files:
        path, form, _ = file
        points = readings.get(path, Reading(None)).points
        tells = points is not None and (form == "npz" or points not in told)
        stands_alone = form in _ALONE and not told
        if form in _MODELS or tells or stands_alone:
            counting.append(file)
    return counting


def stem_of(path: str) -> str:
    """A file's name in lower case, without the suffixes of models and marks of copies."""
    return without_copy_marks(without_suffixes(PurePosixPath(path).name.strip()))


def _is_named_goodnet(path: str) -> bool:
    folders = (folder.name.strip().lower() for folder in PurePosixPath(path).parents)
    return bool(_GOODNET_NAME.search(stem_of(path))) or any(map(_GOODNET_FOLDER.fullmatch, folders))


def _model_files(folder: Path) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield what is named like a model: relative path, format and ``lstat``.

    A SavedModel and an unpacked ``.keras`` are folders, with the ``lstat`` of one of their files.
    """
    for path, information in files_below(folder):
        parent = path.parent.relative_to(folder).as_posix()
        form = model_format(path.name)
        if path.name == "saved_model.pb":
            yield parent, "savedmodel", information
        elif is_unpacked_keras(path.parent):
            if path.name == "model.weights.h5":
                yield parent, "keras", information
        elif (path.parent / "saved_model.pb").exists():
            continue  # what a SavedModel keeps beside its graph
        elif form is not None or _is_hdf5(path, information):
            yield path.relative_to(folder).as_posix(), form or "h5", information


def _is_hdf5(path: Path, information: os.stat_result) -> bool:
    """Whether a file without a model's suffix begins like HDF5: `model_10.h5.txt`, `model_10`."""
    if not stat.S_ISREG(information.st_mode) or path.suffix.lower() in _NEVER_MODELS:
        return False
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(len(HDF5_MAGIC)) == HDF5_MAGIC
    return False


def content_hint(folder: Path) -> str:
    """What there is instead of a model, and what to do about it."""
    present = sorted(path.name for path, _ in files_below(folder))
    if not present:
        return "; the folder is empty"
    shown = ", ".join(present[:5]) + (", ..." if len(present) > 5 else "")
    return f"; it holds {shown}{_advice(present)}"


def _advice(present: Sequence[str]) -> str:
    """What to hand in instead of these files."""

    def first(suffixes: tuple[str, ...]) -> str | None:
        return next((name for name in present if name.lower().endswith(suffixes)), None)

    if name := first((".zip", ".rar", ".7z", ".gz", ".tgz", ".tar", ".xz", ".bz2")):
        return f": unpack {name}, or hand in that archive alone"
    if name := first(tuple(FOREIGN_FORMATS)):
        return f": {name} is {refusal(b'', PurePosixPath(name).suffix)}"
    if name := first((".py",)):
        return f': to have a program graded, name it in submission.toml: [program] file = "{name}"'
    return ": save each repaired net with model.save() and hand in the files"
