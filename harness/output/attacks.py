"""The table of a submission's figures by attack, where its benchmark names several; plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.statistics import wilson_interval
from harness.output.leaderboard.columns import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.record import AttackCounts, Record, SplitCounts

ATTACK_HEADINGS = (
    "X", "net", "split", "attack", "images", "ASR (95 %)", "TPR (95 %)", "invalid",
)  # fmt: skip


def attack_rows(record: Record) -> list[list[str]]:
    """Cells under ``ATTACK_HEADINGS``: every net on every split, attack by attack."""
    rows = list(_rows("", "B", record.badnet))
    for checkpoint in record.checkpoints:
        x = "?" if checkpoint.drop_points is None else f"{checkpoint.drop_points:g}"
        rows += _rows(x, "B'", checkpoint.repaired)
        rows += _rows(x, "G", checkpoint.goodnet)
    return rows


def _rows(x: str, net: str, counts: SplitCounts | None) -> Iterator[list[str]]:
    for split in ("valid", "test"):
        measured = getattr(counts, split) if counts else None
        for attack in measured.attacks if measured else ():
            yield [x, net, split, *_cells(net, attack)]


def _cells(net: str, attack: AttackCounts) -> list[str]:
    # Only G has the class N + 1 and can detect anything.
    detected = rate(attack.abstained, attack.total) if net == "G" else ABSENT
    return [
        attack.name,
        f"{attack.total:,}",
        rate(attack.attacked, attack.total),
        detected,
        f"{attack.invalid:,}",
    ]


def rate(hits: int, images: int) -> str:
    """A share in percent with its 95 % Wilson interval."""
    interval = wilson_interval(hits, images)
    if interval is None:
        return ABSENT
    return f"{100 * hits / images:.2f} ({100 * interval[0]:.2f}-{100 * interval[1]:.2f})"
