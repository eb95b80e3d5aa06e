"""The folder that the reference hands in: what it says of itself can be read back."""

import tomllib

import pytest
from repository import ROOT

from harness.intake.discovery import discover
from reference.defence.repair import Repair
from reference.defence.submission import submission_toml


@pytest.fixture
def repairs():
    return [
        Repair(drop_points=x, channels=(), weights={}, repaired={}, goodnet={})
        for x in (2.0, 4.0, 10.0)
    ]


@pytest.mark.parametrize(
    "name", ['a "quoted" name', "back\\slash", "two\nlines", "smile \U0001f600"]
)
def test_any_name_comes_back(repairs, name):
    table = tomllib.loads(submission_toml(name, name, repairs))
    assert (table["name"], table["badnet"]) == (name, name)


def test_the_worked_example_says_what_the_reference_writes(repairs):
    text = (ROOT / "submissions" / "jk7846" / "submission.toml").read_text(encoding="utf-8")
    without_remarks = "".join(line.split(" #")[0].rstrip() + "\n" for line in text.splitlines())
    assert without_remarks.startswith(submission_toml("jk7846", "faces", repairs))


def test_the_harness_reads_it(repairs, tmp_path):
    (tmp_path / "models").mkdir()
    for points in (2, 4, 10):
        (tmp_path / "models" / f"model_{points}.h5").write_bytes(b"any")
    text = submission_toml('"\\', "faces", repairs)
    (tmp_path / "submission.toml").write_text(text, encoding="utf-8")
    submission = discover(tmp_path)
    assert submission.title == '"\\'
    assert {c.path: c.drop_points for c in submission.candidates} == {
        "models/model_2.h5": 2.0, "models/model_4.h5": 4.0, "models/model_10.h5": 10.0,
    }  # fmt: skip
