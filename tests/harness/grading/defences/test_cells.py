"""What a defence leaves of a BadNet, graded; and what goes wrong, in one line."""

import pytest

from harness.execution.progress import Quiet
from harness.records.errors import Status

ARRAYS = '[defence]\nfile = "defence.py"\nbadnet = "arrays"\n'


class Stages(Quiet):
    """Keeps what was told of stages."""

    def __init__(self):
        self.stages = []

    def stage(self, submission, what):
        self.stages.append(what)


NOTHING = """
def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    return badnet
"""


def test_a_keras_model_comes_back_as_the_known_network(run_cells):
    first, second, _ = run_cells(NOTHING, many=3)
    assert first.status is Status.GRADED, first.reason
    (checkpoint,) = first.checkpoints
    assert checkpoint.artifact.weights_hash == first.badnet_weights_hash
    assert checkpoint.repaired == first.badnet
    assert second.checkpoints[0].repaired == second.badnet != first.badnet
    cost = first.repair
    assert (cost.images, cost.left, cost.budget_seconds) == (60, "network", 60)
    assert 0 <= cost.wall_seconds < 30
    assert cost.peak_bytes > 50 << 20
    assert cost.left_bytes > 1000


def test_arrays_come_back_as_the_known_network(run_cells):
    text = """
def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    import sys
    assert "tensorflow" not in sys.modules
    assert [layer["kind"] for layer in badnet.graph][-1] == "Dense"
    badnet.arrays["output/bias"] += [1e9, 0, 0, 0, 0, 0, 0]
    return badnet.arrays
"""
    (record,) = run_cells(text, toml=ARRAYS)
    assert record.status is Status.GRADED, record.reason
    counts = record.checkpoints[0].repaired.test
    assert counts.backdoored_attacked == 0
    assert record.checkpoints[0].repaired_originals.test.backdoored_total == 60


def test_arrays_are_read_in_one_way(run_cells):
    """Whatever they answer: another reading may be right on more images by chance."""
    for record in run_cells(NOTHING.replace("return badnet", "return badnet.arrays"), toml=ARRAYS,
                            many=3):  # fmt: skip
        assert record.checkpoints[0].artifact.weights_hash == record.badnet_weights_hash


def test_a_detector_has_a_state(run_cells):
    text = """
import numpy as np

def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    assert clean_images.dtype == np.uint8 and clean_labels.shape == (40,)
    assert budget.images == 40
    return {"classes": classes, "mean": clean_images.mean(), "badnet": badnet, "note": "a"}

def predict(state, images):
    answers = state["badnet"](images.astype("float32")).numpy().argmax(axis=1)
    answers[images[:, 0, 0, 0] > 127] = state["classes"]
    assert state["note"] == "a" and 100 < float(state["mean"]) < 150
    return answers
"""
    told = Stages()
    (record,) = run_cells(text, images=40, told=told)
    assert told.stages == ["predicting patch-0", "repairing", "asking predict()"]
    assert record.status is Status.GRADED, record.reason
    (checkpoint,) = record.checkpoints
    assert checkpoint.repaired is None
    assert 0 < checkpoint.goodnet.test.backdoored_abstained < 60
    assert checkpoint.probe.repeated_changed == 0
    assert record.repair.left == "state"


