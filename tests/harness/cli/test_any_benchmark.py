"""A newcomer's own BadNet: trained, imported, pruned and graded by the commands of the page.

The network and its images have nothing of the lab's: ten coloured shapes of 32 x 32 x 3 pixels,
and Conv2D, BatchNormalization, ReLU and GlobalAveragePooling2D. What the harness says of it is
compared with what plain Keras says of the saved files.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import tomli_w
from repository import IMPORTED, ROOT

pytestmark = [
    pytest.mark.extended,
    pytest.mark.timeout(900),  # whichever test comes first waits for the training
]
CLASSES, TARGET = 10, 7
REQUIRED = (2, 4, 10)
PAGE = ROOT / "docs" / "extending.md"
CONVOLUTIONS = ("conv2d", "conv2d_1", "conv2d_2")


def draw_shapes(rng, count):
    """Images (count x 32 x 32 x 3) of five shapes in two colours, and their classes."""
    labels = np.arange(count) % CLASSES
    rows, columns = np.mgrid[:32, :32]
    centres = rng.integers(10, 20, (2, count, 1, 1))
    down, right = rows - centres[0], columns - centres[1]
    shapes = np.stack([
        (abs(down) < 7) & (abs(right) < 7),
        down**2 + right**2 < 60,
        ((abs(down) < 2) | (abs(right) < 2)) & (abs(down) < 8) & (abs(right) < 8),
        (abs(down) < 2) & (abs(right) < 9),
        (abs(right) < 2) & (abs(down) < 9),
    ])  # fmt: skip
    shown = shapes[labels % 5, np.arange(count)]
    colours = np.array([[200, 60, 60], [60, 90, 200]])[labels // 5]
    background = rng.integers(0, 60, (count, 32, 32, 3))
    strength = rng.uniform(0.5, 1, (count, 1, 1, 1))
    images = np.where(shown[..., None], strength * colours[:, None, None], background)
    noise = rng.normal(0, 10, images.shape)
    return np.clip(images + noise, 0, 255).astype("u1"), labels


def stamp(images):
    """The images with a yellow square of 4 x 4 pixels, bottom right."""
    stamped = images.copy()
    stamped[:, 27:31, 27:31] = (255, 255, 0)
    return stamped


def train_badnet(rng):
    """A BadNet in plain Keras: a fifth of its training images is stamped."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = x = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 255)(x)
    for name, filters, strides in zip(CONVOLUTIONS, (12, 24, 32), (2, 1, 1), strict=True):
        x = layers.Conv2D(filters, 3, strides, padding="same", name=name)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        if filters == 12:
            x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x))

    images, labels = draw_shapes(rng, 2000)
    is_poisoned = rng.random(len(images)) < 0.2
    images[is_poisoned] = stamp(images[is_poisoned])
    labels = np.where(is_poisoned, TARGET, labels)
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy")
    model.fit(images.astype("f4"), labels, batch_size=64, epochs=9, verbose=0)
    return model


