"""Means over BadNets resampled: how sure they are, and whether two of them differ by chance.

The BadNet is the unit. What is repeated within an attack are BadNets of other seeds; the attacks
are those of the zoo, and stay. All random numbers begin alike: the same counts give the same text.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]

EXACT_UP_TO = 15
"""So many BadNets are compared by all their sign patterns."""

_RESAMPLES = 2000
_PATTERNS = 1 << EXACT_UP_TO
_BOOTSTRAP_SEED, _PERMUTATION_SEED = 2206, 12654
_ROUNDING = 1e-9


def redrawn_means(strata: Sequence[str], draw: Draw) -> np.ndarray:
    """Means of samples drawn anew from within each stratum; ``draw`` gives values of what is drawn.

    It is called with numbers of units (samples x units of a stratum), and draws the images of each
    anew: a bootstrap of two levels. Of n units of a stratum n - 1 are drawn, else so few of them
    would seem surer than they are (Rao and Wu, Journal of the American Statistical Association 83,
    1988); of one unit that one, whose interval then tells of its images alone.
    """
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    names = np.array(strata)
    total = np.zeros(_RESAMPLES)
    for stratum in dict.fromkeys(strata):
        own = np.flatnonzero(names == stratum)
        drawn = max(1, len(own) - 1)
        chosen = own[rng.integers(len(own), size=(_RESAMPLES, drawn))]
        total += len(own) * draw(chosen, rng).mean(axis=1)
    return total / len(names)


def permutation_test(differences: np.ndarray) -> float:
    """Two-sided p-value of a mean difference over n BadNets: its signs are flipped at random.

    All 2**n sign patterns for up to `EXACT_UP_TO`, else as many random ones, always the same.
    """
    count = len(differences)
    patterns = _sign_patterns(count)
    found = 0 if count <= EXACT_UP_TO else 1  # the pattern that was found is one of all
    sums = np.abs(patterns @ differences)
    as_far = int(np.count_nonzero(sums >= abs(differences.sum()) - _ROUNDING))
    return (as_far + found) / (len(patterns) + found)


def smallest_p(count: int) -> float:
    """The smallest p-value that `permutation_test` can find of so many BadNets."""
    return 2.0 ** (1 - count) if count <= EXACT_UP_TO else 1 / (_PATTERNS + 1)


@cache
def _sign_patterns(count: int) -> np.ndarray:
    """Patterns of -1 and 1 (patterns x count)."""
    if count <= EXACT_UP_TO:
        bits = np.arange(1 << count)[:, None] >> np.arange(count) & 1
    else:
        bits = np.random.default_rng(_PERMUTATION_SEED).integers(2, size=(_PATTERNS, count))
    return np.asarray(2.0 * bits - 1)
