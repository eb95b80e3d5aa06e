"""Stated figures against measured ones, in images, and the slips that explain a difference.

Stated figures are a student's claims or a benchmark's published results. A fraction that is
given to d digits stands for everything that rounds to it; on top of that, the tolerance in
images says what another machine may count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING

from harness.records.findings import Comparison

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.records.benchmark import Benchmark, Published
    from harness.records.record import Counts, Record, SplitCounts
    from harness.records.submission import Claim

    MeasuredCounts = Mapping["_Net", Counts]

FIGURES = ("clean_accuracy", "attack_success_rate")
MIN_DIGITS = 3
"""A figure is read to a tenth of a percent at least: 0.9 may be a rounded 0.900."""

WHOLE_DIGITS = 4
"""0 and 1 are read as 0.00 % and 100.00 %."""

_OTHER_SPLIT = {"valid": "test", "test": "valid"}
_OTHER_FIGURE = dict(zip(FIGURES, reversed(FIGURES), strict=True))
_DEFENDED_NETS = {"repaired": "B-prime", "goodnet": "G"}


@dataclass(frozen=True, slots=True)
class _Net:
    """Which net on which split."""

    net: str
    """badnet, repaired or goodnet."""

    drop_points: float | None
    """The net's X; None for the BadNet."""

    split: str
    """valid or test."""


@dataclass(frozen=True, slots=True)
class _Stated:
    """Figures that belong together, and the net they are said to be of."""

    net: _Net

    figures: Mapping[str, float]
    """Fractions by the names in `FIGURES`."""


def claim_comparisons(record: Record, tolerance: int) -> tuple[Comparison, ...]:
    """Every claimed figure of a submission against the measured one."""
    measured = _measured_counts(record)
    comparisons: list[Comparison] = []
    for claim in record.claimed:
        stated = _stated(claim)
        reason = _reason_not_to_compare(record, claim, measured)
        if not reason and not all(0 <= value <= 1 for value in stated.figures.values()):
            reason = "a figure is a fraction between 0 and 1: 0.9574 for 95.74 %"

        if reason:
            comparisons += _without_measurement(stated, reason)
        else:
            comparisons += _compare(stated, measured, tolerance)
    return tuple(comparisons)


def published_comparisons(
    record: Record, benchmark: Benchmark | None, tolerance: int
) -> tuple[Comparison, ...]:
    """A benchmark's published figures against the measured ones, where the data is the real one.

    The data counts as real when the sets have the published sizes and its BadNet scores the
    published counts. Of two pruning families, the one that the submission follows is taken.
    """
    if benchmark is None or not _is_published_data(record.badnet, benchmark, tolerance):
        return ()

    # The conv_3 family is published only where it differs from pool_3's, so it comes on top.
    family = "conv_3" if (record.pruning_order or "").startswith("conv_3") else "pool_3"
    figures: dict[_Net, _Stated] = {}
    for ranking in ("pool_3", family):
        for published in benchmark.published:
            if published.ranking == ranking:
                stated = _stated(published)
                figures[stated.net] = stated

    measured = _measured_counts(record)
    comparisons: list[Comparison] = []
    for net, stated in figures.items():
        if net in measured:
            comparisons += _compare(stated, measured, tolerance)
    return tuple(comparisons)


def agree(stated: float, hits: int, total: int, tolerance: int) -> bool:
    """Whether a stated fraction is ``hits`` of ``total``, within rounding and the tolerance."""
    written = Fraction(repr(stated))
    digits = max(_digits(stated), MIN_DIGITS if stated % 1 else WHOLE_DIGITS)
    half_unit = Fraction(1, 2 * 10**digits)
    return abs(written * total - hits) <= tolerance + half_unit * total


def _digits(value: float) -> int:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


# --- what is stated, what was measured --------------------------------------------------------


def _stated(source: Claim | Published) -> _Stated:
    values = {figure: getattr(source, figure) for figure in FIGURES}
    return _Stated(
        net=_Net(source.net, source.drop_points, source.split),
        figures={figure: value for figure, value in values.items() if value is not None},
    )


def _measured_counts(record: Record) -> MeasuredCounts:
    nets: list[tuple[str, float | None, SplitCounts | None]] = [("badnet", None, record.badnet)]
    for checkpoint in record.checkpoints:
        nets.append(("repaired", checkpoint.drop_points, checkpoint.repaired))
        nets.append(("goodnet", checkpoint.drop_points, checkpoint.goodnet))

    measured = {}
    for net, points, counts in nets:
        if counts is None:
            continue
        measured[_Net(net, points, "valid")] = counts.valid
        if counts.test is not None:
            measured[_Net(net, points, "test")] = counts.test
    return measured


def _hits(counts: Counts, figure: str) -> tuple[int, int]:
    """The images that a figure counts, and of how many."""
    if figure == "clean_accuracy":
        return counts.clean_correct, counts.clean_total
    return counts.backdoored_attacked, counts.backdoored_total


