"""The leak tax: what a defence seems to gain where the test backdoor chooses its setting.

Fair is a defence as it is, whose defaults clean data alone should have decided. Leaked is what
somebody gets who runs several settings and keeps, for each BadNet, the one that the images of test
make look best: a choice that no defender has, who never sees a backdoored image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.datasets.zoos import split_settings
from harness.ranking.defence_board import METRICS
from harness.ranking.defence_estimates import difference_of, group_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.ranking.defence_board import Cell, DefenceBoard, DefenceRow, Estimate, Group

DROP_POINTS = 10.0
"""So many percentage points of the BadNet's clean accuracy on test may a setting cost: the largest
X of the lab. Without such a limit the setting that ruins a network would be the best one."""

DEFAULT = "default"
"""What the setting of the fair row is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One setting of a defence on one BadNet."""

    setting: str
    """``threshold=0.3``, or `DEFAULT`."""

    cell: Cell

    is_allowed: bool
    """Whether it did not fail and does not cost too much clean accuracy on test."""

    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One setting of a defence on all BadNets."""

    setting: str
    row: DefenceRow

    chosen: int
    """On how many BadNets the test backdoor chooses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakRow:
    """A defence, fair and leaked, on the BadNets on which each of its settings was run."""

    defence: str
    fair: Group
    leaked: Group

    difference: Mapping[str, Estimate | None]
    """Leaked less fair, by `METRICS`."""

    settings: tuple[SettingRow, ...]
    """The default first, then by their values."""

    choices: tuple[tuple[Candidate, ...], ...]
    """The candidates of each BadNet, in the order of ``settings``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakTax:
    """The table: a row for each defence of a board with settings."""

    drop_points: float
    rows: tuple[LeakRow, ...]


def leak_tax(board: DefenceBoard, drop_points: float = DROP_POINTS) -> LeakTax:
    """Fair beside leaked, in the order of the board.

    Leaked is for each BadNet the setting with the lowest attack success rate on test among those
    whose clean accuracy on test is at most ``drop_points`` percentage points below the BadNet's.
    Of equal ones the default is taken, then the one with more clean images right; where none is
    allowed, the default.
    """
    rows = []
    for row in board.rows:
        varied = [each for each in board.settings if split_settings(each.defence)[0] == row.defence]
        own = [row, *sorted(varied, key=lambda each: _order(each.defence))]
        if varied and not row.is_baseline and (shared := _shared_networks(own)):
            rows.append(_leak_row(own, shared, drop_points))
    return LeakTax(drop_points=drop_points, rows=tuple(rows))


def _shared_networks(rows: Sequence[DefenceRow]) -> list[str]:
    """The BadNets on which all of them were run."""
    run = [{cell.network for cell in row.overall.cells} for row in rows]
    first = [cell.network for cell in rows[0].overall.cells]
    return [network for network in first if all(network in own for own in run)]


def _leak_row(rows: Sequence[DefenceRow], shared: Sequence[str], drop_points: float) -> LeakRow:
    cells = [{cell.network: cell for cell in row.overall.cells} for row in rows]
    names = [_setting(row.defence) for row in rows]
    choices = [_choose(names, [own[name] for own in cells], drop_points) for name in shared]

    fair = [candidates[0].cell for candidates in choices]
    leaked = [each.cell for candidates in choices for each in candidates if each.is_chosen]
    counts = [sum(candidates[i].is_chosen for candidates in choices) for i in range(len(rows))]
    return LeakRow(
        defence=rows[0].defence,
        fair=group_of(fair),
        leaked=group_of(leaked),
        difference={metric: difference_of(fair, leaked, metric) for metric in METRICS},
        settings=tuple(
            SettingRow(setting=name, row=row, chosen=count)
            for name, row, count in zip(names, rows, counts, strict=True)
        ),
        choices=tuple(choices),
    )


def _choose(
    names: Sequence[str], cells: Sequence[Cell], drop_points: float
) -> tuple[Candidate, ...]:
    """The candidates of a BadNet, the default first, one of them chosen."""
    allowed = [number for number, cell in enumerate(cells) if _is_allowed(cell, drop_points)]
    best = min(allowed, key=lambda number: (*_harm(cells[number], number), number), default=0)
    return tuple(
        Candidate(setting=name, cell=cell, is_allowed=i in allowed, is_chosen=i == best)
        for i, (name, cell) in enumerate(zip(names, cells, strict=True))
    )


def _harm(cell: Cell, number: int) -> tuple[float, bool, float]:
    """What the lowest of is chosen."""
    rate, accuracy = cell.figures.attack_success_rate, cell.figures.clean_accuracy
    return (1.0 if rate is None else rate), number > 0, -(accuracy or 0.0)


def _is_allowed(cell: Cell, drop_points: float) -> bool:
    """Whether a cell keeps enough clean accuracy; by counts, so that no rounding decides."""
    if cell.left is None or cell.badnet is None or cell.figures.attack_success_rate is None:
        return False
    before, after = cell.badnet.counts, cell.left.counts
    lost = before.clean_correct - after.clean_correct
    return after.clean_total > 0 and 100 * lost <= drop_points * after.clean_total


def _setting(defence: str) -> str:
    settings = split_settings(defence)[1]
    return ",".join(f"{name}={text}" for name, text in settings.items()) or DEFAULT


def _order(defence: str) -> list[tuple[str, bool, float, str]]:
    """Settings by their names, then by value: numbers come before texts."""
    return [(name, *_place(text)) for name, text in split_settings(defence)[1].items()]


def _place(text: str) -> tuple[bool, float, str]:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    return (False, number, text) if math.isfinite(number) else (True, 0.0, text)
