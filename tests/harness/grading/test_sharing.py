"""Grading with what nets have in common with the BadNet, and without: the same records."""

from dataclasses import replace

import pytest

from harness.execution.progress import Quiet
from harness.grading.context import Options
from harness.grading.setup import prepare
from harness.grading.submission import grade_folder
from harness.lineage.lineage import narrowed, restored, zeroed
from harness.storage.hashing import array_hash
from reference.badnet.training import save_weights


@pytest.fixture(scope="module")
def benches(small_benchmark, badnet_path, tmp_path_factory):
    """By whether features are shared: the small benchmark, made ready."""
    return {
        sharing: prepare(
            str(small_benchmark), badnet_path, tmp_path_factory.mktemp(f"sharing {sharing}"),
            Options(timing=False, sharing=sharing), Quiet(),
        )
        for sharing in (True, False)
    }  # fmt: skip


@pytest.fixture(scope="module")
def folders(badnet, benches, tmp_path_factory):
    """Submissions whose steps the sweep came by, and such whose it did not."""
    order = next(iter(benches[True].reference_masks.values()))
    longer = max(benches[True].reference_masks.values(), key=len)
    cases = {
        "its own masks": {x: zeroed(badnet, m) for x, m in benches[True].reference_masks.items()},
        "one channel more": {2.0: zeroed(badnet, longer)},
        "removed filters": {2.0: narrowed(badnet, order)},
        "another channel": {4.0: zeroed(badnet, [*order[:-1], longer[-1]])},
        "biases left": {4.0: zeroed(badnet, order, keep_biases=True)},
        "one bias left": {4.0: restored(zeroed(badnet, order), badnet, order[0])},
        "nothing pruned": {10.0: dict(badnet)},
    }
    made = []
    for name, nets in cases.items():
        made.append(tmp_path_factory.mktemp("submissions") / name)
        made[-1].mkdir()
        for points, weights in nets.items():
            save_weights(weights, made[-1] / f"model_X={points:g}.h5")
    return made


def test_records_are_the_same_with_and_without(benches, folders):
    for folder in folders:
        shared, full = (grade_folder(folder, benches[sharing]) for sharing in (True, False))
        assert shared == full, folder.name


def test_the_sweep_spares_the_steps_around_its_own_masks(benches, folders, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a net was run whose counts the sweep has")

    monkeypatch.setattr("harness.grading.evidence.network_answers", refuse)
    bench = replace(benches[True], reference_masks={})
    steps = [c.steps for c in grade_folder(folders[0], bench).checkpoints]
    assert all(step.before and step.after for step in steps)


def test_what_the_sweep_counted_is_what_the_nets_score(benches, badnet):
    bench = benches[True]
    live = max(bench.swept, key=len)
    assert len(bench.swept) == len(live) + 1
    assert bench.swept[frozenset()] == int(
        (bench.badnet_answers["valid"] == bench.sets["valid"].labels).sum()
    )
    assert array_hash(bench.badnet) == array_hash(badnet)
