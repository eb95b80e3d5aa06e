"""Which BadNet a name means, in the spellings that people use."""

import pytest

from harness.intake.network_names import named_networks, network_called
from harness.records.benchmark import CompetingNetwork

NETWORKS = [
    CompetingNetwork(name=name, badnet="b.h5", aliases=aliases)
    for name, aliases in (
        ("sunglasses", ("sg",)), ("anonymous_1", ("anon_1",)), ("anonymous_2", ()),
        ("multi_trigger_multi_target", ("mtmt",)),
    )
]  # fmt: skip
MULTI = "multi_trigger_multi_target"


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("finePruning/anonymous_1_repaired_net.h5", ("anonymous_1",)),
        ("models/repaired_anonymous_bd_weights.h5", ()),
        ("Anonymous-2/G.keras", ("anonymous_2",)),
        ("eval_anonymous2.py", ("anonymous_2",)),
        ("anon1_fixed.h5", ("anonymous_1",)),
        ("anonymous_12.h5", ()),
        ("Multi-trigger Multi-target/repaired.h5", (MULTI,)),
        ("eval_multi.py", (MULTI,)),
        ("mtmt_repaired.h5", (MULTI,)),
        ("sg.h5", ("sunglasses",)),
        ("msgpack.h5", ()),
        ("models/SunglassesRepaired.h5", ("sunglasses",)),
        ("sunglasses_anonymous_1.h5", ("sunglasses", "anonymous_1")),
        ("a/b/model.h5", ()),
    ],
)
def test_names_and_folders_tell_the_badnet(path, nearest):
    assert named_networks(path, NETWORKS).nearest == nearest


def test_all_that_a_path_names_is_kept():
    found = named_networks("multi/sunglasses.h5", NETWORKS)
    assert found.nearest == ("sunglasses",)
    assert set(found.anywhere) == {"sunglasses", MULTI}


@pytest.mark.parametrize(
    ("name", "network"),
    [("Anonymous 1", "anonymous_1"), ("anonymous_1", "anonymous_1"), ("MULTI", MULTI),
     ("anonymous", None), ("sunglasses_2", None), ("", None)],
)  # fmt: skip
def test_a_declared_name_is_a_whole_one(name, network):
    assert network_called(name, NETWORKS) == network
