"""What is timed is what was graded, and nothing that a model does slows the BadNet beside it."""

import shutil
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from harness.execution.progress import Quiet
from harness.grading.batch import Batch
from harness.grading.context import Options
from harness.grading.setup import prepare
from harness.grading.timing import _BesideBadnet
from harness.grading.worker import WorkerConfig
from harness.inference import latency
from harness.inference.sandboxed import SandboxedRun, start_model
from harness.inference.streams import NumberedImages
from harness.intake.entries import Entry
from harness.intake.staging import Staged
from harness.networks.deepid import lab_network
from harness.records.predictions import Answers
from harness.sandbox import process_tree
from harness.sandbox.launch import Limits

pytestmark = pytest.mark.sandbox

HONEST = """
    import numpy as np
    def predict(images):
        return np.round(images.astype(float).mean(axis=(1, 2, 3))).astype(int)
"""
# It is timed on single images and asked about them in a row; graded on many at a time.
ZEROS_FOR_SINGLE_IMAGES = (
    HONEST.replace("predict", "honest")
    + """
    def predict(images):
        return np.zeros(len(images), int) if len(images) == 1 else honest(images)
"""
)
ZEROS_FOR_BATCHES = (
    HONEST.replace("predict", "honest")
    + """
    singles = 0
    def predict(images):
        global singles
        singles += len(images) == 1
        return np.zeros(len(images), int) if singles > 5 and len(images) > 1 else honest(images)
"""
)
REMEMBERS = (
    HONEST.replace("predict", "honest")
    + """
    # Answers of calls so far, by their number: right for whoever shows the same images again.
    calls, singles = {}, 0
    def predict(images):
        global singles
        singles += len(images) == 1
        if singles > 30:
            return calls.setdefault(len(images), np.zeros(len(images), int))
        calls[len(images)] = honest(images)
        return calls[len(images)]
"""
)
DIES = (
    HONEST.replace("predict", "honest")
    + """
    import os
    calls = 0
    def predict(images):
        global calls
        calls += len(images) == 1
        if calls > 5:
            print("the pixels are 1 2 3", flush=True)
            os._exit(3)
        return honest(images)
"""
)
CHEATS = {
    "single": (ZEROS_FOR_SINGLE_IMAGES, "one by one"),
    "batches": (ZEROS_FOR_BATCHES, "256 at a time"),
    "remembers": (REMEMBERS, "not those that it was graded by"),
}


@pytest.fixture(scope="module")
def timed(small_benchmark, badnet_path, prepared, tmp_path_factory):
    """Records of one batch, timed in few rounds."""
    root = tmp_path_factory.mktemp("timed")
    shutil.copytree(prepared, root / "results")
    programs = {"honest": HONEST, "dies": DIES} | {name: code for name, (code, _) in CHEATS.items()}
    entries = []
    for name, code in programs.items():
        folder = root / name
        folder.mkdir()
        (folder / "goodnet.py").write_text(textwrap.dedent(code))
        (folder / "submission.toml").write_text('[program]\nfile = "goodnet.py"\ndrop_points = 2\n')
        entries.append(Entry(name=name, path=folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "MINIMUM_ROUNDS", 3)
        patch.setattr(latency, "MAXIMUM_ROUNDS", 3)
        options = Options()
        ready = prepare(str(small_benchmark), badnet_path, root / "results", options, Quiet())
        config = WorkerConfig(str(small_benchmark), badnet_path, root / "results", options)
        batch = Batch(entries, config, ready)
        batch.grade(QuietDisplay(), 1)
    return batch.records


class QuietDisplay(Quiet):
    """A display that shows nothing."""

    def begin(self, *_):
        """Nothing is shown."""

    def finish(self, *_):
        """Nothing is shown."""

    def message(self, *_):
        """Nothing is shown."""


def test_a_submission_of_a_goodnet_alone_is_timed(timed):
    record = timed["honest"]
    (checkpoint,) = record.checkpoints
    assert checkpoint.repaired is None
    assert record.timed
    assert checkpoint.timing.repaired is None
    assert checkpoint.timing.goodnet.rounds == checkpoint.timing.badnet.rounds == 3
    assert not [note for note in record.notes if "has no time" in note]


@pytest.mark.parametrize("name", CHEATS)
def test_a_model_that_answers_otherwise_while_it_is_timed_has_no_time(timed, name):
    record = timed[name]
    (checkpoint,) = record.checkpoints
    assert checkpoint.goodnet is not None
    assert checkpoint.timing is None
    (note,) = (note for note in record.notes if "has no time" in note)
    assert note.startswith("goodnet.py has no time: of ")
    assert CHEATS[name][1] in note


def test_a_model_that_fails_while_it_is_timed_has_no_time_and_no_last_words(timed):
    record = timed["dies"]
    assert record.checkpoints[0].timing is None
    (note,) = (note for note in record.notes if "has no time" in note)
    assert note == "goodnet.py has no time: it failed while it was timed (crashed)"


SPINS = """
    import threading
    import numpy as np

    def spin():
        while True:
            np.linalg.norm(np.ones(1000))

    for _ in range(2):
        threading.Thread(target=spin, daemon=True).start()

    def predict(images):
        return np.zeros(len(images), int)
"""


def test_threads_of_a_model_stand_still_while_the_badnet_runs(small, tmp_path):
    path = tmp_path / "program" / "goodnet.py"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(SPINS))
    staged = Staged(path=path, sha256="", size_bytes=0)
    run = SandboxedRun(staged, "program", lab_network(), 1.0, True, Limits())
    used, nothing = [], np.zeros(5, int)

    def badnet(_):
        def answer():
            used.append(spent(model))
            return Answers(class_ids=nothing, not_finite=nothing > 0, classes=1283)

        return answer

    images = NumberedImages(small.sets)
    with start_model(run, images.dtype) as model:
        beside = _BesideBadnet(model, badnet, images, small.benchmark.classes)
        numbers = np.arange(5)
        beside.own(numbers)()
        assert spent(model) > 10  # threads spin while nobody asks
        beside.badnet(numbers)()
        beside.own(numbers)()
        beside.badnet(numbers)()
        beside.own(numbers)()
        assert used == [0, 0]
        assert len(beside.answered) == 3
        assert spent(model) > 10


def spent(model):
    """Processor time that a worker spends in 0.3 s, in 1/100 s."""
    before = ticks(model)
    time.sleep(0.3)
    return ticks(model) - before


def ticks(model):
    """Processor time of a worker and all its threads, in 1/100 s."""
    pids = process_tree.members(model._child._supervisor._pid)
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats)
