"""The file ``rubric.toml``: what is wrong with one is said with its name, overrides are read."""

from importlib.resources import files

import pytest
from records_by_hand import assess_by_hand, good_checkpoints, points_of

from harness.records.errors import HarnessError
from harness.storage.rubrics import read_rubric


def default_text():
    return files("harness.assessment").joinpath("rubric.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("schema_version = 2", "schema_version = 9", "schema_version is 9"),
        ("kind = \"loading\"", "kind = \"beauty\"", "kind is one of"),
        ("points = 10\n", "points = -1\n", "points cannot be -1"),
        ("points = 10\n", "points = \"ten\"\n", "item loading: points: Expected"),
        ("first_crossing = 0.2", "first_crossing = 0.3", "[shares] split 1"),
        ("hide = []", "hide = [\"names\"]", "cannot hide 'names'"),
        ("name = \"checkpoint_4\"", "name = \"checkpoint_2\"", "same name"),
        ("drop_points = 2\n", "", "needs drop_points"),
        ("name = \"lab3\"", "name = ", "not TOML"),
    ],
)  # fmt: skip
def test_a_broken_rubric_names_the_file_and_what_is_wrong(tmp_path, old, new, problem):
    path = tmp_path / "rubric.toml"
    assert old in default_text()
    path.write_text(default_text().replace(old, new, 1))
    with pytest.raises(HarnessError, match=r"rubric\.toml") as caught:
        read_rubric(path)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('item = "loading"\npoints = 3', "a reason is needed"),
        ('reason = "x"\nitem = "beauty"\npoints = 3', "must be an item"),
        ('reason = "x"\nitem = "loading"', "needs points"),
        ('reason = "x"\nstatus = "great"', "no status"),
        ('reason = "x"', "name an item (with points), a status, or a verdict"),
    ],
)
def test_a_broken_override_is_refused(tmp_path, entry, problem):
    path = tmp_path / "rubric.toml"
    reason = "" if "reason" in entry else 'reason = " "\n'
    path.write_text(f'{default_text()}\n[[overrides]]\nsubmission = "s"\n{reason}{entry}\n')
    with pytest.raises(HarnessError) as caught:
        read_rubric(path)
    assert problem in str(caught.value)


def test_an_override_in_the_file_is_read(tmp_path):
    path = tmp_path / "rubric.toml"
    entry = '[[overrides]]\nsubmission = "s"\nitem = "loading"\npoints = 3\nreason = "typo"\n'
    path.write_text(f"{default_text()}\n{entry}")
    assert points_of(assess_by_hand(*good_checkpoints(), rubric=read_rubric(path)))["loading"] == 3
