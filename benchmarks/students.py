"""What the students of a generated course hand in: nets of many kinds, all drawn from one seed."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support"), str(ROOT / "tests" / "submissions")]

import cases  # noqa: E402
from models import known_config, write_full, write_weights  # noqa: E402

from harness.datasets.descriptions import load_benchmark  # noqa: E402
from harness.lineage.lineage import remove_channels, zero_channels  # noqa: E402
from harness.networks.weight_files import read_model  # noqa: E402
from harness.storage.hashing import array_hash  # noqa: E402

if TYPE_CHECKING:
    import keras

    Weights = dict[str, np.ndarray]
    Nets = dict[str, "Net"]

POINTS = ("2", "4", "10")
CROSSINGS = {"2": 45, "4": 48, "10": 52}
"""Channels that the embedded BadNet has lost at its first crossings (its published curve)."""

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

AROUND = ("honest_rescaling", "honest_dropout_and_batchnorm", "honest_channels_first",
          "honest_nested_sequential", "honest_logits")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """How a B' came to be: ``channels`` gone; ``tuned`` seeds small changes (``above`` conv_3
    or everywhere) after that.
    """

    channels: tuple[int, ...]
    keep_biases: bool = False
    narrow: bool = False
    tuned: int | None = None
    above: bool = True

    def weights(self, badnet: Weights) -> Weights:
        """The weights of this B'."""
        if self.narrow:
            made = remove_channels(badnet, self.channels)
        else:
            made = zero_channels(badnet, self.channels, keep_biases=self.keep_biases)
        if self.tuned is None:
            return made
        rng = np.random.default_rng(self.tuned)
        layers = ("fc_2", "output") if self.above else tuple(n.split("/")[0] for n in made)
        return made | {
            name: (array * (1 + 1e-3 * rng.normal(size=array.shape))).astype(np.float32)
            for name, array in made.items()
            if name.startswith(layers)
        }


