"""Which files of a benchmark of defences are written, and what a terminal shows."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from harness.output.defences import data, leak_files, robustness, text
from harness.output.defences.pages import PAGES, render_pages
from harness.output.html.folders import INSTALL, is_ours, require_ours
from harness.output.robustness import CSV_BEGINS, CSV_NAME
from harness.ranking.leak_tax import leak_tax
from harness.storage.results import write_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from harness.ranking.defence_board import DefenceBoard

_BEGINNING = 15
"""So many bytes tell a table of ours: ``% The leak tax:``."""


def write_defence_boards(results: Path, board: DefenceBoard) -> list[Path]:
    """Write the board in every format, and its pages, into a results folder; what was written.

    All but ``costs.csv`` and the pages depend on counts alone. Without Jinja there are no pages.
    Raises HarnessError where a page would take the place of a file that is not ours.
    """
    content = {
        "benchmark.txt": text.plain(board, times=False),
        "benchmark.md": text.markdown(board),
        "benchmark.csv": data.by_attack(board),
        "cells.csv": data.cells(board),
        "benchmark.json": data.json(board),
        "benchmark.tex": text.latex(board),
        "costs.csv": data.costs(board),
    }
    points = robustness.csv_of(board)
    if points is not None:
        content[CSV_NAME] = points
    else:
        _remove_old(results, {CSV_NAME: CSV_BEGINS})
    tax = leak_tax(board)
    leaks = {name: render(board, tax) for name, (render, _) in leak_files.FILES.items()}
    if tax.rows:
        content |= leaks
    else:
        _remove_old(results, leaks)
    pages = dict(render_pages(board, tax)) if pages_problem() is None else {}
    require_ours(results, pages)
    for name, text_of_file in (content | pages).items():
        write_text(results / name, text_of_file)
    _remove_old_pages(results, pages)
    return [results / name for name in (*content, *pages)]


def board_text(board: DefenceBoard) -> str:
    """The tables for a terminal, with times."""
    tax = leak_tax(board)
    apart = f"\n{leak_files.plain(board, tax)}" if tax.rows else ""
    worst = [f"{line}\n" for line in robustness.worst_of(board)]
    return "".join([text.plain(board, times=True), apart, *(["\n", *worst] if worst else [])])


def pages_problem() -> str | None:
    """Why there are no pages, on one line; None where there are."""
    if find_spec("jinja2") is None:
        return f"no HTML pages: jinja2 not installed; {INSTALL}"
    return None


def _remove_old(results: Path, empty: Mapping[str, str]) -> None:
    """Remove tables of what is gone; ours begin as the ``empty`` ones do."""
    for name, begin in empty.items():
        path = results / name
        if path.is_file() and path.read_bytes().startswith(begin.encode()[:_BEGINNING]):
            path.unlink()


def _remove_old_pages(results: Path, keep: Collection[str]) -> None:
    """Remove pages of defences that are gone, and no file of anybody else's."""
    for path in [results / "index.html", *(results / PAGES).glob("*.html")]:
        if path.relative_to(results).as_posix() not in keep and is_ours(path):
            path.unlink(missing_ok=True)
