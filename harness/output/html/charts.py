"""What the plots show: marks, bars and points, taken from records."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.output.leaderboard import plots
from harness.output.leaderboard.shapes import Bar, Mark, curve_window
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.lineage.pruning_curve import Curve
    from harness.records.record import Checkpoint, Record, ReferenceNet, SplitCounts

_NAMES_ON_CURVE = 26
"""So many names of checkpoints have room beside each other on the axis."""

SPLIT_NAMES = {"test": "test", "valid": "validation"}


def shown_split(records: Sequence[Record]) -> str:
    """``test`` where anything of it may be shown, else ``valid``."""
    has_test = any(record.badnet is not None and record.badnet.test for record in records)
    return "test" if has_test else "valid"


def rates(net: SplitCounts | None, split: str) -> tuple[float, float] | None:
    """Clean accuracy and ASR of a net on a split; None where either is not known."""
    counts = getattr(net, split) if net else None
    if counts is None:
        return None
    accuracy, attack = clean_accuracy(counts), attack_success_rate(counts)
    return None if accuracy is None or attack is None else (accuracy, attack)


# --- one submission ---------------------------------------------------------------------------


def curve_figure(record: Record, curve: Curve | None, title: str = "") -> Any:
    """The checkpoints of a record on the reference's curve."""
    shown = curve if record.reference else None
    return plots.curve_chart(shown, list(marks(record)), one_line(title), nothing_on_curve(record))


def nothing_on_curve(record: Record) -> str:
    """Why no checkpoint of a record has a place on the pruning curve."""
    if not any(checkpoint.repaired for checkpoint in record.checkpoints):
        return "No checkpoint: no repaired net could be graded."
    return "No checkpoint: none of the nets is this BadNet with nothing but channels pruned."


def marks(record: Record) -> Iterator[Mark]:
    """The checkpoints on a pruning curve: those whose number of pruned channels is known.

    Where several lie too close together for their names, the first one bears all of them.
    """
    marked = [mark for checkpoint in record.checkpoints for mark in _mark(checkpoint)]
    marked.sort(key=lambda mark: mark.step)
    low, high = curve_window(marked, sys.maxsize)
    apart = max(1, -(-(high - low) // _NAMES_ON_CURVE)) if marked else 1

    group: list[Mark] = []
    for mark in marked:
        if group and mark.step - group[0].step >= apart:
            yield from _share_label(group)
            group = []
        group.append(mark)
    yield from _share_label(group)


def _mark(checkpoint: Checkpoint) -> Iterator[Mark]:
    """The mark of a checkpoint, if it has one."""
    net_rates = rates(checkpoint.repaired, "valid")
    step = checkpoint.channels_pruned
    if step is not None and net_rates is not None:
        yield Mark(
            label=checkpoint_name(checkpoint.drop_points),
            step=step,
            accuracy=net_rates[0],
            attack=net_rates[1],
            neighbours=tuple(_neighbours(checkpoint, step)),
        )


def _share_label(marks: Sequence[Mark]) -> Iterator[Mark]:
    """Marks that lie close together, with all their names at the first one."""
    for index, mark in enumerate(marks):
        others = [other.label.replace("X = ", ", ") for other in marks[1:]]
        label = "".join([mark.label, *others]) if index == 0 else ""
        yield replace(mark, label=label)


def _neighbours(checkpoint: Checkpoint, step: int) -> Iterator[tuple[int, float]]:
    total = checkpoint.repaired.valid.clean_total if checkpoint.repaired else 0
    steps = checkpoint.steps
    if steps is None or not total:
        return
    if steps.before is not None:
        yield step - 1, steps.before.clean_correct / total
    if steps.after is not None:
        yield step + 1, steps.after.clean_correct / total


def bars_figure(record: Record, split: str, title: str = "") -> Any:
    """B' and G of every checkpoint, with the reference's figures across the bars."""
    return plots.bar_chart(list(bar_groups(record, split)), SPLIT_NAMES[split], one_line(title))


def bar_groups(record: Record, split: str) -> Iterator[tuple[str, list[Bar]]]:
    """One group of bars for each checkpoint that was measured on ``split``."""
    references = {net.drop_points: net for net in record.reference}
    for checkpoint in record.checkpoints:
        reference = references.get(checkpoint.drop_points or 0.0)
        bars = [
            *_bars("B'", checkpoint.repaired, reference.repaired if reference else None, split),
            *_bars("G", checkpoint.goodnet, reference.goodnet if reference else None, split),
        ]
        if bars:
            yield checkpoint_name(checkpoint.drop_points), bars


def _bars(
    name: str, net: SplitCounts | None, reference: SplitCounts | None, split: str
) -> Iterator[Bar]:
    """Clean accuracy and ASR of a net; nothing where they are not known."""
    net_rates, reference_rates = rates(net, split), rates(reference, split)
    if net_rates is None:
        return
    accuracy, attack = reference_rates or (None, None)
    yield Bar(net=name, attack=False, fraction=net_rates[0], reference=accuracy)
    yield Bar(net=name, attack=True, fraction=net_rates[1], reference=attack)


# --- all of them ------------------------------------------------------------------------------


def scatter_figure(
    records: Sequence[Record], url: Callable[[Record], str] | None = None, title: str = ""
) -> Any:
    """Every B' and G of all records, with the reference's and the BadNet."""
    split = shown_split(records)
    points: list[plots.Point] = []
    reference: list[plots.Point] = []
    badnet: plots.Point | None = None
    for record in records:
        address = url(record) if url else None
        name = one_line(record.submission)
        for checkpoint in record.checkpoints:
            points += _points(checkpoint, split, name, address)

        # All records have the same reference and BadNet, but not all of them hold their figures.
        if not reference:
            for net in record.reference:
                reference += _points(net, split)
        badnet = badnet or _point("B", None, rates(record.badnet, split))

    return plots.scatter_chart(points, reference, badnet, SPLIT_NAMES[split], one_line(title))


def _points(
    nets: Checkpoint | ReferenceNet, split: str, name: str = "", url: str | None = None
) -> Iterator[plots.Point]:
    for net, counts in (("B'", nets.repaired), ("G", nets.goodnet)):
        point = _point(net, nets.drop_points, rates(counts, split))
        if point is not None:
            yield replace(point, name=name, url=url)


def _point(
    net: str, drop_points: float | None, net_rates: tuple[float, float] | None
) -> plots.Point | None:
    if net_rates is None:
        return None
    accuracy, attack = net_rates
    return plots.Point(net=net, drop_points=drop_points, accuracy=accuracy, attack=attack)
