"""The page of one submission: from a view of its record to HTML, pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from harness.assessment.scoring import total
from harness.output.attacks import ATTACK_HEADINGS, attack_rows
from harness.output.explain import NET_HEADINGS, advice, net_rows
from harness.output.html import assets, plots, tables
from harness.output.html.charts import SPLIT_NAMES, bar_groups, marks, shown_split
from harness.output.html.leaderboard import standing
from harness.output.leaderboard.columns import attempt, tells_attempt
from harness.records.traversal import decided, submission_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.lineage.pruning_curve import Curve
    from harness.output.html.examples import Example
    from harness.records.board import Row
    from harness.records.record import Record

_TONES = {"passed": "good", "failed": "bad", "open": "open"}


def render(
    record: Record, row: Row, curve: Curve | None, examples: Sequence[Example], audience: str
) -> str:
    """The page of a view; ``row`` is its row on the leaderboard, ``curve`` the reference's."""
    context = _context(record, row, curve, audience)
    return assets.render_page(
        "submission.html", context | {"examples": _group_by_checkpoint(examples)}
    )


def render_summary(record: Record, row: Row, curve: Curve | None, audience: str) -> str:
    """A page with what is asked first: the verdict, what to do, plots, diagnoses, checks."""
    return assets.render_page("summary.html", _context(record, row, curve, audience))


def _context(record: Record, row: Row, curve: Curve | None, audience: str) -> dict[str, Any]:
    words, tone = standing(row)
    context = {
        "title": f"{record.submission}, {record.dataset.name}",
        "audience": audience,
        "hidden": record.hidden,
        "record": record,
        "row": row,
        "standing": words,
        "tone": tone,
        "tones": _TONES,
        "attempt": attempt(row) if tells_attempt(row) else None,
    }
    return context | _plots(record, curve) | _tables(record)


def _group_by_checkpoint(examples: Sequence[Example]) -> list[tuple[str, list[Example]]]:
    groups = groupby(examples, key=lambda example: example.checkpoint)
    return [(name, list(group)) for name, group in groups]


def _tables(record: Record) -> dict[str, Any]:
    return {
        "points": total(record.points) if record.points else None,
        "pending": sum(item.pending for item in record.points),
        "decided": decided,
        "submission_reason": submission_reason,
        "advice": list(advice(record)),
        "diagnoses": list(tables.diagnosis_rows(record)),
        "checks": list(tables.check_rows(record)),
        "net_headings": NET_HEADINGS,
        "nets": net_rows(record),
        "attack_headings": ATTACK_HEADINGS,
        "attacks": attack_rows(record),
        "paired": list(tables.mcnemar_rows(record)),
        "claims": list(tables.claim_rows(record.claims)),
        "published": list(tables.claim_rows(record.published)),
        "speeds": list(tables.speed_rows(record)),
        "models": list(tables.model_rows(record)),
    }


def _plots(record: Record, curve: Curve | None) -> dict[str, Any]:
    split = shown_split([record])
    shown = curve if record.reference else None
    points = list(marks(record))
    groups = list(bar_groups(record, split))
    return {
        "has_reference": bool(record.reference),
        "curve": plots.curve(shown, points) if points else None,
        "bars": plots.bars(groups, SPLIT_NAMES[split]) if groups else None,
    }
