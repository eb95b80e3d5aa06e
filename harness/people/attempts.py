"""Whose submission is whose, which attempt it is, and which of several counts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from harness.assessment.ranking import rank_records
from harness.intake.unpacking import without_suffix
from harness.people.pseudonyms import known_pseudonyms
from harness.people.roster import Person, moment, read_roster

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.records.board import Board, Row
    from harness.records.record import Record

_NO_MATCH = (0, 0)
_NAME_LETTERS = 5  # of a name that is looked for within a folder name

Which = Literal["latest", "best", "all"]

_IDENTITIES = ("login", "student_id", "sis_id", "org_defined_id", "name")
_CANVAS = re.compile(r"(?P<said>.+?)(?P<late>_LATE)?_(?P<user>\d+)(_\d+_.*)?")
_BRIGHTSPACE = re.compile(r"\d+-\d+ - (?P<said>.+) - \w+ \d+, \d+ \d+ [AP]M", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Standing:
    """A submission's person (None: not in the roster) and its place among their attempts.

    ``attempt`` counts from 1; ``late`` is None where nothing tells.
    """

    person: Person | None
    submission: str
    attempt: int
    attempts: int
    late: bool | None


Standings = Mapping[str, Standing]
"""By submission."""


def people_of(
    results: Path, roster: Path | None, key_file: Path | None = None
) -> tuple[Person, ...]:
    """The roster given, else the one that lies in the results folder, else nobody.

    With a key file nothing but its pseudonyms is left of them.
    """
    kept = results / "roster.csv"
    if roster is None and not kept.is_file():
        return ()
    people = read_roster(roster or kept)
    return in_pseudonyms(people, known_pseudonyms(key_file)) if key_file else people


def standings(names: Sequence[str], roster: Sequence[Person]) -> dict[str, Standing]:
    """The standing of each submission name.

    A roster's folder is the submission's name. In a gradebook, which has no folders, the name
    must hold one person's login, id or name: what fits two people fits none. A Canvas name
    with ``_LATE_`` is late unless the roster says otherwise.
    """
    found = {}
    for group in _attempts(names, roster):
        last = max([len(group), *(p.attempt for _, p in group if p and p.attempt)])
        for index, (name, person) in enumerate(group):
            attempt = (person.attempt if person else None) or index + 1
            found[name] = Standing(person, name, attempt, last, _late(name, person))
    return {name: found[name] for name in names}


def with_standings(board: Board, found: Standings) -> Board:
    """The board with each row's attempt and lateness, as far as the roster tells."""
    return replace(board, rows=tuple(_with_standing(row, found) for row in board.rows))


def _with_standing(row: Row, found: Standings) -> Row:
    standing = found.get(row.submission)
    if standing is None:
        return row
    person, told = standing.person, replace(row, late=standing.late)
    if person is None or not (person.attempt or any(getattr(person, f) for f in _IDENTITIES)):
        return told  # nobody's second attempt can be known
    return replace(told, attempt=standing.attempt, attempts=standing.attempts)


def in_pseudonyms(roster: Sequence[Person], names: Mapping[str, str]) -> tuple[Person, ...]:
    """The roster with pseudonyms (``names``: by folder) for folders, and nobody's name or id.

    Attempts and lateness stay; attempts of one person share a pseudonym as their login.
    """
    people = []
    for group in _attempts(sorted(names), roster):
        numbers = [(person.attempt if person else None) or i + 1
                   for i, (_, person) in enumerate(group)]  # fmt: skip
        if any(one >= other for one, other in pairwise(numbers)):
            numbers = list(range(1, len(group) + 1))
        for (name, person), number in zip(group, numbers, strict=True):
            late = _late(name, person)
            if person is not None:
                login = names[group[0][0]]
                people.append(Person(folder=names[name], login=login, attempt=number, late=late))
            elif late is not None:
                people.append(Person(folder=names[name], late=late))
    return tuple(people)


def chosen(records: Sequence[Record], roster: Sequence[Person], which: Which) -> list[Record]:
    """The records that count: all, or each person's latest or best attempt, in their order.

    The latest is that with the last ``submitted_at``, else the highest attempt, else the last
    record. The best has most points of the rubric, else leads the leaderboard; of equals the
    latest. Whoever is not in the roster keeps every record.
    """
    if which == "all":
        return list(records)
    by_name = {record.submission: record for record in records}
    kept = set()
    for group in _attempts(list(by_name), roster):
        attempts = [by_name[name] for name, _ in group]
        kept.add((attempts[-1] if which == "latest" else _best(attempts)).submission)
    return [record for record in records if record.submission in kept]


# --- attempts -----------------------------------------------------------------------------------

