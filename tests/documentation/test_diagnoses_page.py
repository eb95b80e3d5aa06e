"""The page of diagnoses shows each one as the harness makes it, and every picture in words."""

import re
import sys

import pytest
from repository import ROOT

from harness.assessment.diagnoses import explanations

sys.path.insert(0, str(ROOT / "docs" / "extensions"))

import pictures
import scenarios
import worked_example
from diagnosis_page import diagnoses

from harness.assessment.verdict import reassess
from harness.storage.rubrics import default_rubric


@pytest.mark.parametrize("code", explanations())
def test_every_code_has_a_scenario_that_is_diagnosed_so(code):
    diagnosis = scenarios.scenario(code).diagnosis
    template = explanations()[code]
    assert diagnosis.code == code.partition(".")[0]
    assert template["seen"].format_map(diagnosis.evidence) in diagnosis.explanation
    assert template["do"].format_map(diagnosis.evidence) in diagnosis.explanation


def test_there_is_no_scenario_without_a_code():
    assert set(scenarios.SCENARIOS) == set(explanations())


def test_the_example_is_faultless_and_judged_the_same_today():
    record = worked_example.example()
    assert reassess(record, default_rubric(), None) == record
    assert not record.diagnoses
    assert sum(item.points for item in record.points) == 100


def test_the_curve_agrees_with_the_example():
    for points, checkpoint in worked_example.good():
        hits = worked_example.correct()
        assert checkpoint.repaired.valid.clean_correct == hits[checkpoint.channels_pruned], points
        assert checkpoint.steps.before.clean_correct == hits[checkpoint.channels_pruned - 1]


def test_the_page_tells_what_each_mistake_costs():
    page = diagnoses()
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert len(sections) == len({code.partition(".")[0] for code in explanations()})
    by_code = {section.split("\n")[0]: section for section in sections}
    assert "Costs 4 of 20 points" in by_code["BIAS_NOT_ZEROED"]
    assert "Costs 8 of 20 points" in by_code["BELOW_THRESHOLD"]
    assert "Costs 20 of 20 points" in by_code["OTHER_BASE"]
    assert "Costs no points" in by_code["CLAIM_MISMATCH"]


def test_every_picture_is_told_in_words_and_shown():
    assert set(pictures.PICTURES) == set(pictures.ALTERNATIVES)
    pages = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs").glob("*.md"))
    for name in pictures.PICTURES:
        assert name in explanations() or f"<!-- generated: {name} -->" in pages, name


def test_pictures_are_drawn_and_leave_other_peoples_settings_alone(tmp_path, monkeypatch):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    monkeypatch.setattr(pictures, "PICTURES", {"NOT_NESTED": pictures.PICTURES["NOT_NESTED"]})
    pictures.draw_all(tmp_path)
    assert (tmp_path / "NOT_NESTED.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert dict(mpl.rcParams) == before
