"""What an author is told of a failure in the defence's own code: file and line, in one line.

The call stack, of the author's own files alone, is printed before it. Used by children only.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from harness.inference.defences.worker import STACK
from harness.inference.loading import run_file
from harness.records.text import describe_error, join_lines

if TYPE_CHECKING:
    from types import ModuleType

_MOST_FRAMES = 40


class OwnCodeError(Exception):
    """The defence's own code has failed; the message is one line for its author."""


def import_defence(folder: Path, file: str) -> ModuleType:
    """The module of a defence's file. Raises OwnCodeError."""
    try:
        return run_file(folder / file)
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001 - a stranger's code raises anything
        raise own_code_error("the defence cannot be imported", error, folder) from None


def own_code_error(what: str, error: BaseException, folder: Path) -> OwnCodeError:
    """What is said of an exception in code below ``folder``; its call stack goes to stderr."""
    frames = _own_frames(error, folder)
    described = describe_error(error)
    if isinstance(error, SyntaxError):  # whose text ends with the place, too
        described = f"{type(error).__name__}: {join_lines(error.msg)}"
    print(STACK, *(f"  {place}, in {where}" for place, where in frames), described,
          sep="\n", file=sys.stderr)  # fmt: skip
    place = f"{frames[-1][0]}: " if frames else ""
    return OwnCodeError(f"{what}: {place}{described}{_hint(error, folder)}")


def _own_frames(error: BaseException, folder: Path) -> list[tuple[str, str]]:
    """The author's lines that led to it, as ``defence.py line 3``, and what stands there."""
    frames = [
        (f"{name} line {frame.lineno}", f"{frame.name}: {frame.line}")
        for frame in traceback.extract_tb(error.__traceback__)
        if (name := _own_name(frame.filename, folder)) is not None
    ]
    if isinstance(error, SyntaxError) and error.filename:  # the line itself was never run
        name = _own_name(error.filename, folder)
        if name is not None:
            text = (error.text or "").strip()
            frames.append((f"{name} line {error.lineno}", f"<module>: {text}"))
    return frames[-_MOST_FRAMES:]


def _own_name(file: str, folder: Path) -> str | None:
    """A file of the author's as it is called below ``folder``; None for any other."""
    path = Path(file)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None


def _hint(error: BaseException, folder: Path) -> str:
    """Where a module may come from that is missing."""
    if not isinstance(error, ModuleNotFoundError):
        return ""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    if len(files) > 1:
        return "; it is neither installed here nor a file in the defence's folder"
    return (
        "; it is not installed here, and a defence that is one file comes without the files beside "
        "it: put both into a folder, the defence as defence.py, and name the folder"
    )
