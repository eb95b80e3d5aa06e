"""Whatever numbers a net of the lab's network holds, it is graded, and that is the student's."""

import warnings

import numpy as np
import pytest
from models import random_weights, write_weights

from harness.execution.progress import Quiet
from harness.grading.context import Options
from harness.grading.setup import prepare
from harness.grading.submission import grade_folder
from harness.lineage.lineage import zero_channels
from harness.records.errors import Status


@pytest.fixture(scope="module")
def ready(small_benchmark, badnet_path, tmp_path_factory):
    results = tmp_path_factory.mktemp("extreme")
    return prepare(str(small_benchmark), badnet_path, results, Options(timing=False), Quiet())


def sized(array, size):
    """The array with `size` as its largest number."""
    return (array.astype("f8") * (size / np.abs(array).max().astype("f8"))).astype("f4")


def extremes(badnet):
    for size in (1e-45, 1e-20, 3e38):
        for name in ("conv_1/kernel", "conv_3/bias", "fc_1/kernel"):
            yield f"{name} of {size}", badnet | {name: sized(badnet[name], size)}
        yield f"all of {size}", {n: np.full_like(array, size) for n, array in badnet.items()}
    yield "all tiny", {n: sized(array, 1e-39) for n, array in badnet.items()}
    yield "nothing", {n: np.zeros_like(array) for n, array in badnet.items()}
    for value in (np.nan, -np.inf):
        one = badnet["conv_3/kernel"].copy()
        one[0, 0, 0, 0] = value
        yield f"one {value}", badnet | {"conv_3/kernel": one}

    # Channels made larger by what their readers are made smaller by: as far as numbers go.
    for factor in (2.0**100, 2.0**-100):
        rescaled = zero_channels(badnet, range(3))
        for name in ("conv_3/kernel", "conv_3/bias"):
            rescaled[name] = (rescaled[name] * factor).astype("f4")
        for name in ("conv_4/kernel", "fc_1/kernel"):
            rescaled[name] = (rescaled[name] / factor).astype("f4")
        yield f"rescaled by {factor}", rescaled
    yield "one channel", random_weights(channels=1)


def test_no_weights_are_the_harness_s_fault(ready, badnet, tmp_path):
    for number, (name, weights) in enumerate(extremes(badnet)):
        folder = tmp_path / str(number)
        write_weights(folder / "model_2.h5", weights)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a user would read NumPy's on the terminal
            record = grade_folder(folder, ready.basis, ready.datasets, ready.run)
        assert record.status is Status.GRADED, (name, record.reason)
        (entry,) = record.checkpoints
        assert entry.repaired.test.clean_total, name
