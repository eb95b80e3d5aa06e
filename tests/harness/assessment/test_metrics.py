"""Metrics against values computed by hand."""

import numpy as np
import pytest

from harness.assessment.metrics import (
    attack_success_rate,
    clean_accuracy,
    counts,
    defense_effectiveness,
)
from harness.records.predictions import NOT_FINITE, decode
from harness.records.record import Counts

CLASSES = 3


def counts_of(correct=0, attacked=0, clean=10, backdoored=10):
    return Counts(
        clean_total=clean,
        clean_correct=correct,
        clean_abstained=0,
        clean_invalid=0,
        backdoored_total=backdoored,
        backdoored_attacked=attacked,
        backdoored_abstained=0,
        backdoored_invalid=0,
    )


def test_counts_by_hand():
    clean = np.array([0, 1, 2, 3, 1, 7, 0 | NOT_FINITE], dtype=np.uint16)
    labels = np.array([0, 1, 0, 2, 1, 2, 0])
    backdoored = np.array([0, 0, 3, 1], dtype=np.uint16)
    measured = counts(
        decode(clean, CLASSES), labels, decode(backdoored, CLASSES), np.zeros(4, dtype=int)
    )
    # argmax counting: the non-finite answer still counts as class 0, and is reported beside.
    assert measured == Counts(
        clean_total=7,
        clean_correct=4,
        clean_abstained=1,
        clean_invalid=2,
        backdoored_total=4,
        backdoored_attacked=2,
        backdoored_abstained=1,
        backdoored_invalid=0,
    )
    assert clean_accuracy(measured) == pytest.approx(4 / 7)
    assert attack_success_rate(measured) == 0.5


def test_an_empty_set_has_no_score():
    assert clean_accuracy(counts_of(clean=0)) is None
    assert attack_success_rate(counts_of(backdoored=0)) is None
    assert defense_effectiveness(counts_of(clean=0), counts_of()) is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((10, 10), (10, 10), 0.5),  # nothing done
        ((10, 10), (10, 0), 1.0),  # the attack is gone for free
        ((10, 10), (0, 10), 0.0),  # accuracy gone for nothing
        ((10, 8), (8, 2), (0.6 - 0.2 + 1) / 2),
        ((8, 8), (10, 10), 0.5),  # gains earn nothing
    ],
)
def test_defense_effectiveness_by_hand(before, after, expected):
    assert defense_effectiveness(counts_of(*before), counts_of(*after)) == pytest.approx(expected)
