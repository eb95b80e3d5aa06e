"""Detectors on BadNets and clean twins: what they are handed, and what they may answer."""

import struct

import numpy as np
import pytest
from tiny_zoo import write_zoo

from harness.execution.progress import Quiet
from harness.grading.context import Budget, Options
from harness.grading.defences.code import find_detectors, stage_defences
from harness.grading.defences.detection import prepare_detection
from harness.grading.defences.zoo import cells
from harness.grading.worker import grade_entry
from harness.inference.defences.probabilities import (
    ProbabilityError,
    pack_probability,
    read_probability,
)
from harness.records.errors import Status

ARRAYS = '[defence]\nfile = "defence.py"\nbadnet = "arrays"\n'
HEAD = "def detect(network, clean_images, clean_labels, *, classes, seed, budget):\n    "


@pytest.fixture(scope="module")
def with_twins(tmp_path_factory):
    """The folder of a zoo with clean twins."""
    return write_zoo(tmp_path_factory.mktemp("zoo"), twins=True)


@pytest.fixture
def ask(with_twins, tmp_path):
    """The records of the first networks about which a detector is asked that is given as text."""

    def run(text, *, toml=ARRAYS, many=1, seconds=60.0):
        code = tmp_path / "mine"
        code.mkdir(exist_ok=True)
        (code / "defence.py").write_text(text)
        (code / "submission.toml").write_text(toml)
        chosen = Options(timing=False, budget=Budget(seconds=seconds), detects=True)
        prepared = prepare_detection(str(with_twins), tmp_path / "out", chosen, Quiet())
        staged = stage_defences(find_detectors([str(code)]), tmp_path / "out", prepared.code)
        return [grade_entry(prepared, entry) for entry in cells(staged, prepared.zoo)[:many]]

    return run


LOOKS_AROUND = """
import hashlib, os, sys, tempfile

def detect(network, clean_images, clean_labels, *, classes, seed, budget):
    seen = [network.graph, sorted((n, a.shape, a.dtype) for n, a in network.arrays.items()),
            clean_images.tobytes(), clean_labels.tobytes(), classes, seed, budget,
            sys.argv[1:], sorted(os.environ.items()), sorted(os.listdir("/submission"))]
    return int.from_bytes(hashlib.sha256(repr(seen).encode()).digest()[:6], "big") / 2**48
"""


def test_nothing_but_the_weights_tells_a_badnet_from_its_twin(ask):
    """Not the names, the order, the seed, the arguments, or what else the child can look at."""
    records = ask(LOOKS_AROUND, many=4)
    names = ["mine@patch-0", "mine@patch-0-clean", "mine@blended-0", "mine@blended-0-clean"]
    assert [record.submission for record in records] == names
    assert [record.reason for record in records] == [None] * 4
    assert len({record.probability for record in records}) == 1


def test_a_keras_network_is_handed_over_and_what_it_costs_is_measured(ask):
    text = HEAD + "return network.get_layer('output').bias.numpy().max() / 100"
    badnet, twin = ask(text, toml="", many=2)
    assert badnet.status is twin.status is Status.GRADED
    assert 0 < badnet.probability != twin.probability > 0
    assert (badnet.repair.left, badnet.repair.images) == ("probability", 60)
    assert badnet.repair.cpu_seconds is not None
    assert badnet.badnet is None  # nothing was counted


def test_where_its_own_code_failed_is_kept_until_it_runs_again(ask, tmp_path):
    (record,) = ask(HEAD + "return {}['x']", toml=ARRAYS)
    assert record.reason.startswith("detect() fails: defence.py line ")
    (kept,) = (tmp_path / "out" / "errors").rglob("*.log")
    assert kept == tmp_path / "out" / "errors" / "mine" / "patch-0.log"
    assert "  defence.py line " in kept.read_text()
    assert str(tmp_path) not in kept.read_text()
    (record,) = ask(HEAD + "return 0.5", toml=ARRAYS)
    assert record.probability == 0.5
    assert not kept.exists()


NO_PROBABILITIES = {
    "not a number": (float("nan"), "returned nan; it returns a number from 0 to 1"),
    "infinite": (float("inf"), "returned inf"),
    "above one": (1.5, "detect() returned 1.5; it returns a number from 0 to 1"),
    "just above one": (np.nextafter(1, 2), "detect() returned 1"),
    "percent": (97, "detect() returned 97"),
    "too large": (10**400, "detect() returned int"),
    "below zero": (-1e-9, "detect() returned -1e-09"),
    "text": ("0.5", "detect() returned str; it returns a number"),
    "bytes": (b"0.5", "detect() returned bytes"),
    "nothing": (None, "detect() returned NoneType"),
    "complex": (0.5j, "detect() returned complex"),
    "one for each class": (np.full(7, 0.1), "an array of shape (7,); it returns a number"),
    "an array of one": (np.array([0.5]), "an array of shape (1,)"),
    "a list": ([0.5], "detect() returned list"),
    "an array of text": (np.array("a"), "detect() returned ndarray"),
}


@pytest.mark.parametrize("what", NO_PROBABILITIES)
def test_what_is_no_probability_is_refused(what):
    value, line = NO_PROBABILITIES[what]
    with pytest.raises(ProbabilityError) as error:
        pack_probability(value)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [0, 1, True, 0.25, np.float32(0.25), np.array(0.25), -0.0])
def test_numbers_of_every_kind_are_taken(value):
    assert read_probability(pack_probability(value)) == float(value)


WRONG = {
    "not a number": ("return float('nan')", "returned nan; it returns a number from 0 to 1"),
    "raises": ("1 / 0", "detect() fails: defence.py line 2: ZeroDivisionError"),
    "exits": ("import os; os._exit(3)", "detect() ended with exit code 3"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_goes_wrong_is_one_line(ask, what):
    body, line = WRONG[what]
    (record,) = ask(HEAD + body)
    assert record.status is (Status.CRASHED if what == "exits" else Status.REJECTED)
    assert line in record.reason
    assert "\n" not in record.reason
    assert record.probability is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# detect", "defence.py: no function detect(network, clean_images, clean_labels, *, "),
        ("def detect(network): return 1", "detect() is to be called as detect(network, clean_im"),
    ],
)
def test_without_a_function_to_call_it_is_one_line(ask, text, line):
    (record,) = ask(text)
    assert (record.status, record.probability) == (Status.REJECTED, None)
    assert line in record.reason


def test_one_that_ignores_its_budget_is_ended(ask):
    (record,) = ask(HEAD + "import time; time.sleep(60)", seconds=1.0)
    assert record.status is Status.TIMED_OUT
    assert record.reason == "detect() was ended: it took more than its budget of 1 s (--seconds)"


@pytest.mark.parametrize("value", [float("nan"), -0.1, 1.0000001])
def test_what_a_child_writes_itself_is_checked_again(value):
    with pytest.raises(ProbabilityError, match="from 0 to 1"):
        read_probability(struct.pack("<d", value))
    with pytest.raises(ProbabilityError, match="left 3 bytes"):
        read_probability(b"abc")
