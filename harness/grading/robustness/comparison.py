"""Stored points of robustness against those of a second run, for the proof of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.records.findings import Robustness
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.records.findings import ReactivationPoint, RobustnessPoint


def verdict_line(what: str, stored: object, again: object) -> tuple[str, bool]:
    """Whether two things are the same, in words and as the answer."""
    equal = stored == again
    verdict = "the same" if equal else f"DIFFERENT: stored {stored}, now {again}"
    return one_line(f"{what}: {verdict}"), equal


def compare_robustness(stored: Robustness, again: Robustness | None) -> Iterator[tuple[str, bool]]:
    """A line for each kind of change; where points differ, one for each of these."""
    other = again or Robustness(points=())
    for kind in dict.fromkeys(point.kind for point in (*stored.points, *other.points)):
        own = {_point(each): _counts(each) for each in stored.points if each.kind == kind}
        now = {_point(each): _counts(each) for each in other.points if each.kind == kind}
        yield from _compare_points(f"robustness, {kind}", own, now)
    own = {_step(each): _step_counts(each) for each in stored.reactivation}
    now = {_step(each): _step_counts(each) for each in other.reactivation}
    if own or now:
        yield from _compare_points("robustness, re-activation", own, now)
    if stored.unmeasured or other.unmeasured:
        yield verdict_line("robustness, not measured", stored.unmeasured, other.unmeasured)


def _compare_points(
    what: str, stored: Mapping[str, object], again: Mapping[str, object]
) -> Iterator[tuple[str, bool]]:
    names = dict.fromkeys((*stored, *again))
    differing = [name for name in names if stored.get(name) != again.get(name)]
    if not differing:
        yield f"{what}: {len(stored)} points: the same", True
    for name in differing:
        yield verdict_line(f"{what}, {name}", stored.get(name), again.get(name))


def _point(point: RobustnessPoint) -> str:
    return f"{point.level:g} {point.unit}, {point.net}, {checkpoint_name(point.drop_points)}"


def _counts(point: RobustnessPoint) -> tuple[object, ...]:
    counts = (point.attacked, point.abstained, point.invalid, point.total)
    return (*counts, point.images, point.predictions)


def _step(point: ReactivationPoint) -> str:
    return f"step {point.step}, {checkpoint_name(point.drop_points)}"


def _step_counts(point: ReactivationPoint) -> tuple[object, ...]:
    counts = (point.attacked, point.total, point.clean_correct, point.clean_total)
    return (*counts, point.images, point.clean_images)
