"""Which files of a benchmark of detectors are written, and what a terminal shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.defences.boards import pages_problem
from harness.output.detection import data, text
from harness.output.detection.page import render_page_of
from harness.output.html.folders import require_ours
from harness.storage.results import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from harness.ranking.detections import DetectionBoard


def write_detection_boards(results: Path, board: DetectionBoard) -> list[Path]:
    """Write the board in every format, and its page, into a results folder; what was written.

    All but ``costs.csv`` and the page depend on probabilities alone. Without Jinja there is no
    page. Raises HarnessError where the page would take the place of a file that is not ours.
    """
    content = {
        "detection.txt": text.plain(board, times=False),
        "detection.md": text.markdown(board),
        "detection.csv": data.by_attack(board),
        "answers.csv": data.answers(board),
        "detection.json": data.json(board),
        "detection.tex": text.latex(board),
        "costs.csv": data.costs(board),
    }
    page = {"index.html": render_page_of(board)} if pages_problem() is None else {}
    require_ours(results, page)
    for name, text_of_file in (content | page).items():
        write_text(results / name, text_of_file)
    return [results / name for name in (*content, *page)]


def board_text(board: DetectionBoard) -> str:
    """The tables for a terminal, with times."""
    return text.plain(board, times=True)
