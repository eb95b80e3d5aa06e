"""A script in processes of ours, without a sandbox: what the time allows."""

import time

import numpy as np
import pytest
from competition_entries import script, with_files

from harness.inference.scripts.processes import ScriptRun
from harness.inference.scripts.running import Questions, ask_script
from harness.inference.scripts.worker import Settings
from harness.records.errors import Status, SubmissionError
from harness.sandbox.launch import Limits


def ask(folder, deadline, **limits):
    with_files(folder, eval_py=script())
    run = ScriptRun(
        repository=folder,
        settings=Settings(script="eval.py", suffix=".png", network="sunglasses"),
        image_format="png",
        sandbox=None,
        limits=Limits(**limits),
        deadline=deadline,
    )
    rng = np.random.default_rng(1)
    questions = Questions(
        images=rng.integers(0, 256, (6, 5, 4, 3)).astype(np.float32),
        groups=np.array([0, 1] * 3),
        fewest=2,
        compared=2,
        rng=rng,
    )
    found = ask_script(run, questions, lambda done: None)
    return found, questions.images.astype(int).sum(axis=(1, 2, 3)) % 8


def test_all_are_answered_and_some_are_compared(tmp_path):
    found, answers = ask(tmp_path, time.monotonic() + 300)
    np.testing.assert_array_equal(found.encoded, answers)
    np.testing.assert_array_equal(found.asked, range(6))
    assert (found.compared, found.differing, found.each, found.reason) == (2, 0, None, "")


def test_without_time_to_compare_nothing_is_graded(tmp_path):
    with pytest.raises(SubmissionError, match="no time was left for images in processes of") as e:
        ask(tmp_path, time.monotonic())
    assert e.value.status is Status.TIMED_OUT
