"""Rubrics on disk: the one that comes with the harness, and those of instructors."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError
from harness.records.rubric import Rubric, parse_rubric

if TYPE_CHECKING:
    from pathlib import Path


@cache
def default_rubric() -> Rubric:
    """The rubric for lab3 that comes with the harness."""
    text = files("harness.assessment").joinpath("rubric.toml").read_text(encoding="utf-8")
    return parse_rubric(text, "rubric.toml")


def read_rubric(path: Path) -> Rubric:
    """An instructor's rubric. Raises HarnessError that names the file and what is wrong."""
    try:
        return parse_rubric(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: not a text in UTF-8") from None


def rubric_of(results: Path) -> Rubric:
    """The rubric in a results folder, else the one that comes with the harness."""
    path = results / "rubric.toml"
    return read_rubric(path) if path.is_file() else default_rubric()
