"""Grading with what nets have in common with the BadNet, and without: the same records."""

from dataclasses import replace

import pytest
from models import restore_channel

from harness.execution.progress import Quiet
from harness.grading.context import Options
from harness.grading.setup import prepare
from harness.grading.submission import grade_folder
from harness.lineage.lineage import remove_channels, zero_channels
from harness.storage.hashing import array_hash
from reference.badnet.training import save_weights


@pytest.fixture(scope="module")
def ready(small_benchmark, badnet_path, tmp_path_factory):
    """By whether features are shared: the small benchmark, made ready."""
    return {
        sharing: prepare(
            str(small_benchmark), badnet_path, tmp_path_factory.mktemp(f"sharing {sharing}"),
            Options(timing=False, sharing=sharing), Quiet(),
        )
        for sharing in (True, False)
    }  # fmt: skip


@pytest.fixture(scope="module")
def folders(badnet, ready, tmp_path_factory):
    """Submissions whose steps the sweep came by, and such whose it did not."""
    masks = ready[True].basis.reference_masks
    order = next(iter(masks.values()))
    longer = max(masks.values(), key=len)
    cases = {
        "its own masks": {x: zero_channels(badnet, mask) for x, mask in masks.items()},
        "one channel more": {2.0: zero_channels(badnet, longer)},
        "removed filters": {2.0: remove_channels(badnet, order)},
        "another channel": {4.0: zero_channels(badnet, [*order[:-1], longer[-1]])},
        "biases left": {4.0: zero_channels(badnet, order, keep_biases=True)},
        "one bias left": {4.0: restore_channel(zero_channels(badnet, order), badnet, order[0])},
        "nothing pruned": {10.0: dict(badnet)},
    }
    made = []
    for name, nets in cases.items():
        made.append(tmp_path_factory.mktemp("submissions") / name)
        made[-1].mkdir()
        for points, weights in nets.items():
            save_weights(weights, made[-1] / f"model_X={points:g}.h5")
    return made


def grade(folder, prepared):
    return grade_folder(folder, prepared.basis, prepared.datasets, prepared.run)


def test_records_are_the_same_with_and_without(ready, folders):
    for folder in folders:
        shared, full = (grade(folder, ready[sharing]) for sharing in (True, False))
        assert shared == full, folder.name


def test_the_sweep_spares_the_steps_around_its_own_masks(ready, folders, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a net was run whose counts the sweep has")

    monkeypatch.setattr("harness.grading.evidence.predict_weights", refuse)
    alone = replace(ready[True].basis, reference_masks={})
    record = grade(folders[0], replace(ready[True], basis=alone))
    steps = [checkpoint.steps for checkpoint in record.checkpoints]
    assert all(step.before and step.after for step in steps)


def test_what_the_sweep_counted_is_what_the_nets_score(ready, badnet):
    basis, valid = ready[True].basis, ready[True].datasets.sets["valid"]
    live = max(basis.swept_counts, key=len)
    assert len(basis.swept_counts) == len(live) + 1
    right = basis.predictions.answers["valid"].class_ids == valid.labels
    assert basis.swept_counts[frozenset()] == int(right.sum())
    assert array_hash(basis.badnet) == array_hash(badnet)
