"""The leaderboard as CSV: raw counts, one line for each checkpoint, each reason once."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.output.leaderboard.columns import letters, tells_attempts
from harness.records.text import disarm_formula, one_line

if TYPE_CHECKING:
    from harness.records.board import Board
    from harness.records.record import Checkpoint, Counts

_SUBMISSION = (
    "rank", "submission", "status", "reason", "checkpoints_passed", "checkpoints_required",
    "defense_effectiveness", "points", "pending", "quality", "checkpoints_undecided",
)  # fmt: skip
_ATTEMPT = ("attempt", "attempts", "late")
"""Only where a roster tells of them."""

_CHECKPOINT = ("drop_points", "channels_pruned", "channels_silent")
_LETTERS = ("test", "bd_test")
"""Letters of G, by the set that it was compared on."""

_COUNTS = (
    "clean_total", "clean_correct", "clean_abstained", "clean_invalid",
    "backdoored_total", "backdoored_attacked", "backdoored_abstained", "backdoored_invalid",
)  # fmt: skip
_NETS = ("repaired", "goodnet")
_SPLITS = ("valid", "test")


def render(board: Board) -> str:
    """CSV that a spreadsheet opens as data: no cell starts a formula."""
    of_submission = _SUBMISSION + (_ATTEMPT if tells_attempts(board) else ())
    of_nets = [f"{net}_{split}_{c}" for net in _NETS for split in _SPLITS for c in _COUNTS]

    of_letters = [f"goodnet_{name}_letters" for name in _LETTERS]

    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([*of_submission, *_CHECKPOINT, *of_nets, *of_letters])
    for row in board.rows:
        for position, checkpoint in enumerate(row.checkpoints or (None,)):
            own = row if position == 0 else replace(row, reason=None)
            if checkpoint and checkpoint.reason:
                own = replace(row, reason=checkpoint.reason)
            values = [getattr(own, name) for name in of_submission] + _values(checkpoint)
            x = checkpoint.drop_points if checkpoint else None
            values += [letters(row, x, name) for name in _LETTERS]
            writer.writerow([cell(value) for value in values])
    return output.getvalue()


def _values(checkpoint: Checkpoint | None) -> list[Any]:
    if checkpoint is None:
        return [None] * (len(_CHECKPOINT) + len(_NETS) * len(_SPLITS) * len(_COUNTS))
    values = [getattr(checkpoint, name) for name in _CHECKPOINT]
    for net in (checkpoint.repaired, checkpoint.goodnet):
        for split in _SPLITS:
            values += _counts(getattr(net, split) if net else None)
    return values


def _counts(counts: Counts | None) -> list[Any]:
    if counts is None:
        return [None] * len(_COUNTS)
    return [getattr(counts, name) for name in _COUNTS]


def cell(value: Any) -> Any:
    """A text on one line that no spreadsheet takes for a formula; True and False as yes and no.

    Any other value stays as it is.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    return disarm_formula(one_line(value))
