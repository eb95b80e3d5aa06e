"""Nothing grows with what a stranger hands in: files opened, time, words."""

import json
import shutil
import time

import pytest
from models import known_config, write_full, write_weights

from harness.execution.progress import Quiet
from harness.grading.context import Options
from harness.grading.setup import prepare
from harness.grading.submission import grade_folder
from harness.inference import opening
from harness.intake.matching import Expectation
from harness.lineage.lineage import zero_channels
from harness.records.errors import Status
from harness.records.submission import Candidate, Submission

pytestmark = pytest.mark.sandbox
LONG = "a name as long as a file system lets it be " * 5
SLEEPER = "import time\ndef predict(images):\n    time.sleep(600)\n"


@pytest.fixture(scope="module")
def folders(tmp_path_factory, badnet):
    root = tmp_path_factory.mktemp("limits")
    for x in (2, 4, 10):
        write_weights(root / "crowd" / f"model_{x}.h5", zero_channels(badnet, range(20 + x)))
    for index in range(300):
        path = root / "crowd" / f"{index} {LONG}" / f"{LONG}{index}.h5"
        path.parent.mkdir()
        path.write_bytes(b"12345678")
    shutil.copytree(root / "crowd", root / "nothing else")
    for path in (root / "nothing else").glob("model_*.h5"):
        path.unlink()

    (root / "sleeper").mkdir()
    (root / "sleeper" / "goodnet.py").write_text(SLEEPER)
    (root / "sleeper" / "submission.toml").write_text(
        '[program]\nfile = "goodnet.py"\ndrop_points = 2\n'
    )
    return root


@pytest.fixture(scope="module")
def graded(folders, grade_each):
    began = time.monotonic()
    finished, output = grade_each(folders, "--quiet", "--submission-seconds", 3)
    assert finished.returncode == 1, finished.stderr[-2000:]
    return output, time.monotonic() - began


def record(graded, name):
    paths = (graded[0] / "records").glob("*.json")
    return next(each for each in map(json.loads, (p.read_text() for p in paths))
                if each["submission"] == name)  # fmt: skip


def test_of_many_files_those_of_required_x_are_opened(graded):
    found = record(graded, "crowd")
    assert {each["drop_points"] for each in found["checkpoints"] if each["repaired"]} == {2, 4, 10}
    said = "283 more model files were not opened: at most 20 are, of 2 GiB together"
    assert said in found["notes"]


def test_records_and_boards_stay_small(graded):
    output, _ = graded
    for path in [*(output / "records").iterdir(), *output.glob("leaderboard.*")]:
        assert path.stat().st_size < 300_000, path
    assert len(record(graded, "nothing else")["reason"]) <= 1003


def test_a_submission_has_one_clock_for_all_its_models(graded):
    (entry,) = record(graded, "sleeper")["checkpoints"]
    assert entry["status"] == "timed_out"
    assert graded[1] < 120


class Told(Quiet):
    """What grading says that it does."""

    def __init__(self):
        self.stages = []

    def stage(self, submission, what):
        self.stages.append(what)


def test_the_known_network_goes_first_and_ends_when_time_is_over(
    small_benchmark, badnet, badnet_path, tmp_path
):
    options, told = Options(timing=False, submission_seconds=0), Told()
    ready = prepare(str(small_benchmark), badnet_path, tmp_path / "results", options, told)
    other = known_config()
    other["config"]["layers"][-1]["config"]["activation"] = "sigmoid"
    write_full(tmp_path / "ann" / "model_2.h5", badnet, other)
    weights = zero_channels(badnet, range(20)) | {"conv_2/bias": badnet["conv_2/bias"] + 1}
    write_weights(tmp_path / "ann" / "model_4.h5", weights)

    record = grade_folder(tmp_path / "ann", ready.basis, ready.datasets, ready.run)
    predicted = [what for what in told.stages if what.startswith("predicting model_")]
    assert predicted == ["predicting model_4.h5", "predicting model_2.h5"]
    assert record.status is Status.TIMED_OUT
    assert [checkpoint.reason for checkpoint in record.checkpoints] == [
        "model_2.h5: not run: the submission's other models took all the time allowed",
        "model_4.h5: stopped: the submission's models took all the time allowed",
    ]


def test_models_are_opened_up_to_a_size_together():
    """Each file is copied before it is read: sparse ones would fill the disk."""
    sizes = {"model_2.h5": 512, "model_4.h5": 512, "model_10.h5": 512, "a.h5": 512, "b.h5": 300}
    points = {"model_2.h5": 2.0, "model_4.h5": 4.0, "model_10.h5": 10.0}
    candidates = tuple(
        Candidate(path=path, format="h5", size_bytes=size << 20, role=None,
                  drop_points=points.get(path))
        for path, size in sizes.items()
    )  # fmt: skip
    submission = Submission(
        name="sparse", folder="sparse", candidates=candidates, claims=(), notes=()
    )
    expected = Expectation(1283, (2.0, 4.0, 10.0), None)
    opened = opening._limited(submission, expected, 20)
    assert {candidate.path for candidate in opened.candidates} == {*points, "a.h5"}
    assert opened.notes == (
        "1 more model files were not opened: at most 20 are, of 2 GiB together",
    )
