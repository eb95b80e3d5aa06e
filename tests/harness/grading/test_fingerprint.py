"""Hashes of what a grade depends on: other files never have the same one."""

import pytest
from models import random_weights

from harness.grading.context import GradingBasis, Options
from harness.grading.fingerprint import grading_inputs_hash
from harness.lineage.rankings import Rankings
from harness.records.predictions import Predictions


@pytest.fixture(scope="module")
def inputs_hash(small):
    nothing = Predictions(answers={}, output_count=0)
    basis = GradingBasis(
        badnet=random_weights(),
        predictions=nothing,
        rankings=Rankings((), "known", {}, frozenset()),
    )
    return lambda folder: grading_inputs_hash(folder, basis, small, Options())


def tree(folder, files):
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
    return folder


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": b"xyz", "b": b""}, {"a|33188|3|xyz|b": b""}),
        ({"a": b"", "b": b"x"}, {"a|33188|0||b": b"x"}),
        ({"a": b"x"}, {"a": b"y"}),
        ({"a|": b""}, {"a||": b""}),
    ],
)
def test_other_files_have_another_hash(tmp_path, inputs_hash, first, second):
    own = [inputs_hash(tree(tmp_path / str(n), files)) for n, files in enumerate((first, second))]
    assert None not in own
    assert own[0] != own[1]
