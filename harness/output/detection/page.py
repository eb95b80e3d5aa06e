"""The page of the benchmark of detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.output.defences.tables import mebibytes, seconds
from harness.output.detection import tables
from harness.output.detection.roc_plot import roc_plot
from harness.output.html.assets import render_page
from harness.output.leaderboard.columns import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.ranking.detections import Answer, DetectionBoard, DetectorRow

FILES: Mapping[str, str] = {
    "detection.csv": "a line for each detector and attack",
    "answers.csv": "a line for each detector and network",
    "detection.json": "everything but costs",
    "detection.tex": "the table for a paper",
    "detection.md": "the tables in Markdown",
    "detection.txt": "the tables as text",
    "costs.csv": "time and memory of each answer",
}


def render_page_of(board: DetectionBoard) -> str:
    """The page, ``index.html`` of the results."""
    detectors = [row for row in board.rows if not row.is_baseline]
    context = {
        "title": f"{board.title}: detection of BadNets",
        "hidden": (),
        "board": board,
        "answer": tables.answer(board),
        "notes": tables.NOTES,
        "tally": [
            (len(detectors), "detector" if len(detectors) == 1 else "detectors"),
            (len(board.attacks), "attack" if len(board.attacks) == 1 else "attacks"),
            (board.badnets, "BadNet" if board.badnets == 1 else "BadNets"),
            (board.badnets, "clean twin" if board.badnets == 1 else "clean twins"),
        ],
        "headings": tables.HEADINGS,
        "rows": [
            (row.is_baseline, cells)
            for row, cells in zip(board.rows, tables.overall_rows(board), strict=True)
        ],
        "plot": roc_plot(detectors),
        "attack_headings": tables.attack_headings(board),
        "attack_rows": tables.attack_rows(board),
        "detectors": [row.detector for row in detectors],
        "networks": _networks(detectors),
        "failed": list(tables.failures(board)),
        "costs": [(row.detector, _cost(row)) for row in detectors if row.cost is not None],
        "files": list(FILES.items()),
    }
    return render_page("detection.html", context)


def _networks(detectors: list[DetectorRow]) -> list[dict[str, Any]]:
    """Each network with what every detector said of it, in the order of the zoo."""
    said: dict[str, dict[str, Answer]] = {}
    longest = sorted(detectors, key=lambda row: -len(row.overall.answers))
    for row in longest:
        for answer in row.overall.answers:
            said.setdefault(answer.network, {})[row.detector] = answer
    return [
        {
            "name": name,
            "attack": next(iter(answers.values())).attack,
            "is_backdoored": next(iter(answers.values())).is_backdoored,
            "cells": [_said(answers.get(row.detector)) for row in detectors],
        }
        for name, answers in said.items()
    ]


def _said(answer: Answer | None) -> str:
    if answer is None:
        return ABSENT
    return "failed" if answer.probability is None else f"{answer.probability:.3f}"


def _cost(row: DetectorRow) -> list[str]:
    cost = row.cost
    if cost is None:
        return []
    return [
        seconds(cost.wall_seconds),
        seconds(cost.cpu_seconds),
        mebibytes(cost.peak_bytes),
        f"{cost.images:,}",
    ]
