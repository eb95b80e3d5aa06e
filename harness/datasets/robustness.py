"""The sets on which the robustness of a repair is measured, and where they are.

``robustness/`` in a benchmark's data folder holds HDF5 files in the benchmark's own layout and
``robustness.toml``, which says of each what was done to the trigger. ``clean`` are images with
their true classes; all levels have the same images, labelled with what the attacker wants.
"""

from __future__ import annotations

import math
import subprocess
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from harness.datasets.description_text import (
    convert_table,
    name_problems,
    parse_table,
    path_problems,
    require_none,
    unknown_keys,
)
from harness.datasets.descriptions import (
    child_environment,
    python_command,
    require_published,
)
from harness.datasets.hdf5 import read_set
from harness.records.benchmark import ChangedTrigger, RobustnessSets
from harness.records.errors import HarnessError, describe_exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.datasets.hdf5 import CacheProtocol
    from harness.records.benchmark import Benchmark

FOLDER = "robustness"
DESCRIPTION = "robustness.toml"
SCHEMA_VERSION = 1

_LONGEST_UNIT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanImages:
    """``[clean]``: images without a trigger."""

    file: str
    """Beside the description."""

    hash: str | None = None
    """Of the file's arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One of ``[[levels]]``: a file of images with the trigger changed in one way."""

    kind: str
    level: float
    unit: str = ""

    own: bool = False
    """Whether it is the trigger as it was trained."""

    file: str
    """Beside the description; levels of several kinds may share one."""

    hash: str | None = None
    """Of the file's arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessDescription:
    """A ``robustness.toml``."""

    schema_version: int

    note: str = ""
    """Whose images these are."""

    clean: CleanImages
    levels: tuple[Level, ...]


def load_robustness(
    benchmark: Benchmark, folder: Path, cache: CacheProtocol | None = None
) -> RobustnessSets:
    """Read the sets of a benchmark; they are drawn first where it says how and they are missing.

    Raises HarnessError, with one line, where there are none, or a file is not what it should be.
    """
    path = folder / FOLDER / DESCRIPTION
    if not path.is_file():
        _draw(benchmark, folder, path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path}: cannot be read ({error})") from None
    described = parse_robustness(text, str(path))

    hashes = {level.file: level.hash for level in described.levels}
    hashes |= {described.clean.file: described.clean.hash}
    sets = {}
    for file, expected in hashes.items():
        name = "clean" if file == described.clean.file else f"bd_{file}"
        sets[file] = read_set(path.parent / file, name, benchmark, cache)
        require_published(
            sets[file], expected, [path.parent / file], f"{benchmark.name}, robustness"
        )

    triggers = tuple(
        ChangedTrigger(
            kind=each.kind, level=each.level, unit=each.unit, own=each.own, images=sets[each.file]
        )
        for each in described.levels
    )
    require_none(str(path), list(_pairing_problems(triggers)))
    return RobustnessSets(clean=sets[described.clean.file], triggers=triggers)


def _draw(benchmark: Benchmark, folder: Path, path: Path) -> None:
    """Have the sets drawn by a child process. Raises HarnessError where nothing says how."""
    if not benchmark.robustness:
        raise HarnessError(
            f"{path}: no such file; --robustness needs sets of changed triggers: make them as "
            "docs/extending.md says (files in the benchmark's layout, and this description), or "
            "grade without --robustness"
        )
    command = [*python_command(benchmark.robustness), "--out", str(folder)]
    finished = subprocess.run(
        command, check=False, env=child_environment(), stdout=subprocess.DEVNULL
    )
    if finished.returncode or not path.is_file():
        ending = describe_exit(finished.returncode) if finished.returncode else f"no {path}"
        raise HarnessError(f"{benchmark.name}: drawing changed triggers failed ({ending})")


# --- the description ------------------------------------------------------------------------------


def parse_robustness(text: str, where: str) -> RobustnessDescription:
    """The text of a ``robustness.toml``. Raises HarnessError that begins with ``where``."""
    table = parse_table(text, where)
    require_none(where, list(_key_problems(table)))
    described: RobustnessDescription = convert_table(table, RobustnessDescription, where)
    require_none(where, list(_problems(described)))
    return described


def _key_problems(table: Mapping[str, Any]) -> Iterator[str]:
    yield from unknown_keys(table, [field.name for field in fields(RobustnessDescription)], "")
    clean, levels = table.get("clean"), table.get("levels")
    if not isinstance(clean, dict):
        yield "[clean] is missing; it names the file of clean images"
    else:
        yield from unknown_keys(clean, [field.name for field in fields(CleanImages)], "[clean] ")
    if not isinstance(levels, list) or not all(isinstance(each, dict) for each in levels):
        yield "levels is a list of tables, each begun by [[levels]]"
        return
    for number, level in enumerate(levels, start=1):
        known = [field.name for field in fields(Level)]
        yield from unknown_keys(level, known, f"[[levels]] {number}: ")


def _problems(described: RobustnessDescription) -> Iterator[str]:
    yield from path_problems(described.clean.file, "[clean] file")
    if not any(level.own for level in described.levels):
        yield "no level has own = true; one of them is the trigger as it was trained"

    seen: dict[tuple[str, float], int] = {}
    hashes: dict[str, str | None] = {described.clean.file: described.clean.hash}
    units: dict[str, str] = {}
    for number, level in enumerate(described.levels, start=1):
        label = f"[[levels]] {number}"
        yield from name_problems(level.kind, f"{label}: kind")
        yield from path_problems(level.file, f"{label}: file")
        if not math.isfinite(level.level):
            yield f"{label}: level is {level.level}, no number"
        if len(level.unit) > _LONGEST_UNIT or not (level.unit.isprintable()):
            yield f"{label}: a unit is one line of at most {_LONGEST_UNIT} characters"
        if units.setdefault(level.kind, level.unit) != level.unit:
            yield f"{label}: {level.kind} is in {units[level.kind]!r} above, here in {level.unit!r}"
        other = seen.setdefault((level.kind, level.level), number)
        if other != number:
            yield f"{label}: {level.kind} {level.level:g} is [[levels]] {other}, too"
        if level.file == described.clean.file:
            yield f"{label} names the file of [clean]: {level.file}"
        elif hashes.setdefault(level.file, level.hash) != level.hash:
            yield f"{label} states another hash of {level.file} than an earlier level"


def _pairing_problems(triggers: tuple[ChangedTrigger, ...]) -> Iterator[str]:
    """Levels that cannot be of the same images, so that their curve means nothing."""
    first = triggers[0].images
    for each in triggers[1:]:
        if len(each.images.labels) != len(first.labels):
            yield (
                f"{each.images.name.removeprefix('bd_')} has {len(each.images.labels)} images, "
                f"{first.name.removeprefix('bd_')} {len(first.labels)}; all levels have the same"
            )
        elif (each.images.labels != first.labels).any():
            yield (
                f"{each.images.name.removeprefix('bd_')} has other labels than "
                f"{first.name.removeprefix('bd_')}; all levels have the same images in one order"
            )
