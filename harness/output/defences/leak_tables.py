"""The leak tax in words and cells: fair, leaked and their difference; every setting apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.output.defences.tables import (
    interval,
    mean,
    plural,
    rating,
    share_failed,
)
from harness.output.leaderboard.columns import ABSENT
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.output.defences.heat_map import Address
    from harness.ranking.defence_board import DefenceBoard, Estimate, Group
    from harness.ranking.leak_tax import LeakRow, LeakTax

SHOWN = ("quality", "clean_accuracy", "attack_success_rate", "effectiveness")
"""The metrics of the table."""

HEADINGS = ("defence", "tuned", "quality %", "clean acc %", "ASR %", "DER", "setting: BadNets")
SETTING_HEADINGS = (
    "defence", "setting", "quality %", "95 %", "clean acc %", "ASR %", "robust %", "DER", "failed",
    "chosen on",
)  # fmt: skip

OF_SETTINGS = "Every setting by itself, apart from the board; chosen: by the test backdoor:"


def subject(board: DefenceBoard) -> str:
    """What the table is of."""
    return f"The leak tax: {one_line(board.title)}"


def notes(tax: LeakTax) -> list[str]:
    """How the table is to be read."""
    fair = (
        "Fair: the default, which clean data alone should have decided. Leaked: on each BadNet the "
        "setting with the lowest ASR on test, of those that lose at most "
        f"{tax.drop_points:g} percentage points of clean accuracy there; of equal ones the "
        "default. Nobody who defends can choose so: it takes the very images that the defence is "
        "judged on."
    )
    difference = (
        "Difference: leaked less fair, with its 95 % interval: a bootstrap that draws BadNets anew "
        "within each attack, fair and leaked together, and the images of either by themselves, "
        "which makes it rather too wide. The choice stays as it was; where it is the default, "
        "nothing differs."
    )
    return [fair, difference]


def sentences(tax: LeakTax) -> Iterator[str]:
    """What the table says of each defence."""
    for row in tax.rows:
        name, changed = one_line(row.defence), row.difference["attack_success_rate"]
        others = sum(each.chosen for each in row.settings[1:])
        networks = plural(len(row.choices), "BadNet")
        if not others:
            yield f"{name}: the test backdoor chooses the default on each of {networks}."
            continue
        rates = [g.estimates["attack_success_rate"] for g in (row.fair, row.leaked)]
        moved = f"from {mean(rates[0])} % to {mean(rates[1])} %"
        by = "" if changed is None else f": {_signed(changed, 'attack_success_rate')} points"
        yield (
            f"{name}: the test backdoor chooses another setting on {others} of {networks}, which "
            f"takes ASR {moved}{by}."
        )


def leak_rows(tax: LeakTax) -> list[list[str]]:
    """Three lines for each defence, under `HEADINGS`."""
    return [line for row in tax.rows for line in lines_of(row)]


def lines_of(row: LeakRow) -> list[list[str]]:
    """A defence fair, leaked, and their difference."""
    networks = len(row.choices)
    name = one_line(row.defence)
    return [
        [name, "fair", *_figures(row.fair), f"{row.settings[0].setting}: {networks}"],
        [name, "leaked", *_figures(row.leaked), chosen_settings(row)],
        [name, "difference", *(_signed(row.difference[metric], metric) for metric in SHOWN), ""],
    ]


def chosen_settings(row: LeakRow) -> str:
    """On how many BadNets each setting was chosen."""
    return ", ".join(f"{one_line(e.setting)}: {e.chosen}" for e in row.settings if e.chosen)


def setting_rows(tax: LeakTax) -> list[list[str]]:
    """A line for each setting of each defence, under `SETTING_HEADINGS`."""
    lines = []
    for row in tax.rows:
        for each in row.settings:
            estimates = each.row.overall.estimates
            lines.append(
                [
                    one_line(row.defence),
                    one_line(each.setting),
                    mean(estimates["quality"]),
                    interval(estimates["quality"]),
                    *(mean(estimates[m]) for m in ("clean_accuracy", "attack_success_rate")),
                    mean(estimates["robust_accuracy"]),
                    rating(estimates["effectiveness"]),
                    share_failed(each.row.overall),
                    str(each.chosen),
                ]
            )
    return lines


def section(board: DefenceBoard, tax: LeakTax, address: Address) -> dict[str, Any]:
    """What the benchmark's page shows of it."""
    rows = [each.row for row in tax.rows for each in row.settings]
    return {
        "subject": subject(board),
        "sentences": list(sentences(tax)),
        "notes": notes(tax),
        "headings": HEADINGS,
        "groups": [lines_of(row) for row in tax.rows],
        "setting_headings": SETTING_HEADINGS,
        "settings": [
            (cells, address(row, 0)) for cells, row in zip(setting_rows(tax), rows, strict=True)
        ],
    }


def _figures(group: Group) -> list[str]:
    estimates = group.estimates
    return [*(mean(estimates[metric]) for metric in SHOWN[:-1]), rating(estimates[SHOWN[-1]])]


def _signed(estimate: Estimate | None, metric: str) -> str:
    """A difference with its interval: in percentage points, of DER as it is."""
    if estimate is None:
        return ABSENT
    scale, digits = (1, 3) if metric == "effectiveness" else (100, 1)
    # Adding 0 leaves no minus before a zero.
    middle, low, high = (
        f"{round(scale * value, digits) + 0.0:+.{digits}f}"
        for value in (estimate.mean, estimate.low, estimate.high)
    )
    return f"{middle} ({low} to {high})"
