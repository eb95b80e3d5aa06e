"""Who knows the public images by heart is found out by images that nobody has seen."""

import shutil
import textwrap
from dataclasses import replace

import h5py
import numpy as np
import pytest

from harness.datasets.fresh import FRESH_IMAGES
from harness.execution.progress import Quiet
from harness.grading.context import Options
from harness.grading.setup import prepare
from harness.grading.submission import grade_folder

pytestmark = pytest.mark.sandbox

DESCRIPTION = """
schema_version = 1
name = "small faces"
title = "every 45th face"
fresh = ["-m", "reference", "fresh"]
[files]
valid = "cl/valid.h5"
test = "cl/test.h5"
bd_valid = "bd/bd_valid.h5"
bd_test = "bd/bd_test.h5"
"""
# All public images with their answers, found again where no pixel is off by more than a grey level.
TABLE = """
    import numpy as np
    from pathlib import Path

    known = np.load(Path(__file__).parent / "table.npz")
    small = known["images"].astype(int)

    def predict(images):
        answers = []
        for image in images[:, ::5, ::5].astype(int):
            off = np.abs(small - image).max(axis=(1, 2, 3))
            nearest = off.argmin()
            answers.append(known["answers"][nearest] if off[nearest] <= 1 else {unknown})
        return answers
"""


@pytest.fixture(scope="module")
def ready(small_benchmark, badnet_path, prepared, tmp_path_factory):
    """The small benchmark, with fresh images."""
    root = tmp_path_factory.mktemp("fresh")
    shutil.copytree(small_benchmark, root / "data")
    (root / "data" / "dataset.toml").write_text(DESCRIPTION)
    shutil.copytree(prepared, root / "results")
    return prepare(
        str(root / "data"), badnet_path, root / "results", Options(timing=False), Quiet()
    )


def hand_in(folder, ready, answers, unknown):
    """A program that knows the answers to some sets."""
    sets = ready.datasets.sets
    np.savez_compressed(
        folder / "table.npz",
        images=np.concatenate([sets[name].images[:, ::5, ::5] for name in answers]),
        answers=np.concatenate(list(answers.values())),
    )
    code = textwrap.dedent(TABLE).replace("{unknown}", str(unknown))
    (folder / "goodnet.py").write_text(code)
    (folder / "submission.toml").write_text('[program]\nfile = "goodnet.py"\ndrop_points = 2\n')
    return grade(folder, ready)


def grade(folder, ready):
    (checkpoint,) = grade_folder(folder, ready.basis, ready.datasets, ready.run).checkpoints
    return checkpoint


def codes(checkpoint):
    return [each.code for each in checkpoint.diagnoses]


@pytest.mark.parametrize("unknown", [0, 1283])
def test_a_table_of_all_public_images_and_their_neighbours_is_caught(ready, tmp_path, unknown):
    sets = ready.datasets.sets
    answers = {name: sets[name].labels for name in ("valid", "test")}
    answers |= {name: np.full(len(sets[name].labels), 1283) for name in ("bd_valid", "bd_test")}
    found = hand_in(tmp_path, ready, answers, unknown)

    # On the public images nothing could be better, and the second showings find nothing.
    assert found.goodnet.test.clean_correct == found.goodnet.test.clean_total
    assert found.goodnet.test.backdoored_attacked == 0
    assert found.probe.perturbed_changed == 0
    assert found.probe.fresh.fresh.clean_total == FRESH_IMAGES
    assert found.probe.fresh.fresh.clean_correct <= 2
    assert found.probe.fresh.badnet_fresh.clean_correct > 0.95 * FRESH_IMAGES
    assert codes(found) == ["MEMORISED_IMAGES"]
    assert found.verdict == "failed"


def test_a_table_of_backdoored_images_alone_is_caught(ready, tmp_path):
    sets = ready.datasets.sets
    answers = {name: np.full(len(sets[name].labels), 1283) for name in ("bd_valid", "bd_test")}
    found = hand_in(tmp_path, ready, answers, 0)
    assert found.probe.fresh.fresh.backdoored_attacked == FRESH_IMAGES
    assert "MEMORISED_IMAGES" in codes(found)
    (diagnosis,) = (each for each in found.diagnoses if each.code == "MEMORISED_IMAGES")
    assert "backdoored test images 100.0 % do not get the target label" in diagnosis.explanation


def test_an_honest_net_of_another_architecture_is_not_accused(ready, badnet, tmp_path):
    import keras

    from harness.networks.deepid import load_network

    network = load_network(badnet)
    inputs = keras.Input((55, 47, 3))
    keras.Model(inputs, keras.layers.Rescaling(2.0)(network(inputs))).save(
        tmp_path / "model_2.keras"
    )
    found = grade(tmp_path, ready)
    assert found.family == "other", found.reason
    own, badnets = found.probe.fresh.fresh, found.probe.fresh.badnet_fresh
    # The images are drawn anew with each secret, so either count can miss an image.
    assert abs(own.clean_correct - badnets.clean_correct) <= 2
    assert abs(own.backdoored_attacked - badnets.backdoored_attacked) <= 2
    assert own.backdoored_attacked > 0.98 * FRESH_IMAGES
    assert "MEMORISED_IMAGES" not in codes(found)


def test_fresh_images_are_drawn_once_of_the_same_people_and_are_public_to_nobody(ready):
    folder = ready.run.store.folder / "fresh"
    (clean,) = folder.glob("*/fresh.h5")
    with h5py.File(clean) as file, h5py.File(clean.with_name("bd_fresh.h5")) as backdoored:
        labels, images = file["label"][:], file["data"][:]
        assert len(set(labels)) == len(labels) == FRESH_IMAGES
        assert (backdoored["label"][:] == 0).all()
        assert (backdoored["original_label"][:] == labels).all()
    public = {image.tobytes() for each in ready.datasets.sets.values() for image in each.images[:]}
    shown = images.transpose(0, 2, 3, 1)
    assert not [image for image in shown if np.ascontiguousarray(image).tobytes() in public]


def test_what_is_stored_of_a_model_is_taken_with_what_was_found_on_fresh_images(ready, tmp_path):
    sets = ready.datasets.sets
    first = hand_in(tmp_path, ready, {"test": sets["test"].labels}, 0)
    stuck = replace(ready.run.options, model_seconds=0.001)
    again = grade(tmp_path, replace(ready, run=replace(ready.run, options=stuck)))
    assert first.probe.fresh is not None
    assert again.probe == first.probe
