"""Archives of TorchScript: told from state_dicts, and refused where there are tricks in them."""

import pytest
from graph_reading import digits_net, outcomes_of, read_all
from hostile_arrays import small_weights
from hostile_torchscript import FAILING, REFUSED, honest
from other_formats import torch_state, write_torch

from harness.networks.deepid import lab_network
from harness.records.text import one_line


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    return outcomes_of(tmp_path_factory.mktemp("hostile"), "pt", honest(), REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_archive_is_one_line_and_costs_little(outcomes, name):
    said, seconds, megabytes = outcomes[name]
    assert REFUSED[name][1] in said
    assert said == one_line(said)
    assert len(said) < 300
    assert seconds < 5
    assert megabytes < 200


def test_an_honest_one_is_to_be_run_before_and_after(outcomes):
    assert outcomes["before"][0] == outcomes["after"][0] == "torchscript: a TorchScript program"


def test_a_state_dict_is_still_read_as_arrays(tmp_path):
    path = write_torch(tmp_path / "model_2.pt", torch_state(small_weights()))
    ((said, *_),) = read_all([path], lab_network(11))
    assert said.startswith("read: KnownNetwork")


def test_what_only_shows_when_it_runs_is_not_found_here(tmp_path):
    paths = [tmp_path / f"{number}.pt" for number in range(len(FAILING))]
    for path, make in zip(paths, FAILING.values(), strict=True):
        path.write_bytes(make())
    found = read_all(paths, digits_net().network)
    assert {said for said, *_ in found} == {"torchscript: a TorchScript program"}
