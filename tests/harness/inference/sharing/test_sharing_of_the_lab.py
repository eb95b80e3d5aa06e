"""What a B' shares with the BadNet: the full network's answers, stored maps, and their limits."""

import os
from dataclasses import replace

import numpy as np
import pytest
from repository import ROOT

from harness.inference.known_network import predict_known_network
from harness.inference.sharing import features, prediction
from harness.inference.sharing.features import FeatureStore
from harness.inference.sharing.origins import trace_channels
from harness.inference.sharing.prediction import predict_from_features
from harness.lineage.lineage import remove_channels, zero_channels
from harness.networks import deepid, numpy_tail
from harness.networks.weight_files import read_model
from harness.records.benchmark import LabeledSet
from harness.records.predictions import encode


@pytest.fixture
def store(badnet, small, tmp_path):
    """A store that holds the small benchmark's features."""
    store = FeatureStore(tmp_path, badnet, 1.0)
    predict_from_features(badnet, store, small)
    return store


def same(one, other):
    return (
        all(np.array_equal(encode(one.answers[n]), encode(other.answers[n])) for n in other.answers)
        and np.array_equal(one.inactive, other.inactive)
        and one.output_count == other.output_count
    )


def only_valid(datasets):
    return replace(datasets, sets={"valid": datasets.sets["valid"]})


@pytest.mark.extended
def test_every_class_of_the_example_submission_is_the_full_networks(faces, badnet, tmp_path):
    store = FeatureStore(tmp_path, badnet, 1.0)
    predict_from_features(badnet, store, faces)
    for points in (2, 4, 10):
        model = ROOT / "submissions" / "jk7846" / "models" / f"model_{points}.h5"
        repaired = read_model(model).weights
        assert trace_channels(repaired, badnet) is not None
        full = predict_known_network(repaired, faces)
        assert same(predict_from_features(repaired, store, faces), full), points


def variants(badnet):
    dead, live = (0, 4, 5), (9, 23, 40)
    tuned = zero_channels(badnet, live)
    tuned["output/kernel"] = tuned["output/kernel"] * np.float32(0.9)
    biased = zero_channels(badnet, live, keep_biases=True)
    biased["conv_3/bias"] = biased["conv_3/bias"].copy()
    biased["conv_3/bias"][list(live)] = 1.5, -1.5, 0.25
    swapped = dict(badnet)
    for name in ("conv_3/kernel", "conv_3/bias"):
        swapped[name] = badnet[name][..., ::-1].copy()
    return {
        "dormant": zero_channels(badnet, dead),
        "live": zero_channels(badnet, live),
        "narrowed": remove_channels(badnet, [*dead, *live]),
        "tail tuned": tuned,
        "biases left": biased,
        "channels reordered": swapped,
        "nothing left": zero_channels(badnet, range(60)),
    }


def test_every_way_to_prune_shares_and_answers_like_the_full_network(badnet, small, store):
    for name, weights in variants(badnet).items():
        assert trace_channels(weights, badnet) is not None, name
        full = predict_known_network(weights, small)
        assert same(predict_from_features(weights, store, small), full), name


def test_what_changes_below_pool_3_is_not_shared(badnet):
    for name in ("conv_1/kernel", "conv_2/bias", "conv_3/kernel", "conv_3/bias"):
        changed = dict(badnet) | {name: badnet[name] + np.float32(1e-3)}
        assert trace_channels(changed, badnet) is None, name
    broken = dict(badnet) | {"output/bias": badnet["output/bias"].copy()}
    broken["output/bias"][7] = np.nan
    assert trace_channels(broken, badnet) is None


def test_a_net_that_shares_nothing_is_run_in_full(badnet, small, store):
    changed = dict(badnet) | {"conv_2/bias": badnet["conv_2/bias"] + np.float32(0.5)}
    full = predict_known_network(changed, small)
    assert same(predict_from_features(changed, store, small), full)


