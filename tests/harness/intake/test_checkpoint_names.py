"""X in file names as students choose them."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.intake.checkpoint_names import points_in_name, read_points

REQUIRED = (2.0, 4.0, 10.0)
PATTERNS = (
    "model_{}", "B'_{}", "x={}", "{} percent", "repaired{}", "b_prime_{}_weights",
    "lab3_model_{}", "pruned_bd_net_by_{}_acc=84.4_asr=77.0", "{}", "G{}",
)  # fmt: skip
MARKS = ("", "-2", "-10", " 2", " copy", " copy 2", " (1)", "(3)", "-v2", "_v3", " - Copy",
         " - Copy (4)")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("model_X=2.h5", 2),
        ("bd_model_X5.h5", 5),
        ("B_prime_10_weights.h5", 10),
        ("gn-x2_weights.h5", 2),
        ("model_B_30.h5", 30),
        ("model_10_percent_drop.h5", 10),
        ("repaired_model_4.h5", 4),
        ("repaired_x10.h5", 10),
        ("repaired_bd_weights2.h5", 2),
        ("Repaired_net_2_percent_threshold.h5", 2),
        ("pruned_net_2.h5", 2),
        ("pruned_bd_net_by_10_acc=84.43751623798389_asq=1_asr=77.015675067117.h5", 10),
        ("PrunedNet_X-2.keras", 2),
        ("GoodNet_X-10.keras", 10),
        ("B_prime_2.h5", 2),
        ("models/X=4/model.h5", 4),
        ("Lab/Lab3/10/net.keras", 10),
        ("model_2 (1).h5", 2),
        ("lab3_model_4.h5", 4),
        ("model_2.5.h5", 2.5),
        ("model.h5", None),
        ("model_5_and_7.h5", None),
        ("b_prime_model_0.02.h5", 2),
        ("drop_.04.h5", 4),
        ("model 0,10.h5", 10),
        ("model.2.h5", 2),
        ("model_2.final.h5", 2),
        ("model_2.0.h5", 2),
        ("model_0.3.h5", 0.3),
        ("two_percent.h5", 2),
        ("RepairedFour.h5", 4),
        ("B_prime_ten.keras", 10),
        ("often.h5", None),
        ("X=2/models/model.h5", 2),
        ("X=2/models/model_1.h5", 2),
        ("2%/final/weights/net.h5", 2),
        ("four/a/b.h5", 4),
        ("anonymous2_prune_net.h5", None),
        ("anonymous_2_prune_net.h5", None),
        ("bd1.h5", None),
        ("G1.h5", None),
        ("G2.h5", 2),
        ("group_10/net.h5", None),
        ("20261104/net.h5", None),
        ("group_10_model_4.h5", 4),
        ("hw-2 model 10.h5", 10),
        ("net_2_48_channels.h5", 2),
        ("net_4_10channels.h5", 4),
        ("model_2_2026-11-04.h5", 2),
        ("model_v2.h5", None),
        ("model (2).h5", None),
        ("model-2.h5", 2),
        ("model-2-10.h5", 2),
    ],
)
def test_points_in_a_name(name, points):
    assert points_in_name(name, REQUIRED) == points


@pytest.mark.parametrize(
    ("names", "points"),
    [
        (("net_10_2.h5", "net_10_4.h5", "net_10_10.h5"), (2, 4, 10)),
        (("try 2-2.h5", "try 2-4.h5", "try 2-10.h5"), (2, 4, 10)),
        (("B2.h5", "B4.h5", "B10.h5"), (2, 4, 10)),
        (("net-v2.h5", "net-v4.h5", "net-v10.h5"), (2, 4, 10)),
        (("net (2).h5", "net (4).h5", "net (10).h5"), (2, 4, 10)),
        (("r2/a.h5", "r4/a.h5", "r10/b.h5"), (2, 4, 10)),
        (("lab 2/a.h5", "lab 2/b.h5"), (None, None)),
        (("net.h5", "net (1).h5", "net (2).h5"), (None, None, None)),
        (("net_1.h5", "net_2.h5", "net_3.h5"), (None, None, None)),
        (("net_0.h5", "net_1.h5", "net_2.h5"), (None, None, None)),
        # The second upload of one file does not take the X of another.
        (("net_10-2.h5", "net_10-4.h5", "net_2.h5", "net_4.h5"), (10, 10, 2, 4)),
        (("net_2-4.h5", "net_4-2.h5", "net_10.h5"), (2, 4, 10)),
    ],
)
def test_names_are_read_as_a_set(names, points):
    read = read_points(names, REQUIRED)
    assert tuple(read[name].points for name in names) == points


def test_an_x_of_another_benchmark_is_a_fraction_where_it_is_required():
    assert points_in_name("model_0.5.h5", (0.5, 1.0)) == 0.5
    assert points_in_name("model_0.5.h5", (50.0,)) == 50


@pytest.mark.parametrize(
    "name", ["b_0.02.h5", "X=2/models/a.h5", "m_2-2.h5", "m_2 (1).h5", "G2.h5"]
)
def test_what_is_not_plain_is_marked_as_inferred(name):
    assert read_points([name], REQUIRED)[name].inferred
    assert not read_points(["model_2.h5"], REQUIRED)["model_2.h5"].inferred


@pytest.mark.parametrize(("pattern", "mark"), list(product(PATTERNS, MARKS)))
def test_one_mark_on_every_file_changes_nothing(pattern, mark):
    names = {f"{pattern.format(x)}{mark}.h5": x for x in (2, 4, 10)}
    read = read_points(names, REQUIRED)
    assert {name: read[name].points for name in names} == names


@given(
    st.sampled_from(PATTERNS),
    st.lists(st.sampled_from(MARKS), min_size=3, max_size=3),
    st.sampled_from(["", "models/", "group 4/final/"]),
)
@settings(max_examples=2000, deadline=None)
def test_marks_of_copies_change_nothing(pattern, marks, folder):
    names = {
        f"{folder}{pattern.format(x)}{mark}.h5": x
        for x, mark in zip((2, 4, 10), marks, strict=True)
    }
    read = read_points(names, REQUIRED)
    assert {name: read[name].points for name in names} == names


@given(st.lists(st.text("ab_- .(2)4x10/%G", min_size=1, max_size=20), max_size=5, unique=True))
@settings(max_examples=500, deadline=None)
def test_any_names_can_be_read(names):
    assert set(read_points(names, REQUIRED)) == set(names)
