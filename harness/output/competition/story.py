"""What ``explain`` prints of a submission to a competition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.attacks import rate
from harness.output.competition.boards import net_cells, share
from harness.output.leaderboard.columns import ABSENT
from harness.ranking.competition import COMPOSED, entries_of, network_name, rank_competition
from harness.records.errors import Status
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.ranking.competition import NetworkEntry
    from harness.records.record import AttackCounts, Record

NET_HEADINGS = (
    "BadNet", "net", "clean accuracy", "ASR", "false alarms", "missed", "quality", "detection",
    "counts",
)  # fmt: skip
TRIGGER_HEADINGS = ("BadNet", "net", "trigger", "images", "ASR (95 %)", "flagged (95 %)", "shown")


def competition_story(record: Record) -> str:
    """All sections as text; nothing from a submission can break out of its line."""
    sections = [
        list(summary_lines(record)),
        ["What to do", *(f"  {line}" for line in advice(record))],
        ["Figures on test, in percent", *_table(net_rows(record), NET_HEADINGS)],
        ["Trigger by trigger", *_table(trigger_rows(record), TRIGGER_HEADINGS)],
    ]
    shown = [[one_line(line) for line in lines] for lines in sections if len(lines) > 1]
    return "\n\n".join("\n".join(lines) for lines in shown) + "\n"


def summary_lines(record: Record) -> Iterator[str]:
    """The score, how it ended, and what was noted."""
    row = next(r for r in rank_competition([record]).rows if not r.is_baseline)
    yield f"{record.submission}: quality {share(row.quality)}, detection {share(row.detection)}"
    ended = "graded" if record.status is Status.GRADED else record.status.value.replace("_", " ")
    yield f"  {ended} on {record.dataset.name}, {len(record.networks)} BadNets"
    if record.hidden:
        yield f"  hidden in this view: {', '.join(record.hidden)}"
    for note in record.notes:
        yield f"  note: {note}"


def advice(record: Record) -> list[str]:
    """What would help most, BadNet by BadNet."""
    lines = [line for entry in entries_of(record) for line in _advice(entry)]
    return lines or ["nothing: every BadNet has an entry that is better than the BadNet itself"]


def _advice(entry: NetworkEntry) -> Iterator[str]:
    if entry.reason:
        yield f"{entry.network}: {entry.reason}"
    counted, badnet = entry.counted, entry.badnet
    if counted is None or badnet is None or counted.quality is None or badnet.quality is None:
        return
    if counted.quality <= badnet.quality:
        yield (
            f"{entry.network}: no better than the BadNet itself (quality {share(badnet.quality)}); "
            "what backdoored images are stopped costs as many clean ones"
        )


def net_rows(record: Record) -> list[list[str]]:
    """Cells under `NET_HEADINGS`: every net of every entry."""
    rows = []
    for entry in entries_of(record):
        for net in (entry.badnet, entry.alone, entry.composed):
            if net is not None:
                counts = "entry" if net is entry.counted else ""
                rows.append([entry.network, net.name, *net_cells(net), counts])
    return rows


def trigger_rows(record: Record) -> list[list[str]]:
    """Cells under `TRIGGER_HEADINGS`: what counts of each entry, trigger by trigger."""
    rows = []
    for member, entry in zip(record.networks, entries_of(record), strict=True):
        counted = entry.counted
        for attack in counted.counts.attacks if counted else ():
            cells = _attack_cells(attack, flags=counted is not None and counted.name == COMPOSED)
            rows.append([network_name(member), counted.name if counted else ABSENT, *cells])
    return rows


def _attack_cells(attack: AttackCounts, *, flags: bool) -> list[str]:
    return [
        attack.name,
        f"{attack.total:,}",
        rate(attack.attacked, attack.total),
        rate(attack.abstained, attack.total) if flags else ABSENT,
        "held out" if attack.held_out else "yes",
    ]


def _table(rows: list[list[str]], headings: Sequence[str]) -> list[str]:
    from tabulate import tabulate

    if not rows:
        return []
    cells = [[one_line(cell) for cell in row] for row in rows]
    return tabulate(cells, headings, "simple", disable_numparse=True).splitlines()
