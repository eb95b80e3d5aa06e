"""X in the names of files, as people write them: `Lab 3/B'_10-2 (1).h5` tells 10.

A name is read on its own first. Where names of one pattern lie side by side (`run_10_2.h5`,
`run_10_4.h5`, `run_10_10.h5`) and that leaves an X open or taken twice, they are read as a set:
the number that differs tells X. What is read in any other way than plainly is marked, so that it
can be shown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.intake.file_rules import model_format, without_suffixes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LARGEST_POINTS = 100.0
_MOST_REQUIRED_IN_HUNDREDTHS = 100  # 0.02 is 2 points; 100 times smaller than any X

_WORDS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "twelve": "12", "fifteen": "15", "twenty": "20",
    "thirty": "30",
}  # fmt: skip
_WORD = re.compile(rf"(?<![a-z])({'|'.join(_WORDS)})(?![a-z])")
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_MEASUREMENT = re.compile(r"(acc|accuracy|asr|loss|val|cda)\s*[=_:\- ]?\s*\d+([.,]\d+)?")

_DATE = re.compile(r"(?<!\d)20\d\d([-_.]?)[01]\d\1[0-3]\d(?!\d)")

_NUMBER = re.compile(r"(?<!\d)(?<!\d[.,])(?:0,\d+|\d+\.\d+|(?<![a-z\d])\.\d+|\d+)(?!\d|[.,]\d)")
_BEFORE_X = re.compile(r"(?:(?<![a-z])x|prime|b'|drop(?:ped)?(?:_by)?)\s*[=_\- :]*$")
_AFTER_X = re.compile(r"^[\s_\-]*(?:percent|per|pct|points?|%)(?![a-z])|^[\s_\-]*drop(?![a-z])")
_COPY_MARK = re.compile(
    r"""
    \s*\(\d+\)                      # "model_2 (1)": a browser's second download
    | [\s_\-]*\bcopy[\s_\-]*\d*\b   # "model_2 - Copy", "model_2 copy 2": a file manager's
    | (?:[\s_\-]|\b)v\d+\b          # "model_2-v2"
    """,
    re.VERBOSE,
)
_UPLOAD_MARK = re.compile(r"(?<=[\w)%])[\-\s]\d{1,2}$")  # "model_2-2", "model_2 2": an upload's
_OTHER_COUNTS = re.compile(  # what else people count: "group_10", "epochs=10", "anonymous2"
    r"(?:anonymous|group|grp|team|hw|homework|assignment|lab|part|section|sec|task|seed|epochs?|"
    r"batch|student|attempt|try|run|final|new|version|ver|rev|fig|layers?|channels?|filters?|"
    r"neurons?|python|py|keras|tf)[\s_\-=]*$|(?:bd|bd_?net|badnet|fc|conv|pool)$"
)
_COUNTED = re.compile(r"^[\s_\-]*(?:channels?|filters?|neurons?|units|epochs?|layers?|ch)(?![a-z])")
_NET_LETTER = re.compile(r"(?<![a-z])(?:g|gn|b|net|good_?net)$")  # "G1" is a name, "G2" tells X


@dataclass(frozen=True, slots=True)
class Reading:
    """The X that a file's name tells."""

    points: float | None
    """None where it tells none, or several."""

    inferred: bool = False
    """Whether it was read in another way than plainly."""


@dataclass(frozen=True, slots=True)
class _Number:
    """A number in a name."""

    value: float
    kind: str
    """explicit ("x=2", "2 percent"), plain, letter ("G2"), mark (of a copy) or other."""


def read_points(paths: Iterable[str], required: Sequence[float]) -> dict[str, Reading]:
    """The X of each file, relative to the submission; one folder's names are read as a set.

    Files of another framework are a set of their own: the same nets may lie there twice.
    """
    paths = list(paths)
    sets = defaultdict(list)
    for path in paths:
        sets[PurePosixPath(path).parent, _framework(path)].append(path)

    readings: dict[str, Reading] = {}
    for members in sets.values():
        stems = {path: _stem(PurePosixPath(path).name) for path in members}
        readings |= _read_set(stems, required)
    folders = _read_folders({folder for path in paths for folder in _folders(path)}, required)
    return {path: _with_folders(path, readings[path], folders, required) for path in paths}


def _framework(path: str) -> str:
    form = model_format(PurePosixPath(path).name) or "h5"
    return "keras" if form in ("h5", "keras") else form


def points_in_name(path: str, required: Sequence[float]) -> float | None:
    """The X of a file that lies alone."""
    return read_points([path], required)[path].points


def without_copy_marks(stem: str) -> str:
    """A file's name, in lower case, without what downloads and file managers add to copies."""
    return _COPY_MARK.sub(" ", stem).strip()


# --- one name ---------------------------------------------------------------------------------


def _stem(name: str) -> str:
    """A file's name without suffixes, measurements (``acc=84.4``) and dates; words as digits."""
    lowered = without_suffixes(_CAMEL_CASE.sub("_", name.strip()))
    return _DATE.sub("_", _MEASUREMENT.sub("_", _with_digits(lowered))).strip()


def _with_digits(text: str) -> str:
    return _WORD.sub(lambda match: _WORDS[match.group()], text)


def _read_alone(stem: str, required: Sequence[float]) -> Reading:
    numbers = _numbers(stem)
    for kinds in (("explicit",), ("plain",)):
        values = [number.value for number in numbers if number.kind in kinds]
        points = _only_value(values, required)
        if points is not None:
            marked = any(number.kind == "mark" for number in numbers)
            return Reading(points, inferred=marked or points not in values)
        if values and kinds == ("plain",):
            return Reading(None)

    letters = {_points(number.value, required) for number in numbers if number.kind == "letter"}
    letters &= set(required)
    return Reading(letters.pop(), inferred=True) if len(letters) == 1 else Reading(None)


