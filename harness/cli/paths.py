"""What a path on the command line must be, found out before anything is read or written.

Each is the ``type`` of an option or argument. What is wrong with a path is one line, exit code 2.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DATASET", "DATASET_OR_COMPETITION", "IN_DATA", "IN_FILE", "IN_FOLDER", "OUT_FILE",
    "OUT_FOLDER", "RESULTS", "RESULTS_TO_WRITE", "SUBMISSION", "SUBMISSIONS",
]  # fmt: skip


class PathError(click.ClickException):
    """A path that cannot be used: one line, without click's lines on usage."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Say so as every other error is said."""
        click.echo(f"error: {self.message}", err=True, file=file)


class CheckedPath(click.ParamType):  # type: ignore[type-arg]
    """A path of which ``problem`` says what is wrong with it, or None."""

    name = "path"

    def __init__(self, problem: Callable[[Path], str | None]) -> None:
        self._problem = problem

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; raises PathError."""
        del ctx
        path = Path(value)
        _refuse(path, self._problem, param)
        return path


class CheckedAddress(CheckedPath):
    """A folder, looked at by ``problem``, or an address that whoever opens it looks at."""

    def convert(  # type: ignore[override]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The text as it is; raises PathError."""
        from harness.storage.remote import is_address

        if not is_address(value):
            super().convert(value, param, ctx)
        return str(value)


class DatasetName(click.ParamType):  # type: ignore[type-arg]
    """A benchmark's name, or a folder with one; a competition's where ``competitions``."""

    name = "dataset"

    def __init__(self, *, competitions: bool = False) -> None:
        self._competitions = competitions

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is; raises PathError."""
        del param, ctx
        from harness.datasets.competitions import is_competition, load_competition
        from harness.datasets.descriptions import load_benchmark

        try:
            if self._competitions and is_competition(value):
                load_competition(value)
            else:
                load_benchmark(value)
        except HarnessError as error:
            raise PathError(str(error)) from None
        return str(value)


def _refuse(
    path: Path, find_problem: Callable[[Path], str | None], param: click.Parameter | None
) -> None:
    try:
        problem = find_problem(path)
    except OSError as error:  # of a folder on the way that may not be entered
        problem = f"cannot be looked at ({error.strerror})"
    if problem is not None:
        raise PathError(f"{path}: {problem}{_purpose(param)}")


def _purpose(param: click.Parameter | None) -> str:
    if not isinstance(param, click.Option):
        return ""
    return f" ({param.opts[0]})"


# --- what is wrong with a path ------------------------------------------------------------------


def _file_problem(path: Path) -> str | None:
    if path.is_dir():
        return "a folder, not a file"
    if not path.exists():
        return "no such file"
    return None if os.access(path, os.R_OK) else "may not be read"


def _folder_problem(path: Path) -> str | None:
    if not path.exists():
        return "no such folder"
    if not path.is_dir():
        return "a file, not a folder"
    return None if os.access(path, os.R_OK | os.X_OK) else "may not be read"


def _data_problem(path: Path) -> str | None:
    if not path.exists():
        return "no such file or folder"
    return _folder_problem(path) if path.is_dir() else _file_problem(path)


def _results_problem(path: Path) -> str | None:
    problem = _folder_problem(path)
    return problem and f"{problem}; a results folder is what `grade --out` writes"


def _submission_problem(path: Path) -> str | None:
    from harness.intake.entries import path_problem

    problem = path_problem(path)
    if problem is None and not os.access(path, os.R_OK):
        problem = "may not be read"
    return problem


def _submissions_problem(path: Path) -> str | None:
    if not path.exists():
        return "no such folder; --each takes a folder of submissions or a bulk download"
    return _submission_problem(path)


def _out_folder_problem(path: Path) -> str | None:
    if path.exists() or path.is_symlink():
        if not path.is_dir():
            return "a file, not a folder; name another"
        return _unwritable(path)
    return _parent_problem(path)


def _out_file_problem(path: Path) -> str | None:
    if path.is_dir():
        return "a folder; name a file"
    if path.exists() and not path.is_file():
        return None  # a device or a pipe, as in --out /dev/stdout
    return _parent_problem(path)


def _parent_problem(path: Path) -> str | None:
    """What keeps folders and files from being made there."""
    parent = path.absolute().parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir():
        return f"cannot be made: {parent} is a file"
    problem = _unwritable(parent)
    return problem and f"cannot be made: {parent} {problem}"


def _unwritable(folder: Path) -> str | None:
    """Why no file can be made in a folder; found by making one, which is gone at once."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"cannot be written to ({error.strerror})"


IN_FILE = CheckedPath(_file_problem)
IN_DATA = CheckedPath(_data_problem)
IN_FOLDER = CheckedPath(_folder_problem)
OUT_FILE = CheckedPath(_out_file_problem)
OUT_FOLDER = CheckedPath(_out_folder_problem)
SUBMISSION = CheckedPath(_submission_problem)
SUBMISSIONS = CheckedPath(_submissions_problem)
RESULTS = CheckedAddress(_results_problem)
RESULTS_TO_WRITE = CheckedAddress(_out_folder_problem)
DATASET = DatasetName()
DATASET_OR_COMPETITION = DatasetName(competitions=True)
