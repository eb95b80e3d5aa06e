"""The board of detectors as CSV and JSON: probabilities and figures to six digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.output.defences.data import csv
from harness.output.detection.tables import NOTES, answer
from harness.ranking.detections import FIGURES
from harness.records.text import one_line

if TYPE_CHECKING:
    from harness.ranking.detections import Answer, AnswerGroup, DetectionBoard, Figure

_OF_FIGURE = ("value", "low", "high")
_NETWORK = ("network", "attack", "seed")
_COSTS = ("wall_seconds", "cpu_seconds", "peak_bytes", "images", "budget_seconds")
_DIGITS = 6


def by_attack(board: DetectionBoard) -> str:
    """CSV with a line for each detector and attack, and one for all of them (``all``)."""
    titles = ["rank", "detector", "is_baseline", "attack", "networks", "failed"]
    titles += [name if part == "value" else f"{name}_{part}"
               for name in FIGURES for part in _OF_FIGURE]  # fmt: skip
    lines = [
        [row.rank, row.detector, row.is_baseline, attack, len(group.answers),
         0 if row.is_baseline else group.failed,
         *(part for name in FIGURES for part in _parts(group.figures[name]).values())]
        for row in board.rows
        for attack, group in {"all": row.overall, **row.by_attack}.items()
    ]  # fmt: skip
    return csv(titles, lines)


def answers(board: DetectionBoard) -> str:
    """CSV with a line for each detector and network."""
    titles = ["detector", *_NETWORK, "is_backdoored", "status", "reason", "probability"]
    lines = [
        [row.detector, *(getattr(each, name) for name in _NETWORK), each.is_backdoored,
         each.status.value, each.reason, _rounded(each.probability)]
        for row in board.rows
        if not row.is_baseline
        for each in row.overall.answers
    ]  # fmt: skip
    return csv(titles, lines)


def costs(board: DetectionBoard) -> str:
    """CSV of what each answer took; another in every run."""
    lines = [
        [row.detector, *(getattr(each, name) for name in _NETWORK)]
        + [getattr(each.cost, name) for name in _COSTS]
        for row in board.rows
        for each in row.overall.answers
        if each.cost is not None
    ]
    return csv(["detector", *_NETWORK, *_COSTS], lines)


def json(board: DetectionBoard) -> str:
    """Indented JSON of the board, without what was measured of time and memory."""
    import msgspec

    content = {
        "zoo": board.zoo,
        "title": board.title,
        "attacks": board.attacks,
        "seeds": board.seeds,
        "badnets": board.badnets,
        "answer": answer(board),
        "notes": NOTES,
        "rows": [
            {
                "rank": row.rank,
                "detector": row.detector,
                "is_baseline": row.is_baseline,
                "missing": row.missing,
                "overall": _group(row.overall),
                "by_attack": {attack: _group(group) for attack, group in row.by_attack.items()},
                "answers": [] if row.is_baseline else [*map(_answer, row.overall.answers)],
            }
            for row in board.rows
        ],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def _group(group: AnswerGroup) -> dict[str, Any]:
    figures = {name: _parts(figure) if figure else None for name, figure in group.figures.items()}
    return {"networks": len(group.answers), "failed": group.failed, "figures": figures}


def _answer(each: Answer) -> dict[str, Any]:
    return {
        **{name: getattr(each, name) for name in _NETWORK},
        "is_backdoored": each.is_backdoored,
        "status": each.status.value,
        "reason": None if each.reason is None else one_line(each.reason),
        "probability": _rounded(each.probability),
    }


def _parts(figure: Figure | None) -> dict[str, float | None]:
    return {part: _rounded(getattr(figure, part) if figure else None) for part in _OF_FIGURE}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
