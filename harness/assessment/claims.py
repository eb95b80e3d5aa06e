"""Stated figures against measured ones, in images, and the slips that explain a difference.

Stated figures are a student's claims or a benchmark's published results. A fraction that is
given to d digits stands for everything that rounds to it; on top of that, the tolerance in
images says what another machine may count.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING

from harness.records.findings import Comparison

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records.benchmark import Benchmark
    from harness.records.record import Counts, Record, SplitCounts
    from harness.records.submission import Claim

    Net = tuple[str, float | None, str]
    """Which net on which split: (badnet, repaired or goodnet; X; valid or test)."""

FIGURES = ("clean_accuracy", "attack_success_rate")
MIN_DIGITS = 3
"""A figure is read to a tenth of a percent at least: 0.9 may be a rounded 0.900."""

WHOLE_DIGITS = 4
"""0 and 1 are read as 0.00 % and 100.00 %."""

_SWAPPED = dict(zip(FIGURES, reversed(FIGURES), strict=True))


@dataclass(frozen=True, slots=True)
class _Stated:
    """Figures that belong together, by name, and the net they are said to be of."""

    net: Net
    figures: Mapping[str, float]


def claim_comparisons(record: Record, tolerance: int) -> tuple[Comparison, ...]:
    """Every claimed figure of a submission against the measured one."""
    measured = _measured(record)
    found: list[Comparison] = []
    for claim in record.claimed:
        stated = _Stated(
            net=(claim.net, claim.drop_points, claim.split),
            figures={f: v for f in FIGURES if (v := getattr(claim, f)) is not None},
        )
        reason = _why_not(record, claim, measured)
        if not reason and not all(0 <= value <= 1 for value in stated.figures.values()):
            reason = "a figure is a fraction between 0 and 1: 0.9574 for 95.74 %"
        if reason:
            found += [_not_compared(stated, figure, reason) for figure in stated.figures]
        else:
            found += _compared(stated, measured, tolerance)
    return tuple(found)


def published_comparisons(
    record: Record, benchmark: Benchmark | None, tolerance: int
) -> tuple[Comparison, ...]:
    """A benchmark's published figures against the measured ones, where the data is the real one.

    The data counts as real when the sets have the published sizes and its BadNet scores the
    published counts. Of two pruning families, the one that the submission follows is taken.
    """
    if benchmark is None or not _is_published_data(record.badnet, benchmark, tolerance):
        return ()
    measured = _measured(record)
    family = "conv_3" if (record.pruning_order or "").startswith("conv_3") else "pool_3"
    entries = {
        (p.net, p.drop_points, p.split): p
        for ranking in ("pool_3", family)
        for p in benchmark.published
        if p.ranking == ranking
    }
    found: list[Comparison] = []
    for net, figure in entries.items():
        figures = {f: v for f in FIGURES if (v := getattr(figure, f)) is not None}
        if net in measured:
            found += _compared(_Stated(net, figures), measured, tolerance)
    return tuple(found)


def _is_published_data(
    badnet: SplitCounts | None, benchmark: Benchmark, tolerance: int
) -> bool:  # fmt: skip
    if badnet is None or badnet.test is None or not benchmark.badnet_counts:
        return False
    pairs = {
        "valid": (badnet.valid.clean_total, badnet.valid.clean_correct),
        "test": (badnet.test.clean_total, badnet.test.clean_correct),
        "bd_valid": (badnet.valid.backdoored_total, badnet.valid.backdoored_attacked),
        "bd_test": (badnet.test.backdoored_total, badnet.test.backdoored_attacked),
    }
    return all(
        pairs[name][0] == benchmark.images.get(name)
        and abs(pairs[name][1] - hits) <= tolerance
        for name, hits in benchmark.badnet_counts.items()
    )  # fmt: skip


def _measured(record: Record) -> dict[Net, Counts]:
    nets: list[tuple[str, float | None, SplitCounts | None]] = [("badnet", None, record.badnet)]
    for checkpoint in record.checkpoints:
        nets.append(("repaired", checkpoint.drop_points, checkpoint.repaired))
        nets.append(("goodnet", checkpoint.drop_points, checkpoint.goodnet))
    return {
        (net, points, split): counts
        for net, points, by_split in nets
        if by_split is not None
        for split, counts in (("valid", by_split.valid), ("test", by_split.test))
        if counts is not None
    }


def _why_not(record: Record, claim: Claim, measured: Mapping[Net, Counts]) -> str:
    if claim.benchmark != record.dataset.name:
        return f"claimed for {claim.benchmark}, measured on {record.dataset.name}"
    if record.dataset.split != "public":
        return f"claimed for the public data, measured on the {record.dataset.split} split"
    if (claim.net, claim.drop_points, claim.split) not in measured:
        return "no such net was measured"
    return ""


def _not_compared(stated: _Stated, figure: str, reason: str) -> Comparison:
    net, points, split = stated.net
    value = stated.figures[figure]
    return Comparison(
        net=net, split=split, drop_points=points, figure=figure,
        stated=value if isfinite(value) else 0.0,
        stated_images=None, measured_images=None, total=None, agrees=None, slip=None,
        reason=reason,
    )  # fmt: skip


def _compared(
    stated: _Stated, measured: Mapping[Net, Counts], tolerance: int
) -> Iterator[Comparison]:
    net, points, split = stated.net
    counts = measured[stated.net]
    for figure, value in stated.figures.items():
        hits, total = _hits(counts, figure)
        agrees = agree(value, hits, total, tolerance)
        slip = None if agrees else _slip(stated, figure, measured, tolerance)
        images = round(value * total)
        reason = f"{images} of {total} images stated, {hits} measured ({images - hits:+d})"
        yield Comparison(
            net=net, split=split, drop_points=points, figure=figure, stated=value,
            stated_images=images, measured_images=hits, total=total, agrees=agrees, slip=slip,
            reason=reason + (f"; {slip}" if slip else ""),
        )  # fmt: skip


def agree(stated: float, hits: int, total: int, tolerance: int) -> bool:
    """Whether a stated fraction is ``hits`` of ``total``, within rounding and the tolerance."""
    written = Fraction(repr(stated))
    digits = max(_digits(stated), MIN_DIGITS if stated % 1 else WHOLE_DIGITS)
    half_unit = Fraction(1, 2 * 10**digits)
    return abs(written * total - hits) <= tolerance + half_unit * total


def _hits(counts: Counts, figure: str) -> tuple[int, int]:
    if figure == "clean_accuracy":
        return counts.clean_correct, counts.clean_total
    return counts.backdoored_attacked, counts.backdoored_total


def _digits(value: float) -> int:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


# --- known slips ------------------------------------------------------------------------------


def _slip(
    stated: _Stated, figure: str, measured: Mapping[Net, Counts], tolerance: int
) -> str | None:
    """The first known slip that explains the figure, tried from the most to the least telling."""

    def matches(net: Net, names: Mapping[str, str] | None = None) -> bool:
        return net in measured and _all_agree(stated, measured[net], names or {}, tolerance)

    net, points, split = stated.net
    other_split = "valid" if split == "test" else "test"
    if matches((net, points, other_split)):
        return f"it is the figure of {other_split}"
    for other in ("repaired", "goodnet"):
        if other != net and matches((other, points, split)):
            return f"it is the figure of {'B-prime' if other == 'repaired' else 'G'}, not of {net}"
    if matches(stated.net, _SWAPPED):
        return "clean accuracy and ASR are swapped"
    for candidate in measured:
        if candidate[0] == net and candidate[2] == split and matches(candidate):
            return f"it is the figure of X = {candidate[1]:g}" if candidate[1] else None
    return _written_wrong(stated.figures[figure], *_hits(measured[stated.net], figure))


def _all_agree(
    stated: _Stated, counts: Counts, names: Mapping[str, str], tolerance: int
) -> bool:  # fmt: skip
    return all(
        agree(value, *_hits(counts, names.get(figure, figure)), tolerance)
        for figure, value in stated.figures.items()
    )


def _written_wrong(stated: float, hits: int, total: int) -> str | None:
    digits = max(_digits(stated), 2)
    if round(Fraction(hits, total), digits) == round(Fraction(repr(stated)), digits):
        return f"it is rounded to {digits} digits"
    digits = max(digits, MIN_DIGITS)
    texts = [f"{float(value):.{digits}f}" for value in (stated, Fraction(hits, total))]
    differing = [i for i, (a, b) in enumerate(zip(*texts, strict=True)) if a != b]
    if len(differing) == 1:
        return f"one digit is wrong ({texts[0]} for {texts[1]})"
    if len(differing) == 2 and _transposed(texts[0], texts[1], differing):
        return f"two digits are swapped ({texts[0]} for {texts[1]})"
    return None


def _transposed(one: str, other: str, places: Sequence[int]) -> bool:
    first, second = places
    return second == first + 1 and one[first] == other[second] and one[second] == other[first]
