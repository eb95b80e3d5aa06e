"""Which person of a roster a submission's folder or archive name means."""

from __future__ import annotations

import unicodedata
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from harness.intake.archives.unpacking import without_suffix
from harness.intake.downloads.lms_names import parse_submission_name
from harness.people.roster import PLATFORM_IDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.intake.downloads.lms_names import SubmissionName
    from harness.people.roster import Person

_NAME_LETTERS = 5
"""The fewest letters of a name that is looked for within a folder name."""

_ID_DIGITS = 5
"""The fewest digits of an id that a whole name may be; fewer are a group's number or a year."""


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

    matches = [_match(name, person) for person in roster]
    best = max(matches, default=_Match(_Kind.NOTHING))
    if best.kind is _Kind.NOTHING or matches.count(best) > 1:
        return None
    return roster[matches.index(best)]


def is_marked_late(name: str) -> bool:
    """Whether Canvas wrote ``_LATE_`` into a submission's name, or ``LATE_`` before ``anon_``."""
    parsed = parse_submission_name(name)
    return parsed is not None and parsed.late


def _match(name: str, person: Person) -> _Match:
    """How surely a name means a person, by what its platform writes into names."""
    name = without_suffix(name)
    parsed = parse_submission_name(name)
    if parsed is None:
        return _match_own_name(name, person)
    if parsed.platform in ("brightspace", "moodle"):
        # They write the whole name; numbers and single words in it are nobody's id.
        segments = {_letters(each) for each in (parsed.student, *parsed.student.split(" - "))}
        is_name = not segments.isdisjoint(_spellings(person.name))
        return _Match(_Kind.WHOLE_NAME if is_name else _Kind.NOTHING)
    if parsed.platform == "blackboard":
        return _match_login(parsed.student, person)
    if parsed.platform == "canvas":
        return _match_canvas(parsed, person)
    return _Match(_Kind.NOTHING)


def _match_login(student: str, person: Person) -> _Match:
    """Blackboard's assignment and login: the longest login at its end, which may hold ``_``."""
    login = person.login.casefold()
    if login and f"_{student}".casefold().endswith(f"_{login}"):
        return _Match(_Kind.WHOLE_ID, len(login))
    return _Match(_Kind.NOTHING)


def _match_canvas(parsed: SubmissionName, person: Person) -> _Match:
    """Canvas's user id counts beside that user's name: ``lab3_202611`` is nobody's.

    Whose user id is another is another person, perhaps of the same name.
    """
    if not person.student_id:
        return _match_own_name(parsed.student, person)
    is_named = not person.name or _letters(parsed.student) in _spellings(person.name)
    if parsed.user == person.student_id and is_named:
        return _Match(_Kind.USER_ID)
    return _match_ids(parsed.student, person)


def _match_own_name(name: str, person: Person) -> _Match:
    """A name that people gave, by ids and by the person's name."""
    by_id = _match_ids(name, person)
    if by_id.kind is _Kind.WHOLE_ID:
        return by_id
    letters, spellings = _letters(name), _spellings(person.name)
    if letters in spellings:
        return _Match(_Kind.WHOLE_NAME)
    if by_id.kind is not _Kind.NOTHING:
        return by_id

    names_within = [
        len(spelling)
        for spelling in spellings
        if len(spelling) >= _NAME_LETTERS and spelling in letters
    ]
    return _Match(_Kind.NAME_WITHIN, max(names_within)) if names_within else _Match(_Kind.NOTHING)


def _match_ids(name: str, person: Person) -> _Match:
    """An id that is the whole name, or a word in it; a number within is anything (a date)."""
    text = name.casefold()
    # Ids of one character are in nearly every name.
    ids = [str(getattr(person, field)).casefold() for field in PLATFORM_IDS]
    words = [each for each in ids if len(each) > 1 and not each.isdigit()]
    numbers = [each for each in ids if len(each) >= _ID_DIGITS and each.isdigit()]
    if text in words or text in numbers:
        return _Match(_Kind.WHOLE_ID)
    within = [len(each) for each in words if _holds(text, each)]
    return _Match(_Kind.ID_WITHIN, max(within)) if within else _Match(_Kind.NOTHING)


def _holds(text: str, identity: str) -> bool:
    """Whether an id is in ``text``, not as a part of a longer word or number."""
    start = text.find(identity)
    while start >= 0:
        end = start + len(identity)
        if not text[:start][-1:].isalnum() and not text[end:][:1].isalnum():
            return True
        start = text.find(identity, start + 1)
    return False


@lru_cache(maxsize=8192)  # each name is compared with each person's
def _letters(text: str) -> str:
    """Letters and digits alone, without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in plain if character.isalnum())


@lru_cache(maxsize=4096)
def _spellings(name: str) -> frozenset[str]:
    """Letters of a name, first name first and last name first (``Doe, Jane``)."""
    last, comma, first = name.partition(",")
    if not comma:
        first, _, last = name.rpartition(" ")
    return frozenset({_letters(first + last), _letters(last + first)} - {""})
