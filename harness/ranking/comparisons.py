"""Which rows of a board can be told apart: every pair of nets, image by image.

One column of a board holds what many nets did with the same images. Each pair is compared by
McNemar's exact test, and the p-values of the column are corrected by Holm's method, so that
in one column of twenty that hold equally good nets somebody is called better by mistake. Rows
that no test tells apart share a letter (compact letter display: Piepho, Journal of
Computational and Graphical Statistics 13, 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIGNIFICANCE = 0.05
"""Of a column as a whole, after Holm's correction."""

_NEGLIGIBLE = 1e-17
_MOST_LETTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnComparison:
    """The rows of one column, compared pair by pair."""

    better: np.ndarray
    """Row i is better than row j beyond chance (rows x rows, bool)."""

    letters: tuple[str, ...]
    """By row, as ``ab`` or ``c-f``; rows that share a letter cannot be told apart."""

    resolution_images: int
    """So many images more on one side alone are needed to tell two rows apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedColumn:
    """The GoodNets for one X on one set, compared with each other."""

    drop_points: float

    set: str
    """test or bd_test."""

    images: int

    submissions: tuple[str, ...]
    """The rows, in the order of ``found``."""

    found: ColumnComparison


def compare_column(
    drop_points: float, set_name: str, won: Mapping[str, np.ndarray]
) -> ComparedColumn:
    """Compare the GoodNets of a column; ``won`` says by submission which images each one won."""
    names = tuple(sorted(won))
    return ComparedColumn(
        drop_points=drop_points,
        set=set_name,
        images=len(won[names[0]]),
        submissions=names,
        found=compare_rows([won[name] for name in names]),
    )


def compare_rows(won: Sequence[np.ndarray]) -> ColumnComparison:
    """Compare the rows of a column; ``won`` says of each which images it got right (N, bool)."""
    distinct, groups = _group(won)
    only_first = _discordant(distinct)
    p_values = _exact_p_values(only_first, only_first.T)
    pairs = len(won) * (len(won) - 1) // 2

    adjusted = _holm(p_values, groups)
    better = (adjusted < SIGNIFICANCE) & (only_first > only_first.T)
    letters = _letters(~(better | better.T), np.count_nonzero(distinct, axis=1))
    return ColumnComparison(
        better=better[np.ix_(groups, groups)],
        letters=tuple(_display(letters[group]) for group in groups),
        resolution_images=smallest_difference(pairs),
    )


def letters_by_test(p_values: np.ndarray, scores: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """The letters of rows by the p-values of any test, and these corrected by Holm's method.

    ``p_values`` are rows x rows, symmetric; of rows with higher ``scores`` (rows) the letters come
    first.
    """
    adjusted = _holm(p_values, np.arange(len(p_values)))
    order = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
    letters = _letters(adjusted >= SIGNIFICANCE, order)
    return tuple(map(_display, letters)), adjusted


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
    fewer, total = np.minimum(only_first, only_second), only_first + only_second
    pairs = np.stack([fewer, total], axis=-1).reshape(-1, 2)
    distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
    tails = _binomial_tails(distinct[:, 0], distinct[:, 1])
    return np.asarray(np.minimum(1.0, 2 * tails[inverse.reshape(-1)]).reshape(only_first.shape))


def _binomial_tails(wins: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """`binomial_tail` of many pairs at once, of which ``wins`` is at most half of ``trials``."""
    log_factorials = np.array([lgamma(count + 1) for count in range(int(trials.max()) + 1)])
    chosen = log_factorials[wins] + log_factorials[trials - wins]
    largest = np.exp(log_factorials[trials] - chosen - trials * log(2))

    # Downwards from the largest term each is a fraction of the one before: few of them count.
    left, term = wins.astype(float), np.ones(len(wins))
    tails = term.copy()
    while (term > _NEGLIGIBLE * tails).any():
        term = term * left / (trials - left + 1)
        tails += term
        left = np.maximum(0.0, left - 1)
    return np.asarray(np.where(2 * wins == trials, 1.0, tails * largest))


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


def _letters(alike: np.ndarray, scores: np.ndarray) -> list[list[int]]:
    """The letters of each row by number: rows share one exactly where they are alike.

    A letter stands for a largest set of rows that are all alike. No row has any where there
    would be more letters than anybody could read.
    """
    cliques = _maximal_cliques(alike)
    if cliques is None:
        return [[] for _ in alike]

    cliques.sort(key=lambda rows: sorted(-int(scores[row]) for row in rows))
    letters: list[list[int]] = [[] for _ in alike]
    for number, rows in enumerate(cliques):
        for row in rows:
            letters[row].append(number)
    return letters


def _maximal_cliques(alike: np.ndarray) -> list[list[int]] | None:
    """All largest sets of rows that are alike; None for more than ``_MOST_LETTERS``.

    The algorithm of Bron and Kerbosch (Communications of the ACM 16, 1973) with pivots; a set of
    rows is a number with one bit for each.
    """
    count = len(alike)
    others = [
        sum(1 << int(j) for j in np.flatnonzero(row) if j != i) for i, row in enumerate(alike)
    ]

    found: list[list[int]] = []
    stack = [(0, (1 << count) - 1, 0)]
    while stack and len(found) <= _MOST_LETTERS:
        clique, candidates, done = stack.pop()
        if not candidates | done:
            found.append(_rows(clique))
            continue
        if not candidates:
            continue

        # Of what is alike to the pivot, nothing is largest without the pivot or another.
        pivot = max(
            _rows(candidates | done), key=lambda row: (others[row] & candidates).bit_count()
        )
        for row in _rows(candidates & ~others[pivot]):
            stack.append((clique | 1 << row, candidates & others[row], done & others[row]))
            candidates &= ~(1 << row)
            done |= 1 << row
    return found if len(found) <= _MOST_LETTERS else None


def _rows(bits: int) -> list[int]:
    """The numbers of the bits that are set."""
    rows = []
    while bits:
        lowest = bits & -bits
        rows.append(lowest.bit_length() - 1)
        bits ^= lowest
    return rows


def _display(letters: Sequence[int]) -> str:
    """Letters as they are read: ``ab``, and ``c-f`` for four in a row."""
    parts: list[str] = []
    start = 0
    for end in range(1, len(letters) + 1):
        if end < len(letters) and letters[end] == letters[end - 1] + 1:
            continue
        run = [_name(number) for number in letters[start:end]]
        parts += [f"{run[0]}-{run[-1]}"] if len(run) > 3 else run
        start = end
    return "".join(parts)


def _name(index: int) -> str:
    """The letter of a set: small ones, then capitals, then a number in brackets."""
    if index < 26:
        return chr(ord("a") + index)
    if index < 52:
        return chr(ord("A") + index - 26)
    return f"({index + 1})"
