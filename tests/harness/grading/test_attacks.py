"""A benchmark of several attacks is graded as one of a single attack is, with counts for each."""

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from harness.datasets.descriptions import load_benchmark, load_sets
from harness.execution.progress import Quiet
from harness.grading.context import Options
from harness.grading.fingerprint import circumstances
from harness.grading.setup import prepare
from harness.grading.submission import grade_folder
from harness.inference.known_network import predict_known_network
from harness.output.html.examples import open_examples
from harness.records.benchmark import Datasets
from harness.records.errors import HarnessError
from harness.records.record import AttackCounts

DESCRIPTION = """
schema_version = 1
title = "two attacks"
tolerance_images = 0

[[attacks]]
name = "glasses"
target_label = 0
files = { valid = "bd/bd_valid.h5", test = "bd/bd_test.h5" }

[[attacks]]
name = "own targets"
files = { valid = "bd/own_valid.h5", test = "bd/own_test.h5" }
"""

PROGRAM = """
import numpy as np


def predict(images):
    return np.full(len(images), 1283)
"""


@pytest.fixture(scope="module")
def benchmark_folder(small_benchmark, tmp_path_factory):
    """The small benchmark with a second attack: fewer images, each with a target of its own."""
    folder = tmp_path_factory.mktemp("attacks") / "two"
    shutil.copytree(small_benchmark, folder)
    (folder / "dataset.toml").write_text(DESCRIPTION)
    for split in ("valid", "test"):
        with h5py.File(folder / "cl" / f"{split}.h5") as clean:
            data, truth = clean["data"][::3], clean["label"][::3]
        with h5py.File(folder / "bd" / f"own_{split}.h5", "w") as file:
            file["data"], file["original_label"] = data[:, :, ::-1], truth
            # Every second one already shows its target class.
            file["label"] = np.where(np.arange(len(truth)) % 2, truth, (truth + 1) % 1283)
    return folder


@pytest.fixture(scope="module")
def ready(benchmark_folder, badnet_path, tmp_path_factory):
    options = Options(timing=False, isolation="none")
    return prepare(str(benchmark_folder), badnet_path, tmp_path_factory.mktemp("results"), options,
                   Quiet())  # fmt: skip


def grade(folder, ready):
    return grade_folder(folder, ready.basis, ready.datasets, ready.run)


def counted_by_hand(weights, folder, split):
    """The counts of each attack, from its own file alone."""
    benchmark, _ = load_benchmark(str(folder))
    whole = load_sets(benchmark, folder)[f"bd_{split}"]
    counts = []
    for attack in benchmark.attacks:
        with h5py.File(folder / attack.files[split]) as file:
            images, labels = file["data"][()].transpose(0, 2, 3, 1), file["label"][()]
        own = Datasets(benchmark=benchmark, sets={"a": _alone(whole, images, labels)})
        class_ids = predict_known_network(weights, own).answers["a"].class_ids
        hits = int(np.count_nonzero(class_ids == labels))
        counts.append(AttackCounts(name=attack.name, total=len(labels), attacked=hits, abstained=0,
                                   invalid=0))  # fmt: skip
    return tuple(counts)


def _alone(whole, images, labels):
    return replace(whole, images=images, labels=labels, attacks=(), original_labels=None)


def test_each_attack_is_counted_apart(ready, reference_submission, badnet, benchmark_folder):
    record = grade(reference_submission, ready)
    for split in ("valid", "test"):
        badnets = getattr(record.badnet, split)
        assert badnets.attacks == counted_by_hand(badnet, benchmark_folder, split)
        assert 0 < badnets.attacks[1].attacked < badnets.attacks[1].total
        for net in (record.badnet, *(c.repaired for c in record.checkpoints),
                    *(c.goodnet for c in record.checkpoints)):  # fmt: skip
            counts = getattr(net, split)
            assert [each.name for each in counts.attacks] == ["glasses", "own targets"]
            assert sum(each.total for each in counts.attacks) == counts.backdoored_total
            assert sum(each.attacked for each in counts.attacks) == counts.backdoored_attacked
            assert sum(each.abstained for each in counts.attacks) == counts.backdoored_abstained

    originals, total = record.badnet_originals.test, record.badnet.test.backdoored_total
    with h5py.File(benchmark_folder / "bd" / "bd_test.h5") as file:
        of_target = np.count_nonzero(file["original_label"][()] == 0)
    own = record.badnet.test.attacks[1].total
    assert originals.other_total == total - of_target - own // 2
    assert record.tolerance_images == 0
    assert len(record.checkpoints) == 3
    assert all(checkpoint.verdict == "passed" for checkpoint in record.checkpoints)


def test_a_program_is_asked_about_all_attacks(ready, tmp_path):
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "goodnet.py").write_text(PROGRAM)
    (folder / "submission.toml").write_text('[program]\nfile = "goodnet.py"\ndrop_points = 2\n')
    (checkpoint,) = (c for c in grade(folder, ready).checkpoints if c.goodnet)
    for counts in (checkpoint.goodnet.valid, checkpoint.goodnet.test):
        assert [each.abstained for each in counts.attacks] == [e.total for e in counts.attacks]
        assert counts.backdoored_abstained == counts.backdoored_total


def test_examples_say_which_attack_they_are_of(ready, reference_submission):
    record = grade(reference_submission, ready)
    with open_examples(ready.run.store, "instructor") as examples:
        found = examples(record)
    assert any(each.truth.startswith("backdoored (own targets), class ") for each in found)
    assert any(each.answer.endswith(", the attack's target") for each in found)
    assert {(each.width, each.height) for each in found} == {(94, 110)}


def test_a_label_other_than_the_target_is_said_before_grading(
    benchmark_folder, badnet_path, tmp_path
):
    folder = tmp_path / "wrong"
    shutil.copytree(benchmark_folder, folder)
    with h5py.File(folder / "bd" / "bd_test.h5", "a") as file:
        file["label"][3] = 9
    path = folder / "bd" / "bd_test.h5"
    with pytest.raises(
        HarnessError, match=rf"^{path}: a label other than the target 0 \(9, image 3"
    ):
        prepare(str(folder), badnet_path, tmp_path / "results", Options(timing=False), Quiet())


def test_the_hash_of_what_is_graded_with_knows_the_attacks(ready):
    benchmark = ready.datasets.benchmark
    given = []
    for attacks in (benchmark.attacks, benchmark.attacks[::-1], ()):
        changed = replace(benchmark, attacks=attacks, tolerance_images=None)
        datasets = replace(ready.datasets, benchmark=changed)
        given.append(circumstances(ready.basis, datasets, ready.run.options))
    assert len(set(given)) == 3
