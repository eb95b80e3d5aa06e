"""CodaBench's scores and details against what CodaBench publishes."""

import json
import re
from html.parser import HTMLParser

import jsonschema
import pytest
import yaml
from courses import REQUIRED, graded
from exports_by_hand import HOSTILE, course, hostile_record, published

from harness.output.exports.formats import renderer


class _Page(HTMLParser):
    """Tags in their order, and whether every one that opened was closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open += [] if tag == "meta" else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_codabench_gets_flat_numbers_and_a_harmless_page():
    example = json.loads(published("codabench_scores.json"))
    files = renderer("codabench")(course(hostile_record(), notes=(HOSTILE,))).files
    scores = json.loads(files["scores.json"])
    assert {type(value) for value in scores.values()} <= {int, *map(type, example.values())}
    assert scores["checkpoints_passed"] == 0
    page = _Page()
    page.feed(files["detailed_results.html"])
    assert page.tags == ["html", "head", "meta", "title", "style", "body", "h1", "p", "pre"]
    assert not page.open


def test_codabench_keys_are_the_columns_of_the_leaderboard():
    from harness.output.exports.scores import columns

    scores = json.loads(renderer("codabench")(course(graded())).files["scores.json"])
    assert list(scores) == [column.key for column in columns(REQUIRED)]
    assert scores["clean_accuracy_2"] == 96.4


def test_hidden_figures_leave_no_trace_on_codabench():
    files = renderer("codabench")(course(graded(), hide=("test", "points"))).files
    assert list(json.loads(files["scores.json"])) == ["checkpoints_passed"]
    page = files["detailed_results.html"]
    assert re.search(r" G +valid ", page)
    assert not re.search(r" (G|B|B&#x27;) +test ", page)
    assert "of 100 points" not in page


def test_the_published_competition_fits_our_schema():
    schema = json.loads(published("codabench.schema.json"))
    example = yaml.safe_load(published("codabench.yaml"))
    jsonschema.validate(example, schema)
    del example["terms"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, schema)