def _is_published_data(badnet: SplitCounts | None, benchmark: Benchmark, tolerance: int) -> bool:
    if badnet is None or badnet.test is None or not benchmark.badnet_counts:
        return False

    measured = {
        "valid": _hits(badnet.valid, "clean_accuracy"),
        "test": _hits(badnet.test, "clean_accuracy"),
        "bd_valid": _hits(badnet.valid, "attack_success_rate"),
        "bd_test": _hits(badnet.test, "attack_success_rate"),
    }
    for name, published_hits in benchmark.badnet_counts.items():
        hits, total = measured[name]
        if total != benchmark.images.get(name) or abs(hits - published_hits) > tolerance:
            return False
    return True


# --- comparing --------------------------------------------------------------------------------


def _reason_not_to_compare(record: Record, claim: Claim, measured: MeasuredCounts) -> str:
    if claim.benchmark != record.dataset.name:
        return f"claimed for {claim.benchmark}, measured on {record.dataset.name}"
    if record.dataset.split != "public":
        return f"claimed for the public data, measured on the {record.dataset.split} split"
    if _stated(claim).net not in measured:
        return "no such net was measured"
    return ""


def _without_measurement(stated: _Stated, reason: str) -> Iterator[Comparison]:
    for figure, value in stated.figures.items():
        yield Comparison(
            net=stated.net.net,
            split=stated.net.split,
            drop_points=stated.net.drop_points,
            figure=figure,
            stated=value if isfinite(value) else 0.0,
            stated_images=None,
            measured_images=None,
            total=None,
            agrees=None,
            slip=None,
            reason=reason,
        )


def _compare(stated: _Stated, measured: MeasuredCounts, tolerance: int) -> Iterator[Comparison]:
    for figure, value in stated.figures.items():
        hits, total = _hits(measured[stated.net], figure)
        agrees = agree(value, hits, total, tolerance)
        slip = None if agrees else _known_slip(stated, figure, measured, tolerance)

        images = round(value * total)
        reason = f"{images} of {total} images stated, {hits} measured ({images - hits:+d})"
        if slip:
            reason += f"; {slip}"

        yield Comparison(
            net=stated.net.net,
            split=stated.net.split,
            drop_points=stated.net.drop_points,
            figure=figure,
            stated=value,
            stated_images=images,
            measured_images=hits,
            total=total,
            agrees=agrees,
            slip=slip,
            reason=reason,
        )


# --- known slips ------------------------------------------------------------------------------


def _known_slip(
    stated: _Stated, figure: str, measured: MeasuredCounts, tolerance: int
) -> str | None:
    """The first known slip that explains the figure, tried from the most to the least telling."""

    def is_of(net: _Net) -> bool:
        return net in measured and _all_agree(stated.figures, measured[net], tolerance)

    net = stated.net
    other_split = _OTHER_SPLIT[net.split]
    if is_of(replace(net, split=other_split)):
        return f"it is the figure of {other_split}"

    for other_net, letter in _DEFENDED_NETS.items():
        if other_net != net.net and is_of(replace(net, net=other_net)):
            return f"it is the figure of {letter}, not of {net.net}"

    swapped = {_OTHER_FIGURE[name]: value for name, value in stated.figures.items()}
    if _all_agree(swapped, measured[net], tolerance):
        return "clean accuracy and ASR are swapped"

    for candidate in measured:
        if (candidate.net, candidate.split) == (net.net, net.split) and is_of(candidate):
            points = candidate.drop_points
            return f"it is the figure of X = {points:g}" if points else None

    return _slip_of_the_pen(stated.figures[figure], *_hits(measured[net], figure))


def _all_agree(figures: Mapping[str, float], counts: Counts, tolerance: int) -> bool:
    return all(agree(value, *_hits(counts, figure), tolerance) for figure, value in figures.items())


def _slip_of_the_pen(stated: float, hits: int, total: int) -> str | None:
    """Too few digits, a wrong one, or two that are swapped."""
    measured = Fraction(hits, total)
    digits = max(_digits(stated), 2)
    if round(measured, digits) == round(Fraction(repr(stated)), digits):
        return f"it is rounded to {digits} digits"

    digits = max(digits, MIN_DIGITS)
    stated_text, measured_text = f"{stated:.{digits}f}", f"{float(measured):.{digits}f}"
    pairs = zip(stated_text, measured_text, strict=True)
    differing = [place for place, (left, right) in enumerate(pairs) if left != right]
    if len(differing) == 1:
        return f"one digit is wrong ({stated_text} for {measured_text})"

    if len(differing) == 2 and _is_transposed(stated_text, measured_text, differing[0]):
        return f"two digits are swapped ({stated_text} for {measured_text})"
    return None


def _is_transposed(stated: str, measured: str, place: int) -> bool:
    """Whether one number is the other with the digits at ``place`` and after it swapped."""
    swapped = stated[:place] + stated[place : place + 2][::-1] + stated[place + 2 :]
    return swapped == measured
