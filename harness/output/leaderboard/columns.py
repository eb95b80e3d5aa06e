"""What the tables show: one line for each checkpoint of each submission, as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.checks import checkpoint_passes
from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.assessment.statistics import is_noisy
from harness.ranking.baselines import DO_NOTHING
from harness.records.board import Baseline
from harness.records.record import ATTACK, BUDGET, CONTRACT, DROP, FIRST_CROSSING, ORDER
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.records.board import Board, Row
    from harness.records.record import Checkpoint, Counts, Speed, SplitCounts

HEADINGS = (
    "rank", "submission", "points", "passed", "quality", "DER", "X", "family", "channels",
    "B' valid acc", "B' test acc", "B' test ASR", "G test acc", "G test ASR", "G time", "verdict",
)  # fmt: skip
"""Without the column that a roster adds; see `headings`."""

ABSENT = "-"
NOISY = "noisy"
"""In place of a ratio that could not be measured well on a busy machine."""

NOTHING_DONE = 0.5
"""The DER of doing nothing."""

_ATTEMPT_AT = HEADINGS.index("submission") + 1
_FAILURES = {
    DROP: "dropped too little",
    FIRST_CROSSING: "saved too late",
    BUDGET: "lost too much",
    ATTACK: "attack not pushed back",
    ORDER: "other order",
    CONTRACT: "not a GoodNet",
}
"""What a failed check is called in the last column."""

_FAMILIES = {"tuned": "fine-tuned", "other": "other network"}
"""Families that have a longer name."""

_TAKES_BASELINES = ("quality", "defense_effectiveness")
"""What a board must be sorted by for the baselines to have a place among its rows."""

_REDUNDANT = ("BELOW_THRESHOLD", "OVER_PRUNED", "OTHER_ORDER")
"""Diagnoses that only repeat which check failed."""


def headings(board: Board) -> list[str]:
    """``HEADINGS``, and ``attempt`` where a roster tells of attempts or lateness."""
    if tells_attempts(board):
        return _insert_attempt(list(HEADINGS), "attempt")
    return list(HEADINGS)


def table(board: Board) -> list[list[str]]:
    """Rows of text cells under `headings`; percentages with two decimals, unescaped names."""
    lines: list[list[str]] = []
    attempts: list[str] = []
    if board.badnet and not board.baselines:
        lines.append(_baseline_line(board, Baseline(name=DO_NOTHING)))
        attempts.append("")

    for entry in entries(board):
        if isinstance(entry, Baseline):
            lines.append(_baseline_line(board, entry))
            attempts.append("")
            continue
        for position, checkpoint in enumerate(entry.checkpoints or (None,)):
            is_first = position == 0
            lines.append(_line(entry, checkpoint, first=is_first))
            attempts.append(attempt(entry) if is_first else "")

    if not tells_attempts(board):
        return lines
    return [_insert_attempt(line, cell) for line, cell in zip(lines, attempts, strict=True)]


def entries(board: Board) -> list[Row | Baseline]:
    """Rows and baselines in their order.

    Baselines come first, and have their place among the rows where these are sorted by a figure
    that baselines have, too.
    """
    ordered: list[Row | Baseline] = list(board.rows)
    decisive = board.ranking[0] if board.ranking else ""
    if decisive not in _TAKES_BASELINES:
        return [*board.baselines, *ordered]

    for baseline in board.baselines:
        own = getattr(baseline, decisive) or 0.0
        worse = (i for i, e in enumerate(ordered) if (getattr(e, decisive) or 0.0) < own)
        ordered.insert(next(worse, len(ordered)), baseline)
    return ordered


def tells_attempts(board: Board) -> bool:
    """Whether a roster told of attempts or lateness of anybody on the board."""
    return any(map(tells_attempt, board.rows))


def tells_attempt(row: Row) -> bool:
    """Whether a roster told of a row's attempt or lateness."""
    return row.attempt is not None or row.late is not None


def _insert_attempt(cells: list[str], cell: str) -> list[str]:
    return [*cells[:_ATTEMPT_AT], cell, *cells[_ATTEMPT_AT:]]


def attempt(row: Row) -> str:
    """Which attempt a row is, as ``2 of 3, late``; what is not known is left out."""
    words = []
    if row.attempt is not None:
        words.append(f"{row.attempt} of {row.attempts}")
    if row.late:
        words.append("late")
    return ", ".join(words) or ABSENT


def percent(net: SplitCounts | None, split: str, metric: Callable[[Counts], float | None]) -> str:
    """A metric of a net on a split in percent, or a dash."""
    counts = getattr(net, split) if net else None
    return in_percent(metric(counts) if counts else None)


def in_percent(value: float | None) -> str:
    """A fraction in percent, or a dash."""
    return ABSENT if value is None else f"{100 * value:.2f}"


def effectiveness(value: float | None) -> str:
    """A DER, with an asterisk where it is below that of doing nothing; or a dash."""
    if value is None:
        return ABSENT
    return f"{value:.4f}*" if value < NOTHING_DONE else f"{value:.4f}"


def points(row: Row) -> str:
    """The points of a row, as ``80 + 10 pending``, or a dash."""
    if row.points is None:
        return ABSENT
    given = in_points(row.points)
    return f"{given} + {in_points(row.pending)} pending" if row.pending else given


def in_points(value: float) -> str:
    """Points as people write them: with one decimal at most."""
    return f"{round(value, 1):g}"


