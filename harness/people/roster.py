"""Who handed in what: an instructor's ``roster.csv``, or a gradebook of Canvas or Brightspace."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One line of a roster: a submission and whose it is."""

    folder: str
    """Name of the submission's folder or archive; empty in a platform's gradebook."""

    name: str = ""

    login: str = ""
    """Canvas's SIS Login ID, Brightspace's Username."""

    student_id: str = ""
    sis_id: str = ""
    org_defined_id: str = ""
    section: str = ""
    attempt: int | None = None

    submitted_at: str = ""
    """ISO 8601, like ``due_at``."""

    due_at: str = ""

    late: bool | None = None
    """None where the roster tells neither lateness nor times."""


PLATFORM_IDS = ("login", "student_id", "sis_id", "org_defined_id")
"""The fields by which a platform knows people."""

IDENTITIES = (*PLATFORM_IDS, "name")
"""The fields that tell people apart, the surest first."""

_FIELDS = tuple(field.name for field in fields(Person))
_CANVAS = {
    "student": "name",
    "id": "student_id",
    "sis user id": "sis_id",
    "sis login id": "login",
    "section": "section",
}
_BRIGHTSPACE = {
    "orgdefinedid": "org_defined_id",
    "username": "login",
    "last name": "last name",
    "first name": "first name",
}
_YES, _NO = ("yes", "true", "1", "late"), ("no", "false", "0")


def read_roster(path: Path) -> tuple[Person, ...]:
    """The people in a roster: a CSV file in UTF-8, its columns named in the first line.

    Either ``folder`` and any other field of `Person`, or a gradebook as Canvas (``Student``,
    ``ID`` ...) or Brightspace (``OrgDefinedId``, ``Username`` ...) exports it. Several lines with
    one ``folder`` are a team. Raises HarnessError that names the first bad line and what to do.
    """
    people, problems = examine_roster(path)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise HarnessError(f"{path}: {problems[0]}{more}")
    return people


def examine_roster(path: Path) -> tuple[tuple[Person, ...], list[str]]:
    """The people in a roster, and all that is wrong with its lines.

    Raises HarnessError for a file without lines that could be looked at.
    """
    header, lines = _read_lines(path)
    columns = _columns(path, header)

    people, problems = [], []
    for number, cells in lines:
        try:
            row = _row(cells, columns)
            if row is not None:
                people.append(_person(row, needs_folder="folder" in columns))
        except ValueError as problem:
            problems.append(f"line {number}: {problem}")
    problems += _conflicts(people)

    if not people and not problems:
        problems.append("nobody in it; one line for each submission is needed")
    return tuple(people), problems


