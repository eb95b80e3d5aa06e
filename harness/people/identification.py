"""Which person of a roster a submission's folder or archive name means."""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from harness.intake.unpacking import without_suffix
from harness.people.roster import PLATFORM_IDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.people.roster import Person

_NAME_LETTERS = 5
"""The fewest letters of a name that is looked for within a folder name."""

_CANVAS = re.compile(r"(?P<student>.+?)(?P<late>_LATE)?_(?P<user>\d+)(_\d+_.*)?")
_BRIGHTSPACE = re.compile(
    r"\d+-\d+ - (?P<student>.+) - \w+ \d+, \d+ \d+ [AP]M", flags=re.IGNORECASE
)


class _Kind(IntEnum):
    """What of a person a folder name holds: the greater, the surer."""

    NOTHING = 0
    NAME_WITHIN = 1
    ID_WITHIN = 2
    WHOLE_NAME = 3
    WHOLE_ID = 4
    USER_ID = 5


class _Match(NamedTuple):
    """How surely a folder name means a person: the greater, the surer."""

    kind: _Kind

    letters: int = 0
    """How many of them match, where that decides between people."""


def find_people(name: str, roster: Sequence[Person]) -> tuple[Person, ...]:
    """The people that a submission's name means: a team has several; none for nobody.

    A roster's folder is the submission's name. In a gradebook, which has no folders, the name
    must hold one person's login, id or name.
    """
    people = [person for person in roster if person.folder]
    if people:
        folder = without_suffix(name)
        return tuple(person for person in people if without_suffix(person.folder) == folder)

    person = find_person(name, roster)
    return () if person is None else (person,)


def find_person(name: str, roster: Sequence[Person]) -> Person | None:
    """The person that a submission's name means; None for nobody, or for several alike.

    Of a team it is the first in the roster.
    """
    if any(person.folder for person in roster):
        return next(iter(find_people(name, roster)), None)

    student, user = _student_and_user(name)
    matches = [_match(student, user, person) for person in roster]
    best = max(matches, default=_Match(_Kind.NOTHING))
    if best.kind is _Kind.NOTHING or matches.count(best) > 1:
        return None
    return roster[matches.index(best)]


def is_marked_late(name: str) -> bool:
    """Whether Canvas wrote ``_LATE_`` into a submission's name."""
    match = _CANVAS.fullmatch(name)
    return match is not None and match["late"] is not None


def _student_and_user(name: str) -> tuple[str, str]:
    """The part of a folder name that means the student, and Canvas's user id.

    The other numbers in it (of the submission, the day) are nobody's.
    """
    if brightspace := _BRIGHTSPACE.fullmatch(name):
        return brightspace["student"], ""
    if canvas := _CANVAS.fullmatch(name):
        return canvas["student"], canvas["user"]
    return name, ""


def _match(student: str, user: str, person: Person) -> _Match:
    if user and user == person.student_id:
        return _Match(_Kind.USER_ID)
    # Ids of one character are in nearly every name.
    ids = [str(getattr(person, field)) for field in PLATFORM_IDS]
    ids = [identity.casefold() for identity in ids if len(identity) > 1]
    if student.casefold() in ids:
        return _Match(_Kind.WHOLE_ID)

    # Whose user id is another is another person, perhaps of the same name.
    may_be_the_name = not (user and person.student_id)
    letters, spellings = _letters(student), _spellings(person.name)
    if may_be_the_name and letters in spellings:
        return _Match(_Kind.WHOLE_NAME)

    ids_within = [len(identity) for identity in ids if _holds(student.casefold(), identity)]
    if ids_within:
        return _Match(_Kind.ID_WITHIN, max(ids_within))

    names_within = [
        len(spelling)
        for spelling in spellings
        if len(spelling) >= _NAME_LETTERS and spelling in letters
    ]
    if may_be_the_name and names_within:
        return _Match(_Kind.NAME_WITHIN, max(names_within))
    return _Match(_Kind.NOTHING)


def _holds(text: str, identity: str) -> bool:
    """Whether an id is in ``text``, not as a part of a longer word or number."""
    start = text.find(identity)
    while start >= 0:
        end = start + len(identity)
        if not text[:start][-1:].isalnum() and not text[end:][:1].isalnum():
            return True
        start = text.find(identity, start + 1)
    return False


def _letters(text: str) -> str:
    """Letters and digits alone, without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in plain if character.isalnum())


def _spellings(name: str) -> set[str]:
    """Letters of a name, first name first and last name first (``Doe, Jane``)."""
    last, comma, first = name.partition(",")
    if not comma:
        first, _, last = name.rpartition(" ")
    return {_letters(first + last), _letters(last + first)} - {""}
