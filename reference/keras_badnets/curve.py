"""The pruning curve of a Keras model, by plain Keras: nothing of the harness's own arithmetic.

Pruning channel c of a convolution zeroes its kernel and bias, and under BatchNormalization gamma
and beta as well, so that the channel is 0 up to the end of the *chain* (convolution,
normalization, activation, pooling). There the channels are ranked, by their mean absolute
activation on clean validation images, and there they are set to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.lineage.thresholds import first_crossing, images_needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import keras

    from reference.keras_badnets.backdoors import Examples

_CHAIN = ("BatchNormalization", "Activation", "ReLU", "LeakyReLU", "MaxPooling2D",
          "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D")  # fmt: skip
_BATCH = 512


@dataclass(frozen=True, kw_only=True)
class KerasCurve:
    """What each number of pruned channels does to a BadNet."""

    order: np.ndarray
    """Channels by increasing mean activation, as they are pruned."""

    means: np.ndarray
    """Mean absolute activations in that order (float64)."""

    totals: Mapping[str, int]
    """Images of each set."""

    hits: Mapping[str, tuple[int, ...]]
    """By set: images that got their label with 0, 1, ... channels pruned."""

    @property
    def dormant_channels(self) -> int:
        """How many channels are exactly zero on all clean validation images."""
        return int((self.means == 0).sum())

    def first_crossing(self, drop_points: float) -> int | None:
        """The first step at which clean validation accuracy has dropped by so many points."""
        return first_crossing(self.hits["valid"], self.totals["valid"], drop_points)

    def margins(self, drop_points: float) -> tuple[int, int] | None:
        """By how many images the crossing is beyond X, and the step before it short of X."""
        step = self.first_crossing(drop_points)
        if step is None:
            return None
        needed = images_needed(drop_points, self.totals["valid"])
        lost = [self.hits["valid"][0] - hits for hits in self.hits["valid"]]
        return lost[step] - needed, needed - lost[step - 1]


def measure_curve(
    network: keras.Model,
    pruned_layer: str,
    sets: Mapping[str, Examples],
    progress: Callable[[int, int], None] | None = None,
) -> KerasCurve:
    """Prune channel after channel and count on every image of ``sets``, among them ``valid``."""
    from keras import Model

    chain_end = end_of_chain(network.get_layer(pruned_layer))
    head, tail = Model(network.input, chain_end.output), Model(chain_end.output, network.output)
    maps = np.concatenate([answers(head, each.images) for each in sets.values()])
    labels = np.concatenate([each.labels for each in sets.values()])
    ends = np.cumsum([len(each.labels) for each in sets.values()])
    parts = dict(zip(sets, np.split(np.arange(len(labels)), ends[:-1]), strict=True))

    axes = tuple(range(maps.ndim - 1))
    means = np.abs(maps[parts["valid"]]).mean(axis=axes, dtype=np.float64)
    order = np.argsort(means, kind="stable")

    hit = []
    for step in range(len(order) + 1):
        maps[..., order[:step]] = 0
        hit.append(answers(tail, maps).argmax(axis=1) == labels)
        if progress:
            progress(step + 1, len(order) + 1)
    return KerasCurve(
        order=order,
        means=means[order],
        totals={name: len(part) for name, part in parts.items()},
        hits={name: tuple(int(each[part].sum()) for each in hit) for name, part in parts.items()},
    )


def answers(network: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """What a network gives for N inputs.

    It is called batch by batch, since ``predict`` warns of each new network that it has to trace.
    """
    starts = range(0, len(inputs), _BATCH)
    batches = [network(inputs[start : start + _BATCH], training=False) for start in starts]
    return np.concatenate([np.asarray(batch) for batch in batches])


def end_of_chain(layer: Any) -> Any:
    """The last layer in which the convolution's channels are still by themselves.

    Layers in which 0 stays 0 follow one another: normalization, activation, pooling.
    """
    following = next_layer(layer)
    while type(following).__name__ in _CHAIN:
        layer, following = following, next_layer(following)
    return layer


def next_layer(layer: Any) -> Any:
    """The layer that takes this one's output; None where none or several do."""
    nodes = layer._outbound_nodes  # noqa: SLF001 - Keras has no public way forward
    return nodes[0].operation if len(nodes) == 1 else None


CHECKPOINTS = (2.0, 4.0, 10.0)
"""What the benchmarks ask for, in percentage points."""


def curve_table(curve: KerasCurve) -> str:
    """Counts and percentages of every set at the checkpoints, as text."""
    from tabulate import tabulate

    rows = []
    for drop in (0.0, *CHECKPOINTS, 30.0):
        step = curve.first_crossing(drop) if drop else 0
        if step is None:
            continue
        rates = [_rate(hits[step], curve.totals[name]) for name, hits in curve.hits.items()]
        rows.append((f"{drop:g}" if drop else "B", step, *rates))
    names = [name.replace(" ", "\n") for name in curve.hits]
    table: str = tabulate(rows, ["X", "channels\npruned", *names], disable_numparse=True)
    return table


def margin_lines(curve: KerasCurve) -> Iterator[str]:
    """How far the checkpoints are from their X in images, as one line each."""
    yield (
        f"{len(curve.order)} channels, of them {curve.dormant_channels} dormant; increasing: "
        + " ".join(str(channel) for channel in curve.order)
    )
    for drop in CHECKPOINTS:
        margins = curve.margins(drop)
        if margins is not None:
            needed = images_needed(drop, curve.totals["valid"])
            yield (
                f"X = {drop:g}: {needed} images; the checkpoint has lost {margins[0]} more, "
                f"the step before {margins[1]} fewer"
            )


def curve_chart(curve: KerasCurve) -> Any:
    """Clean accuracy and ASR of all backdoors against the channels pruned, checkpoints marked."""
    from harness.lineage.pruning_curve import Curve
    from harness.output.leaderboard import plots
    from harness.output.leaderboard.shapes import Mark

    attacked = [name for name in curve.hits if name.endswith(" valid")]
    hits = [sum(step) for step in zip(*(curve.hits[name] for name in attacked), strict=True)]
    total = sum(curve.totals[name] for name in attacked)
    marks = []
    for drop in CHECKPOINTS:
        step = curve.first_crossing(drop)
        if step is not None:
            accuracy = curve.hits["valid"][step] / curve.totals["valid"]
            attack = hits[step] / total
            marks.append(Mark(label=f"X = {drop:g}", step=step, accuracy=accuracy, attack=attack))

    drawn = Curve(
        order=tuple(int(channel) for channel in curve.order),
        clean_total=curve.totals["valid"],
        clean_correct=curve.hits["valid"],
        backdoored_total=total,
        backdoored_attacked=tuple(hits),
    )
    return plots.curve_chart(drawn, marks, whole=True)


def _rate(hits: int, total: int) -> str:
    return f"{100 * hits / total:.2f} ({hits:,})"
