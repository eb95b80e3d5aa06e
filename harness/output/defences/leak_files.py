"""The leak tax as text, Markdown, LaTeX, CSV and JSON; counts alone decide every byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.output.defences import leak_tables as tables
from harness.output.defences.data import (
    cell_object,
    cell_titles,
    cell_values,
    csv,
    estimate_objects,
    group_object,
    parts,
    titles,
)
from harness.output.exports.latex import LAYOUT, PACKAGES, booktabs
from harness.output.leaderboard.markdown import escape
from harness.ranking.defence_board import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.ranking.defence_board import DefenceBoard
    from harness.ranking.leak_tax import Candidate, LeakRow, LeakTax

    Renderer = Callable[[DefenceBoard, LeakTax], str]

_NUMBERS = "llrrrrl"
"""The kinds of the table's columns in LaTeX."""


def plain(board: DefenceBoard, tax: LeakTax) -> str:
    """Tables for a terminal."""
    from tabulate import tabulate

    def table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> str:
        return tabulate(rows, headings, "simple", disable_numparse=True)

    sections = [
        tables.subject(board),
        table(tables.leak_rows(tax), tables.HEADINGS),
        f"{tables.OF_SETTINGS}\n\n{table(tables.setting_rows(tax), tables.SETTING_HEADINGS)}",
        "\n".join([*tables.sentences(tax), *tables.notes(tax)]),
    ]
    return "\n\n".join(sections) + "\n"


def markdown(board: DefenceBoard, tax: LeakTax) -> str:
    """GitHub-flavoured Markdown; names cannot break out of their cell."""
    from tabulate import tabulate

    def table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> str:
        cells = [[escape(cell) for cell in row] for row in rows]
        return tabulate(cells, headings, "github", disable_numparse=True)

    sections = [f"# {escape(tables.subject(board))}", *map(escape, tables.sentences(tax))]
    sections.append(table(tables.leak_rows(tax), tables.HEADINGS))
    sections.append(tables.OF_SETTINGS)
    sections.append(table(tables.setting_rows(tax), tables.SETTING_HEADINGS))
    sections += map(escape, tables.notes(tax))
    return "\n\n".join(sections) + "\n"


def latex(board: DefenceBoard, tax: LeakTax) -> str:
    """A ``tabular`` of three lines for each defence."""
    said = [tables.subject(board), *tables.sentences(tax), *tables.notes(tax)]
    comments = [f"% {line}" for line in said]
    rendered = booktabs(_NUMBERS, tables.HEADINGS, tables.leak_rows(tax))
    return "\n".join([*comments, PACKAGES, *LAYOUT, rendered, r"\endgroup", ""])


def leak_csv(_: DefenceBoard, tax: LeakTax) -> str:
    """CSV with a line for each defence."""
    names = ("fair", "leaked", "difference")
    headings = ["defence", "badnets", "drop_points", "chosen"]
    headings += [f"{name}_{title}" for name in names for title in titles()]
    lines = []
    for row in tax.rows:
        three = (row.fair.estimates, row.leaked.estimates, row.difference)
        figures = [value for own in three for metric in METRICS for value in parts(own[metric])]
        chosen = tables.chosen_settings(row)
        lines.append([row.defence, len(row.choices), tax.drop_points, chosen, *figures])
    return csv(headings, lines)


def cells_csv(_: DefenceBoard, tax: LeakTax) -> str:
    """CSV with a line for each defence, BadNet and setting: what was counted, what was chosen."""
    headings = ["defence", "setting", "allowed", "chosen", *cell_titles()]
    lines = [
        [row.defence, each.setting, each.is_allowed, each.is_chosen, *cell_values(each.cell)]
        for row, each in _candidates(tax)
    ]
    return csv(headings, lines)


def json(board: DefenceBoard, tax: LeakTax) -> str:
    """Indented JSON of all of it."""
    import msgspec

    content = {
        "leak_tax_of": board.zoo,
        "title": board.title,
        "drop_points": tax.drop_points,
        "answer": list(tables.sentences(tax)),
        "notes": tables.notes(tax),
        "rows": [_row(row) for row in tax.rows],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


FILES: dict[str, tuple[Renderer, str]] = {
    "leak.csv": (leak_csv, "a line for each defence"),
    "leak_cells.csv": (cells_csv, "a line for each defence, BadNet and setting, with its counts"),
    "leak.json": (json, "all of it"),
    "leak.tex": (latex, "the table for a paper"),
    "leak.md": (markdown, "the tables in Markdown"),
}
"""How each file is made, and what it holds."""


def _candidates(tax: LeakTax) -> Iterator[tuple[LeakRow, Candidate]]:
    for row in tax.rows:
        for candidates in row.choices:
            for each in candidates:
                yield row, each


def _row(row: LeakRow) -> dict[str, Any]:
    return {
        "defence": row.defence,
        "badnets": len(row.choices),
        "fair": group_object(row.fair),
        "leaked": group_object(row.leaked),
        "difference": estimate_objects(row.difference),
        "settings": [
            {"setting": each.setting, "chosen": each.chosen, **group_object(each.row.overall)}
            for each in row.settings
        ],
        "choices": [
            {
                "setting": each.setting,
                "allowed": each.is_allowed,
                "chosen": each.is_chosen,
                **cell_object(each.cell),
            }
            for candidates in row.choices
            for each in candidates
        ],
    }
