"""What lateness costs: a line of its own, for people in the roster, never for what is unknown."""

from dataclasses import replace

import pytest
from courses import graded, rubric

from harness.assessment.scoring import total
from harness.people.attempts import Standing
from harness.people.lateness import late_penalty, take_late_penalties, take_late_penalty
from harness.people.roster import Person
from harness.people.views import student_view

ANN = Person(folder="ann")
HARSH = replace(rubric(), late_penalty_share=0.25)


def penalised(late, person=ANN, by=HARSH):
    standings = {"ann": Standing(person, "ann", 1, 1, late)}
    return take_late_penalties([graded("ann")], standings, by)[0]


def test_a_late_submission_loses_its_share_in_a_line_of_its_own():
    own = penalised(late=True)
    points, maximum = total(graded("ann").points)
    assert points > 0
    assert total(own.points) == (0.75 * points, maximum)
    assert own.points[:-1] == graded("ann").points
    assert own.points[-1].title == f"handed in late: 25 % of {points:g} points"
    assert late_penalty(own) == 0.25 * points


@pytest.mark.parametrize("late", [False, None])
def test_who_is_not_late_or_not_known_to_be_loses_nothing(late):
    assert penalised(late=late) == graded("ann")


def test_nothing_is_taken_without_a_rule_nor_of_somebody_who_is_not_in_the_roster():
    assert penalised(late=True, by=rubric()) == graded("ann")
    assert penalised(late=True, person=None) == graded("ann")
    assert take_late_penalties([graded("bob")], {}, HARSH) == [graded("bob")]


def test_it_is_taken_once_and_can_be_given_back():
    own = penalised(late=True)
    assert take_late_penalty(own, late=True, share=0.25) == own
    assert take_late_penalty(own, late=False, share=0.25) == graded("ann")


def test_where_there_are_no_points_there_is_nothing_to_lose():
    nothing = graded("ann", ())
    empty = replace(nothing, points=tuple(replace(p, points=0.0) for p in nothing.points))
    assert take_late_penalty(empty, late=True, share=0.5) == empty


@pytest.mark.parametrize("hidden", ["test", "reference"])
def test_the_line_does_not_tell_a_sum_that_is_hidden(hidden):
    line = student_view(penalised(late=True), (hidden,)).points[-1]
    assert (line.title, line.points) == ("handed in late", None)
