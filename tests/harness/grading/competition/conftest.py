"""A competition of two tiny BadNets, and a course that was graded on it."""

import json

import numpy as np
import pytest
from competition_entries import write_all
from models import write_set
from tiny_nets import CLASSES, NAMES, SHAPE, tiny_network, weights_of


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of the competition; clean labels are what each BadNet answers."""
    folder = tmp_path_factory.mktemp("tiny")
    lines = [
        "schema_version = 1", 'name = "tiny"', 'title = "Tiny"', f"input_shape = {list(SHAPE)}",
        f"classes = {CLASSES}", f"pixel_scale = {1 / 255}",
    ]  # fmt: skip
    for seed, name in enumerate(NAMES):
        network = tiny_network()
        network.set_weights(weights_of(seed))
        network.save(folder / f"{name}_bd_net.keras")
        for number, part in enumerate(("valid", "test", "bd")):
            rng = np.random.default_rng((seed, number))
            images = rng.integers(0, 256, (60, 3, *SHAPE[:2])).astype(np.uint8)
            pixels = images.transpose(0, 2, 3, 1).astype(np.float32) / np.float32(255)
            labels = np.asarray(network(pixels)).argmax(axis=1)
            path = folder / name / f"{part}.h5"
            write_set(path, 60, data=images, label=labels if part != "bd" else np.full(60, 2))
        lines += [
            "[[networks]]", f'name = "{name}"', f'badnet = "{name}_bd_net.keras"',
            f'files = {{ valid = "{name}/valid.h5", test = "{name}/test.h5" }}',
            "[[networks.triggers]]", 'name = "dot"', f'file = "{name}/bd.h5"', "target_label = 2",
        ]  # fmt: skip
    (folder / "competition.toml").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def results(run_harness, tiny, tmp_path_factory):
    """The results of all entries: one run, since every one begins with TensorFlow."""
    each, out = tmp_path_factory.mktemp("entries"), tmp_path_factory.mktemp("results")
    write_all(each, tiny)
    finished = run_harness(
        "grade", "--each", each, "--dataset", tiny, "--out", out, "--cold-images", "3"
    )
    assert finished.returncode == 1, finished.stderr
    assert "Traceback" not in finished.stderr, finished.stderr
    return out


@pytest.fixture(scope="session")
def graded(results):
    """The records by name."""
    return {p.stem: json.loads(p.read_text()) for p in (results / "records").glob("*.json")}
