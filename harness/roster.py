"""Who handed in what: an instructor's ``roster.csv`` and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One line of a roster: a folder (or archive) name and whose it is.

    ``login`` is Canvas's SIS Login ID and Brightspace's Username. ``late`` is None where the
    roster tells neither lateness nor times.
    """

    folder: str
    name: str = ""
    login: str = ""
    student_id: str = ""
    sis_id: str = ""
    org_defined_id: str = ""
    section: str = ""
    attempt: int | None = None
    submitted_at: str = ""
    due_at: str = ""
    late: bool | None = None
