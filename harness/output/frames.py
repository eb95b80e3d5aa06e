"""Results as pandas frames: numbers as they are, None where something is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.assessment.metrics import attack_success_rate, clean_accuracy

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from harness.lineage.pruning_curve import Curve
    from harness.ranking.competition import (
        CompetitionBoard,
        CompetitionRow,
        NetFigures,
        NetworkEntry,
    )
    from harness.records.board import Board
    from harness.records.record import Checkpoint, Record, SplitCounts
    from harness.records.submission import DryRun

_NETS = ("repaired", "goodnet")
_SPLITS = ("valid", "test")
_INTEGERS = (
    "rank", "channels_pruned", "images_lost", "images_needed", "margin_images",
    "checkpoints_passed", "checkpoints_required", "checkpoints_undecided", "clean_images",
    "backdoored_images",
)  # fmt: skip


def checkpoint_frame(records: Iterable[Record]) -> pd.DataFrame:
    """One line for each checkpoint of each record.

    Rates are fractions in [0, 1]. Images lost, needed and the margin are of the clean validation
    images: a net with a margin of -3 lacks three images to cross its X.
    """
    rows = [_checkpoint_row(record, each) for record in records for each in record.checkpoints]
    figures = [name for net in _NETS for name in _rates(net, None)]
    columns = ["submission", "drop_points", "required", "status", "verdict", "family", "file",
               "channels_pruned", "images_lost", "images_needed", "margin_images",
               *figures, "latency_ratio", "reason"]  # fmt: skip
    return _frame(rows, columns)


def _checkpoint_row(record: Record, checkpoint: Checkpoint) -> dict[str, Any]:
    artifact = checkpoint.artifact or checkpoint.goodnet_artifact
    crossing, timing = checkpoint.crossing, checkpoint.timing
    return {
        "submission": record.submission,
        "drop_points": checkpoint.drop_points,
        "required": checkpoint.required,
        "status": checkpoint.status.value,
        "verdict": checkpoint.verdict,
        "family": checkpoint.family,
        "file": artifact.path if artifact else None,
        "channels_pruned": checkpoint.channels_pruned,
        "images_lost": crossing.lost if crossing else None,
        "images_needed": crossing.needed if crossing else None,
        "margin_images": crossing.margin if crossing else None,
        **_rates("repaired", checkpoint.repaired),
        **_rates("goodnet", checkpoint.goodnet),
        "latency_ratio": timing.goodnet.latency_ratio if timing and timing.goodnet else None,
        "reason": checkpoint.reason,
    }


def _rates(net: str, counts: SplitCounts | None) -> dict[str, float | None]:
    """Clean accuracy and attack success rate of a net on both splits."""
    rates: dict[str, float | None] = {}
    for split in _SPLITS:
        own = getattr(counts, split) if counts else None
        rates[f"{net}_{split}_accuracy"] = clean_accuracy(own) if own else None
        rates[f"{net}_{split}_attack_success_rate"] = attack_success_rate(own) if own else None
    return rates


def board_frame(board: Board) -> pd.DataFrame:
    """One line for each submission, in the order of the leaderboard."""
    columns = ["rank", "submission", "status", "points", "pending", "checkpoints_passed",
               "checkpoints_required", "checkpoints_undecided", "quality",
               "defense_effectiveness", "reason"]  # fmt: skip
    rows = [{name: getattr(row, name) for name in columns} for row in board.rows]
    return _frame([row | {"status": row["status"].value} for row in rows], columns)


def competition_frame(board: CompetitionBoard) -> pd.DataFrame:
    """One line for each submission to a competition and each baseline, as on its leaderboard.

    ``quality_NAME`` is that of the entry for a BadNet.
    """
    columns = ["rank", "submission", "is_baseline", "status", "quality", "detection"]
    rows = []
    for row in board.rows:
        cells = {name: getattr(row, name) for name in columns} | {"status": row.status.value}
        cells |= {f"quality_{entry.network}": entry.quality for entry in row.entries}
        rows.append(cells | {"reason": row.reason})
    return _frame(rows, [*columns, *(f"quality_{name}" for name in board.networks), "reason"])


def entry_frame(rows: Iterable[CompetitionRow]) -> pd.DataFrame:
    """One line for each net (B', G) of each entry to a competition, or for an entry without any.

    Rates are fractions in [0, 1], of so many clean and backdoored images of test.
    """
    columns = ["submission", "network", "status", "family", "net", "counts_as_entry", "quality",
               "detection", "clean_images", "clean_accuracy", "backdoored_images",
               "attack_success_rate", "reason"]  # fmt: skip
    cells = [
        {"submission": row.submission, **figures}
        for row in rows
        for entry in row.entries
        for figures in _entry_rows(entry)
    ]
    return _frame(cells, columns)


def _entry_rows(entry: NetworkEntry) -> list[dict[str, Any]]:
    own = {
        "network": entry.network,
        "status": entry.status.value,
        "family": entry.family,
        "counts_as_entry": False,
        "reason": entry.reason,
    }
    nets = [net for net in (entry.alone, entry.composed) if net is not None]
    return [own | _net_cells(net, entry) for net in nets] or [own]


def _net_cells(net: NetFigures, entry: NetworkEntry) -> dict[str, Any]:
    return {
        "net": net.name,
        "counts_as_entry": net is entry.counted,
        "quality": net.quality,
        "detection": net.detection,
        "clean_images": net.counts.clean_total,
        "clean_accuracy": clean_accuracy(net.counts),
        "backdoored_images": net.counts.backdoored_total,
        "attack_success_rate": attack_success_rate(net.counts),
    }


def curve_frame(curve: Curve) -> pd.DataFrame:
    """The reference's pruning curve: one line for each number of channels pruned."""
    rows = [
        {
            "channels_pruned": step,
            "channel": curve.order[step - 1] if step else None,
            "clean_correct": correct,
            "clean_accuracy": correct / curve.clean_total,
            "attack_success_rate": attacked / curve.backdoored_total,
        }
        for step, (correct, attacked) in enumerate(
            zip(curve.clean_correct, curve.backdoored_attacked, strict=True)
        )
    ]
    return _frame(rows, list(rows[0])).astype({"channel": "Int64"})


def check_frame(found: DryRun) -> pd.DataFrame:
    """One line for each model file of a dry run."""
    columns = ["path", "role", "story", "usable"]
    rows = [{name: getattr(model, name) for name in columns} for model in found.models]
    return _frame(rows, columns)


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({name: "Int64" for name in _INTEGERS if name in columns})
