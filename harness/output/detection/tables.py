"""What the tables of detectors show, and what they come to in words, as plain text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.output.defences.tables import listed, plural, seconds
from harness.output.leaderboard.columns import ABSENT
from harness.records.text import one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.ranking.detections import AnswerGroup, DetectionBoard, DetectorRow, Figure

HEADINGS = (
    "rank", "detector", "ROC-AUC", "95 %", "cross-entropy", "95 %", "Brier", "95 %", "failed",
)  # fmt: skip
OF_ATTACKS = "ROC-AUC / cross-entropy by attack, its BadNets beside their clean twins:"
NOTES = (
    (
        "ROC-AUC: how often a BadNet gets a higher probability than a clean network; 0.5 is "
        "chance. Cross-entropy (in nats, probabilities cut at 1e-12) and Brier score also ask "
        "whether the probabilities are right: lower is better, and always one half has 0.693 and "
        "0.250. As in NIST's TrojAI leaderboards (pages.nist.gov/trojai)."
    ),
    (
        "95 %: a bootstrap that draws BadNets anew within each attack, each with its clean twin. "
        "There is none for an attack of one seed; where all are told apart it has no width, which "
        "does not say that all others would be."
    ),
    "What failed counts as one half in all figures.",
)
_HALF = math.log(2)
_CHANCE = 0.5


def overall_rows(board: DetectionBoard) -> list[list[str]]:
    """Cells under `HEADINGS`."""
    return [
        [
            "" if row.is_baseline else ABSENT if row.rank is None else str(row.rank),
            one_line(row.detector),
            *(cell for each in row.overall.figures.values() for cell in (value(each), span(each))),
            "" if row.is_baseline else _share_failed(row.overall),
        ]
        for row in board.rows
    ]


def attack_headings(board: DetectionBoard) -> list[str]:
    """Of `attack_rows`."""
    return ["detector", *(one_line(attack) for attack in board.attacks)]


def attack_rows(board: DetectionBoard) -> list[list[str]]:
    """For each detector ROC-AUC / cross-entropy by attack."""
    return [
        [one_line(row.detector), *(_pair(group) for group in row.by_attack.values())]
        for row in board.rows
    ]


def cost_rows(board: DetectionBoard) -> list[tuple[str, str, str]]:
    """Of each detector the median seconds and processor seconds for a network."""
    return [
        (one_line(row.detector), seconds(row.cost.wall_seconds), seconds(row.cost.cpu_seconds))
        for row in board.rows
        if row.cost is not None
    ]


def failures(board: DetectionBoard) -> Iterator[str]:
    """A line for each distinct reason, with the networks that it is about."""
    for row in board.rows:
        groups: dict[str, list[str]] = {}
        for answer in row.overall.answers:
            if answer.probability is None and not row.is_baseline:
                ended = answer.status.value.replace("_", " ")
                why = f"{ended}: {shorten(answer.reason).strip()}" if answer.reason else ended
                groups.setdefault(why, []).append(one_line(answer.network))
        for why, names in groups.items():
            yield f"{one_line(row.detector)} on {listed(names)}: {why}"


def subject(board: DetectionBoard) -> str:
    """What was asked about what."""
    detectors = sum(not row.is_baseline for row in board.rows)
    asked = max((len(row.overall.answers) for row in board.rows), default=0)
    whole = f"{plural(board.badnets, 'BadNet')} and as many clean twins"
    networks = whole if asked == 2 * board.badnets else f"{asked} of {whole}"
    return f"{plural(detectors, 'detector')} on {networks} of {one_line(board.title)}"


# --- in words -----------------------------------------------------------------------------------


def answer(board: DetectionBoard) -> list[str]:
    """The sentences; the first one says who is best."""
    return list(_sentences(board))


def _sentences(board: DetectionBoard) -> Iterator[str]:
    detectors = [row for row in board.rows if not row.is_baseline]
    ranked = [row for row in detectors if row.rank is not None]
    if not ranked:
        yield "No detector can be ranked yet."
    else:
        yield _best(ranked[0])
    for row in ranked:
        entropy = row.overall.figures["cross_entropy"]
        if entropy is not None and entropy.value > _HALF:
            yield (
                f"{one_line(row.detector)} would do better to say one half each time: its "
                f"cross-entropy is {value(entropy)}, above {_HALF:.3f}."
            )
    for row in detectors:
        if row.overall.failed:
            of = f"{row.overall.failed} of {plural(len(row.overall.answers), 'network')}"
            yield f"{one_line(row.detector)} failed on {of}, which count as one half."
        if row.missing:
            left = plural(row.missing, "network")
            yield f"{one_line(row.detector)} is not ranked yet: {left} to go."


def _best(row: DetectorRow) -> str:
    area = row.overall.figures["roc_auc"]
    if area is None:
        return f"What {one_line(row.detector)} can tell is not known."
    if area.value <= _CHANCE:
        return f"No detector tells BadNets from clean networks better than chance ({value(area)})."
    interval = f" (95 %: {span(area)})" if area.low is not None else ""
    sure = ""
    if area.low is None or area.low <= _CHANCE:
        sure = ", which may be chance"
    return f"{one_line(row.detector)} tells them apart best: ROC-AUC {value(area)}{interval}{sure}."


# --- cells --------------------------------------------------------------------------------------


def value(figure: Figure | None) -> str:
    """A figure to three digits."""
    return ABSENT if figure is None else f"{figure.value:.3f}"


def span(figure: Figure | None) -> str:
    """Its 95 % interval."""
    if figure is None or figure.low is None or figure.high is None:
        return ABSENT
    return f"{figure.low:.3f}-{figure.high:.3f}"


def _pair(group: AnswerGroup) -> str:
    if not group.answers:
        return ABSENT
    both = " / ".join(value(group.figures[name]) for name in ("roc_auc", "cross_entropy"))
    return f"{both} ({group.failed} failed)" if group.failed else both


def _share_failed(group: AnswerGroup) -> str:
    return f"{group.failed} of {len(group.answers)}" if group.failed else "0"