Attempt = tuple[str, Person | None]


def _attempts(names: Sequence[str], roster: Sequence[Person]) -> Iterator[list[Attempt]]:
    """The attempts of each person, in the order in which they were made."""
    groups: list[list[Attempt]] = []
    for name in names:
        person = _person(name, roster)
        same = (g for g in groups if person and g[0][1] and _same(person, g[0][1]))
        group = next(same, None)
        if group is None:
            groups.append([(name, person)])
        else:
            group.append((name, person))
    return (_in_time(group) for group in groups)


def _same(one: Person, other: Person) -> bool:
    """Whether two lines are of one person: the first identity that both have decides."""
    pairs = ((getattr(one, field), getattr(other, field)) for field in _IDENTITIES)
    return next((a.casefold() == b.casefold() for a, b in pairs if a and b), False)


def _in_time(group: list[Attempt]) -> list[Attempt]:
    people = [person for _, person in group if person]
    keys: list[Any]
    if len(people) == len(group) and all(person.submitted_at for person in people):
        keys = [moment(person.submitted_at) for person in people]
    elif len(people) == len(group) and all(person.attempt for person in people):
        keys = [person.attempt for person in people]
    else:
        return group
    return [group[index] for index in sorted(range(len(group)), key=keys.__getitem__)]


def _best(attempts: Sequence[Record]) -> Record:
    """The best of attempts that are in order of time."""
    totals = [_total(record) for record in attempts]
    if all(total is not None for total in totals):
        scores = [total or 0.0 for total in totals]
    else:
        ranks = {row.submission: row.rank for row in rank_records(attempts).rows}
        scores = [-(ranks[record.submission] or len(attempts) + 1) for record in attempts]
    best = max(range(len(attempts)), key=lambda index: (scores[index], index))
    return attempts[best]


def _total(record: Record) -> float | None:
    """Points of all items; None where the rubric gave none or hides some."""
    given = [item.points for item in record.points]
    known = [points for points in given if points is not None]
    return sum(known) if known and len(known) == len(given) else None


def _late(name: str, person: Person | None) -> bool | None:
    if person is not None and person.late is not None:
        return person.late
    match = _CANVAS.fullmatch(name)
    return True if match and match["late"] else None


# --- people -------------------------------------------------------------------------------------


def _person(name: str, roster: Sequence[Person]) -> Person | None:
    with_folders = [person for person in roster if person.folder]
    if with_folders:
        asked = without_suffix(name)
        return next((p for p in with_folders if without_suffix(p.folder) == asked), None)
    said, user = _said(name)
    strengths = [_strength(said, user, person) for person in roster]
    best = max(strengths, default=_NO_MATCH)
    if best == _NO_MATCH or strengths.count(best) > 1:
        return None
    return roster[strengths.index(best)]


def _said(name: str) -> tuple[str, str]:
    """What a folder name says of its student, and Canvas's user id.

    The other numbers in it (of the submission, the day) are nobody's.
    """
    if brightspace := _BRIGHTSPACE.fullmatch(name):
        return brightspace["said"], ""
    if canvas := _CANVAS.fullmatch(name):
        return canvas["said"], canvas["user"]
    return name, ""


def _strength(said: str, user: str, person: Person) -> tuple[int, int]:
    """How surely, and by how many letters, a folder name means this person."""
    if user and user == person.student_id:
        return 5, 0
    ids = (person.login, person.sis_id, person.org_defined_id, person.student_id)
    keys = [key.casefold() for key in ids if len(key) > 1]
    if said.casefold() in keys:
        return 4, 0
    another = user and person.student_id  # of the same name, perhaps
    letters, spellings = _letters(said), _spellings(person.name)
    if letters in spellings and not another:
        return 3, 0
    if held := [len(key) for key in keys if _holds(said.casefold(), key)]:
        return 2, max(held)
    held = [len(s) for s in spellings if len(s) >= _NAME_LETTERS and s in letters]
    return (1, max(held)) if held and not another else _NO_MATCH


def _holds(text: str, key: str) -> bool:
    """Whether ``key`` is in ``text``, not as a part of a longer word or number."""
    starts = (match for match in range(len(text)) if text.startswith(key, match))
    return any(
        not text[:start][-1:].isalnum() and not text[start + len(key) :][:1].isalnum()
        for start in starts
    )


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in plain if character.isalnum())


def _spellings(name: str) -> set[str]:
    """Letters of a name, first name first and last name first (``Doe, Jane``)."""
    last, comma, first = name.partition(",")
    if not comma:
        first, _, last = name.rpartition(" ")
    return {_letters(first + last), _letters(last + first)} - {""}
