"""Which file is B'_X and which is G_X; ambiguity is never guessed away."""

import pytest

from harness.intake.matching import Expectation, IdentifiedModel, assign
from harness.records.submission import Candidate

CLASSES = 1283
EXPECTED = Expectation(CLASSES, (2.0, 4.0, 10.0))


def model(path, points, output_count=CLASSES, *, role=None, identity=None, explicit=False):
    candidate = Candidate(
        path=path, format="h5", size_bytes=1, role=role, drop_points=points, explicit=explicit
    )
    return IdentifiedModel(candidate, identity or path, output_count)


def assignment(*items):
    return {
        slot.drop_points: (
            slot.repaired and slot.repaired.path,
            slot.goodnet and slot.goodnet.path,
        )
        for slot in assign(items, EXPECTED)
    }


def test_outputs_decide_the_role():
    assert assignment(model("a", 2.0), model("g", 2.0, 1284), model("l", 4.0, 0)) == {
        2.0: ("a", "g"),
        4.0: (None, "l"),
    }


def test_a_goodnet_name_on_a_repaired_net_is_a_hint_only():
    assert assignment(model("gn-x2", 2.0, role="goodnet")) == {2.0: ("gn-x2", None)}


def test_a_repaired_net_named_goodnet_beside_its_twin_is_scored_as_g():
    items = model("b_2", 2.0), model("g_2", 2.0, role="goodnet")
    assert assignment(*items) == {2.0: ("b_2", "g_2")}


def test_equal_models_are_no_ambiguity():
    items = model("a.h5", 2.0, identity="same"), model("a.keras", 2.0, identity="same")
    assert assignment(*items) == {2.0: ("a.h5", None)}


def test_two_models_for_one_x_are_a_question_about_that_x():
    items = model("a.h5", 2.0), model("b.h5", 2.0), model("c.h5", 4.0)
    two, four = assign(items, EXPECTED)
    assert (two.repaired, two.goodnet) == (None, None)
    assert two.questions == {
        "repaired": "2 different models for X = 2: 'a.h5' and 'b.h5'; keep one, or name it in "
        "submission.toml"
    }
    assert four.repaired.path == "c.h5"
    assert four.questions == {}


def test_two_goodnets_for_one_x_leave_the_repaired_net():
    items = model("b", 2.0), model("g", 2.0, 1284), model("h", 2.0, 1284)
    (slot,) = assign(items, EXPECTED)
    assert (slot.repaired.path, slot.goodnet) == ("b", None)
    assert set(slot.questions) == {"goodnet"}


def test_two_models_without_x_are_a_question():
    (slot,) = assign([model("a", None), model("b", None)], EXPECTED)
    assert "X cannot be told from the names of 'a' and 'b'" in slot.questions["repaired"]


def test_what_has_not_answered_yet_is_g_beside_a_net_that_is_surely_repaired():
    assert assignment(model("b", 2.0), model("unknown", 2.0, None)) == {2.0: ("b", "unknown")}
    assert assignment(model("unknown", 2.0, None)) == {2.0: ("unknown", None)}


def test_one_model_of_unknown_x_is_kept_last():
    assert list(assignment(model("a", None), model("b", 10.0))) == [10.0, None]


@pytest.mark.parametrize(
    ("named", "expected"),
    [(5.0, [2, 4, 10]), (6.0, [2, 4, 10]), (6.01, [2, 6.01, 10]), (30.0, [2, 10, 30])],
)
def test_a_nearby_x_stands_in_for_a_missing_one(named, expected):
    assert list(assignment(model("a", 2.0), model("b", named), model("c", 10.0))) == expected


def test_no_stand_in_where_nothing_is_missing():
    items = [model(str(x), float(x)) for x in (2, 4, 5, 10)]
    assert list(assignment(*items)) == [2, 4, 5, 10]


def test_a_declared_role_stands():
    item = model("g", 2.0, role="goodnet", explicit=True)
    assert assignment(item) == {2.0: (None, "g")}


def test_a_file_that_failed_keeps_its_slot():
    assert assignment(model("a", 2.0, None), model("b", 4.0)) == {
        2.0: ("a", None),
        4.0: ("b", None),
    }
