"""Rubrics on disk: the one that comes with the harness, and those of instructors."""

from __future__ import annotations

import logging
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError
from harness.records.rubric import SCHEMA_VERSION, Rubric
from harness.storage.rubric_text import missing_keys, parse_rubric

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)


@cache
def default_rubric() -> Rubric:
    """The rubric for lab3 that comes with the harness."""
    return parse_rubric(default_rubric_text(), "rubric.toml")


def default_rubric_text() -> str:
    """Its text, with comments."""
    return files("harness.assessment").joinpath("rubric.toml").read_text(encoding="utf-8")


def read_rubric(path: Path) -> Rubric:
    """An instructor's rubric. Raises HarnessError that names the file and what is wrong.

    An older one is read, and one line on the log says which defaults it takes.
    """
    text = read_rubric_text(path)
    rubric = parse_rubric(text, str(path))
    if rubric.schema_version < SCHEMA_VERSION:
        _warn_once(
            f"{path}: a rubric of version {rubric.schema_version}; what it leaves out has its "
            f"default ({', '.join(missing_keys(text)) or 'nothing'}), and lineage.void is "
            f"{', '.join(rubric.lineage.void)}; docs/rubric.md describes version {SCHEMA_VERSION}"
        )
    return rubric


def read_rubric_text(path: Path) -> str:
    """The text of a rubric's file. Raises HarnessError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: not a text in UTF-8") from None


@cache
def _warn_once(line: str) -> None:
    """Log a line, the first time that this process has it to say."""
    _log.warning(line)


def rubric_of(results: Path) -> Rubric:
    """The rubric in a results folder, else the one that comes with the harness."""
    path = results / "rubric.toml"
    return read_rubric(path) if path.is_file() else default_rubric()
