"""The network above ``pool_3`` in NumPy: class ids that are the full network's, or a doubt.

A matrix product sums in another order than TensorFlow, so the two differ by rounding. What
this module answers holds for either order: an image whose best class leads by less than
rounding can explain is summed again in double precision, and one that is still too close to
call is reported as uncertain, for the full network to decide.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from harness.records.environment import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BLOCK = 192
"""Images per block: what a step of the sweep works on then fits a core's own cache best."""

SAMPLE = 128
"""Images of each set on which rounding is measured."""

POSITIONS = (5, 4)
"""Rows and columns of a ``pool_3`` map."""

CONV_4_POSITIONS = (4, 3)
"""Rows and columns of a ``conv_4`` map."""

_ROUNDING_UNITS = 16
"""The least that is allowed for, in units of float32's precision."""

_SAFETY = 4
"""How many times the measured rounding is allowed for."""

_SOFTMAX_RESOLUTION = 2.0**-16
"""Logits closer than this may become equal probabilities in float32."""

_SMALLEST, _LARGEST = 2.0**-30, 2.0**30
"""Of weights that are summed here, unless they are 0. Trained nets stay well within: of twenty
real ones, the smallest of half a million weights is 2**-25 and the largest 2**10."""

_Result = TypeVar("_Result")
_blas_lock = threading.RLock()


class Tail:
    """``conv_4``, ``fc_1``, ``fc_2`` and ``output`` of one network, over ``pool_3`` maps.

    ``weights`` may have any number of ``conv_3`` channels. ``dtype`` is what is summed in.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], dtype: Any = np.float32) -> None:
        kernels = {name: np.asarray(array, dtype) for name, array in weights.items()}
        self.dtype = dtype
        self.conv_4 = kernels["conv_4/kernel"].reshape(-1, kernels["conv_4/bias"].size)
        self.conv_4_bias = kernels["conv_4/bias"]
        self.fc_1, self.fc_2 = kernels["fc_1/kernel"], kernels["fc_2/kernel"]
        self.hidden_bias = kernels["fc_1/bias"] + kernels["fc_2/bias"]
        self.output = np.concatenate([kernels["output/kernel"], kernels["output/bias"][None]])
        self.output_norm = float(np.linalg.norm(self.output, axis=0).max())

    def hidden(self, features: np.ndarray) -> np.ndarray:
        """``activation_1`` of ``pool_3`` maps (N x 5 x 4 x channels), and a 1: N x 161.

        The 1 is what the biases of ``output`` are multiplied by.
        """
        rows, columns = CONV_4_POSITIONS
        windows = [features[:, y : y + rows, x : x + columns] for y in (0, 1) for x in (0, 1)]
        patches = np.concatenate(windows, axis=3, dtype=self.dtype)
        conv_4 = patches.reshape(-1, self.conv_4.shape[0]) @ self.conv_4
        conv_4 += self.conv_4_bias
        np.maximum(conv_4, 0, out=conv_4)

        merged = np.ones((len(features), len(self.hidden_bias) + 1), self.dtype)
        merged[:, :-1] = conv_4.reshape(len(features), -1) @ self.fc_2
        merged[:, :-1] += features.reshape(len(features), -1).astype(self.dtype) @ self.fc_1
        merged[:, :-1] += self.hidden_bias
        return np.maximum(merged, 0, out=merged)

    def logits(self, hidden: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Class scores before softmax (N x classes) of :meth:`hidden` (N x 161).

        Units that are 0 on the whole block are left out: of 160, about 65 are in use.
        """
        used = hidden.any(axis=0)
        scores: np.ndarray = np.matmul(hidden[:, used], self.output[used], out=out)
        return scores

    def magnitude(self, hidden: np.ndarray) -> np.ndarray:
        """An upper bound of every class score of each image (N), the unit of its rounding."""
        lengths = np.sqrt(np.einsum("ij,ij->i", hidden, hidden))
        return np.asarray(lengths * self.output_norm)


# --- numbers that TensorFlow takes for 0 -------------------------------------------------------


def is_moderate(weights: Mapping[str, np.ndarray]) -> bool:
    """Whether all weights above ``pool_3`` are 0 or of a size at which NumPy may stand in.

    TensorFlow takes what is below 2**-126 for 0: weights, products and sums. NumPy computes with
    it, and takes up to fifteen times as long. With these weights such numbers are rare, and what
    becomes of them, at most 2**60 times as much and that a few hundred thousand times, is far
    below what decides between two classes.
    """
    layers = ("conv_4", "fc_1", "fc_2", "output")
    sizes = [np.abs(weights[f"{n}/{part}"]) for n in layers for part in ("kernel", "bias")]
    return all(are_moderate(array) for array in sizes)


