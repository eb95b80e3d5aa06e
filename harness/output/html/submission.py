"""The page of one submission: from a view of its record to HTML, pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from harness.assessment.scoring import total
from harness.output.advice import advice
from harness.output.attacks import ATTACK_HEADINGS, attack_rows
from harness.output.html import assets, plots, tables
from harness.output.html.charts import SPLIT_NAMES, bar_groups, marks, nothing_on_curve, shown_split
from harness.output.html.leaderboard import standing
from harness.output.leaderboard.columns import attempt, in_points, tells_attempt
from harness.output.net_figures import NET_HEADINGS, SHORT_HEADINGS, net_rows, short_rows
from harness.output.robustness import accuracy_rows, panels, table_of, worst_lines
from harness.records.traversal import decided, submission_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.lineage.pruning_curve import Curve
    from harness.output.html.examples import Example
    from harness.records.board import Row
    from harness.records.findings import Robustness
    from harness.records.record import Record

_TONES = {"passed": "good", "failed": "bad", "undecided": "open"}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a page is about."""

    record: Record
    """A view: what is hidden is not in it."""

    row: Row
    """Its row on the leaderboard."""

    curve: Curve | None
    """The reference's."""

    pseudonym: str | None = None
    """What it is called on the students' leaderboard, where that shows no names."""

    home: str | None = "../index.html"
    """Where the leaderboard is; None where there is none."""


def render(subject: Subject, examples: Sequence[Example], audience: str) -> str:
    """The page of a view."""
    context = _context(subject, audience)
    return assets.render_page(
        "submission.html", context | {"examples": _group_by_checkpoint(examples)}
    )


def render_summary(subject: Subject, audience: str) -> str:
    """A page with what is asked first: the score, what to do, why, and the plots."""
    return assets.render_page("summary.html", _context(subject, audience))


def _context(subject: Subject, audience: str) -> dict[str, Any]:
    record, row = subject.record, subject.row
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
        "pseudonym": subject.pseudonym,
        "home": subject.home,
        "in_points": in_points,
    }
    told = {"robustness": _robustness(record.robustness)}
    return context | _plots(record, subject.curve) | _tables(record) | told


def _robustness(found: Robustness | None) -> dict[str, Any] | None:
    """What is told of changed triggers; None where they were not tried."""
    if found is None:
        return None
    shown = panels(found)
    return {
        "plot": plots.robustness(shown) if shown else None,
        "worst": list(worst_lines(found)),
        "tables": [(panel.title, *table_of(panel)) for panel in shown],
        "accuracy": accuracy_rows(found) if found.reactivation else None,
    }


def _group_by_checkpoint(examples: Sequence[Example]) -> list[tuple[str, list[Example]]]:
    groups = groupby(examples, key=lambda example: example.checkpoint)
    return [(name, list(group)) for name, group in groups]


def _tables(record: Record) -> dict[str, Any]:
    checks, claims = list(tables.check_rows(record)), list(tables.claim_rows(record.claims))
    return {
        "points": total(record.points) if record.points else None,
        "pending": sum(item.pending for item in record.points),
        "decided": decided,
        "submission_reason": submission_reason,
        "advice": list(advice(record)),
        "diagnoses": list(tables.diagnosis_rows(record)),
        "verdicts": list(tables.verdict_rows(record)),
        "open_checks": [row for row in checks if row[0] != "passed"],
        "passed_checks": [row for row in checks if row[0] == "passed"],
        "short_headings": SHORT_HEADINGS,
        "short": short_rows(record),
        "net_headings": NET_HEADINGS,
        "nets": net_rows(record),
        "attack_headings": ATTACK_HEADINGS,
        "attacks": attack_rows(record),
        "paired": list(tables.mcnemar_rows(record)),
        "compared_claims": [row for row in claims if row[0] != "undecided"],
        "open_claims": [row for row in claims if row[0] == "undecided"],
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
        "no_curve": nothing_on_curve(record),
        "bars": plots.bars(groups, SPLIT_NAMES[split]) if groups else None,
    }
