"""The figures of every net of a record as cells: in short, and with intervals and all rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.metrics import attack_success_rate, clean_accuracy, defense_effectiveness
from harness.assessment.statistics import (
    false_positive_rate,
    other_attack_success_rate,
    robust_accuracy,
    true_positive_rate,
)
from harness.output.attacks import rate
from harness.output.leaderboard.columns import ABSENT, in_percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.findings import OriginalCounts, SplitOriginals
    from harness.records.record import Counts, Record, SplitCounts

SHORT_HEADINGS = ("X", "net", "images", "clean accuracy", "ASR", "false alarms", "missed")
NET_HEADINGS = (
    "X", "net", "split", "clean accuracy (95 %)", "ASR (95 %)", "TPR (95 %)", "FPR (95 %)", "RA",
    "ASR other", "DER",
)  # fmt: skip
_IMAGES = {"valid": "validation", "test": "test"}


def short_rows(record: Record) -> list[list[str]]:
    """Cells under ``SHORT_HEADINGS``: what decides, in percent."""
    rows = []
    for net in _nets(record):
        for split, images in _IMAGES.items():
            counts: Counts | None = getattr(net.counts, split) if net.counts else None
            if counts is not None:
                accuracy, attack = clean_accuracy(counts), attack_success_rate(counts)
                cells = [in_percent(accuracy), in_percent(attack), *_alarms(net.name, counts)]
                rows.append([net.x, net.name, images, *cells])
    return rows


def _alarms(net: str, counts: Counts) -> list[str]:
    """False alarms and missed backdoors of G; the other nets raise no alarm."""
    found, false = true_positive_rate(counts), false_positive_rate(counts)
    if net != "G" or found is None or false is None:
        return [ABSENT, ABSENT]
    return [in_percent(false), in_percent(1 - found)]


def net_rows(record: Record) -> list[list[str]]:
    """Cells under ``NET_HEADINGS``: every net on every split that was measured."""
    return [row for net in _nets(record) for row in _rows(net, record)]


def _nets(record: Record) -> list[_Net]:
    """The BadNet, and B' and G of every checkpoint."""
    nets = [_Net(x="", name="B", counts=record.badnet, originals=record.badnet_originals)]
    for c in record.checkpoints:
        x = "?" if c.drop_points is None else f"{c.drop_points:g}"
        nets += [
            _Net(x=x, name="B'", counts=c.repaired, originals=c.repaired_originals),
            _Net(x=x, name="G", counts=c.goodnet, originals=c.goodnet_originals),
        ]
    return nets


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
