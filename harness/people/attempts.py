"""Which attempt of which person a submission is, and which attempt of several counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.assessment.scoring import total
from harness.people.chronology import (
    PersonAttempts,
    Submission,
    attempt_numbers,
    group_by_person,
)
from harness.people.identification import find_people, is_marked_late
from harness.people.pseudonyms import is_pseudonym, read_pseudonyms
from harness.people.roster import (
    Person,
    is_identified,
    read_roster,
)
from harness.ranking.board import rank_records
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.records.board import Board, Row
    from harness.records.record import Record

Which = Literal["latest", "best", "all"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose a submission is, and which of their attempts."""

    person: Person | None
    """The first of a team; None: not in the roster."""

    submission: str

    attempt: int | None
    """Counted from 1; None where nothing tells which of several it is."""

    attempts: int

    late: bool | None
    """None where nothing tells. A team is late where all are of whom it is known."""

    team: tuple[Person, ...] = ()
    """Everybody whose it is; empty: nobody in the roster."""


Standings = Mapping[str, Standing]
"""By submission."""


class CountedAttempt(NamedTuple):
    """A record that counts for a person."""

    person: Person | None
    """None: not in the roster."""

    record: Record

    rivals: tuple[str, ...] = ()
    """All of their submissions, where nothing tells which is the latest: then all of them count."""


def load_people(
    results: Path, roster: Path | None, key_file: Path | None = None
) -> tuple[Person, ...]:
    """The people of the roster given, else of the one in the results folder, else none.

    With a key file they are under its pseudonyms.
    """
    roster = roster or stored_roster(results)
    if roster is None:
        return ()
    people = read_roster(roster)
    if key_file is None:
        return people
    return pseudonymise_roster(people, read_pseudonyms(key_file))


def load_identified(
    results: Path, roster: Path | None, key_file: Path | None
) -> tuple[Person, ...]:
    """The people of the roster given or stored, with names and ids, for what is not shown.

    With a key file their submissions are under its pseudonyms.
    """
    people = load_people(results, roster)
    if key_file is None:
        return people
    return identify_pseudonyms(people, read_pseudonyms(key_file))


def stored_roster(results: Path) -> Path | None:
    """The roster that lies in a results folder, if one does."""
    path = results / "roster.csv"
    return path if path.is_file() else None


def find_standings(names: Sequence[str], roster: Sequence[Person]) -> dict[str, Standing]:
    """The standing of each submission name, in their order.

    A Canvas name with ``_LATE_`` is late unless the roster says otherwise.
    """
    standings: dict[str, Standing] = {}
    for group in group_by_person(names, roster):
        numbers = attempt_numbers(group)
        declared = [each.person.attempt or 0 for each in group.attempts if each.person]
        last = max([len(group.attempts), *declared])
        for each, number in zip(group.attempts, numbers, strict=True):
            late, first = _late(each), standings.get(each.name)
            own = () if each.person is None else (each.person,)
            if first is None:
                standings[each.name] = Standing(each.person, each.name, number, last, late, own)
            else:
                late, team = _late_together(first.late, late), (*first.team, *own)
                standings[each.name] = replace(first, late=late, team=team)
    return {name: standings[name] for name in names}


def fill_lateness(standings: Standings, known: Standings) -> dict[str, Standing]:
    """The standings; where they do not tell whether something was late, as ``known`` has it."""
    return {
        name: each
        if each.late is not None or name not in known
        else replace(each, late=known[name].late)
        for name, each in standings.items()
    }


def _late_together(first: bool | None, second: bool | None) -> bool | None:
    known = [late for late in (first, second) if late is not None]
    return all(known) if known else None


def add_standings(board: Board, standings: Standings) -> Board:
    """The board with each row's attempt and lateness, as far as the roster tells."""
    return replace(board, rows=tuple(_add_standing(row, standings) for row in board.rows))


def _add_standing(row: Row, standings: Standings) -> Row:
    standing = standings.get(row.submission)
    if standing is None:
        return row
    row = replace(row, late=standing.late)
    # Of somebody unknown it cannot be known whether it is their second attempt.
    person = standing.person
    if person is None or not (person.attempt or is_identified(person)):
        return row
    if standing.attempt is None:
        return row
    return replace(row, attempt=standing.attempt, attempts=standing.attempts)


def pseudonymise_roster(
    roster: Sequence[Person], pseudonyms: Mapping[str, str]
) -> tuple[Person, ...]:
    """The roster with pseudonyms (by folder) for folders, and without names and ids.

    Attempts and lateness stay; attempts of one person share a pseudonym as their login.
    """
    people = []
    logins: list[str] = []
    for group in group_by_person(sorted(pseudonyms), roster):
        # The people of a team share their first submission, but not their later ones.
        first = pseudonyms[group.attempts[0].name]
        login = f"{first}-{logins.count(first) + 1}" if first in logins else first
        logins.append(first)
        for each, number in zip(group.attempts, _numbers_in_order(group), strict=True):
            folder, late = pseudonyms[each.name], _late(each)
            if each.person is not None:
                people.append(Person(folder=folder, login=login, attempt=number, late=late))
            elif late is not None:
                people.append(Person(folder=folder, late=late))
    return tuple(people)


