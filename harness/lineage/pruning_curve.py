"""The pruning curve of a BadNet: what each number of pruned channels does to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.lineage.thresholds import first_crossing

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The pruning sweep of one BadNet; index k of each array is the net with k channels pruned.

    ``order``: 60 channels as pruned. ``clean_correct`` and ``backdoored_attacked``: 61 counts
    on the validation sets of ``clean_total`` and ``backdoored_total`` images.
    """

    order: tuple[int, ...]
    clean_total: int
    clean_correct: tuple[int, ...]
    backdoored_total: int
    backdoored_attacked: tuple[int, ...]

    def first_crossing(self, drop_points: float) -> int | None:
        """Number of channels pruned when the drop is first at least ``drop_points``."""
        return first_crossing(self.clean_correct, self.clean_total, drop_points)


def reference_curve(results: Path, record: Record) -> Curve | None:
    """The reference's curve for a record's BadNet and data, as it lies in the results folder.

    None where there is none; a damaged file is one that is not there, since the next grading
    makes it anew.
    """
    for path in sorted((results / "reference").glob("*.json")):
        curve = _curve(path, record)
        if curve is not None:
            return curve
    return None


def _curve(path: Path, record: Record) -> Curve | None:
    import msgspec

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        asked = (record.dataset.arrays, record.badnet_weights_hash)
        if (document["dataset"], document["badnet"]) != asked:
            return None
        return msgspec.convert(document["curve"], type=Curve)
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        return None
