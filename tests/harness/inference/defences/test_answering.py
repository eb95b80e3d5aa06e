"""What a detector answers: class ids, and in one line what else its `predict` may return."""

import numpy as np
import pytest

from harness.inference.defences.answering import Detector, answering
from harness.inference.defences.states import pack_state
from harness.inference.runtimes.predictors import UnusableModelError

IMAGES = np.zeros((3, 4, 4, 1), np.uint8)


def asked(folder, answer, classes=10):
    (folder / "looks_at_each.py").write_text(f"def predict(state, images):\n    return {answer}\n")
    (folder / "state").write_bytes(pack_state({"a": 1}))
    detector = Detector(folder, "looks_at_each.py", folder / "state", classes, 1.0)
    return answering(detector)(IMAGES)


@pytest.mark.parametrize("answer", ["[0, 9, 10]", "images[:, 0, 0] * 1.0", "[[1], [2], [3.0]]"])
def test_class_ids_pass_however_they_are_held(tmp_path, answer):
    assert asked(tmp_path, answer).size == 3


WRONG = {
    "[0, -1, 3]": 'predict() answers -1; class ids are 0 to 9, and 10 says "backdoored"',
    "[0, 11, 3]": "predict() answers 11; class ids are 0 to 9",
    "[0.1, 0.9, 0.5]": "predict() answers 0.1; class ids are",
    "[0, float('nan'), 3]": "predict() answers nan; class ids are",
    "[True, False, True]": "predict() answers True; class ids are",
    "['0', 'no', '2']": "predict() answers '0'; class ids are",
    "None": "predict() returns None; it returns N class ids",
    "[[1], [2, 3], 4]": "predict() fails: ValueError: setting an array element",
    "state['b']": "predict() fails: looks_at_each.py line 2: KeyError: 'b'",
    "exit(3)": "predict() fails: looks_at_each.py line 2: SystemExit: 3",
}


@pytest.mark.parametrize("answer", WRONG)
def test_what_is_no_class_id_is_one_line(tmp_path, answer):
    with pytest.raises(UnusableModelError) as caught:
        asked(tmp_path, answer)
    assert str(caught.value).startswith(WRONG[answer])
