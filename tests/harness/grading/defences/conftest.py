"""A zoo of three tiny BadNets, and a way to run defences on it."""

import h5py
import numpy as np
import pytest
from tiny_nets import CLASSES, SHAPE, tiny_network, weights_of

from harness.execution.progress import Quiet
from harness.grading.context import Budget, Options
from harness.grading.defences.code import find_defences, stage_defences
from harness.grading.defences.zoo import cells, prepare_zoo
from harness.grading.worker import grade_entry

BADNETS = (("patch", 0), ("patch", 1), ("blended", 0))
IMAGES = 60


def write_zoo(folder, badnets=BADNETS, scale=1.0):
    """A zoo whose clean labels are what the first BadNet answers."""
    lines = [
        "schema_version = 1", 'name = "tiny-zoo"', 'title = "Tiny"',
        f"input_shape = {list(SHAPE)}", f"classes = {CLASSES}", f"pixel_scale = {scale}",
        "[files]", 'valid = "valid.h5"', 'test = "test.h5"',
    ]  # fmt: skip
    network = tiny_network()
    network.set_weights(weights_of(0))
    rng = np.random.default_rng(7)
    drawn = {name: rng.integers(0, 256, (IMAGES, *SHAPE), np.uint8) for name in ("valid", "test")}
    for name, images in drawn.items():
        pixels = images.astype(np.float32) * np.float32(scale)
        _write(folder / f"{name}.h5", images, np.asarray(network(pixels)).argmax(axis=1))
    for attack, seed in badnets:
        name = f"{attack}-{seed}"
        network.set_weights(weights_of(len(attack) + seed))
        (folder / name).mkdir()
        network.save(folder / name / "badnet.keras")
        _write(folder / name / "bd.h5", drawn["test"], np.full(IMAGES, 2), np.full(IMAGES, 3))
        lines += [
            "[[networks]]", f'name = "{name}"', f'attack = "{attack}"', f"seed = {seed}",
            f'badnet = "{name}/badnet.keras"', "[[networks.triggers]]", 'name = "dot"',
            f'file = "{name}/bd.h5"', "target_label = 2",
        ]  # fmt: skip
    (folder / "competition.toml").write_text("\n".join(lines) + "\n")
    return folder


def _write(path, images, labels, originals=None):
    with h5py.File(path, "w") as file:
        file["data"] = images.transpose(0, 3, 1, 2)
        file["label"] = labels
        if originals is not None:
            file["original_label"] = originals


@pytest.fixture(scope="session")
def zoo(tmp_path_factory):
    """The folder of the zoo."""
    return write_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def run_cells(zoo, tmp_path):
    """The records of the first cells of a defence that is given as text."""

    def run(text, *, toml="", many=1, folder=zoo, **options):
        code = tmp_path / "mine"
        code.mkdir(exist_ok=True)
        (code / "defence.py").write_text(text)
        if toml:
            (code / "submission.toml").write_text(toml)
        budget = Budget(seconds=options.pop("seconds", 60.0), images=options.pop("images", None))
        chosen = Options(timing=False, budget=budget, **options)
        prepared = prepare_zoo(str(folder), tmp_path / "out", chosen, Quiet())
        entries = cells(stage_defences(find_defences([str(code)]), tmp_path / "out"), prepared.zoo)
        return [grade_entry(prepared, entry) for entry in entries[:many]]

    return run
