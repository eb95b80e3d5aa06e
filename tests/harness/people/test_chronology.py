"""The order of a person's submissions by what platforms write into names, and never by a guess."""

import pytest
from courses import graded
from gradebooks import BLACKBOARD, BRIGHTSPACE
from hypothesis import given
from hypothesis import strategies as st

from harness.people.attempts import (
    find_standings,
    pseudonymise_roster,
    roster_remarks,
    select_attempts,
    undated_attempts,
)
from harness.people.roster import Person

JANE = (Person(folder="", name="Jane Doe", login="jdoe", org_defined_id="900"),)
DATED = [
    # In the order of names and in the order of time: different ones, each time.
    ("1-2 - Jane Doe - Nov 30, 2026 1027 AM", "1-2 - Jane Doe - Dec 1, 2026 905 AM"),
    ("1-2 - Jane Doe - 30 November, 2026 10:27", "1-2 - Jane Doe - 1 December, 2026 9:05"),
    ("9-2 - Jane Doe - 30 Nov 2026 2214", "1-2 - Jane Doe - 1 Dec 2026 905"),
    ("1-2 - Jane Doe - Nov 30, 2026 905 AM", "1-2 - Jane Doe - Nov 30, 2026 1027 AM"),
    ("1-2 - Jane Doe - Nov 30, 2026 1155 AM", "1-2 - Jane Doe - Nov 30, 2026 1205 PM"),
    ("1-2 - Jane Doe - Nov 30, 2026 1205 AM", "1-2 - Jane Doe - Nov 30, 2026 1105 AM"),
    ("1-2 - Jane Doe - Dec 31, 2026 100 PM", "1-2 - Jane Doe - Jan 1, 2027 100 PM"),
    ("1-2 - Jane Doe - 30 Nov 2026", "1-2 - Jane Doe - 1 Dec 2026"),
    ("1-2 - Jane Doe - Nov 30, 2026", "1-2 - Jane Doe - 1 December, 2026 9:05"),
    ("Lab 9_jdoe_attempt_2026-11-30-22-27-00", "Lab 10_jdoe_attempt_2026-12-01-09-05-00"),
]
UNDATED = [
    ("1-2 - Jane Doe - 30 novembre 2026 1027", "1-2 - Jane Doe - 1 décembre 2026 905"),
    ("1-2 - Jane Doe - Nov 30, 2026 1027 AM", "1-2 - Jane Doe - Dec 32, 2026 905 AM"),
    ("1-2 - Jane Doe - Nov 30, 2026 1027 AM", "3-2 - Jane Doe - Nov 30, 2026 1027 AM"),
    ("1-2 - Jane Doe - Nov 30, 2026 1027 AM", "1-2 - Jane Doe - 30 Nov 2026"),
    ("1-2 - Jane Doe - 11-12-2026 1027", "1-2 - Jane Doe - 12-11-2026 1027"),
    ("1-2 - Jane Doe", "3-2 - Jane Doe"),
    ("lab3-jdoe", "lab3-jdoe-new"),
    ("Jane Doe_1_assignsubmission_file_", "Jane Doe_2_assignsubmission_file_"),
]


def both_orders(pairs):
    return [order for pair in pairs for order in (pair, pair[::-1])]


@pytest.mark.parametrize("names", both_orders(DATED))
def test_the_latest_is_the_last_in_time_whatever_the_order_of_names(names):
    first, last = next(pair for pair in DATED if set(pair) == set(names))
    records = [graded(name) for name in names]
    assert [each.submission for each in select_attempts(records, JANE, "latest")] == [last]
    standings = find_standings(names, JANE)
    assert [(standings[n].attempt, standings[n].attempts) for n in (first, last)] == [
        (1, 2),
        (2, 2),
    ]
    assert roster_remarks(names, JANE, "latest") == []


@pytest.mark.parametrize("names", UNDATED)
def test_what_cannot_be_dated_is_named_and_never_chosen(names):
    records = [graded(name) for name in names]
    assert select_attempts(records, JANE, "latest") == records
    assert {each.attempt for each in find_standings(names, JANE).values()} == {None}
    (remark,) = roster_remarks(names, JANE, "latest")
    assert all(name in remark for name in names)
    assert "give attempt or submitted_at in a roster" in remark
    assert roster_remarks(names, JANE, "all") == []
    assert len(select_attempts(records, JANE, "best")) == 1


def test_the_roster_goes_before_the_names(roster):
    first, last = DATED[0]
    people = roster(f'folder,login,attempt\n"{first}",jdoe,2\n"{last}",jdoe,1\n')
    records = [graded(first), graded(last)]
    assert [each.submission for each in select_attempts(records, people, "latest")] == [first]
    without = roster(f'folder,login\n"{first}",jdoe\n"{last}",jdoe\n')
    assert [each.submission for each in select_attempts(records, without, "latest")] == [last]


@pytest.mark.parametrize("names", [*DATED, *UNDATED])
def test_under_pseudonyms_the_order_is_as_well_known(names):
    keys = dict(zip(names, ("s-0000000002", "s-0000000001"), strict=True))
    hidden = pseudonymise_roster(JANE, keys)
    shown = select_attempts([graded(key) for key in sorted(keys.values())], hidden, "latest")
    named = select_attempts([graded(name) for name in names], JANE, "latest")
    assert {keys[each.submission] for each in named} == {each.submission for each in shown}
    assert bool(undated_attempts(list(keys.values()), hidden)) == (names in UNDATED)


@given(st.permutations(range(6)))
def test_many_attempts_in_any_order(order):
    times = ("Nov 9, 2026 900 PM", "Nov 10, 2026 901 AM", "10 Nov 2026 2101", "Dec 1, 2026 800 AM",
             "2 December, 2026 7:00", "Jan 1, 2027 1200 AM")  # fmt: skip
    names = [f"1-2 - Jane Doe - {time}" for time in times]
    standings = find_standings([names[index] for index in order], JANE)
    assert [standings[name].attempt for name in names] == [1, 2, 3, 4, 5, 6]


def test_submissions_that_match_nobody_are_listed_once(roster):
    people = roster(BRIGHTSPACE)
    names = ["1-2 - Jane Doe - Nov 30, 2026 1027 AM", "eve", "joe\nx"]
    assert roster_remarks(names, people, "all") == ["nobody in the roster matches eve, joe?x"]
    assert roster_remarks(names, (), "all") == []
    (remark,) = roster_remarks(["s-0123456789"], roster(BLACKBOARD), "all")
    assert remark.endswith("(these are pseudonyms; name the key file that they are from: "
                           "--anonymous KEYFILE)")  # fmt: skip
