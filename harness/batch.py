"""Many submissions: which folders, and a record for each whatever happens to the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.grade import grade_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.bench import Bench
    from harness.records import Record

DEFAULT_FOLDER = Path("submissions")


def submission_folders(paths: Sequence[Path], each: Path | None) -> list[Path]:
    """The folders to grade: ``paths``, then every child folder of ``each``.

    Without either, every child folder of ``submissions``.
    """
    if not paths and each is None:
        each = DEFAULT_FOLDER
    children = _children(each) if each is not None else []
    return [*paths, *children]


def _children(each: Path) -> list[Path]:
    if not each.is_dir():
        raise HarnessError(f"{each}: no such folder; --each takes a folder of submissions")
    children = sorted(p for p in each.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not children:
        raise HarnessError(f"{each}: no submission folders in it")
    return children


def grade_batch(folders: Sequence[Path], bench: Bench) -> tuple[list[Record], list[str]]:
    """Grade and store each folder; returns records and one line for each folder that is missing."""
    records, problems = [], []
    for folder, name in zip(folders, _names(folders), strict=True):
        try:
            record = replace(grade_folder(folder, bench), submission=name)
        except HarnessError as error:
            problems.append(str(error))
            continue
        bench.store.put_record(record)
        records.append(record)
    return records, problems


def _names(folders: Sequence[Path]) -> list[str]:
    """Names for the records; folders of the same name get a number, so that none is lost."""
    seen: dict[str, int] = {}
    names = []
    for folder in folders:
        name = folder.resolve().name.encode("utf-8", "replace").decode()
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names
