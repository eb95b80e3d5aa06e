"""How far repairs hold, on tiny BadNets: which cells have points, and when they are run again."""

import numpy as np
import pytest
from tiny_nets import CLASSES
from tiny_zoo import BIASED, write_changed_triggers, write_defence, write_zoo

from harness.execution.progress import Quiet
from harness.grading.context import Budget, Options
from harness.grading.defences.code import find_defences, stage_defences
from harness.grading.defences.zoo import cells, prepare_zoo
from harness.grading.worker import grade_entry
from harness.inference.reactivation.running import STEPS
from harness.records.errors import HarnessError, Status
from harness.storage.results import Store

pytestmark = pytest.mark.sandbox
DETECTOR = """
import numpy as np

def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    return {"limit": 1.0}

def predict(state, images):
    return np.where(images.reshape(len(images), -1).mean(axis=1) < state["limit"], 7, 2)
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A zoo in which one BadNet of three has changed triggers."""
    folder = write_zoo(tmp_path_factory.mktemp("zoo"))
    write_changed_triggers(folder)
    return folder


@pytest.fixture
def prepared(changed, tmp_path):
    """The zoo made ready, with robustness or without, and the cells of a defence."""

    def make(text, *, robustness=True):
        code = tmp_path / "mine"
        if not code.exists():
            write_defence(code, text)
        chosen = Options(timing=False, budget=Budget(seconds=60.0), robustness=robustness)
        ready = prepare_zoo(str(changed), tmp_path / "out", chosen, Quiet())
        found = stage_defences(find_defences([str(code)]), tmp_path / "out")
        return ready, cells(found, ready.zoo)

    return make


def test_a_repaired_net_has_its_points_and_is_reactivated(prepared, tmp_path):
    ready, (first, second, *_) = prepared(BIASED)
    record = grade_entry(ready, first)
    assert record.status is Status.GRADED, record.reason
    found = record.robustness
    assert [(p.kind, p.level, p.net) for p in found.points] == [
        ("size", level, net) for level in (50, 100) for net in ("badnet", "repaired", "goodnet")
    ]
    assert {point.total for point in found.points} == {20}
    assert [point.step for point in found.reactivation] == [0, *STEPS]
    assert found.unmeasured == ()

    # The points are counts of what is stored.
    stored = Store(tmp_path / "out")
    for point in found.points:
        if point.predictions:
            answers = stored.answers(point.predictions, point.images, CLASSES).answers
            assert point.attacked == np.count_nonzero(answers.class_ids == 2)

    other = grade_entry(ready, second)
    assert (other.status, other.robustness) == (Status.GRADED, None)
    assert (second.name, ready.without_changed_triggers()) == (
        "mine@blended-0", ["patch-1", "blended-0"]
    )  # fmt: skip


def test_a_detector_has_its_points_and_no_weights_to_train(prepared):
    ready, (first, *_) = prepared(DETECTOR)
    found = grade_entry(ready, first).robustness
    own = {p.level: (p.attacked, p.abstained) for p in found.points if p.net == "goodnet"}
    assert own == {50: (10, 10), 100: (20, 0)}
    assert {point.net for point in found.points} == {"badnet", "goodnet"}
    assert found.reactivation == ()


def test_what_is_there_without_points_is_run_again_for_them_and_not_the_other_way_round(prepared):
    plain, (first, second, *_) = prepared(BIASED, robustness=False)
    before, other = grade_entry(plain, first), grade_entry(plain, second)
    assert before.robustness is None
    asking, _ = prepared(BIASED)
    assert before.fingerprint == asking.inputs_hash(first)
    assert not asking.is_complete(before)
    assert asking.is_complete(other)  # of that BadNet there is nothing to measure

    after = grade_entry(asking, first)
    assert asking.is_complete(after)
    assert plain.is_complete(after)
    assert after.fingerprint == plain.inputs_hash(first)


def test_a_zoo_without_any_is_one_line(tmp_path):
    zoo = write_zoo(tmp_path)
    chosen = Options(timing=False, budget=Budget(), robustness=True)
    with pytest.raises(HarnessError, match=r"no BadNet has changed triggers.*--changed-triggers"):
        prepare_zoo(str(zoo), tmp_path / "out", chosen, Quiet())