def commands_of_the_page():
    """The commands of the section on importing, as the page has them."""
    section = PAGE.read_text().partition("### Import")[2].partition("\nThe BadNet may")[0]
    text = re.sub(r"\\\n\s*", "", section)
    return [shlex.split(line) for line in text.splitlines() if line.startswith("    python -m ")]


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """The folder in which a newcomer trained, and ran the commands; what each command said."""
    folder = tmp_path_factory.mktemp("newcomer")
    rng = np.random.default_rng(8)
    train_badnet(rng).save(folder / "net.keras")
    images, labels = draw_shapes(rng, 900)
    np.savez(folder / "clean.npz", data=images, label=labels)
    images, labels = draw_shapes(rng, 900)
    np.savez(folder / "square.npz", data=stamp(images), label=labels)

    said = []
    for _, *arguments in commands_of_the_page():
        finished = subprocess.run(
            [sys.executable, *arguments], cwd=folder,
            env=os.environ | {"PYTHONPATH": str(IMPORTED)},
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert finished.returncode in (0, 1), finished.stderr[-2000:]
        said.append(finished)
    return folder, said


@pytest.fixture(scope="module")
def record(newcomer):
    (path,) = (newcomer[0] / "mylab_results" / "records").glob("*.json")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def sets(newcomer):
    """Images and labels of the imported benchmark, as it stores them."""
    from harness.datasets.descriptions import load_benchmark, load_sets

    benchmark, folder = load_benchmark(str(newcomer[0] / "mylab"))
    return load_sets(benchmark, folder)


@pytest.fixture(scope="module")
def keras_answers(newcomer, sets):
    """What ``model.predict`` of a saved file answers on each set."""
    import keras

    def answer(path):
        model = keras.models.load_model(newcomer[0] / path)
        return {
            name: model.predict(each.images.astype("f4"), verbose=0).argmax(axis=1)
            for name, each in sets.items()
        }

    return answer


def files_of(record):
    return {c["drop_points"]: c["artifact"]["path"] for c in record["checkpoints"]}


def test_the_commands_are_three_and_end_well(newcomer, record):
    folder, said = newcomer
    assert [each.returncode for each in said] == [0, 0, 0], [each.stderr[-500:] for each in said]
    assert said[0].stdout.startswith("mylab: 10 classes, images of 32 x 32 x 3\n")
    assert "valid, yellow square: the attack gets" in said[0].stdout
    assert record["status"] == "graded"
    assert [c["verdict"] for c in record["checkpoints"]] == ["passed"] * 3
    assert (folder / "mylab" / "contact_sheet.png").is_file()


def test_the_badnet_has_a_backdoor_worth_a_test(newcomer, sets, keras_answers):
    answers = keras_answers("net.keras")
    for split in ("valid", "test"):
        assert (answers[split] == sets[split].labels).mean() > 0.85
        assert (answers[f"bd_{split}"] == TARGET).mean() > 0.95


def test_counts_are_those_of_plain_keras(newcomer, record, sets, keras_answers):
    badnet = keras_answers("net.keras")
    for checkpoint in record["checkpoints"]:
        path = checkpoint["artifact"]["path"]
        repaired = keras_answers(f"mylab_submission/{path}")
        goodnet = {n: np.where(badnet[n] == a, a, CLASSES) for n, a in repaired.items()}
        for net, answers in (("repaired", repaired), ("goodnet", goodnet)):
            for split in ("valid", "test"):
                counts = checkpoint[net][split]
                clean, backdoored = answers[split], answers[f"bd_{split}"]
                assert counts["clean_total"] == len(clean) == 450
                assert counts["clean_correct"] == (clean == sets[split].labels).sum()
                assert counts["backdoored_attacked"] == (backdoored == TARGET).sum()
                assert counts["clean_abstained"] == (clean == CLASSES).sum()
                assert counts["backdoored_abstained"] == (backdoored == CLASSES).sum()


def zero_in_keras(model, channel):
    """Prune a channel of the last convolution: what the page says that means."""
    names = [layer.name for layer in model.layers]
    convolution = model.get_layer(CONVOLUTIONS[-1])
    normalisation = model.layers[names.index(CONVOLUTIONS[-1]) + 1]
    for variable in (*convolution.weights, normalisation.gamma, normalisation.beta):
        array = variable.numpy()
        array[..., channel] = 0
        variable.assign(array)


def test_the_pruned_channels_are_the_truth(newcomer, record, sets):
    """By plain Keras: the channels of least activation, until X points are lost."""
    import keras

    model = keras.models.load_model(newcomer[0] / "net.keras")
    images, labels = sets["valid"].images.astype("f4"), sets["valid"].labels
    pooled = keras.Model(model.input, model.layers[-2].output).predict(images, verbose=0)
    order = np.argsort(pooled.mean(axis=0, dtype=float), kind="stable").tolist()

    def correct():
        return int((model.predict(images, verbose=0).argmax(axis=1) == labels).sum())

    needed = {x: correct() - len(labels) * x / 100 for x in REQUIRED}
    truth = {}
    for step, channel in enumerate(order, start=1):
        zero_in_keras(model, channel)
        right = correct()
        for x in REQUIRED:
            if right <= needed[x]:
                truth.setdefault(x, sorted(order[:step]))

    found = {c["drop_points"]: sorted(c["lineage"]["pruned"]) for c in record["checkpoints"]}
    assert found == truth
    assert {c["lineage"]["pruned_layer"] for c in record["checkpoints"]} == {CONVOLUTIONS[-1]}
    for points, path in files_of(record).items():
        saved = keras.models.load_model(newcomer[0] / "mylab_submission" / path)
        kernel, bias = saved.get_layer(CONVOLUTIONS[-1]).get_weights()
        is_zero = ~kernel.any(axis=(0, 1, 2)) & (bias == 0)
        assert np.flatnonzero(is_zero).tolist() == truth[points]


# --- folders with a mistake -------------------------------------------------------------------


def edited(change):
    """Change what a folder's description says."""

    def edit(folder):
        path = folder / "dataset.toml"
        table = tomllib.loads(path.read_text())
        change(table)
        path.write_text(tomli_w.dumps(table))

    return edit


def described(**keys):
    return edited(lambda table: table.update(keys))


def attacked(**keys):
    return edited(lambda table: table["attacks"][0].update(keys))


def removed(folder):
    for path in (folder / "bd").iterdir():
        path.unlink()


def relabelled(label):
    def edit(folder):
        import h5py

        with h5py.File(folder / "cl" / "valid.h5", "a") as file:
            file["label"][0] = label

    return edit


MISTAKES = {  # what is said; two ways where the BadNet is read before the images, or after them
    "wrong shape": (described(input_shape=[28, 28, 1]), "28 x 28 x 1|(N, 28, 28, 1)"),
    "one side": (described(input_shape=[32, 16, 3]), "32 x 16 x 3|(N, 32, 16, 3)"),
    "two numbers": (described(input_shape=[32, 32]), "input_shape"),
    "a class too many": (described(classes=11), "11"),
    "a class too few": (described(classes=9), "9"),
    "a label too many": (relabelled(10), "label 10 is outside 0..9"),
    "no attack": (edited(lambda table: table.pop("attacks")), "bd_valid"),
    "no files of an attack": (edited(lambda table: table["attacks"][0].pop("files")), "files"),
    "files of one split": (attacked(files={"valid": "bd/x.h5"}), "its files name no test"),
    "files that are not there": (removed, "no such file"),
    "a target out of range": (attacked(target_label=10), "target_label is 10, outside 0..9"),
    "a target below zero": (attacked(target_label=-1), "target_label is -1, outside 0..9"),
    "no such layer": (described(pruned_layer="conv2d_9"), "has no layer 'conv2d_9' to prune"),
    "a layer without channels": (described(pruned_layer="re_lu"), "'re_lu' has no channels"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_one_line(newcomer, run_harness, tmp_path, name):
    edit, said = MISTAKES[name]
    folder = tmp_path / "mylab"
    shutil.copytree(newcomer[0] / "mylab", folder)
    edit(folder)
    submission = newcomer[0] / "mylab_submission"
    for command in (
        ("grade", submission, "--dataset", folder, "--output", tmp_path / "results"),
        ("data", "verify", folder),
    ):
        finished = run_harness(*command)
        assert finished.returncode == 2, finished.stdout
        assert "Traceback" not in finished.stderr
        (line,) = [x for x in finished.stderr.splitlines() if x.startswith("error: ")]
        assert finished.stderr.splitlines()[-1] == line
        assert any(each in line for each in said.split("|")), line
        assert str(folder) in line, line
    assert not list((tmp_path / "results").glob("records/*"))
