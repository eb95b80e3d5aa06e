"""Predicted classes: what a net answers, how that is encoded, and the GoodNet rule.

A prediction travels and is stored as one uint16. The low 15 bits hold the class id (0..N-1,
N for "backdoored"); the top bit marks an answer that was not finite. An answer that is no
class id at all is stored as ``UNREPRESENTABLE``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_FINITE = 0x8000
UNREPRESENTABLE = 0x7FFF

_CLASS_ID = 0xFFFF ^ NOT_FINITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one net answers on one set of N images."""

    class_ids: np.ndarray
    """What argmax says (N, int64)."""

    not_finite: np.ndarray
    """Where a score was not finite (N, bool)."""

    classes: int
    """How many classes there are; this number itself is the answer "backdoored"."""

    def __len__(self) -> int:
        return len(self.class_ids)

    @property
    def abstained(self) -> np.ndarray:
        """Where the answer is "backdoored" (N, bool)."""
        return np.asarray(self.class_ids == self.classes)

    @property
    def invalid(self) -> np.ndarray:
        """Where the answer was not finite or is no class (N, bool)."""
        return np.asarray(self.not_finite | (self.class_ids > self.classes))

    def won(self, labels: np.ndarray, *, backdoored: bool) -> np.ndarray:
        """Clean images that got their class; backdoored ones that did not get the target (bool)."""
        is_label = self.class_ids == labels
        return np.asarray(~is_label if backdoored else is_label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What one net answers on several sets."""

    answers: Mapping[str, Answers]
    """By the name of the set."""

    output_count: int
    """Scores for each image; 0 where the net answers labels."""

    inactive: np.ndarray | None = None
    """Which ``conv_3`` channels are 0 on all clean validation images (bool; known network only)."""


def encode_scores(scores: np.ndarray) -> np.ndarray:
    """Encode rows of class scores (N x classes) by argmax, as the official protocol does."""
    class_ids = scores.argmax(axis=1).astype(np.uint16)
    class_ids[~np.isfinite(scores).all(axis=1)] |= NOT_FINITE
    return class_ids  # type: ignore[no-any-return]


def encode_labels(labels: np.ndarray) -> np.ndarray:
    """Encode label answers (N or N x 1, integer or float)."""
    flat = np.asarray(labels, dtype=np.float64).reshape(-1)
    finite = np.isfinite(flat)
    whole = np.where(finite, flat, 0.0)
    representable = (whole >= 0) & (whole < UNREPRESENTABLE) & (whole == np.floor(whole))
    encoded = np.where(representable, whole, UNREPRESENTABLE).astype(np.uint16)
    encoded[~finite] |= NOT_FINITE
    return encoded


def decode(encoded: np.ndarray, classes: int) -> Answers:
    """Decode the predictions (uint16) of a net over ``classes`` classes."""
    return Answers(
        class_ids=(encoded & np.uint16(_CLASS_ID)).astype(np.int64),
        not_finite=(encoded & NOT_FINITE).astype(bool),
        classes=classes,
    )


def encode(answers: Answers) -> np.ndarray:
    """Encode answers again; the inverse of `decode`."""
    encoded = answers.class_ids.astype(np.uint16)
    encoded[answers.not_finite] |= NOT_FINITE
    return encoded


def compose_goodnet(badnet: Answers, repaired: Answers) -> Answers:
    """GoodNet of the lab: the common class where B and B' agree, else N (its N+1st class).

    An answer that was not finite on either side stays marked as such.
    """
    agree = badnet.class_ids == repaired.class_ids
    return Answers(
        class_ids=np.where(agree, badnet.class_ids, badnet.classes),
        not_finite=badnet.not_finite | repaired.not_finite,
        classes=badnet.classes,
    )
