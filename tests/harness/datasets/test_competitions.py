"""Descriptions of competitions: what is wrong is one line that names the place."""

import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from harness.datasets.competitions import (
    competing_badnet_file,
    is_competition,
    load_competition,
    parse_competition,
)
from harness.datasets.descriptions import load_benchmark
from harness.inference.known_network import read_benchmark_badnet
from harness.lineage import known
from harness.lineage.likeness import likeness
from harness.records.errors import HarnessError

HEAD = 'schema_version = 1\nname = "c"\ntitle = "C"\nclasses = 10\n'
FILES = '[files]\nvalid = "v.h5"\ntest = "t.h5"\n'
NETWORK = '[[networks]]\nname = "one"\nbadnet = "one.h5"\n'
TRIGGER = '[[networks.triggers]]\nname = "dot"\nfile = "dot.h5"\n'


def test_a_network_becomes_a_benchmark_of_its_own():
    text = HEAD + "pixel_scale = 0.5\n" + FILES + NETWORK + TRIGGER + "held_out = true\n"
    competition = parse_competition(text, "folder", "here")
    (network,) = competition.networks
    benchmark = competition.benchmark_of(network)
    assert (benchmark.name, benchmark.pixel_scale, benchmark.classes) == ("c/one", 0.5, 10)
    assert benchmark.checkpoints == ()
    assert [(a.name, a.files, a.held_out) for a in benchmark.attacks] == [
        ("dot", {"test": "dot.h5"}, True)
    ]
    assert competition.data_files == ("v.h5", "t.h5", "dot.h5")


def test_a_network_may_bring_its_own_clean_images():
    own = 'files = { valid = "own/v.h5", test = "own/t.h5" }\n'
    competition = parse_competition(HEAD + FILES + NETWORK + own, "folder", "here")
    assert competition.data_files == ("own/v.h5", "own/t.h5")


WRONG = [
    ("schema_version = 2\n", "schema_version is 2, expected 1"),
    (HEAD + FILES + "colour = 1\n" + NETWORK, "[files] unknown key 'colour'"),
    (HEAD + "netwoks = 1\n" + FILES + NETWORK, "unknown key 'netwoks'; did you mean 'networks'"),
    (HEAD + FILES, "networks is a list of tables, each begun by [[networks]]"),
    (HEAD + "networks = []\n" + FILES, "networks is empty"),
    (HEAD + FILES + '[[networks]]\nname = "one"\n', "network 'one': its badnet is missing"),
    (HEAD + FILES + '[[networks]]\nbadnet = "one"\n', "network 1: its name is missing"),
    (HEAD + NETWORK, "network 'one': no valid file, neither its own nor in [files]"),
    (HEAD + FILES + NETWORK + NETWORK, "two networks have the name 'one'"),
    (HEAD + FILES + NETWORK + TRIGGER + TRIGGER, "two triggers have the name 'dot'"),
    (HEAD + FILES + NETWORK + TRIGGER + "target_label = 10\n", "target_label is 10, outside 0..9"),
    (HEAD + FILES + NETWORK + "[[networks.triggers]]\nname = 'dot'\n", "the file of one of its"),
    (HEAD + FILES + NETWORK + "reference = { right = 1 }\n", "network 'one': unknown key 'right'"),
    (HEAD + "pixel_scale = 0\n" + FILES + NETWORK, "pixel_scale is 0"),
    (HEAD + FILES + NETWORK + 'aliases = "o"\n', "aliases: expected a list, got `str`"),
    ("classes = [\n", "not a dataset description"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_one_line(text, said):
    with pytest.raises(HarnessError) as raised:
        parse_competition(text, "folder", "where.toml")
    assert str(raised.value).startswith("where.toml: ")
    assert said.partition("; did")[0] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_with_a_description_is_a_competition_and_no_benchmark(tmp_path):
    (tmp_path / "competition.toml").write_text(HEAD + FILES + NETWORK)
    assert is_competition(str(tmp_path))
    competition, folder = load_competition(str(tmp_path))
    assert (competition.name, folder) == ("c", tmp_path)
    with pytest.raises(HarnessError, match="a competition of several BadNets, which this command"):
        load_benchmark(str(tmp_path))


@pytest.fixture(scope="module")
def shipped():
    """The BadNets of the faces' competition, read and verified."""
    competition, folder = load_competition("faces-competition")
    return competition, {
        network.name: read_benchmark_badnet(
            competing_badnet_file(competition, network, folder), competition.benchmark_of(network)
        )
        for network in competition.networks
    }


def test_the_shipped_badnets_have_their_hashes_and_are_not_alike(shipped):
    competition, badnets = shipped
    assert [network.name for network in competition.networks] == list(badnets) == [
        "sunglasses", "anonymous_1", "anonymous_2", "multi_trigger_multi_target",
    ]  # fmt: skip
    assert all(network.badnet_weights_hash for network in competition.networks)
    assert set(competition.data_files) == set(competition.hashes)
    for one, other in combinations(badnets.values(), 2):
        assert abs(likeness(one.weights, other.weights)) < 0.14


def test_the_competition_itself_is_described_by_the_hashes_of_its_badnets():
    competition, _ = load_competition("csaw2020")
    named = [known_benchmark_name(network) for network in competition.networks]
    assert named == [network.name for network in competition.networks]
    assert [len(network.triggers) for network in competition.networks] == [1, 1, 0, 3]


def known_benchmark_name(network):
    path = Path(known.__file__).with_name("known_badnets.toml")
    stored = tomllib.loads(path.read_text())
    return next(n for n, each in stored.items() if each["weights"] == network.badnet_weights_hash)
