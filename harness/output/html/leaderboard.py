"""The leaderboard's page: from views of records to HTML, pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.assessment.statistics import false_positive_rate, true_positive_rate
from harness.output.html import assets, plots
from harness.output.html.assets import SUBMISSIONS
from harness.output.html.charts import SPLIT_NAMES, rates, scatter_figure, shown_split
from harness.output.html.tables import anchor
from harness.output.leaderboard.columns import (
    attempt,
    effectiveness,
    entries,
    family,
    known_ratio,
    letters,
    points,
    tells_attempts,
)
from harness.output.leaderboard.notes import letters_note, notes, ranking_note
from harness.people.roster import PLATFORM_IDS
from harness.ranking.baselines import DO_NOTHING, FLAG_EVERYTHING, REFERENCE
from harness.ranking.class_statistics import class_statistics
from harness.records.board import Baseline
from harness.records.errors import Status
from harness.records.text import one_line
from harness.records.traversal import located_diagnoses, required_points
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from markupsafe import Markup

    from harness.people.roster import Person
    from harness.ranking.class_statistics import ClassStatistics
    from harness.records.board import Board, Row
    from harness.records.record import Counts, Record

_BASELINE_TERMS = {
    DO_NOTHING: "do_nothing",
    REFERENCE: "reference",
    FLAG_EVERYTHING: "flag_everything",
}
NEEDS_LOOK = "needs a look"
_PHONE_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What else than its name tells whose a row is."""

    people: Mapping[str, tuple[Person, ...]] = field(default_factory=dict)
    """By submission, as the roster tells."""

    pseudonyms: Mapping[str, str] = field(default_factory=dict)
    """By submission, what students see in its place."""

    linked: bool = True
    """Whether rows lead to pages, whose addresses hold the names."""


def render(
    board: Board, records: Sequence[Record], audience: str, names: Names | None = None
) -> str:
    """The page; ``records`` are the views that are on the board, ``audience`` those who see it."""
    names = names or Names()
    split, required = shown_split(records), _required(records)
    found = class_statistics(records) if audience == "instructor" else None
    looks = {look.submission: look.reasons for look in found.needs_look} if found else {}
    rows = [
        table_row(row, split, required)
        | _identity(row.submission, names)
        | _said_of(row, looks.get(row.submission, ()))
        for row in board.rows
    ]
    by_name = dict(zip((row.submission for row in board.rows), rows, strict=True))
    lines = [
        _baseline_line(entry, split, required)
        if isinstance(entry, Baseline)
        else by_name[entry.submission]
        for entry in entries(board)
    ]
    badnet = rates(board.badnet, split)

    context = {
        "title": f"Leaderboard, {board.dataset}",
        "audience": audience,
        "hidden": sorted({name for record in records for name in record.hidden}),
        "dataset": board.dataset,
        "badnet": [f"{100 * rate:.2f}" for rate in badnet] if badnet else None,
        "split": SPLIT_NAMES[split],
        "required": [f"{x:g}" for x in required],
        "rows": rows,
        "lines": lines,
        "passed": sum(row["tone"] == "good" for row in rows),
        "ungraded": sum(row.status is not Status.GRADED for row in board.rows),
        # Students do not see each other's points.
        "points": audience == "instructor" and any(row["points"] is not None for row in rows),
        "letters": audience == "instructor" and split == "test",
        "notes": _notes(board, audience),
        "linked": names.linked,
        "looks": sum(bool(row["look"]) for row in rows),
        "statistics": _statistics(found, board) if found else None,
        "attempts": tells_attempts(board),
        "timed": any(row["time"] is not None for row in rows),
        "filters": _filters(rows),
        "scatter": _scatter(records, linked=names.linked),
    }
    return assets.render_page("leaderboard.html", context, assets.table_script())


def file_name(record: Record) -> str:
    """The file name of a submission's page; different names never share one."""
    return f"{safe_name(record.submission)}.html"


def address(name: str) -> str:
    """The address of a submission's page as the leaderboard links to it."""
    return f"{SUBMISSIONS}/{quote(safe_name(name))}.html"


def standing(row: Row) -> tuple[str, str]:
    """How a submission stands, in words and by tone."""
    if row.status is not Status.GRADED:
        return row.status.value.replace("_", " "), "bad"
    if row.checkpoints_required and row.checkpoints_passed == row.checkpoints_required:
        return "passed", "good"
    if row.checkpoints_passed + row.checkpoints_undecided == row.checkpoints_required > 0:
        return "undecided", "open"
    return "not passed", "bad"