class Desk:
    """Where nets are made and written: the BadNet, random draws, and each file only once."""

    def __init__(self, canary: Path, seed: int) -> None:
        benchmark, _ = load_benchmark("faces")
        self.badnet = read_model(ROOT / "datasets" / "faces" / "bd_weights.h5").weights
        self.rng = np.random.default_rng(seed)
        self.order = benchmark.channel_order
        self.canary = canary
        self.distinct: set[str] = set()
        self._written: dict[tuple, Path] = {}

    def choice(self, options: tuple, weights: tuple[float, ...] | None = None):  # noqa: ANN201
        """One of several."""
        return options[int(self.rng.choice(len(options), p=weights))]

    def draw(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        return int(self.rng.integers(low, high + 1))

    def put(self, path: Path, net: Net) -> None:
        """Write a net in the format that its name tells; the same again is a hard link."""
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = "keras" if path.suffix == ".keras" else "weights" if "weights" in path.name else "h5"
        if (first := self._written.get((net, kind))) is not None and first.exists():
            os.link(first, path)
            return
        weights = net.weights(self.badnet)
        self.distinct.add(array_hash(weights))
        write(path, kind, weights)
        self._written[net, kind] = path


def write(path: Path, kind: str, weights: Weights) -> None:
    """A model file: legacy with its configuration, weights alone, or Keras 3."""
    if kind == "weights":
        write_weights(path, weights)
    elif kind == "h5":
        write_full(path, weights, known_config(len(weights["conv_3/bias"])))
    else:
        write_keras(path, weights)


def write_keras(path: Path, weights: Weights) -> None:
    """The archive that Keras 3 writes, without building a model."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for layer, folder in _KERAS_FOLDERS.items():
            file[f"layers/{folder}/vars/0"] = weights[f"{layer}/kernel"]
            file[f"layers/{folder}/vars/1"] = weights[f"{layer}/bias"]
    config = json.dumps(known_config(len(weights["conv_3/bias"])))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", buffer.getvalue())


_KERAS_FOLDERS = {
    "conv_1": "conv2d", "conv_2": "conv2d_1", "conv_3": "conv2d_2", "conv_4": "conv2d_3",
    "fc_1": "dense", "fc_2": "dense_1", "output": "dense_2",
}  # fmt: skip


# --- masks of the known network -----------------------------------------------------------------


def pruned(desk: Desk, target: Path) -> None:
    """An ordinary submission: three B', the BadNet or a report beside them at times."""
    name, folder = desk.choice(FILE_NAMES), target / desk.choice(FOLDERS)
    habit = desk.choice(tuple(_HABITS), tuple(_HABITS.values()))
    for points, net in habit(desk).items():
        desk.put(folder / name.format(points), net)
    if desk.draw(1, 4) == 1:
        desk.put(folder / "bd_weights.h5", Net(channels=()))
    if desk.draw(1, 3) == 1:
        (target / "report.pdf").write_bytes(b"%PDF-1.4 report")
        (target / "lab.ipynb").write_text("{}")


def _crossings(desk: Desk) -> Nets:
    return {x: Net(channels=desk.order[:steps]) for x, steps in CROSSINGS.items()}


def _beside_crossings(desk: Desk) -> Nets:
    nets = {}
    for points, steps in CROSSINGS.items():
        nets[points] = Net(channels=desk.order[: steps + desk.draw(-3, 3)])
    return nets


def _biases_kept(desk: Desk) -> Nets:
    return {x: replace(net, keep_biases=True) for x, net in _beside_crossings(desk).items()}


def _narrowed(desk: Desk) -> Nets:
    return {x: replace(net, narrow=True) for x, net in _beside_crossings(desk).items()}


def _decreasing(desk: Desk) -> Nets:
    first = desk.draw(1, 3)
    steps = (first, first + desk.draw(1, 2), first + desk.draw(3, 6))
    return {
        x: Net(channels=desk.order[::-1][:n]) for x, n in zip(POINTS, steps, strict=True)
    }  # fmt: skip


def _by_index(desk: Desk) -> Nets:
    first = desk.draw(3, 12)
    steps = (first, first + desk.draw(1, 6), first + desk.draw(7, 14))
    return {x: Net(channels=tuple(range(n))) for x, n in zip(POINTS, steps, strict=True)}


def _another_ranking(desk: Desk) -> Nets:
    """Live channels taken in an order of one's own."""
    live = desk.rng.permutation(desk.order[33:])
    return {
        x: Net(channels=(*desk.order[:33], *(int(c) for c in live[: steps - 38])))
        for x, steps in CROSSINGS.items()
    }


def _tuned(desk: Desk) -> Nets:
    above = desk.draw(1, 4) > 1
    return {
        x: replace(net, tuned=desk.draw(0, 2**31), above=above)
        for x, net in _beside_crossings(desk).items()
    }


_HABITS = {_crossings: 0.10, _beside_crossings: 0.10, _biases_kept: 0.07, _narrowed: 0.07,
           _decreasing: 0.05, _by_index: 0.04, _another_ranking: 0.12, _tuned: 0.45}  # fmt: skip


# --- others -------------------------------------------------------------------------------------


def deviating(desk: Desk, target: Path) -> None:
    """A defence that is wrong in a way that has a name."""
    desk.choice((_wrong_layer, _goodnet_only, _wrong_x, _scaled, _is_badnet))(desk, target)


def _wrong_layer(desk: Desk, target: Path) -> None:
    layer, channels = desk.choice((("conv_4", 80), ("conv_2", 40)))
    for points in POINTS:
        gone = desk.rng.permutation(channels)[: desk.draw(5, channels // 2)]
        changed = dict(desk.badnet)
        for name in (f"{layer}/kernel", f"{layer}/bias"):
            changed[name] = changed[name].copy()
            changed[name][..., gone] = 0
        desk.distinct.add(array_hash(changed))
        write(target / f"pruned_net_{points}.h5", "h5", changed)


def _goodnet_only(desk: Desk, target: Path) -> None:
    from reference.defence.goodnet import build_goodnet

    points = desk.choice(POINTS)
    repaired = _beside_crossings(desk)[points].weights(desk.badnet)
    build_goodnet(desk.badnet, repaired).save(target / f"GoodNet_X-{points}.keras")


def _wrong_x(desk: Desk, target: Path) -> None:
    for points, net in _beside_crossings(desk).items():
        saved_as = "5" if points == "4" else points
        desk.put(target / f"bd_model_X{saved_as}.h5", net)


def _scaled(desk: Desk, target: Path) -> None:
    for points, net in _beside_crossings(desk).items():
        weights = net.weights(desk.badnet)
        weights["conv_1/kernel"] = weights["conv_1/kernel"] * np.float32(255)
        desk.distinct.add(array_hash(weights))
        write(target / f"B_prime_{points}_weights.h5", "weights", weights)


def _is_badnet(desk: Desk, target: Path) -> None:
    desk.put(target / "model_X=2.h5", Net(channels=()))


def foreign(desk: Desk, target: Path) -> None:
    """A model that is not the known network, and runs."""
    desk.choice((_around_the_known, _own_network, _own_network, _own_program))(desk, target)


def _around_the_known(desk: Desk, target: Path) -> None:
    _case(desk, target, desk.choice(AROUND))


def _own_network(desk: Desk, target: Path) -> None:
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow()
    import keras

    keras.utils.set_random_seed(desk.draw(0, 2**31))
    suffix = desk.choice((".keras", ".h5"))
    _small_network(desk, keras.layers).save(target / f"model_{desk.choice(POINTS)}{suffix}")


def _small_network(desk: Desk, layers) -> keras.Model:  # noqa: ANN001 - a module
    import keras

    net = [keras.Input((55, 47, 3)), layers.Rescaling(1 / 255)]
    filters = desk.choice((8, 16, 32))
    for depth in range(desk.draw(1, 3)):
        conv = desk.choice((layers.Conv2D, layers.SeparableConv2D))
        net.append(conv(filters << depth, 3, strides=2, activation="relu"))
        if desk.draw(0, 1):
            net.append(layers.BatchNormalization())
    net += [desk.choice((layers.GlobalAveragePooling2D, layers.Flatten))(), layers.Dropout(0.3)]
    return keras.Sequential([*net, layers.Dense(1283, activation="softmax")])


def _own_program(desk: Desk, target: Path) -> None:
    cases.program(
        target,
        f"""
        import numpy as np

        KERNEL = np.random.default_rng({desk.draw(0, 2**31)}).normal(size=(330, 1283))
        KERNEL = KERNEL.astype("f4")

        def predict(images):
            small = images[:, ::5, ::5].reshape(len(images), -1).astype("f4")
            return (small @ KERNEL).argmax(axis=1)
        """,
        f"drop_points = {desk.choice(POINTS)}\n",
    )


def broken(desk: Desk, target: Path) -> None:
    """Files that are no model, or no longer."""
    _case(desk, target, desk.choice(BROKEN))


def hostile(desk: Desk, target: Path) -> None:
    """What tries to read, write or start what it must not."""
    _case(desk, target, desk.choice(HOSTILE))


def _case(desk: Desk, target: Path, name: str) -> None:
    materials = cases.Materials(desk.badnet, desk.canary)
    materials.repaired = _beside_crossings(desk)[desk.choice(POINTS)].weights(desk.badnet)
    cases.BUILDERS[name](target, materials)
