"""What competes for nothing is left aside; what cannot be settled is asked for."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.intake.arrangement import arrange
from harness.intake.matching import Expectation, IdentifiedModel, assign
from harness.records.errors import SubmissionError
from harness.records.submission import Candidate

CLASSES, REQUIRED = 1283, (2.0, 4.0, 10.0)
EXPECTED = Expectation(CLASSES, REQUIRED, badnet="B", name="ann")


def model(path, points=None, *, identity=None, output_count=CLASSES, problem=None, **fields):
    candidate = Candidate(
        path=path, format="h5", size_bytes=1, drop_points=points, **{"role": None, **fields}
    )
    if problem is not None:
        output_count = None
    return IdentifiedModel(candidate, identity or path, output_count, problem)


def trio(pattern="model_{}.h5"):
    return [model(pattern.format(x), float(x)) for x in (2, 4, 10)]


def kept(*models):
    return {each.path: each.points for each in arrange(models, EXPECTED).models}


def test_a_tidy_set_is_kept_without_a_word():
    arranged = arrange(trio(), EXPECTED)
    assert arranged.models == trio()
    assert arranged.notes == []


def test_what_cannot_be_read_is_kept_only_where_its_x_has_no_other():
    broken = model("broken_4.h5", 4.0, problem="truncated")
    assert kept(*trio(), broken) == kept(*trio())
    assert "broken_4.h5" in kept(*(each for each in trio() if each.points != 4), broken)


@pytest.mark.parametrize("role", [None, "goodnet"])
def test_a_broken_twin_is_left_aside_where_another_x_is_missing(role):
    """X = 2 is within half of 4, and yet its own: it stands in for nothing."""
    without_4 = [each for each in trio() if each.points != 4]
    assert kept(*without_4, model("twin_2.h5", 2.0, problem="truncated", role=role)) == kept(
        *without_4
    )


def test_of_two_that_cannot_be_read_one_says_why():
    broken = [model(name, 4.0, problem="truncated") for name in ("a", "b")]
    assert len(kept(*broken)) == 1


def test_what_may_stand_in_for_a_missing_x_says_why_it_does_not():
    without_4 = [each for each in trio() if each.points != 4]
    assert "m_5" in kept(*without_4, model("m_5", 5.0, problem="truncated"))
    assert "m_7" not in kept(*without_4, model("m_7", 7.0, problem="truncated"))


def test_an_unreadable_g_leaves_the_composed_one():
    broken = model("G_2.keras", 2.0, problem="truncated", role="goodnet")
    assert kept(*trio(), broken) == kept(*trio())


def test_the_badnet_is_left_alone_under_any_name_without_x():
    arranged = arrange([*trio(), model("net.h5", identity="B")], EXPECTED)
    assert arranged.notes == ["net.h5: the BadNet; left alone"]
    assert kept(*trio()[:2], model("m_10", 10.0, identity="B"))["m_10"] == 10


@pytest.mark.parametrize("others", [[], [model("report_2.h5", 2.0, problem="no model")]])
def test_a_net_named_like_the_badnet_is_graded_where_it_is_the_only_one(others):
    named = model("bd_net.h5", identity="pruned", named_badnet=True)
    assert "bd_net.h5" in kept(named, *others)
    assert "bd_net.h5" not in kept(named, *trio())


def test_nothing_but_the_badnet_is_rejected():
    with pytest.raises(SubmissionError, match="no repaired net in it: bd_net"):
        arrange([model("bd_net.h5", identity="B", named_badnet=True)], EXPECTED)


def test_the_only_net_without_x_is_the_only_x_without_a_net():
    assert kept(*trio()[:2], model("final.h5"))["final.h5"] == 10
    assert kept(trio()[0], model("final.h5"))["final.h5"] is None
    assert kept(*trio()[:2], model("a.h5"), model("b.h5"))["a.h5"] is None


def test_spare_nets_are_left_aside_once_all_is_there():
    arranged = arrange([*trio(), model("a.h5"), model("b.h5")], EXPECTED)
    assert arranged.models == trio()
    assert [note.split(":")[0] for note in arranged.notes] == ["a.h5, b.h5"]


def test_a_question_comes_with_the_line_that_settles_it():
    arranged = arrange([*trio(), model('o"dd_10.h5', 10.0)], EXPECTED)
    (note,) = arranged.notes
    assert note.endswith(
        'artifacts = { "model_2.h5" = { drop_points = 2 }, "model_4.h5" = { drop_points = 4 }, '
        '"model_10.h5" = { drop_points = 10 } }'
    )


def test_two_complete_sets_are_listed_with_the_command_for_one():
    with pytest.raises(SubmissionError) as caught:
        arrange([*trio(), *trio("second/model_{}_a.h5")], EXPECTED)
    assert caught.value.reason == (
        "2 complete sets of models, in its top folder (model_2.h5, model_4.h5, model_10.h5) and "
        "'second' (model_2_a.h5, model_4_a.h5, model_10_a.h5); grade one, `python -m harness "
        "grade ann/second`, or say in submission.toml which one counts: artifacts = { "
        '"second/model_2_a.h5" = { drop_points = 2 }, "second/model_4_a.h5" = { drop_points = 4 '
        '}, "second/model_10_a.h5" = { drop_points = 10 } }'
    )


def test_sets_that_share_a_net_are_asked_about_where_they_differ():
    second = [replace(each, identity=f"model_{each.points:g}.h5") for each in trio("b/{}.h5")]
    assert len(kept(*trio(), *second)) == 6
    other = replace(second[2], identity="other")
    slots = assign(arrange([*trio(), *second[:2], other], EXPECTED).models, EXPECTED)
    assert [bool(slot.questions) for slot in slots] == [False, False, True]


def test_declared_files_are_never_left_aside():
    declared = [model("a", 2.0, explicit=True), model("b", explicit=True),
                model("c", 2.0, explicit=True, problem="truncated")]  # fmt: skip
    assert arrange(declared, EXPECTED).models == declared


# --- anything that may lie in a folder --------------------------------------------------------

POINTS = st.sampled_from([None, 2.0, 4.0, 5.0, 10.0, 30.0])
ROLES = st.sampled_from([None, None, "goodnet"])


@st.composite
def folders(draw, **fields):
    """Models under paths of their own; equal identities answer the same."""
    models = []
    for index in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(["known", "known", "other", "broken"]))
        identity = draw(st.sampled_from("pqrsB")) if kind == "known" else f"file {index}"
        is_named_badnet = identity == "B" and draw(st.booleans())
        made = model(
            f"{draw(st.sampled_from(['', 'a/', 'b/']))}net {index}",
            None if is_named_badnet else draw(POINTS),
            identity=identity,
            output_count=CLASSES if kind == "known" else None,
            problem="broken" if kind == "broken" else None,
            role=draw(ROLES),
            named_badnet=is_named_badnet,
        )
        models.append(made)
    return models


def outcome(models):
    """What an arrangement comes to, but for its notes."""
    try:
        arranged = arrange(models, EXPECTED)
    except SubmissionError as error:
        return error.status
    return arranged.models, assign(arranged.models, EXPECTED)


@given(folders())
@settings(max_examples=2000, deadline=None)
def test_what_check_says_holds_after_the_models_have_answered(models):
    """Nets of the known network, and files that cannot be read, keep their places."""
    before = outcome(models)
    if not isinstance(before, tuple):
        return
    arranged, early = before
    answered = [
        replace(each, output_count=CLASSES + 1)
        if each.output_count is None and not each.problem
        else each
        for each in arranged
    ]
    late = assign(answered, EXPECTED)
    for slot, later in zip(early, late, strict=True):
        known = {each.path for each in arranged if each.output_count == CLASSES}
        if slot.repaired and slot.repaired.path in known:
            assert later.repaired == slot.repaired or later.goodnet == slot.repaired


@given(folders(), POINTS, ROLES)
@settings(max_examples=2000, deadline=None)
def test_a_file_that_is_no_model_changes_nothing_but_notes(models, points, role):
    """Unless it tells the X of a net that is missing: then it tells why."""
    junk = model("zz junk", points, problem="no model in it", role=role)
    before = outcome(models)
    filled = {each.points for each in models if not each.problem and not each.candidate.role}
    if points is not None and points not in filled:
        return
    if all(each.problem for each in models):
        return  # nothing can be graded, and each file's fault is a reason
    assert outcome([*models, junk]) == before
