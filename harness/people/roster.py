"""Who handed in what: an instructor's ``roster.csv``, or a platform's gradebook."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from harness.people.gradebook_columns import gradebook_fields
from harness.people.gradescope import is_metadata, read_metadata
from harness.people.tables import read_table
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
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
    email: str = ""
    section: str = ""
    attempt: int | None = None

    submitted_at: str = ""
    """ISO 8601, like ``due_at``."""

    due_at: str = ""

    late: bool | None = None
    """None where the roster tells neither lateness nor times."""


PLATFORM_IDS = ("login", "student_id", "sis_id", "org_defined_id", "email")
"""The fields by which a platform knows people."""

IDENTITIES = (*PLATFORM_IDS, "name")
"""The fields that tell people apart, the surest first."""

_FIELDS = tuple(field.name for field in fields(Person))
_SPREADSHEET_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?e\+\d+|\d+[.,]0+", flags=re.IGNORECASE)
"""What a spreadsheet makes of a long id, or of an id beside an empty cell."""

_YES, _NO = ("yes", "true", "1", "late"), ("no", "false", "0")


def read_roster(path: Path) -> tuple[Person, ...]:
    """The people in a roster: a table in UTF-8 or UTF-16, its columns named in the first line.

    Either ``folder`` and any other field of `Person`, or a gradebook as Canvas (``Student``,
    ``ID`` ...), Brightspace (``OrgDefinedId``, ``Username`` ...), Blackboard, Moodle or Gradescope
    exports it, or Gradescope's ``submission_metadata.yml``. Several lines with one ``folder`` are a
    team. Raises HarnessError that names the first bad line and what to do.
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
    people, problems = _read_people(path)
    problems += _conflicts(people)
    if not people and not problems:
        problems.append("nobody in it; one line for each submission is needed")
    return tuple(people), problems


def _read_people(path: Path) -> tuple[list[Person], list[str]]:
    """The people in a roster, and what is wrong within its lines."""
    people, problems = [], []
    for label, read_row in _rows(path):
        try:
            row = read_row()
            if row is not None:
                people.append(_person(row))
        except ValueError as problem:
            problems.append(f"{label}: {problem}")
    return people, problems


def _rows(path: Path) -> Iterator[tuple[str, Callable[[], dict[str, str] | None]]]:
    """What each line is called in a message, and its values by field."""
    if is_metadata(path):
        for row in read_metadata(path):
            yield row["folder"], partial(dict, row)
        return

    table = read_table(path, _count_known)
    if not table:
        raise HarnessError(f"{path}: empty; the first line names the columns, folder among them")
    (_, header), *lines = table
    columns = _columns(path, header)
    for number, cells in lines:
        yield f"line {number}", partial(_row, cells, columns)