def letters(row: Row, drop_points: float | None, set_name: str) -> str:
    """The letters of a row's G in one column; empty where it has none."""
    own = [e.letters for e in row.letters if (e.drop_points, e.set) == (drop_points, set_name)]
    return "".join(own)


def _baseline_line(board: Board, baseline: Baseline) -> list[str]:
    cells = dict.fromkeys(HEADINGS, "")
    cells["submission"] = baseline.name
    if baseline.quality is not None:
        cells["quality"] = f"{baseline.quality:.4f}"
    if baseline.defense_effectiveness is not None:
        cells["DER"] = effectiveness(baseline.defense_effectiveness)
    if baseline.name == DO_NOTHING:
        cells["B' valid acc"] = percent(board.badnet, "valid", clean_accuracy)
        cells["B' test acc"] = percent(board.badnet, "test", clean_accuracy)
        cells["B' test ASR"] = percent(board.badnet, "test", attack_success_rate)
    if baseline.goodnet is not None:
        cells["G test acc"] = in_percent(clean_accuracy(baseline.goodnet))
        cells["G test ASR"] = in_percent(attack_success_rate(baseline.goodnet))
    return list(cells.values())


def _line(row: Row, checkpoint: Checkpoint | None, *, first: bool) -> list[str]:
    """The cells of one checkpoint; those of the submission are in its first line only."""
    submission_cells = _submission_cells(row) if first else [""] * 6
    if checkpoint is None:
        return submission_cells + _failure_cells(row)

    *cells, verdict = _checkpoint_cells(row, checkpoint)
    codes = [diagnosis.code for diagnosis in row.diagnoses] if first else []
    verdict = ", ".join([verdict, *dict.fromkeys(codes)])
    return [*submission_cells, *cells, verdict]


def _submission_cells(row: Row) -> list[str]:
    return [
        ABSENT if row.rank is None else str(row.rank),
        one_line(row.submission),
        points(row),
        passed(row),
        ABSENT if row.quality is None else f"{row.quality:.4f}",
        effectiveness(row.defense_effectiveness),
    ]


def passed(row: Row) -> str:
    """How many required checkpoints passed, as ``2/3`` or ``2/3 (1 undecided)``."""
    share = f"{row.checkpoints_passed}/{row.checkpoints_required}"
    undecided = row.checkpoints_undecided
    return f"{share} ({undecided} undecided)" if undecided else share


def _failure_cells(row: Row) -> list[str]:
    return [ABSENT] * 9 + [one_line(f"{row.status.value}: {row.reason or ''}")]


def _checkpoint_cells(row: Row, checkpoint: Checkpoint) -> list[str]:
    repaired, goodnet = checkpoint.repaired, checkpoint.goodnet
    x, channels = checkpoint.drop_points, checkpoint.channels_pruned
    timing = checkpoint.timing.goodnet if checkpoint.timing else None
    return [
        "?" if x is None else f"{x:g}",
        family(checkpoint),
        ABSENT if channels is None else str(channels),
        percent(repaired, "valid", clean_accuracy),
        percent(repaired, "test", clean_accuracy),
        percent(repaired, "test", attack_success_rate),
        f"{percent(goodnet, 'test', clean_accuracy)} {letters(row, x, 'test')}".strip(),
        f"{percent(goodnet, 'test', attack_success_rate)} {letters(row, x, 'bd_test')}".strip(),
        _time_ratio(timing),
        one_line(_verdict(checkpoint)),
    ]


def _time_ratio(speed: Speed | None) -> str:
    if speed is None:
        return ABSENT
    ratio = known_ratio(speed.throughput_ratio, speed.throughput_ratio_interval)
    return NOISY if ratio is None else f"{ratio:.2f}x"


def known_ratio(ratio: float, interval: tuple[float, float] | None) -> float | None:
    """A ratio of speeds where it was measured well enough to be shown."""
    return None if is_noisy(ratio, interval) else ratio


def family(checkpoint: Checkpoint) -> str:
    """What kind of defence an entry is: pruned, fine-tuned, other network or program."""
    if checkpoint.family is not None:
        return _FAMILIES.get(checkpoint.family, checkpoint.family)
    artifact = checkpoint.artifact or checkpoint.goodnet_artifact
    if artifact is None:
        return ABSENT
    if artifact.format == "program":
        return "program"
    if artifact.weights_hash is None:
        return "other network"
    changes = checkpoint.lineage.changes if checkpoint.lineage else ()
    return "fine-tuned" if any(change.values_changed for change in changes) else "pruned"


def _verdict(checkpoint: Checkpoint) -> str:
    """Failed checks in words, then the names of what was diagnosed."""
    if checkpoint.reason:
        return f"{checkpoint.status.value}: {checkpoint.reason}"

    failed = [check.name for check in checkpoint.checks if check.passed is False]
    if failed:
        words = [_FAILURES.get(name, name) for name in failed]
    elif not checkpoint.required:
        words = ["extra, not ranked"]
    else:
        words = ["passed" if checkpoint_passes(checkpoint) else checkpoint.verdict or "graded"]

    codes = [diagnosis.code for diagnosis in checkpoint.diagnoses]
    words += dict.fromkeys(code for code in codes if code not in _REDUNDANT)
    was_run = checkpoint.stream_seed is not None
    if checkpoint.isolation == "none":
        words.append("run without a sandbox")
    elif was_run and checkpoint.isolation == "landlock":
        words.append("run in Landlock's sandbox")
    return ", ".join(words)
