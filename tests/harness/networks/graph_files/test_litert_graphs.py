"""LiteRT models are looked at as data: what must not run is one line, at little cost."""

import pytest
from graph_reading import outcomes_of

from harness.records.text import one_line

hostile_litert = pytest.importorskip("hostile_litert", reason="needs LiteRT's schema")
REFUSED = hostile_litert.REFUSED


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    return outcomes_of(folder, "tflite", hostile_litert.honest(), REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_model_is_one_line_and_costs_little(outcomes, name):
    said, seconds, _ = outcomes[name]
    assert REFUSED[name][1] in said
    assert said == one_line(said)
    assert len(said) < 300
    assert seconds < 5


def test_an_honest_one_is_to_be_run_before_and_after(outcomes):
    assert outcomes["before"][0] == outcomes["after"][0] == "litert: a LiteRT graph"


def test_memory_stays_small(outcomes):
    assert max(megabytes for *_, megabytes in outcomes.values()) < 200
