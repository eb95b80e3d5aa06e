"""The columns by which platforms' gradebooks and lists of participants name people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
_BLACKBOARD = {
    "username": "login",
    "last name": "last name",
    "first name": "first name",
    "student id": "sis_id",
}
_GRADESCOPE = {
    "sid": "sis_id",
    "name": "name",
    "last name": "last name",
    "first name": "first name",
    "email": "email",
    "sections": "section",
}
_MOODLE = {
    "email address": "email",
    "last name": "last name",
    "surname": "last name",
    "first name": "first name",
    "full name": "name",
    "id number": "sis_id",
    "username": "login",
}
_GRADEBOOKS = (_CANVAS, _BRIGHTSPACE, _GRADESCOPE, _MOODLE, _BLACKBOARD)
"""The fields of each platform's columns; the first title is one that must be there."""


def gradebook_fields(titles: Sequence[str]) -> Mapping[str, str]:
    """The field of each title, in lower case, that may be there; none for an unknown kind of file.

    Besides those of a person there are ``last name`` and ``first name``.
    """
    for gradebook in _GRADEBOOKS:
        first_title = next(iter(gradebook))
        known = sum(title in gradebook for title in titles)
        if titles.count(first_title) == 1 and known > 1:
            return gradebook
    return {}
