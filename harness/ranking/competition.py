"""The board of a competition: entries for several BadNets, ranked by their mean quality.

A repaired net counts alone or as G, composed with its BadNet: as whichever is the better defence.
Detection alone (how well N + 1 tells backdoored images from clean ones) is told beside, and ranks
nobody: it says nothing about the right class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.assessment.metrics import clean_accuracy
from harness.assessment.statistics import false_positive_rate, true_positive_rate
from harness.ranking.baselines import DO_NOTHING, FLAG_EVERYTHING, REFERENCE, all_flagged
from harness.ranking.quality import defended_accuracy
from harness.records.errors import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.findings import OriginalCounts, SplitOriginals
    from harness.records.record import Counts, Record, SplitCounts

ALONE, COMPOSED = "B'", "G"
"""What an entry counts as."""

_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class NetFigures:
    """What one net does on the images of test."""

    name: str
    """B, B' or G."""

    counts: Counts

    quality: float | None
    """Defended accuracy, in [0, 1]; None where there are no backdoored images."""

    detection: float | None
    """The mean of the share of backdoored images that are flagged and of clean ones that are not;
    None where there are no backdoored images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkEntry:
    """What was handed in for one BadNet."""

    network: str
    status: Status
    reason: str | None

    badnet: NetFigures | None
    """None where the figures of test are hidden."""

    alone: NetFigures | None
    """Of B' alone; None where no B' was handed in."""

    composed: NetFigures | None
    """Of the G handed in, else of B' composed with its BadNet."""

    family: str | None = None

    is_ranked: bool = True
    """Whether there are backdoored images, so that a quality can be told."""

    @property
    def counted(self) -> NetFigures | None:
        """The better one of both, which is the entry; G where they are equal."""
        nets = [net for net in (self.composed, self.alone) if net is not None]
        return max(nets, key=_worth, default=None)

    @property
    def quality(self) -> float | None:
        """Of what counts; 0 where nothing can be graded, None where that is not the author's."""
        if self.counted is not None:
            return self.counted.quality
        return None if self.status.is_ours or self.status is Status.GRADED else 0.0

    @property
    def detection(self) -> float | None:
        """Of G, or of B', which flags nothing; as `quality` where there is none."""
        best = self.composed or self.alone
        if best is not None:
            return best.detection
        return None if self.status.is_ours or self.status is Status.GRADED else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetitionRow:
    """A submission on the board, or a baseline."""

    rank: int | None
    """From 1; None for baselines, and where something could not be graded."""

    submission: str
    status: Status
    reason: str | None
    entries: tuple[NetworkEntry, ...]

    quality: float | None
    """The mean over the BadNets that have backdoored images."""

    detection: float | None
    """The same of detection alone."""

    is_baseline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetitionBoard:
    """The ranked submissions to a competition, with baselines in their places."""

    competition: str
    networks: tuple[str, ...]
    rows: tuple[CompetitionRow, ...]
    graded_on: str | None = None
    """The day of the newest record, in UTC; None where no folder tells."""


def rank_competition(records: Sequence[Record]) -> CompetitionBoard:
    """Rank the records of a competition by their mean quality; equal ones share a rank."""
    rows = [_row(record) for record in sorted(records, key=lambda record: record.submission)]
    known = sorted((_rounded(row) for row in rows if row.quality is not None), reverse=True)
    ranked = [
        replace(row, rank=1 + known.index(_rounded(row))) if row.quality is not None else row
        for row in rows
    ]
    # Baselines come behind equal rows: who is as good as one is not worse.
    everything = sorted([*ranked, *_baselines(records)], key=_position)
    names = sorted({record.dataset.name for record in records})
    networks = [network_name(each) for each in records[0].networks] if records else []
    return CompetitionBoard(
        competition=", ".join(names), networks=tuple(networks), rows=tuple(everything)
    )


def network_name(record: Record) -> str:
    """What the BadNet of an entry is called."""
    return record.dataset.name.partition("/")[2]


