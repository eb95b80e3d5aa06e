"""Which attempt of which person a submission is, and which attempt of several counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from harness.assessment.scoring import total
from harness.people.identification import find_people, is_marked_late
from harness.people.pseudonyms import read_pseudonyms
from harness.people.roster import (
    Person,
    is_identified,
    is_same_person,
    parse_time,
    read_roster,
)
from harness.ranking.board import rank_records

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

    attempt: int
    """Counted from 1."""

    attempts: int

    late: bool | None
    """None where nothing tells. A team is late where all are of whom it is known."""


Standings = Mapping[str, Standing]
"""By submission."""


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


def stored_roster(results: Path) -> Path | None:
    """The roster that lies in a results folder, if one does."""
    path = results / "roster.csv"
    return path if path.is_file() else None


def find_standings(names: Sequence[str], roster: Sequence[Person]) -> dict[str, Standing]:
    """The standing of each submission name, in their order.

    A Canvas name with ``_LATE_`` is late unless the roster says otherwise.
    """
    standings: dict[str, Standing] = {}
    for group in _group_by_person(names, roster):
        numbers = _attempt_numbers(group)
        declared = [each.person.attempt or 0 for each in group if each.person]
        last = max([len(group), *declared])
        for each, number in zip(group, numbers, strict=True):
            late, first = _late(each), standings.get(each.name)
            if first is None:
                standings[each.name] = Standing(each.person, each.name, number, last, late)
            else:
                standings[each.name] = replace(first, late=_late_together(first.late, late))
    return {name: standings[name] for name in names}


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
    return replace(row, attempt=standing.attempt, attempts=standing.attempts)


def pseudonymise_roster(
    roster: Sequence[Person], pseudonyms: Mapping[str, str]
) -> tuple[Person, ...]:
    """The roster with pseudonyms (by folder) for folders, and without names and ids.

    Attempts and lateness stay; attempts of one person share a pseudonym as their login.
    """
    people = []
    logins: list[str] = []
    for group in _group_by_person(sorted(pseudonyms), roster):
        numbers = _attempt_numbers(group)
        # Without times, numbers alone keep the order: they must not contradict it.
        if any(number >= following for number, following in pairwise(numbers)):
            numbers = list(range(1, len(group) + 1))

        # The people of a team share their first submission, but not their later ones.
        first = pseudonyms[group[0].name]
        login = f"{first}-{logins.count(first) + 1}" if first in logins else first
        logins.append(first)
        for each, number in zip(group, numbers, strict=True):
            folder, late = pseudonyms[each.name], _late(each)
            if each.person is not None:
                people.append(Person(folder=folder, login=login, attempt=number, late=late))
            elif late is not None:
                people.append(Person(folder=folder, late=late))
    return tuple(people)


def select_attempts(
    records: Sequence[Record], roster: Sequence[Person], which: Which
) -> list[Record]:
    """The records that count: all, or each person's latest or best attempt, in their order.

    The latest is that with the last ``submitted_at``, else the highest attempt, else the last
    record. The best has most points of the rubric, else leads the leaderboard; of equals the
    latest. Whoever is not in the roster keeps every record; a team's counts where it does so for
    one of them.
    """
    if which == "all":
        return list(records)
    selected = {record.submission for _, record in attempts_that_count(records, roster, which)}
    return [record for record in records if record.submission in selected]


def attempts_that_count(
    records: Sequence[Record], roster: Sequence[Person], which: Literal["latest", "best"]
) -> list[tuple[Person | None, Record]]:
    """The record that counts for each person who handed in, and each that is nobody's."""
    by_name = {record.submission: record for record in records}
    counted = []
    for group in _group_by_person(list(by_name), roster):
        attempts = [by_name[each.name] for each in group]
        attempt = attempts[-1] if which == "latest" else _best(attempts)
        people = {each.name: each.person for each in group}
        counted.append((people[attempt.submission], attempt))
    return counted


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


# --- attempts of one person ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Submission:
    name: str
    person: Person | None


def _group_by_person(names: Sequence[str], roster: Sequence[Person]) -> list[list[_Submission]]:
    """The attempts of each person, in the order in which they were made.

    A submission of nobody in the roster is alone; a team's is among the attempts of each.
    """
    groups: list[list[_Submission]] = []
    for name in names:
        for person in find_people(name, roster) or (None,):
            submission = _Submission(name, person)
            for group in groups:
                if _is_of_same_person(submission, group[0]):
                    if group[-1].name != name:
                        group.append(submission)
                    break
            else:
                groups.append([submission])
    return [_in_order_of_time(group) for group in groups]


def _is_of_same_person(first: _Submission, second: _Submission) -> bool:
    if first.person is None or second.person is None:
        return False
    return is_same_person(first.person, second.person)


def _in_order_of_time(group: list[_Submission]) -> list[_Submission]:
    """By time where all have one, else by number where all have one, else as they are."""
    people = [each.person for each in group if each.person]
    if len(people) < len(group):
        return group
    if all(person.submitted_at for person in people):
        times = [parse_time(person.submitted_at) for person in people]
        order = sorted(range(len(group)), key=times.__getitem__)
    elif all(person.attempt for person in people):
        numbers = [person.attempt or 0 for person in people]
        order = sorted(range(len(group)), key=numbers.__getitem__)
    else:
        return group
    return [group[index] for index in order]


def _attempt_numbers(group: Sequence[_Submission]) -> list[int]:
    """The numbers in the roster; an attempt without one has its place in the group."""
    numbers = []
    for place, each in enumerate(group, start=1):
        declared = each.person.attempt if each.person else None
        numbers.append(declared or place)
    return numbers


def _late(submission: _Submission) -> bool | None:
    if submission.person is not None and submission.person.late is not None:
        return submission.person.late
    return True if is_marked_late(submission.name) else None
