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
    """The pruning sweep of one BadNet on the validation sets."""

    order: tuple[int, ...]
    """The 60 channels as they are pruned."""

    clean_total: int

    clean_correct: tuple[int, ...]
    """Clean images that are right with 0, 1, ... 60 channels pruned."""

    backdoored_total: int

    backdoored_attacked: tuple[int, ...]
    """Backdoored images that get the target label with 0, 1, ... 60 channels pruned."""

    def first_crossing(self, drop_points: float) -> int | None:
        """Number of channels pruned when the drop is first at least ``drop_points``."""
        return first_crossing(self.clean_correct, self.clean_total, drop_points)


def reference_curve(results: Path, record: Record) -> Curve | None:
    """The reference's curve for a record's BadNet and data, as it lies in the results folder.

    None where there is none; a damaged file is one that is not there, since the next grading
    makes it anew.
    """
    for path in sorted((results / "reference").glob("*.json")):
        curve = _read_curve(path, record)
        if curve is not None:
            return curve
    return None


def _read_curve(path: Path, record: Record) -> Curve | None:
    import msgspec

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        source = (document["dataset"], document["badnet"])
        if source != (record.dataset.arrays, record.badnet_weights_hash):
            return None
        return msgspec.convert(document["curve"], type=Curve)
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        return None