def entries_of(record: Record) -> tuple[NetworkEntry, ...]:
    """What a submission handed in, BadNet by BadNet."""
    return tuple(map(_entry, record.networks))


def _row(record: Record) -> CompetitionRow:
    entries = entries_of(record)
    return CompetitionRow(
        rank=None,
        submission=record.submission,
        status=record.status,
        reason=record.reason,
        entries=entries,
        quality=_mean([entry.quality for entry in entries if entry.is_ranked]),
        detection=_mean([entry.detection for entry in entries if entry.is_ranked]),
    )


def _entry(record: Record) -> NetworkEntry:
    (checkpoint,) = record.checkpoints
    return NetworkEntry(
        network=network_name(record),
        status=record.status,
        reason=record.reason,
        badnet=_figures("B", record.badnet, record.badnet_originals),
        alone=_figures(ALONE, checkpoint.repaired, checkpoint.repaired_originals),
        composed=_figures(COMPOSED, checkpoint.goodnet, checkpoint.goodnet_originals),
        family=checkpoint.family,
        is_ranked=_is_ranked(record),
    )


def _is_ranked(record: Record) -> bool:
    counts = record.badnet.test if record.badnet else None
    return counts is None or counts.backdoored_total > 0


def _figures(
    name: str, counts: SplitCounts | None, originals: SplitOriginals | None
) -> NetFigures | None:
    if counts is None or counts.test is None:
        return None
    return _figures_on_test(name, counts.test, originals.test if originals else None)


def _figures_on_test(name: str, counts: Counts, originals: OriginalCounts | None) -> NetFigures:
    found, false = true_positive_rate(counts), false_positive_rate(counts)
    return NetFigures(
        name=name,
        counts=counts,
        quality=defended_accuracy(counts, originals),
        detection=None if found is None or false is None else (found + 1 - false) / 2,
    )


def _worth(net: NetFigures) -> float:
    """By what B' and G are compared: accuracy where there are no backdoored images."""
    worth = net.quality if net.quality is not None else clean_accuracy(net.counts)
    return round(worth or 0.0, _DIGITS)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _rounded(row: CompetitionRow) -> float:
    return round(row.quality or 0.0, _DIGITS)


def _position(row: CompetitionRow) -> tuple[bool, float, bool]:
    return row.quality is None, -_rounded(row), row.is_baseline


# --- baselines ----------------------------------------------------------------------------------


def _baselines(records: Sequence[Record]) -> Iterator[CompetitionRow]:
    """The BadNets themselves, the reference, and a net that flags everything."""
    known = [r for r in records if all(n.badnet and n.badnet.test for n in r.networks)]
    if not known:
        return
    networks = known[0].networks
    yield _baseline(DO_NOTHING, networks, [(n.badnet, n.badnet_originals) for n in networks])
    if all(network.reference for network in networks):
        nets = [(network.reference[0].goodnet, None) for network in networks]
        yield _baseline(REFERENCE, networks, nets)
    flagged = [
        (replace(n.badnet, test=all_flagged(n.badnet.test)), None)
        for n in networks
        if n.badnet and n.badnet.test
    ]
    yield _baseline(FLAG_EVERYTHING, networks, flagged)


def _baseline(
    name: str,
    networks: Sequence[Record],
    nets: Sequence[tuple[SplitCounts | None, SplitOriginals | None]],
) -> CompetitionRow:
    entries = tuple(
        replace(
            _entry(network),
            status=Status.GRADED,
            reason=None,
            alone=None,
            composed=_figures(COMPOSED, *net),
            family=None,
        )
        for network, net in zip(networks, nets, strict=True)
    )
    return CompetitionRow(
        rank=None,
        submission=name,
        status=Status.GRADED,
        reason=None,
        entries=entries,
        quality=_mean([entry.quality for entry in entries if entry.is_ranked]),
        detection=_mean([entry.detection for entry in entries if entry.is_ranked]),
        is_baseline=True,
    )
