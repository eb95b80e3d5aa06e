"""The sweep against the network itself, step by step."""

import csv

import numpy as np
import pytest
from repository import ROOT

from harness.lineage.lineage import zero_channels
from harness.networks import deepid
from harness.networks.numpy_tail import TailClassifier
from reference.pruning import pruning
from reference.pruning.incremental_sweep import Sweep


def labeled_maps(weights, datasets):
    return [
        pruning.LabeledMaps(pruning.pool_3_features(weights, labeled.images), labeled.labels)
        for labeled in (datasets.sets["valid"], datasets.sets["bd_valid"])
    ]


def loop_counts(weights, order, datasets, steps=range(61)):
    """What running the pruned networks of ``steps`` on every image gives."""
    nets = [zero_channels(weights, order[:step]) for step in steps]
    return [
        tuple(int((deepid.class_ids(net, labeled.images) == labeled.labels).sum()) for net in nets)
        for labeled in (datasets.sets["valid"], datasets.sets["bd_valid"])
    ]


@pytest.mark.parametrize("decreasing", [False, True])
def test_counts_are_those_of_the_loop_at_every_step(badnet, small, decreasing):
    valid, bd_valid = labeled_maps(badnet, small)
    activations = pruning.mean_activations(valid.maps)
    order = pruning.pruning_order(activations, decreasing=decreasing)
    reported = []
    curve = pruning.sweep(badnet, order, valid, bd_valid, reported.append)
    assert [curve.clean_correct, curve.backdoored_attacked] == loop_counts(badnet, order, small)
    assert reported == sorted(reported)
    assert reported[-1] == 60
    assert curve.order == tuple(order)
    assert (curve.clean_total, curve.backdoored_total) == (len(valid.labels), len(bd_valid.labels))


def test_counts_of_the_whole_benchmark_are_the_published_curve(badnet, faces):
    """61 steps on 23,094 images against the curve that came from running every network."""
    rows = list(csv.DictReader((ROOT / "submissions/jk7846/curve.csv").open()))
    valid, bd_valid = labeled_maps(badnet, faces)
    order = pruning.pruning_order(pruning.mean_activations(valid.maps))
    curve = pruning.sweep(badnet, order, valid, bd_valid)
    for counts, total, column in (
        (curve.clean_correct, curve.clean_total, "clean_accuracy"),
        (curve.backdoored_attacked, curve.backdoored_total, "attack_success_rate"),
    ):
        assert list(counts) == [round(float(row[column]) * total) for row in rows]


def test_ties_are_left_to_the_network(badnet, small):
    """Every class has a twin with the same scores; argmax takes the first of the two."""
    tied = dict(badnet)
    for name in ("output/kernel", "output/bias"):
        tied[name] = (badnet[name] + badnet[name][..., ::-1]) / 2
    valid, bd_valid = labeled_maps(tied, small)
    order = pruning.pruning_order(pruning.mean_activations(valid.maps))
    curve = pruning.sweep(tied, order, valid, bd_valid)
    steps = range(0, 61, 6)
    counts = [tuple(c[s] for s in steps) for c in (curve.clean_correct, curve.backdoored_attacked)]
    assert counts == loop_counts(tied, order, small, steps)


def test_few_calls_are_left_to_the_network(badnet, small):
    """Sharing is worth nothing when most images are asked again."""
    maps = pruning.pool_3_features(badnet, small.sets["valid"].images)
    order = [int(c) for c in pruning.pruning_order(pruning.mean_activations(maps))]
    unit = TailClassifier(badnet, maps).rounding
    live = maps.any(axis=(0, 1, 2))
    hits = Sweep(badnet, order, live, unit).hits(maps, small.sets["valid"].labels)
    assert hits.best.shape == hits.uncertain.shape == (61, len(maps))
    assert hits.uncertain.mean() < 0.001


def test_pool_3_features_are_the_whole_networks(badnet, small):
    images = small.sets["bd_valid"].images
    whole = np.concatenate([maps for _, maps in deepid.forward_batches(badnet, images)])
    assert np.array_equal(pruning.pool_3_features(badnet, images), whole)


def test_equal_activations_are_pruned_by_index():
    assert pruning.pruning_order(np.array([0.0, 2.0, 0.0, 1.0])).tolist() == [0, 2, 3, 1]
    assert pruning.pruning_order(np.array([1.0, 2.0, 1.0]), decreasing=True).tolist() == [1, 0, 2]


def test_a_checkpoint_is_saved_where_the_drop_is_first_reached():
    curve = pruning.Curve(order=(0, 1, 2), clean_total=100, clean_correct=(90, 88, 89, 70),
                          backdoored_total=1, backdoored_attacked=(1, 1, 1, 0))  # fmt: skip
    assert [curve.first_crossing(points) for points in (2, 2.5, 20, 21)] == [1, 3, 3, None]
