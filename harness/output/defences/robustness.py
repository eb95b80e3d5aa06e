"""How far the repairs of one defence hold: the counts of all its BadNets together, pure."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from harness.datasets.zoos import cell_name
from harness.output.html import plots
from harness.output.robustness import csv_text, panels, table_of, worst_lines, worst_of_all
from harness.records.findings import ReactivationPoint, Robustness, RobustnessPoint
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.ranking.defence_board import DefenceBoard, DefenceRow


def csv_of(board: DefenceBoard) -> str | None:
    """A line for each point of each cell; None where there are no points."""
    return csv_text(_by_cell(board))


def has_points(board: DefenceBoard) -> bool:
    """Whether there is such a file."""
    return any(found and (found.points or found.reactivation) for _, found in _by_cell(board))


def _by_cell(board: DefenceBoard) -> Iterator[tuple[str, Robustness | None]]:
    for row in (*board.rows, *board.settings):
        for cell in row.overall.cells:
            yield cell_name(row.defence, cell.network), cell.robustness


def worst_of(board: DefenceBoard) -> Iterator[str]:
    """A line for each defence: where it lets most attacks through."""
    for row in (*board.rows, *board.settings):
        found = pooled(row)
        if found is not None:
            told = worst_of_all(found, "its page")
            yield one_line(f"{row.defence}: worst ASR on changed triggers: {told}")


def section(row: DefenceRow) -> dict[str, Any] | None:
    """What a defence's page shows; None where nothing was measured."""
    found = pooled(row)
    if found is None:
        return None
    shown = panels(found)
    measured = [cell.network for cell in row.overall.cells if cell.robustness is not None]
    return {
        "networks": ", ".join(map(one_line, measured)),
        # These pages need Jinja alone; only this plot is drawn by Matplotlib.
        "plot": plots.robustness(shown) if shown and find_spec("matplotlib") else None,
        "worst": list(worst_lines(found)),
        "tables": [(panel.title, *table_of(panel)) for panel in shown],
    }


def pooled(row: DefenceRow) -> Robustness | None:
    """The points of all BadNets, their images added up; those of the net that is judged, and of B.

    What cannot answer N + 1 is judged by itself, not composed with its BadNet.
    """
    cells = [(cell, cell.robustness) for cell in row.overall.cells if cell.robustness is not None]
    if not cells:
        return None
    judged = {"badnet", "repaired" if cells[0][0].kind == "network" else "goodnet"}
    points = [point for _, found in cells for point in found.points if point.net in judged]
    steps = [step for _, found in cells for step in found.reactivation]
    missing = [f"{cell.network}: {why}" for cell, found in cells for why in found.unmeasured]
    return Robustness(
        points=tuple(_add_points(points)),
        reactivation=tuple(_add_steps(steps)),
        unmeasured=tuple(map(one_line, missing)),
    )


def _add_points(points: Sequence[RobustnessPoint]) -> Iterator[RobustnessPoint]:
    groups: dict[tuple[object, ...], list[RobustnessPoint]] = {}
    for point in points:
        key = point.kind, point.level, point.unit, point.own, point.net
        groups.setdefault(key, []).append(point)
    for group in groups.values():
        first = group[0]
        yield RobustnessPoint(
            kind=first.kind,
            level=first.level,
            unit=first.unit,
            own=first.own,
            net=first.net,
            drop_points=None,
            images="",
            predictions=None,
            total=sum(point.total for point in group),
            attacked=sum(point.attacked for point in group),
            abstained=sum(point.abstained for point in group),
            invalid=sum(point.invalid for point in group),
        )


def _add_steps(steps: Sequence[ReactivationPoint]) -> Iterator[ReactivationPoint]:
    groups: dict[int, list[ReactivationPoint]] = {}
    for step in steps:
        groups.setdefault(step.step, []).append(step)
    for number, group in sorted(groups.items()):
        yield ReactivationPoint(
            drop_points=None,
            step=number,
            images="",
            clean_images="",
            predictions="",
            total=sum(step.total for step in group),
            attacked=sum(step.attacked for step in group),
            clean_total=sum(step.clean_total for step in group),
            clean_correct=sum(step.clean_correct for step in group),
        )
