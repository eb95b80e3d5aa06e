"""File names as students choose them."""

import pytest
from archives import folder_with

from harness.intake.discovery import discover, drop_points_in_name
from harness.records.errors import HarnessError, SubmissionError

REQUIRED = (2.0, 4.0, 10.0)


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("model_X=2.h5", 2),
        ("bd_model_X5.h5", 5),
        ("B_prime_10_weights.h5", 10),
        ("gn-x2_weights.h5", 2),
        ("model_B_30.h5", 30),
        ("model_10_percent_drop.h5", 10),
        ("repaired_model_4.h5", 4),
        ("repaired_x10.h5", 10),
        ("repaired_bd_weights2.h5", 2),
        ("Repaired_net_2_percent_threshold.h5", 2),
        ("pruned_net_2.h5", 2),
        ("pruned_bd_net_by_10_acc=84.43751623798389_asq=1_asr=77.015675067117.h5", 10),
        ("PrunedNet_X-2.keras", 2),
        ("GoodNet_X-10.keras", 10),
        ("B_prime_2.h5", 2),
        ("models/X=4/model.h5", 4),
        ("Lab/Lab3/10/net.keras", 10),
        ("model_2 (1).h5", 2),
        ("lab3_model_4.h5", 4),
        ("model_2.5.h5", 2.5),
        ("model.h5", None),
        ("model_5_and_7.h5", None),
    ],
)
def test_points_in_file_names(name, points):
    assert drop_points_in_name(name, REQUIRED) == points


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
    assert [c.path for c in submission.candidates] == [
        "Repaired_models /repaired_x2.h5",
        "pruned_bd_net.h5",
    ]
    assert len(submission.notes) == 5


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
