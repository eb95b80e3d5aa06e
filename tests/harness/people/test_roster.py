"""Rosters and gradebooks, whose submission is whose, and which attempt counts."""

import contextlib
import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_by_hand import good_checkpoints
from records_by_hand import record as record_by_hand

from harness.people.attempts import Standing, chosen, in_pseudonyms, standings
from harness.people.roster import Person, read_roster
from harness.records.errors import HarnessError, Status
from harness.records.findings import ItemScore
from harness.records.record import SCHEMA_VERSION, DatasetIdentity, Record


@pytest.fixture
def roster(tmp_path):
    def written(text, encoding="utf-8"):
        path = tmp_path / "roster.csv"
        path.write_bytes(text.encode(encoding))
        return read_roster(path)

    return written


# --- reading ------------------------------------------------------------------------------------

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
        ("folder,login\na,b\na,c\n", "folder 'a' is there twice"),
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

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Lab 3 (77)
,,,,,Manual Posting
    Points Possible,,,,,10
"Doe, Jane",12,S12,jdoe,A and B,
"Lee, Ann",34,S34,ann,A,
"Lee, Ann-Marie",56,S56,ann-lee,A,
"""
BRIGHTSPACE = """\
OrgDefinedId,Username,Last Name,First Name,Lab 3 Points Grade,End-of-Line Indicator
#900,#jdoe,Doe,Jane,,#
#901,#mm,Müller,Max,,#
"""


def test_a_canvas_gradebook_is_a_roster(roster):
    people = roster(CANVAS, "utf-8-sig")
    assert people[0] == Person(
        folder="", name="Doe, Jane", login="jdoe", student_id="12", sis_id="S12",
        section="A and B",
    )  # fmt: skip
    assert [person.login for person in people] == ["jdoe", "ann", "ann-lee"]


def test_a_brightspace_gradebook_is_a_roster(roster):
    assert roster(BRIGHTSPACE)[0] == Person(
        folder="", name="Jane Doe", login="jdoe", org_defined_id="900"
    )


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
    person = standings([folder], roster(CANVAS))[folder].person
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
    person = standings([folder], roster(BRIGHTSPACE))[folder].person
    assert (person.login if person else None) == login


def test_what_fits_two_people_fits_none(roster):
    people = roster('Student,ID,SIS Login ID\n"Doe, Jane",1,a1\n"Doe, Jane",2,a2\n')
    assert standings(["Jane Doe"], people)["Jane Doe"].person is None


# --- attempts -----------------------------------------------------------------------------------


def person(folder, login="ann", **more):
    return Person(folder=folder, login=login, **more)


def record(name, points=None):
    given = () if points is None else (
        ItemScore(item="a", title="", kind="", maximum=10, points=points),
        ItemScore(item="b", title="", kind="", maximum=10, points=1.0),
    )  # fmt: skip
    return Record(
        schema_version=SCHEMA_VERSION, submission=name, status=Status.GRADED, reason=None,
        dataset=DatasetIdentity(name="faces", arrays={}), badnet=None, badnet_weights_hash=None,
        checkpoints=(), checks=(), notes=(), environment={}, points=given,
    )  # fmt: skip


def names_of(records):
    return [each.submission for each in records]


def test_the_standing_of_each_submission():
    roster = (
        person("a1", submitted_at="2026-11-02T10:00", late=True),
        person("a2", submitted_at="2026-11-01T10:00"),
        person("b.zip", login="bob"),
    )
    assert standings(["a1", "a2", "b", "c"], roster) == {
        "a1": Standing(roster[0], "a1", 2, 2, True),
        "a2": Standing(roster[1], "a2", 1, 2, None),
        "b": Standing(roster[2], "b", 1, 1, None),
        "c": Standing(None, "c", 1, 1, None),
    }


def test_an_attempt_that_the_roster_numbers_keeps_its_number():
    roster = (person("a1", attempt=3), person("a2", attempt=1))
    found = standings(["a1", "a2"], roster)
    assert [(found[n].attempt, found[n].attempts) for n in ("a1", "a2")] == [(3, 3), (1, 3)]


def test_canvas_s_late_mark_counts_unless_the_roster_says_otherwise():
    roster = (person("leeann_LATE_2", late=False),)
    found = standings(["doejane_LATE_1", "doejane_1", "leeann_LATE_2", "x_LATE"], roster)
    assert [standing.late for standing in found.values()] == [True, None, False, None]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"login": "ann"}, {"login": "ANN"}, True),
        ({"login": "ann", "name": "A"}, {"login": "bob", "name": "A"}, False),
        ({"login": "ann", "student_id": "1"}, {"login": "", "student_id": "1"}, True),
        ({"login": "", "sis_id": "1", "name": "A"}, {"sis_id": "2", "login": "", "name": "A"},
         False),
        ({"login": "", "org_defined_id": "1"}, {"login": "", "org_defined_id": "1"}, True),
        ({"login": "", "name": "A"}, {"login": "", "name": "A"}, True),
        ({"login": ""}, {"login": ""}, False),
    ],
)  # fmt: skip
def test_whose_attempts_belong_together(one, other, same):
    roster = (person("a", **one), person("b", **other))
    assert standings(["a", "b"], roster)["a"].attempts == (2 if same else 1)


def test_the_latest_by_time_by_number_or_by_order():
    records = [record(name) for name in ("x", "a1", "a2", "a3", "y")]
    times = ("2026-11-02T10:00Z", "2026-11-02T12:30+02:00", "2026-11-02T09:00Z")
    by_time = [person(f"a{i + 1}", submitted_at=t, attempt=9 - i) for i, t in enumerate(times)]
    assert names_of(chosen(records, by_time, "latest")) == ["x", "a2", "y"]
    by_number = [person("a1", attempt=2), person("a2", attempt=10), person("a3", attempt=3)]
    assert names_of(chosen(records, by_number, "latest")) == ["x", "a2", "y"]
    by_order = [person("a1", attempt=2), person("a2"), person("a3")]
    assert names_of(chosen(records, by_order, "latest")) == ["x", "a3", "y"]


def test_the_best_by_points_and_of_equals_the_latest():
    roster = [person("a1"), person("a2"), person("a3")]
    records = [record("a1", 7.0), record("a2", 9.0), record("a3", 8.0)]
    assert names_of(chosen(records, roster, "best")) == ["a2"]
    assert names_of(chosen([record("a1", 9.0), record("a2", 9.0)], roster, "best")) == ["a2"]
    assert names_of(chosen([record("a1", 9.0), record("a2", 0.0)], roster, "best")) == ["a1"]


def test_the_best_by_the_leaderboard_where_there_are_no_points():
    roster = [person("a1"), person("a2"), person("a3")]
    graded = record_by_hand(*good_checkpoints())
    records = [replace(graded, submission=name) for name in ("a1", "a2")]
    assert names_of(chosen([*records, record("a3")], roster, "best")) == ["a2"]
    assert names_of(chosen([records[0], record("a2", 9.0)], roster, "best")) == ["a1"]
    assert names_of(chosen([record("a1"), record("a2")], roster, "best")) == ["a2"]


def test_all_keeps_all():
    roster = [person("a1"), person("a2")]
    records = [record("a2"), record("a1")]
    assert chosen(records, roster, "all") == records


# --- under pseudonyms ---------------------------------------------------------------------------


def test_a_roster_in_pseudonyms_keeps_attempts_and_lateness_and_no_names(roster):
    people = roster(
        "folder,name,login,submitted_at,due_at\n"
        "a1,Ann Lee,ann7,2026-11-02T10:00,2026-11-01T10:00\n"
        "a2,Ann Lee,ann7,2026-11-01T09:00,2026-11-01T10:00\n"
        "b.zip,Bob Ray,bob7,,\n"
    )
    keys = {"a1": "s-1", "a2": "s-2", "b": "s-3", "doe_LATE_1": "s-4", "x": "s-5"}
    hidden = in_pseudonyms(people, keys)
    assert sorted(hidden, key=lambda p: p.folder) == [
        Person(folder="s-1", login="s-2", attempt=2, late=True),
        Person(folder="s-2", login="s-2", attempt=1, late=False),
        Person(folder="s-3", login="s-3", attempt=1),
        Person(folder="s-4", late=True),
    ]
    shown, named = standings(list(keys.values()), hidden), standings(list(keys), people)
    for name, key in keys.items():
        told = [(found.attempt, found.attempts, found.late)
                for found in (shown[key], named[name])]  # fmt: skip
        assert told[0] == told[1], name


@pytest.mark.parametrize("which", ["latest", "best"])
@pytest.mark.parametrize(
    "attempts",
    [({"attempt": 2}, {"attempt": 9}, {"attempt": 3}), ({"attempt": 2}, {}, {}), ({}, {}, {}),
     ({"attempt": 7}, {"attempt": 7}, {"attempt": 7}),
     ({"submitted_at": "2026-11-02T10:00"}, {"submitted_at": "2026-11-01T10:00"},
      {"submitted_at": "2026-11-01T09:00"})],
)  # fmt: skip
def test_the_same_attempts_count_under_pseudonyms(which, attempts):
    people = [person(f"a{index}", **more) for index, more in enumerate(attempts)]
    keys = {"a0": "s-c", "a1": "s-a", "a2": "s-b"}  # in another order than the names
    points = {"a0": 8.0, "a1": 8.0, "a2": 8.0}
    named = chosen([record(name, points[name]) for name in sorted(points)], people, which)
    secret = [record(keys[name], points[name]) for name in sorted(points, key=keys.get)]
    hidden = chosen(secret, in_pseudonyms(people, keys), which)
    assert [keys[each] for each in names_of(named)] == names_of(hidden)
