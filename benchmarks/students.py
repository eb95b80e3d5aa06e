"""What the students of a generated course hand in, one function for each kind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
from habits import HABITS, POINTS, beside_crossings
from workshop import ROOT, Repair

sys.path[:0] = [str(ROOT / "tests" / "submissions")]

import cases  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    import keras
    from workshop import Workshop

FILE_NAMES = (
    "model_X={}.h5", "bd_model_X{}.h5", "B_prime_{}_weights.h5", "gn-x{}_weights.h5",
    "model_B_{}.h5", "model_{}_percent_drop.h5", "repaired_model_{}.h5", "repaired_x{}.h5",
    "repaired_bd_weights{}.h5", "Repaired_net_{}_percent_threshold.h5", "pruned_net_{}.h5",
    "pruned_bd_net_by_{}_acc=84.43751623798389_asr=77.015675067117.h5", "PrunedNet_X-{}.keras",
    "GoodNet_X-{}.keras", "B_prime_{}.h5",
)  # fmt: skip
FOLDERS = ("", "", "models", "pruned", "Repaired_models", "Lab/Lab3", "Repaired models ")
BROKEN = (
    "broken_truncated", "broken_empty_file", "broken_text", "broken_ten_outputs",
    "broken_web_page", "broken_wrong_shape", "broken_missing_layer", "broken_no_model",
)  # fmt: skip
HOSTILE = (
    "hostile_external_link", "payload_reads_secret", "hostile_zip_traversal", "payload_forks",
    "hostile_symlink", "payload_floods_output", "hostile_duplicate_members",
    "payload_writes_outside", "hostile_polyglot", "payload_segfault", "hostile_fifo",
)  # fmt: skip
"""Nothing that only a limit stops: a benchmark is not the place to fill a machine."""

WRAPPED = (
    "honest_rescaling", "honest_dropout_and_batchnorm", "honest_channels_first",
    "honest_nested_sequential", "honest_logits",
)  # fmt: skip
"""The known network inside another model."""


def write_pruned(workshop: Workshop, target: Path) -> None:
    """An ordinary submission: three B', the BadNet or a report beside them at times."""
    name, folder = workshop.choose(FILE_NAMES), target / workshop.choose(FOLDERS)
    habit = workshop.choose(tuple(HABITS), tuple(HABITS.values()))
    for points, repair in habit(workshop).items():
        workshop.write_repair(folder / name.format(points), repair)

    if workshop.draw(1, 4) == 1:
        workshop.write_repair(folder / "bd_weights.h5", Repair(channels=()))
    if workshop.draw(1, 3) == 1:
        (target / "report.pdf").write_bytes(b"%PDF-1.4 report")
        (target / "lab.ipynb").write_text("{}")


# --- defences that are wrong in a way that has a name -------------------------------------------


def write_deviating(workshop: Workshop, target: Path) -> None:
    """One of these mistakes."""
    mistakes = (
        _write_wrong_layer,
        _write_goodnet_alone,
        _write_wrong_x,
        _write_scaled,
        _write_badnet,
    )
    workshop.choose(mistakes)(workshop, target)


