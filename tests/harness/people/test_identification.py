"""Whose submission is whose, by the names that platforms and people give to folders."""

import pytest
from gradebooks import BLACKBOARD, BRIGHTSPACE, CANVAS

from harness.people.identification import find_person


@pytest.mark.parametrize(
    ("folder", "login"),
    [
        ("doejane_12", "jdoe"),
        ("doejane_LATE_12", "jdoe"),
        ("doejane_12_999_lab", "jdoe"),
        ("whoever_12_999_lab", None),  # Canvas writes the name of the user beside the id
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


NUMBERED = """\
Student,ID,SIS User ID,SIS Login ID,Section
"Doe, Jane",202611,20261130,1234567,A
"Lee, Ann",12,N18,ann,A
"Ray, Bob",3,67890,bob,A
"""


@pytest.mark.parametrize(
    ("folder", "login"),
    [
        # Numbers that people and platforms write, and that are somebody's id.
        ("hw2 202611", None),
        ("hw2_202611", None),
        ("hw_202611_1_final", None),
        ("lab-20261130", None),
        ("submission 2026-11-30 1234567", None),
        ("group_3", None),
        ("3", None),
        ("12345-67890 - Some Body - Nov 30, 2026 1027 AM", None),
        ("202611-67890 - Some Body - 30 November, 2026 10:27", None),
        ("Some Body_202611_assignsubmission_file_", None),
        ("Lab 202611_somebody_attempt_2026-11-30-10-27-00", None),
        ("submission_202611", None),
        ("anon_202611", None),
        ("anon_Ab3Xz", None),
        # What is an id where it stands.
        ("doejane_202611", "1234567"),
        ("doejane_LATE_202611_900_lab", "1234567"),
        ("202611", "1234567"),
        ("20261130.zip", "1234567"),
        ("n18", "ann"),
        ("lab3-N18-final", "ann"),
        ("Lab 3_1234567_attempt_2026-11-30-10-27-00", "1234567"),
        # A platform writes the whole name: a login in somebody else's is nobody's.
        ("1-2 - Ann Other - Nov 30, 2026 1027 AM", None),
        ("1-2 - Mary Ann Lee - Nov 30, 2026 1027 AM", None),
        ("1-2 - Team 4 - Ann Lee - Nov 30, 2026 1027 AM", "ann"),
        ("1-2 - Ann Lee - 30 novembre 2026", "ann"),
        ("Bob Ray_202611_assignsubmission_file_", "bob"),
    ],
)
def test_a_number_that_merely_equals_an_id_is_nobodys(roster, folder, login):
    person = find_person(folder, roster(NUMBERED))
    assert (person.login if person else None) == login


@pytest.mark.parametrize(
    ("folder", "login"),
    [("Lab 3_jdoe_attempt_2026-11-30-10-27-00", "jdoe"),
     ("Lab 3_j_doe_attempt_2026-11-30-10-27-00", "j_doe"),
     ("j_doe_attempt_2026-11-30-10-27-00", "j_doe"),
     ("Lab 3_xjdoe_attempt_2026-11-30-10-27-00", None),
     ("jdoe_someone_attempt_2026-11-30-10-27-00", None)],
)  # fmt: skip
def test_blackboard_writes_the_login_last(roster, folder, login):
    person = find_person(folder, roster(BLACKBOARD))
    assert (person.login if person else None) == login


def test_what_fits_two_people_fits_none(roster):
    people = roster('Student,ID,SIS Login ID\n"Doe, Jane",1,a1\n"Doe, Jane",2,a2\n')
    assert find_person("Jane Doe", people) is None
