"""Rosters and gradebooks: what is read, and one clear line for each mistake."""

import contextlib
import csv
import io

import pytest
from gradebooks import BRIGHTSPACE, CANVAS
from hypothesis import given
from hypothesis import strategies as st

from harness.people.roster import Person, examine_roster, is_same_person, read_roster
from harness.records.errors import HarnessError

FULL = """\
folder,name,login,student_id,sis_id,org_defined_id,section,attempt,submitted_at,due_at,late
ann-1,"Lee, Ann",ann,12,S12,O12,A,1,2026-11-24T23:59:01+01:00,2026-11-24T22:59:00Z,
"""
ANN = Person(
    folder="ann-1", name="Lee, Ann", login="ann", student_id="12", sis_id="S12",
    org_defined_id="O12", section="A", attempt=1, submitted_at="2026-11-24T23:59:01+01:00",
    due_at="2026-11-24T22:59:00Z", late=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FULL, "utf-8"),
        (FULL, "utf-8-sig"),
        (FULL.replace("\n", "\r\n"), "utf-8"),
        (FULL.replace("folder,name", " Folder ,NAME"), "utf-8"),
        (FULL.replace("Lee, Ann", "Lee@ Ann").replace(",", ";").replace("@", ","), "utf-8"),
        (FULL + "\n,,,,,,,,,,\n", "utf-8"),
    ],
)
def test_every_column_is_read(roster, text, encoding):
    assert roster(text, encoding) == (ANN,)


def test_only_the_folder_is_required_and_other_columns_may_be_there(roster):
    assert roster("grade,folder\n7,a\n8,b\n") == (Person(folder="a"), Person(folder="b"))


@pytest.mark.parametrize(
    ("submitted", "due", "said", "late"),
    [
        ("2026-11-24T23:59:00", "2026-11-24T23:59:00", "", False),
        ("2026-11-24T23:59:01", "2026-11-24T23:59:00", "", True),
        ("2026-11-24T23:59:01", "2026-11-24T23:59:00", "No", False),
        ("2026-11-24 23:59", "2026-11-24T23:59:00", "TRUE", True),
        ("2026-11-24T23:59:00+02:00", "2026-11-24T22:00:00Z", "", False),
        ("2026-11-24T23:59:00", "", "", None),
        ("", "", "1", True),
    ],
)
def test_late_is_what_is_said_else_what_the_times_say(roster, submitted, due, said, late):
    (person,) = roster(f"folder,submitted_at,due_at,late\na,{submitted},{due},{said}\n")
    assert person.late is late


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; the first line"),
        ("a,b\n1,2\n", "no column folder"),
        ("folder\n", "nobody in it"),
        ("folder,login,Login\na,b,c\n", "two columns login"),
        ("folder,login\na,b\n,c\n", r"line 3: no folder; write"),
        ("folder,login\na,b\na,B\n", "folder 'a' is there twice"),
        ("folder,login\na,b\na,\n", "folder 'a' is there twice"),
        ("folder\na\na\n", "folder 'a' is there twice"),
        ("folder,login\na\n", r"line 2: 1 cells only"),
        ("folder,attempt\na,one\n", r"line 2: attempt 'one' is no number; write"),
        ("folder,attempt\na,0\n", r"line 2: attempt '0'"),
        ("folder,late\na,perhaps\n", r"line 2: late 'perhaps' is unclear; write yes"),
        ('folder,due_at\n"a\nb",x\na,24.11.2026\n', r"line 3: 'x' is no time.*\(and 1 more\)"),
        ("folder,submitted_at,due_at\na,2026-11-24T10:00Z,2026-11-24T10:00\n", "line 2: one time"),
        ("folder,due_at\na,2026-11-24T10:00Z\nb,2026-11-24T10:00\n", "some times have a UTC"),
        ('folder\n"a\n', "not CSV"),
    ],
)
def test_a_bad_roster_is_one_clear_line(roster, text, message):
    with pytest.raises(HarnessError, match=f"roster.csv: .*{message}") as caught:
        roster(text)
    assert "\n" not in str(caught.value)


def test_what_is_not_utf_8_says_so(roster, tmp_path):
    with pytest.raises(HarnessError, match="not UTF-8; save it as CSV UTF-8"):
        roster("folder,name\na,Zoë\n", "latin-1")
    with pytest.raises(HarnessError, match="cannot be read"):
        read_roster(tmp_path / "none.csv")


# --- what spreadsheets do to ids ----------------------------------------------------------------

