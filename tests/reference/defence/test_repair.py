"""What the reference hands in was confirmed by Keras on the images."""

from dataclasses import replace

import pytest

from harness.records.errors import HarnessError
from reference.defence.inputs import load_inputs
from reference.defence.repair import pruning_curve, repair


@pytest.fixture(scope="module")
def swept(small_benchmark, badnet_path):
    inputs = load_inputs(str(small_benchmark), badnet_path)
    return inputs, pruning_curve(inputs)


def test_saved_checkpoints_score_what_the_sweep_counted(swept):
    inputs, curve = swept
    (saved,) = repair(inputs, curve, [4])
    step = curve.first_crossing(4)
    assert len(saved.channels) == step
    counts = saved.repaired["valid"]
    counted = (curve.clean_correct[step], curve.backdoored_attacked[step])
    assert (counts.clean_correct, counts.backdoored_attacked) == counted


def test_a_sweep_that_counts_otherwise_than_the_network_is_refused(swept):
    inputs, curve = swept
    step = curve.first_crossing(4)
    attacked = list(curve.backdoored_attacked)
    attacked[step] -= 3
    with pytest.raises(HarnessError, match=f"with {step} channels pruned the sweep counts"):
        repair(inputs, replace(curve, backdoored_attacked=tuple(attacked)), [4])