def test_scores_that_overflow_are_the_full_networks(badnet, small, store):
    huge = dict(badnet) | {"output/kernel": badnet["output/kernel"] * np.float32(1e38)}
    shared = predict_from_features(huge, store, only_valid(small))
    full = predict_known_network(huge, only_valid(small))
    assert full.answers["valid"].not_finite.any()
    assert same(shared, full)


def test_a_tie_is_decided_by_the_full_network(badnet, small, store):
    """Two classes with the same weights: only the order of the classes tells them apart."""
    tied = dict(badnet) | {n: badnet[n].copy() for n in ("output/kernel", "output/bias")}
    for name in ("output/kernel", "output/bias"):
        tied[name][...] = tied[name][..., ::-1] / 2 + tied[name] / 2
    valid = only_valid(small)
    assert same(predict_from_features(tied, store, valid), predict_known_network(tied, valid))


def test_stored_features_need_no_full_network(badnet, small, store, monkeypatch):
    monkeypatch.setattr(prediction, "predict_known_network", None)
    full = predict_known_network(zero_channels(badnet, [9]), small)
    assert same(predict_from_features(zero_channels(badnet, [9]), store, small), full)


TAIL = [f"{layer}/{part}" for layer in ("conv_4", "fc_1", "fc_2", "output")
        for part in ("kernel", "bias")]  # fmt: skip


def shrunk(badnet, names, largest):
    """The BadNet with arrays of that size at most."""
    return dict(badnet) | {
        name: (badnet[name] * (largest / np.abs(badnet[name]).max())).astype(np.float32)
        for name in names
    }


def nets_with_subnormal_numbers(badnet):
    yield "weights", shrunk(badnet, ["conv_4/kernel", "fc_1/kernel"], 1e-39)
    yield "one layer", shrunk(badnet, ["output/kernel"], 1e-40)
    yield "all weights", shrunk(badnet, TAIL, 1e-41)
    yield "products", shrunk(badnet, TAIL, 1e-20)
    yield "sums", shrunk(badnet, ["conv_4/kernel", "conv_4/bias", "fc_2/kernel"], 1e-22)

    # TensorFlow takes the small numbers for 0; what NumPy makes of them decides every image.
    grown = shrunk(badnet, ["conv_4/kernel", "conv_4/bias"], 1e-39)
    grown["fc_1/kernel"] = np.zeros_like(badnet["fc_1/kernel"])
    grown["fc_2/kernel"] = badnet["fc_2/kernel"] * np.float32(1e37)
    yield "small times large", grown
    constant = zero_channels(badnet, range(30), keep_biases=True)
    constant["conv_3/bias"] = np.where(np.arange(60) < 30, 1e-39, badnet["conv_3/bias"]).astype(
        "f4"
    )
    constant["fc_1/kernel"] = badnet["fc_1/kernel"].copy()
    deepid.by_channel(constant["fc_1/kernel"])[:, :30, ::2] = 1e38
    yield "a constant map times large", constant


def test_subnormal_numbers_are_0_as_in_keras(badnet, small, store, monkeypatch):
    full_runs = []
    monkeypatch.setattr(
        prediction,
        "predict_known_network",
        lambda *given: full_runs.append(given) or predict_known_network(*given),
    )
    images = small.sets["valid"].images
    for name, weights in nets_with_subnormal_numbers(badnet):
        assert trace_channels(weights, badnet) is not None, name
        model = deepid.load_network(weights)
        scores = np.concatenate(
            [
                model.predict_on_batch(images[start : start + 512].astype("f4"))
                for start in range(0, len(images), 512)
            ]
        )
        found = predict_from_features(weights, store, small)
        assert np.array_equal(found.answers["valid"].class_ids, scores.argmax(axis=1)), name
        assert same(found, predict_known_network(weights, small)), name
        assert len(full_runs) == 1, name  # TensorFlow is not slowed; NumPy is, fifteen times
        full_runs.clear()


