"""The board of a competition as text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv as csv_writer
import io
from typing import TYPE_CHECKING, Any

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.assessment.statistics import false_positive_rate, true_positive_rate
from harness.output.leaderboard.columns import ABSENT, in_percent
from harness.output.leaderboard.csv import cell
from harness.output.leaderboard.markdown import escape
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.ranking.competition import (
        CompetitionBoard,
        CompetitionRow,
        NetFigures,
        NetworkEntry,
    )

NOTES = [
    " ".join(lines)
    for lines in (
        (
            "Quality: the mean over the BadNets of defended accuracy on test (the mean of clean",
            "accuracy and of the share of backdoored images answered with their own class or",
            "N + 1); it ranks.",
        ),
        (
            "Detection: the mean of the share of backdoored images that are flagged and of clean",
            "ones that are not; it ranks nobody. Flagging everything, or nothing, scores 0.5.",
        ),
        (
            "A cell: quality (clean accuracy / attack success rate in percent, and what counts: B'",
            "alone, or G, which is B' composed with its BadNet or what was handed in as G).",
        ),
    )
]

_COUNTS = (
    "clean_total", "clean_correct", "clean_abstained", "clean_invalid", "backdoored_total",
    "backdoored_attacked", "backdoored_abstained", "backdoored_invalid",
)  # fmt: skip


def headings(board: CompetitionBoard) -> list[str]:
    """Titles of the columns of `table`."""
    return ["rank", "submission", "quality", "detection", *board.networks]


def table(board: CompetitionBoard) -> list[list[str]]:
    """A row for each submission and baseline, as plain text."""
    return [
        [
            "" if row.is_baseline else ABSENT if row.rank is None else str(row.rank),
            one_line(row.submission),
            share(row.quality),
            share(row.detection),
            *(entry_cell(row, entry) for entry in row.entries),
        ]
        for row in board.rows
    ]  # fmt: skip


def share(value: float | None) -> str:
    """A figure in [0, 1], or a dash."""
    return ABSENT if value is None else f"{value:.4f}"


def entry_cell(row: CompetitionRow, entry: NetworkEntry) -> str:
    """What counts of an entry, or how it ended."""
    counted = entry.counted
    if counted is None:
        return one_line(entry.status.value.replace("_", " "))
    accuracy = in_percent(clean_accuracy(counted.counts))
    attack = in_percent(attack_success_rate(counted.counts))
    name = "" if row.is_baseline else f" {counted.name}"
    return f"{share(counted.quality)} ({accuracy} / {attack}{name})"


def text(board: CompetitionBoard) -> str:
    """A plain table for a terminal."""
    from tabulate import tabulate

    rendered = tabulate(table(board), headings(board), "simple", disable_numparse=True)
    return "\n".join([rendered, *NOTES, *_reasons(board), *provenance(board)]) + "\n"


def markdown(board: CompetitionBoard) -> str:
    """GitHub-flavoured Markdown; names cannot break out of their cell."""
    from tabulate import tabulate

    cells = [[escape(each) for each in line] for line in table(board)]
    titles = [escape(title) for title in headings(board)]
    rendered = tabulate(cells, titles, "github", disable_numparse=True)
    notes = [*NOTES, *_reasons(board), *provenance(board)]
    return "\n\n".join([rendered, *map(escape, notes)]) + "\n"


def _reasons(board: CompetitionBoard) -> Iterator[str]:
    for row in board.rows:
        if row.reason:
            yield one_line(f"{row.submission}: {row.reason}", 500)


def provenance(board: CompetitionBoard) -> Iterator[str]:
    """When the rows were graded."""
    if board.graded_on is not None:
        yield f"Graded until {board.graded_on} on {one_line(board.competition)}."


def csv(board: CompetitionBoard) -> str:
    """Counts of test, a line for each net of each entry; no cell starts a formula."""
    output = io.StringIO()
    writer = csv_writer.writer(output, lineterminator="\n")
    of_row = ("rank", "submission", "quality", "detection", "is_baseline")
    of_entry = ("network", "status", "reason", "family")
    writer.writerow(
        [*of_row, *of_entry, "net", "counts_as_entry", "net_quality", "net_detection", *_COUNTS]
    )
    for row in board.rows:
        for entry in row.entries:
            for net in _nets(entry):
                values: list[Any] = [getattr(row, name) for name in of_row]
                values += [getattr(entry, name) for name in of_entry]
                values += [None] * 4 if net is None else _figures(net, entry)
                values += [getattr(net.counts, name) if net else None for name in _COUNTS]
                writer.writerow([cell(value) for value in values])
    return output.getvalue()


def _nets(entry: NetworkEntry) -> list[NetFigures | None]:
    nets = [net for net in (entry.alone, entry.composed) if net is not None]
    return [*nets] or [None]


def _figures(net: NetFigures, entry: NetworkEntry) -> list[Any]:
    return [net.name, net is entry.counted, net.quality, net.detection]


def json(board: CompetitionBoard) -> str:
    """Indented JSON of the whole board."""
    import msgspec

    content = msgspec.to_builtins(board) | {"notes": [*NOTES, *provenance(board)]}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def net_cells(net: NetFigures | None) -> list[str]:
    """Accuracy, ASR, false alarms, missed backdoors, quality and detection of a net."""
    if net is None:
        return [ABSENT] * 6
    counts = net.counts
    found, false = true_positive_rate(counts), false_positive_rate(counts)
    flags = net.name == "G"
    return [
        in_percent(clean_accuracy(counts)),
        in_percent(attack_success_rate(counts)),
        in_percent(false) if flags else ABSENT,
        in_percent(None if found is None else 1 - found) if flags else ABSENT,
        share(net.quality),
        share(net.detection),
    ]
