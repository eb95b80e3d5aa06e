"""ONNX models are looked at as data: what must not run is one line, at little cost."""

import pytest
from graph_reading import digits_net, outcomes_of, read_all
from hostile_onnx import FAILING, REFUSED, honest

from harness.records.text import one_line


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    return outcomes_of(tmp_path_factory.mktemp("hostile"), "onnx", honest(), REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_model_is_one_line_and_costs_little(outcomes, name):
    said, seconds, _ = outcomes[name]
    assert REFUSED[name][1] in said
    assert said == one_line(said)
    assert len(said) < 300
    assert seconds < 5


def test_an_honest_one_is_to_be_run_before_and_after(outcomes):
    assert outcomes["before"][0] == outcomes["after"][0]
    assert outcomes["before"][0].startswith("onnx: an ONNX graph (it has 3 layers, the known ")


def test_memory_stays_small(outcomes):
    assert max(megabytes for *_, megabytes in outcomes.values()) < 400


def test_what_only_shows_when_it_runs_is_not_found_here(tmp_path):
    paths = [tmp_path / f"{number}.onnx" for number in range(len(FAILING))]
    for path, (make, _) in zip(paths, FAILING.values(), strict=True):
        path.write_bytes(make())
    for said, *_ in read_all(paths, digits_net().network):
        assert said.startswith("onnx: an ONNX graph (")
