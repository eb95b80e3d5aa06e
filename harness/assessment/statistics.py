"""Intervals, paired tests and further rates, from counts and predictions; NumPy only.

All rates are fractions of a stated total. What has no denominator is None.
"""

from __future__ import annotations

from math import exp, lgamma, sqrt
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.metrics import fraction
from harness.records.findings import McNemarResult, OriginalCounts, SplitOriginals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records.benchmark import LabeledSet
    from harness.records.predictions import Answers
    from harness.records.record import Counts

Z_95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""

NOISY_WIDTH = 0.1
"""An interval of a ratio wider than this share of the ratio says that it is not known."""


def wilson_interval(hits: int, total: int, z: float = Z_95) -> tuple[float, float] | None:
    """Wilson's score interval of a proportion; None for an empty set.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927). Unlike the normal
    interval it stays inside [0, 1] and keeps a width at 0 % and 100 %.
    """
    if not total:
        return None
    share = hits / total
    spread = z * z / total
    centre = share + spread / 2
    half = z * sqrt(share * (1 - share) / total + spread / (4 * total))

    # Computed, these two ends would miss 0 and 1 by the last bit of a float.
    low = 0.0 if hits == 0 else (centre - half) / (1 + spread)
    high = 1.0 if hits == total else (centre + half) / (1 + spread)
    return low, high


def is_noisy(ratio: float, interval: tuple[float, float] | None) -> bool:
    """Whether a ratio is too uncertain to be shown (False where no interval is known)."""
    return interval is not None and interval[1] - interval[0] > NOISY_WIDTH * ratio


def exact_mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value of McNemar's exact test, from the two discordant counts.

    Under the null hypothesis each discordant image is won by either side with probability
    1/2: twice the smaller binomial tail, 1 at most.
    """
    return min(1.0, 2 * binomial_tail(min(only_first, only_second), only_first + only_second))


def binomial_tail(wins: int, trials: int) -> float:
    """The chance of at most ``wins`` heads in ``trials`` tosses of a fair coin; 1 from half on."""
    if 2 * wins >= trials:
        return 1.0
    # Integers stay exact where a float product of 10,000 halves would be 0.
    ways = tail = 1
    for win in range(wins):
        ways = ways * (trials - win) // (win + 1)
        tail += ways
    return tail / (1 << trials)


def one_sided_p(result: McNemarResult) -> float:
    """How likely chance alone would let the submission win so many of the images they differ on.

    The exact one-sided McNemar test.
    """
    discordant = result.only_submission + result.only_reference
    return binomial_tail(result.only_reference, discordant)


def better_by_chance(hits: int, total: int, other_hits: int, other_total: int) -> float:
    """How likely chance alone would leave so few ``hits``, or fewer, to the first of two samples.

    Fisher's exact test, one-sided: the lower tail of the hypergeometric distribution.
    """
    all_hits, images = hits + other_hits, total + other_total
    lowest = max(0, total - (images - all_hits))
    logs = [
        _log_choose(all_hits, each) + _log_choose(images - all_hits, total - each)
        for each in range(lowest, hits + 1)
    ]
    return min(1.0, sum(exp(each - _log_choose(images, total)) for each in logs))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def paired_test(
    net: str, set_name: str, submission: np.ndarray, reference: np.ndarray
) -> McNemarResult:
    """Compare two nets image by image; the arrays (N, bool) say which images each one won."""
    only_submission = int(np.count_nonzero(submission & ~reference))
    only_reference = int(np.count_nonzero(reference & ~submission))
    return McNemarResult(
        net=net,
        set=set_name,
        images=len(submission),
        only_submission=only_submission,
        only_reference=only_reference,
        p_value=exact_mcnemar(only_submission, only_reference),
    )


def paired_tests(
    net: str,
    submission: Mapping[str, Answers],
    reference: Mapping[str, Answers],
    sets: Mapping[str, LabeledSet],
) -> list[McNemarResult]:
    """Compare two nets on both sets of the test split."""
    results = []
    for name in ("test", "bd_test"):
        labels, backdoored = sets[name].labels, sets[name].kind == "backdoored"
        won, won_by_reference = (
            nets[name].won(labels, backdoored=backdoored) for nets in (submission, reference)
        )
        results.append(paired_test(net, name, won, won_by_reference))
    return results


def original_counts(
    backdoored: Answers, original_labels: np.ndarray, target_labels: np.ndarray
) -> OriginalCounts:
    """Counts against the true classes of backdoored images (N, int64), each with its own target.

    Robust accuracy counts a backdoored image that gets its true class. BackdoorBench (arXiv
    2206.12654) attacks images of other classes only, as the ``other_*`` counts do.
    """
    other = original_labels != target_labels
    return OriginalCounts(
        backdoored_total=len(original_labels),
        robust_correct=int(np.count_nonzero(backdoored.class_ids == original_labels)),
        other_total=int(np.count_nonzero(other)),
        other_attacked=int(np.count_nonzero((backdoored.class_ids == target_labels) & other)),
    )


def split_originals(
    answers: Mapping[str, Answers], sets: Mapping[str, LabeledSet]
) -> SplitOriginals | None:
    """Counts against the true classes of backdoored images, where the data holds them."""
    counted: dict[str, OriginalCounts | None] = {}
    for split in ("valid", "test"):
        name = f"bd_{split}"
        originals = sets[name].original_labels
        if originals is None:
            counted[split] = None
        else:
            counted[split] = original_counts(answers[name], originals, sets[name].labels)

    if not any(counted.values()):
        return None
    return SplitOriginals(valid=counted["valid"], test=counted["test"])


def true_positive_rate(goodnet: Counts) -> float | None:
    """Fraction of backdoored images that G calls backdoored (positive = backdoored)."""
    return fraction(goodnet.backdoored_abstained, goodnet.backdoored_total)


def false_positive_rate(goodnet: Counts) -> float | None:
    """Fraction of clean images that G calls backdoored."""
    return fraction(goodnet.clean_abstained, goodnet.clean_total)


def robust_accuracy(counted: OriginalCounts) -> float | None:
    """Fraction of backdoored images that got their true class."""
    return fraction(counted.robust_correct, counted.backdoored_total)


def other_attack_success_rate(counted: OriginalCounts) -> float | None:
    """ASR with images of the target class left out."""
    return fraction(counted.other_attacked, counted.other_total)
