"""CodaBench's scores and details against what CodaBench publishes."""

import json
import re

import jsonschema
import pytest
import yaml
from courses import REQUIRED, graded
from exports_by_hand import HOSTILE, RISKY, course, hostile_record, published
from pages import Page

from harness.output.exports.formats import renderer


def test_codabench_gets_flat_numbers_and_a_harmless_page():
    example = json.loads(published("codabench_scores.json"))
    files = renderer("codabench")(course(hostile_record(), notes=(HOSTILE,))).files
    scores = json.loads(files["scores.json"])
    assert {type(value) for value in scores.values()} <= {int, *map(type, example.values())}
    assert scores["checkpoints_passed"] == 0
    page = Page(files["detailed_results.html"])
    assert {"script", "iframe", "link", "base"}.isdisjoint(tag for tag, _ in page.tags)
    assert not any(name.startswith("on") for _, given in page.tags for name in given)
    assert not [risk for risk in RISKY if risk in files["detailed_results.html"]]
    (policy,) = [given["content"] for _, given in page.tags if given.get("http-equiv")]
    assert "script-src 'none'" in policy
    assert [given["href"] for tag, given in page.tags if tag == "a"] == ["#main"]


def test_codabench_s_details_are_the_submission_s_page():
    own = course(graded(), notes=("Graded in a container.",))
    page = Page(renderer("codabench")(own).files["detailed_results.html"])
    assert "ann passed 100 of 100 points 3/3 checkpoints passed" in page.text
    assert "What to do" in page.text
    assert "Graded in a container." in page.text
    assert "Leaderboard" not in page.text


def test_without_the_packages_for_pages_the_details_are_a_text(monkeypatch):
    monkeypatch.setattr("harness.output.html.assets._NEEDED", ("no_such_package",))
    files = renderer("codabench")(course(hostile_record(), notes=(HOSTILE,))).files
    tags = [tag for tag, _ in Page(files["detailed_results.html"]).tags]
    assert tags == ["html", "head", "meta", "title", "style", "body", "h1", "p", "pre"]


def test_codabench_keys_are_the_columns_of_the_leaderboard():
    from harness.output.exports.scores import columns

    scores = json.loads(renderer("codabench")(course(graded())).files["scores.json"])
    assert list(scores) == [column.key for column in columns(REQUIRED)]
    assert scores["clean_accuracy_2"] == 96.4


def test_hidden_figures_leave_no_trace_on_codabench():
    files = renderer("codabench")(course(graded(), hide=("test", "points"))).files
    assert list(json.loads(files["scores.json"])) == ["checkpoints_passed"]
    page = Page(files["detailed_results.html"]).text
    assert re.search(r" G validation ", page)
    assert not re.search(r" (G|B|B') test ", page)
    assert "of 100 points" not in page


def test_the_published_competition_fits_our_schema():
    schema = json.loads(published("codabench.schema.json"))
    example = yaml.safe_load(published("codabench.yaml"))
    jsonschema.validate(example, schema)
    del example["terms"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, schema)
