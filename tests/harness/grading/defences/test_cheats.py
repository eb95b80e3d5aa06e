"""Defences that cheat, and others that misbehave: what becomes of each (``tests/defences``)."""

import pytest
from payloads import EACH_SANDBOX
from repository import ROOT

from harness.execution.progress import Quiet
from harness.grading.context import Budget, Options
from harness.grading.defences.code import find_defences, stage_defences
from harness.grading.defences.zoo import cells, prepare_zoo
from harness.grading.worker import grade_entry
from harness.records.errors import Status

DEFENCES = ROOT / "tests" / "defences"
ARRAYS = '[defence]\nfile = "defence.py"\nbadnet = "arrays"\n'


def text_of(name):
    return (DEFENCES / f"{name}.py").read_text()


@EACH_SANDBOX
def test_who_looks_for_backdoored_data_finds_nothing(run_cells, sandbox):
    """Where it did find something, it would have set all weights to zero."""
    (record,) = run_cells(text_of("peeking"), toml=ARRAYS, isolation=sandbox, seconds=20.0)
    assert record.status is Status.GRADED, record.reason
    assert record.checkpoints[0].artifact.weights_hash == record.badnet_weights_hash


ENDINGS = {
    "overtime": (Status.TIMED_OUT, "it took more than its budget of 2 s"),
    "no_repair": (Status.REJECTED, "no function repair("),
    "raises": (Status.REJECTED, "repair() fails: "),
    "wrong_return": (Status.REJECTED, "repair() returned NoneType"),
    "too_large_state": (Status.REJECTED, "repair() left 572 MiB; at most 256 are kept"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_one_that_misbehaves_is_told_in_one_line(run_cells, name):
    status, line = ENDINGS[name]
    seconds = 2.0 if name == "overtime" else 60.0
    (record,) = run_cells(text_of(name), toml=ARRAYS, seconds=seconds)
    assert record.status is status, record.reason
    assert line in record.reason


def test_a_model_with_another_number_of_outputs_is_refused(run_cells):
    (record,) = run_cells(text_of("wrong_shape"))
    assert record.status is Status.REJECTED
    assert "repair() returned a model with outputs" in record.reason


def test_forty_lines_are_enough(zoo, tmp_path):
    folder = DEFENCES / "forty_lines"
    assert len((folder / "forty_lines.py").read_text().splitlines()) <= 40
    chosen = Options(timing=False, budget=Budget())
    prepared = prepare_zoo(str(zoo), tmp_path, chosen, Quiet())
    (entry, *_) = cells(stage_defences(find_defences([str(folder)]), tmp_path), prepared.zoo)
    record = grade_entry(prepared, entry)
    assert record.status is Status.GRADED, record.reason