def table_row(row: Row, split: str, required: Sequence[float]) -> dict[str, Any]:
    """What the table shows of one submission; figures as fractions, None where there are none."""
    standing_words, tone = standing(row)

    by_points = {checkpoint.drop_points: checkpoint for checkpoint in row.checkpoints}
    goodnets = {x: by_points[x].goodnet for x in required if x in by_points}
    figures = [
        _figures(getattr(goodnets.get(x), split, None))
        | {"letters": (letters(row, x, "test"), letters(row, x, "bd_test"))}
        for x in required
    ]

    speeds = [c.timing.goodnet for c in row.checkpoints if c.timing and c.timing.goodnet]
    ratios = [known_ratio(s.throughput_ratio, s.throughput_ratio_interval) for s in speeds]
    times = [ratio for ratio in ratios if ratio is not None]

    return {
        "is_baseline": False,
        "rank": row.rank,
        "name": row.submission,
        "href": address(row.submission),
        "attempt": attempt(row),
        "standing": standing_words,
        "tone": tone,
        "passed": row.checkpoints_passed,
        "required": row.checkpoints_required,
        "undecided": row.checkpoints_undecided,
        "points": row.points,
        "points_shown": points(row),
        "quality": row.quality,
        "effectiveness": row.defense_effectiveness,
        "effectiveness_shown": effectiveness(row.defense_effectiveness),
        "figures": figures,
        "time": max(times, default=None),
        "noisy": bool(speeds and not times),
        # Not of models that could not be opened: what they are is unknown.
        "families": sorted({family(c) for c in row.checkpoints if c.repaired or c.goodnet}),
        "findings": list(_findings(row)),
        "reason": next(filter(None, [row.reason, *(c.reason for c in row.checkpoints)]), None),
    }


def _said_of(row: Row, look: Sequence[str]) -> dict[str, Any]:
    """Why a row needs a look, and in a few words for phones what is wrong with it."""
    codes = sorted({diagnosis.code for _, diagnosis in located_diagnoses(row)})
    said = ", ".join([NEEDS_LOOK] * bool(look) + codes)
    return {"look": look, "said": said or one_line(row.reason or "", _PHONE_CHARACTERS)}


def _identity(name: str, names: Names) -> dict[str, Any]:
    """Whose a row is, in words and for the search."""
    team = names.people.get(name, ())
    pseudonym = names.pseudonyms.get(name, "")
    known = [pseudonym]
    for person in team:
        known += [person.name, *(getattr(person, each) for each in PLATFORM_IDS)]
    return {
        "people": [person.name for person in team if person.name and person.name != name],
        "search": " ".join([name, *filter(None, known)]),
    }


def _findings(row: Row) -> Iterator[dict[str, str]]:
    """Each diagnosis once: its code, what its text says, and where that stands."""
    texts: dict[str, list[str]] = {}
    for place, diagnosis in located_diagnoses(row):
        texts.setdefault(diagnosis.code, []).append(f"{place}: {diagnosis.explanation}")
    for code, (text, *others) in sorted(texts.items()):
        more = f" (and {len(others)} more)" if others else ""
        yield {
            "code": code,
            "text": f"{text}{more}",
            "href": f"{address(row.submission)}#{anchor(code)}",
        }


def _figures(counts: Counts | None) -> dict[str, float | None]:
    """The figures of one G as fractions, None where there are none."""
    if counts is None:
        return dict.fromkeys(("accuracy", "attack", "false_alarms", "missed"))
    found = true_positive_rate(counts)
    return {
        "accuracy": clean_accuracy(counts),
        "attack": attack_success_rate(counts),
        "false_alarms": false_positive_rate(counts),
        "missed": None if found is None else 1 - found,
    }


def _baseline_line(baseline: Baseline, split: str, required: Sequence[float]) -> dict[str, Any]:
    """What the table shows of a baseline, whose counts are of test."""
    counts = baseline.goodnet if split == "test" else None
    return {
        "is_baseline": True,
        "name": baseline.name,
        "term": _BASELINE_TERMS[baseline.name],
        "quality": baseline.quality,
        "effectiveness": baseline.defense_effectiveness,
        "effectiveness_shown": effectiveness(baseline.defense_effectiveness),
        "figures": [_figures(counts) | {"letters": ("", "")} for _ in required],
    }


def _notes(board: Board, audience: str) -> list[str]:
    """The notes below the table; students see no letters, so not what these mean."""
    hidden = set(letters_note(board)) if audience != "instructor" else set()
    return [*ranking_note(board), *(note for note in notes(board) if note not in hidden)]


def _statistics(found: ClassStatistics, board: Board) -> dict[str, Any]:
    """The class in figures, as texts and plots."""
    has_points = found.mean_points is not None
    return {
        "found": found,
        "pending": any(row.pending for row in board.rows),
        "looks": [
            {
                "name": look.submission,
                "href": address(look.submission),
                "reasons": "; ".join(look.reasons),
            }
            for look in found.needs_look
        ],
        "diagnoses": [
            (code, f"#diagnosis={quote(one_line(code), safe='')}", submissions)
            for code, submissions in found.diagnoses
        ],
        "histogram": plots.histogram(found.histogram) if has_points and found.histogram else None,
        "pass_rates": plots.pass_rates(found.pass_rates) if found.pass_rates else None,
    }


def _required(records: Sequence[Record]) -> list[float]:
    return sorted({x for record in records for x in required_points(record)})


def _filters(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    looks = [NEEDS_LOOK] if any(row["look"] for row in rows) else []
    return [
        ("look", "Attention", looks),
        ("status", "Status", sorted({row["standing"] for row in rows})),
        ("family", "Family", sorted({name for row in rows for name in row["families"]})),
        (
            "diagnosis",
            "Diagnosis",
            sorted({each["code"] for row in rows for each in row["findings"]}),
        ),
    ]


def _scatter(records: Sequence[Record], *, linked: bool) -> Markup:
    if not linked:
        return plots.scatter(scatter_figure(records), {})
    figure = scatter_figure(records, lambda record: address(record.submission))
    titles = {address(r.submission): one_line(r.submission) for r in records}
    return plots.scatter(figure, titles)
