"""Which rows of a board can be told apart: every pair of nets, image by image.

One column of a board holds what many nets did with the same images. Each pair is compared by
McNemar's exact test, and the p-values of the column are corrected by Holm's method, so that
in one column of twenty that hold equally good nets somebody is called better by mistake. Rows
that no test tells apart share a letter (compact letter display: Piepho, Journal of
Computational and Graphical Statistics 13, 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNIFICANCE = 0.05
"""Of a column as a whole, after Holm's correction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnComparison:
    """The rows of one column, compared pair by pair."""

    better: np.ndarray
    """Row i is better than row j beyond chance (rows x rows, bool)."""

    letters: tuple[str, ...]
    """By row; rows that share a letter cannot be told apart."""

    resolution_images: int
    """So many images more on one side alone are needed to tell two rows apart."""


def compare_rows(won: Sequence[np.ndarray]) -> ColumnComparison:
    """Compare the rows of a column; ``won`` says of each which images it got right (N, bool)."""
    distinct, groups = _group(won)
    only_first = _discordant(distinct)
    p_values = _exact_p_values(only_first, only_first.T)
    pairs = len(won) * (len(won) - 1) // 2

    adjusted = _holm(p_values, groups)
    better = (adjusted < SIGNIFICANCE) & (only_first > only_first.T)
    letters = _letters(better | better.T, np.count_nonzero(distinct, axis=1))
    return ColumnComparison(
        better=better[np.ix_(groups, groups)],
        letters=tuple(letters[group] for group in groups),
        resolution_images=smallest_difference(pairs),
    )


def smallest_difference(pairs: int) -> int:
    """The fewest images, all won by one side, that tell two of so many pairs apart."""
    images = 1
    while 2.0**-images * 2 * max(1, pairs) >= SIGNIFICANCE:
        images += 1
    return images


def _group(won: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows (bool) and, for each row, which of them it is.

    Students who did the same have the same net; each is compared once.
    """
    seen: dict[bytes, int] = {}
    groups = []
    distinct: list[np.ndarray] = []
    for row in won:
        key = np.packbits(row).tobytes()
        if key not in seen:
            seen[key] = len(distinct)
            distinct.append(row)
        groups.append(seen[key])
    return np.array(distinct, dtype=bool), np.array(groups, dtype=int)


def _discordant(rows: np.ndarray) -> np.ndarray:
    """Images that row i got right and row j did not (rows x rows, int)."""
    # Sums of zeros and ones stay exact in float32 below 2**24 images.
    ours = rows.astype(np.float32)
    return np.asarray((ours @ (1 - ours).T).round(), dtype=np.int64)


def _exact_p_values(only_first: np.ndarray, only_second: np.ndarray) -> np.ndarray:
    """Two-sided p-values of McNemar's exact test for each pair."""
    pairs = np.stack([np.minimum(only_first, only_second), only_first + only_second], axis=-1)
    distinct, inverse = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    values = np.array([binomial_tail(int(fewer), int(total)) for fewer, total in distinct])
    return np.minimum(1.0, 2 * values[inverse]).reshape(only_first.shape)


def binomial_tail(wins: int, trials: int) -> float:
    """The chance of at most ``wins`` heads in ``trials`` tosses of a fair coin."""
    if 2 * wins >= trials:
        return 1.0
    counts = np.arange(wins + 1)
    # Each term from the one before, in logarithms: no product of halves becomes 0 too early.
    steps = np.log((trials - counts[:-1]) / (counts[:-1] + 1))
    logs = np.concatenate([[0.0], np.cumsum(steps)]) - trials * log(2)
    largest = logs.max()
    return float(np.exp(largest) * np.exp(logs - largest).sum())


def _holm(p_values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """P-values corrected over all pairs of rows, of which equal rows are pairs, too."""
    sizes = np.bincount(groups, minlength=len(p_values))
    upper = np.triu_indices(len(p_values), 1)
    weights = sizes[upper[0]] * sizes[upper[1]]
    within = int((sizes * (sizes - 1) // 2).sum())
    total = int(weights.sum()) + within

    order = np.argsort(p_values[upper], kind="stable")
    sorted_weights = weights[order]
    before = np.concatenate([[0], np.cumsum(sorted_weights)[:-1]])
    steps = np.maximum.accumulate((total - before) * p_values[upper][order])
    adjusted = np.ones_like(p_values)
    rows, columns = upper[0][order], upper[1][order]
    adjusted[rows, columns] = adjusted[columns, rows] = np.minimum(1.0, steps)
    return adjusted


def _letters(different: np.ndarray, scores: np.ndarray) -> list[str]:
    """Letters for each row: rows that differ share none, rows that do not share at least one."""
    columns: list[set[int]] = [set(range(len(different)))]
    for first, second in np.argwhere(np.triu(different)).tolist():
        # Insert: no set of rows may hold both.
        whole = [column for column in columns if not {first, second} <= column]
        if len(whole) == len(columns):
            continue
        halves = []
        for column in columns:
            if {first, second} <= column:
                halves += [column - {first}, column - {second}]
        columns = _absorb(whole, halves)

    columns.sort(key=lambda column: -max(scores[row] for row in column))
    names = [_name(index) for index in range(len(columns))]
    return [
        "".join(name for name, column in zip(names, columns, strict=True) if row in column)
        for row in range(len(different))
    ]


def _absorb(columns: list[set[int]], halves: list[set[int]]) -> list[set[int]]:
    """Add those of the halves that no other set holds as a whole."""
    kept = list(columns)
    for half in sorted(halves, key=len, reverse=True):
        if not any(half <= other for other in kept):
            kept.append(half)
    return kept


def _name(index: int) -> str:
    """The letter of a set: small ones, then capitals, then a number in brackets."""
    if index < 26:
        return chr(ord("a") + index)
    if index < 52:
        return chr(ord("A") + index - 26)
    return f"({index})"
