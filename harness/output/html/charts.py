"""What the plots of a record and of a board show; pure, drawn by the leaderboard's plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.output.leaderboard import plots
from harness.output.leaderboard.shapes import Bar, Mark
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.lineage.pruning_curve import Curve
    from harness.records.record import Checkpoint, Record, ReferenceNet, SplitCounts

_CHANNELS_APART = 3
"""How far names on the curve must be apart to be read."""
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
    return plots.curve_chart(shown, list(marks(record)), one_line(title))


def marks(record: Record) -> Iterator[Mark]:
    """The checkpoints that have a place on a pruning curve: those of so many pruned channels.

    Of several that lie too close for their names, the first one bears them all.
    """
    placed = [
        (c.channels_pruned, c, found)
        for c in record.checkpoints
        if c.channels_pruned is not None and (found := rates(c.repaired, "valid")) is not None
    ]
    placed.sort(key=lambda place: place[0])
    names = _names([(step, checkpoint.drop_points) for step, checkpoint, _ in placed])
    for name, (step, checkpoint, (accuracy, attack)) in zip(names, placed, strict=True):
        yield Mark(
            label=name,
            step=step,
            accuracy=accuracy,
            attack=attack,
            neighbours=tuple(_neighbours(checkpoint, step)),
        )


def _names(places: Sequence[tuple[int, float | None]]) -> list[str]:
    names: list[str] = []
    first = 0
    for index, (step, drop_points) in enumerate(places):
        if names and step - places[first][0] < _CHANNELS_APART:
            names[first] += checkpoint_name(drop_points).replace("X = ", ", ")
            names.append("")
        else:
            first = index
            names.append(checkpoint_name(drop_points))
    return names


def _neighbours(checkpoint: Checkpoint, step: int) -> Iterator[tuple[int, float]]:
    total = checkpoint.repaired.valid.clean_total if checkpoint.repaired else 0
    for change, found in (
        (-1, checkpoint.steps.before if checkpoint.steps else None),
        (1, checkpoint.steps.after if checkpoint.steps else None),
    ):
        if found is not None and total:
            yield step + change, found.clean_correct / total


def bars_figure(record: Record, split: str, title: str = "") -> Any:
    """B' and G of every checkpoint, with the reference's figures across the bars."""
    return plots.bar_chart(list(bar_groups(record, split)), SPLIT_NAMES[split], one_line(title))


def bar_groups(record: Record, split: str) -> Iterator[tuple[str, list[Bar]]]:
    """One group of bars for each checkpoint that was measured on ``split``."""
    references = {net.drop_points: net for net in record.reference}
    for checkpoint in record.checkpoints:
        reference = references.get(checkpoint.drop_points or 0.0)
        bars = [
            Bar(net=name, attack=attack, fraction=own[attack],
                      reference=theirs[attack] if theirs else None)
            for name, pick in (("B'", _repaired), ("G", _goodnet))
            if (own := rates(pick(checkpoint), split)) is not None
            for theirs in [rates(pick(reference), split) if reference else None]
            for attack in (False, True)
        ]  # fmt: skip
        if bars:
            yield checkpoint_name(checkpoint.drop_points), bars


def _repaired(nets: Checkpoint | ReferenceNet) -> SplitCounts | None:
    return nets.repaired


def _goodnet(nets: Checkpoint | ReferenceNet) -> SplitCounts | None:
    return nets.goodnet


# --- all of them ------------------------------------------------------------------------------


def scatter_figure(
    records: Sequence[Record], url: Callable[[Record], str] | None = None, title: str = ""
) -> Any:
    """Every B' and G of all records, with the reference's and the BadNet."""
    split = shown_split(records)
    points = [
        point
        for record in records
        for checkpoint in record.checkpoints
        for point in _points(checkpoint, split, url(record) if url else None)
    ]
    nets = next((record.reference for record in records if record.reference), ())
    reference = [point for net in nets for point in _points(net, split)]
    badnet = next((found for r in records if (found := rates(r.badnet, split))), None)
    lone = (
        plots.Point(net="B", drop_points=None, accuracy=badnet[0], attack=badnet[1])
        if badnet
        else None
    )
    return plots.scatter_chart(points, reference, lone, SPLIT_NAMES[split], one_line(title))


def _points(
    nets: Checkpoint | ReferenceNet, split: str, url: str | None = None
) -> Iterator[plots.Point]:
    for name, counts in (("B'", nets.repaired), ("G", nets.goodnet)):
        found = rates(counts, split)
        if found is not None:
            yield plots.Point(net=name, drop_points=nets.drop_points, accuracy=found[0],
                              attack=found[1], url=url)  # fmt: skip
