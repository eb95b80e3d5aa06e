"""A person's submissions, in the order in which they were made as far as anything tells.

Nothing is guessed: where neither the roster nor the platform's names say which of several is the
latest, the order is unknown, and whoever needs it has to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harness.intake.archives.unpacking import without_suffix
from harness.intake.downloads.lms_names import parse_submission_name
from harness.people.identification import find_people
from harness.people.roster import is_same_person, parse_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.people.roster import Person


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission as one of a person's."""

    name: str

    person: Person | None
    """None: not in the roster."""


@dataclass(frozen=True, slots=True)
class PersonAttempts:
    """All submissions of one person, or one of nobody in the roster."""

    attempts: list[Submission]
    """In the order in which they were made, where that is known."""

    is_ordered: bool
    """Whether something tells which is the latest."""


def owners_of(names: Sequence[str], roster: Sequence[Person]) -> dict[str, str]:
    """For each submission the first of its person's or team's, which stands for them."""
    owners: dict[str, str] = {}
    for group in group_by_person(names, roster):
        of_group = [each.name for each in group.attempts]
        first = next((owners[name] for name in of_group if name in owners), of_group[0])
        owners |= dict.fromkeys(of_group, first)
    return owners


def group_by_person(names: Sequence[str], roster: Sequence[Person]) -> list[PersonAttempts]:
    """The attempts of each person. A team's submission is among the attempts of each."""
    groups: list[list[Submission]] = []
    for name in names:
        for person in find_people(name, roster) or (None,):
            submission = Submission(name, person)
            for group in groups:
                if _is_of_same_person(submission, group[0]):
                    if group[-1].name != name:
                        group.append(submission)
                    break
            else:
                groups.append([submission])
    return [_in_order_of_time(group) for group in groups]


def _is_of_same_person(first: Submission, second: Submission) -> bool:
    if first.person is None or second.person is None:
        return False
    return is_same_person(first.person, second.person)


def _in_order_of_time(group: list[Submission]) -> PersonAttempts:
    """By the roster's times where all have one, else by its numbers, else by the names' times."""
    for keys in (_declared_times(group), _declared_numbers(group), _written_times(group)):
        # Of two at one time either may be the latest.
        if keys and keys.count(max(keys)) == 1:
            order = sorted(range(len(group)), key=keys.__getitem__)
            return PersonAttempts([group[index] for index in order], is_ordered=True)
    return PersonAttempts(group, is_ordered=len(group) == 1)


def _declared_times(group: list[Submission]) -> list[Any]:
    texts = [each.person.submitted_at if each.person else "" for each in group]
    return [parse_time(text) for text in texts] if all(texts) else []


def _declared_numbers(group: list[Submission]) -> list[Any]:
    numbers = [each.person.attempt if each.person else None for each in group]
    return numbers if all(numbers) else []


def _written_times(group: list[Submission]) -> list[Any]:
    """What a platform wrote into all names; days only, where one has no time of day."""
    parsed = [parse_submission_name(without_suffix(each.name)) for each in group]
    times = [each.submitted_at if each else None for each in parsed]
    if None in times:
        return []
    if all(isinstance(time, datetime) for time in times):
        return times
    return [time.date() if isinstance(time, datetime) else time for time in times]


def attempt_numbers(group: PersonAttempts) -> list[int | None]:
    """The numbers in the roster; an attempt without one has its place in the group, if any."""
    numbers = []
    for place, each in enumerate(group.attempts, start=1):
        declared = each.person.attempt if each.person else None
        numbers.append(declared or (place if group.is_ordered else None))
    return numbers
