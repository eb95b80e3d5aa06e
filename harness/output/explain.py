"""The story of one submission: its score, what to do next, why, and the figures.

From the stored record alone, assessed again by the rubric beside it. No model is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.diagnoses import what_was_seen
from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.assessment.scoring import total
from harness.assessment.verdict import reassess, verdict_reason
from harness.lineage.known import known_benchmark
from harness.output.advice import advice
from harness.output.attacks import ATTACK_HEADINGS, attack_rows
from harness.output.competition.story import competition_story
from harness.output.leaderboard.columns import ABSENT, in_points, percent
from harness.output.net_figures import NET_HEADINGS, SHORT_HEADINGS, net_rows, short_rows
from harness.output.robustness import worst_lines
from harness.people.attempts import find_standings
from harness.people.choice import known_people
from harness.people.lateness import take_late_penalties
from harness.people.views import student_view
from harness.records.errors import HarnessError, Status
from harness.records.text import one_line
from harness.records.traversal import (
    checkpoint_name,
    decided,
    enumeration,
    failures,
    located_checks,
    required_checkpoints,
    seen_together,
    submission_reason,
)
from harness.storage.results import Store
from harness.storage.rubrics import read_rubric, rubric_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.records.findings import Comparison
    from harness.records.record import Record

_ANSWERS = {True: "yes", False: "NO", None: "?"}
_FOLDED = "`explain --full` also shows: {}."


def explanation(
    results: Path,
    submission: str,
    rubric_file: Path | None = None,
    *,
    instructor: bool = False,
    full: bool = False,
) -> str:
    """What ``explain`` prints. Raises HarnessError for an unknown submission or a bad rubric."""
    records = {record.submission: record for record in Store(results).records()}
    if submission not in records:
        names = ", ".join(one_line(name) for name in records) or "no records at all"
        raise HarnessError(f"{results}: no submission {one_line(submission)!r} in it; {names}")

    rubric = read_rubric(rubric_file) if rubric_file else rubric_of(results)
    stored = records[submission]
    record = reassess(stored, rubric, known_benchmark(stored.badnet_weights_hash))

    people = known_people(results)
    if people and rubric.late_penalty_share:
        standings = find_standings(list(records), people)
        (record,) = take_late_penalties([record], standings, rubric)
    view = record if instructor else student_view(record, rubric.student_view.hide)
    return story(view, full=full)


def story(record: Record, *, full: bool = True) -> str:
    """All sections as text; nothing from a submission can break out of its line.

    Tests, intervals and what only confirms are left out unless it is the ``full`` story.
    """
    if record.networks:
        return competition_story(record)
    paragraphs = []
    for title, lines in _sections(record, full=full):
        text = [one_line(line) for line in lines]
        if text and title:
            text.insert(0, title)
        if text:
            paragraphs.append("\n".join(text))
    return "\n\n".join(paragraphs) + "\n"


def _sections(record: Record, *, full: bool) -> Iterator[tuple[str, Iterator[str] | list[str]]]:
    """Titles and lines of the sections, the most important first."""
    yield "", _summary(record)
    yield "What to do", [f"  {line}" for line in advice(record)]
    yield "Why", [*_verdicts(record), *_diagnoses(record)]
    yield "Points", _points(record)
    if record.robustness is not None:
        lines = [f"  {line}" for line in worst_lines(record.robustness)]
        yield "How far the repair holds (worst attack success rate)", lines
    yield "Checks" if full else "Checks that did not pass", _checks(record, full=full)
    if not full:
        rows = short_rows(record)
        yield "Figures, in percent", _table(rows, SHORT_HEADINGS)
        yield "", _folded(record)
        return

    rows = net_rows(record)
    yield "Figures", [*_table(rows, NET_HEADINGS), *_legend(record)] if rows else []
    yield "Figures by attack", _table(attack_rows(record), ATTACK_HEADINGS)
    yield "Against the reference on the same images (McNemar, exact)", _pairs(record)
    yield "Claims of the report", _comparisons(record.claims)
    yield "Published results on this data", _comparisons(record.published)


def _summary(record: Record) -> Iterator[str]:
    yield f"{record.submission}: {', '.join(_score(record))}"

    grading = "graded" if record.status is Status.GRADED else record.status.value.replace("_", " ")
    yield f"  {grading} on {record.dataset.name}"
    if reason := submission_reason(record):  # else it is said among the checks
        yield f"  {reason}"
    if record.pruning_order:
        nested = {True: ", nested masks", False: ", masks not nested", None: ""}[record.nested]
        yield f"  pruning order: {record.pruning_order}{nested}"
    if record.hidden:
        yield f"  hidden in this view: {', '.join(record.hidden)}"
    for note in record.notes:
        yield f"  note: {note}"
    for override in record.overrides:
        yield f"  decided by the instructor: {decided(override)}: {override.reason}"


def score_line(record: Record) -> Iterator[str]:
    """The score on one line; nothing where it is hidden and no checkpoint is required."""
    score = ", ".join(_score(record))
    if score:
        yield score


def _score(record: Record) -> Iterator[str]:
    """Points, and how many of the required checkpoints passed."""
    points = total(record.points) if record.points else None
    pending = sum(item.pending for item in record.points)
    if points:
        waiting = f" and {in_points(pending)} pending" if pending else ""
        yield f"{in_points(points[0])} of {in_points(points[1])} points{waiting}"

    required = required_checkpoints(record).values()
    passed = sum(each is not None and each.verdict == "passed" for each in required)
    if required:
        yield f"{passed} of {len(required)} checkpoints passed"


# --- why --------------------------------------------------------------------------------------


def _verdicts(record: Record) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for checkpoint in record.checkpoints:
        if checkpoint.verdict is not None:
            reason = verdict_reason(checkpoint)
            verdict = f"{checkpoint.verdict}: {reason}" if reason else checkpoint.verdict
            places.setdefault(verdict, []).append(checkpoint_name(checkpoint.drop_points))
    for verdict, names in places.items():
        yield f"  {enumeration(names)}: {verdict}"


def _diagnoses(record: Record) -> Iterator[str]:
    for places, diagnosis in seen_together(record):
        seen = what_was_seen(diagnosis) or diagnosis.explanation
        yield f"  {places}: {diagnosis.code}: {seen}"


def _points(record: Record) -> Iterator[str]:
    for item in record.points:
        points = "hidden" if item.points is None else in_points(item.points)
        maximum = f" of {in_points(item.maximum)}" if item.maximum else ""
        pending = f" ({in_points(item.pending)} pending)" if item.pending else ""
        yield f"  {points:>6}{maximum}{pending}  {item.title}"
        if item.override:
            yield f"          set by the instructor: {item.override.reason}"
        for deduction in item.losses:
            yield f"          -{in_points(deduction.points)}: {deduction.reason}"


def _checks(record: Record, *, full: bool) -> Iterator[str]:
    for place, check in located_checks(record):
        if full or check.passed is not True:
            name = check.name.replace("_", " ")
            yield f"  {_ANSWERS[check.passed]:>3}  {place}, {name}: {check.reason}"
    if "hints" not in record.hidden:
        return  # what to do names what could not be graded, and why
    for failure in failures(record.checkpoints):
        yield f"   NO  {failure.places}: {failure.status.value}: {failure.reason}"


def _folded(record: Record) -> Iterator[str]:
    """What the full story adds to this one."""
    passed = sum(check.passed is True for _, check in located_checks(record))
    parts = [f"{passed} check{'' if passed == 1 else 's'} that passed"] if passed else []
    if net_rows(record):
        parts.append("95 % intervals and all rates")
    if any(checkpoint.paired for checkpoint in record.checkpoints):
        parts.append("the comparison with the reference image by image")
    if record.claims:
        parts.append("the claims of the report")
    if record.published:
        parts.append("published results")
    if parts:
        yield _FOLDED.format("; ".join(parts))


# --- figures ----------------------------------------------------------------------------------


def _table(rows: list[list[str]], headings: Sequence[str]) -> list[str]:
    """The lines of a table; none where it has no rows."""
    from tabulate import tabulate

    if not rows:
        return []
    cells = [[one_line(cell) for cell in row] for row in rows]
    return tabulate(cells, headings, "simple", disable_numparse=True).splitlines()


def _legend(record: Record) -> Iterator[str]:
    yield "in percent; TPR and FPR: how often G calls a backdoored or a clean image backdoored"
    if record.badnet_originals:
        yield "RA: backdoored images that get their true class; ASR other: target class left out"
    for net in record.reference:
        figures = [percent(net.goodnet, "test", m) for m in (clean_accuracy, attack_success_rate)]
        shown = "" if ABSENT in figures else f", G on test {figures[0]} / {figures[1]}"
        yield f"reference for X = {net.drop_points:g}: {net.channels_pruned} channels{shown}"


# --- comparisons ------------------------------------------------------------------------------


def _pairs(record: Record) -> Iterator[str]:
    for checkpoint in record.checkpoints:
        for pair in checkpoint.paired:
            name = checkpoint_name(checkpoint.drop_points)
            net = "B'" if pair.net == "repaired" else "G"
            yield (
                f"  {name}, {net} on {pair.set}: {pair.only_submission:,} images only this "
                f"one gets right, {pair.only_reference:,} only the reference, of "
                f"{pair.images:,}; p = {pair.p_value:.3g}"
            )


def _comparisons(comparisons: tuple[Comparison, ...]) -> Iterator[str]:
    for claim in comparisons:
        x = "" if claim.drop_points is None else f" X = {claim.drop_points:g}"
        figure = claim.figure.replace("_", " ")
        yield (
            f"  {_ANSWERS[claim.agrees]:>3}  {claim.net}{x}, {claim.split}, "
            f"{figure} {100 * claim.stated:.2f} %: {claim.reason}"
        )
