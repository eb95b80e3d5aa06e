"""Cells of the benchmark of defences by hand: records of a small zoo, and boards of them."""

from dataclasses import replace

from harness.records.benchmark import CompetingNetwork, Competition
from harness.records.errors import Status
from harness.records.findings import OriginalCounts, SplitOriginals
from harness.records.record import (
    SCHEMA_VERSION,
    Artifact,
    Checkpoint,
    Counts,
    DatasetIdentity,
    Record,
    Repair,
    SplitCounts,
)

IMAGES = 200
BADNET = (196, 190, 4)
"""What the BadNet gets right of the clean images, gives to the attack, and gets right of those."""


def zoo(*attacks, seeds=3, title="Digits: a zoo"):
    networks = tuple(
        CompetingNetwork(name=f"{attack}-{seed}", attack=attack, seed=seed, badnet="b.keras")
        for attack in attacks
        for seed in range(seeds)
    )
    return Competition(
        schema_version=1, name="digits-zoo", title=title, classes=10, networks=networks
    )


def counted(correct, attacked, robust, flagged=0, images=IMAGES):
    """Counts of test, and those by true class."""
    counts = Counts(
        clean_total=images, clean_correct=correct, clean_abstained=0, clean_invalid=0,
        backdoored_total=images, backdoored_attacked=attacked, backdoored_abstained=flagged,
        backdoored_invalid=0,
    )  # fmt: skip
    originals = OriginalCounts(backdoored_total=images, robust_correct=robust,
                               other_total=images, other_attacked=attacked)  # fmt: skip
    return SplitCounts(valid=counts, test=counts), SplitOriginals(valid=None, test=originals)


def cell(defence, network, *figures, badnet=BADNET, seconds=2.5, flagged=0, detector=False):
    """The record of a cell; ``figures`` are counts as in `BADNET`."""
    counts, originals = counted(*figures, flagged=flagged)
    net = "goodnet" if detector else "repaired"
    artifact = Artifact(path="r.npz", sha256="0", size_bytes=1, format="npz", role=net,
                        weights_hash=None)  # fmt: skip
    checkpoint = Checkpoint(
        drop_points=None, required=True, status=Status.GRADED, reason=None,
        artifact=None if detector else artifact, goodnet_artifact=artifact if detector else None,
        **{net: counts, f"{net}_originals": originals},
    )  # fmt: skip
    cost = Repair(wall_seconds=seconds, cpu_seconds=2 * seconds, peak_bytes=600 << 20, images=500,
                  budget_seconds=60.0, left="state" if detector else "network",
                  left_bytes=40_000)  # fmt: skip
    return _record(defence, network, checkpoint, badnet, repair=cost)


def failed(defence, network, reason="it took more than 60 s", status=Status.TIMED_OUT,
           badnet=BADNET):  # fmt: skip
    checkpoint = Checkpoint(drop_points=None, required=True, status=status, reason=reason,
                            artifact=None, goodnet_artifact=None)  # fmt: skip
    return _record(defence, network, checkpoint, badnet)


def _record(defence, network, checkpoint, badnet, repair=None):
    counts, originals = counted(*badnet) if badnet else (None, None)
    return Record(
        schema_version=SCHEMA_VERSION, submission=f"{defence}@{network}", status=checkpoint.status,
        reason=checkpoint.reason, dataset=DatasetIdentity(name=f"digits-zoo/{network}", arrays={}),
        badnet=counts, badnet_originals=originals, badnet_weights_hash=None,
        checkpoints=(checkpoint,), checks=(), notes=(), environment={}, repair=repair,
    )  # fmt: skip


def run(defence, drawn, *figures, **others):
    """A cell on every BadNet of a zoo, each a little worse than the one before."""
    correct, attacked, robust = figures
    return [
        cell(
            defence,
            network.name,
            correct - 2 * seed,
            attacked + seed,
            max(0, robust - seed),
            **others,
        )
        for seed, network in enumerate(drawn.networks)
    ]


def with_steady_intervals(board):
    """The board with intervals that no random number has a part in."""

    def steady(group):
        widened = {
            metric: found and replace(found, low=found.mean / 2, high=(found.mean + 1) / 2)
            for metric, found in group.estimates.items()
        }
        return replace(group, estimates=widened)

    rows = [
        replace(
            row,
            overall=steady(row.overall),
            by_attack={attack: steady(group) for attack, group in row.by_attack.items()},
        )
        for row in board.rows
    ]
    return replace(board, rows=tuple(rows))