CANVAS_TITLES = "Student,ID,SIS User ID,SIS Login ID,Section\n"


@pytest.mark.parametrize(
    ("text", "line", "shown"),
    [
        (f"{CANVAS_TITLES}Ann,1,2.02611E+11,ann,\nBob,2,2.02611E+11,bob,\n", 2, "2.02611E+11"),
        ("OrgDefinedId;Username;Last Name;First Name\n#2,02611e+11;#a;Lee;Ann\n", 2, "2,02611e+11"),
        ("folder,student_id\na,12\nb,2E+11\n", 3, "2E+11"),
        ("folder\tlogin\na\t202611.0\n", 2, "202611.0"),
    ],
)
def test_an_id_that_a_spreadsheet_changed_is_refused(roster, text, line, shown):
    with pytest.raises(HarnessError) as caught:
        roster(text)
    message = str(caught.value)
    assert f"line {line}: " in message
    assert (
        f"{shown!r} is no id but what a spreadsheet made of one; give the platform's own" in message
    )
    assert "\n" not in message


@pytest.mark.parametrize("login", ["1e5", "12e3", "e+11", "2.02.2026", "a1.0", "007"])
def test_a_login_that_only_looks_like_a_number_is_one(roster, login):
    assert roster(f"folder,login\na,{login}\n")[0].login == login


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{CANVAS_TITLES}Ann Lee,1,202611000000,ann,\nBob Ray,2,202611000000,bob,\n",
         "sis_id '202611000000' is of two people, 'Ann Lee' and 'Bob Ray'; correct it"),
        ("folder,name,login\na,Ann Lee,al\nb,Ann Lee,al\nc,Cyd Case,AL\n",
         "login 'al' is of two people, 'Ann Lee' and 'Cyd Case'"),
        ("folder,login,student_id\na,ann,7\nb,bob,7\n",
         "student_id '7' is of two people, 'ann' and 'bob'"),
        ("Email address,Full name\nx@y.z,Ann Lee\nx@y.z,Bob Ray\n",
         "email 'x@y.z' is of two people"),
    ],
)  # fmt: skip
def test_one_id_under_two_names_is_refused(roster, text, shown):
    with pytest.raises(HarnessError) as caught:
        roster(text)
    assert shown in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [('"Lee, Ann"', "Ann Lee"), ("Zoë Lee", "ZOE LEE"), ("Ann M. Lee", "Ann Lee"), ("Ann", "")],
)
def test_one_name_in_two_spellings_is_one_person(roster, first, second):
    people = roster(f"folder,name,login\na,{first},al\nb,{second},AL\n")
    assert is_same_person(*people)


@given(st.lists(st.text(), max_size=5), st.binary(max_size=200))
def test_no_bytes_raise_anything_else(tmp_path_factory, cells, junk):
    path = tmp_path_factory.mktemp("roster") / "r.csv"
    output = io.StringIO()
    csv.writer(output).writerows([["folder", "late", "due_at"], cells, cells])
    for content in (output.getvalue().encode("utf-8", "replace"), junk, b"folder\n" + junk):
        path.write_bytes(content)
        with contextlib.suppress(HarnessError):
            assert all(isinstance(person, Person) for person in read_roster(path))


# --- gradebooks ---------------------------------------------------------------------------------


def test_a_canvas_gradebook_is_a_roster(roster):
    people = roster(CANVAS, "utf-8-sig")
    assert people[0] == Person(
        folder="",
        name="Doe, Jane",
        login="jdoe",
        student_id="12",
        sis_id="S12",
        section="A and B",
    )
    assert [person.login for person in people] == ["jdoe", "ann", "ann-lee"]


def test_a_brightspace_gradebook_is_a_roster(roster):
    assert roster(BRIGHTSPACE)[0] == Person(
        folder="", name="Jane Doe", login="jdoe", org_defined_id="900"
    )


def test_several_people_in_one_folder_are_a_team(roster):
    team = roster("folder,login,name\na,ann,\na,bob,\na,,Cyd Case\n")
    assert [person.login or person.name for person in team] == ["ann", "bob", "Cyd Case"]


def test_all_that_is_wrong_with_a_roster_can_be_had(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("folder,login,attempt\na,ann,one\n,bob,1\nc,cyd,1\nc,cyd,2\n")
    people, problems = examine_roster(path)
    assert [person.folder for person in people] == ["c", "c"]
    assert [problem.partition(";")[0] for problem in problems] == [
        "line 2: attempt 'one' is no number",
        "line 3: no folder",
        "folder 'c' is there twice",
    ]
