"""How far a repair holds, in words, tables and curves: from the points in records, pure."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.output.leaderboard.columns import ABSENT
from harness.records.text import disarm_formula, one_line
from harness.records.traversal import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.records.findings import ReactivationPoint, Robustness, RobustnessPoint
    from harness.records.record import Record

REACTIVATION = "re-activation"
CSV_NAME = "robustness.csv"
CSV_BEGINS = "submission,kind,level"
_NETS = {"badnet": "B", "repaired": "B'", "goodnet": "G"}
_COLUMNS = (
    "submission", "kind", "level", "unit", "own_trigger", "net", "x", "images", "attacked",
    "abstained", "invalid", "attack_success_rate", "clean_accuracy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Curve:
    """One net over all levels of a kind."""

    net: str
    """B, B' or G."""

    drop_points: float | None
    values: tuple[float | None, ...]
    """Attack success rate at each level, a fraction."""

    tells_x: bool = True
    """Whether there are nets of several X, or of one that is known."""

    @property
    def label(self) -> str:
        """The net with its X."""
        if self.net == "B" or not self.tells_x:
            return self.net
        return f"{self.net}, {checkpoint_name(self.drop_points)}"


@dataclass(frozen=True, slots=True)
class Panel:
    """One kind of change: what a small plot of its own shows."""

    kind: str
    unit: str
    levels: tuple[str, ...]
    own: str | None
    """The level of the trigger as it was trained, or of a net as it was handed in."""

    curves: tuple[Curve, ...]

    @property
    def title(self) -> str:
        """The kind with the unit of its levels."""
        return f"{self.kind} ({self.unit})" if self.unit else self.kind


def panels(found: Robustness) -> list[Panel]:
    """A panel for each kind of change, and one for re-activation where that was measured."""
    by_kind: dict[str, list[RobustnessPoint]] = {}
    for point in found.points:
        by_kind.setdefault(point.kind, []).append(point)
    shown = [_panel(kind, points) for kind, points in by_kind.items()]
    if found.reactivation:
        shown.append(_reactivation_panel(found))
    if any(curve.drop_points is not None for panel in shown for curve in panel.curves):
        return shown
    return [
        replace(panel, curves=tuple(replace(curve, tells_x=False) for curve in panel.curves))
        for panel in shown
    ]


def _panel(kind: str, points: Sequence[RobustnessPoint]) -> Panel:
    levels = list(dict.fromkeys(point.level for point in points))
    own = next((f"{point.level:g}" for point in points if point.own), None)
    values = {(p.net, p.drop_points, p.level): _share(p.attacked, p.total) for p in points}
    nets = dict.fromkeys((point.net, point.drop_points) for point in points)
    curves = [
        Curve(_NETS[net], x, tuple(values.get((net, x, level)) for level in levels))
        for net, x in nets
    ]
    return Panel(kind, points[0].unit, tuple(f"{each:g}" for each in levels), own, tuple(curves))


def _reactivation_panel(found: Robustness) -> Panel:
    steps = list(dict.fromkeys(point.step for point in found.reactivation))
    values = {(p.drop_points, p.step): _share(p.attacked, p.total) for p in found.reactivation}
    nets = dict.fromkeys(point.drop_points for point in found.reactivation)
    curves = [Curve("B'", x, tuple(values.get((x, step)) for step in steps)) for x in nets]
    ceiling = next((p for p in found.points if p.own and p.net == "badnet"), None)
    if ceiling is not None:
        share = _share(ceiling.attacked, ceiling.total)
        curves.insert(0, Curve("B", None, (share,) * len(steps)))
    return Panel(REACTIVATION, "steps", tuple(map(str, steps)), "0", tuple(curves))


def _share(hits: int, total: int) -> float | None:
    return hits / total if total else None


# --- tables and lines -----------------------------------------------------------------------------


def table_of(panel: Panel) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a panel: a row for each net, a column for each level, in percent."""
    headings = ["net"]
    for level in panel.levels:
        own = f" ({_own_words(panel)})" if level == panel.own else ""
        headings.append(f"{level}{own}")
    rows = [[curve.label, *map(_percent, curve.values)] for curve in panel.curves]
    return headings, rows


def accuracy_rows(found: Robustness) -> tuple[list[str], list[list[str]]]:
    """Clean accuracy of each B' over the steps of re-activation, in percent."""
    steps = list(dict.fromkeys(point.step for point in found.reactivation))
    values = {
        (p.drop_points, p.step): _share(p.clean_correct, p.clean_total) for p in found.reactivation
    }
    nets = dict.fromkeys(point.drop_points for point in found.reactivation)
    rows = [
        [f"B', {checkpoint_name(x)}", *(_percent(values.get((x, step))) for step in steps)]
        for x in nets
    ]
    return ["net", *(f"{step} steps" for step in steps)], rows


