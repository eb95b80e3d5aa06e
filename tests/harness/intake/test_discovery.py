"""File names as students choose them."""

import pytest
from archives import folder_with

from harness.intake.discovery import discover
from harness.records.errors import HarnessError, SubmissionError


def test_badnets_and_data_beside_the_models_are_left_alone(tmp_path):
    folder = folder_with(
        tmp_path,
        "bd_net.h5",
        "models/bd_weights.h5",
        "valid.h5",
        "bd_test.h5",
        "notes.pdf",
        "Repaired_models /repaired_x2.h5",
        "anonymous_1_bd_weights.h5",
        ".hidden/model_4.h5",
        "pruned_bd_net.h5",
    )
    submission = discover(folder)
    assert {c.path for c in submission.candidates if not c.named_badnet} == {
        "Repaired_models /repaired_x2.h5",
        "pruned_bd_net.h5",
    }
    assert {c.path for c in submission.candidates if c.named_badnet} == {
        "bd_net.h5",
        "models/bd_weights.h5",
        "anonymous_1_bd_weights.h5",
    }
    assert len(submission.notes) == 2


def test_a_folder_named_savedmodel_is_one_candidate(tmp_path):
    folder = folder_with(tmp_path, "model_2/saved_model.pb", "model_2/variables/variables.index")
    (candidate,) = discover(folder).candidates
    assert (candidate.path, candidate.format, candidate.drop_points) == ("model_2", "savedmodel", 2)


def test_nothing_to_grade_says_what_is_there(tmp_path):
    with pytest.raises(SubmissionError, match="the folder is empty"):
        discover(tmp_path)
    folder_with(tmp_path, "report.pdf")
    with pytest.raises(SubmissionError, match=r"it holds report\.pdf"):
        discover(tmp_path)
    with pytest.raises(HarnessError, match="no such folder"):
        discover(tmp_path / "nobody")