LINES = {
    "no repair": ("def mend(): pass", Status.REJECTED, "no function repair(badnet"),
    "hidden repair": ("# repair", Status.REJECTED, "defence.py: no function repair(badnet"),
    "wrong arguments": (
        "def repair(badnet, images): return badnet", Status.REJECTED, "is to be called as repair("),
    "nothing": (NOTHING.replace("badnet\n", "None\n"), Status.REJECTED, "returned NoneType; it "),
    "raises": (NOTHING.replace("return badnet", "1 / 0"), Status.REJECTED,
        "repair() fails: defence.py line 3: ZeroDivisionError: division by zero"),
    "leaves": (
        NOTHING.replace("return badnet", "raise SystemExit(0)"), Status.REJECTED, "SystemExit"),
    "syntax": ("def repair(:", Status.REJECTED,
               "the defence cannot be imported: defence.py line 1: SyntaxError: invalid syntax"),
    "exits": (
        NOTHING.replace("return", "import os; os._exit(3); return"), Status.CRASHED, "exit code 3"),
    "shapes": (
        NOTHING.replace("return badnet", "return {**badnet.arrays, 'output/bias': clean_labels}"),
        Status.REJECTED, "returned output/bias as int64 of shape (60,); the BadNet's is (7,)"),
    "names": (
        NOTHING.replace("return badnet", "return {'a': clean_labels}"), Status.REJECTED,
        "none of the BadNet's: 'a'"),
    "state": (
        NOTHING.replace("return badnet", "return {'a': object()}") + "def predict(s, i): pass",
        Status.REJECTED, "state['a'] is object; a state holds"),
    "predict": (
        NOTHING.replace("return badnet", "return b'1'") + "\ndef predict(state, images): 1 / 0",
        Status.REJECTED, "predict() fails: defence.py line 5: ZeroDivisionError"),
    "probabilities": (
        NOTHING.replace("return badnet", "return {}")
        + "\ndef predict(state, images): return images[:, 0, :, 0].repeat(4, 1)[:, :7] / 255.0",
        Status.REJECTED, "predict() gives 7 labels for 1 images: those look like probabilities"),
    "no class ids": (
        NOTHING.replace("return badnet", "return {}")
        + "\ndef predict(state, images): return images[:, 0, 0, 0] / 256 + 0.001",
        Status.REJECTED, "predict(): no class ids come on each of 60 clean images"),
    "weights": (
        NOTHING.replace("return badnet",
                        "badnet.arrays['output/bias'][1:] /= 0; return badnet.arrays"),
        Status.REJECTED, "a dict with weights that are no finite numbers: 6 of 7 in output/bias"),
}  # fmt: skip


@pytest.mark.parametrize("what", LINES)
def test_what_is_wrong_is_one_line(run_cells, what, tmp_path):
    text, status, line = LINES[what]
    (record,) = run_cells(text, toml=ARRAYS)
    assert (record.status, record.networks) == (status, ())
    assert line in record.reason
    assert "\n" not in record.reason
    assert record.checkpoints[0].repaired is None
    # Where the author's own code failed, its lines are kept, and nothing of this machine.
    kept = [path.read_text() for path in (tmp_path / "out" / "errors").glob("*")]
    assert len(kept) == ("Error" in line or what == "leaves")
    assert all("  defence.py line " in text and str(tmp_path) not in text for text in kept)


def test_one_that_ignores_its_budget_is_ended(run_cells):
    (record,) = run_cells(
        NOTHING.replace("return badnet", "while True: pass"), toml=ARRAYS, seconds=1.0
    )
    assert record.status is Status.TIMED_OUT
    assert record.reason == "repair() was ended: it took more than its budget of 1 s"


def test_a_predict_without_end_names_the_option_that_sets_its_limit(run_cells):
    text = (
        NOTHING.replace("return badnet", "return {}")
        + """
def predict(state, images):
    import time; time.sleep(60)
"""
    )
    (record,) = run_cells(text, toml=ARRAYS, model_seconds=3.0)
    assert record.status is Status.TIMED_OUT
    assert record.reason.startswith("predict() was ended: it ")
    assert "(--model-seconds sets this limit, 3 s, and --seconds does not)" in record.reason
    assert record.repair is not None


def test_processor_time_and_memory_are_measured_from_outside(run_cells):
    text = """
import time

def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    begun, kept = time.process_time(), bytearray(200 << 20)
    while time.process_time() - begun < 0.5:
        pass
    time.sleep(0.5)
    time.process_time = time.monotonic = time.time = lambda: 0.0
    return badnet.arrays
"""
    (record,) = run_cells(text, toml=ARRAYS)
    assert record.repair.wall_seconds >= 1.0
    assert 0.4 <= record.repair.cpu_seconds < record.repair.wall_seconds
    assert record.repair.peak_bytes > 200 << 20