def parse_time(text: str) -> datetime:
    """A time in ISO 8601; ValueError for anything else."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r:.60} is no time; write it like 2026-11-24T23:59:00+01:00"
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


def _count_known(titles: list[str]) -> int:
    """How many columns of these titles are known."""
    plain = [_plain_title(title) for title in titles]
    fields_by_title = _fields_by_title(plain)
    return sum(title in fields_by_title for title in plain)


def _plain_title(title: str) -> str:
    return title.strip().casefold()


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    """The position of each known column, by the name of the field."""
    titles = [_plain_title(title) for title in header]
    fields_by_title = _fields_by_title(titles)
    columns = {
        fields_by_title[title]: index
        for index, title in enumerate(titles)
        if title in fields_by_title
    }

    if not columns:
        raise HarnessError(
            f"{path}: no column folder; name the columns in the first line, or give a gradebook "
            "as the platform exports it"
        )
    for title in titles:
        if title in fields_by_title and titles.count(title) > 1:
            raise HarnessError(f"{path}: two columns {title}; keep one")
    return columns


def _fields_by_title(titles: list[str]) -> Mapping[str, str]:
    """The field of each column title that may be there; empty for an unknown kind of file."""
    if "folder" in titles:
        return {name: name for name in _FIELDS}
    return gradebook_fields(titles)


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


def _person(row: dict[str, str]) -> Person:
    if "folder" in row and not row["folder"]:
        raise ValueError(
            "no folder; write the name of the submission's folder or archive, or for somebody who "
            "handed nothing in a name that no submission has"
        )
    for field in PLATFORM_IDS:
        if _SPREADSHEET_NUMBER.fullmatch(row.get(field, "")):
            raise ValueError(
                f"{field} {row[field]!r:.60} is no id but what a spreadsheet made of one; give the "
                "platform's own export, unopened, or format the column as text"
            )
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
        raise ValueError(f"attempt {text!r:.60} is no number; write 1, 2, ... or leave it empty")
    return int(text)


def _parse_late(text: str) -> bool | None:
    if text.casefold() in (*_YES, *_NO):
        return text.casefold() in _YES
    if text:
        raise ValueError(f"late {text!r:.60} is unclear; write yes, no or leave it empty")
    return None


def _has_offset(time: datetime) -> bool:
    return time.utcoffset() is not None


def _conflicts(people: list[Person]) -> Iterator[str]:
    """What is wrong between the lines."""
    teams: dict[str, _Team] = {}
    for person in people:
        team = teams.setdefault(person.folder, _Team())
        if person.folder and not team.admits(person):
            yield (
                f"folder {person.folder!r:.60} is there twice; keep one line for each person, "
                "and tell a team's people apart by login, id or name"
            )
        team.add(person)

    for field in PLATFORM_IDS:
        yield from _shared_ids(people, field)

    texts = [text for person in people for text in (person.submitted_at, person.due_at) if text]
    if len({_has_offset(parse_time(text)) for text in texts}) > 1:
        yield "some times have a UTC offset and some have none; write all the same way"


def _shared_ids(people: Sequence[Person], field: str) -> Iterator[str]:
    """A line for each id that two people have."""
    by_id: dict[str, list[Person]] = {}
    for person in people:
        if identity := getattr(person, field):
            by_id.setdefault(identity.casefold(), []).append(person)
    for same in by_id.values():
        others = [each for each in same if _are_two_people(same[0], each, field)]
        if others:
            names = [each.name or each.login for each in (same[0], others[0])]
            yield (
                f"{field} {getattr(same[0], field)!r:.60} is of two people, {names[0]!r:.60} and "
                f"{names[1]!r:.60}; correct it (spreadsheets round long numbers: give the "
                "platform's own export, unopened)"
            )


def _are_two_people(first: Person, second: Person, field: str) -> bool:
    """Whether names, or else logins, say that two lines with one id in ``field`` are of two."""
    names = _name_words(first.name), _name_words(second.name)
    if all(names):
        # A middle name may be left out, and either name may come first.
        return not (names[0] <= names[1] or names[1] <= names[0])
    logins = first.login.casefold(), second.login.casefold()
    return field != "login" and all(logins) and logins[0] != logins[1]


def _name_words(name: str) -> set[str]:
    """The words of a name, without case and accents."""
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKD", name).casefold()
        if not unicodedata.combining(character)
    )
    return set(re.findall(r"\w+", plain))


class _Team:
    """The people of one folder, so that one more is compared with all of them at once."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, ...], dict[str, set[str]]] = {}
        """By the identities that people have: the values that are taken, by field."""

    def admits(self, person: Person) -> bool:
        """Whether a line is of another person than the others, as far as all are identified."""
        own = _identities(person)
        if self._values and not (own and all(self._values)):
            return False
        for known, taken in self._values.items():
            decisive = next((name for name in known if name in own), None)
            if decisive is not None and own[decisive] in taken[decisive]:
                return False
        return True

    def add(self, person: Person) -> None:
        """Count a person in."""
        own = _identities(person)
        taken = self._values.setdefault(tuple(own), {name: set() for name in own})
        for name, value in own.items():
            taken[name].add(value)


def _identities(person: Person) -> dict[str, str]:
    """What tells a person apart, the surest first, as `is_same_person` compares it."""
    values = {name: getattr(person, name).casefold() for name in IDENTITIES}
    return {name: value for name, value in values.items() if value}