def with_unit(level: str, unit: str) -> str:
    """A level as people write it: ``50 %``, ``1 pixel``, ``quality 70``."""
    if unit == "quality":
        return f"{unit} {level}"
    singular = level == "1" and unit.endswith("s")
    return f"{level} {unit[:-1] if singular else unit}".strip()


def _own_words(panel: Panel) -> str:
    return "as handed in" if panel.kind == REACTIVATION else "as trained"


def _percent(share: float | None) -> str:
    return ABSENT if share is None else f"{100 * share:.1f}"


@dataclass(frozen=True, slots=True)
class _Worst:
    """Where one of the nets of a panel lets most attacks through."""

    curve: Curve
    share: float
    level: str

    own: float | None
    """What it lets through of the trigger as it was trained."""


def worst_lines(found: Robustness) -> Iterator[str]:
    """For each kind the changed level at which B' and G let most through; then what is missing."""
    for panel in panels(found):
        parts = []
        for worst in filter(None, (_worst(panel, net) for net in ("B'", "G", "B"))):
            level = f"at {with_unit(worst.level, panel.unit)}"
            own = "" if worst.own is None else f", {_own_words(panel)} {_percent(worst.own)} %"
            if worst.curve.net == "B" and panel.kind == REACTIVATION:
                level, own = "", ""  # it is not fine-tuned
            told = f"{worst.curve.label}: {_percent(worst.share)} % {level}".strip()
            parts.append(f"{told}{own}")
        if parts:
            yield f"{panel.kind}: {'; '.join(parts)}"
    yield from (f"not measured: {each}" for each in found.unmeasured)


def _worst(panel: Panel, net: str) -> _Worst | None:
    """Of all nets of this kind; None where none was measured on a changed level."""
    found = [
        (share, curve, level)
        for curve in panel.curves
        if curve.net == net
        for level, share in zip(panel.levels, curve.values, strict=True)
        if share is not None and level != panel.own
    ]
    if not found:
        return None
    share, curve, level = max(found, key=lambda each: each[0])
    own = curve.values[panel.levels.index(panel.own)] if panel.own is not None else None
    return _Worst(curve, share, level, own)


def summary_line(record: Record) -> str | None:
    """The worst of all for B' and G on one line; None where robustness was not measured."""
    if record.robustness is None:
        return None
    told = worst_of_all(record.robustness, "explain")
    return one_line(f"{record.submission}: worst ASR on changed triggers: {told}")


def worst_of_all(found: Robustness, reasons: str) -> str:
    """Where B' and G let most attacks through; ``reasons`` tells what was not measured, and why."""
    shown, parts = panels(found), []
    for net in ("B'", "G"):
        each_kind = [(_worst(panel, net), panel) for panel in shown]
        known = [(worst, panel) for worst, panel in each_kind if worst is not None]
        if known:
            worst, panel = max(known, key=lambda each: each[0].share)
            level = with_unit(worst.level, panel.unit)
            parts.append(f"{net} {_percent(worst.share)} % ({panel.kind}, {level})")
    if found.unmeasured:
        parts.append(f"{len(found.unmeasured)} not measured, see {reasons}")
    return "; ".join(parts) or "no net to measure"


# --- the file -------------------------------------------------------------------------------------


def csv_text(measured: Iterable[tuple[str, Robustness | None]]) -> str | None:
    """A row for each point of all submissions, by name; None where robustness was not measured."""
    rows = [row for name, found in measured if found for row in _csv_rows(name, found)]
    if not rows:
        return None
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    return file.getvalue()


def _csv_rows(submission: str, found: Robustness) -> Iterator[list[object]]:
    name = disarm_formula(one_line(submission))
    for point in found.points:
        yield [
            name, disarm_formula(point.kind), f"{point.level:g}", disarm_formula(point.unit),
            "yes" if point.own else "no", _NETS[point.net], _x(point.drop_points), point.total,
            point.attacked, point.abstained, point.invalid,
            _fraction(point.attacked, point.total), "",
        ]  # fmt: skip
    for step in found.reactivation:
        yield _reactivation_row(name, step)


def _reactivation_row(name: str, point: ReactivationPoint) -> list[object]:
    return [
        name, REACTIVATION, point.step, "steps", "yes", "B'", _x(point.drop_points), point.total,
        point.attacked, "", "", _fraction(point.attacked, point.total),
        _fraction(point.clean_correct, point.clean_total),
    ]  # fmt: skip


def _x(drop_points: float | None) -> str:
    return "" if drop_points is None else f"{drop_points:g}"


def _fraction(hits: int, total: int) -> str:
    share = _share(hits, total)
    return "" if share is None else f"{share:.6f}"