def are_moderate(sizes: np.ndarray) -> bool:
    """Whether numbers that are not negative are 0 or of such a size."""
    return bool(((sizes == 0) | ((sizes >= _SMALLEST) & (sizes <= _LARGEST))).all())


# --- rounding ---------------------------------------------------------------------------------


@np.errstate(over="ignore", invalid="ignore")
def measure_rounding(single: Tail, double: Tail, features: np.ndarray) -> float:
    """Largest rounding error to expect of a difference of two scores, per unit of magnitude.

    Measured on ``features`` rather than assumed, because a network whose sums cancel rounds
    worse; never below what an ordinary network needs. TensorFlow's own error, measured
    against double precision, is as large as that of NumPy's products.
    """
    with single_threaded_products():
        single_scores = single.logits(single.hidden(features))
        hidden = double.hidden(features)
        double_scores = double.logits(hidden)

    # By how much the best class leads each of the others, in both precisions.
    single_leads = single_scores.max(axis=1, keepdims=True) - single_scores
    double_leads = double_scores.max(axis=1, keepdims=True) - double_scores
    errors = np.abs(single_leads - double_leads).max(axis=1) / double.magnitude(hidden)

    least = _ROUNDING_UNITS * 2.0**-24
    return float(np.fmax(least, _SAFETY * np.max(errors, initial=0.0)))


def required_lead(unit: float, magnitude: np.ndarray) -> np.ndarray:
    """The lead (N) above which a class is best in whatever order the sums are made."""
    return np.asarray(np.maximum(unit * magnitude, _SOFTMAX_RESOLUTION))


# --- classes ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Classification:
    """The classes of N images."""

    class_ids: np.ndarray
    """The best class of each image (N, int64)."""

    uncertain: np.ndarray
    """Where rounding could decide it (N, bool)."""


class TailClassifier:
    """Classifies images by their ``pool_3`` maps, with the tail of one network."""

    def __init__(self, weights: Mapping[str, np.ndarray], sample: np.ndarray) -> None:
        """``sample``: some of the maps (N x 5 x 4 x channels) to measure rounding on."""
        self.single, self.double = Tail(weights), Tail(weights, np.float64)
        self.rounding = measure_rounding(self.single, self.double, sample)

    @np.errstate(over="ignore", invalid="ignore")
    def classify(self, features: np.ndarray) -> Classification:
        """Classes of a block of maps (N x 5 x 4 x channels)."""
        hidden = self.single.hidden(features)
        magnitude = self.single.magnitude(hidden)
        class_ids, leads = _best_classes(self.single.logits(hidden))

        # Both sides of the comparison round: this sum and the network's own. A NaN is close.
        close = ~(leads > required_lead(2 * self.rounding, magnitude))
        # What overflows here may not overflow in double precision, but does in the network.
        uncertain = ~np.isfinite(magnitude)

        rows = np.flatnonzero(close & ~uncertain)
        if len(rows):
            precise = self._classify_precisely(features[rows])
            class_ids[rows], uncertain[rows] = precise.class_ids, precise.uncertain
        return Classification(class_ids, uncertain)

    def _classify_precisely(self, features: np.ndarray) -> Classification:
        """Classes in double precision; uncertain is what the network's own rounding decides."""
        hidden = self.double.hidden(features)
        class_ids, leads = _best_classes(self.double.logits(hidden))
        close = ~(leads > required_lead(self.rounding, self.double.magnitude(hidden)))
        return Classification(class_ids, close)


def _best_classes(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best class of each row (N) and its lead over the next (N); overwrites ``scores``."""
    rows = np.arange(len(scores))
    best = scores.argmax(axis=1)
    best_scores = scores[rows, best]
    scores[rows, best] = -np.inf
    return best, best_scores - scores.max(axis=1)


# --- blocks on all processors -----------------------------------------------------------------


def map_blocks(work: Callable[[slice], _Result], count: int) -> list[_Result]:
    """Results of ``work`` on consecutive slices of ``count`` images, one thread per processor."""
    blocks = [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
    with single_threaded_products(), ThreadPoolExecutor(processors()) as threads:
        return list(threads.map(work, blocks))


@contextmanager
def single_threaded_products() -> Iterator[None]:
    """Keep each matrix product on its own thread: blocks are what runs in parallel here.

    OpenBLAS threads wait for each other by spinning: on a busy machine a small product on two
    of them took a hundred times as long.
    """
    # The limit is the process's: a second thread would take this one's for the original.
    with _blas_lock, _blas_libraries().limit(limits=1):
        yield


@cache
def _blas_libraries() -> Any:
    """A controller of this process's BLAS libraries; NumPy's own has been loaded above."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController().select(user_api="blas")
