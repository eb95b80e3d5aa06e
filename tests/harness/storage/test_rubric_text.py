"""The text of a rubric: all that is wrong in it is named, and an older one is read."""

from importlib.resources import files
from pathlib import Path

import pytest

from harness.records.errors import HarnessError
from harness.records.rubric import LineageCodes, Rubric, Thresholds
from harness.storage import rubrics
from harness.storage.rubric_text import examine_rubric, missing_keys, parse_rubric

VERSION_1 = Path(__file__).parent / "rubrics" / "version_1.toml"


def default_text():
    return files("harness.assessment").joinpath("rubric.toml").read_text(encoding="utf-8")


def changed(*changes):
    text = default_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def problems_of(text):
    return examine_rubric(text)[1]


def test_the_rubric_that_comes_along_writes_out_every_key_with_its_default():
    own, problems = examine_rubric(default_text())
    assert problems == []
    assert missing_keys(default_text()) == []
    assert (own.thresholds, own.lineage) == (Thresholds(), LineageCodes())
    bare = Rubric(schema_version=2, name=own.name, items=own.items, shares=own.shares)
    assert own == bare


def test_every_problem_is_named_not_only_the_first():
    text = changed(
        ('ranking = ["points"', 'rankin = ["points"'),
        ("margin_points = 2.0", "margins_points = 2.0"),
        ("tolerance_images = 2", 'tolerance_images = "two"'),
        ("points = 10\n", "points = -1\n"),
        ("points = 20\n", "points = nan\n"),
        ("first_crossing = 0.2", "first_crossing = 0.3"),
        ("late_penalty_share = 0.0", "late_penalty_share = 1.5"),
        ('["pruned", "tuned"]', '["pruned", "pruned"]'),
        ("attack_significance = 0.01", "attack_significance = -0.1"),
        ("pruning_order = 0.2", "pruning_orders = 0.2"),
    )
    assert problems_of(text) == [
        "unknown key 'rankin'; did you mean 'ranking'?",
        "item checkpoint_2: points is nan; a finite number is needed",
        "[thresholds] unknown key 'margins_points'; did you mean 'margin_points'?",
        "[thresholds] tolerance_images: Expected `int`, got `str`",
        "item loading: points cannot be -1",
        "[shares] unknown key 'pruning_orders'; did you mean 'pruning_order'?",
        (
            "[shares] split 1 between clean_accuracy_drop, first_crossing, pruning_order, lineage; "
            "these add up to 1.1"
        ),
        "late_penalty_share is a number from 0 to 1",
        "families names one of them twice",
        "[thresholds] attack_significance cannot be -0.1",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("points = 10\n", "points = inf\n", "points is inf"),
        ("points = 10\n", "points = 1e999\n", "points is inf"),
        ("points = 10\n", f"points = 1{'0' * 400}\n", "item loading: points"),
        ("lineage = 0.2", "lineage = inf", "shares is inf"),
        ("0.4\nfirst_crossing = 0.2", "0.8\nfirst_crossing = -0.2", "with a negative one"),
        ("repeated_changes = 0.01", "repeated_changes = 1.01", "from 0 to 1"),
        ("repeated_changes = 0.01", "repeated_changes = true", "Expected `float`"),
        ("memory_significance = 0.0001", "memory_significance = 1.01", "from 0 to 1"),
        ("tolerance_points = 1.0", "tolerance_points = -1.0", "tolerance_points cannot be -1"),
        ("ranking = [\"points\"", "ranking = [\"beauty\"", "ranking is a list of"),
        ("families = [\"pruned\"", "families = [\"prunned\"", "families is a list of"),
        ("[student_view]", "[[student_view]]", "student_view is a table"),
        ("name = \"goodnet\"\n", "", "item 5: name is missing"),
        ("kind = \"goodnet\"", "kinds = \"goodnet\"", "unknown key 'kinds'; did you mean 'kind'?"),
    ],
)  # fmt: skip
def test_what_is_no_value_of_a_key_is_named(old, new, problem):
    assert problem in "\n".join(problems_of(changed((old, new))))


@pytest.mark.parametrize("text", ["", "items = 3", "[shares]", "shares = 1", "overrides = 2"])
def test_a_rubric_that_is_nearly_empty_is_no_crash(text):
    assert "schema_version is missing" in problems_of(text)


def test_what_is_not_toml_has_one_problem():
    for text in ("a = ", "a = " + "[" * 5000):
        own, problems = examine_rubric(text)
        assert own is None
        assert [problem[:8] for problem in problems] == ["not TOML"]


def test_the_error_counts_what_it_does_not_name():
    text = changed(("points = 10\n", "points = -1\n"), ("points = 15\n", "points = -2\n"))
    with pytest.raises(HarnessError, match=r"mine: item loading: .* -1 \(and 1 more\)$"):
        parse_rubric(text, "mine")


def test_the_highest_share_and_a_threshold_of_zero_are_allowed():
    limits = (
        ("late_penalty_share = 0.0", "late_penalty_share = 1"),
        ("attack_significance = 0.01", "attack_significance = 1"),
        ("margin_points = 2.0", "margin_points = 0"),
    )
    assert problems_of(changed(*limits)) == []


# --- an older rubric ----------------------------------------------------------------------------


def test_an_older_rubric_keeps_what_it_says_and_takes_the_new_defaults(tmp_path, caplog):
    path = tmp_path / "rubric.toml"
    path.write_text(VERSION_1.read_text())
    rubrics._warn_once.cache_clear()
    own = rubrics.read_rubric(path)
    assert rubrics.read_rubric(path) == own

    assert own.ranking == ("checkpoints_passed", "defense_effectiveness")
    assert (own.families, own.late_penalty_share) == (("pruned", "tuned"), 0.0)
    assert own.thresholds == Thresholds()
    assert own.lineage.void == LineageCodes().void

    (line,) = caplog.messages
    assert line.startswith(f"{path}: a rubric of version 1; what it leaves out has its default")
    assert "families, all_failed_share, late_penalty_share, thresholds.margin_points" in line


def test_a_rubric_of_this_version_says_nothing(tmp_path, caplog):
    path = tmp_path / "rubric.toml"
    path.write_text(changed(('void = ["IS_BADNET", "OTHER_BASE", ', 'void = ["IS_BADNET", ')))
    own = rubrics.read_rubric(path)
    assert own.lineage.void == (
        "IS_BADNET", "NOT_A_FUNCTION", "NEAR_CHANCE", "MEMORISED_IMAGES",
    )  # fmt: skip
    assert caplog.messages == []
