"""The sweep of any network counts what running every pruned network would."""

import numpy as np
import pytest
from standard_nets import NETS, draw_arrays, draw_images, network_of, weights_of

from harness.lineage.lineage import zero_channels
from harness.networks.forward import class_ids
from reference.pruning.network_sweep import (
    SetMaps,
    frontier_maps,
    sweep_network,
)
from reference.pruning.pruning import mean_activations, pruning_order


@pytest.mark.parametrize("name", NETS)
def test_counts_are_those_of_the_loop_at_every_step(name):
    model = draw_arrays(NETS[name](), seed=8)
    network = network_of(model)
    badnet = weights_of(model, network)
    sets, images = [], []
    for seed in (1, 2):
        images.append(draw_images(network, 520, seed))
        labels = class_ids(network, badnet, images[-1])
        labels[::3] = 1
        sets.append(SetMaps(frontier_maps(network, badnet, images[-1], 1.0), labels))
    order = pruning_order(mean_activations(sets[0].maps[network.chain[-1]]))

    reported = []
    curve = sweep_network(network, badnet, order, tuple(sets), reported.append)
    assert curve.order == tuple(order)
    assert reported[-1] == len(order)
    for step in range(len(order) + 1):
        pruned = zero_channels(badnet, order[:step], network=network)
        hits = [
            int(np.count_nonzero(class_ids(network, pruned, each) == maps.labels))
            for each, maps in zip(images, sets, strict=True)
        ]
        assert [curve.clean_correct[step], curve.backdoored_attacked[step]] == hits
