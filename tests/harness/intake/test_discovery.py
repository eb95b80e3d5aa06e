"""File names as students choose them, ``submission.toml``, and what is refused unopened."""

import os

import pytest

from harness.intake.discovery import MAX_MODEL_BYTES, discover, drop_points_in_name
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


def folder_with(tmp_path, *names):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_badnets_and_data_beside_the_models_are_left_alone(tmp_path):
    folder = folder_with(
        tmp_path, "bd_net.h5", "models/bd_weights.h5", "valid.h5", "bd_test.h5", "notes.pdf",
        "Repaired_models /repaired_x2.h5", "anonymous_1_bd_weights.h5", ".hidden/model_4.h5",
        "pruned_bd_net.h5",
    )  # fmt: skip
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


def test_toml_overrides_names(tmp_path):
    folder = folder_with(tmp_path, "final.h5", "model_4.h5")
    (folder / "submission.toml").write_text(
        '[artifacts]\n"final.h5" = { role = "goodnet", drop_points = 10 }\n'
    )
    (candidate,) = discover(folder).candidates
    assert (candidate.path, candidate.role, candidate.drop_points) == ("final.h5", "goodnet", 10)
    assert candidate.explicit


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("= 1", "not valid TOML"),
        ("name = 3", "name must be a text"),
        ('[artifacts]\n"../x.h5" = { role = "repaired" }', "leads out of the submission"),
        ('[artifacts]\n"/etc/passwd" = { role = "repaired" }', "leads out of the submission"),
        ('[artifacts]\n"gone.h5" = { role = "repaired" }', "is not in the submission"),
        ('[artifacts]\n"m.h5" = { role = "king" }', "needs a role"),
        ('[artifacts]\n"m.h5" = { drop_points = "two" }', "drop_points must be a number"),
        ("[artifacts]\nm = 1", "needs a role"),
        ("artifacts = [1]", "must map files"),
        ('[[claims]]\nbenchmark = "lab3"', "claims"),
        ("a = " + "[" * 5000 + "]" * 5000, "not valid TOML"),
        ("a = '" + "x" * 70_000 + "'", "larger than"),
    ],
)
def test_a_bad_toml_is_one_clear_line(tmp_path, toml, reason):
    folder = folder_with(tmp_path, "m.h5")
    (folder / "submission.toml").write_text(toml)
    with pytest.raises(SubmissionError, match=reason) as raised:
        discover(folder)
    assert "\n" not in raised.value.reason
    assert "submission.toml" in raised.value.reason


def test_claims_are_read(tmp_path):
    folder = folder_with(tmp_path, "model_2.h5")
    (folder / "submission.toml").write_text(
        '[[claims]]\nbenchmark = "lab3"\nsplit = "test"\nnet = "goodnet"\ndrop_points = 2\n'
        "clean_accuracy = 0.9574\nattack_success_rate = 1.0\n"
    )
    (claim,) = discover(folder).claims
    assert (claim.net, claim.drop_points, claim.clean_accuracy) == ("goodnet", 2, 0.9574)


def test_links_and_special_files_are_rejected_unopened(tmp_path):
    secret = tmp_path / "answers.h5"
    secret.write_bytes(b"secret")
    submission = tmp_path / "s"
    submission.mkdir()
    (submission / "model_2.h5").symlink_to(secret)
    with pytest.raises(SubmissionError, match=r"model_2\.h5: a link"):
        discover(submission)
    (submission / "model_2.h5").unlink()
    os.mkfifo(submission / "model_2.h5")
    with pytest.raises(SubmissionError, match=r"model_2\.h5: not a regular file"):
        discover(submission)


def test_sizes_are_capped_at_the_limit(tmp_path):
    path = folder_with(tmp_path, "model_2.h5") / "model_2.h5"
    os.truncate(path, MAX_MODEL_BYTES)
    assert discover(tmp_path).candidates
    os.truncate(path, MAX_MODEL_BYTES + 1)
    with pytest.raises(SubmissionError, match="more than the 512 MiB"):
        discover(tmp_path)


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.intake.discovery.MAX_ENTRIES", 20)
    folder_with(tmp_path, *(f"{number}.txt" for number in range(21)), "model_2.h5")
    with pytest.raises(SubmissionError, match="more than 20 files"):
        discover(tmp_path)


def test_nothing_to_grade_says_what_is_there(tmp_path):
    with pytest.raises(SubmissionError, match="the folder is empty"):
        discover(tmp_path)
    folder_with(tmp_path, "report.pdf")
    with pytest.raises(SubmissionError, match=r"it holds report\.pdf"):
        discover(tmp_path)
    with pytest.raises(HarnessError, match="no such folder"):
        discover(tmp_path / "nobody")
