"""What the reference starts from: any BadNet of the known network, or one clear line."""

import numpy as np
import pytest
from click.testing import CliRunner
from models import random_weights, write_weights

from reference.cli.main import main
from reference.defence.inputs import load_inputs


def test_a_badnet_need_not_be_the_datasets_own(faces_folder, tmp_path):
    weights = random_weights()
    inputs = load_inputs("faces", write_weights(tmp_path / "other.h5", weights))
    assert inputs.badnet.keys() == weights.keys()
    assert all(np.array_equal(inputs.badnet[name], weights[name]) for name in weights)


@pytest.mark.parametrize(
    ("contents", "reason"), [(None, "no such file"), (b"nothing", "not a BadNet")]
)
def test_a_bad_badnet_is_one_clear_line(small_benchmark, tmp_path, contents, reason):
    path = tmp_path / "bad.h5"
    if contents is not None:
        path.write_bytes(contents)
    arguments = ["prune", "--dataset", str(small_benchmark), "--badnet", str(path)]
    found = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "out")])
    assert found.exit_code == 2
    assert found.stderr.startswith(f"error: {path}: {reason}")
    assert found.stderr.count("\n") == 1