def identify_pseudonyms(
    roster: Sequence[Person], pseudonyms: Mapping[str, str]
) -> tuple[Person, ...]:
    """The roster with pseudonyms (by folder) for folders, and with everybody's name and ids.

    It is for what only the instructor sees: it says whose each pseudonym is. People without a
    submission are last.
    """
    people = []
    known = set()
    for group in group_by_person(sorted(pseudonyms), roster):
        for each, number in zip(group.attempts, _numbers_in_order(group), strict=True):
            if each.person is not None:
                folder, late = pseudonyms[each.name], _late(each)
                known.add(each.person)
                people.append(
                    replace(each.person, folder=folder, attempt=number, submitted_at="", late=late)
                )
    return (*people, *(person for person in roster if person not in known))


def _numbers_in_order(group: PersonAttempts) -> list[int | None]:
    """Numbers that keep the order of a person's attempts where their names are hidden."""
    numbers = attempt_numbers(group)
    known = [number for number in numbers if number is not None]
    if group.is_ordered and any(number >= following for number, following in pairwise(known)):
        return list(range(1, len(numbers) + 1))
    # Some numbers alone would tell of an order that is not known.
    return numbers if group.is_ordered else [None] * len(numbers)


def select_attempts(
    records: Sequence[Record], roster: Sequence[Person], which: Which
) -> list[Record]:
    """The records that count: all, or each person's latest or best attempt, in their order.

    The latest is that with the last ``submitted_at``, else the highest attempt, else the last time
    in the submissions' names; where none of these tells, all of that person's count. The best has
    most points of the rubric, else leads the leaderboard; of equals the latest. Whoever is not in
    the roster keeps every record; a team's counts where it does so for one of them.
    """
    if which == "all":
        return list(records)
    counted = attempts_that_count(records, roster, which)
    selected = {each.record.submission for each in counted}
    return [record for record in records if record.submission in selected]


def attempts_that_count(
    records: Sequence[Record], roster: Sequence[Person], which: Literal["latest", "best"]
) -> list[CountedAttempt]:
    """The record that counts for each person who handed in, and each that is nobody's."""
    by_name = {record.submission: record for record in records}
    counted = []
    for group in group_by_person(list(by_name), roster):
        people = {each.name: each.person for each in group.attempts}
        attempts = [by_name[name] for name in people]
        if which == "best":
            attempts = [_best(attempts)]
        elif group.is_ordered:
            attempts = attempts[-1:]
        rivals = tuple(people) if len(attempts) > 1 else ()
        counted += [CountedAttempt(people[each.submission], each, rivals) for each in attempts]
    return counted


def roster_remarks(names: Sequence[str], people: Sequence[Person], attempts: Which) -> list[str]:
    """What a board by these people does not show: submissions of nobody, unknown order."""
    if not people:
        return []
    lines = []
    nobodys = [name for name in names if not find_people(name, people)]
    if nobodys:
        hint = f" ({NAME_THE_KEY_FILE})" if all(map(is_pseudonym, nobodys)) else ""
        lines.append(f"nobody in the roster matches {_enumerate(nobodys)}{hint}")
    undated = undated_attempts(names, people) if attempts == "latest" else []
    if undated:
        groups = "; ".join(map(_enumerate, undated))
        lines.append(f"{UNDATED}; all are shown: {groups}")
    return lines


UNDATED = (
    "nothing tells which of one person's submissions is the latest (give attempt or submitted_at "
    "in a roster with a line for each folder)"
)
"""What is asked where the order of attempts is not known."""

NAME_THE_KEY_FILE = (
    "these are pseudonyms; name the key file that they are from: --anonymous KEYFILE"
)


def _enumerate(names: Sequence[str]) -> str:
    return ", ".join(one_line(name) for name in names)


def undated_attempts(names: Sequence[str], roster: Sequence[Person]) -> list[tuple[str, ...]]:
    """For each person of whose submissions nothing tells which is the latest: their names."""
    return [
        tuple(each.name for each in group.attempts)
        for group in group_by_person(names, roster)
        if not group.is_ordered
    ]


def _best(attempts: Sequence[Record]) -> Record:
    """The best of attempts that are in order of time."""
    points = [_points(record) for record in attempts]
    known = [value for value in points if value is not None]
    if len(known) == len(points):
        scores = known
    else:
        # Points of some attempts only cannot decide between them.
        pointless = [replace(record, points=()) for record in attempts]
        ranks = {row.submission: row.rank for row in rank_records(pointless).rows}
        worst = len(attempts) + 1
        scores = [-float(ranks[record.submission] or worst) for record in attempts]
    best = max(range(len(attempts)), key=lambda index: (scores[index], index))
    return attempts[best]


def _points(record: Record) -> float | None:
    """Points of all items; None where the rubric gave none or hides some."""
    points = total(record.points)
    return points[0] if record.points and points is not None else None


def _late(submission: Submission) -> bool | None:
    if submission.person is not None and submission.person.late is not None:
        return submission.person.late
    return True if is_marked_late(submission.name) else None
