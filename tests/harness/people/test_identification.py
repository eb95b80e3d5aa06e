"""Whose submission is whose, by the names that platforms and people give to folders."""

import pytest
from gradebooks import BRIGHTSPACE, CANVAS

from harness.people.identification import find_person


@pytest.mark.parametrize(
    ("folder", "login"),
    [
        ("doejane_12", "jdoe"),
        ("doejane_LATE_12", "jdoe"),
        ("whoever_12_999_lab", "jdoe"),
        ("doejane_13", None),  # another of the same name
        ("jdoe", "jdoe"),
        ("JDoe", "jdoe"),
        ("lab3-jdoe", "jdoe"),
        ("lab3-ann", "ann"),
        ("lab3-ann-lee", "ann-lee"),
        ("lab3_S34_x", "ann"),
        ("lab3-joann", None),
        ("Jane Doe's lab", "jdoe"),
        ("Ann-Marie Lee", "ann-lee"),
        ("submission_999", None),
        ("", None),
    ],
)
def test_a_folder_finds_its_person_in_a_canvas_gradebook(roster, folder, login):
    person = find_person(folder, roster(CANVAS))
    assert (person.login if person else None) == login


@pytest.mark.parametrize(
    ("folder", "login"),
    [
        ("900-901 - Max Mu\u0308ller - Nov 24, 2026 1027 AM", "mm"),
        ("1-2 - Jane Doe - Dec 1, 2026 900 PM", "jdoe"),
        ("1-2 - Someone Else - Nov 900, 2026 901 AM", None),
    ],
)
def test_numbers_of_brightspace_are_nobody_s(roster, folder, login):
    person = find_person(folder, roster(BRIGHTSPACE))
    assert (person.login if person else None) == login


def test_what_fits_two_people_fits_none(roster):
    people = roster('Student,ID,SIS Login ID\n"Doe, Jane",1,a1\n"Doe, Jane",2,a2\n')
    assert find_person("Jane Doe", people) is None
