"""Which way a file of arrays is meant, by what clean images tell."""

import numpy as np
import pytest
from models import random_weights

from harness.inference.known_network import BadNet
from harness.inference.readings import Evidence, mask_note, masked_nets, meant_reading, read_net
from harness.networks.deepid import lab_network
from harness.networks.readings.masks import MaskReading
from harness.networks.readings.weights import Reading
from harness.records.errors import Status, SubmissionError

FIRST, LAST = tuple(range(30)), tuple(range(30, 60))
MASKS = (MaskReading("first", FIRST), MaskReading("last", LAST))
BADNET = BadNet(lab_network(), random_weights())


def nets_of(shares, dormant=()):
    return masked_nets(MASKS, BADNET, Evidence(lambda _: shares, frozenset(dormant)))


def chosen(shares, dormant=()):
    """Which of two masks is taken."""
    nets = nets_of(shares, dormant)
    taken = meant_reading([nets])
    gone = ~nets[taken].weights["conv_3/kernel"].any(axis=(0, 1, 2))
    assert np.flatnonzero(gone).tolist() == list(MASKS[taken].pruned)
    name = MASKS[taken].label
    assert f"clean images right: {name} (" in mask_note(nets, taken)
    return name


@pytest.mark.parametrize(
    ("shares", "dormant", "name"),
    [
        ([0.9, 0.1], (), "first"),
        ([0.1, 0.9], (), "last"),
        ([0.9, 0.9], (), "first"),
        ([0.90, 0.91], (), "last"),
        ([0.90, 0.96], range(10), "first"),
        ([0.96, 0.90], range(50, 60), "last"),
        ([0.44, 0.90], range(10), "last"),  # not even half: no honest mask does that
        ([0.45, 0.90], range(10), "first"),  # just half
        ([0.90, 0.96], (0, 1, 2, 3, 4, 30, 31, 32), "last"),  # dormant ones in both
        ([0.90, 0.96], (*range(9), 30), "first"),  # nine in ten
        ([0.90, 0.96], (*range(8), 30), "last"),  # eight in nine
    ],
)
def test_masks_are_told_by_accuracy_and_by_dormant_channels(shares, dormant, name):
    assert chosen(shares, dormant) == name


def test_masks_of_one_submission_are_read_in_one_way():
    files = [nets_of([0.40, 0.10]), nets_of([0.32, 0.17]), nets_of([0.17, 0.35])]
    assert meant_reading(files) == 0
    assert meant_reading(files[2:]) == 1


def test_of_nets_the_most_accurate_is_taken():
    nets = [Reading(label, random_weights(seed)) for seed, label in enumerate("abc")]
    weights, note = read_net(nets, Evidence(lambda _: [0.1, 0.7, 0.6]))
    assert weights is nets[1].weights
    assert note == (
        "can be read in 3 ways; taken, by its share of clean images right: b (70.0%), not a "
        "(10.0%), c (60.0%)"
    )


def test_without_images_the_first_is_taken_and_said():
    nets = [Reading(label, random_weights(seed)) for seed, label in enumerate("ab")]
    weights, note = read_net(nets, None)
    assert weights is nets[0].weights
    assert note.startswith("can be read in 2 ways (a or b); ")
    masked = masked_nets(MASKS, BADNET, None)
    assert meant_reading([masked]) == 0
    assert mask_note(masked, 0).startswith("can be read in 2 ways (first or last); ")


def test_a_mask_needs_the_badnet():
    with pytest.raises(SubmissionError, match="the BadNet, which is not at hand") as caught:
        masked_nets(MASKS, None, None)
    assert caught.value.status is Status.NOT_GRADED
