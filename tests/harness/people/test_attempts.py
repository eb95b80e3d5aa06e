"""Which attempt a submission is, and which attempt counts, by name and under pseudonyms."""

from dataclasses import replace

import pytest
from records_by_hand import good_checkpoints
from records_by_hand import record as record_by_hand

from harness.people.attempts import (
    Standing,
    attempts_that_count,
    find_standings,
    load_people,
    pseudonymise_roster,
    select_attempts,
    undated_attempts,
)
from harness.people.roster import Person
from harness.records.errors import Status
from harness.records.findings import ItemScore
from harness.records.record import SCHEMA_VERSION, DatasetIdentity, Record


def person(folder, login="ann", **more):
    return Person(folder=folder, login=login, **more)


def record(name, points=None):
    """A graded record; with ``points`` on one item and 1 on another, where there are any."""
    scores = ()
    if points is not None:
        scores = (
            ItemScore(item="a", title="", kind="", maximum=10, points=points),
            ItemScore(item="b", title="", kind="", maximum=10, points=1.0),
        )
    return Record(
        schema_version=SCHEMA_VERSION,
        submission=name,
        status=Status.GRADED,
        reason=None,
        dataset=DatasetIdentity(name="faces", arrays={}),
        badnet=None,
        badnet_weights_hash=None,
        checkpoints=(),
        checks=(),
        notes=(),
        environment={},
        points=scores,
    )


def names_of(records):
    return [each.submission for each in records]


def test_the_standing_of_each_submission():
    roster = (
        person("a1", submitted_at="2026-11-02T10:00", late=True),
        person("a2", submitted_at="2026-11-01T10:00"),
        person("b.zip", login="bob"),
    )
    assert find_standings(["a1", "a2", "b", "c"], roster) == {
        "a1": Standing(roster[0], "a1", 2, 2, True, (roster[0],)),
        "a2": Standing(roster[1], "a2", 1, 2, None, (roster[1],)),
        "b": Standing(roster[2], "b", 1, 1, None, (roster[2],)),
        "c": Standing(None, "c", 1, 1, None),
    }


def test_an_attempt_that_the_roster_numbers_keeps_its_number():
    roster = (person("a1", attempt=3), person("a2", attempt=1))
    standings = find_standings(["a1", "a2"], roster)
    assert [(standings[n].attempt, standings[n].attempts) for n in ("a1", "a2")] == [(3, 3), (1, 3)]


def test_canvas_s_late_mark_counts_unless_the_roster_says_otherwise():
    roster = (person("leeann_LATE_2", late=False),)
    standings = find_standings(["doejane_LATE_1", "doejane_1", "leeann_LATE_2", "x_LATE"], roster)
    assert [standing.late for standing in standings.values()] == [True, None, False, None]


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
    assert find_standings(["a", "b"], roster)["a"].attempts == (2 if same else 1)


def test_the_latest_by_time_or_by_number_else_all():
    records = [record(name) for name in ("x", "a1", "a2", "a3", "y")]
    times = ("2026-11-02T10:00Z", "2026-11-02T12:30+02:00", "2026-11-02T09:00Z")
    by_time = [person(f"a{i + 1}", submitted_at=t, attempt=9 - i) for i, t in enumerate(times)]
    assert names_of(select_attempts(records, by_time, "latest")) == ["x", "a2", "y"]
    by_number = [person("a1", attempt=2), person("a2", attempt=10), person("a3", attempt=3)]
    assert names_of(select_attempts(records, by_number, "latest")) == ["x", "a2", "y"]
    for unclear in ({"attempt": 2}, {}, {}), ({}, {}, {}), ({"attempt": 1}, *2 * [{"attempt": 2}]):
        roster = [person(f"a{i + 1}", **more) for i, more in enumerate(unclear)]
        assert select_attempts(records, roster, "latest") == records
        assert undated_attempts(names_of(records), roster) == [("a1", "a2", "a3")]
        assert {each.attempt for each in find_standings(["a2", "a3"], roster).values()} <= {2, None}


def test_the_best_by_points_and_of_equals_the_latest():
    roster = [person("a1"), person("a2"), person("a3")]
    records = [record("a1", 7.0), record("a2", 9.0), record("a3", 8.0)]
    assert names_of(select_attempts(records, roster, "best")) == ["a2"]
    assert names_of(select_attempts([record("a1", 9.0), record("a2", 9.0)], roster, "best")) == [
        "a2"
    ]
    assert names_of(select_attempts([record("a1", 9.0), record("a2", 0.0)], roster, "best")) == [
        "a1"
    ]


def test_the_best_by_the_leaderboard_where_there_are_no_points():
    roster = [person("a1"), person("a2"), person("a3")]
    graded = record_by_hand(*good_checkpoints())
    records = [replace(graded, submission=name) for name in ("a1", "a2")]
    assert names_of(select_attempts([*records, record("a3")], roster, "best")) == ["a2"]
    assert names_of(select_attempts([records[0], record("a2", 9.0)], roster, "best")) == ["a1"]
    assert names_of(select_attempts([record("a1"), record("a2")], roster, "best")) == ["a2"]


def test_all_keeps_all():
    roster = [person("a1"), person("a2")]
    records = [record("a2"), record("a1")]
    assert select_attempts(records, roster, "all") == records


