"""What the files of a submission may be: formats, limits, and no links."""

from __future__ import annotations

import re
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.networks.tensor_files.refusals import OTHER_SUFFIXES
from harness.records.errors import Status, SubmissionError
from harness.records.text import one_line

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

MAX_DEPTH = 8
"""Levels of folders in a submission."""

MAX_ENTRIES = 5_000
"""Files and folders in a submission."""

MAX_MODEL_BYTES = 512 << 20

MODEL_FORMATS = {
    ".h5": "h5", ".hdf5": "h5", ".keras": "keras", ".safetensors": "safetensors",
    ".pt": "pt", ".pth": "pth", ".pt.tar": "pt", ".pth.tar": "pth",
}  # fmt: skip
"""The format of a model file by its suffix."""

ARRAY_FORMATS = {".npz": "npz", ".npy": "npy"}
"""The same of files that may hold a model, a mask, or arrays of any other meaning."""

RUN_FORMATS = {
    ".onnx": "onnx", ".tflite": "litert", ".lite": "litert", ".torchscript": "torchscript",
}  # fmt: skip
"""The same of models that a runtime of another framework runs."""

FOREIGN_FORMATS = {
    suffix: suffix[1:] for suffix in OTHER_SUFFIXES
    if suffix not in MODEL_FORMATS and suffix not in RUN_FORMATS
}  # fmt: skip
"""The same of files that are refused, mostly: it is said what to hand in instead."""

ALL_FORMATS = MODEL_FORMATS | ARRAY_FORMATS | RUN_FORMATS | FOREIGN_FORMATS
"""The formats of files of all these kinds by their suffixes."""

SUFFIXES = sorted(ALL_FORMATS, key=len, reverse=True)
"""How the names of all these end, the longest first."""

MAX_GRAPH_BYTES = 8 << 20
"""Of the JSON that holds a model's graph."""

_GRAPH_NAMES = ("model", "architecture", "arch", "network", "model_architecture", "model_config")
"""What people call the one graph of several files of weights."""

_WEIGHTS_WORD = re.compile(r"[._-]?weights?(?=[._-]|$)")

HIDDEN_PREFIXES = (".", "__MACOSX")
"""How names begin that are left out: hidden files, and what macOS adds to a zip."""

_INSTALLED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}
"""Folders of installed software: thousands of files, where a whole project is handed in."""

_SHOWN_CHARACTERS = 200

IS_A_LINK = "a link; hand in the file itself"
NOT_REGULAR = "not a regular file"


def rejection(name: str, reason: str) -> SubmissionError:
    """The error that rejects a submission because of one of its files, whatever it is called."""
    return SubmissionError(Status.REJECTED, f"{one_line(name, _SHOWN_CHARACTERS)}: {reason}")


def check_regular(relative: str, information: os.stat_result) -> None:
    """Raise SubmissionError unless ``lstat`` says a regular file of acceptable size."""
    if stat.S_ISLNK(information.st_mode):
        raise rejection(relative, IS_A_LINK)
    if not stat.S_ISREG(information.st_mode):
        raise rejection(relative, NOT_REGULAR)
    if information.st_size > MAX_MODEL_BYTES:
        raise rejection(
            relative,
            f"{information.st_size >> 20} MiB, more than the "
            f"{MAX_MODEL_BYTES >> 20} MiB that a model may have",
        )


def model_format(name: str) -> str | None:
    """The format of a file that may be a model, by its name; None for one that is none."""
    lowered = name.lower()
    return next((ALL_FORMATS[suffix] for suffix in SUFFIXES if lowered.endswith(suffix)), None)


def without_suffixes(name: str) -> str:
    """A file's name, in lower case, without what says that it is a model or its weights."""
    lowered = name.lower()
    for suffix in (".txt", *SUFFIXES, ".weights"):
        lowered = lowered.removesuffix(suffix)
    return lowered


def graph_beside(folder: Path, path: str) -> str | None:
    """The JSON file that by its name has the graph of a file of weights; None where none has.

    That is ``model_2.json`` beside ``model_2.h5`` or ``model_2_weights.h5``, or one called so that
    it may be of all weights in its folder.
    """
    own = PurePosixPath(path)
    stem = without_suffixes(own.name)
    wanted = [stem, _WEIGHTS_WORD.sub("", stem).strip("._-")]
    wanted += [f"{each}{end}" for each in wanted for end in ("_model", "_architecture", "_config")]
    found = {
        other.stem.lower(): other
        for other in sorted((folder / own.parent).glob("*.json"), reverse=True)
    }
    for name in (*wanted, *_GRAPH_NAMES):
        if name in found:
            information = found[name].lstat()
            is_plain = stat.S_ISREG(information.st_mode)
            if is_plain and information.st_size <= MAX_GRAPH_BYTES:
                return (own.parent / found[name].name).as_posix()
    return None


def graph_of_badnet(path: Path) -> Path | None:
    """The JSON file beside a BadNet's that may say what network its arrays are of."""
    beside = graph_beside(path.parent, path.name)
    return None if beside is None else path.parent / beside


def is_unpacked_keras(folder: Path) -> bool:
    """Whether a folder is a ``.keras`` file that was unpacked, or never packed."""
    return all((folder / name).is_file() for name in ("config.json", "model.weights.h5"))


def files_below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield every file below ``folder`` with its ``lstat``; raises SubmissionError for too many.

    Hidden files and folders are left out, and installed software. Links are yielded, not followed.
    """
    pending = [(folder, 0)]
    entries = 0
    while pending:
        current, depth = pending.pop()
        for path in _children(current, folder):
            entries += 1
            if entries > MAX_ENTRIES or depth > MAX_DEPTH:
                raise SubmissionError(
                    Status.REJECTED,
                    f"more than {MAX_ENTRIES} files or {MAX_DEPTH} levels of folders",
                )
            if path.name.startswith(HIDDEN_PREFIXES):
                continue

            information = path.lstat()
            if stat.S_ISDIR(information.st_mode):
                if path.name in _INSTALLED_FOLDERS or (path / "pyvenv.cfg").exists():
                    continue
                pending.append((path, depth + 1))
            else:
                yield path, information


def _children(current: Path, folder: Path) -> list[Path]:
    try:
        return sorted(current.iterdir())
    except PermissionError:
        name = current.relative_to(folder).as_posix() if current != folder else folder.name
        raise rejection(name, "may not be read; hand it in with read permission") from None
