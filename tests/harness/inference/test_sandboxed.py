"""Models in workers: their answers come back to their images, and their failures to them."""

import textwrap
from dataclasses import replace

import numpy as np
import pytest
from payloads import BOTH, SMALL

from harness.inference.sandboxed import SandboxedRun, ask_again, predict_sandboxed
from harness.intake.staging import Staged
from harness.networks.deepid import lab_network
from harness.records.benchmark import SETS, LabeledSet
from harness.records.errors import Status, SubmissionError
from harness.records.record import Probe

HONEST = "def predict(images): return images[:, 0, 0, 0].astype(int) * 5"


@pytest.fixture
def sets():
    """Four sets of a few images; the first pixel of each tells all of them apart."""
    numbers = iter(range(250))
    sizes = dict(zip(SETS, (40, 30, 35, 25), strict=True))
    labeled = {}
    for name, size in sizes.items():
        images = np.full((size, 55, 47, 3), 100, np.uint8)
        images[:, 0, 0, 0] = [next(numbers) for _ in range(size)]
        labeled[name] = LabeledSet(
            name=name, kind="clean", images=images, labels=np.zeros(size, int), sha256=name
        )
    return labeled


@pytest.fixture
def program(tmp_path):
    def write(code, *, sandboxed=False):
        path = tmp_path / "program" / "goodnet.py"
        path.parent.mkdir()
        path.write_text(textwrap.dedent(code))
        staged = Staged(path=path, sha256="", size_bytes=0)
        return SandboxedRun(staged, "program", lab_network(), 1.0, sandboxed, SMALL)

    return write


@BOTH
def test_each_answer_comes_back_to_its_image(program, sets, sandboxed):
    counted = []
    run = program(HONEST, sandboxed=sandboxed)
    predictions = predict_sandboxed(run, sets, 7, counted.append)
    assert predictions.output_count == 0
    for name, labeled in sets.items():
        expected = labeled.images[:, 0, 0, 0].astype(int) * 5
        assert np.array_equal(predictions.answers[name].class_ids, expected)
    assert counted[-1] == 130

    repeats = ask_again(run, sets, 8).compare(predictions)
    assert (repeats.images, repeats.repeated_changed) == (130, 0)
    assert repeats.perturbed_changed > 50  # this program reads one pixel, and noise moves it


def test_a_model_that_counts_its_images_is_found_out(program, sets):
    run = program("""
        count = 0
        def predict(images):
            global count
            count += 1
            return [count * 1000 + i for i in range(len(images))]
    """)
    probe = ask_again(run, sets, 8).compare(predict_sandboxed(run, sets, 7))
    assert isinstance(probe, Probe)
    assert probe.repeated_changed > 100


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("def predict(images): raise ValueError('no\\nidea')", "rejected", "ValueError: no idea"),
        ("def guess(images): return images", "rejected", "has no function predict"),
        ("raise SystemExit(3)", "crashed", "exit code 3"),
        ("import os; print('boom'); os.abort()", "crashed", "SIGABRT"),
        # The supervisor and the waiting parent both see it, and name it each in its own words.
        ("while True: pass", "timed_out", ""),
    ],
)
def test_a_failure_is_the_submissions(program, sets, code, status, reason):
    run = program(code)
    if status == "timed_out":
        run = replace(run, limits=replace(SMALL, wall_seconds=1.0))
    with pytest.raises(SubmissionError) as caught:
        predict_sandboxed(run, sets, 7)
    assert caught.value.status == Status(status)
    assert reason in caught.value.reason
    assert "\n" not in caught.value.reason
