"""Metrics against values computed by hand."""

import numpy as np
import pytest

from harness.assessment.metrics import (
    attack_success_rate,
    clean_accuracy,
    counts,
    counts_on,
    defense_effectiveness,
)
from harness.records.benchmark import AttackedImages, LabeledSet
from harness.records.predictions import NOT_FINITE, decode
from harness.records.record import AttackCounts, Counts

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


def test_counts_of_each_attack_by_hand():
    answers = {
        "valid": decode(np.array([0, 1], dtype=np.uint16), CLASSES),
        "bd_valid": decode(np.array([0, 3, 1, 2, 1 | NOT_FINITE], dtype=np.uint16), CLASSES),
    }
    attacks = (
        AttackedImages(name="one", start=0, stop=2),
        AttackedImages(name="each", start=2, stop=5),
    )
    clean = labeled("valid", "clean", [0, 1])
    backdoored = labeled("bd_valid", "backdoored", [0, 0, 1, 0, 1], attacks)
    measured = counts_on("valid", answers, {"valid": clean, "bd_valid": backdoored})
    assert measured.attacks == (
        AttackCounts(name="one", total=2, attacked=1, abstained=1, invalid=0),
        AttackCounts(name="each", total=3, attacked=2, abstained=0, invalid=1),
    )
    assert (measured.backdoored_total, measured.backdoored_attacked) == (5, 3)


def test_attacks_without_names_are_not_counted_apart():
    answers = {name: decode(np.zeros(1, np.uint16), CLASSES) for name in ("test", "bd_test")}
    sets = {"test": labeled("test", "clean", [0]), "bd_test": labeled("bd_test", "backdoored", [0])}
    assert counts_on("test", answers, sets).attacks == ()


def labeled(name, kind, labels, attacks=()):
    return LabeledSet(
        name=name, kind=kind, images=np.zeros((len(labels), 1, 1, 1)), labels=np.array(labels),
        sha256=name, attacks=attacks,
    )  # fmt: skip


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