def _write_wrong_layer(workshop: Workshop, target: Path) -> None:
    layer, channel_count = workshop.choose((("conv_4", 80), ("conv_2", 40)))
    for points in POINTS:
        drawn = workshop.rng.permutation(channel_count)
        channels = drawn[: workshop.draw(5, channel_count // 2)]
        weights = dict(workshop.badnet)
        for name in (f"{layer}/kernel", f"{layer}/bias"):
            weights[name] = weights[name].copy()
            weights[name][..., channels] = 0
        workshop.write_weights(target / f"pruned_net_{points}.h5", weights)


def _write_goodnet_alone(workshop: Workshop, target: Path) -> None:
    from reference.defence.goodnet import build_goodnet

    points = workshop.choose(POINTS)
    repaired = beside_crossings(workshop)[points].apply(workshop.badnet)
    build_goodnet(workshop.badnet, repaired).save(target / f"GoodNet_X-{points}.keras")


def _write_wrong_x(workshop: Workshop, target: Path) -> None:
    for points, repair in beside_crossings(workshop).items():
        named_points = 5 if points == 4 else points
        workshop.write_repair(target / f"bd_model_X{named_points}.h5", repair)


def _write_scaled(workshop: Workshop, target: Path) -> None:
    for points, repair in beside_crossings(workshop).items():
        weights = repair.apply(workshop.badnet)
        weights["conv_1/kernel"] = weights["conv_1/kernel"] * np.float32(255)
        workshop.write_weights(target / f"B_prime_{points}_weights.h5", weights)


def _write_badnet(workshop: Workshop, target: Path) -> None:
    workshop.write_repair(target / "model_X=2.h5", Repair(channels=()))


# --- models that are not the known network, and run ---------------------------------------------


def write_foreign(workshop: Workshop, target: Path) -> None:
    """One of these models."""
    models = (
        _write_wrapped_network,
        _write_own_network,
        _write_own_network,  # twice as often
        _write_own_program,
    )
    workshop.choose(models)(workshop, target)


def _write_wrapped_network(workshop: Workshop, target: Path) -> None:
    _write_case(workshop, target, workshop.choose(WRAPPED))


def _write_own_network(workshop: Workshop, target: Path) -> None:
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow()
    import keras

    keras.utils.set_random_seed(workshop.draw(0, 2**31))
    suffix = workshop.choose((".keras", ".h5"))
    _small_network(workshop).save(target / f"model_{workshop.choose(POINTS)}{suffix}")


def _small_network(workshop: Workshop) -> keras.Model:
    import keras
    from keras import layers

    net = [keras.Input((55, 47, 3)), layers.Rescaling(1 / 255)]
    filters = workshop.choose((8, 16, 32))
    for depth in range(workshop.draw(1, 3)):
        conv = workshop.choose((layers.Conv2D, layers.SeparableConv2D))
        net.append(conv(filters << depth, 3, strides=2, activation="relu"))
        if workshop.draw(0, 1):
            net.append(layers.BatchNormalization())

    pooling = workshop.choose((layers.GlobalAveragePooling2D, layers.Flatten))
    net += [pooling(), layers.Dropout(0.3), layers.Dense(1283, activation="softmax")]
    return keras.Sequential(net)


def _write_own_program(workshop: Workshop, target: Path) -> None:
    seed = workshop.draw(0, 2**31)
    code = f"""
        import numpy as np

        KERNEL = np.random.default_rng({seed}).normal(size=(330, 1283))
        KERNEL = KERNEL.astype("f4")

        def predict(images):
            small = images[:, ::5, ::5].reshape(len(images), -1).astype("f4")
            return (small @ KERNEL).argmax(axis=1)
        """
    cases.program(target, code, f"drop_points = {workshop.choose(POINTS)}\n")


# --- what cannot be graded ----------------------------------------------------------------------


def write_broken(workshop: Workshop, target: Path) -> None:
    """Files that are no model, or no longer."""
    _write_case(workshop, target, workshop.choose(BROKEN))


def write_hostile(workshop: Workshop, target: Path) -> None:
    """What tries to read, write or start what it must not."""
    _write_case(workshop, target, workshop.choose(HOSTILE))


def _write_case(workshop: Workshop, target: Path, name: str) -> None:
    """A submission of the tests, around a B' of this course."""
    materials = cases.Materials(workshop.badnet, workshop.secret_folder)
    repairs = beside_crossings(workshop)
    materials.repaired = repairs[workshop.choose(POINTS)].apply(workshop.badnet)
    cases.BUILDERS[name](target, materials)


KINDS = {
    "pruned": write_pruned,
    "foreign": write_foreign,
    "deviating": write_deviating,
    "broken": write_broken,
    "hostile": write_hostile,
}
"""How each kind of submission is written: into a folder that exists."""
