"""The figures that platforms rank by, as far as a view shows them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.ranking.board import rank_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.record import Checkpoint, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A figure of a ranking."""

    key: str
    title: str

    ascending: bool = False
    """Whether less is better."""


def columns(required: Sequence[float]) -> Iterator[Column]:
    """All figures, the decisive one first; those of G are in percent, on test."""
    yield Column(key="checkpoints_passed", title="checkpoints passed")
    yield Column(key="defense_effectiveness", title="DER")
    for points in required:
        x = _key(points)
        yield Column(key=f"clean_accuracy_{x}", title=f"G clean accuracy, X = {points:g} (%)")
        yield Column(
            key=f"attack_success_rate_{x}", title=f"G ASR, X = {points:g} (%)", ascending=True
        )


def scores(view: Record) -> dict[str, float]:
    """The figures of one submission by key, without those that are hidden or were not measured."""
    row = rank_records([view]).rows[0]
    figures: dict[str, float | None] = {
        "checkpoints_passed": row.checkpoints_passed,
        "defense_effectiveness": row.defense_effectiveness,
    }
    for checkpoint in view.checkpoints:
        if checkpoint.required and checkpoint.drop_points is not None:
            figures |= _goodnet_figures(checkpoint, _key(checkpoint.drop_points))
    return {
        key: round(value, 4)
        for key, value in figures.items()
        if value is not None and math.isfinite(value)
    }


def _goodnet_figures(checkpoint: Checkpoint, x: str) -> dict[str, float | None]:
    counts = checkpoint.goodnet.test if checkpoint.goodnet else None
    if counts is None:
        return {}
    accuracy, success = clean_accuracy(counts), attack_success_rate(counts)
    return {
        f"clean_accuracy_{x}": None if accuracy is None else 100 * accuracy,
        f"attack_success_rate_{x}": None if success is None else 100 * success,
    }


def _key(points: float) -> str:
    return f"{points:g}".replace(".", "_")
