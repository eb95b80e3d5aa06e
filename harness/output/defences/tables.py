"""What the tables of the benchmark show: a line for each defence, as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.leaderboard.columns import ABSENT
from harness.records.text import one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.ranking.defence_board import Cell, DefenceBoard, DefenceRow, Estimate, Group

HEADINGS = (
    "rank", "defence", "quality %", "95 %", "clean acc %", "ASR %", "robust %", "DER", "letters",
    "failed",
)  # fmt: skip
SECONDS = "seconds"
"""Only for a terminal: it is another in every run."""

NAMED = 4
"""So many BadNets are named where something concerns several."""

_MEBIBYTE = 1 << 20


def overall_rows(board: DefenceBoard, *, times: bool) -> list[list[str]]:
    """Cells under `HEADINGS`, of `times` with the median of seconds behind them."""
    return [
        [*_overall(row), *([seconds(row.cost.wall_seconds if row.cost else None)] * times)]
        for row in board.rows
    ]


def _overall(row: DefenceRow) -> list[str]:
    estimates = row.overall.estimates
    quality = estimates["quality"]
    return [
        rank(row),
        one_line(row.defence),
        mean(quality),
        interval(quality),
        *(mean(estimates[name]) for name in ("clean_accuracy", "attack_success_rate")),
        mean(estimates["robust_accuracy"]),
        rating(estimates["effectiveness"]),
        row.letters or ABSENT,
        "" if row.is_baseline else share_failed(row.overall),
    ]


def attack_rows(board: DefenceBoard) -> list[list[str]]:
    """For each defence clean accuracy / ASR by attack, in percent."""
    return [
        [one_line(row.defence), *(pair(group) for group in row.by_attack.values())]
        for row in board.rows
    ]


def attack_headings(board: DefenceBoard) -> list[str]:
    """Of `attack_rows`."""
    return ["defence", *(one_line(attack) for attack in board.attacks)]


# --- cells --------------------------------------------------------------------------------------


def rank(row: DefenceRow) -> str:
    """Nothing for the baseline, a dash for what is not ranked."""
    if row.is_baseline:
        return ""
    return ABSENT if row.rank is None else str(row.rank)


def pair(group: Group) -> str:
    """Clean accuracy / ASR of a group, and how many of its cells failed."""
    if not group.cells:
        return ABSENT
    if group.failed == len(group.cells):
        return "failed"
    names = ("clean_accuracy", "attack_success_rate")
    both = " / ".join(mean(group.estimates[name]) for name in names)
    return f"{both} ({group.failed} failed)" if group.failed else both


def share_failed(group: Group) -> str:
    """How many cells failed, of how many; 0 alone for none."""
    return f"{group.failed} of {len(group.cells)}" if group.failed else "0"


def percent(value: float | None) -> str:
    """A fraction in percent, to a tenth."""
    return ABSENT if value is None else f"{100 * value:.1f}"


def mean(estimate: Estimate | None) -> str:
    """A mean in percent."""
    return ABSENT if estimate is None else percent(estimate.mean)


def interval(estimate: Estimate | None) -> str:
    """Its 95 % interval in percent."""
    if estimate is None:
        return ABSENT
    return f"{percent(estimate.low)}-{percent(estimate.high)}"


def rating(estimate: Estimate | None) -> str:
    """A DER, from 0 to 1."""
    return ABSENT if estimate is None else f"{estimate.mean:.3f}"


def seconds(value: float | None) -> str:
    """A time, to three digits or whole seconds."""
    if value is None:
        return ABSENT
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def mebibytes(value: int | None) -> str:
    """An amount of memory in MiB."""
    return ABSENT if value is None else f"{value / _MEBIBYTE:,.0f}"


# --- what failed --------------------------------------------------------------------------------


def failures(board: DefenceBoard) -> Iterator[tuple[str, str, str]]:
    """Of each distinct reason the defence, on which BadNets, and why; best defence first."""
    for row in board.rows:
        for networks, _, why in failures_of(row):
            yield one_line(row.defence), networks, why


def failures_of(row: DefenceRow) -> Iterator[tuple[str, int, str]]:
    """Of each distinct reason of a defence on which BadNets, how many these are, and why."""
    groups: dict[str, list[Cell]] = {}
    for cell in row.overall.cells:
        if cell.failed:
            groups.setdefault(failure(cell), []).append(cell)
    for why, cells in groups.items():
        names = [one_line(cell.network) for cell in cells]
        count, networks = len(names), listed(names)
        if 1 < count == len(row.overall.cells):
            networks = all_of(count)
        elif count > NAMED + 1:
            networks = f"{count} BadNets ({networks})"
        yield networks, count, why


def failure(cell: Cell) -> str:
    """How a cell ended, and why."""
    ended = cell.status.value.replace("_", " ")
    return f"{ended}: {shorten(cell.reason).strip()}" if cell.reason else ended


def listed(names: Sequence[str], most: int = NAMED) -> str:
    """``a, b and c``, or ``a, b and 5 others``."""
    if len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} others"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def all_of(networks: int) -> str:
    """``the only BadNet``, ``both BadNets``, ``all 3 BadNets``."""
    few = {1: "the only BadNet", 2: "both BadNets"}
    return few.get(networks, f"all {plural(networks, 'BadNet')}")


def plural(count: int, noun: str) -> str:
    """``1 BadNet``, ``3 BadNets``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
