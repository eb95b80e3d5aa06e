"""Heat maps of the pages, in the units of their SVG: defences by attacks, the darker, the worse."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from re import findall
from typing import TYPE_CHECKING

from harness.output.defences.plot_labels import (
    LETTER_WIDTH,
    LONGEST_LABEL,
    Label,
    shortened,
    told_figure,
)
from harness.output.defences.tables import listed, mean, plural
from harness.output.leaderboard.columns import ABSENT
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.ranking.defence_board import DefenceBoard, DefenceRow, Group

    # Of a defence's page, and there of an attack by its number from 1.
    Address = Callable[[DefenceRow, int], str]

_CIVIDIS = (
    (0, 34, 78), (18, 53, 112), (59, 73, 108), (87, 93, 109), (112, 113, 115),
    (138, 134, 120), (165, 156, 116), (195, 179, 105), (225, 204, 85), (254, 232, 56),
)  # fmt: skip
"""Nunez, Anderton and Renslow, PLoS ONE 13, 2018: alike for nearly all kinds of colour vision."""

_DARK_INK, _LIGHT_INK = (0, 0, 0), (255, 255, 255)
"""No grey: on any ground one of them has a contrast of 4.5."""

_NOTHING, _FAILED = "none", "url(#failed-{})"

_CELL_HEIGHT, _GAP, _HEAD = 40, 2, 36
_LONGEST_TITLE, _LONGEST_LINE = 14, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """One defence on the BadNets of one attack."""

    x: float
    y: float
    fill: str
    ink: str
    text: str

    note: str
    """How many failed."""

    title: str
    href: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Defences by attacks, coloured by one metric."""

    name: str
    caption: str
    description: str
    width: float
    height: float
    cell_width: float
    cell_height: float
    labels: tuple[Label, ...]
    titles: tuple[Label, ...]
    cells: tuple[HeatCell, ...]

    steps: tuple[tuple[str, str, str], ...]
    """Of the scale: fill, ink and what it stands for."""


def heat_map(board: DefenceBoard, metric: str, caption: str, address: Address) -> HeatMap:
    """The means of ``metric`` by attack; the darker, the worse."""
    names = [shortened(row.defence, LONGEST_LABEL) for row in board.rows]
    heads = [_two_lines(one_line(attack)) for attack in board.attacks]
    left = 12 + LETTER_WIDTH * max(map(len, names), default=0)
    longest = max((len(line) for lines in heads for line in lines), default=0)
    width = max(60.0, 8 + LETTER_WIDTH * longest)

    def x(column: int) -> float:
        return round(left + column * (width + _GAP), 1)

    def y(line: int) -> float:
        return float(_HEAD + line * (_CELL_HEIGHT + _GAP))

    return HeatMap(
        name=metric.replace("_", "-"),
        caption=caption,
        description=f"{caption}; all figures stand in the table by attack.",
        width=x(len(heads)),
        height=y(len(names)),
        cell_width=width,
        cell_height=_CELL_HEIGHT,
        labels=tuple(
            Label(x=left - 8, y=y(line) + _CELL_HEIGHT / 2, text=text, title=one_line(row.defence),
                  href=None if row.is_baseline else address(row, 0))
            for line, (text, row) in enumerate(zip(names, board.rows, strict=True))
        ),
        titles=tuple(
            Label(x=x(column) + width / 2, y=_HEAD - 8, text=text, title=one_line(attack),
                  first_line=above)
            for column, ((above, text), attack) in enumerate(zip(heads, board.attacks, strict=True))
        ),
        cells=tuple(
            _heat_cell(row, attack, metric, (x(column), y(line)), address(row, column + 1))
            for line, row in enumerate(board.rows)
            for column, attack in enumerate(board.attacks)
        ),
        steps=tuple(_steps(metric)),
    )  # fmt: skip


def _two_lines(name: str) -> tuple[str, str]:
    """A long name broken behind the separator next to its middle; else nothing above it."""
    parts = findall(r"[^\s_\-.]*[\s_\-.]*", name) if len(name) > _LONGEST_LINE else []
    ends = [len("".join(parts[:count])) for count in range(1, len(parts))]
    breaks = [end for end in ends if 0 < end < len(name)]
    if not breaks:
        return "", shortened(name, _LONGEST_TITLE)
    middle = min(breaks, key=lambda end: abs(2 * end - len(name)))
    first, second = name[:middle].rstrip(), name[middle:]
    return shortened(first, _LONGEST_TITLE), shortened(second, _LONGEST_TITLE)


def _heat_cell(
    row: DefenceRow, attack: str, metric: str, place: tuple[float, float], href: str
) -> HeatCell:
    group = row.by_attack[attack]
    estimate = group.estimates[metric]
    failed = len(group.cells) > 0 and group.failed == len(group.cells)
    if failed or estimate is None:
        fill = _FAILED.format(metric.replace("_", "-")) if failed else _NOTHING
        ink, text = "", "failed" if failed else ABSENT
    else:
        fill, ink = _colours(_badness(estimate.mean, metric))
        text = mean(estimate)
    partly = group.failed and not failed
    return HeatCell(
        x=place[0],
        y=place[1],
        fill=fill,
        ink=ink,
        text=text,
        note=f"{group.failed} failed" if partly else "",
        title=f"{one_line(row.defence)} on {one_line(attack)}: {told(group, metric)}",
        href=None if row.is_baseline else href,
    )


def told(group: Group, metric: str) -> str:
    """A mean with its interval, spread, seeds and failures, in words."""
    if not group.cells:
        return "not run yet"
    estimate = group.estimates[metric]
    seeds = listed([str(cell.seed) for cell in group.cells], 9)
    parts = [f"{told_figure(estimate)}, seed{'' if len(group.cells) == 1 else 's'} {seeds}"]
    if group.failed:
        parts.append(f"{group.failed} of {plural(len(group.cells), 'BadNet')} failed")
    return "; ".join(parts)


def _badness(value: float, metric: str) -> float:
    return value if metric == "attack_success_rate" else 1.0 - value


def _steps(metric: str) -> Iterator[tuple[str, str, str]]:
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield *_colours(_badness(value, metric)), f"{100 * value:.0f} %"


def _colours(badness: float) -> tuple[str, str]:
    """The fill of a cell, the darker the worse, and the class of ink that is read best on it."""
    place = min(1.0, max(0.0, 1.0 - badness)) * (len(_CIVIDIS) - 1)
    below = min(floor(place), len(_CIVIDIS) - 2)
    low, high = _CIVIDIS[below], _CIVIDIS[below + 1]
    colour = tuple(round(a + (b - a) * (place - below)) for a, b in zip(low, high, strict=True))
    dark = _contrast(colour, _DARK_INK) >= _contrast(colour, _LIGHT_INK)
    return "#{:02x}{:02x}{:02x}".format(*colour), "dark" if dark else "light"


def _contrast(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """The ratio of WCAG 2.2."""
    low, high = sorted(map(_luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: tuple[int, ...]) -> float:
    shares = [part / 255 for part in colour]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