# --- whose people -------------------------------------------------------------------------------


def test_the_roster_given_goes_before_the_stored_one_and_pseudonyms_hide_it(tmp_path):
    assert load_people(tmp_path, None) == ()
    (tmp_path / "roster.csv").write_text("folder,name\na,Ann\n")
    assert load_people(tmp_path, None) == (Person(folder="a", name="Ann"),)
    other, key = tmp_path / "other.csv", tmp_path / "key.csv"
    other.write_text("folder,name\nb,Bob\n")
    assert load_people(tmp_path, other) == (Person(folder="b", name="Bob"),)
    key.write_text("pseudonym,folder\ns-0123456789,b\n")
    assert load_people(tmp_path, other, key) == (
        Person(folder="s-0123456789", login="s-0123456789", attempt=1),
    )


# --- under pseudonyms ---------------------------------------------------------------------------


def test_a_roster_in_pseudonyms_keeps_attempts_and_lateness_and_no_names(roster):
    people = roster(
        "folder,name,login,submitted_at,due_at\n"
        "a1,Ann Lee,ann7,2026-11-02T10:00,2026-11-01T10:00\n"
        "a2,Ann Lee,ann7,2026-11-01T09:00,2026-11-01T10:00\n"
        "b.zip,Bob Ray,bob7,,\n"
    )
    keys = {"a1": "s-1", "a2": "s-2", "b": "s-3", "doe_LATE_1": "s-4", "x": "s-5"}
    hidden = pseudonymise_roster(people, keys)
    assert sorted(hidden, key=lambda p: p.folder) == [
        Person(folder="s-1", login="s-2", attempt=2, late=True),
        Person(folder="s-2", login="s-2", attempt=1, late=False),
        Person(folder="s-3", login="s-3", attempt=1),
        Person(folder="s-4", late=True),
    ]
    shown, named = find_standings(list(keys.values()), hidden), find_standings(list(keys), people)
    for name, key in keys.items():
        hidden_standing, standing = shown[key], named[name]
        assert (hidden_standing.attempt, hidden_standing.attempts, hidden_standing.late) == (
            standing.attempt,
            standing.attempts,
            standing.late,
        ), name


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
    is_ordered = not undated_attempts(list(keys), people)
    # Which of equals is the best is decided by their order, where there is one.
    points = {"a0": 8.0, "a1": 8.0 if is_ordered else 9.0, "a2": 8.0}
    named = select_attempts([record(name, points[name]) for name in sorted(points)], people, which)
    secret = [record(keys[name], points[name]) for name in sorted(points, key=keys.get)]
    hidden = select_attempts(secret, pseudonymise_roster(people, keys), which)
    assert {keys[each] for each in names_of(named)} == set(names_of(hidden))
    assert len(hidden) == (1 if is_ordered or which == "best" else 3)


# --- teams --------------------------------------------------------------------------------------

TEAM = (
    person("one", attempt=1),
    person("one", "bob", attempt=1),
    person("two", attempt=2),
    person("three", "bob", attempt=2),
)


def test_a_teams_submission_is_an_attempt_of_each():
    found = find_standings(["one", "three", "two"], TEAM)
    assert [(each.attempt, each.attempts) for each in found.values()] == [(1, 2), (2, 2), (2, 2)]


def test_a_teams_submission_is_shown_once_and_only_where_it_counts_for_somebody():
    records = [record("one"), record("three"), record("two")]
    assert names_of(select_attempts(records, TEAM, "all")) == ["one", "three", "two"]
    assert names_of(select_attempts(records, TEAM, "latest")) == ["three", "two"]
    assert names_of(select_attempts(records[:2], TEAM, "latest")) == ["one", "three"]
    assert names_of(select_attempts(records[:1], TEAM, "best")) == ["one"]


def test_each_of_a_team_has_a_record_that_counts():
    records = [record("one"), record("three")]
    counted = attempts_that_count(records, TEAM, "latest")
    assert [(who.login, each.submission) for who, each, _ in counted] == [
        ("ann", "one"),
        ("bob", "three"),
    ]


@pytest.mark.parametrize(
    ("first", "second", "late"),
    [(True, True, True), (True, False, False), (None, True, True), (None, None, None)],
)
def test_a_team_is_late_where_all_are_of_whom_it_is_known(first, second, late):
    team = person("one", late=first), person("one", "bob", late=second)
    assert find_standings(["one"], team)["one"].late is late
    hidden = pseudonymise_roster(team, {"one": "s-1"})
    assert find_standings(["s-1"], hidden)["s-1"].late is late


def test_under_pseudonyms_the_same_attempts_of_a_team_count():
    names = ["one", "three", "two"]
    hidden = pseudonymise_roster(TEAM, {name: name for name in names})
    assert {each.login for each in hidden} == {"one", "one-2"}
    records = [record(name) for name in names]
    for which in ("latest", "best"):
        shown = names_of(select_attempts(records, hidden, which))
        assert shown == names_of(select_attempts(records, TEAM, which)) == ["three", "two"]


def test_one_person_twice_under_one_submission_made_one_attempt():
    twice = person("one"), person("one.zip")
    assert find_standings(["one"], twice)["one"].attempts == 1
