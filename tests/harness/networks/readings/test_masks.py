"""Masks of the BadNet: which channels they take away, and what is no mask."""

import numpy as np
import pytest

from harness.networks.array_files import MaskFile
from harness.networks.deepid import lab_network
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.weight_files import read_model, read_submitted

GONE = (3, 7, 59)
KEPT = tuple(channel for channel in range(60) if channel not in GONE)


def mask(dtype="f4"):
    ones = np.ones(60, dtype)
    ones[list(GONE)] = 0
    return ones


KERNEL = np.broadcast_to(mask(), (3, 3, 40, 60))
WAYS = {
    "real numbers": mask(),
    "booleans": mask(bool),
    "whole numbers": mask("i8"),
    "bytes": mask("u1"),
    "a row": mask().reshape(1, 1, 1, 60),
    "a column": mask().reshape(60, 1, 1),
    "of the kernel": KERNEL,
    "of PyTorch's kernel": KERNEL.transpose(3, 2, 0, 1),
    "of the kernel, columns first": np.asfortranarray(KERNEL),
    "the other way round": 1 - mask(),
    "a list of what is gone": np.array(GONE),
    "a list of real numbers": np.array(GONE, "f8"),
    "a list of what is kept": np.array(KEPT),
    "a list in no order": np.array(GONE[::-1]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_masks_are_understood_in_both_ways(tmp_path, way, ending):
    path = tmp_path / f"mask_2.{ending}"
    if ending == "npy":
        np.save(path, WAYS[way])
    else:
        np.savez_compressed(path, WAYS[way])
    found = read_submitted(path, lab_network())
    assert isinstance(found, MaskFile)
    assert {each.pruned for each in found.readings} == {GONE, KEPT}
    if way not in ("the other way round", "a list of what is kept"):
        assert found.readings[0].pruned == GONE


def test_a_mask_of_each_layer_may_prune_the_one_alone(tmp_path):
    masks = {"conv_1": np.ones(20), "conv_3": mask(), "fc_1": np.ones(160)}
    np.savez(tmp_path / "a.npz", **masks)
    assert read_submitted(tmp_path / "a.npz", lab_network()).readings[0].pruned == GONE
    np.savez(tmp_path / "b.npz", **(masks | {"conv_1": np.zeros(20)}))
    with pytest.raises(RejectedFileError):
        read_submitted(tmp_path / "b.npz", lab_network())


def single_weights():
    kernel = np.ones((3, 3, 40, 60), "f4")
    kernel[0, 0, 0, 5] = 0
    return kernel


NO_MASKS = {
    "single weights": (single_weights(), "a mask of single weights of conv_3"),
    "other numbers": (np.linspace(0, 1, 60), "neither the weights of a net nor a mask"),
    "an order of all channels": (np.arange(60), "neither the weights of a net nor a mask"),
    "channels that are not there": (np.array([3, 60]), "neither the weights of a net nor a mask"),
    "a channel twice": (np.array([3, 3]), "neither the weights of a net nor a mask"),
    "negative channels": (np.array([-1, 3]), "neither the weights of a net nor a mask"),
    "not a number": (np.full(60, np.nan), "neither the weights of a net nor a mask"),
    "of another layer": (np.ones(61), "one array of shape \\(61,\\)"),
    "images": (np.zeros((5, 55, 47, 3), "u1"), "one array of shape \\(5, 55, 47, 3\\)"),
    "nothing": (np.zeros(0), "one array of shape \\(0,\\)"),
    "one number": (np.float32(1), "one array of shape \\(\\)"),
}


@pytest.mark.parametrize("case", NO_MASKS)
def test_what_is_no_mask_is_refused_with_what_it_is(tmp_path, case):
    array, reason = NO_MASKS[case]
    np.save(tmp_path / "mask_2.npy", array)
    with pytest.raises(RejectedFileError, match=reason):
        read_submitted(tmp_path / "mask_2.npy", lab_network())


def test_a_mask_alone_is_no_net(tmp_path):
    np.save(tmp_path / "mask_2.npy", mask())
    with pytest.raises(RejectedFileError, match="no net without the BadNet"):
        read_model(tmp_path / "mask_2.npy", lab_network())
