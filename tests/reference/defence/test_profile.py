"""One look at a BadNet: the record, and what it leaves behind for grading."""

import json

import numpy as np
import pytest

from harness.inference.known_network import predict_known_network
from harness.inference.sharing.features import FeatureStore
from harness.lineage.lineage import zero_channels
from harness.networks import deepid
from harness.records.predictions import encode
from harness.storage.hashing import array_hash
from harness.storage.results import Store
from reference.defence.inputs import load_inputs
from reference.defence.profile import write_record
from reference.pruning import pruning

NAMES = ("valid", "test", "bd_valid", "bd_test")


@pytest.fixture(scope="module")
def inputs(small_benchmark, badnet_path):
    return load_inputs(str(small_benchmark), badnet_path)


@pytest.fixture(scope="module")
def looked_at(inputs, tmp_path_factory):
    """The record, the results folder and what was reported."""
    folder, reported = tmp_path_factory.mktemp("looked at"), []
    write_record(inputs, folder / "record.json", folder, lambda *line: reported.append(line))
    return json.loads((folder / "record.json").read_text()), folder, reported


def same(one, other):
    return np.array_equal(encode(one), encode(other))


def stored(folder, weights, inputs):
    return {
        name: Store(folder).answers(array_hash(weights), inputs.datasets.hashes[name], 1283)
        for name in NAMES
    }


def test_the_badnets_answers_are_those_of_the_network(looked_at, inputs):
    expected = predict_known_network(inputs.badnet, inputs.datasets)
    found = stored(looked_at[1], inputs.badnet, inputs)
    assert all(same(found[n].answers, expected.answers[n]) for n in NAMES)
    assert np.array_equal(found["valid"].inactive, expected.inactive)
    assert {found[n].output_count for n in NAMES} == {expected.output_count}


def test_the_features_are_the_networks(looked_at, inputs):
    store = FeatureStore(looked_at[1], inputs.badnet, 1.0)
    for name in NAMES:
        (kept,) = store.get(inputs.datasets.sets[name])
        whole = pruning.pool_3_features(inputs.badnet, inputs.datasets.sets[name].images)
        assert np.array_equal(kept.maps, whole[..., kept.channels])
        assert not np.delete(whole, kept.channels, axis=3).any()


def test_the_references_own_nets_are_answered(looked_at, inputs):
    curve, folder, _ = looked_at[0]["curve"], *looked_at[1:]
    total, correct = curve["clean_total"], curve["clean_correct"]
    for points in inputs.datasets.benchmark.checkpoints:
        pruned = next(k for k in range(61) if 100 * (correct[0] - correct[k]) >= points * total)
        weights = zero_channels(inputs.badnet, curve["order"][:pruned])
        found = stored(folder, weights, inputs)
        right = found["valid"].answers.class_ids == inputs.datasets.sets["valid"].labels
        assert int(right.sum()) == correct[pruned]
        expected = predict_known_network(weights, inputs.datasets)
        assert all(same(found[n].answers, expected.answers[n]) for n in NAMES)


def test_the_activations_are_means_over_clean_validation_images(looked_at, inputs):
    deepid.import_tensorflow()
    import keras

    network = deepid.load_network(inputs.badnet)
    outputs = [network.get_layer(name).output for name in ("conv_3", "pool_3")]
    images = inputs.datasets.sets["valid"].images.astype(np.float32)
    maps = keras.Model(network.input, outputs)(images, training=False)
    for layer, values in zip(("conv_3", "pool_3"), maps, strict=True):
        expected = np.asarray(values).mean(axis=(0, 1, 2), dtype=np.float64)
        assert looked_at[0]["activations"][layer] == pytest.approx(expected, rel=1e-5)


def test_without_a_results_folder_the_record_is_the_same(looked_at, inputs, tmp_path):
    write_record(inputs, tmp_path / "record.json", None, lambda *_: None)
    assert json.loads((tmp_path / "record.json").read_text()) == looked_at[0]
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_progress_counts_images_and_then_steps(looked_at, inputs):
    images = sum(len(labeled.labels) for labeled in inputs.datasets.sets.values())
    reported = looked_at[2]
    assert ("BadNet", images, images) in reported
    assert reported[-1] == ("pruning", 60, 60)
    done = [line[1] for line in reported if line[0] == "BadNet"]
    assert done == sorted(done)