def parse_time(text: str) -> datetime:
    """A time in ISO 8601; ValueError for anything else."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is no time; write it like 2026-11-24T23:59:00+01:00"
        raise ValueError(message) from None


def is_same_person(first: Person, second: Person) -> bool:
    """Whether two lines are of one person: the first identity that both have decides."""
    for field in IDENTITIES:
        values = getattr(first, field), getattr(second, field)
        if all(values):
            return bool(values[0].casefold() == values[1].casefold())
    return False


def is_identified(person: Person) -> bool:
    """Whether anything but a folder tells who it is, so that their attempts can be known."""
    return any(getattr(person, field) for field in IDENTITIES)


# --- lines and columns --------------------------------------------------------------------------


def _read_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and the other lines that are not blank, with their numbers in the file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        first = text.partition("\n")[0]
        # Excel writes semicolons where the comma is the decimal mark.
        delimiter = ";" if ";" in first and "," not in first else ","
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, cells) for cells in reader if any(c.strip() for c in cells)]
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise HarnessError(f"{path}: not CSV ({error}); save it as CSV UTF-8") from None

    if not lines:
        raise HarnessError(f"{path}: empty; the first line names the columns, folder among them")
    return lines[0][1], lines[1:]


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    """The position of each known column, by the name of the field."""
    titles = [title.strip().casefold() for title in header]
    fields_by_title = _fields_by_title(titles)
    columns = {
        fields_by_title[title]: index
        for index, title in enumerate(titles)
        if title in fields_by_title
    }

    if not columns:
        raise HarnessError(
            f"{path}: no column folder; name the columns in the first line, or give a gradebook "
            "exported from Canvas or Brightspace"
        )
    for title in titles:
        if title in fields_by_title and titles.count(title) > 1:
            raise HarnessError(f"{path}: two columns {title}; keep one")
    return columns


def _fields_by_title(titles: list[str]) -> Mapping[str, str]:
    """The field of each column title that may be there; empty for an unknown kind of file."""
    if "folder" in titles:
        return {name: name for name in _FIELDS}
    for gradebook in (_CANVAS, _BRIGHTSPACE):
        first_title = next(iter(gradebook))
        known = sum(title in gradebook for title in titles)
        if titles.count(first_title) == 1 and known > 1:
            return gradebook
    return {}


# --- from a line to a person --------------------------------------------------------------------


def _row(cells: list[str], columns: Mapping[str, int]) -> dict[str, str] | None:
    """A line's values by field; None for the lines of a gradebook that are no person."""
    if max(columns.values()) >= len(cells):
        raise ValueError(f"{len(cells)} cells only; is a comma or a quotation mark missing?")
    row = {name: cells[index].strip() for name, index in columns.items()}
    if "folder" in row:
        return row

    if "last name" in row or "first name" in row:
        row["name"] = f"{row.pop('first name', '')} {row.pop('last name', '')}".strip()
    # Brightspace marks texts with #, and Canvas has lines for points and posting.
    row = {name: value.lstrip("#") for name, value in row.items()}
    return row if any(row.get(name) for name in PLATFORM_IDS) else None


def _person(row: dict[str, str], *, needs_folder: bool) -> Person:
    if needs_folder and not row["folder"]:
        raise ValueError("no folder; write the name of the submission's folder or archive")
    attempt = _parse_attempt(row.pop("attempt", ""))
    late = _parse_late(row.pop("late", ""))

    times = [parse_time(row[name]) for name in ("submitted_at", "due_at") if row.get(name)]
    if len({_has_offset(time) for time in times}) > 1:
        raise ValueError("one time has a UTC offset and one has none; write both the same way")
    if late is None and len(times) == 2:
        submitted_at, due_at = times
        late = submitted_at > due_at
    return Person(**{"folder": "", **row}, attempt=attempt, late=late)


def _parse_attempt(text: str) -> int | None:
    if not text:
        return None
    # int() alone takes other scripts' digits, signs, underscores and numbers without end.
    if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text)):
        raise ValueError(f"attempt {text!r} is no number; write 1, 2, ... or leave it empty")
    return int(text)


def _parse_late(text: str) -> bool | None:
    if text.casefold() in (*_YES, *_NO):
        return text.casefold() in _YES
    if text:
        raise ValueError(f"late {text!r} is unclear; write yes, no or leave it empty")
    return None


def _has_offset(time: datetime) -> bool:
    return time.utcoffset() is not None


def _conflicts(people: list[Person]) -> Iterator[str]:
    """What is wrong between the lines."""
    by_folder: dict[str, list[Person]] = {}
    for person in people:
        team = by_folder.setdefault(person.folder, [])
        if person.folder and any(not _are_a_team(person, other) for other in team):
            yield (
                f"folder {person.folder!r} is there twice; keep one line for each person, "
                "and tell a team's people apart by login, id or name"
            )
        team.append(person)

    texts = [text for person in people for text in (person.submitted_at, person.due_at) if text]
    if len({_has_offset(parse_time(text)) for text in texts}) > 1:
        yield "some times have a UTC offset and some have none; write all the same way"


def _are_a_team(first: Person, second: Person) -> bool:
    """Whether two lines with one folder are of two people."""
    return is_identified(first) and is_identified(second) and not is_same_person(first, second)
