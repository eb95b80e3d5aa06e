"""Which roster and attempts boards were made by, kept in the results folder for the next ones.

``people.json`` lies beside ``roster.csv`` and holds of a roster from elsewhere only what boards
need: which submissions are of one person, attempts, times and lateness; no names and no ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.people.attempts import load_people, stored_roster
from harness.people.identification import find_people
from harness.people.pseudonyms import read_pseudonyms
from harness.people.roster import Person, is_identified, is_same_person
from harness.records.errors import HarnessError
from harness.storage.results import require_known, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.people.attempts import Which

FILE = "people.json"
VERSION = 1

_NUMBERED = "person "
"""Begins what somebody is called whose name is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """The content of the file."""

    version: int
    attempts: Literal["all", "latest", "best"]

    people: tuple[Person, ...] | None
    """None: those of the folder's own roster, or nobody."""


def choose(
    results: Path, roster: Path | None, attempts: Which | None, key_file: Path | None = None
) -> tuple[tuple[Person, ...], Which]:
    """The people and the attempts that are named, else those of the last boards, else all.

    Raises HarnessError for a bad roster, and for a damaged file where it is needed.
    """
    if key_file is not None:
        read_pseudonyms(key_file)  # a wrong path says so, also where nothing in it is needed
    if roster is not None and attempts is not None:
        return load_people(results, roster, key_file), attempts

    kept = _read(results)
    which: Which = attempts or (kept.attempts if kept else "all")
    if roster is None and kept is not None and kept.people is not None:
        return kept.people, which
    return load_people(results, roster, key_file), which


def names_remark(people: Sequence[Person], roster: Path | None) -> list[str]:
    """A line where boards are made again by a roster whose names were not kept."""
    if roster is not None or not any(person.login.startswith(_NUMBERED) for person in people):
        return []
    return ["who people are is not kept in results; for their names on pages: --roster FILE"]


def known_people(results: Path) -> tuple[Person, ...]:
    """The people of the last boards, else those of the folder's own roster."""
    return choose(results, None, None)[0]


def keep_choice(
    results: Path, names: Sequence[str], people: Sequence[Person], attempts: Which
) -> None:
    """Keep what the boards of these submissions are made by; nothing where that is the default."""
    own = stored_roster(results)
    is_own = not people or (own is not None and load_people(results, own) == tuple(people))
    if is_own and attempts == "all":
        (results / FILE).unlink(missing_ok=True)
        return

    import msgspec

    kept = _Kept(
        version=VERSION,
        attempts=attempts,
        people=None if is_own else _without_names(names, people),
    )
    text = msgspec.json.format(msgspec.json.encode(kept), indent=2).decode() + "\n"
    write_text(results / FILE, text)


def _without_names(names: Sequence[str], people: Sequence[Person]) -> tuple[Person, ...]:
    """The lines of a roster that these submissions need; a number tells who is the same."""
    same: list[Person] = []
    lines = []
    for name in names:
        for person in find_people(name, people):
            number = next((n for n, each in enumerate(same) if is_same_person(person, each)), None)
            if number is None:
                number = len(same)
                same.append(person)
            lines.append(
                Person(
                    folder=name,
                    login=f"{_NUMBERED}{number + 1}" if is_identified(person) else "",
                    attempt=person.attempt,
                    submitted_at=person.submitted_at,
                    due_at=person.due_at,
                    late=person.late,
                )
            )
    return tuple(lines)


def _read(results: Path) -> _Kept | None:
    import msgspec

    path = results / FILE
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise HarnessError(
            f"{path}: damaged ({error}); name the roster and the attempts again, or remove it"
        ) from None
    require_known(path, kept.version, VERSION)
    return kept