def _only_value(values: Sequence[float], required: Sequence[float]) -> float | None:
    """The only X among the numbers, or the only required one."""
    points = {_points(value, required) for value in values}
    if len(points) > 1:
        points &= set(required)
    return points.pop() if len(points) == 1 else None


def _points(value: float, required: Sequence[float]) -> float:
    """The number as X: 0.02 is a fraction where 2 is required."""
    if value not in required and 0 < value < 1:
        for points in required:
            if abs(value * _MOST_REQUIRED_IN_HUNDREDTHS - points) < 1e-9:
                return points
    return value


def _numbers(stem: str) -> list[_Number]:
    """All numbers of a name in their order. Marks of copies count as such beside others only."""
    marks = [match.span() for match in _COPY_MARK.finditer(stem)]
    end = min((start for start, stop in marks if stop == len(stem)), default=len(stem))
    upload = _UPLOAD_MARK.search(stem[:end])
    found = [(match, _kind(stem, match, marks)) for match in _NUMBER.finditer(stem)]
    if upload and any(match.end() <= upload.start() and kind != "other" for match, kind in found):
        found = [
            (match, "mark" if match.start() >= upload.start() and kind == "plain" else kind)
            for match, kind in found
        ]
    return [_Number(float(match.group().replace(",", ".")), kind) for match, kind in found]


def _kind(stem: str, match: re.Match[str], marks: Sequence[tuple[int, int]]) -> str:
    before, after = stem[: match.start()], stem[match.end() :]
    if any(start <= match.start() < stop for start, stop in marks):
        return "mark"
    if _BEFORE_X.search(before) or _AFTER_X.search(after):
        return "explicit"
    if _OTHER_COUNTS.search(before) or _COUNTED.search(after):
        return "other"
    return "letter" if _NET_LETTER.search(before) else "plain"


# --- names as a set ---------------------------------------------------------------------------


def _read_set(stems: Mapping[str, str], required: Sequence[float]) -> dict[str, Reading]:
    """Read names that lie side by side, by path."""
    readings = {path: _read_alone(stem, required) for path, stem in stems.items()}
    patterns = defaultdict(list)
    for path, stem in stems.items():
        patterns[_NUMBER.sub("#", stem)].append(path)

    for members in patterns.values():
        told = [readings[path].points for path in members]
        if len(members) < 2:
            continue
        if _is_numbering(told, required):
            readings |= {path: Reading(None) for path in members}
        elif None in told or len(set(told)) < len(told):
            elsewhere = {readings[path].points for path in readings if path not in members}
            column = _telling_column([stems[path] for path in members], required)
            if column and not elsewhere & set(column):
                pairs = zip(members, column, strict=True)
                readings |= {path: Reading(points, inferred=True) for path, points in pairs}
    return readings


def _telling_column(stems: Sequence[str], required: Sequence[float]) -> list[float] | None:
    """The numbers at the one place of a pattern where each name has another required X."""
    rows = [[_points(number.value, required) for number in _numbers(stem)] for stem in stems]
    columns = {tuple(column) for column in zip(*rows, strict=True)}
    telling = [
        column
        for column in columns
        if len(set(column)) == len(column) and set(column) <= set(required)
    ]
    return list(telling[0]) if len(telling) == 1 else None


def _is_numbering(told: Sequence[float | None], required: Sequence[float]) -> bool:
    """Whether names merely count their files: 1, 2, 3 says nothing of X."""
    counted = [set(range(first, first + len(told))) for first in (0, 1)]
    return set(told) in counted and len(told) == len(required) and set(told) != set(required)


# --- folders ----------------------------------------------------------------------------------


def _folders(path: str) -> list[PurePosixPath]:
    """The folders above a file, the nearest first, without the submission's own."""
    return list(PurePosixPath(path).parents)[:-1]


def _read_folders(
    folders: Iterable[PurePosixPath], required: Sequence[float]
) -> dict[PurePosixPath, float]:
    """The X that folders tell: alone ("X=2", "10"), or beside others of their pattern."""
    told = {}
    siblings = defaultdict(list)
    for folder in sorted(folders):
        name = _stem(folder.name)
        explicit = [number.value for number in _numbers(name) if number.kind == "explicit"]
        alone = _only_value(explicit, required)
        if alone is None and _NUMBER.fullmatch(name):
            alone = _points(float(name.replace(",", ".")), required)
        if alone is not None and alone <= _LARGEST_POINTS:
            told[folder] = alone
        siblings[folder.parent, _NUMBER.sub("#", name)].append(folder)

    for members in siblings.values():
        column = _telling_column([_stem(folder.name) for folder in members], required)
        if column and len(column) > 1:
            told |= dict(zip(members, column, strict=True))
    return told


def _with_folders(
    path: str,
    own: Reading,
    folders: Mapping[PurePosixPath, float],
    required: Sequence[float],
) -> Reading:
    """A file's own X, else that of the nearest folder that tells one."""
    explicit = any(
        number.kind == "explicit" for number in _numbers(_stem(PurePosixPath(path).name))
    )
    if own.points in required or (own.points is not None and explicit):
        return own
    for folder in _folders(path):
        if folder in folders:
            return Reading(folders[folder], inferred=folder != PurePosixPath(path).parent)
    return own if own.points is None or own.points <= _LARGEST_POINTS else replace(own, points=None)