@pytest.mark.parametrize("damage", ["flip", "truncate", "header", "empty"])
def test_a_damaged_file_is_computed_again(badnet, small, store, damage, caplog):
    path = store.path(small.sets["test"].sha256)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-1000] ^= 1
    elif damage == "truncate":
        del content[len(content) // 2 :]
    elif damage == "header":
        content[:4096] = b"[]".ljust(4096)
    else:
        content.clear()
    path.write_bytes(content)
    weights = zero_channels(badnet, [9])
    full = predict_known_network(weights, small)
    assert same(predict_from_features(weights, store, small), full)
    assert "damaged; computing again" in caplog.text
    assert store.get(small.sets["test"]) is not None


def test_stored_maps_are_the_active_channels_and_mapped(badnet, small, store):
    (kept,) = store.get(small.sets["valid"])
    assert isinstance(kept.maps, np.memmap)
    scattered = np.zeros((len(kept.maps), 5, 4, 60), np.float32)
    scattered[..., kept.channels] = kept.maps
    batches = deepid.forward_batches(badnet, small.sets["valid"].images)
    assert np.array_equal(scattered, np.concatenate([maps for _, maps in batches]))
    assert len(kept.channels) < 60


def test_another_trunk_or_scale_has_other_files(badnet, small, store, tmp_path):
    other_tail = dict(badnet) | {"fc_2/bias": badnet["fc_2/bias"] + 1}
    other_trunk = dict(badnet) | {"conv_3/bias": badnet["conv_3/bias"] + 1}
    assert FeatureStore(tmp_path, other_tail, 1.0).get(small.sets["valid"]) is not None
    assert FeatureStore(tmp_path, other_trunk, 1.0).get(small.sets["valid"]) is None
    assert FeatureStore(tmp_path, badnet, 1 / 255).get(small.sets["valid"]) is None


def a_set(number):
    return LabeledSet(
        name="valid",
        kind="clean",
        images=np.zeros(0),
        labels=np.zeros(9),
        sha256=f"{number:064x}"[::-1],
        original_labels=None,
    )


def test_the_folder_stays_below_its_cap_and_drops_the_oldest(badnet, tmp_path, monkeypatch):
    maps = np.ones((9, 5, 4, 60), np.float32)
    size = maps.nbytes + 4096
    monkeypatch.setattr(features, "MAX_FOLDER_BYTES", 2 * size)
    store = FeatureStore(tmp_path, badnet, 1.0)
    for number in (1, 2):
        store.put(a_set(number), {"pool_3": maps})
        os.utime(store.path(a_set(number).sha256), (number, number))
    assert store.get(a_set(1)) is not None  # used last, so 2 is now the oldest
    store.put(a_set(3), {"pool_3": maps})
    held = [store.get(a_set(number)) is not None for number in (1, 2, 3)]
    assert held == [True, False, True]
    assert not list(store.folder.glob(".*"))
    monkeypatch.setattr(features, "MAX_FOLDER_BYTES", size // 2)
    store.put(a_set(4), {"pool_3": maps})
    assert store.get(a_set(4)) is None


def test_too_close_to_call_is_uncertain(badnet):
    maps = np.random.default_rng(0).random((64, 5, 4, 60), np.float32)
    tied = dict(badnet) | {n: badnet[n].copy() for n in ("output/kernel", "output/bias")}
    classifier = numpy_tail.TailClassifier(badnet, maps)
    best = classifier.classify(maps)
    assert not best.uncertain.any()
    twin = (best.class_ids[0] + 1) % 1283
    for name in tied:
        if name.startswith("output"):
            tied[name][..., twin] = tied[name][..., best.class_ids[0]]
    calls = numpy_tail.TailClassifier(tied, maps).classify(maps)
    assert np.array_equal(calls.uncertain, np.isin(calls.class_ids, [best.class_ids[0], twin]))
