"""The story of one submission: its table, checks, diagnoses, and what would raise the grade.

From the stored record alone, assessed again by the rubric beside it. No model is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.metrics import attack_success_rate, clean_accuracy, defense_effectiveness
from harness.assessment.scoring import total
from harness.assessment.statistics import (
    false_positive_rate,
    other_attack_success_rate,
    robust_accuracy,
    true_positive_rate,
)
from harness.assessment.verdict import reassess, verdict_reason
from harness.lineage.known import known_benchmark
from harness.output.attacks import ATTACK_HEADINGS, attack_rows, rate
from harness.output.leaderboard.columns import ABSENT, percent
from harness.people.attempts import find_standings
from harness.people.choice import known_people
from harness.people.lateness import take_late_penalties
from harness.people.views import LATE, student_view
from harness.records.errors import HarnessError
from harness.records.text import one_line
from harness.records.traversal import (
    checkpoint_name,
    decided,
    failures,
    located_diagnoses,
    submission_reason,
)
from harness.storage.results import Store
from harness.storage.rubrics import read_rubric, rubric_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.records.findings import Comparison, OriginalCounts, SplitOriginals
    from harness.records.record import Checkpoint, Counts, Record, SplitCounts

_ANSWERS = {True: "yes", False: "NO", None: "?"}
NET_HEADINGS = (
    "X", "net", "split", "clean accuracy (95 %)", "ASR (95 %)", "TPR (95 %)", "FPR (95 %)", "RA",
    "ASR other", "DER",
)  # fmt: skip


def explanation(
    results: Path, submission: str, rubric_file: Path | None = None, *, instructor: bool = False
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
    return story(record if instructor else student_view(record, rubric.student_view.hide))


def story(record: Record) -> str:
    """All sections as text; nothing from a submission can break out of its line."""
    sections = [
        ("", _summary(record)),
        ("Figures", _figures(record)),
        ("Figures by attack", _attacks(record)),
        ("Verdicts", _verdicts(record)),
        ("Checks", _checks(record)),
        ("Diagnoses (a diagnosis is no accusation)", _diagnoses(record)),
        ("Against the reference on the same images (McNemar, exact)", _pairs(record)),
        ("Claims of the report", _comparisons(record.claims)),
        ("Published results on this data", _comparisons(record.published)),
        ("Points", _points(record)),
        ("What would raise the grade", (f"  {line}" for line in advice(record))),
    ]

    paragraphs = []
    for title, lines in sections:
        text = [one_line(line) for line in lines]
        if text and title:
            text.insert(0, title)
        if text:
            paragraphs.append("\n".join(text))
    return "\n\n".join(paragraphs) + "\n"


def _summary(record: Record) -> Iterator[str]:
    points = total(record.points) if record.points else None
    pending = sum(item.pending for item in record.points)
    waiting = f" and {pending:g} pending" if pending else ""
    grade = f", {points[0]:g} of {points[1]:g} points{waiting}" if points else ""
    yield f"{record.submission}: {record.status.value} on {record.dataset.name}{grade}"

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


# --- figures ----------------------------------------------------------------------------------


def _figures(record: Record) -> list[str]:
    rows = net_rows(record)
    return [*_table(rows, NET_HEADINGS), *_legend(record)] if rows else []


def _attacks(record: Record) -> list[str]:
    return _table(attack_rows(record), ATTACK_HEADINGS)


def _table(rows: list[list[str]], headings: tuple[str, ...]) -> list[str]:
    """The lines of a table; none where it has no rows."""
    from tabulate import tabulate

    if not rows:
        return []
    cells = [[one_line(cell) for cell in row] for row in rows]
    return tabulate(cells, headings, "simple", disable_numparse=True).splitlines()


def net_rows(record: Record) -> list[list[str]]:
    """Cells under ``NET_HEADINGS``: every net on every split that was measured."""
    nets = [_Net(x="", name="B", counts=record.badnet, originals=record.badnet_originals)]
    for c in record.checkpoints:
        x = "?" if c.drop_points is None else f"{c.drop_points:g}"
        nets += [
            _Net(x=x, name="B'", counts=c.repaired, originals=c.repaired_originals),
            _Net(x=x, name="G", counts=c.goodnet, originals=c.goodnet_originals),
        ]

    rows: list[list[str]] = []
    for net in nets:
        rows += _rows(net, record)
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Net:
    """A net and what was measured of it."""

    x: str
    name: str
    counts: SplitCounts | None
    originals: SplitOriginals | None


def _rows(net: _Net, record: Record) -> Iterator[list[str]]:
    for split in ("valid", "test"):
        counts: Counts | None = getattr(net.counts, split) if net.counts else None
        if counts is None:
            continue

        is_ranked = net.name == "G" and split == "test"
        yield [
            net.x,
            net.name,
            split,
            rate(counts.clean_correct, counts.clean_total),
            rate(counts.backdoored_attacked, counts.backdoored_total),
            *_detection(net.name, counts),
            *_original_cells(getattr(net.originals, split) if net.originals else None),
            _effectiveness(record, counts) if is_ranked else ABSENT,
        ]


def _detection(net: str, counts: Counts) -> list[str]:
    """TPR and FPR of G; the other nets have no class N+1 and detect nothing."""
    if net != "G" or true_positive_rate(counts) is None or false_positive_rate(counts) is None:
        return [ABSENT, ABSENT]
    return [
        rate(counts.backdoored_abstained, counts.backdoored_total),
        rate(counts.clean_abstained, counts.clean_total),
    ]


def _original_cells(counts: OriginalCounts | None) -> list[str]:
    rates = [robust_accuracy(counts), other_attack_success_rate(counts)] if counts else [None] * 2
    return [ABSENT if rate is None else f"{100 * rate:.2f}" for rate in rates]


def _effectiveness(record: Record, counts: Counts) -> str:
    badnet = record.badnet.test if record.badnet else None
    value = defense_effectiveness(badnet, counts) if badnet else None
    return ABSENT if value is None else f"{value:.4f}"


def _legend(record: Record) -> Iterator[str]:
    yield "in percent; TPR and FPR: how often G calls a backdoored or a clean image backdoored"
    if record.badnet_originals:
        yield "RA: backdoored images that get their true class; ASR other: target class left out"
    for net in record.reference:
        figures = [percent(net.goodnet, "test", m) for m in (clean_accuracy, attack_success_rate)]
        shown = "" if ABSENT in figures else f", G on test {figures[0]} / {figures[1]}"
        yield f"reference for X = {net.drop_points:g}: {net.channels_pruned} channels{shown}"


# --- checks, diagnoses and comparisons --------------------------------------------------------


def _checks(record: Record) -> Iterator[str]:
    for check in record.checks:
        yield f"  {_ANSWERS[check.passed]:>3}  {check.reason}"
    for failure in failures(record.checkpoints):
        yield f"   NO  {failure.places}: {failure.status.value}: {failure.reason}"
    for checkpoint in record.checkpoints:
        name = checkpoint_name(checkpoint.drop_points)
        for check in checkpoint.checks:
            yield f"  {_ANSWERS[check.passed]:>3}  {name}, {check.name}: {check.reason}"


def _diagnoses(record: Record) -> Iterator[str]:
    for place, diagnosis in located_diagnoses(record):
        yield f"  {place}: {diagnosis.code}: {diagnosis.explanation}"


def _pairs(record: Record) -> Iterator[str]:
    for checkpoint in record.checkpoints:
        for pair in checkpoint.paired:
            name = checkpoint_name(checkpoint.drop_points)
            net = "B'" if pair.net == "repaired" else "G"
            yield (
                f"  {name}, {net} on {pair.set}: {pair.only_submission} images only this "
                f"one gets right, {pair.only_reference} only the reference, of "
                f"{pair.images}; p = {pair.p_value:.3g}"
            )


def _comparisons(comparisons: tuple[Comparison, ...]) -> Iterator[str]:
    for claim in comparisons:
        x = "" if claim.drop_points is None else f" X = {claim.drop_points:g}"
        figure = claim.figure.replace("_", " ")
        yield (
            f"  {_ANSWERS[claim.agrees]:>3}  {claim.net}{x}, {claim.split}, "
            f"{figure} {100 * claim.stated:.2f} %: {claim.reason}"
        )


# --- points -----------------------------------------------------------------------------------


def _points(record: Record) -> Iterator[str]:
    for item in record.points:
        points = "hidden" if item.points is None else f"{item.points:g}"
        maximum = f" of {item.maximum:g}" if item.kind != LATE else ""
        pending = f" ({item.pending:g} pending)" if item.pending else ""
        yield f"  {points:>6}{maximum}{pending}  {item.title}"
        if item.override:
            yield f"          set by the instructor: {item.override.reason}"
        for deduction in item.losses:
            yield f"          -{deduction.points:g}: {deduction.reason}"


def _verdicts(record: Record) -> Iterator[str]:
    for checkpoint in record.checkpoints:
        if checkpoint.verdict is not None:
            reason = verdict_reason(checkpoint)
            ending = f": {reason}" if reason else ""
            yield f"  {checkpoint_name(checkpoint.drop_points)}: {checkpoint.verdict}{ending}"


def advice(record: Record) -> Iterator[str]:
    """What would raise the grade, most points first; nothing where hints are hidden."""
    if "hints" in record.hidden:
        return

    deductions: dict[str, tuple[float, str]] = {}
    for item in record.points:
        for loss in item.losses if not item.override else ():
            points, titles = deductions.get(loss.reason, (0.0, ""))
            titles = f"{titles}; {item.title}" if titles else item.title
            deductions[loss.reason] = points + loss.points, titles
    for reason, (points, titles) in sorted(deductions.items(), key=lambda each: -each[1][0]):
        yield f"+{round(points, 2):g} points ({titles}): {reason}"

    for checkpoint in record.checkpoints:
        step = _next_step(checkpoint) if checkpoint.required else None
        if step:
            yield f"{checkpoint_name(checkpoint.drop_points)}: {step}"


def _next_step(checkpoint: Checkpoint) -> str | None:
    """Which channel to prune next or to put back, where the step that is missing is known."""
    crossing, steps = checkpoint.crossing, checkpoint.steps
    if crossing is None or steps is None:
        return None

    lost_after, lost_before, needed = crossing.lost_after, crossing.lost_before, crossing.needed
    if crossing.margin < 0 and steps.after and lost_after is not None:
        verdict = "crosses" if lost_after >= needed else "does not cross yet"
        return (
            f"prune on: channel {steps.after.channel} comes next, then {lost_after} images "
            f"are lost, {needed} are needed, which {verdict}"
        )
    if steps.before and lost_before is not None and lost_before >= needed:
        return (
            f"prune less: without channel {steps.before.channel} {lost_before} images are "
            f"lost, and {needed} are enough"
        )
    return None
