"""A zoo of three tiny BadNets, and defences that take a moment."""

import h5py
import numpy as np
from tiny_nets import CLASSES, SHAPE, tiny_network, weights_of

BADNETS = (("patch", 0), ("patch", 1), ("blended", 0))
IMAGES = 60


def write_zoo(folder, badnets=BADNETS, scale=1.0, twins=False):
    """A zoo whose clean labels are what the first BadNet answers; with clean twins or without."""
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
    for attack, seed in badnets if twins else ():
        name = f"{attack}-{seed}"
        network.set_weights(weights_of(50 + len(attack) + seed))
        network.save(folder / name / "clean.keras")
        lines += ["[[twins]]", f'name = "{name}-clean"', f'of = "{name}"',
                  f'network = "{name}/clean.keras"']  # fmt: skip
    (folder / "competition.toml").write_text("\n".join(lines) + "\n")
    return folder


def write_changed_triggers(zoo, network="patch-0"):
    """Two sizes of a BadNet's trigger, which mean nothing: the same images, half of them black."""
    inside = zoo / network / "robustness"
    inside.mkdir()
    images = np.random.default_rng(8).integers(0, 256, (20, *SHAPE), np.uint8)
    black = images.copy()
    black[::2] = 0
    _write(inside / "clean.h5", images, np.arange(20) % CLASSES)
    _write(inside / "own.h5", images, np.full(20, 2), np.full(20, 3))
    _write(inside / "half.h5", black, np.full(20, 2), np.full(20, 3))
    levels = [
        f'[[levels]]\nkind = "size"\nlevel = {level}\nunit = "%"\nfile = "{file}"\n{more}\n'
        for level, file, more in ((50, "half.h5", ""), (100, "own.h5", "own = true"))
    ]
    head = 'schema_version = 1\n[clean]\nfile = "clean.h5"\n'
    (inside / "robustness.toml").write_text(head + "".join(levels))


def _write(path, images, labels, originals=None):
    with h5py.File(path, "w") as file:
        file["data"] = images.transpose(0, 3, 1, 2)
        file["label"] = labels
        if originals is not None:
            file["original_label"] = originals


BIASED = """
def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    badnet.arrays["output/bias"][seed % classes] += 1000
    return badnet.arrays
"""
DETECTOR = """
def detect(network, clean_images, clean_labels, *, classes, seed, budget):
    bias = network.arrays["output/bias"]
    return float(1 / (1 + abs(bias).max()))
"""
FAILING = "def repair(badnet, clean_images, clean_labels, *, classes, seed, budget): 1 / 0"


def write_defence(folder, text):
    """A defence that takes arrays, so that no child of it imports TensorFlow."""
    folder.mkdir(parents=True)
    (folder / "defence.py").write_text(text)
    (folder / "submission.toml").write_text('[defence]\nfile = "defence.py"\nbadnet = "arrays"\n')
    return folder
